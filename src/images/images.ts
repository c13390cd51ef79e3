/**
 * Images: configurations with the layers they name, and the references that name images.
 *
 * An image's id is the digest of its configuration, as Docker's classic store has it. The configuration's
 * bytes are a blob in `content/`; the row in `state/` holds what lists need. A reference (`docker.io/library/
 * busybox:latest`) points at one image, or at an index of which several images, each for another platform, may be
 * here: then it stands for all of them. Removing the last reference of an image that no container uses removes the
 * image, and each of its layers that no other image has.
 */
import type { Readable } from "node:stream";
import type { Digest, Filters, Reference } from "../base/base.ts";
import type { Remote } from "../distribution/distribution.ts";
import type {
  HistoryResponseItem,
  ImageCollection,
  ImageConfiguration,
  ImageDeleteResponseItem,
  ImageDifference,
  ImageInspect,
  ImageLayerFile,
  ImageLayers,
  ImagePruneResponse,
  ImageSummary,
  Platform,
} from "../spec/spec.ts";
import type { CollectPolicy } from "./collect.ts";
import type { ListOptions } from "./list.ts";
import type { ManifestSummary } from "./manifest-summary.ts";
import type { PushOptions } from "./push.ts";

export interface Image {
  readonly id: Digest;
  readonly config: ImageConfiguration;
  /** Normalised `domain/path:tag`, sorted. */
  readonly references: readonly string[];
  /** Sum of its layers' tar sizes. */
  readonly sizeBytes: number;
}

export interface Images {
  /**
   * Finds by name (default tag `latest`), `name@digest`, full id, `sha256:` id or unique id prefix. Of several platforms under a name
   * the one that is asked for, else that of this machine, or the best there is.
   * @throws NotFound `No such image: x`, or none for that platform; InvalidParameter for a malformed or ambiguous one
   */
  resolve(reference: string, platform?: Platform): Image;
  /** All that a name stands for, or the one of an id. @throws as `resolve` */
  platforms(reference: string): readonly Image[];
  get(id: Digest): Image | undefined;
  /** By default all, without sizes that are shared. */
  list(filters: Filters, options?: ListOptions): ImageSummary[];
  /** @throws NotFound when there is none for the platform that is asked for, as `history`, `remove`, `push` and `save` do */
  inspect(reference: string, platform?: Platform): ImageInspect;
  /** The manifests that these names or ids stand for, each once: of an index all that it lists, also those that are not here. */
  manifests(references: readonly string[]): Promise<ManifestSummary[]>;
  history(reference: string, platform?: Platform): HistoryResponseItem[];
  tag(source: string, target: Reference): void;
  /** Docker's untag/delete rules. `usedBy` answers which containers use an image. */
  remove(reference: string, options: { force: boolean; noPrune: boolean; platform?: Platform }): Promise<ImageDeleteResponseItem[]>;
  /** Deletes images that no container stands on: `docker image prune`. */
  prune(filters: Filters): Promise<ImagePruneResponse>;
  /** Bytes of all layers, and of the compressed ones that are kept beside them; each counted once. */
  storedBytes(): number;
  /** A tar of a root file system as a new image of one layer. @returns its id */
  import(source: Readable, options: ImportOptions): Promise<Digest>;
  /**
   * What the remote's reference names, there and here; without a tag, all tags. Yields Docker's progress messages. Left early, or
   * aborted, it ends its transfers; the next one goes on with what is missing.
   * @throws EngineError
   */
  push(remote: Remote, options: PushOptions): AsyncIterable<Record<string, unknown>>;
  /**
   * What the remote's reference names; without tag and digest, all tags. Yields Docker's progress messages.
   * @throws EngineError, before the first message where nothing was found
   */
  pull(remote: Remote, options: { platform?: string; signal?: AbortSignal }): AsyncIterable<Record<string, unknown>>;
  /** docker-archive or OCI layout, plain or compressed. Yields Docker's progress messages (`{"stream":"Loaded image: …\n"}`). */
  load(source: Readable, options: { quiet: boolean; platform?: Platform }): AsyncIterable<Record<string, unknown>>;
  /** One tar that is docker-archive and OCI layout at once, the same bytes each time. */
  save(references: readonly string[], platform?: Platform): Promise<Readable>;
  /** What each layer adds, changes and hides: `berth image layers`. */
  layers(reference: string): Promise<ImageLayers>;
  /** The same, each path by itself. */
  layerFiles(reference: string): AsyncIterable<ImageLayerFile>;
  /** What another image's file system has otherwise: `berth image diff`. */
  differences(from: string, to: string): AsyncIterable<ImageDifference>;
  /** Writes an image from a configuration whose layers are all there. @returns its id */
  create(config: ImageConfiguration, reference?: Reference, parentId?: Digest): Promise<Digest>;
  /**
   * To be called when a container that stood on the image is gone. An image that was removed by force while a
   * stopped container stood on it is found by `get` only, until then; this deletes it with its layers.
   */
  release(id: Digest): Promise<void>;
  /** A container was made of it. */
  used(id: Digest): void;
  /** What is pinned the collector leaves. @throws NotFound */
  pin(reference: string, pinned: boolean): void;
  /** Removes what nobody has used for long, as the policy has it. With `dryRun`, tells what it would remove. */
  collect(policy: CollectPolicy, options?: { dryRun?: boolean }): Promise<ImageCollection>;
  /** Until disposed of, no layer's files are deleted: for work between `layers.ingest` and `create`, or on an image's layers. */
  hold(): Promise<AsyncDisposable>;
}

export interface ImportOptions {
  readonly reference?: Reference;
  readonly message: string;
  /** Dockerfile instructions (`CMD …`, `ENV …`). */
  readonly changes: readonly string[];
  readonly platform?: string;
}

export { archiveEnd, entryHeader, entryPadding } from "./archive-writer.ts";
export { applyChanges } from "./change-instructions.ts";
export type { CollectPolicy } from "./collect.ts";
export { asksForAnything, parseCollectPolicy } from "./collect-policy.ts";
export { hostPlatform } from "./platform.ts";
