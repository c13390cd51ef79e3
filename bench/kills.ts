/**
 * `npm run bench -- kills [--times 100] [--only NAME]… [--seed N] [--at-once 2] [--write]`: kill -9 of the daemon, its broker and our
 * registry in the middle of whatever changes images, so often for each. Each has namespaces and processes of its own.
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { Chance } from "../test/kills/chance.ts";
import { killMany, type Tally } from "../test/kills/scenario.ts";
import { scenarios } from "../test/kills/scenarios.ts";
import { Stand } from "../test/kills/stand.ts";

const { values } = parseArgs({
  options: {
    times: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    only: { type: "string", multiple: true },
    "at-once": { type: "string", default: "2" },
    here: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const [times, seed] = [Number(values.times), Number(values.seed)];
const chosen = scenarios.filter(({ name }) => values.only?.includes(name) ?? true);

/** In this process; says the tally as JSON. */
async function killHere(): Promise<void> {
  for (const scenario of chosen) {
    const stand = await Stand.open(new Chance(seed));
    try {
      const tally = await killMany(scenario, stand, times, seed);
      process.stdout.write(`${JSON.stringify({ ...tally, seen: [...tally.seen] })}\n`);
    } finally {
      await stand[Symbol.asyncDispose]();
    }
  }
}

interface Outcome {
  readonly tally?: Omit<Tally, "seen"> & { readonly seen: [string, number][] };
  readonly minutes: number;
}

/** @param slot tells apart what several at once make on the host */
async function killElsewhere(name: string, slot: number): Promise<Outcome> {
  const from = performance.now();
  const again = [process.execPath, import.meta.filename, "--here", "--only", name, "--times", String(times), "--seed", String(seed)];
  const inside = ["sh", "-c", 'ip link set lo up; "$@"', "sh", ...again];
  const child = spawn("unshare", ["-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc", ...inside], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, BERTH_TEST_SLOT: `${process.pid % 1000}${slot}` },
  });
  let said = "";
  child.stdout.on("data", (chunk) => {
    said += chunk;
  });
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const minutes = (performance.now() - from) / 60_000;
  return status === 0 ? { tally: JSON.parse(said) as NonNullable<Outcome["tally"]>, minutes } : { minutes };
}

const header =
  "| operation | commit | seed | killed in its middle | killed when it was over | found wrong | minutes | what was seen |\n|---|---|---|---|---|---|---|---|";
const rows = new Map<string, string>();

async function killAll(): Promise<void> {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8", cwd: import.meta.dirname }).trim();
  process.stdout.write(`${header}\n`);
  const waiting = [...chosen];
  const worker = async (slot: number): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { tally, minutes } = await killElsewhere(next.name, slot);
      if (tally === undefined) process.exitCode = 1;
      const seen = (tally?.seen ?? []).map(([what, count]) => `${what}: ${count}`).sort();
      const cells = [
        next.name,
        commit,
        seed,
        tally?.kills ?? "?",
        tally?.late ?? "?",
        tally ? 0 : "**yes**",
        minutes.toFixed(1),
        seen.join("; "),
      ];
      rows.set(next.name, `| ${cells.join(" | ")} |`);
      process.stdout.write(`${rows.get(next.name)}\n`);
    }
  };
  await Promise.all(Array.from({ length: Number(values["at-once"]) }, (_, slot) => worker(slot)));
}

const account = `After each kill and restart: every image that is listed is saved and each byte of it compared with its digest; layers, blobs,
downloads and directories of containers are those that rows name and no others; the database is checked (\`integrity_check\`,
\`foreign_key_check\`); no process of the killed daemon and no mount of a layer that is gone is left. Then the operation is done again,
the images' files are read in containers and compared with what was put in, all is removed, and nothing may be left on disk. A pull that is
done again fetches each layer from the very byte that had come, counted at a relay before the registry; a push sends no blob
that the registry had. A third of the kills take the broker and the monitors too; those of pushes and of the registry's GC also
the registry, alone or with all of Berth.`;

/** Rows of operations that were not killed in this run stay as they are. */
function write(): void {
  const path = `${import.meta.dirname}/results/kills-${new Date().toISOString().slice(0, 10)}.md`;
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const all = scenarios.flatMap(({ name }) => rows.get(name) ?? before.split("\n").find((line) => line.startsWith(`| ${name} |`)) ?? []);
  const title = `# kill -9 in the middle, again and again\n\nLinux ${release()}, Node ${process.version}.`;
  writeFileSync(path, `${title}\n\n${header}\n${all.join("\n")}\n\n${account}\n`);
}

if (values.here) await killHere();
else {
  await killAll();
  if (values.write) write();
}
