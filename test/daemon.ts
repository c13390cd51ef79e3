/**
 * A Berth daemon of its own for a test file, driven through real clients, and the check that it left nothing.
 *
 * Data lies on a disk file system (an EROFS index on tmpfs cannot be mounted), sockets below /run. The
 * daemon has its own bridge, cgroup parent and firewall table, so that a Berth or Docker of the host's goes on beside it.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { join, relative, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiRelay, type Driven } from "./api-relay.ts";
import { ApiDescription } from "./openapi.ts";

export const projectRoot: string = resolve(import.meta.dirname, "..");

/** Names of what a test's daemon makes on the host. BERTH_TEST_SLOT (up to five digits) lets runs of the suite go on side by side. */
const slot = process.env["BERTH_TEST_SLOT"] ?? "0";
const bridge = `berthtest${slot}`;
const cgroupParent = slot === "0" ? "/berth-test" : `/berth-test${slot}`;

export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Runs a program to its end. Never rejects for its exit status. */
export function command(file: string, args: readonly string[], options: CommandOptions = {}): Promise<Result> {
  return new Promise((done, fail) => {
    const child = spawn(file, args, {
      env: { ...process.env, ...options.env },
      timeout: options.timeoutMs ?? 60_000,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => {}); // a program that ends without reading its input
    child.on("error", fail);
    child.on("close", (status) => done({ status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }));
    child.stdin.end(options.input ?? "");
  });
}

/** Does a daemon listen there, and know what it is asked? */
function answers(host: string): Promise<boolean> {
  return new Promise((done) => {
    const asked = request({ socketPath: host.slice("unix://".length), path: "/_ping", agent: false }, (answer) => {
      answer.resume();
      answer.on("error", () => done(false)).on("end", () => done(answer.statusCode === 200));
    });
    asked.on("error", () => done(false)).end();
  });
}

/** What a daemon may leave behind on a host, as sorted lines. */
export function hostState(): Record<string, string[]> {
  const lines = (file: string, args: string[]): string[] => {
    try {
      return execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
        .split("\n")
        .filter(Boolean)
        .sort();
    } catch {
      return [];
    }
  };
  const cgroups = lines("find", [
    "/sys/fs/cgroup",
    "-type",
    "d",
    "(",
    "-path",
    `*${cgroupParent}`,
    "-o",
    "-path",
    `*${cgroupParent}/*`,
    ")",
  ]);
  return {
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ").slice(3).join(" "))
      .filter(Boolean)
      .sort(),
    links: lines("ip", ["-o", "link"]).map((line) => line.split(": ")[1] ?? line),
    // Without what comes by itself with a link, and without times.
    addresses: lines("ip", ["-o", "addr"]).flatMap((line) =>
      / fe80:/.test(line) ? [] : [line.replace(/^\d+: |\\.*$/g, "").replace(/\s+/g, " ")],
    ),
    forwarding: ["ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/default/forwarding"].flatMap((name) => {
      const path = `/proc/sys/net/${name}`;
      return existsSync(path) ? [`${name} ${readFileSync(path, "utf8").trim()}`] : [];
    }),
    tables: lines("nft", ["list", "tables"]),
    cgroups,
    processes: readdirSync("/proc")
      .filter((pid) => /^\d+$/.test(pid))
      .flatMap((pid) => {
        try {
          const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
          return /^berth/.test(name) ? [`${pid} ${name}`] : [];
        } catch {
          return [];
        }
      }),
  };
}

/** Read once a test file; undefined where there is none, or BERTH_TEST_RELAY=0 asks to go without. */
const description = process.env["BERTH_TEST_RELAY"] === "0" ? undefined : await ApiDescription.load();

/** What this test file has asked for, of all its daemons. */
const driven: Driven = new Map();

/** For `tools/api-table.ts --record`. */
function keepDriven(): void {
  const file = relative(projectRoot, process.argv[1] ?? "");
  if (driven.size === 0 || !/^test\/clients\/[^/]+\.test\.ts$/.test(file)) return;
  const folder = join(projectRoot, "build/api-coverage");
  mkdirSync(folder, { recursive: true });
  const endpoints = Object.fromEntries([...driven].sort().map(([endpoint, names]) => [endpoint, [...names].sort()]));
  writeFileSync(join(folder, `${file.replaceAll("/", ".")}.json`), JSON.stringify({ file, endpoints }));
}

export class Daemon {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Where clients connect: to a relay that holds each answer against the description of the API. */
  readonly host: string;
  /** The daemon's own socket. */
  readonly directHost: string;
  readonly #before = hostState();
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #relay: ApiRelay | undefined;
  #log = "";

  private constructor(dataRoot: string, execRoot: string, args: readonly string[]) {
    this.dataRoot = dataRoot;
    this.execRoot = execRoot;
    this.host = `unix://${execRoot}/d.sock`;
    this.directHost = description === undefined ? this.host : `unix://${execRoot}/direct.sock`;
    this.#args = args;
  }

  /** Starts a daemon with empty roots and waits until it answers. */
  static async start(args: readonly string[] = [], dataRoot: string = mkdtempSync("/var/tmp/berth-test-")): Promise<Daemon> {
    const daemon = new Daemon(dataRoot, mkdtempSync("/run/berth-test-"), args);
    if (description !== undefined) {
      const [path, target] = [daemon.host, daemon.directHost].map((host) => host.slice("unix://".length));
      daemon.#relay = await ApiRelay.listen(path ?? "", target ?? "", description, driven);
    }
    await daemon.restart();
    return daemon;
  }

  get pid(): number {
    assert.ok(this.#child?.pid, "the daemon runs");
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** What the daemon has printed. */
  get log(): string {
    return this.#log;
  }

  /** Starts it again on the same roots, after `kill` or `stop`. */
  async restart(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const { dataRoot, execRoot } = this;
    const args = [
      "--data-root",
      dataRoot,
      "--exec-root",
      execRoot,
      "--pidfile",
      `${execRoot}/d.pid`,
      "-H",
      this.directHost,
      "--bridge",
      bridge,
      "--cgroup-parent",
      cgroupParent,
    ];
    const child = spawn(join(projectRoot, "berthd"), [...args, ...this.#args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    child.stdout.on("data", (chunk) => (this.#log += chunk));
    child.stderr.on("data", (chunk) => (this.#log += chunk));
    for (const deadline = Date.now() + 300_000; child.exitCode === null && Date.now() < deadline; await sleep(20))
      if (await answers(this.host)) return;
    throw new Error(`the daemon did not start:\n${this.#log}`);
  }

  /** Ends the process with a signal and waits for it. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await ended;
  }

  /** The stock docker CLI against this daemon. */
  docker(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
    return command("docker", args, { ...options, env: { DOCKER_HOST: this.host, ...options.env } });
  }

  /** The same, and its output; fails unless it exits with 0. */
  async ok(...args: string[]): Promise<string> {
    const result = await this.docker(args);
    assert.equal(result.status, 0, `docker ${args.join(" ")}: ${result.status}\n${result.stderr}${result.stdout}`);
    return result.stdout.trim();
  }

  /** docker in a real terminal. `input` is typed into it. */
  terminal(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
    const line = ["docker", ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    return command("script", ["-qefc", line, "/dev/null"], { ...options, env: { DOCKER_HOST: this.host, ...options.env } });
  }

  /** Removes all containers, networks and images, ends the daemon, and asserts that the host is as it was before. */
  async close(): Promise<void> {
    try {
      const containers = (await this.ok("ps", "-aq")).split("\n").filter(Boolean);
      if (containers.length > 0) await this.ok("rm", "-f", ...containers);
      const networks = (await this.ok("network", "ls", "-q", "--filter", "type=custom")).split("\n").filter(Boolean);
      if (networks.length > 0) await this.ok("network", "rm", ...networks);
      const images = [...new Set((await this.ok("images", "-aq")).split("\n").filter(Boolean))];
      if (images.length > 0) await this.ok("rmi", "-f", ...images);
      const stored = readdirSync(join(this.dataRoot, "layers")).filter((name) => /^[0-9a-f]{64}/.test(name));
      assert.deepEqual(stored, [], "layers are gone with their images");
      assert.deepEqual(
        readdirSync(join(this.dataRoot, "containers")).filter((name) => !name.startsWith(".")),
        [],
        "container directories are gone",
      );
    } finally {
      await this.kill("SIGTERM");
      this.#relay?.close();
      keepDriven();
    }
    assert.deepEqual(this.#relay?.violations ?? [], [], "answers are as the API is described");
    for (let tries = 0; tries < 40; tries++) {
      try {
        assert.deepEqual(hostState(), this.#before);
        break;
      } catch (error) {
        if (tries === 39) throw error;
        await sleep(50); // a dying network namespace takes its links with it a moment later
      }
    }
    rmSync(this.dataRoot, { recursive: true, force: true });
    rmSync(this.execRoot, { recursive: true, force: true });
  }
}

/** A tar of a small root file system: static busybox with its applets, /etc/passwd and /etc/group. */
export async function busyboxRootfs(): Promise<Buffer> {
  const root = await mkdtemp("/var/tmp/berth-test-rootfs-");
  try {
    const script = `cd "$1" && mkdir bin etc tmp root proc sys dev var && chmod 1777 tmp && cp "$(command -v busybox)" bin/busybox &&
      for applet in $(bin/busybox --list); do [ $applet = busybox ] || ln -s busybox bin/$applet; done &&
      printf 'root:x:0:0:root:/root:/bin/sh\\nuser:x:1000:1000::/home/user:/bin/sh\\n' >etc/passwd &&
      printf 'root:x:0:\\nuser:x:1000:\\nextra:x:2000:user\\n' >etc/group && tar -cf ../"$(basename "$1")".tar --sort=name .`;
    const made = await command("sh", ["-ec", script, "sh", root]);
    assert.equal(made.status, 0, made.stderr);
    return await readFile(`${root}.tar`);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(`${root}.tar`, { force: true });
  }
}

/** Imports busybox as `busybox:latest`. */
export async function importBusybox(daemon: Daemon): Promise<void> {
  const result = await daemon.docker(["import", "-", "busybox:latest"], { input: await busyboxRootfs() });
  assert.equal(result.status, 0, result.stderr);
}

/** Polls until `probe` gives a value. */
export async function eventually<T>(what: string, probe: () => Promise<T | undefined>, timeoutMs = 10_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`${what} did not come about in ${timeoutMs} ms`);
    await sleep(20);
  }
}
