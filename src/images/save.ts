/**
 * `docker save`: one tar that is a docker-archive (manifest.json) and an OCI image layout (index.json) over the
 * same blobs. Sorted, without times: the same images give the same bytes. Layers stream from their files, as
 * fast as the reader takes them.
 */
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import {
  type Digest,
  digestOf,
  familiarString,
  isDigest,
  isEngineError,
  notFound,
  parseReference,
  type Reference,
  repositoryOf,
} from "../base/base.ts";
import { type Descriptor, type ImageIndex, mediaTypes, type Platform } from "../spec/spec.ts";
import { blobPath } from "./archive-contents.ts";
import { archiveEnd, type Entry, entryHeader, entryPadding } from "./archive-writer.ts";
import { chooseImage } from "./choose-platform.ts";
import { type IndexTree, readIndex, type WholeLeaf, wholeLeaves } from "./index-tree.ts";
import { isForeign } from "./outgoing.ts";
import { familiarOf, rowName } from "./resolve.ts";
import type { Found, ImageStore } from "./store.ts";
import { manifestOf } from "./stored-manifest.ts";

/** Content of one member: bytes, or an open file. */
type Source = Buffer | { readonly stream: Readable; readonly sizeBytes: number };

/** An image, or an index with what of it is here, under some of its names. */
type Chosen = { readonly names: Set<string>; readonly image: Digest } & (
  | { readonly kind: "image" }
  | { readonly kind: "index"; readonly tree: IndexTree; readonly leaves: readonly WholeLeaf[] }
);

/** What goes into the archive, by its digest, in the order in which it was asked for. */
type Selection = Map<Digest, Chosen>;

export async function saveImages(store: ImageStore, references: readonly string[], platform?: Platform): Promise<Readable> {
  // While held, no file is deleted; once open, deleting one does not hurt.
  await using _held = await store.custody.hold();
  await using files = new AsyncDisposableStack();
  const selection = await select(store, references, platform);
  const members = await collect(store, selection, files);
  for (const { image } of selection.values()) store.publish("save", image, image);
  const stream = Readable.from(write(members), { objectMode: false, highWaterMark: 1 << 20 });
  const opened = files.move();
  // Also of a stream that nobody has begun to read.
  stream.once("close", () => void opened.disposeAsync());
  return stream;
}

/** As Docker has it: a name without a tag stands for all tags of the repository, an id for the image without a name. */
async function select(store: ImageStore, references: readonly string[], platform: Platform | undefined): Promise<Selection> {
  const selection: Selection = new Map();
  const add = async (found: Found, name?: string): Promise<void> => {
    const { digest, chosen } = await choose(store, found, platform);
    const known = selection.get(digest) ?? chosen;
    if (name !== undefined) known.names.add(name);
    selection.set(digest, known);
  };
  for (const text of references) {
    const isId = isDigest(text) || /^[0-9a-f]{64}$/.test(text);
    const reference = isId ? undefined : parseReference(text);
    if (reference === undefined || reference.path === "library/sha256") {
      await add(store.find(text, platform));
    } else if (reference.tag === undefined && reference.digest === undefined) {
      const prefix = `${repositoryOf(reference)}:`;
      const tags = new Set(store.rows.references().flatMap(({ name }) => (name.startsWith(prefix) ? [name] : [])));
      for (const name of tags) await add(store.find(familiarOf(name), platform), name);
      if (tags.size === 0) await add(byIdPrefix(store, text, reference, platform));
    } else {
      if (store.rows.targetOf(rowName(reference)) === undefined) throw notFound("reference does not exist");
      await add(store.find(text, platform), reference.digest === undefined ? rowName(reference) : undefined);
    }
  }
  return selection;
}

/** @throws NotFound in the words of a repository that has no tags */
function byIdPrefix(store: ImageStore, text: string, repository: Reference, platform: Platform | undefined): Found {
  try {
    return store.find(text, platform);
  } catch (error) {
    const isUnknown = isEngineError(error, "NotFound") && error.message.startsWith("No such image");
    throw isUnknown ? notFound(`No such image: ${familiarString(repository)}`, error) : error;
  }
}

/** An index goes out as one when several of its manifests are here, or all; else its one image does. */
async function choose(store: ImageStore, found: Found, platform: Platform | undefined): Promise<{ digest: Digest; chosen: Chosen }> {
  const { index, platforms, image } = found;
  const asImage = { digest: image.id, chosen: { kind: "image", image: image.id, names: new Set<string>() } } as const;
  if (index === undefined || platform !== undefined) return asImage;
  const tree = await readIndex(store, index);
  const all = await wholeLeaves(store, tree);
  const leaves = all.filter((leaf) => leaf !== null);
  const [first, ...others] = platforms.filter(({ id }) => leaves.some((leaf) => leaf.kind === "image" && leaf.image === id));
  if (first === undefined || (leaves.length < 2 && leaves.length < all.length)) return asImage;
  const preferred = chooseImage(index, [first, ...others], undefined).id;
  return { digest: index, chosen: { kind: "index", tree, leaves, image: preferred, names: new Set<string>() } };
}

async function collect(store: ImageStore, selection: Selection, files: AsyncDisposableStack): Promise<Map<string, Source>> {
  const archive = new Archive(store, files);
  for (const chosen of selection.values()) {
    if (chosen.kind === "image") await archive.addImage(chosen.image, [...chosen.names].sort());
    else await archive.addIndex(chosen, [...chosen.names].sort());
  }
  return archive.finish();
}

/** The members come together here, each blob once. */
class Archive {
  readonly #store: ImageStore;
  readonly #files: AsyncDisposableStack;
  readonly #members = new Map<string, Source>();
  readonly #entries: Descriptor[] = [];
  readonly #items: object[] = [];
  readonly #repositories: Record<string, Record<string, string>> = {};

  constructor(store: ImageStore, files: AsyncDisposableStack) {
    this.#store = store;
    this.#files = files;
  }

  /** Its layers as they are kept, uncompressed. */
  async addImage(id: Digest, names: readonly string[]): Promise<void> {
    const image = this.#store.get(id);
    if (image === undefined) throw notFound(`No such image: ${id}`);
    const { layers, ...manifest } = manifestOf(this.#store, image);
    for (const { digest, size } of layers) await this.#addLayer(digest, digest, size);
    await this.#addConfiguration(id);
    this.#addBytes(manifest.bytes);
    this.#list(manifest.descriptor, names);
    const LayerSources = Object.fromEntries(layers.map(({ mediaType, size, digest }) => [digest, { mediaType, size, digest }]));
    this.#items.push({ ...itemOf(id, layers, names), LayerSources });
    recordRepositories(this.#repositories, names, layers.at(-1)?.digest);
  }

  /** All to the byte as it came. `manifest.json` tells of one platform only, as Docker's does. */
  async addIndex({ tree, leaves, image }: Chosen & { readonly kind: "index" }, names: readonly string[]): Promise<void> {
    for (const { bytes } of tree.indexes) this.#addBytes(bytes);
    for (const leaf of leaves) {
      if (leaf.kind === "part") {
        this.#addBytes(leaf.bytes);
        for (const { digest, size } of [leaf.manifest.config, ...leaf.manifest.layers]) await this.#addBlob(digest, size);
        continue;
      }
      const diffIds = this.#store.rows.layersOf(leaf.image).map(({ diffId }) => diffId);
      const { manifest, layers } = leaf.whole;
      for (const [position, { digest, size }] of layers.entries()) {
        const isElsewhere = isForeign(layers[position] as Descriptor) && (await this.#store.ports.content.sizeOf(digest)) !== size;
        if (!isElsewhere) await this.#addLayer(digest, diffIds[position], size);
      }
      await this.#addConfiguration(leaf.image);
      this.#addBytes(manifest.bytes);
    }
    this.#list(tree.descriptor, names);
    const preferred = leaves.find((leaf) => leaf.kind === "image" && leaf.image === image);
    if (preferred?.kind === "image") this.#items.push(itemOf(image, preferred.whole.layers, names));
  }

  finish(): Map<string, Source> {
    const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
    const index: ImageIndex = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: this.#entries };
    this.#members.set("index.json", json(index));
    this.#members.set("manifest.json", json(this.#items));
    this.#members.set("oci-layout", json({ imageLayoutVersion: "1.0.0" }));
    if (Object.keys(this.#repositories).length > 0) this.#members.set("repositories", json(this.#repositories));
    return this.#members;
  }

  #list(descriptor: Descriptor, names: readonly string[]): void {
    if (names.length === 0) this.#entries.push(descriptor);
    for (const name of names) this.#entries.push({ ...descriptor, annotations: annotationsOf(name) });
  }

  #addBytes(bytes: Uint8Array): void {
    this.#members.set(blobPath(digestOf(bytes)), Buffer.from(bytes));
  }

  async #addConfiguration(id: Digest): Promise<void> {
    this.#members.set(blobPath(id), Buffer.from(await this.#store.ports.content.read(id)));
  }

  /** The layer's tar, or the compressed blob that it came as. */
  async #addLayer(digest: Digest, diffId: Digest | undefined, sizeBytes: number): Promise<void> {
    if (digest !== diffId) return await this.#addBlob(digest, sizeBytes);
    if (this.#members.has(blobPath(digest))) return;
    const file = await open(this.#store.ports.layers.tarPath(digest), "r");
    this.#addStream(digest, file.createReadStream({ highWaterMark: readBytes }), sizeBytes);
  }

  async #addBlob(digest: Digest, sizeBytes: number): Promise<void> {
    if (this.#members.has(blobPath(digest))) return;
    this.#addStream(digest, await this.#store.ports.content.open(digest), sizeBytes);
  }

  #addStream(digest: Digest, stream: Readable, sizeBytes: number): void {
    this.#files.defer(() => void stream.destroy());
    this.#members.set(blobPath(digest), { stream, sizeBytes });
  }
}

function itemOf(id: Digest, layers: readonly Descriptor[], names: readonly string[]): object {
  return {
    Config: blobPath(id),
    RepoTags: names.length === 0 ? null : names.map(familiarOf),
    Layers: layers.map(({ digest }) => blobPath(digest)),
  };
}

function annotationsOf(name: string): Record<string, string> {
  return { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.slice(name.lastIndexOf(":") + 1) };
}

/** The file by which tools older than manifest.json find a name's top layer. */
function recordRepositories(repositories: Record<string, Record<string, string>>, names: readonly string[], top: Digest | undefined): void {
  if (top === undefined) return;
  for (const name of names) {
    const familiar = familiarOf(name);
    const colon = familiar.lastIndexOf(":");
    const repository = familiar.slice(0, colon);
    repositories[repository] = { ...repositories[repository], [familiar.slice(colon + 1)]: top.slice("sha256:".length) };
  }
}

const readBytes = 1 << 20;

async function* write(members: ReadonlyMap<string, Source>): AsyncGenerator<Uint8Array> {
  const directory = (name: string): Entry => ({ name, type: "directory", sizeBytes: 0 });
  yield Buffer.concat([entryHeader(directory("blobs/")), entryHeader(directory("blobs/sha256/"))]);
  for (const name of [...members.keys()].sort()) {
    const source = members.get(name) as Source;
    const sizeBytes = Buffer.isBuffer(source) ? source.length : source.sizeBytes;
    yield entryHeader({ name, type: "file", sizeBytes });
    if (Buffer.isBuffer(source)) yield source;
    else yield* whole(source.stream, sizeBytes, name);
    yield entryPadding(sizeBytes);
  }
  yield archiveEnd();
}

async function* whole(stream: Readable, sizeBytes: number, name: string): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    sent += chunk.byteLength;
    if (sent > sizeBytes) break;
    yield chunk;
  }
  if (sent !== sizeBytes) throw new Error(`${name} has not the ${sizeBytes} bytes that it should have`);
}
