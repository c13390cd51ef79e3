/**
 * Records what Docker answers to the script:
 *   sh test/parity/docker-of-debian.sh node test/parity/record.ts [GROUP…]
 * With groups named, the recording of the others is kept. `--print` writes to stdout instead.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { command } from "../daemon.ts";
import { type Engine, perform } from "./perform.ts";
import { readScript } from "./script.ts";
import { formatRecording, parseRecording, type RecordedStep, recordedStep } from "./transcript.ts";

const file = join(import.meta.dirname, "docker.txt");
const { values, positionals } = parseArgs({ allowPositionals: true, options: { print: { type: "boolean", default: false } } });
const host = process.env["DOCKER_HOST"];
if (host === undefined) throw new Error("DOCKER_HOST must name the engine to record");

const described = await command("docker", [
  "version",
  "-f",
  "{{range .Server.Components}}{{.Name}} {{.Version}}, {{end}}client {{.Client.Version}}",
]);
const root = (await command("docker", ["info", "-f", "{{.DockerRootDir}}"])).stdout.trim();
const engine: Engine = { host, folders: [[root, "<root>"]] };

const known = existsSync(file) && !values.print ? parseRecording(readFileSync(file, "utf8")).groups : new Map<string, RecordedStep[]>();
const groups = new Map<string, readonly RecordedStep[]>();
for (const group of readScript()) {
  const kept = known.get(group.name);
  if (positionals.length > 0 && !positionals.includes(group.name)) {
    if (kept !== undefined) groups.set(group.name, kept);
    continue;
  }
  const { steps, left } = await perform(engine, group);
  if (left !== "") process.stderr.write(`${group.name} left behind:\n${left}`);
  groups.set(group.name, steps.map(recordedStep));
}
const text = formatRecording({ engine: described.stdout.trim(), groups });
if (values.print) process.stdout.write(text);
else writeFileSync(file, text);
