/**
 * `node bench/soak.ts [--cycles 10000] [--write]`: what many starts and stops leave behind, and what 200 containers
 * make of the costs of the next call. Berth alone: nothing here is compared.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Engine, startBerth } from "./engines.ts";
import { image, importBusybox } from "./workloads.ts";

const { values } = parseArgs({ options: { cycles: { type: "string", default: "10000" }, write: { type: "boolean", default: false } } });
const cycles = Number(values.cycles);
const atOnce = 4;
const many = 200;

interface Footprint {
  readonly descriptors: number;
  readonly brokerDescriptors: number;
  readonly memoryMiB: number;
  readonly cgroups: number;
  readonly mounts: number;
  readonly links: number;
}

const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const linesOf = (path: string): number => readFileSync(path, "utf8").trimEnd().split("\n").length;

/** Directories of one v1 hierarchy, or of the v2 tree, below the engine's parent. */
function cgroups(): number {
  for (const root of ["/sys/fs/cgroup/pids/berth", "/sys/fs/cgroup/berth"]) {
    try {
      return readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory()).length;
    } catch {
      // not this one
    }
  }
  return 0;
}

function footprint(engine: Engine): Footprint {
  const [daemon, broker] = engine.processes();
  return {
    descriptors: descriptorsOf(daemon),
    brokerDescriptors: descriptorsOf(broker),
    memoryMiB: Math.round(engine.memory()),
    cgroups: cgroups(),
    mounts: linesOf(`/proc/${broker}/mountinfo`),
    links: linesOf(`/proc/${daemon}/net/dev`),
  };
}

const body = { Image: image, Cmd: ["sleep", "1000"] };

async function start(engine: Engine): Promise<string> {
  const id = String((await engine.api("POST", "/containers/create", body))["Id"]);
  await engine.api("POST", `/containers/${id}/start`);
  return id;
}

async function cycle(engine: Engine): Promise<void> {
  await engine.api("DELETE", `/containers/${await start(engine)}?force=1`);
}

async function median(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 31; i++) {
    const from = performance.now();
    await work();
    times.push(performance.now() - from);
  }
  return times.sort((a, b) => a - b)[15] ?? Number.NaN;
}

const lines: string[] = [];
function say(line: string): void {
  process.stdout.write(`${line}\n`);
  lines.push(line);
}

async function soak(engine: Engine): Promise<void> {
  say(`| cycles | ms a cycle | ${Object.keys(footprint(engine)).join(" | ")} |`);
  say("|---|---|---|---|---|---|---|---|");
  for (let i = 0; i < 100; i++) await cycle(engine);
  let from = performance.now();
  for (let done = 0; done <= cycles; done += 1000) {
    await sleep(1000); // links of namespaces that are going
    const ms = done === 0 ? "" : ((performance.now() - 1000 - from) / 1000).toFixed(2);
    say(`| ${done} | ${ms} | ${Object.values(footprint(engine)).join(" | ")} |`);
    from = performance.now();
    if (done === cycles) break;
    const worker = async (): Promise<void> => {
      for (let i = 0; i < 1000 / atOnce; i++) await cycle(engine);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }
}

async function crowd(engine: Engine): Promise<void> {
  say(`\n| call | with 2, ms | with ${many}, ms | times |`);
  say("|---|---|---|---|");
  const ids = [await start(engine), await start(engine)];
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    inspect: () => engine.api("GET", `/containers/${ids[0]}/json`),
    "docker ps": () => engine.cli(["ps"]),
    "GET /containers/json": () => engine.api("GET", "/containers/json"),
    "create, start, rm -f": () => cycle(engine),
  };
  const few = new Map<string, number>();
  for (const [name, call] of Object.entries(calls)) few.set(name, await median(call));
  const from = performance.now();
  ids.push(...(await Promise.all(Array.from({ length: many - 2 }, () => start(engine)))));
  const started = performance.now() - from;
  for (const [name, call] of Object.entries(calls)) {
    const [with2, with200] = [few.get(name) ?? Number.NaN, await median(call)];
    say(`| ${name} | ${with2.toFixed(2)} | ${with200.toFixed(2)} | ${(with200 / with2).toFixed(2)} |`);
  }
  await Promise.all(ids.map((id) => engine.api("DELETE", `/containers/${id}?force=1`)));
  say(`\n${many - 2} started at once in ${Math.round(started)} ms.`);
}

await using berth = await startBerth();
await importBusybox(berth);
await soak(berth);
await crowd(berth);
if (values.write) {
  const day = new Date().toISOString().slice(0, 10);
  mkdirSync(`${import.meta.dirname}/results`, { recursive: true });
  writeFileSync(
    `${import.meta.dirname}/results/soak-${day}.md`,
    `# Many starts and stops, ${day}\n\nLinux ${release()}, Node ${process.version}. Memory: PSS of the daemon, the broker and monitors.\n\n${lines.join("\n")}\n`,
  );
}
