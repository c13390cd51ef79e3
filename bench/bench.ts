/**
 * `npm run bench`: the same work through Berth's and Docker's API in turn, in one run, as medians and ratios.
 * Machines are noisy, so only the ratios are held against the budgets (docs/benchmarks.md).
 *
 *   npm run bench -- [--only run,api,…] [--rounds 25] [--write]     --write: keep the result in bench/results/
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, release } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Engine, startBerth, startDocker } from "./engines.ts";
import { budgets, type Recorder, workloads } from "./workloads.ts";

const { values } = parseArgs({
  options: { only: { type: "string" }, rounds: { type: "string", default: "25" }, write: { type: "boolean", default: false } },
});

/** How long the machine is left alone before each turn. */
const settleMs = 300;

const rounds = Number(values.rounds);
const names = values.only?.split(",") ?? Object.keys(workloads);

/** name of the figure → engine → values in ms (MiB for memory) */
const figures = new Map<string, Map<string, number[]>>();

function recorder(engine: Engine, keep: boolean): Recorder {
  return (figure, value) => {
    if (!keep) return;
    const byEngine = figures.get(figure) ?? new Map<string, number[]>();
    byEngine.set(engine.name, [...(byEngine.get(engine.name) ?? []), value]);
    figures.set(figure, byEngine);
  };
}

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[(list.length - 1) >> 1] ?? Number.NaN;

async function measure(engines: readonly Engine[]): Promise<void> {
  for (const name of names) {
    const workload = workloads[name];
    if (workload === undefined) throw new Error(`no workload ${name}; there are: ${Object.keys(workloads).join(", ")}`);
    const count = Math.min(rounds, workload.rounds);
    for (let round = -1; round < count; round++) {
      for (const engine of engines) {
        // What the other one is still clearing away behind its answers is not to be paid for here.
        await sleep(settleMs);
        await workload.run(engine, recorder(engine, round >= 0));
      }
    }
    process.stderr.write(`${name} done\n`);
  }
}

function report(): string {
  const lines = ["| figure | Berth | Docker | times better | budget |", "|---|---|---|---|---|"];
  for (const [figure, byEngine] of figures) {
    const [ours, theirs] = [median(byEngine.get("berth") ?? []), median(byEngine.get("docker") ?? [])];
    const budget = budgets[figure];
    const verdict = budget === undefined ? "" : `${budget}× ${theirs / ours >= budget ? "met" : "MISSED"}`;
    lines.push(`| ${figure} | ${ours.toFixed(2)} | ${theirs.toFixed(2)} | ${(theirs / ours).toFixed(2)} | ${verdict} |`);
  }
  return `${lines.join("\n")}\n`;
}

await using berth = await startBerth();
await using docker = await startDocker();
await measure([berth, docker]);
const text = report();
process.stdout.write(text);
if (values.write) {
  const day = new Date().toISOString().slice(0, 10);
  const folder = `${import.meta.dirname}/results`;
  mkdirSync(folder, { recursive: true });
  // What was measured by itself has a file of its own.
  const name = values.only === undefined ? day : `${names.join("-")}-${day}`;
  const head = `# ${name}\n\nLinux ${release()} ${arch()}, ${cpus().length} CPUs; Docker ${docker.version}; Node ${process.version}. Medians of ${rounds} rounds in turn (fewer for the long ones), ms or MiB.\n\n`;
  writeFileSync(`${folder}/${name}.md`, head + text);
}
