/** The images that are there: rows, configurations and the files below them, changed together. */

import { type ContainerId, type Digest, digestOf, isDigest, log, notFound, nowNanos, systemError } from "../base/base.ts";
import type { Content } from "../content/content.ts";
import type { Remote } from "../distribution/distribution.ts";
import type { Events } from "../events/events.ts";
import type { Layers } from "../layers/layers.ts";
import type { Platform } from "../spec/spec.ts";
import { type Database, type ImageRow, ImageRows, type IndexPartRow, type LayerBlobRow, type LayerRow } from "../state/state.ts";
import { chooseImage } from "./choose-platform.ts";
import { checkDepth, createdNanosOf, type DockerConfiguration, parseConfiguration } from "./configuration.ts";
import { Custody } from "./custody.ts";
import type { Image } from "./images.ts";
import { resolveTarget } from "./resolve.ts";

export interface ImagesPorts {
  readonly database: Database;
  readonly content: Content;
  readonly layers: Layers;
  /** The containers that stand on an image. */
  readonly usedBy: (image: Digest) => readonly { readonly id: ContainerId; readonly running: boolean }[];
  readonly events: Pick<Events, "publish">;
  /** Asked with what a registry has under a name, before anything of it is pulled. @throws Forbidden when that may not be pulled */
  readonly admit?: (remote: Remote, digest: Digest, signal: AbortSignal) => Promise<void>;
}

export interface StoredImage extends Image {
  readonly config: DockerConfiguration;
  readonly row: ImageRow;
}

/** What a user's word stands for. */
export interface Found {
  /** The one that is meant where one is asked for. */
  readonly image: StoredImage;
  /** Of a name that stands for an index all that are here, else this one. */
  readonly platforms: readonly StoredImage[];
  readonly index?: Digest;
}

/** An image as lists show it. */
export interface ListedImage {
  readonly image: StoredImage;
  /** The names that stand for it, or for an index of whose images here it is the first choice. */
  readonly names: readonly string[];
  /** Itself, and the others under these names. */
  readonly platforms: readonly StoredImage[];
}

export interface PreparedImage {
  /** The configuration, to the byte. */
  readonly bytes: Uint8Array;
  readonly config: DockerConfiguration;
  /** Normalised `domain/path:tag`. */
  readonly references: readonly string[];
  /** What the references stand for, where that is an index: one of the manifests. */
  readonly index?: Digest;
  /** What of the index is there besides its images. Those without bytes the caller has put into `content`, and pinned. */
  readonly parts?: readonly (IndexPartRow & { readonly bytes?: Uint8Array })[];
  readonly parentId?: Digest;
  /** As what it came: its own manifest and the indexes that list this, to the byte. */
  readonly manifests?: readonly PreparedManifest[];
  /** As what its layers came. Where they are compressed, the caller has put them into `content`, and pinned them. */
  readonly blobs?: readonly LayerBlobRow[];
  /** `domain/path` where the blobs are. */
  readonly repository?: string;
}

export interface PreparedManifest {
  readonly kind: "image" | "index";
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export class ImageStore {
  readonly rows: ImageRows;
  readonly custody: Custody;
  readonly ports: ImagesPorts;
  /** Parsed configurations: an image's never changes. */
  readonly #configs = new Map<Digest, DockerConfiguration>();

  constructor(ports: ImagesPorts) {
    this.ports = ports;
    this.rows = new ImageRows(ports.database);
    this.custody = new Custody({ rows: this.rows, content: ports.content, layers: ports.layers });
  }

  /** Any image, also one that was removed while a container stands on it. */
  get(id: Digest): StoredImage | undefined {
    const row = this.rows.get(id);
    return row === undefined ? undefined : this.#toImage(row, this.rows.referencesOf(id));
  }

  /** All that were not removed, in no order. */
  all(): StoredImage[] {
    const names = Map.groupBy(this.rows.references(), (reference) => reference.id);
    return this.rows.all().map((row) =>
      this.#toImage(
        row,
        (names.get(row.id) ?? []).map((reference) => reference.name),
      ),
    );
  }

  /** All that were not removed, but those that only are another platform of one. */
  listed(): ListedImage[] {
    const images = new Map(this.all().map((image) => [image.id, image]));
    const first = new Map<Digest, { names: string[]; platforms: Set<StoredImage> }>();
    for (const [name, references] of Map.groupBy(this.rows.references(), (reference) => reference.name)) {
      const [one, ...more] = references.flatMap(({ id }) => images.get(id) ?? []);
      if (one === undefined) continue;
      const chosen = chooseImage(name, [one, ...more], undefined);
      const listed = first.get(chosen.id) ?? { names: [], platforms: new Set([chosen]) };
      listed.names.push(name);
      for (const image of [one, ...more]) listed.platforms.add(image);
      first.set(chosen.id, listed);
    }
    return [...images.values()].flatMap((image) => {
      const { names, platforms } = first.get(image.id) ?? { names: [], platforms: [image] };
      return names.length === 0 && image.references.length > 0 ? [] : [{ image, names, platforms: [...platforms] }];
    });
  }

  /** @throws NotFound, InvalidParameter */
  find(text: string, wanted?: Platform): Found {
    const { ids, index } = resolveTarget(this.rows, text);
    const [first, ...others] = ids.flatMap((id) => this.get(id) ?? []);
    if (first === undefined) throw notFound(`No such image: ${text}`);
    const image = chooseImage(text, [first, ...others], wanted);
    return { image, platforms: [first, ...others], ...(index === undefined ? {} : { index }) };
  }

  #toImage(row: ImageRow, references: readonly string[]): StoredImage {
    let config = this.#configs.get(row.id);
    if (config === undefined) {
      config = parseConfiguration(row.record);
      this.#configs.set(row.id, config);
    }
    return { id: row.id, config, references, sizeBytes: row.sizeBytes, row };
  }

  /**
   * Stores images whose layers are all in `layers`, in one transaction. The caller has pinned these.
   * @returns per image its id and, by reference, the images that had the reference before
   */
  async add(images: readonly PreparedImage[]): Promise<{ id: Digest; displaced: { reference: string; from: Digest }[] }[]> {
    const prepared: { image: PreparedImage; layers: LayerRow[] }[] = [];
    for (const { config } of images) checkDepth(config.rootfs.diff_ids);
    for (const image of images) prepared.push({ image, layers: await this.#layerRows(image.config.rootfs.diff_ids) });
    await using pins = this.custody.pins();
    for (const { image } of prepared) {
      for (const { bytes } of [image, ...(image.manifests ?? []), ...(image.parts ?? [])]) {
        if (bytes === undefined) continue;
        await pins.blob(digestOf(bytes));
        await this.ports.content.put(bytes);
      }
    }
    return this.rows.durably(() => prepared.map(({ image, layers }) => this.#addRow(image, layers)));
  }

  #addRow(image: PreparedImage, layers: readonly LayerRow[]): { id: Digest; displaced: { reference: string; from: Digest }[] } {
    const id = digestOf(image.bytes);
    this.rows.add({
      id,
      createdNanos: createdNanosOf(image.config),
      record: Buffer.from(image.bytes).toString(),
      layers,
      ...(image.parentId === undefined ? {} : { parentId: image.parentId }),
    });
    for (const { bytes, kind, mediaType } of image.manifests ?? [])
      this.rows.addManifest(id, { digest: digestOf(bytes), kind, mediaType, sizeBytes: bytes.byteLength });
    if (image.index !== undefined) for (const part of image.parts ?? []) this.rows.addIndexPart(image.index, part);
    for (const blob of image.blobs ?? []) this.rows.addBlob(blob, image.repository, nowNanos());
    this.rows.use(id, nowNanos());
    const displaced: { reference: string; from: Digest }[] = [];
    for (const reference of image.references) {
      for (const from of this.rows.point(reference, id, nowNanos(), image.index)) displaced.push({ reference, from });
    }
    return { id, displaced };
  }

  async #layerRows(diffIds: readonly Digest[]): Promise<LayerRow[]> {
    const rows: LayerRow[] = [];
    for (const diffId of diffIds) {
      const row = this.rows.layer(diffId);
      if (row === undefined && !(await this.ports.layers.has(diffId))) throw systemError(`layer ${diffId} is not in the store`);
      rows.push(row ?? { diffId, sizeBytes: await this.ports.layers.sizeOf(diffId) });
    }
    return rows;
  }

  /** Makes a name stand for an index of which images are here. */
  nameIndex(name: string, index: Digest): void {
    this.rows.durably(() => {
      for (const id of this.rows.imagesOfManifest(index)) this.rows.point(name, id, this.rows.get(id)?.taggedNanos ?? nowNanos(), index);
    });
  }

  /** Writes down what of an index is there besides its images. The caller has put these into `content`, and pinned them. */
  addParts(index: Digest, parts: readonly IndexPartRow[]): void {
    this.rows.durably(() => {
      if (this.rows.manifest(index) !== undefined) for (const part of parts) this.rows.addIndexPart(index, part);
    });
  }

  /** Deletes an image's row and dooms its files. Within a transaction. @returns the layers that went with it, topmost first */
  removeRow(id: Digest): Digest[] {
    const removed = this.rows.remove(id);
    this.#configs.delete(id);
    this.custody.doom(removed);
    return removed.layers;
  }

  /** Docker's image event: the image's labels, and `name`. `image` stands in for one that is gone by now. */
  publish(action: string, id: Digest, name: string, image: StoredImage | undefined = this.get(id)): void {
    this.ports.events.publish("image", action, id, { ...image?.config.config?.Labels, name });
  }

  /** At start: what no row names is deleted, what a row names and is not there is told. */
  async sweep(): Promise<void> {
    const { content, layers, usedBy } = this.ports;
    for (const { id, removed } of this.rows.ids()) if (removed && usedBy(id).length === 0) this.rows.durably(() => this.removeRow(id));
    const diffIds = new Set(this.rows.layers().map((row) => row.diffId));
    const ids = new Set(this.rows.ids().map((row) => row.id));
    await layers.sweep(diffIds);
    await content.sweep(this.rows.blobs());
    for (const diffId of diffIds) if (!(await layers.has(diffId))) log.error("a layer's files are missing", { diffId });
    for (const id of ids) if (isDigest(id) && !(await content.has(id))) log.error("an image's configuration is missing", { image: id });
  }
}
