/**
 * `node bench/registry.ts [--peer docker-registry] [--rounds 5] [--only PATTERN] [--large 2048] [--write]`: our registry and
 * docker-registry (Debian's, found on PATH or named) do the same in turn. Large blobs are carried by curl, which costs little
 * and takes no part in what is measured; what is small is asked for by this process. A server's own processor time is
 * shown beside the time: it is what other work on the machine does not change.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { availableParallelism, loadavg, release } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    peer: { type: "string", default: "docker-registry" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "" },
    large: { type: "string", default: "0" },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const folder = mkdtempSync("/var/tmp/bench-registry-");
const digestOf = (data: Uint8Array | string): string => `sha256:${createHash("sha256").update(data).digest("hex")}`;
const manifestType = "application/vnd.docker.distribution.manifest.v2+json";
const clients = 16;

interface Subject {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly agent: Agent;
  /** Of the ten layers that it has. */
  layers: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly location: string;
}

/** A file of 50 MB that is another one each time. */
class Layer {
  readonly path: string;
  readonly #data: Buffer;
  readonly #file: number;
  digest = "";

  constructor(path: string, data: Buffer) {
    this.path = path;
    this.#data = data;
    this.#file = openSync(path, "w");
    writeSync(this.#file, data);
    this.change();
  }

  change(): void {
    randomBytes(16).copy(this.#data);
    writeSync(this.#file, this.#data, 0, 16, 0);
    this.digest = digestOf(this.#data);
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function ask({ port, agent }: Subject, method: string, path: string, body?: Uint8Array | string, type?: string): Promise<Answer> {
  return new Promise((done, fail) => {
    const length = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const headers = { ...length, Accept: manifestType, "Content-Type": type ?? "application/octet-stream" };
    const sent = request({ host: "127.0.0.1", port, method, path, agent, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => done({ status: answer.statusCode ?? 0, location: answer.headers.location ?? "" }));
      answer.on("error", fail);
    });
    sent.on("error", fail);
    sent.end(body);
  });
}

async function expect(status: number, answer: Promise<Answer>): Promise<Answer> {
  const got = await answer;
  if (got.status !== status) throw new Error(`${got.status} instead of ${status}`);
  return got;
}

async function curl(...args: readonly string[]): Promise<void> {
  const child = spawn("curl", ["-sS", "--fail", ...args], { stdio: ["ignore", "ignore", "inherit"] });
  const status = await new Promise((done) => child.once("exit", done));
  if (status !== 0) throw new Error(`curl: ${status}`);
}

async function uploadUrl(subject: Subject, digest: string): Promise<URL> {
  const { location } = await expect(202, ask(subject, "POST", "/v2/bench/blobs/uploads/"));
  const url = new URL(location, `http://127.0.0.1:${subject.port}`);
  url.searchParams.set("digest", digest);
  return url;
}

async function push(subject: Subject, data: Uint8Array): Promise<string> {
  const url = await uploadUrl(subject, digestOf(data));
  await expect(201, ask(subject, "PUT", `${url.pathname}${url.search}`, data));
  return digestOf(data);
}

async function pushFile(subject: Subject, path: string, digest: string): Promise<void> {
  const url = await uploadUrl(subject, digest);
  await curl("-X", "PUT", "-T", path, "-H", "Content-Type: application/octet-stream", "-H", "Expect:", url.href);
}

const blobUrl = (subject: Subject, digest: string | undefined): string => `http://127.0.0.1:${subject.port}/v2/bench/blobs/${digest ?? ""}`;
const pullFile = (subject: Subject, digest: string | undefined): Promise<void> => curl("-o", "/dev/null", blobUrl(subject, digest));

async function start(name: string): Promise<Subject> {
  const port = await freePort();
  const root = join(folder, name);
  const config = join(folder, "peer.yml");
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${root}}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
  );
  const berth = resolve(import.meta.dirname, "../berth");
  const ours = [berth, "registry", "serve", "--addr", `127.0.0.1:${port}`, "--root", root, "--log-level", "warn"];
  const [program = "", ...args] = name === "berth" ? ours : [values.peer, "serve", config];
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  const subject: Subject = { name, port, child, agent: new Agent({ keepAlive: true, maxSockets: clients }), layers: [] };
  for (let tries = 0; tries < 600; tries++) {
    const up = await ask(subject, "GET", "/v2/").then(
      () => true,
      () => false,
    );
    if (up) return subject;
    await sleep(100);
  }
  child.kill("SIGKILL");
  throw new Error(`${name} does not answer`);
}

/** Milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** The work of `index` 0 to `count - 1`, `most` of them at once. */
const atOnce = async (most: number, count: number, work: (index: number) => Promise<unknown>): Promise<void> => {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: most }, worker));
};

interface Work {
  readonly name: string;
  readonly rounds: number;
  /** What comes before is not measured. */
  prepare?(subject: Subject): Promise<void>;
  run(subject: Subject): Promise<void>;
}

const manifestOf = (config: Uint8Array): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: "x/y", size: config.length, digest: digestOf(config) },
    layers: [],
  });

function largeWorks(): Work[] {
  const layers = Array.from({ length: 10 }, (_, index) => new Layer(join(folder, `layer${index}`), randomBytes(50_000_000)));
  return [
    {
      name: "push ten layers of 50 MB, 5 at once",
      rounds,
      prepare: async (subject) => {
        for (const layer of layers) layer.change();
        subject.layers = layers.map(({ digest }) => digest);
      },
      run: (subject) => atOnce(5, layers.length, (index) => pushFile(subject, layers[index]?.path ?? "", layers[index]?.digest ?? "")),
    },
    {
      name: "pull ten layers of 50 MB, 3 at once",
      rounds,
      run: (subject) => atOnce(3, layers.length, (index) => pullFile(subject, subject.layers[index])),
    },
    {
      name: `${clients} clients pull a layer of 50 MB each`,
      rounds,
      run: (subject) => atOnce(clients, clients, (index) => pullFile(subject, subject.layers[index % layers.length])),
    },
  ];
}

function smallWorks(): Work[] {
  let blobs: Buffer[] = [];
  let digests: string[] = [];
  let config: Buffer = Buffer.alloc(0);
  return [
    {
      name: `push 200 blobs of 10 kB, ${clients} at once`,
      rounds,
      prepare: async () => {
        blobs = Array.from({ length: 200 }, () => randomBytes(10_000));
        digests = blobs.map(digestOf);
      },
      run: (subject) => atOnce(clients, blobs.length, (index) => push(subject, blobs[index] ?? config)),
    },
    {
      name: `pull 1000 blobs of 10 kB, ${clients} at once`,
      rounds,
      prepare: async (subject) => {
        for (const blob of blobs) await push(subject, blob);
      },
      run: (subject) => atOnce(clients, 1000, (index) => expect(200, ask(subject, "GET", `/v2/bench/blobs/${digests[index % 200]}`))),
    },
    {
      name: "push a manifest",
      rounds,
      prepare: async (subject) => {
        config = randomBytes(100);
        await push(subject, config);
      },
      run: async (subject) => void (await expect(201, ask(subject, "PUT", "/v2/bench/manifests/latest", manifestOf(config), manifestType))),
    },
    {
      name: `pull 1000 manifests by tag, ${clients} at once`,
      rounds,
      run: (subject) => atOnce(clients, 1000, () => expect(200, ask(subject, "GET", "/v2/bench/manifests/latest"))),
    },
  ];
}

/** One blob of so many MB, once: what counts is the memory after it. */
function hugeWorks(megabytes: number): Work[] {
  if (megabytes === 0) return [];
  const path = join(folder, "huge");
  const hash = createHash("sha256");
  const file = openSync(path, "w");
  const part = randomBytes(1 << 20);
  for (let count = 0; count < megabytes; count++) {
    part.writeUInt32LE(count, 0);
    hash.update(part);
    writeSync(file, part);
  }
  const digest = `sha256:${hash.digest("hex")}`;
  return [
    { name: `push a blob of ${megabytes} MiB`, rounds: 1, run: (subject) => pushFile(subject, path, digest) },
    { name: `pull a blob of ${megabytes} MiB`, rounds: 1, run: (subject) => pullFile(subject, digest) },
  ];
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const peakMiB = ({ child }: Subject): number =>
  Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024);

/** Milliseconds of the processor: fields 14 and 15 of proc_pid_stat(5), in hundredths of a second. */
function processorMs({ child }: Subject): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function measure(): Promise<string> {
  const subjects = [await start("berth"), await start("docker-registry")];
  const works = [...largeWorks(), ...smallWorks(), ...hugeWorks(Number(values.large))];
  const names = subjects.map(({ name }) => name);
  const head = [...names.map((name) => `${name}, ms`), "times faster", ...names.map((name) => `${name}, processor ms`)];
  const lines = [`| work | ${head.join(" | ")} | memory until then, MiB |`, `|---|${head.map(() => "---|").join("")}---|`];
  try {
    for (const work of works.filter(({ name }) => name.includes(values.only))) {
      const times = subjects.map((): number[] => []);
      const costs = subjects.map((): number[] => []);
      for (let round = 0; round < work.rounds; round++) {
        for (const [at, subject] of subjects.entries()) {
          await work.prepare?.(subject);
          const before = processorMs(subject);
          times[at]?.push(await timed(() => work.run(subject)));
          costs[at]?.push(processorMs(subject) - before);
        }
      }
      const [ours = 1, theirs = 1] = times.map(median);
      const shown = [...times.map(median).map((value) => value.toFixed(1)), (theirs / ours).toFixed(2), ...costs.map(median)];
      lines.push(`| ${work.name} | ${shown.join(" | ")} | ${subjects.map(peakMiB).join(" and ")} |`);
    }
    return lines.join("\n");
  } finally {
    for (const { child } of subjects) {
      child.kill("SIGTERM");
      await new Promise((done) => child.once("exit", done));
    }
  }
}

try {
  const load = `${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)} when it began`;
  const table = await measure();
  const version = execFileSync(values.peer, ["--version"], { encoding: "utf8" }).trim().split(" ").at(-1);
  const day = new Date().toISOString().slice(0, 10);
  const text = `# Registry, ${day}\n\nLinux ${release()}, Node ${process.version}; docker-registry ${version}; ${load}. Medians of ${rounds} rounds, the two in turn.\n\n${table}\n`;
  process.stdout.write(text);
  if (values.write) writeFileSync(resolve(import.meta.dirname, `results/registry-${day}.md`), text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
