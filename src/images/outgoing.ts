/**
 * An image on its way to registries. What came from one goes out as it came: its manifest and its layers' blobs to the byte. A
 * layer that was made here is compressed once, and the blob kept as long as the layer, so that it has one digest ever after.
 */
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { type Digest, digestOf, isEngineError, notFound, nowNanos, type Reference, repositoryOf, transaction } from "../base/base.ts";
import { Gate } from "../distribution/gate.ts";
import { type Descriptor, type ImageManifest, mediaTypes } from "../spec/spec.ts";
import type { Pins } from "./custody.ts";
import { GrowingFile } from "./growing-file.ts";
import { gzip } from "./gzip.ts";
import { parseManifest } from "./manifest.ts";
import { rowName } from "./resolve.ts";
import type { ImageStore } from "./store.ts";

/** Bytes at a time on their way out of a file. */
const readBytes = 1 << 20;
const gzipLayer = `${mediaTypes.dockerLayer}.gzip`;
/** Layers of all pushes that are being compressed; each in several threads. */
const compressing = new Gate(3);
/** What is smaller is compressed before it is sent: the registry can be asked for it then. */
const growingBytes = 4 << 20;
/** One layer is compressed by one at a time: who comes second finds what the first has made. */
const atWork = new Map<Digest, Promise<unknown>>();

export interface OutgoingBlob {
  readonly descriptor: Descriptor;
  /** Not for registries: had from elsewhere. */
  readonly isForeign: boolean;
  /** `domain/path` where it was seen, the latest first. */
  readonly repositories: readonly string[];
  open(offset: number): Promise<Readable>;
}

export interface OutgoingManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface CompressOptions {
  /** Told how many bytes of how many have been compressed. */
  readonly onRead?: (bytes: number, total: number) => void;
  /**
   * Told when a large layer begins to be compressed, so that it can be sent meanwhile.
   * @param file to be disposed of by who is told. @param expectedBytes not less than there will be, or hardly
   */
  readonly onGrowing?: (file: GrowingFile, expectedBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Its files stay until it is disposed of.
 * @param listed the manifest by which an index lists the image: that one goes out, while all of it is here
 * @throws NotFound
 */
export async function openOutgoing(store: ImageStore, id: Digest, listed?: Digest): Promise<Outgoing> {
  await using stack = new AsyncDisposableStack();
  const pins = stack.use(store.custody.pins());
  const layers = store.rows.layersOf(id);
  for (const { diffId } of layers) await pins.layer(diffId);
  const blobs = [id, ...store.rows.manifestsOf(id).map((row) => row.digest)];
  for (const { diffId } of layers) blobs.push(...store.rows.blobsOf(diffId).map((row) => row.digest));
  for (const digest of new Set(blobs)) await pins.blob(digest);
  if (store.rows.get(id) === undefined) throw notFound(`No such image: ${id}`);
  const config = await store.ports.content.read(id);
  const diffIds = layers.map((layer) => layer.diffId);
  const known = await wholeManifest(store, id, listed);
  const stays = stack.move();
  return new Outgoing({ store, pins, id, config, diffIds, known }, () => stays.disposeAsync());
}

/** A manifest all of whose layers are here as it lists them. */
export interface WholeManifest {
  readonly manifest: OutgoingManifest;
  readonly layers: readonly Descriptor[];
}

/** The latest of an image's manifests that is whole, or `only` this one if it is. */
export async function wholeManifest(store: ImageStore, id: Digest, only?: Digest): Promise<WholeManifest | undefined> {
  const diffIds = store.rows.layersOf(id).map((layer) => layer.diffId);
  for (const row of store.rows.manifestsOf(id).reverse()) {
    if (row.kind !== "image" || (only ?? row.digest) !== row.digest) continue;
    const bytes = await readIfThere(store, row.digest);
    const document = bytes === undefined ? undefined : parseManifest(bytes, row.mediaType);
    if (bytes === undefined || document?.kind !== "manifest") continue;
    const { layers } = document.manifest;
    if (layers.length !== diffIds.length) continue;
    const all = await Promise.all(layers.map(async (layer, index) => isForeign(layer) || (await isHere(store, diffIds[index], layer))));
    if (all.every((here) => here)) return { manifest: { mediaType: row.mediaType, bytes }, layers };
  }
  return undefined;
}

async function readIfThere(store: ImageStore, digest: Digest): Promise<Uint8Array | undefined> {
  try {
    return await store.ports.content.read(digest);
  } catch (error) {
    if (isEngineError(error, "NotFound")) return undefined;
    throw error;
  }
}

/** One that is had from elsewhere, and that registries do not take. */
export function isForeign({ mediaType, urls }: Descriptor): boolean {
  return /foreign|nondistributable/.test(mediaType) && (urls ?? []).length > 0;
}

async function isHere(store: ImageStore, diffId: Digest | undefined, blob: { digest: Digest; size: number }): Promise<boolean> {
  if (diffId === undefined || !store.rows.blobsOf(diffId).some((row) => row.digest === blob.digest)) return false;
  return blob.digest === diffId || (await store.ports.content.sizeOf(blob.digest)) === blob.size;
}

export class Outgoing implements AsyncDisposable {
  readonly id: Digest;
  /** To the byte. */
  readonly config: Uint8Array;
  /** Base first. */
  readonly diffIds: readonly Digest[];
  readonly #store: ImageStore;
  readonly #pins: Pins;
  readonly #known: WholeManifest | undefined;
  readonly #letGo: () => Promise<void>;

  constructor(
    parts: {
      readonly store: ImageStore;
      readonly pins: Pins;
      readonly id: Digest;
      readonly config: Uint8Array;
      readonly diffIds: readonly Digest[];
      readonly known: WholeManifest | undefined;
    },
    letGo: () => Promise<void>,
  ) {
    this.id = parts.id;
    this.config = parts.config;
    this.diffIds = parts.diffIds;
    this.#store = parts.store;
    this.#pins = parts.pins;
    this.#known = parts.known;
    this.#letGo = letGo;
  }

  /** As what the layer at a position goes out. One that was made here and never went is compressed first. */
  async blob(position: number, options: CompressOptions): Promise<OutgoingBlob> {
    const diffId = this.diffIds[position];
    if (diffId === undefined) throw new RangeError(`the image has no layer ${position}`);
    const listed = this.#known?.layers[position];
    if (listed !== undefined) return this.#outgoing(diffId, listed);
    for (let other = atWork.get(diffId); other !== undefined; other = atWork.get(diffId)) await other.catch(() => undefined);
    const work = this.#compressed(diffId, options);
    atWork.set(diffId, work);
    try {
      return this.#outgoing(diffId, { mediaType: gzipLayer, ...(await work) });
    } finally {
      atWork.delete(diffId);
    }
  }

  #outgoing(diffId: Digest, descriptor: Descriptor): OutgoingBlob {
    const { content, layers } = this.#store.ports;
    const { digest } = descriptor;
    return {
      descriptor,
      isForeign: isForeign(descriptor),
      repositories: this.#store.rows.repositoriesOf(digest),
      open: async (offset) => {
        if (digest !== diffId) return content.open(digest, offset);
        const file = await open(layers.tarPath(diffId), "r");
        return file.createReadStream({ start: offset, highWaterMark: readBytes });
      },
    };
  }

  /** As the layer is kept for registries already, else compressed now. */
  async #compressed(diffId: Digest, options: CompressOptions): Promise<{ digest: Digest; size: number }> {
    const { rows, ports } = this.#store;
    for (const row of rows.blobsOf(diffId)) {
      if (!row.mediaType.endsWith("gzip")) continue;
      await this.#pins.blob(row.digest);
      if ((await ports.content.sizeOf(row.digest)) === row.sizeBytes) return { digest: row.digest, size: row.sizeBytes };
    }
    using _turn = await compressing.enter(this, options.signal);
    for (;;) {
      const { digest, sizeBytes } = await this.#compress(diffId, options);
      await this.#pins.blob(digest);
      // It may have gone with an image that had it, in the moment before it was pinned.
      if ((await ports.content.sizeOf(digest)) !== sizeBytes) continue;
      transaction(ports.database, () => {
        // The image may be gone, and only its files be kept for us.
        if (rows.layer(diffId) !== undefined) rows.addBlob({ diffId, digest, mediaType: gzipLayer, sizeBytes }, undefined, nowNanos());
      });
      return { digest, size: sizeBytes };
    }
  }

  async #compress(diffId: Digest, { onRead, onGrowing, signal }: CompressOptions): Promise<{ digest: Digest; sizeBytes: number }> {
    const { content, layers } = this.#store.ports;
    await using file = await open(layers.tarPath(diffId), "r");
    const { size } = await file.stat();
    const told = onRead === undefined ? {} : { onRead: (bytes: number) => onRead(bytes, size) };
    const source = Readable.from(gzip(file, size, { ...told, ...(signal === undefined ? {} : { signal }) }), { objectMode: false });
    const followers: GrowingFile[] = [];
    const follow = async (path: string): Promise<GrowingFile | undefined> => {
      if (onGrowing === undefined || size < growingBytes) return undefined;
      const growing = await GrowingFile.at(path);
      followers.push(growing);
      onGrowing(growing, size);
      return growing;
    };
    try {
      const stored = await content.ingest(source, undefined, { synced: false, follow });
      for (const growing of followers) growing.end();
      return stored;
    } catch (error) {
      for (const growing of followers) growing.fail(error);
      throw error;
    }
  }

  /** @param blobs of all layers, base first */
  manifest(blobs: readonly OutgoingBlob[]): OutgoingManifest {
    return this.#known?.manifest ?? newManifest(this.id, this.config.byteLength, blobs);
  }

  /** Writes down that a repository has the blob. */
  seen(position: number, { descriptor }: OutgoingBlob, reference: Reference): void {
    const { rows, ports } = this.#store;
    const diffId = this.diffIds[position];
    const { digest, mediaType, size } = descriptor;
    transaction(ports.database, () => {
      if (diffId === undefined || rows.layer(diffId) === undefined) return;
      rows.addBlob({ diffId, digest, mediaType, sizeBytes: size }, repositoryOf(reference), nowNanos());
    });
  }

  /** Writes down that a repository has the image. */
  async pushed({ domain, path }: Reference, { mediaType, bytes }: OutgoingManifest): Promise<void> {
    const { rows, ports } = this.#store;
    const digest = digestOf(bytes);
    await this.#pins.blob(digest);
    await ports.content.put(bytes);
    rows.durably(() => {
      const row = rows.get(this.id);
      if (row === undefined || row.removed) return;
      rows.addManifest(this.id, { digest, kind: "image", mediaType, sizeBytes: bytes.byteLength });
      rows.point(rowName({ domain, path, digest }), this.id, row.taggedNanos ?? nowNanos());
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#letGo();
  }
}

/** Image Manifest Version 2, Schema 2, laid out as Docker lays it out. */
function newManifest(id: Digest, configBytes: number, blobs: readonly OutgoingBlob[]): OutgoingManifest {
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: { mediaType: mediaTypes.dockerConfig, size: configBytes, digest: id },
    layers: blobs.map(({ descriptor: { digest, size } }) => ({ mediaType: gzipLayer, size, digest })),
  };
  return { mediaType: mediaTypes.dockerManifest, bytes: Buffer.from(JSON.stringify(manifest, undefined, 3)) };
}
