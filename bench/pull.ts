/**
 * `npm run bench -- pull [--only files,layers,text,memory] [--rounds 5] [--images FOLDER] [--write]`: pulls from a registry on loopback,
 * through the docker CLI: how long both engines take, in turn, and how much memory Berth's daemon has at most. The images, which take
 * minutes to make, are kept in the folder, and are not made again when it is there.
 */
import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Engine, startBerth, startDocker } from "./engines.ts";
import { type Compression, type MadeLayer, madeTar, makeLayer, pushImage } from "./layer-images.ts";
import { registryBeside } from "./push.ts";
import { manyFiles } from "./workloads.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "files,layers,text,memory" },
    rounds: { type: "string", default: "5" },
    images: { type: "string" },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const wanted = values.only.split(",");
const settleMs = 300;
const megabyte = 1_000_000;
const memoryBudgetMiB = 200;

/** A name in the registry. */
interface Pulled {
  readonly name: string;
  readonly what: string;
  make(folder: string): Promise<MadeLayer[]>;
}

async function several(
  folder: string,
  count: number,
  sizeBytes: number,
  texture: "random" | "text",
  how: Compression,
): Promise<MadeLayer[]> {
  const layers: MadeLayer[] = [];
  for (let at = 0; at < count; at++) layers.push(await makeLayer(join(folder, `layer-${at}`), madeTar(sizeBytes, texture), sizeBytes, how));
  return layers;
}

const compared: readonly (Pulled & { readonly only: string; readonly budget?: number })[] = [
  {
    only: "files",
    name: "files",
    what: "20,000 files",
    budget: 8,
    make: async (folder) => [await makeLayer(join(folder, "files"), createReadStream(manyFiles()), statSync(manyFiles()).size, "gzip")],
  },
  {
    only: "layers",
    name: "layers",
    what: "ten layers of 50 MB",
    budget: 2,
    make: (folder) => several(folder, 10, 50 * megabyte, "random", "gzip"),
  },
  {
    only: "text",
    name: "text",
    what: "ten layers of 50 MB, compressible",
    make: (folder) => several(folder, 10, 50 * megabyte, "text", "gzip"),
  },
];

const measured: readonly Pulled[] = [
  { name: "gzip", what: "2 GB, gzip", make: (folder) => several(folder, 1, 2000 * megabyte, "text", "gzip") },
  { name: "zstd", what: "2 GB, zstd", make: (folder) => several(folder, 1, 2000 * megabyte, "text", "zstd") },
  { name: "plain", what: "2 GB, not compressed", make: (folder) => several(folder, 1, 2000 * megabyte, "random", "none") },
  { name: "hundred", what: "100 layers of 1 MB", make: (folder) => several(folder, 100, megabyte, "text", "gzip") },
];

const tables: string[] = [];
const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[(list.length - 1) >> 1] ?? Number.NaN;

async function pull(engine: Engine, root: string, name: string): Promise<number> {
  await using registry = await registryBeside(engine, 5055, root);
  const image = `${registry.host}/bench/${name}:1`;
  // What others have left to be written is not to be waited for.
  execFileSync("sync");
  await sleep(settleMs);
  const start = performance.now();
  await engine.cli(["pull", "-q", image]);
  const took = performance.now() - start;
  await engine.cli(["rmi", image]);
  return took;
}

const works = compared.filter(({ only }) => wanted.includes(only));

async function compare(root: string): Promise<void> {
  if (works.length === 0) return;
  await using berth = await startBerth();
  await using docker = await startDocker();
  const lines = ["| pull, ms | Berth | Docker | times faster | budget |", "|---|---|---|---|---|"];
  for (const { name, what, budget } of works) {
    const times: Record<string, number[]> = { berth: [], docker: [] };
    for (let round = -1; round < rounds; round++)
      for (const engine of [berth, docker]) {
        const took = await pull(engine, root, name);
        if (round >= 0) times[engine.name]?.push(took);
      }
    const [ours, theirs] = [median(times["berth"] ?? []), median(times["docker"] ?? [])];
    const verdict = budget === undefined ? "" : `${budget}× ${theirs / ours >= budget ? "met" : "MISSED"}`;
    lines.push(`| ${what} | ${ours.toFixed(0)} | ${theirs.toFixed(0)} | ${(theirs / ours).toFixed(2)} | ${verdict} |`);
    process.stderr.write(`${what}: ${JSON.stringify(times)}\n`);
  }
  tables.push(`Docker ${docker.version}; medians of ${rounds} rounds in turn.\n\n${lines.join("\n")}\n`);
}

const peakMiB = ({ pid }: Engine): number =>
  Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);

async function memory(root: string): Promise<void> {
  const lines = ["| pull | s | a new daemon's peak, MiB | a used one's |", "|---|---|---|---|"];
  const all = [...measured, ...works];
  await using used = await startBerth();
  for (const { name } of all) await pull(used, root, name);
  let most = 0;
  for (const { name, what } of all) {
    await using fresh = await startBerth();
    const took = await pull(fresh, root, name);
    // The kernel begins to count the peak anew.
    writeFileSync(`/proc/${used.pid}/clear_refs`, "5");
    await pull(used, root, name);
    const peaks = [peakMiB(fresh), peakMiB(used)];
    most = Math.max(most, ...peaks);
    lines.push(`| ${what} | ${(took / 1000).toFixed(1)} | ${peaks.join(" | ")} |`);
    process.stderr.write(`${lines.at(-1)}\n`);
  }
  lines.push(`| most, of ${memoryBudgetMiB} MiB | | ${most} ${most < memoryBudgetMiB ? "met" : "MISSED"} | |`);
  tables.push(`Memory of Berth's daemon (VmHWM); the used one has pulled all of it before.\n\n${lines.join("\n")}\n`);
}

const folder = mkdtempSync("/var/tmp/bench-pull-");
try {
  const root = values.images ?? join(folder, "registry");
  if (!existsSync(root)) {
    await using registry = await registryBeside(undefined, 5055, root);
    for (const { name, make } of [...(wanted.includes("memory") ? measured : []), ...works])
      await pushImage(new URL(`http://${registry.host}/v2/bench/${name}/`), await make(folder));
  }
  await compare(root);
  if (wanted.includes("memory")) await memory(root);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const day = new Date().toISOString().slice(0, 10);
const text = `# Pulls, ${day}\n\nLinux ${release()}, Node ${process.version}.\n\n${tables.join("\n")}`;
process.stdout.write(text);
if (values.write) {
  mkdirSync(`${import.meta.dirname}/results`, { recursive: true });
  writeFileSync(`${import.meta.dirname}/results/pull-${day}.md`, text);
}
process.exit();
