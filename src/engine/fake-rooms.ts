/** The rooms below the engine, in memory: they keep the promises of their interfaces that the use cases rely on. For tests. */
import { mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { type ContainerId, type Digest, digestOf, EngineError, formatNanos, notFound, nowNanos } from "../base/base.ts";
import { ContainerStore } from "../containers/containers.ts";
import type { Events } from "../events/events.ts";
import type { Image, Images } from "../images/images.ts";
import type { DnsQuery, ExecSession, ExitRecord, FileOps, Kernel, LaunchFailure, Monitor, NetworkChangePlan } from "../kernel/kernel.ts";
import type { Layers } from "../layers/layers.ts";
import type { RunningContainer, Runtime } from "../runtime/runtime.ts";
import type { ExecConfig, HostConfig } from "../spec/spec.ts";
import { type Database, openDatabase } from "../state/state.ts";
import { openVolumes } from "../volumes/open.ts";
import { type Engine, type EngineOptions, openEngine } from "./engine.ts";
import { FakeNetworks } from "./fake-networks.ts";

class FakeMonitor implements Monitor {
  readonly launched: Promise<{ readonly pid: number }>;
  readonly exited: Promise<ExitRecord | undefined>;
  readonly signals: number[] = [];
  readonly sizes: (readonly [number, number])[] = [];
  /** The container's ends of the attached streams. */
  readonly clients: Duplex[] = [];
  /** Signals that the program does not die of. */
  readonly ignored: Set<number> = new Set();
  /** Changes to the network that were made, and what happens while one is. */
  readonly changes: NetworkChangePlan[] = [];
  onChange: (plan: NetworkChangePlan) => void | Promise<void> = () => undefined;
  /** The container's resolver asks. */
  ask: ((query: DnsQuery) => void) | undefined;
  readonly answers: (readonly [number, Uint8Array | undefined])[] = [];
  gone = false;
  /** The program has ended, with this code, before the daemon hears that it runs. */
  endsAtOnce: number | undefined;
  released = false;
  readonly #end: (record: ExitRecord | undefined) => void;

  constructor(pid: number, failure: LaunchFailure | undefined) {
    const { promise, resolve } = Promise.withResolvers<ExitRecord | undefined>();
    this.exited = promise;
    this.#end = resolve;
    if (failure !== undefined) resolve(undefined);
    this.launched =
      failure === undefined
        ? Promise.resolve({ pid: pid })
        : Promise.reject(new EngineError("System", "launch failed", { cause: failure }));
    this.launched.catch(() => this.vanish());
  }

  async go(): Promise<void> {
    this.gone = true;
    if (this.endsAtOnce !== undefined) this.end(this.endsAtOnce);
  }

  async attach(): Promise<Socket> {
    const [ours, theirs] = duplexPair();
    this.clients.push(ours);
    return theirs as unknown as Socket;
  }

  expectExec(): void {}

  async attachAfterLog(): Promise<{ socket: Socket; log: { inode: bigint; offset: number } }> {
    return { socket: await this.attach(), log: { inode: 0n, offset: 0 } };
  }

  onLogRotated(): void {}

  async replaceLogFile(): Promise<void> {}

  async changeNetwork(plan: NetworkChangePlan): Promise<void> {
    await this.onChange(plan);
    this.changes.push(plan);
  }

  onDnsQuery(listener: (query: DnsQuery) => void): void {
    this.ask = listener;
  }

  answerDns(id: number, answer: Uint8Array | undefined): void {
    this.answers.push([id, answer]);
  }

  async exec(): Promise<ExecSession> {
    throw new Error("the runtime's exec is used");
  }

  async signal(signal: number): Promise<void> {
    this.signals.push(signal);
    if (!this.ignored.has(signal)) this.end(128 + signal, signal);
  }

  async resize(rows: number, columns: number): Promise<void> {
    this.sizes.push([rows, columns]);
  }

  release(): void {
    this.released = true;
  }

  end(exitCode: number, signal = 0): void {
    for (const client of this.clients) client.end();
    this.#end({ exitCode, signal, oomKilled: false, finishedAt: formatNanos(nowNanos()) });
  }

  vanish(): void {
    this.#end(undefined);
  }
}

class FakeRuntime implements Pick<Runtime, "start" | "adopt" | "endStrays" | "validate" | "checkLimits" | "close"> {
  readonly monitors: Map<string, FakeMonitor> = new Map();
  readonly execs: { config: ExecConfig; end: (exitCode: number) => void; stream: Duplex }[] = [];
  readonly adoptable: Map<string, { running?: RunningContainer; exit?: ExitRecord }> = new Map();
  failure: LaunchFailure | undefined;
  /** What containers that ran were limited to, and how that fails. */
  readonly limits: HostConfig[] = [];
  limitFailure: Error | undefined;
  endsAtOnce: number | undefined;
  #pid = 1000;

  validate(): string[] {
    return [];
  }

  async checkLimits(): Promise<string[]> {
    return [];
  }

  async close(): Promise<void> {}

  async start(request: { containerId: ContainerId }): Promise<RunningContainer> {
    const monitor = new FakeMonitor(++this.#pid, this.failure);
    monitor.endsAtOnce = this.endsAtOnce;
    this.monitors.set(request.containerId, monitor);
    return this.running(monitor);
  }

  running(monitor: FakeMonitor): RunningContainer {
    return {
      monitor,
      exited: monitor.exited,
      spec: { process: {} } as unknown as RunningContainer["spec"],
      cgroups: {},
      limit: async (hostConfig) => {
        if (this.limitFailure !== undefined) throw this.limitFailure;
        this.limits.push(hostConfig);
      },
      exec: async (config) => this.#exec(config),
    };
  }

  #exec(config: ExecConfig): ExecSession {
    const [ours, theirs] = duplexPair();
    const { promise, resolve } = Promise.withResolvers<{ exitCode: number }>();
    const end = (exitCode: number): void => {
      ours.end();
      resolve({ exitCode });
    };
    const signal = async (number: number): Promise<void> => end(128 + number);
    this.execs.push({ config, end, stream: ours });
    return { pid: ++this.#pid, stream: theirs as unknown as Socket, exited: promise, signal, resize: async () => undefined };
  }

  async endStrays(): Promise<void> {}

  async adopt(id: ContainerId): Promise<{ running?: RunningContainer; exit?: ExitRecord }> {
    return this.adoptable.get(id) ?? {};
  }
}

/** One image, `busybox:latest`, with a command. */
export const imageId: Digest = digestOf("image");

function fakeImages(): Images {
  const image: Image = {
    id: imageId,
    config: {
      architecture: "amd64",
      os: "linux",
      config: { Cmd: ["sh"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: [digestOf("layer")] },
    },
    references: ["docker.io/library/busybox:latest"],
    sizeBytes: 1000,
  };
  const resolve = (reference: string): Image => {
    if (reference !== "busybox" && reference !== imageId) throw notFound(`No such image: ${reference}`);
    return image;
  };
  return {
    resolve,
    platforms: (reference: string) => [resolve(reference)],
    get: (id: Digest) => (id === imageId ? image : undefined),
    used: () => undefined,
    release: async () => undefined,
  } as unknown as Images;
}

export interface Published {
  readonly type: string;
  readonly action: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export class FakeWorld implements AsyncDisposable {
  readonly runtime: FakeRuntime = new FakeRuntime();
  readonly networks: FakeNetworks = new FakeNetworks();
  readonly published: Published[] = [];
  readonly dataRoot: string;
  readonly database: Database;

  constructor(dataRoot: string) {
    this.dataRoot = dataRoot;
    this.database = openDatabase(join(dataRoot, "berth.db"));
  }

  static async make(): Promise<FakeWorld> {
    return new FakeWorld(await mkdtemp(join(tmpdir(), "berth-test-engine-")));
  }

  /** A new daemon's engine over the same records. */
  async open(options: EngineOptions = {}): Promise<Engine> {
    const events = {
      publish: (type: string, action: string, _id: string, attributes: Readonly<Record<string, string>>) => {
        this.published.push({ type, action, attributes });
      },
    };
    const store = new ContainerStore(this.database);
    const files: FileOps = {
      apply: async (root, ops) => {
        for (const { op, path } of ops) {
          if (op !== "remove") throw new Error(`${op} is not to be expected`);
          await rm(join(root, Buffer.from(path).toString()), { recursive: true, force: true });
        }
      },
    };
    const kernel = { features: { cgroupVersion: 1 }, files } as unknown as Kernel;
    return await openEngine({
      store,
      kernel,
      volumes: await openVolumes({
        root: join(this.dataRoot, "volumes"),
        database: this.database,
        kernel,
        events: events as unknown as Events,
        usedBy: (volume) => store.usersOf(volume),
      }),
      images: fakeImages(),
      layers: {
        driver: "erofs",
        lower: async () => ["/lower"],
        tarPath: (id: Digest) => `/layers/${id}`,
        readFile: async () => undefined,
      } as unknown as Layers,
      networks: this.networks,
      runtime: this.runtime as unknown as Runtime,
      events: events as unknown as Events,
      readLog: async function* () {
        yield Buffer.from("logged\n");
      },
      dataRoot: this.dataRoot,
      options,
    });
  }

  /** Actions of containers' events so far, in order. */
  actions(): string[] {
    return this.published.filter((event) => event.type === "container").map((event) => event.action);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.database.close();
    await rm(this.dataRoot, { recursive: true, force: true });
  }
}
