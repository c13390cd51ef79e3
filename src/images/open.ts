/** Joins the verbs of images to one store. */
import type { Readable } from "node:stream";
import {
  type Digest,
  type Filters,
  familiarString,
  invalidParameter,
  Mutex,
  nowNanos,
  type Reference,
  withDefaultTag,
} from "../base/base.ts";
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
import { type CollectPolicy, collectImages } from "./collect.ts";
import { parseConfiguration } from "./configuration.ts";
import type { Image, Images, ImportOptions } from "./images.ts";
import { importImage } from "./import.ts";
import { historyOf, inspectImage } from "./inspect.ts";
import { compareImages, listLayerFiles, reportLayers } from "./layer-report.ts";
import { type ListOptions, listImages } from "./list.ts";
import { loadImages } from "./load.ts";
import { type ManifestSummary, summariseManifests } from "./manifest-summary.ts";
import { pruneImages } from "./prune.ts";
import { type PullOptions, pullImages } from "./pull.ts";
import { LayerPulls } from "./pull-layer.ts";
import { type PushOptions, pushImages } from "./push.ts";
import { removeImage } from "./remove.ts";
import { rowName } from "./resolve.ts";
import { saveImages } from "./save.ts";
import { ImageStore, type ImagesPorts, type StoredImage } from "./store.ts";

/** Opens the images and deletes what an interrupted load or removal left behind. */
export async function openImages(ports: ImagesPorts): Promise<Images> {
  const store = new ImageStore(ports);
  await store.sweep();
  return new StoredImages(store);
}

const useResolutionNanos = 60_000_000_000n;

class StoredImages implements Images {
  readonly #store: ImageStore;
  readonly #lastUsed = new Map<Digest, bigint>();
  readonly #collecting = new Mutex();
  readonly #layerPulls: LayerPulls;

  constructor(store: ImageStore) {
    this.#store = store;
    this.#layerPulls = new LayerPulls(store.ports);
  }

  resolve(reference: string, platform?: Platform): Image {
    return this.#find(reference, platform);
  }

  platforms(reference: string): readonly Image[] {
    return this.#store.find(reference).platforms;
  }

  #find(reference: string, platform?: Platform): StoredImage {
    return this.#store.find(reference, platform).image;
  }

  get(id: Digest): Image | undefined {
    return this.#store.get(id);
  }

  list(filters: Filters, options: ListOptions = { all: true, sharedSize: false }): ImageSummary[] {
    return listImages(this.#store, filters, options);
  }

  inspect(reference: string, platform?: Platform): ImageInspect {
    return inspectImage(this.#store, this.#find(reference, platform));
  }

  manifests(references: readonly string[]): Promise<ManifestSummary[]> {
    return summariseManifests(this.#store, references);
  }

  history(reference: string, platform?: Platform): HistoryResponseItem[] {
    return historyOf(this.#store, this.#find(reference, platform));
  }

  tag(source: string, target: Reference): void {
    if (target.digest !== undefined) throw invalidParameter("refusing to create a tag with a digest reference");
    if (target.path === "library/sha256") throw invalidParameter("refusing to create an ambiguous tag using digest algorithm as name");
    const { rows } = this.#store;
    const name = rowName(target);
    const { image, platforms, index } = this.#store.find(source);
    rows.durably(() => {
      for (const { id } of platforms) rows.point(name, id, nowNanos(), index);
    });
    this.#store.publish("tag", image.id, familiarString(withDefaultTag(target)));
  }

  async remove(reference: string, options: { force: boolean; noPrune: boolean; platform?: Platform }): Promise<ImageDeleteResponseItem[]> {
    return removeImage(this.#store, reference, options);
  }

  prune(filters: Filters): Promise<ImagePruneResponse> {
    return pruneImages(this.#store, filters);
  }

  storedBytes(): number {
    return this.#store.rows.storedBytes();
  }

  async release(id: Digest): Promise<void> {
    const { rows, ports, custody } = this.#store;
    if (rows.get(id)?.removed !== true || ports.usedBy(id).length > 0) return;
    rows.durably(() => this.#store.removeRow(id));
    await custody.deleteDoomed();
  }

  used(id: Digest): void {
    const now = nowNanos();
    // A container may be made many times a second; for the collector minutes are close enough.
    if (now - (this.#lastUsed.get(id) ?? 0n) < useResolutionNanos) return;
    this.#lastUsed.set(id, now);
    this.#store.rows.use(id, now);
  }

  pin(reference: string, pinned: boolean): void {
    const image = this.#find(reference);
    this.#store.rows.durably(() => this.#store.rows.pin(image.id, pinned));
    this.#store.publish(pinned ? "pin" : "unpin", image.id, reference);
  }

  collect(policy: CollectPolicy, { dryRun = false }: { dryRun?: boolean } = {}): Promise<ImageCollection> {
    return this.#collecting.run(() => collectImages(this.#store, policy, dryRun));
  }

  hold(): Promise<AsyncDisposable> {
    return this.#store.custody.hold();
  }

  import(source: Readable, options: ImportOptions): Promise<Digest> {
    return importImage(this.#store, source, options);
  }

  load(source: Readable, options: { quiet: boolean; platform?: Platform }): AsyncIterable<Record<string, unknown>> {
    return loadImages(this.#store, source, options);
  }

  push(remote: Remote, options: PushOptions): AsyncIterable<Record<string, unknown>> {
    return pushImages(this.#store, remote, options);
  }

  pull(remote: Remote, options: PullOptions): AsyncIterable<Record<string, unknown>> {
    return pullImages(this.#store, this.#layerPulls, remote, options);
  }

  save(references: readonly string[], platform?: Platform): Promise<Readable> {
    return saveImages(this.#store, references, platform);
  }

  async layers(reference: string): Promise<ImageLayers> {
    return await reportLayers(this.#store, this.#find(reference));
  }

  layerFiles(reference: string): AsyncIterable<ImageLayerFile> {
    return listLayerFiles(this.#store, this.#find(reference));
  }

  differences(from: string, to: string): AsyncIterable<ImageDifference> {
    return compareImages(this.#store, this.#find(from), this.#find(to));
  }

  async create(config: ImageConfiguration, reference?: Reference, parentId?: Digest): Promise<Digest> {
    await using _held = await this.#store.custody.hold();
    const bytes = Buffer.from(JSON.stringify(config));
    const references = reference === undefined ? [] : [rowName(reference)];
    const parent = parentId === undefined ? {} : { parentId };
    const [added] = await this.#store.add([{ bytes, config: parseConfiguration(bytes), references, ...parent }]);
    if (added === undefined) throw new Error("an image was stored without an id");
    if (reference !== undefined) this.#store.publish("tag", added.id, familiarString(withDefaultTag(reference)));
    return added.id;
  }
}
