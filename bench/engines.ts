/** The two engines under measurement, each with its own data root, and the ways to reach them. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const projectRoot = resolve(import.meta.dirname, "..");

export class Engine implements AsyncDisposable {
  readonly name: "berth" | "docker";
  readonly version: string;
  readonly #child: ChildProcess;
  readonly #socket: string;
  readonly #roots: readonly string[];
  readonly #agent: Agent = new Agent({ keepAlive: true });

  constructor(name: "berth" | "docker", version: string, child: ChildProcess, socket: string, roots: readonly string[]) {
    this.name = name;
    this.version = version;
    this.#child = child;
    this.#socket = socket;
    this.#roots = roots;
  }

  /** One API call; rejects for a status ≥ 400. The body is parsed as JSON where it is JSON. */
  async api(method: string, path: string, body?: unknown): Promise<{ [key: string]: unknown }> {
    const text = await this.text(method, path, body);
    try {
      return JSON.parse(text) as { [key: string]: unknown };
    } catch {
      return {};
    }
  }

  async text(method: string, path: string, body?: unknown): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.#request(method, path, body)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  }

  /** How many bytes a call answers with; they are not kept. */
  async count(method: string, path: string): Promise<number> {
    let bytes = 0;
    for await (const chunk of await this.#request(method, path)) bytes += (chunk as Buffer).length;
    return bytes;
  }

  #request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<IncomingMessage> {
    const data = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((done, fail) => {
      const sent =
        data === undefined
          ? headers
          : { ...headers, "content-type": "application/json", "content-length": String(Buffer.byteLength(data)) };
      const call = request({ socketPath: this.#socket, agent: this.#agent, method, path: `/v1.41${path}`, headers: sent }, (answer) => {
        if ((answer.statusCode ?? 500) < 400) return done(answer);
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("end", () => fail(new Error(`${this.name}: ${method} ${path}: ${answer.statusCode} ${Buffer.concat(chunks)}`)));
      });
      call.on("error", fail);
      call.end(data);
    });
  }

  /** Starts an exec session attached and waits for its end. */
  exec(id: string): Promise<void> {
    return new Promise((done, fail) => {
      const call = request({
        socketPath: this.#socket,
        method: "POST",
        path: `/v1.41/exec/${id}/start`,
        headers: { "content-type": "application/json", connection: "Upgrade", upgrade: "tcp" },
      });
      call.on("error", fail);
      call.on("response", (answer) => fail(new Error(`exec start: ${answer.statusCode}`)));
      call.on("upgrade", (_answer, socket) => {
        socket.resume();
        socket.on("error", fail);
        socket.on("end", () => {
          socket.destroy();
          done();
        });
      });
      call.end(JSON.stringify({ Detach: false, Tty: false }));
    });
  }

  /** The daemon's, in whose network namespace the engine has its bridges. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The stock docker CLI against this engine, and what it prints; fails unless it exits with 0. */
  cli(args: readonly string[], input?: Uint8Array): Promise<string> {
    return new Promise((done, fail) => {
      const child = spawn("docker", args, {
        env: { ...process.env, DOCKER_HOST: `unix://${this.#socket}`, DOCKER_BUILDKIT: "0" },
        stdio: ["pipe", "pipe", "pipe"],
      });
      let [output, error] = ["", ""];
      child.stdout.on("data", (chunk) => {
        output += chunk;
      });
      child.stderr.on("data", (chunk) => {
        error += chunk;
      });
      child.stdin.on("error", () => {});
      child.on("close", (status) =>
        status === 0 ? done(output) : fail(new Error(`${this.name}: docker ${args.join(" ")}: ${status} ${error}`)),
      );
      child.stdin.end(input ?? "");
    });
  }

  /** Pids of the daemon and of its broker. Berth only. */
  processes(): [daemon: number, broker: number] {
    const daemon = this.#child.pid ?? 0;
    const broker = readdirSync("/proc").find((pid) => {
      try {
        return /^Name:\tberth-broker$/m.test(statusOf(pid)) && statusOf(pid).includes(`\nPPid:\t${daemon}\n`);
      } catch {
        return false;
      }
    });
    return [daemon, Number(broker)];
  }

  /** PSS in MiB of the engine's own processes: the daemon with its helpers, and the monitors or shims of containers. */
  memory(): number {
    let total = 0;
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
        const own =
          this.name === "berth"
            ? /^berth/.test(name) || Number(pid) === this.#child.pid
            : /^(dockerd|containerd|docker-proxy|docker-init)/.test(name);
        if (own) total += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
      } catch {
        // it has ended since
      }
    }
    return total / 1024;
  }

  /** Processor time of the daemon itself so far, in ms. */
  processorMs(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    // In the kernel's hundredths of a second.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  /** From now on, `peak` is that of what follows. */
  forgetPeak(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, "5");
  }

  /** The most resident memory of the daemon itself, in MiB. */
  peak(): number {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(statusOf(String(this.pid)))?.[1]) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    const ended = new Promise((done) => this.#child.once("exit", done));
    this.#child.kill("SIGTERM");
    await ended;
    for (const root of this.#roots) {
      execFileSync("sh", ["-c", 'grep -o " $1/[^ ]*" /proc/self/mounts | sort -r | xargs -r umount -l', "sh", root]);
      rmSync(root, { recursive: true, force: true });
    }
  }
}

const statusOf = (pid: string): string => readFileSync(`/proc/${pid}/status`, "utf8");

async function start(name: "berth" | "docker", program: string, args: (data: string, run: string) => readonly string[]): Promise<Engine> {
  const data = mkdtempSync(`/var/tmp/bench-${name}-`);
  const run = mkdtempSync(`/run/bench-${name}-`);
  const socket = `${run}/d.sock`;
  // Each in a network namespace of its own: what an engine does to links and rules ends with it.
  const inside = ["-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", program];
  const child = spawn("unshare", [...inside, ...args(data, run), "-H", `unix://${socket}`], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk) => {
    log = (log + chunk).slice(-10_000);
  });
  for (let tries = 0; tries < 400 && child.exitCode === null; tries++) {
    try {
      const version = execFileSync("docker", ["version", "--format", "{{.Server.Version}}"], {
        env: { ...process.env, DOCKER_HOST: `unix://${socket}` },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      return new Engine(name, version.trim(), child, socket, [data, run]);
    } catch {
      await sleep(50);
    }
  }
  child.kill("SIGKILL");
  throw new Error(`${name} did not start:\n${log}`);
}

export function startBerth(more: readonly string[] = []): Promise<Engine> {
  return start("berth", `${projectRoot}/berthd`, (data, run) => [
    "--data-root",
    data,
    "--exec-root",
    run,
    "--pidfile",
    `${run}/d.pid`,
    "--bridge",
    "berthbench0",
    ...more,
  ]);
}

/** Debian's docker.io, with a bridge of its own so that it stands beside any other. */
export function startDocker(more: readonly string[] = []): Promise<Engine> {
  return start("docker", "dockerd", (data, run) => ["--data-root", data, "--exec-root", run, "--pidfile", `${run}/d.pid`, ...more]);
}
