import { join } from "node:path";
import { type ContainerId, log, Mutex, notFound } from "../base/base.ts";
import type { ContainerStore, HostDefaults } from "../containers/containers.ts";
import type { Events } from "../events/events.ts";
import type { Images } from "../images/images.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Layers } from "../layers/layers.ts";
import type { LogSource, ReadLogOptions } from "../logs/logs.ts";
import type { Networks } from "../networks/networks.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { type ExecRecord, LiveContainer } from "./live-container.ts";
import { StatsSampler } from "./stats-sampler.ts";

/** Reads a container's log; `readLog` of `logs/read.ts`. */
export type ReadLog = (source: LogSource, options: ReadLogOptions) => AsyncIterable<Uint8Array>;

/** The rooms below, as the daemon opened them. */
export interface EngineRooms {
  /** `new ContainerStore(database)`; the images, which are opened first, ask its `usedBy`. */
  readonly store: ContainerStore;
  readonly kernel: Kernel;
  readonly images: Images;
  readonly layers: Layers;
  readonly networks: Networks;
  readonly runtime: Runtime;
  readonly volumes: Volumes;
  readonly events: Events;
  readonly readLog: ReadLog;
  readonly dataRoot: string;
}

type ContextParts = EngineRooms & Pick<EngineContext, "defaults" | "stopTimeoutSeconds" | "mountPointsLayer">;

/** What the use cases share: the rooms below, and the containers in memory. */
export class EngineContext implements EngineRooms {
  readonly kernel: Kernel;
  readonly images: Images;
  readonly layers: Layers;
  readonly networks: Networks;
  readonly runtime: Runtime;
  readonly volumes: Volumes;
  readonly events: Events;
  readonly store: ContainerStore;
  readonly readLog: ReadLog;
  /** What a reload of the configuration may change. */
  defaults: HostDefaults;
  /** The daemon's `--stop-timeout`, seconds. */
  readonly stopTimeoutSeconds: number;
  readonly dataRoot: string;
  /** The layer on top of every image: see `mount-points-layer.ts`. */
  readonly mountPointsLayer: string;
  readonly live: Map<string, LiveContainer> = new Map();
  /** Every exec session whose container is there, by id. */
  readonly execs: Map<string, ExecRecord> = new Map();
  /** Aborts when the engine closes: ends streams, lets go of waits. */
  readonly closing: AbortController = new AbortController();
  /** The daemon goes away and takes its containers with it: that is no wish of a user, and no policy starts them again. */
  stopping = false;
  /** A prune of containers is under way. */
  pruning = false;
  /** Networks come and go one at a time: nobody removes one that is still being made. */
  readonly networkLock: Mutex = new Mutex();
  /** A prune of networks is under way. */
  pruningNetworks = false;
  /** Drivers of the networks that events were about, by id. */
  readonly networkTypes: Map<string, string> = new Map();
  /** Probes so far, for the metrics. */
  readonly healthChecks: { run: number; failed: number } = { run: 0, failed: 0 };
  readonly statsSampler: StatsSampler = new StatsSampler();
  readonly #background: Set<Promise<void>> = new Set();
  readonly #trash = new Mutex();

  constructor(parts: ContextParts) {
    this.kernel = parts.kernel;
    this.images = parts.images;
    this.layers = parts.layers;
    this.networks = parts.networks;
    this.runtime = parts.runtime;
    this.volumes = parts.volumes;
    this.events = parts.events;
    this.store = parts.store;
    this.readLog = parts.readLog;
    this.defaults = parts.defaults;
    this.stopTimeoutSeconds = parts.stopTimeoutSeconds;
    this.dataRoot = parts.dataRoot;
    this.mountPointsLayer = parts.mountPointsLayer;
  }

  /** @throws NotFound `No such container: x` */
  find(reference: string): LiveContainer {
    return this.liveOf(this.store.find(reference).id);
  }

  liveOf(id: ContainerId): LiveContainer {
    const known = this.live.get(id);
    if (known !== undefined) return known;
    const record = this.store.get(id);
    if (record === undefined) throw notFound(`No such container: ${id}`);
    const live = new LiveContainer(record);
    this.live.set(id, live);
    return live;
  }

  /** Holds upper, work, the log and the files bound into the container. */
  statePath(id: ContainerId): string {
    return join(this.dataRoot, "containers", id);
  }

  logPath(id: ContainerId): string {
    return join(this.statePath(id), `${id}-json.log`);
  }

  /** What is renamed in here is deleted in the background, and at the next start. */
  get trashPath(): string {
    return join(this.dataRoot, "trash");
  }

  /**
   * Deletes what lies in the trash under this name, one after the other: by the kernel port, which follows no link.
   * A descriptor that a container has handed on outlives it, and with that its files can be changed meanwhile.
   */
  async emptyTrash(name: string): Promise<void> {
    await this.#trash.run(async () => {
      // What is not done when the engine closes is the next start's to do.
      const { signal } = this.closing;
      if (signal.aborted) return;
      await this.kernel.files.apply(this.trashPath, [{ op: "remove", path: Buffer.from(name) }]).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    });
  }

  /** An event of a container, with Docker's attributes: its labels, image and name. */
  publish(live: LiveContainer, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    const { config } = live.record.settings;
    this.events.publish("container", action, live.id, {
      ...(config.Labels ?? {}),
      image: config.Image ?? "",
      name: live.record.name,
      ...attributes,
    });
  }

  /** Work that nobody waits for, save the engine's close. A failure is logged. */
  inBackground(what: string, work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => log.warn(`${what} failed`, { error }))
      .finally(() => {
        this.#background.delete(done);
      });
    this.#background.add(done);
  }

  async settle(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }
}
