/** The daemon as a whole: what info, events, metrics and a reload of the configuration join. */
import { hostname } from "node:os";
import { apiVersion, minimumApiVersion, type SystemBackend } from "../api/api.ts";
import { version } from "../base/base.ts";
import type { Distribution } from "../distribution/distribution.ts";
import type { Engine } from "../engine/engine.ts";
import { openSystemBackend } from "../engine/system-backend.ts";
import type { DaemonDescription } from "../engine/system-info.ts";
import type { Events } from "../events/events.ts";
import type { Images } from "../images/images.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { ownProcess } from "../kernel/own-process.ts";
import type { Layers } from "../layers/layers.ts";
import type { RuntimeOptions } from "../runtime/runtime.ts";
import type { Volumes } from "../volumes/volumes.ts";
import { engineId } from "./engine-id.ts";
import type { MetricSources } from "./metrics.ts";
import { distributionSettings, engineOptions, runtimeOptions } from "./room-options.ts";
import { reloadAttributes, type Settings } from "./settings.ts";

export interface SystemParts {
  readonly settings: Settings;
  readonly warnings: readonly string[];
  /** Aborts when the daemon ends. */
  readonly closing: AbortSignal;
  readonly rooms: {
    readonly kernel: Kernel;
    readonly images: Images;
    readonly layers: Layers;
    readonly volumes: Volumes;
    readonly distribution: Distribution;
    readonly engine: Engine;
    readonly events: Events;
    /** One object that a reload changes; the runtime looks at it with each start. */
    readonly runtimeDefaults: RuntimeOptions;
  };
}

export interface OpenedSystem {
  readonly system: SystemBackend;
  readonly metricSources: MetricSources;
  /** Settles when the API has asked for the daemon's end. */
  readonly endAsked: Promise<void>;
  reload(settings: Settings): void;
}

function describe(settings: Settings, { kernel, layers }: SystemParts["rooms"], warnings: readonly string[]): DaemonDescription {
  return {
    id: engineId(settings.dataRoot),
    ...version,
    dataRoot: settings.dataRoot,
    storageDriver: layers.driver,
    logDriver: settings.logDriver,
    cgroupParent: settings.cgroupParent ?? "/berth",
    cgroupNamespace: settings.containers.cgroupNamespace ?? (kernel.features.cgroupVersion === 2 ? "private" : "host"),
    debug: settings.debug,
    labels: settings.labels,
    defaultRuntime: "runc",
    insecureRegistries: settings.insecureRegistries,
    registryMirrors: settings.registryMirrors,
    proxies: settings.proxies,
    addressPools: settings.network.addressPools,
    warnings,
  };
}

export function openSystem({ settings, warnings, closing, rooms }: SystemParts): OpenedSystem {
  const { kernel, images, volumes, engine, events } = rooms;
  const end = Promise.withResolvers<void>();
  let description = describe(settings, rooms, warnings);
  const system = openSystemBackend({
    daemon: () => description,
    features: kernel.features,
    counts: () => engine.counts(),
    imageCount: () => images.list(new Map()).length,
    events,
    usage: {
      imagesWithSharedSize: async () => images.list(new Map(), { all: false, sharedSize: true, stored: true, containers: true }),
      storedBytes: () => images.storedBytes(),
      containers: ({ size }) => engine.containers.list({ all: true, limit: 0, size, filters: new Map() }),
      volumes: () => volumes.usage(),
    },
    closing,
    apiVersion,
    minimumApiVersion,
    stopAll: () => engine.stopAll(),
    endSoon: () => setImmediate(end.resolve),
  });
  const reload = (next: Settings): void => {
    description = describe(next, rooms, warnings);
    Object.assign(rooms.runtimeDefaults, runtimeOptions(next));
    engine.reload(engineOptions(next));
    rooms.distribution.configure(distributionSettings(next));
    events.publish("daemon", "reload", description.id, { name: hostname(), ...reloadAttributes(next, description.cgroupNamespace) });
  };
  const metricSources: MetricSources = {
    info: () => system.info(),
    commit: version.commit,
    counts: () => engine.counts(),
    healthChecks: () => engine.healthChecks(),
    events,
    process: ownProcess,
  };
  return { system, metricSources, endAsked: end.promise, reload };
}
