/** The real kernel: a broker, and the monitors that it forks. */
import { systemError } from "../base/base.ts";
import { Broker } from "./broker.ts";
import { probeFeatures } from "./features.ts";
import { openFileOps } from "./file-ops.ts";
import { message } from "./frames.ts";
import type { FileOps, Kernel, KernelFeatures, LayerMounts, Monitor, Trees } from "./kernel.ts";
import { openLayerMounts } from "./layer-mounts.ts";
import { LinuxMonitor } from "./monitor.ts";
import type { HostOp, LaunchPlan } from "./plan.ts";
import { ByteWriter, encodeHostOps, encodeLaunchPlan } from "./plan-encoding.ts";
import { openTrees } from "./trees.ts";
import { Turns } from "./turns.ts";

export interface LinuxKernelOptions {
  /** Path of build/berth-native. */
  readonly native: string;
  /** Absolute; made if missing. */
  readonly execRoot: string;
  /** Sockets of monitors that an earlier daemon has left: the first that answers shares its layer mounts with us. */
  readonly adoptFrom?: readonly string[];
}

/** So many workers has the broker; more requests for them it refuses. WORKERS in native/broker.c. */
const workers = 16;

class LinuxKernel implements Kernel {
  readonly layers: LayerMounts;
  readonly files: FileOps;
  readonly trees: Trees;
  readonly #options: LinuxKernelOptions;
  /** Monitors that may be asked for the layer mounts if the broker dies. */
  readonly #monitors = new Set<string>();
  readonly #workers = new Turns(workers);
  #broker: Promise<Broker>;
  #features: KernelFeatures | undefined;
  #closed = false;
  #firewallChanged: (() => void) | undefined;

  constructor(options: LinuxKernelOptions) {
    this.#options = options;
    for (const path of options.adoptFrom ?? []) this.#monitors.add(path);
    this.#broker = this.#start();
    const ask = async (type: number, payload: Uint8Array): Promise<Buffer> => await (await this.#broker).request(type, payload);
    this.layers = openLayerMounts(ask);
    this.files = openFileOps((type, payload) => this.#workers.run(() => ask(type, payload)));
    this.trees = openTrees(options.execRoot);
  }

  async probe(): Promise<void> {
    this.#features = await probeFeatures(this.layers, this.#options.execRoot, this.#options.native);
  }

  get features(): KernelFeatures {
    if (this.#features === undefined) throw systemError("the kernel has not been probed");
    return this.#features;
  }

  /** A broker that dies is replaced; requests that it had not answered have failed. */
  #start(): Promise<Broker> {
    const { native, execRoot } = this.#options;
    const firewallChanged = (): void => this.#firewallChanged?.();
    const broker = Broker.start({ native, execRoot, adoptFrom: [...this.#monitors], firewallChanged });
    broker.then(
      (started) =>
        started.ended.then(() => {
          if (this.#closed) return;
          this.#broker = this.#start();
          // Whatever has happened while nobody watched.
          if (this.#firewallChanged !== undefined) this.#watchFirewall().then(firewallChanged);
        }),
      () => undefined,
    );
    return broker;
  }

  /** Pid of the broker, for tests that kill it. */
  async brokerPid(): Promise<number | undefined> {
    return (await this.#broker).pid;
  }

  async run(ops: readonly HostOp[]): Promise<void> {
    if (ops.length > 0) await this.#workers.run(async () => await (await this.#broker).request(message.run, encodeHostOps(ops)));
  }

  async netlink(protocol: 0 | 12, bytes: Uint8Array, netnsPid = 0): Promise<Uint8Array> {
    const payload = new ByteWriter(bytes.length + 64).u32(netnsPid).u16(protocol).blob(bytes).bytes();
    return await (await this.#broker).request(message.netlink, payload);
  }

  async sendDatagrams(path: string, datagrams: readonly Uint8Array[]): Promise<number> {
    const payload = new ByteWriter(1024).text(path).u32(datagrams.length);
    for (const datagram of datagrams) payload.blob(datagram);
    return (await (await this.#broker).request(message.datagrams, payload.bytes())).readUInt32LE(0);
  }

  onFirewallChange(listener: () => void): void {
    this.#firewallChanged = listener;
    this.#watchFirewall();
  }

  /** Where the kernel has no nf_tables there is nothing to watch. */
  async #watchFirewall(): Promise<void> {
    try {
      await (await this.#broker).request(message.watchFirewall, new Uint8Array());
    } catch {}
  }

  async launch(plan: LaunchPlan): Promise<Monitor> {
    await (await this.#broker).request(message.launch, encodeLaunchPlan(plan));
    return this.#know(plan.socketPath, new LinuxMonitor(plan.socketPath));
  }

  async adopt(socketPath: string): Promise<Monitor | undefined> {
    const monitor = new LinuxMonitor(socketPath);
    try {
      await monitor.connected();
      await monitor.launched;
    } catch {
      monitor.release();
      return undefined;
    }
    return this.#know(socketPath, monitor);
  }

  #know(socketPath: string, monitor: LinuxMonitor): Monitor {
    this.#monitors.add(socketPath);
    monitor.exited.then(() => this.#monitors.delete(socketPath));
    return monitor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const broker = await this.#broker.catch(() => undefined);
    await broker?.[Symbol.asyncDispose]();
  }
}

/**
 * Starts the broker and finds out what the kernel can do.
 * @throws System when the broker cannot start
 */
export async function openLinuxKernel(options: LinuxKernelOptions): Promise<Kernel & { brokerPid(): Promise<number | undefined> }> {
  const kernel = new LinuxKernel(options);
  await kernel.probe();
  return kernel;
}
