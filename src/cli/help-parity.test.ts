/** Every verb has docker's usage line, aliases and flags, with the same letters and types; what is left out is named here. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bundleClient } from "./bundled-client.ts";

/** Flags of Docker's that Berth has not, each with the reason. */
const left: Readonly<Record<string, string>> = {
  "disable-content-trust": "taken and ignored, so not shown",
  "kernel-memory": "taken and ignored: no kernel has it any more",
  "use-api-socket": "experimental in docker",
  checkpoint: "experimental in docker",
  "checkpoint-dir": "experimental in docker",
  cluster: "volumes of a swarm",
  availability: "volumes of a swarm",
  group: "volumes of a swarm",
  "limit-bytes": "volumes of a swarm",
  "required-bytes": "volumes of a swarm",
  secret: "volumes of a swarm",
  sharing: "volumes of a swarm",
  "topology-preferred": "volumes of a swarm",
  "topology-required": "volumes of a swarm",
};

/** Flags that are Berth's own. */
const own: Readonly<Record<string, readonly string[]>> = { update: ["publish-add", "publish-rm"] };

const verbs = `attach commit cp create diff exec export history import inspect kill load logs pause port ps rename restart rm
  rmi save start stats stop tag top unpause update wait run pull push images version info events login logout search`.split(/\s+/);
const inGroups: Readonly<Record<string, string>> = {
  container: `attach commit cp create diff exec export inspect kill logs ls pause port prune rename restart rm run start stats
    stop top unpause update wait`,
  network: "connect create disconnect inspect ls prune rm",
  image: "history import inspect load ls prune pull push rm save tag",
  manifest: "annotate create inspect push rm",
  volume: "create inspect ls prune rm update",
  system: "df events info prune dial-stdio",
  context: "create export import inspect ls rm show update use",
};

interface Help {
  readonly usage: string;
  readonly aliases: string;
  /** By name: the letter and the type. */
  readonly flags: Record<string, string>;
}

function parse(text: string): Help {
  const flags: Record<string, string> = {};
  for (const [, letter = "", name = "", type = ""] of text.matchAll(/^ {2}(?: {4}|-(\w), )--([\w-]+)(?: (\w[\w-]*))?(?= {2}|\n|$)/gm))
    flags[name] = `${letter} ${type}`;
  const rename = (words: string | undefined): string => (words ?? "").replace(/\bdocker\b/g, "berth");
  return { usage: rename(/^Usage: +(.*)/.exec(text)?.[1]), aliases: rename(/^Aliases:\n(.*)/m.exec(text)?.[1]), flags };
}

describe("help like docker's", () => {
  const folder = mkdtempSync("/tmp/berth-test-help-");
  const main = join(folder, "berth.cjs");
  before(() => bundleClient(main));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const paths = [
    ...verbs.map((verb) => [verb]),
    ...Object.entries(inGroups).flatMap(([group, names]) => names.split(/\s+/).map((name) => [group, name])),
  ];
  for (const path of paths)
    test(path.join(" "), () => {
      const docker = parse(execFileSync("docker", [...path, "--help"], { encoding: "utf8" }));
      const berth = parse(execFileSync(process.execPath, ["--", main, ...path, "--help"], { encoding: "utf8" }));
      for (const name of Object.keys(left)) if (berth.flags[name] === undefined) delete docker.flags[name];
      // Of a swarm's volumes; elsewhere these names mean something.
      if (path.join(" ") === "volume create") for (const name of ["type", "scope"]) delete docker.flags[name];
      for (const name of own[path.at(-1) ?? ""] ?? []) if (path[0] !== "volume" && path[0] !== "context") delete berth.flags[name];
      assert.deepEqual(berth, docker);
    });
});
