/**
 * `npm run bench -- networks [--only throughput,…] [--engines berth,docker] [--rounds 7] [--write]`: what networks cost, Berth and Docker in turn in
 * one run; throughput also beside the same links made by hand. Each engine has a network namespace of its own.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Engine, startBerth, startDocker } from "./engines.ts";
import { bareGround, engineGround, type Ground, importNetworkImage, networkImage } from "./ground.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    engines: { type: "string", default: "berth,docker" },
    rounds: { type: "string", default: "7" },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);

/** Who was measured → values. */
type Figure = Map<string, number[]>;
/** Lines of the report: figure → who → values; greater is better where it is Gbit/s. */
const figures = new Map<string, Figure>();

function record(figure: string, who: string, value: number): void {
  const byName = figures.get(figure) ?? new Map<string, number[]>();
  byName.set(who, [...(byName.get(who) ?? []), value]);
  figures.set(figure, byName);
}

async function timed(figure: string, engine: Engine, keep: boolean, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  if (keep) record(figure, engine.name, performance.now() - start);
}

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[(list.length - 1) >> 1] ?? Number.NaN;

/** Gbit/s of a second, after a start; both ends stay on a CPU each, or the scheduler is what is measured. */
async function iperf(from: Ground["client"], address: string, ...options: string[]): Promise<number> {
  const text = await from("iperf3", "-c", address, "-t", "1", "-O", "0.3", "-A", "0,1", "-J", ...options);
  const { end } = JSON.parse(text) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second / 1e9;
}

/** What is asked of each ground; where there is no engine, a published port is the container itself, one hop away. */
const streams: Readonly<Record<string, (ground: Ground) => Promise<number>>> = {
  "host → container": (ground) => iperf(ground.host, ground.server.address),
  "container → host": (ground) => iperf(ground.host, ground.server.address, "-R"),
  "container → container": (ground) => iperf(ground.client, ground.server.address),
  "published port, from another host": (ground) =>
    iperf(ground.outside, ground.name === "bare" ? ground.server.address : ground.hostAddress),
  "published port, to another host": (ground) =>
    iperf(ground.outside, ground.name === "bare" ? ground.server.address : ground.hostAddress, "-R"),
  "published port, from the host": (ground) => iperf(ground.host, ground.name === "bare" ? ground.server.address : ground.hostAddress),
  "published port, at 127.0.0.1": (ground) => iperf(ground.host, ground.name === "bare" ? ground.server.address : "127.0.0.1"),
};

async function throughput(engines: readonly Engine[]): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const grounds = [stack.use(await bareGround())];
  for (const engine of engines) grounds.push(stack.use(await engineGround(engine)));
  await sleep(500);
  for (const [name, measure] of Object.entries(streams))
    for (let round = -1; round < rounds; round++)
      // Each round begins with another one: who comes after whom shall not matter.
      for (let turn = 0; turn < grounds.length; turn++) {
        const ground = grounds[(turn + round + 1) % grounds.length];
        if (ground === undefined) continue;
        const value = await measure(ground);
        if (round >= 0) record(`${name}, Gbit/s`, ground.name, value);
      }
}

const create = async (engine: Engine, body: object): Promise<string> =>
  String((await engine.api("POST", "/containers/create", { Image: networkImage, Cmd: ["sleep", "100000"], ...body }))["Id"]);
const start = (engine: Engine, id: string): Promise<unknown> => engine.api("POST", `/containers/${id}/start`);
const remove = (engine: Engine, id: string): Promise<unknown> => engine.api("DELETE", `/containers/${id}?force=1`);
const createNetwork = (engine: Engine, name: string): Promise<unknown> =>
  engine.api("POST", "/networks/create", { Name: name, CheckDuplicate: true });
const on = (network: string): object => ({ HostConfig: { NetworkMode: network } });

async function each(engines: readonly Engine[], times: number, work: (engine: Engine, keep: boolean) => Promise<void>): Promise<void> {
  for (let round = -1; round < times; round++)
    for (const engine of engines) {
      await sleep(300);
      await work(engine, round >= 0);
    }
}

async function changes(engines: readonly Engine[]): Promise<void> {
  const ids = new Map<Engine, string>();
  for (const engine of engines) {
    for (const name of ["first", "second"]) await createNetwork(engine, name);
    const id = await create(engine, on("first"));
    await start(engine, id);
    ids.set(engine, id);
  }
  await each(engines, 4 * rounds, async (engine, keep) => {
    const Container = ids.get(engine);
    await timed("connect, ms", engine, keep, () => engine.api("POST", "/networks/second/connect", { Container }));
    await timed("disconnect, ms", engine, keep, () => engine.api("POST", "/networks/second/disconnect", { Container }));
    await timed("network create, ms", engine, keep, () => createNetwork(engine, "third"));
    await timed("network rm, ms", engine, keep, () => engine.api("DELETE", "/networks/third"));
  });
  for (const [engine, id] of ids) {
    await remove(engine, id);
    for (const name of ["first", "second"]) await engine.api("DELETE", `/networks/${name}`);
  }
}

function published(from: number, count: number): object {
  const ports = Array.from({ length: count }, (_, index) => from + index);
  return {
    ExposedPorts: Object.fromEntries(ports.map((port) => [`${port}/tcp`, {}])),
    HostConfig: {
      NetworkMode: "bridge",
      PortBindings: Object.fromEntries(ports.map((port) => [`${port}/tcp`, [{ HostIp: "0.0.0.0", HostPort: String(port) }]])),
    },
  };
}

/** µs a port: what the fastest start with `count` of them takes longer than the fastest with none. */
async function portCost(engine: Engine, count: number, times: number): Promise<number> {
  const ids = [await create(engine, {}), await create(engine, published(20_000, count))];
  const took: number[][] = [[], []];
  for (let round = -1; round < times; round++)
    for (const [index, id] of ids.entries()) {
      await sleep(200);
      const from = performance.now();
      await start(engine, id);
      if (round >= 0) took[index]?.push(performance.now() - from);
      await engine.api("POST", `/containers/${id}/kill`);
      await engine.api("POST", `/containers/${id}/wait`);
    }
  for (const id of ids) await remove(engine, id);
  return ((Math.min(...(took[1] ?? [])) - Math.min(...(took[0] ?? []))) * 1000) / count;
}

async function ports(engines: readonly Engine[]): Promise<void> {
  for (const engine of engines) {
    // Docker starts a process and four rules a port: a tenth of the ports, and few rounds, are patience enough.
    const [count, times, others] = engine.name === "berth" ? [1000, 25, 10] : [100, 3, 3];
    record("start, per published port, µs", engine.name, await portCost(engine, count, times));
    const holders: string[] = [];
    for (let index = 0; index < others; index++) {
      const id = await create(engine, published(20_000 + (index + 1) * count, count));
      await start(engine, id);
      holders.push(id);
    }
    record("the same with 10,000 others (Docker: 300), µs", engine.name, await portCost(engine, count, times));
    for (const id of holders) await remove(engine, id);
  }
}

async function manyNetworks(engines: readonly Engine[]): Promise<void> {
  const many = 300;
  const name = (index: number): string => `many${index}`;
  const startOn = async (engine: Engine, network: string, figure: string): Promise<void> => {
    for (let round = -1; round < 2 * rounds; round++) {
      const id = await create(engine, on(network));
      await timed(figure, engine, round >= 0, () => start(engine, id));
      await remove(engine, id);
    }
  };
  for (const engine of engines) {
    await createNetwork(engine, name(0));
    await startOn(engine, name(0), "start with 1 network, ms");
    for (let index = 1; index < many; index++)
      await timed(`network create, of ${many}, ms`, engine, true, () => createNetwork(engine, name(index)));
    await startOn(engine, name(many - 1), `start with ${many} networks, ms`);
    for (let index = 0; index < many; index++)
      await timed(`network rm, of ${many}, ms`, engine, true, () => engine.api("DELETE", `/networks/${name(index)}`));
  }
}

interface Answers {
  readonly sent: number;
  readonly answered: number;
  readonly good: number;
  readonly tookMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

async function dns(engines: readonly Engine[]): Promise<void> {
  const asks = async (engine: Engine, id: string, rate: number): Promise<Answers> =>
    JSON.parse(await engine.cli(["exec", id, "net-probe", "dns", "127.0.0.11", String(rate), "3", "second", "alias"])) as Answers;
  for (const engine of engines) await createNetwork(engine, "names");
  const asking = new Map<Engine, readonly string[]>();
  for (const engine of engines) {
    const id = await create(engine, on("names"));
    const endpoints = { NetworkingConfig: { EndpointsConfig: { names: { Aliases: ["second", "alias"] } } } };
    const other = await create(engine, { ...on("names"), ...endpoints });
    for (const one of [id, other]) await start(engine, one);
    asking.set(engine, [id, other]);
  }
  await each(engines, rounds, async (engine, keep) => {
    const id = asking.get(engine)?.[0] ?? "";
    const fast = await asks(engine, id, 0);
    const steady = await asks(engine, id, 5000);
    if (!keep) return;
    record("DNS, thousand questions a second", engine.name, fast.good / fast.tookMs);
    record("DNS at 5,000 a second, answered, %", engine.name, (steady.good / steady.sent) * 100);
    record("DNS at 5,000 a second, median, ms", engine.name, steady.p50Ms);
    record("DNS at 5,000 a second, 99 of 100, ms", engine.name, steady.p99Ms);
    record("DNS at 5,000 a second, longest, ms", engine.name, steady.maxMs);
  });
  for (const [engine, ids] of asking) {
    for (const id of ids) await remove(engine, id);
    await engine.api("DELETE", "/networks/names");
  }
}

async function atOnce(engines: readonly Engine[]): Promise<void> {
  for (const engine of engines) await createNetwork(engine, "crowd");
  await each(engines, 1, async (engine, keep) => {
    let ids: string[] = [];
    await timed("create+start 100 on one network, ms", engine, keep, async () => {
      ids = await Promise.all(
        Array.from({ length: 100 }, async () => {
          const id = await create(engine, on("crowd"));
          await start(engine, id);
          return id;
        }),
      );
    });
    await timed("remove 100, ms", engine, keep, () => Promise.all(ids.map((id) => remove(engine, id))));
  });
  // The network stays: Docker keeps endpoints of containers that it removed in such a crowd.
}

const works: Readonly<Record<string, (engines: readonly Engine[]) => Promise<void>>> = {
  throughput,
  changes,
  ports,
  manyNetworks,
  dns,
  atOnce,
};

function report(): string {
  const lines = ["| figure | bare | Berth | Docker | Berth : bare | Berth : Docker |", "|---|---|---|---|---|---|"];
  // Round by round: a machine that is busier in one than in the next is so for all of them.
  const ratio = (ours: readonly number[] = [], theirs: readonly number[] = []): number =>
    ours.length === theirs.length
      ? median(ours.map((value, index) => value / (theirs[index] ?? Number.NaN)))
      : median(ours) / median(theirs);
  const text = (value: number, digits = 2): string => (Number.isNaN(value) ? "" : value.toFixed(digits));
  for (const [figure, byName] of figures) {
    const [bare, ours, theirs] = ["bare", "berth", "docker"].map((name) => byName.get(name));
    const values = [bare, ours, theirs].map((list) => text(median(list ?? [])));
    lines.push(`| ${[figure, ...values, text(ratio(ours, bare), 3), text(ratio(ours, theirs), 3)].join(" | ")} |`);
  }
  return `${lines.join("\n")}\n`;
}

// Docker's default pools have 31 subnets.
const pools = ["--default-address-pool", "base=10.64.0.0/10,size=24"];
const wanted = values.engines.split(",");
await using stack = new AsyncDisposableStack();
const engines: Engine[] = [];
if (wanted.includes("berth")) engines.push(stack.use(await startBerth(pools)));
if (wanted.includes("docker")) engines.push(stack.use(await startDocker(pools)));
const names = values.only?.split(",") ?? Object.keys(works);
for (const engine of engines) await importNetworkImage(engine);
for (const name of names) {
  const work = works[name];
  if (work === undefined) throw new Error(`no workload ${name}; there are: ${Object.keys(works).join(", ")}`);
  // What one engine does not bear is told, and the rest is measured all the same.
  await work(engines).then(
    () => process.stderr.write(`${name} done\n`),
    (error: unknown) => {
      process.stderr.write(`${name}: ${error}\n`);
      process.exitCode = 1;
    },
  );
}
const table = report();
process.stdout.write(table);
if (values.write) {
  const day = new Date().toISOString().slice(0, 10);
  const folder = `${import.meta.dirname}/results`;
  mkdirSync(folder, { recursive: true });
  const machine = `Linux ${release()}, ${cpus().length} CPUs; ${engines.map(({ name, version }) => `${name} ${version}`).join(", ")}; Node ${process.version}`;
  writeFileSync(`${folder}/networks-${day}.md`, `# Networks, ${day}\n\n${machine}. Medians of ${rounds} rounds in turn.\n\n${table}`);
}
