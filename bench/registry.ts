/**
 * `node bench/registry.ts [--peer docker-registry] [--rounds 7] [--megabytes 200] [--write]`: our registry and
 * docker-registry (Debian's, found on PATH or named) do the same in turn, each for a client that only counts bytes.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { release } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    peer: { type: "string", default: "docker-registry" },
    rounds: { type: "string", default: "7" },
    megabytes: { type: "string", default: "200" },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds);
const large = randomBytes(Number(values.megabytes) << 20);
const digestOf = (data: Uint8Array | string): string => `sha256:${createHash("sha256").update(data).digest("hex")}`;
const manifestType = "application/vnd.docker.distribution.manifest.v2+json";

interface Subject {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
  readonly agent: Agent;
}

interface Answer {
  readonly status: number;
  readonly location: string;
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

async function push(subject: Subject, data: Uint8Array): Promise<string> {
  const { location } = await expect(202, ask(subject, "POST", "/v2/bench/blobs/uploads/"));
  const url = new URL(location, "http://127.0.0.1");
  url.searchParams.set("digest", digestOf(data));
  await expect(201, ask(subject, "PUT", `${url.pathname}${url.search}`, data));
  return digestOf(data);
}

async function start(folder: string, name: string): Promise<Subject> {
  const port = await freePort();
  const root = join(folder, name);
  const config = join(folder, "peer.yml");
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${root}}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
  );
  const ours = [
    resolve(import.meta.dirname, "../berth"),
    "registry",
    "serve",
    "--addr",
    `127.0.0.1:${port}`,
    "--root",
    root,
    "--log-level",
    "warn",
  ];
  const [program = "", ...args] = name === "berth" ? ours : [values.peer, "serve", config];
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
  const subject = { name, port, child, agent: new Agent({ keepAlive: true, maxSockets: 8 }) };
  for (let tries = 0; tries < 200; tries++) {
    const up = await ask(subject, "GET", "/v2/").then(
      () => true,
      () => false,
    );
    if (up) return subject;
    await sleep(100);
  }
  throw new Error(`${name} does not answer`);
}

/** Milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const atOnce = async (count: number, work: (index: number) => Promise<unknown>): Promise<void> => {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
};

type Work = (subject: Subject, round: number) => Promise<number>;

const manifestOf = (config: Uint8Array): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: "x/y", size: config.length, digest: digestOf(config) },
    layers: [],
  });

const works: Readonly<Record<string, Work>> = {
  [`push ${values.megabytes} MB`]: async (subject, round) => {
    large.writeUInt32LE(round, 0);
    return timed(() => push(subject, large));
  },
  [`pull ${values.megabytes} MB`]: async (subject) => {
    const digest = digestOf(large);
    return timed(() => expect(200, ask(subject, "GET", `/v2/bench/blobs/${digest}`)));
  },
  "push 100 blobs of 10 kB, 8 at once": async (subject) => {
    const blobs = Array.from({ length: 100 }, () => randomBytes(10_000));
    return timed(() => atOnce(blobs.length, async (index) => push(subject, blobs[index] ?? large)));
  },
  "pull 500 blobs of 10 kB, 8 at once": async (subject) => {
    const digest = await push(subject, randomBytes(10_000));
    return timed(() => atOnce(500, () => expect(200, ask(subject, "GET", `/v2/bench/blobs/${digest}`))));
  },
  "push a manifest": async (subject) => {
    const config = randomBytes(100);
    await push(subject, config);
    return timed(() => expect(201, ask(subject, "PUT", "/v2/bench/manifests/latest", manifestOf(config), manifestType)));
  },
  "pull 500 manifests by tag, 8 at once": async (subject) =>
    timed(() => atOnce(500, () => expect(200, ask(subject, "GET", "/v2/bench/manifests/latest")))),
};

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const peakMiB = ({ child }: Subject): number =>
  Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024);

async function measure(folder: string): Promise<string> {
  const subjects = [await start(folder, "berth"), await start(folder, "docker-registry")];
  try {
    const lines = [`| work, ms | ${subjects.map(({ name }) => name).join(" | ")} | times faster |`, "|---|---|---|---|"];
    for (const [name, work] of Object.entries(works)) {
      const times = subjects.map((): number[] => []);
      for (let round = 0; round < rounds; round++)
        for (const [at, subject] of subjects.entries()) times[at]?.push(await work(subject, round));
      const medians = times.map(median);
      const [ours = 1, theirs = 1] = medians;
      lines.push(`| ${name} | ${medians.map((value) => value.toFixed(1)).join(" | ")} | ${(theirs / ours).toFixed(2)} |`);
    }
    lines.push(`| most memory, MiB | ${subjects.map(peakMiB).join(" | ")} | |`);
    return lines.join("\n");
  } finally {
    for (const { child } of subjects) {
      child.kill("SIGTERM");
      await new Promise((done) => child.once("exit", done));
    }
  }
}

const folder = mkdtempSync("/var/tmp/bench-registry-");
try {
  const table = await measure(folder);
  const version = execFileSync(values.peer, ["--version"], { encoding: "utf8" }).trim().split(" ").at(-1);
  const day = new Date().toISOString().slice(0, 10);
  const text = `# Registry, ${day}\n\nLinux ${release()}, Node ${process.version}; docker-registry ${version}. Medians of ${rounds} rounds, the two in turn.\n\n${table}\n`;
  process.stdout.write(text);
  if (values.write) writeFileSync(resolve(import.meta.dirname, `results/registry-${day}.md`), text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
