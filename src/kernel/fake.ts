/**
 * A kernel in memory, for tests of the rooms above. It keeps the promises of `kernel.ts`: nothing runs before `go`,
 * output goes to the log and to who is attached, framed as Docker frames it, the exit record is written before `exited`
 * resolves, monitors survive the kernel that launched them and can be adopted by another one of the same
 * {@link FakeWorld}. Programs are functions, found by the first word of argv. Mounts, namespaces and limits are not
 * imitated: the plans are kept for the test to look at.
 */
import { appendFile, stat, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { formatNanos, nowNanos, systemError } from "../base/base.ts";
import type { ExecSession, FileOp, Kernel, KernelFeatures, Monitor } from "./kernel.ts";
import type { ExecPlan, ExitRecord, HostOp, InitOp, LaunchFailure, LaunchPlan } from "./plan.ts";

/** What a scripted program can do. It ends with the code that it resolves to, or with the signal that kills it. */
export interface FakeProcess {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  stdout(text: string): void;
  stderr(text: string): void;
  /** Chunks of stdin until its end; nothing where stdin is not open. */
  readonly stdin: AsyncIterable<string>;
  /** Resolves with the next signal that is sent; a program that never asks is killed by any. */
  nextSignal(): Promise<number>;
  /** Never, unless killed: what `sleep infinity` waits for. */
  readonly forever: Promise<never>;
}

export type FakeProgram = (process: FakeProcess) => Promise<number>;

const enoent = 2;
const esrch = 3;

function failed(stage: string, errno: number, message: string): Error {
  const failure: LaunchFailure = { stage, errno, message };
  return systemError(`${stage}: ${message}`, failure);
}

function frame(stream: 1 | 2, text: string): Buffer {
  const bytes = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

interface Client {
  readonly end: Duplex;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** A program that runs, with its clients. */
class FakeTask {
  readonly ended: Promise<{ exitCode: number; signal: number }>;
  readonly #tty: boolean;
  readonly #closeStdin: boolean;
  readonly #clients = new Set<Client>();
  readonly #input: string[] = [];
  readonly #ended = Promise.withResolvers<{ exitCode: number; signal: number }>();
  readonly #print: (stream: 1 | 2, text: string) => void;
  #inputEnded: boolean;
  #wakeInput = Promise.withResolvers<void>();
  #signal: PromiseWithResolvers<number> | undefined;

  constructor(options: { tty: boolean; openStdin: boolean; closeStdin: boolean; print(stream: 1 | 2, text: string): void }) {
    this.#tty = options.tty;
    this.#closeStdin = options.closeStdin;
    this.#inputEnded = !options.openStdin;
    this.#print = options.print;
    this.ended = this.#ended.promise;
  }

  run(program: FakeProgram, argv: readonly string[], env: readonly string[]): void {
    const forever = new Promise<never>(() => undefined);
    const process: FakeProcess = {
      argv,
      env,
      stdout: (text) => this.#output(1, text),
      stderr: (text) => this.#output(this.#tty ? 1 : 2, text),
      stdin: this.#readInput(),
      nextSignal: () => {
        this.#signal ??= Promise.withResolvers<number>();
        return this.#signal.promise;
      },
      forever,
    };
    queueMicrotask(() => {
      program(process).then(
        (exitCode) => this.#end(exitCode, 0),
        () => this.#end(255, 0),
      );
    });
  }

  signal(signal: number): void {
    const asked = this.#signal;
    this.#signal = undefined;
    if (signal !== 9 && asked !== undefined) asked.resolve(signal);
    else if (signal !== 0) this.#end(128 + signal, signal);
  }

  attach(wanted: { stdin: boolean; stdout: boolean; stderr: boolean }): Duplex {
    const [ours, theirs] = duplexPair();
    const client: Client = { end: theirs, ...wanted };
    this.#clients.add(client);
    theirs.on("close", () => this.#clients.delete(client));
    theirs.on("error", () => undefined);
    theirs.on("data", (chunk: Buffer) => wanted.stdin && this.#offer(chunk.toString()));
    theirs.on("end", () => wanted.stdin && this.#closeStdin && this.#offer(undefined));
    return ours;
  }

  #offer(text: string | undefined): void {
    if (text === undefined) this.#inputEnded = true;
    else this.#input.push(text);
    this.#wakeInput.resolve();
    this.#wakeInput = Promise.withResolvers<void>();
  }

  async *#readInput(): AsyncGenerator<string> {
    for (;;) {
      const text = this.#input.shift();
      if (text !== undefined) yield text;
      else if (this.#inputEnded) return;
      else await this.#wakeInput.promise;
    }
  }

  #output(stream: 1 | 2, text: string): void {
    this.#print(stream, text);
    for (const { end, stdout, stderr } of this.#clients)
      if (stream === 1 ? stdout : stderr) end.write(this.#tty ? text : frame(stream, text));
  }

  #end(exitCode: number, signal: number): void {
    for (const { end } of this.#clients) end.end();
    this.#ended.resolve({ exitCode, signal });
  }
}

/** What outlives a kernel: monitors by socket path, and the programs that can be executed. */
export class FakeWorld {
  readonly monitors: Map<string, FakeMonitor> = new Map();
  readonly programs: Map<string, FakeProgram> = new Map();
  #lastPid = 1000;

  nextPid(): number {
    return ++this.#lastPid;
  }

  /** @throws System with stage `exec`, as the kernel does for what is not there */
  find(operations: readonly InitOp[]): { program: FakeProgram; argv: readonly string[]; env: readonly string[] } {
    const exec = operations.find((op) => op.op === "exec");
    const program = this.programs.get(exec?.argv[0] ?? "");
    if (exec === undefined || program === undefined) throw failed("exec", enoent, exec?.argv[0] ?? "");
    return { program, argv: exec.argv, env: exec.env };
  }
}

export class FakeMonitor implements Monitor {
  readonly plan: LaunchPlan;
  readonly launched: Promise<{ readonly pid: number }>;
  readonly exited: Promise<ExitRecord | undefined>;
  /** Signals and sizes, as they came. */
  readonly signals: number[] = [];
  readonly sizes: [rows: number, columns: number][] = [];
  readonly #world: FakeWorld;
  readonly #task: FakeTask;
  readonly #exited = Promise.withResolvers<ExitRecord | undefined>();
  #log: Promise<void> = Promise.resolve();
  #state: "launched" | "running" | "ended" = "launched";

  constructor(world: FakeWorld, plan: LaunchPlan) {
    const { tty, openStdin, stdinOnce } = plan.stdio;
    this.plan = plan;
    this.#world = world;
    this.launched = Promise.resolve({ pid: world.nextPid() });
    this.exited = this.#exited.promise;
    this.#task = new FakeTask({ tty, openStdin, closeStdin: stdinOnce && !tty, print: (stream, text) => this.#record(stream, text) });
  }

  #record(stream: 1 | 2, text: string): void {
    const path = this.plan.stdio.log?.path;
    if (path === undefined) return;
    const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
    const time = formatNanos(nowNanos());
    const written = lines.map((line) => `${JSON.stringify({ log: line, stream: stream === 1 ? "stdout" : "stderr", time })}\n`);
    this.#log = this.#log.then(() => appendFile(path, written.join("")));
  }

  async go(): Promise<void> {
    if (this.#state !== "launched") return;
    try {
      const { program, argv, env } = this.#world.find(this.plan.init);
      this.#state = "running";
      this.#task.run(program, argv, env);
    } catch (error) {
      this.#state = "ended";
      this.#world.monitors.delete(this.plan.socketPath);
      this.#exited.resolve(undefined);
      throw error;
    }
    this.#task.ended.then((end) => this.#finish(end));
  }

  async #finish(end: { exitCode: number; signal: number }): Promise<void> {
    this.#state = "ended";
    const record: ExitRecord = { ...end, oomKilled: false, finishedAt: formatNanos(nowNanos()) };
    await this.#log.catch(() => undefined);
    await writeFile(this.plan.exitPath, JSON.stringify(record)).catch(() => undefined);
    this.#world.monitors.delete(this.plan.socketPath);
    this.#exited.resolve(record);
  }

  async attach(options: { stdin: boolean; stdout: boolean; stderr: boolean }): Promise<Socket> {
    if (this.#state === "ended") throw systemError("cannot attach to the container");
    // A Duplex has all of a Socket that streams of containers are used for.
    return this.#task.attach(options) as unknown as Socket;
  }

  expectExec(): void {}

  async attachAfterLog(options: {
    stdin: boolean;
    stdout: boolean;
    stderr: boolean;
  }): Promise<{ socket: Socket; log: { inode: bigint; offset: number } }> {
    await this.#log.catch(() => undefined);
    const { ino, size } = await stat(this.plan.stdio.log?.path ?? "").catch(() => ({ ino: 0, size: 0 }));
    return { socket: await this.attach(options), log: { inode: BigInt(ino), offset: size } };
  }

  /** Nothing is rotated here. */
  onLogRotated(): void {}

  async replaceLogFile(): Promise<void> {
    throw failed("log", enoent, "no such file");
  }

  async exec(plan: ExecPlan): Promise<ExecSession> {
    if (this.#state !== "running") throw failed("exec", esrch, "the container is not running");
    const { program, argv, env } = this.#world.find(plan.process);
    const task = new FakeTask({ tty: plan.tty, openStdin: plan.openStdin, closeStdin: true, print: () => undefined });
    const stream = task.attach({ stdin: plan.openStdin, stdout: plan.attachStdout, stderr: plan.attachStderr });
    task.run(program, argv, env);
    this.exited.then(() => task.signal(9));
    const { sizes } = this;
    return {
      pid: this.#world.nextPid(),
      stream: stream as unknown as Socket,
      exited: task.ended.then(({ exitCode }) => ({ exitCode })),
      async signal(signal) {
        task.signal(signal);
      },
      async resize(rows, columns) {
        sizes.push([rows, columns]);
      },
    };
  }

  async signal(signal: number): Promise<void> {
    if (this.#state !== "running") throw failed("signal", esrch, "the container has ended");
    this.signals.push(signal);
    this.#task.signal(signal);
  }

  async resize(rows: number, columns: number): Promise<void> {
    this.sizes.push([rows, columns]);
  }

  release(): void {
    // The monitor goes on.
  }
}

export interface FakeKernel extends Kernel {
  readonly world: FakeWorld;
  /** Makes `name` a program. */
  program(name: string, program: FakeProgram): void;
  /** Everything that was asked for, in order. */
  readonly plans: readonly LaunchPlan[];
  readonly operations: readonly HostOp[];
  readonly netlinkMessages: readonly { protocol: 0 | 12; message: Uint8Array; netnsPid?: number }[];
  readonly fileOperations: readonly { root: string; ops: readonly FileOp[] }[];
  /** The next launch fails with this. */
  failNextLaunch(failure: LaunchFailure): void;
  /** What netlink answers; nothing unless set. */
  answerNetlink: (message: Uint8Array) => Uint8Array;
}

const everything: KernelFeatures = {
  release: "6.12.0-fake",
  cgroupVersion: 2,
  erofsFiles: true,
  apparmor: false,
  seccomp: true,
  userNamespaces: true,
  timeNamespaces: true,
};

function launchOf(world: FakeWorld, plan: LaunchPlan, failure: LaunchFailure | undefined): Monitor {
  const monitor = new FakeMonitor(world, plan);
  if (failure === undefined) {
    world.monitors.set(plan.socketPath, monitor);
    return monitor;
  }
  const launched = Promise.reject(failed(failure.stage, failure.errno, failure.message));
  launched.catch(() => undefined);
  return Object.assign(monitor, { launched, exited: Promise.resolve(undefined), go: () => launched, attach: () => launched });
}

/** @param world of another fake kernel, to be the daemon after a restart */
export function openFakeKernel(options: { features?: Partial<KernelFeatures>; world?: FakeWorld } = {}): FakeKernel {
  const world = options.world ?? new FakeWorld();
  const plans: LaunchPlan[] = [];
  const operations: HostOp[] = [];
  const netlinkMessages: { protocol: 0 | 12; message: Uint8Array; netnsPid?: number }[] = [];
  const fileOperations: { root: string; ops: readonly FileOp[] }[] = [];
  const mounts = new Map<string, string>();
  let nextFailure: LaunchFailure | undefined;
  return {
    world,
    plans,
    operations,
    netlinkMessages,
    fileOperations,
    features: { ...everything, ...options.features },
    answerNetlink: () => new Uint8Array(),
    program: (name, program) => world.programs.set(name, program),
    failNextLaunch: (failure) => {
      nextFailure = failure;
    },
    layers: {
      mountErofs: async (key) => {
        mounts.set(key, `/fake/layers/${key}`);
        return `/fake/layers/${key}`;
      },
      unmount: async (key) => void mounts.delete(key),
      mounted: async () => [...mounts.keys()],
    },
    files: {
      apply: async (root, ops) => void fileOperations.push({ root, ops }),
    },
    get trees(): never {
      throw systemError("there are no trees of files in memory");
    },
    run: async (ops) => void operations.push(...ops),
    async netlink(protocol, message, netnsPid) {
      netlinkMessages.push({ protocol, message, ...(netnsPid === undefined ? {} : { netnsPid }) });
      return this.answerNetlink(message);
    },
    sendDatagrams: async (path) => {
      throw failed("dial", enoent, path);
    },
    async launch(plan) {
      plans.push(plan);
      const failure = nextFailure;
      nextFailure = undefined;
      return launchOf(world, plan, failure);
    },
    adopt: async (socketPath) => world.monitors.get(socketPath),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
