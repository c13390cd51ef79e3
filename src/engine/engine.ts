/**
 * The use cases, one file each: they join containers, images, layers, networks and the runtime. `openEngine`
 * gives what `api` asks of it; `close` lets go of everything, and the containers go on.
 */
import type { Readable } from "node:stream";
import type { Filters } from "../base/base.ts";
import { type HostDefaults, isActive } from "../containers/containers.ts";
import type { TarOutput, TreeChange } from "../kernel/kernel.ts";
import type {
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerInspectResponse,
  ContainerPruneResponse,
  ContainerStatsResponse,
  ContainerSummary,
  ContainerTopResponse,
  ContainerUpdateRequest,
  ContainerUpdateResponse,
  EndpointSettings,
  ExecConfig,
  ExecInspectResponse,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworkInspect,
  NetworkPruneResponse,
  Volume,
  VolumeCreateOptions,
  VolumePruneResponse,
} from "../spec/spec.ts";
import { adoptContainers } from "./adopt-containers.ts";
import { type AttachOptions, attachContainer, type StreamSession } from "./attach-container.ts";
import { createNetwork, pruneNetworks, removeNetwork } from "./change-networks.ts";
import { type CommitRequest, commitContainer } from "./commit-container.ts";
import { connectContainer } from "./connect-network.ts";
import { EngineContext, type EngineRooms } from "./context.ts";
import { type CopyInOptions, type PathStat, readPath, statPath, writePath } from "./copy-files.ts";
import { createContainer } from "./create-container.ts";
import { sweepState } from "./discard-state.ts";
import { disconnectContainer } from "./disconnect-network.ts";
import { createExec, type ExecStartOptions, inspectExec, resizeExec, startExec } from "./exec-sessions.ts";
import { exportContainer } from "./export-container.ts";
import { inspectReference } from "./inspect-container.ts";
import { killContainer } from "./kill-container.ts";
import { listChanges } from "./list-changes.ts";
import { type ListOptions, listContainers } from "./list-containers.ts";
import { inspectNetwork, listNetworks } from "./list-networks.ts";
import type { Waiter, WaitResult } from "./live-container.ts";
import { makeMountPointsLayer } from "./mount-points-layer.ts";
import { pauseContainer, unpauseContainer } from "./pause-container.ts";
import { pruneContainers } from "./prune-containers.ts";
import { type LogOptions, readContainerLogs } from "./read-container-logs.ts";
import { removeContainer } from "./remove-container.ts";
import { renameContainer } from "./rename-container.ts";
import { resizeContainer, type WindowSize } from "./resize-container.ts";
import { restartContainer } from "./restart-container.ts";
import { restartWithDaemon } from "./restart-policy.ts";
import { startContainer } from "./start-container.ts";
import { type StopOptions, stopContainer } from "./stop-container.ts";
import { topContainer } from "./top-container.ts";
import { updateContainer } from "./update-container.ts";
import { waitContainer } from "./wait-container.ts";
import { type StatsOptions, watchStats } from "./watch-stats.ts";

export interface EngineParts extends EngineRooms {
  readonly options?: EngineOptions;
}

export interface EngineOptions {
  /** `--log-driver`, `--log-opt`. */
  readonly logDriver?: string;
  readonly logOptions?: Readonly<Record<string, string>>;
  /** Name of the default runtime, as inspect shows it. */
  readonly runtime?: string;
  readonly shmSizeBytes?: number;
  readonly stopTimeoutSeconds?: number;
}

export interface Engine {
  readonly containers: EngineContainers;
  readonly exec: EngineExec;
  readonly archive: EngineArchive;
  readonly networks: EngineNetworks;
  readonly volumes: EngineVolumes;
  /** How many there are, for `info`. */
  counts(): { readonly running: number; readonly paused: number; readonly stopped: number };
  /** Probes of health checks since the start. */
  healthChecks(): { readonly run: number; readonly failed: number };
  /** Takes over new defaults for containers that are created from now on. */
  reload(options: EngineOptions): void;
  /** Stops all containers, for a daemon that goes away with them. */
  stopAll(): Promise<void>;
  /** Ends streams and waits; containers go on. */
  close(): Promise<void>;
}

export interface EngineContainers {
  create(request: ContainerCreateRequest, options: { name?: string; platform?: string }): Promise<ContainerCreateResponse>;
  start(reference: string, options: { detachKeys?: string }): Promise<void>;
  stop(reference: string, options: StopOptions): Promise<void>;
  restart(reference: string, options: StopOptions): Promise<void>;
  kill(reference: string, signal: string | undefined): Promise<void>;
  pause(reference: string): Promise<void>;
  unpause(reference: string): Promise<void>;
  update(reference: string, request: ContainerUpdateRequest): Promise<ContainerUpdateResponse>;
  rename(reference: string, name: string): Promise<void>;
  remove(reference: string, options: { force: boolean; volumes: boolean; link: boolean }): Promise<void>;
  wait(reference: string, condition: Waiter["condition"], signal: AbortSignal): Promise<{ result: Promise<WaitResult> }>;
  attach(reference: string, options: AttachOptions): Promise<StreamSession>;
  logs(reference: string, options: LogOptions, signal: AbortSignal): Promise<{ tty: boolean; stream: AsyncIterable<Uint8Array> }>;
  resize(reference: string, size: WindowSize): Promise<void>;
  inspect(reference: string, options: { size: boolean }): Promise<ContainerInspectResponse>;
  list(options: ListOptions): Promise<ContainerSummary[]>;
  stats(reference: string, options: StatsOptions, signal: AbortSignal): Promise<AsyncIterable<ContainerStatsResponse>>;
  top(reference: string, psArgs: string): Promise<ContainerTopResponse>;
  prune(filters: Filters): Promise<ContainerPruneResponse>;
}

export interface EngineExec {
  create(container: string, config: ExecConfig): Promise<{ Id: string }>;
  start(id: string, options: ExecStartOptions): Promise<StreamSession>;
  resize(id: string, size: WindowSize): Promise<void>;
  inspect(id: string): Promise<ExecInspectResponse>;
}

/** The room itself, as a client has it. */
export interface EngineVolumes {
  create(request: VolumeCreateOptions): Promise<Volume>;
  inspect(name: string): Promise<Volume>;
  remove(name: string, options: { force: boolean }): Promise<void>;
  list(filters: Filters): Promise<Volume[]>;
  prune(filters: Filters): Promise<VolumePruneResponse>;
}

export interface EngineArchive {
  statPath(reference: string, path: string): Promise<PathStat>;
  readPath(reference: string, path: string, client?: number): Promise<TarOutput & { stat: PathStat }>;
  writePath(reference: string, path: string, source: Readable, options: CopyInOptions): Promise<void>;
  export(reference: string, client?: number): Promise<TarOutput>;
  changes(reference: string): Promise<TreeChange[]>;
  commit(reference: string, request: CommitRequest): Promise<{ Id: string }>;
}

export interface EngineNetworks {
  list(filters: Filters, options: { containers: boolean }): Promise<NetworkInspect[]>;
  inspect(reference: string, options: { scope: string }): Promise<NetworkInspect>;
  create(request: NetworkCreateRequest): Promise<NetworkCreateResponse>;
  connect(reference: string, container: string, settings: EndpointSettings): Promise<void>;
  disconnect(reference: string, container: string, options: { force: boolean }): Promise<void>;
  remove(reference: string): Promise<void>;
  prune(filters: Filters): Promise<NetworkPruneResponse>;
}

const shmSizeBytes = 64 * 1024 * 1024;
const stopTimeoutSeconds = 10;

/** Opens the engine: sweeps what no record owns, and adopts what still runs. */
export async function openEngine(parts: EngineParts): Promise<Engine> {
  const options = parts.options ?? {};
  const defaultsOf = (given: EngineOptions): HostDefaults => ({
    cgroupVersion: parts.kernel.features.cgroupVersion,
    runtime: given.runtime ?? "runc",
    logDriver: given.logDriver ?? "json-file",
    logOptions: given.logOptions ?? {},
    shmSizeBytes: given.shmSizeBytes ?? shmSizeBytes,
  });
  const context = new EngineContext({
    ...parts,
    defaults: defaultsOf(options),
    stopTimeoutSeconds: options.stopTimeoutSeconds ?? stopTimeoutSeconds,
    mountPointsLayer: await makeMountPointsLayer(parts.dataRoot),
  });
  await sweepState(context);
  await adoptContainers(context);
  restartWithDaemon(context);
  return {
    containers: containersOf(context),
    exec: {
      create: (container, config) => createExec(context, container, config),
      start: (id, start) => startExec(context, id, start),
      resize: (id, size) => resizeExec(context, id, size),
      inspect: (id) => inspectExec(context, id),
    },
    archive: {
      statPath: (reference, path) => statPath(context, reference, path),
      readPath: (reference, path, client) => readPath(context, reference, path, client),
      writePath: (reference, path, source, options) => writePath(context, reference, path, source, options),
      export: (reference, client) => exportContainer(context, reference, client),
      changes: (reference) => listChanges(context, reference),
      commit: (reference, request) => commitContainer(context, reference, request),
    },
    networks: {
      list: (filters, list) => listNetworks(context, filters, list),
      inspect: (reference, inspect) => inspectNetwork(context, reference, inspect),
      create: (request) => createNetwork(context, request),
      connect: (reference, container, settings) => connectContainer(context, reference, container, settings),
      disconnect: (reference, container, disconnect) => disconnectContainer(context, reference, container, disconnect),
      remove: (reference) => removeNetwork(context, reference),
      prune: (filters) => pruneNetworks(context, filters),
    },
    volumes: {
      create: (request) => parts.volumes.create(request),
      inspect: async (name) => parts.volumes.inspect(name),
      remove: (name, options) => parts.volumes.remove(name, options),
      list: async (filters) => parts.volumes.list(filters),
      prune: (filters) => parts.volumes.prune(filters),
    },
    counts: () => countStates(context),
    healthChecks: () => context.healthChecks,
    reload: (next) => {
      context.defaults = defaultsOf(next);
    },
    stopAll: () => stopAll(context),
    close: () => close(context),
  };
}

function containersOf(context: EngineContext): EngineContainers {
  return {
    create: (request, options) => createContainer(context, request, options),
    start: (reference) => startContainer(context, reference),
    stop: (reference, options) => stopContainer(context, reference, options),
    restart: (reference, options) => restartContainer(context, reference, options),
    kill: (reference, signal) => killContainer(context, reference, signal),
    pause: (reference) => pauseContainer(context, reference),
    unpause: (reference) => unpauseContainer(context, reference),
    update: (reference, request) => updateContainer(context, reference, request),
    rename: (reference, name) => renameContainer(context, reference, name),
    remove: (reference, options) => removeContainer(context, reference, options),
    wait: (reference, condition, signal) => waitContainer(context, reference, condition, signal),
    attach: (reference, options) => attachContainer(context, reference, options),
    logs: (reference, options, signal) => readContainerLogs(context, reference, options, signal),
    resize: (reference, size) => resizeContainer(context, reference, size),
    inspect: (reference, options) => inspectReference(context, reference, options),
    list: (options) => listContainers(context, options),
    stats: (reference, options, signal) => watchStats(context, reference, options, signal),
    top: (reference, psArgs) => topContainer(context, reference, psArgs),
    prune: (filters) => pruneContainers(context, filters),
  };
}

function countStates(context: EngineContext): { running: number; paused: number; stopped: number } {
  const counts = { running: 0, paused: 0, stopped: 0 };
  for (const { status } of context.store.list()) {
    if (status.state.status === "running") counts.running++;
    else if (status.state.status === "paused") counts.paused++;
    else counts.stopped++;
  }
  return counts;
}

async function stopAll(context: EngineContext): Promise<void> {
  context.stopping = true;
  const active = [...context.store.list()].filter((record) => isActive(record.status.state));
  await Promise.allSettled(active.map((record) => stopContainer(context, record.id, {})));
  await context.settle();
}

async function close(context: EngineContext): Promise<void> {
  context.closing.abort(new Error("the daemon is shutting down"));
  for (const live of context.live.values()) {
    live.endHealthChecks?.();
    live.run?.running.monitor.release();
  }
  await Promise.all([...context.live.values()].map((live) => live.log?.close()));
}
