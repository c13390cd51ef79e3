/**
 * What the routes need of the engine. Each interface is declared here, by its user, and satisfied by
 * `engine/`; `daemon/` joins them. Failures are EngineErrors; `errors.ts` in `base` maps them to statuses.
 * References to containers are names, full ids or unique id prefixes, as the client gave them.
 */
import type { Duplex, Readable } from "node:stream";
import type { Filters } from "../base/base.ts";
import type {
  BuildPruneResponse,
  ContainerConfig,
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerInspectResponse,
  ContainerPruneResponse,
  ContainerStatsResponse,
  ContainerSummary,
  ContainerTopResponse,
  ContainerUpdateRequest,
  ContainerUpdateResponse,
  DistributionInspect,
  EndpointSettings,
  EventMessage,
  ExecConfig,
  ExecInspectResponse,
  HistoryResponseItem,
  ImageCollection,
  ImageDeleteResponseItem,
  ImageDifference,
  ImageInspect,
  ImageLayerFile,
  ImageLayers,
  ImagePruneResponse,
  ImageSummary,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworkInspect,
  NetworkPruneResponse,
  Platform,
  SystemDataUsageResponse,
  SystemInfo,
  SystemVersion,
  TrustInspect,
  TrustVerified,
  Volume,
  VolumeCreateOptions,
  VolumePruneResponse,
} from "../spec/spec.ts";

export interface ContainerBackend {
  create(request: ContainerCreateRequest, options: { name?: string; platform?: string }): Promise<ContainerCreateResponse>;
  /** @throws NotModified when it runs already */
  start(reference: string, options: { detachKeys?: string }): Promise<void>;
  /** `timeoutSeconds`: -1 waits for ever; undefined: the container's own. @throws NotModified when it is stopped already */
  stop(reference: string, options: { signal?: string; timeoutSeconds?: number }): Promise<void>;
  restart(reference: string, options: { signal?: string; timeoutSeconds?: number }): Promise<void>;
  kill(reference: string, signal: string | undefined): Promise<void>;
  /** @throws Conflict when it does not run, or is paused already */
  pause(reference: string): Promise<void>;
  unpause(reference: string): Promise<void>;
  /** Zero, "" and what is not given stay as they are; lists replace lists. */
  update(reference: string, request: ContainerUpdateRequest): Promise<ContainerUpdateResponse>;
  rename(reference: string, name: string): Promise<void>;
  remove(reference: string, options: { force: boolean; volumes: boolean; link: boolean }): Promise<void>;
  /** Registers the wait and returns; `result` settles when the condition is met. Aborting lets go of it. */
  wait(
    reference: string,
    condition: "not-running" | "next-exit" | "removed",
    signal: AbortSignal,
  ): Promise<{ result: Promise<{ StatusCode: number; Error?: { Message: string } }> }>;
  attach(reference: string, options: AttachOptions): Promise<StreamSession>;
  /** Framed (or raw, with a TTY) output, ready to be sent. Ends when `signal` aborts. */
  logs(reference: string, options: LogOptions, signal: AbortSignal): Promise<{ tty: boolean; stream: AsyncIterable<Uint8Array> }>;
  resize(reference: string, size: { rows: number; columns: number }): Promise<void>;
  inspect(reference: string, options: { size: boolean }): Promise<ContainerInspectResponse>;
  list(options: { all: boolean; limit: number; size: boolean; filters: Filters }): Promise<ContainerSummary[]>;
  /**
   * Resolves when it is known that there is such a container. With `stream` an answer a second until `signal` aborts;
   * otherwise one, after a second, or with `oneShot` at once.
   */
  stats(
    reference: string,
    options: { stream: boolean; oneShot: boolean },
    signal: AbortSignal,
  ): Promise<AsyncIterable<ContainerStatsResponse>>;
  /** `psArgs`: what the user would give to ps, default `-ef`. */
  top(reference: string, psArgs: string): Promise<ContainerTopResponse>;
  /** Removes what does not run. Filters: label, label!, until. */
  prune(filters: Filters): Promise<ContainerPruneResponse>;
}

/** A path in a container, as the archive calls describe it. */
export interface PathStat {
  /** Last part of the path. */
  readonly name: string;
  readonly sizeBytes: number;
  /** st_mode */
  readonly mode: number;
  readonly mtimeNanos: bigint;
  /** Of a link, where it leads in the container; else "". */
  readonly linkTarget: string;
}

/** A tar for a client. */
export interface TarOutput {
  /** Fails when the tar breaks off. Destroying it ends the work behind it. */
  readonly tar: Readable;
  /**
   * Set when the bytes go to the client's connection without us: to be called when nothing else is being sent there.
   * They come as chunks of HTTP, all but the last, empty one; `tar` has none, and ends when they are sent.
   */
  readonly sendToClient?: () => void;
}

/** Containers' files, running or not. `client`: descriptor of the connection that the tar is for, if it may be used. */
export interface ArchiveBackend {
  /** @throws NotFound `Could not find the file p in container x` */
  statPath(reference: string, path: string): Promise<PathStat>;
  readPath(reference: string, path: string, client?: number): Promise<TarOutput & { stat: PathStat }>;
  /** Extracts a tar, plain or compressed, into the directory at the path. */
  writePath(
    reference: string,
    path: string,
    source: Readable,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  ): Promise<void>;
  export(reference: string, client?: number): Promise<TarOutput>;
  /** Kinds: 0 changed, 1 added, 2 deleted. */
  changes(reference: string): Promise<readonly { readonly path: string; readonly kind: 0 | 1 | 2 }[]>;
  commit(reference: string, request: CommitRequest): Promise<{ Id: string }>;
}

export interface CommitRequest {
  /** "": the image gets no name. */
  readonly repository: string;
  readonly tag: string;
  readonly comment: string;
  readonly author: string;
  /** Processes stand still meanwhile. */
  readonly pause: boolean;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  /** Instead of the container's own configuration. */
  readonly config?: ContainerConfig;
}

export interface ExecBackend {
  create(container: string, config: ExecConfig): Promise<{ Id: string }>;
  /** Checks that the session can start; `run` starts it on a stream, or detached without one. */
  start(id: string, options: { tty: boolean; detach: boolean; rows?: number; columns?: number }): Promise<StreamSession>;
  resize(id: string, size: { rows: number; columns: number }): Promise<void>;
  inspect(id: string): Promise<ExecInspectResponse>;
}

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Replay the log first. */
  readonly logs: boolean;
  /** Go on with what is printed from now on. */
  readonly stream: boolean;
  readonly detachKeys?: string;
}

/** A session that has been accepted: the route answers the upgrade, then joins the connection to it. */
export interface StreamSession {
  readonly tty: boolean;
  /**
   * Runs to the end of the session (output ended, detach keys, client gone). The route closes `io`
   * afterwards. The returned promise never rejects for a client that went away. Undefined `io`: detached.
   */
  run(io: Duplex | undefined): Promise<void>;
}

export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  /** Last n lines; undefined: all. */
  readonly tail?: number;
  /** Nanoseconds since 1970. */
  readonly since?: bigint;
  readonly until?: bigint;
}

export interface ImageBackend {
  list(options: { all: boolean; filters: Filters; sharedSize: boolean; manifests: boolean }): Promise<ImageSummary[]>;
  /** A `platform` is one that the image must be for. @throws NotFound when it is for another */
  inspect(reference: string, options: { manifests: boolean; platform?: Platform }): Promise<ImageInspect>;
  history(reference: string, options: { platform?: Platform }): Promise<HistoryResponseItem[]>;
  tag(reference: string, target: { repository: string; tag: string }): Promise<void>;
  remove(reference: string, options: { force: boolean; noPrune: boolean; platform?: Platform }): Promise<ImageDeleteResponseItem[]>;
  /** Filters: dangling, label, label!, until. */
  prune(filters: Filters): Promise<ImagePruneResponse>;
  /** Berth's own: the collector leaves what is pinned. POST and DELETE /berth/images/{name}/pin */
  pin(reference: string, pinned: boolean): Promise<void>;
  /**
   * POST /berth/images/gc. Without words of its own, by the daemon's policy.
   * @throws InvalidParameter when there is none, and for sizes and durations that are none
   */
  collect(
    words: { "keep-storage"?: string; "min-free"?: string; "unused-for"?: string; recent?: string },
    options: { dryRun: boolean },
  ): Promise<ImageCollection>;
  /** `POST /images/create` with fromSrc, bytes or an address: progress messages, then the id as a status. */
  import(
    source: Readable | string,
    options: { repository: string; tag: string; message: string; changes: string[]; platform?: string },
    signal: AbortSignal,
  ): AsyncIterable<Record<string, unknown>>;
  /** `POST /images/create` with fromImage; without tag and digest, all tags. `auth`: X-Registry-Auth as it came. */
  pull(reference: string, options: { platform?: string; auth?: string; signal?: AbortSignal }): AsyncIterable<Record<string, unknown>>;
  /** `tag` "": all tags of the repository. Aborting ends the transfers; the next push goes on with what is missing. */
  push(
    name: string,
    options: { tag: string; platform?: Platform; auth?: string },
    signal: AbortSignal,
  ): AsyncIterable<Record<string, unknown>>;
  load(source: Readable, options: { quiet: boolean; platform?: Platform }): AsyncIterable<Record<string, unknown>>;
  save(references: readonly string[], options: { platform?: Platform }): Promise<Readable>;
  /** Berth's own, with the two below: what each layer adds, changes and hides. GET /berth/images/{name}/layers */
  layers(reference: string): Promise<ImageLayers>;
  layerFiles(reference: string): Promise<AsyncIterable<ImageLayerFile>>;
  /** GET /berth/images/{name}/diff?with=… */
  differences(from: string, to: string): Promise<AsyncIterable<ImageDifference>>;
  /**
   * Puts an image that Berth carries in itself (`hello-world`) into the store under its own name. Berth's own:
   * POST /berth/images/embedded?name=…, which only the `berth` CLI asks for, so that a new store is empty for every other client.
   * @throws NotFound for a name that is not embedded
   */
  installEmbedded(name: string): Promise<void>;
}

/** `auth`: X-Registry-Auth as it came. */
export interface RegistryBackend {
  /** @param config Docker's AuthConfig. @throws Unauthorized */
  login(config: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<{ Status: string; IdentityToken: string }>;
  /** Filters: is-automated, is-official, stars. */
  search(term: string, options: { limit?: number; filters: Filters; auth?: string; signal: AbortSignal }): Promise<object[]>;
  inspect(name: string, options: { auth?: string; signal: AbortSignal }): Promise<DistributionInspect>;
}

/** Berth's own: signatures of images in registries. `auth`: X-Registry-Auth as it came. */
export interface TrustBackend {
  /** What is there, nothing of it verified. */
  inspect(name: string, options: { auth?: string; signal: AbortSignal }): Promise<TrustInspect>;
  /** @param keys PEM. @throws Forbidden when no signature holds against one of them */
  verify(name: string, keys: readonly string[], options: { auth?: string; signal: AbortSignal }): Promise<TrustVerified>;
  /** Puts a signature that the client has made beside those that are there. */
  sign(
    name: string,
    signed: { payload: Uint8Array; signature: string },
    options: { auth?: string; signal: AbortSignal },
  ): Promise<{ Name: string; Digest: string }>;
}

export interface NetworkBackend {
  /** `containers`: with those that are in each. */
  list(filters: Filters, options: { containers: boolean }): Promise<NetworkInspect[]>;
  /** `scope`: it must have this one; "": any. */
  inspect(reference: string, options: { scope: string }): Promise<NetworkInspect>;
  create(request: NetworkCreateRequest): Promise<NetworkCreateResponse>;
  /** Of a container that does not run, what it is to get at its next start is changed. */
  connect(reference: string, container: string, settings: EndpointSettings): Promise<void>;
  /** `force`: also of a network that is gone. */
  disconnect(reference: string, container: string, options: { force: boolean }): Promise<void>;
  /** @throws Forbidden for a network that is predefined or in use */
  remove(reference: string): Promise<void>;
  /** Filters: label, label!, until. */
  prune(filters: Filters): Promise<NetworkPruneResponse>;
}

export type UsagePart = "container" | "image" | "volume" | "build-cache";

export interface VolumeBackend {
  create(request: VolumeCreateOptions): Promise<Volume>;
  inspect(name: string): Promise<Volume>;
  /** @throws Conflict when a container has it */
  remove(name: string, options: { force: boolean }): Promise<void>;
  list(filters: Filters): Promise<Volume[]>;
  prune(filters: Filters): Promise<VolumePruneResponse>;
}

export interface SystemBackend {
  info(): Promise<SystemInfo>;
  version(): Promise<SystemVersion>;
  /** What is stored, and how large it is. Only what is asked for is measured; the rest is null. */
  diskUsage(parts: ReadonlySet<UsagePart>): Promise<SystemDataUsageResponse>;
  pruneBuildCache(): Promise<BuildPruneResponse>;
  /** Stored events from `since`, then live ones, until `until` or abort. Times in nanoseconds since 1970. */
  events(options: { since?: bigint; until?: bigint; filters: Filters }, signal: AbortSignal): AsyncIterable<EventMessage>;
  /** Ends the daemon after the response; with `stop`, stops all containers first. Berth's own: POST /berth/shutdown. */
  shutdown(options: { stop: boolean }): Promise<void>;
}
