/**
 * `docker save`: one tar that is a docker-archive (manifest.json) and an OCI image layout (index.json) over the
 * same blobs. Sorted, without times: the same images give the same bytes. Layers stream from their files, as
 * fast as the reader takes them.
 */
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import {
  type Digest,
  familiarString,
  isDigest,
  isEngineError,
  notFound,
  parseReference,
  type Reference,
  repositoryOf,
} from "../base/base.ts";
import { type ImageIndex, mediaTypes, type Platform } from "../spec/spec.ts";
import { blobPath } from "./archive-contents.ts";
import { archiveEnd, type Entry, entryHeader, entryPadding } from "./archive-writer.ts";
import { requirePlatform } from "./choose-platform.ts";
import { familiarOf, resolveId, rowName } from "./resolve.ts";
import type { ImageStore } from "./store.ts";
import { manifestOf } from "./stored-manifest.ts";

/** Content of one member: bytes, or a layer's open file. */
type Source = Buffer | { readonly file: FileHandle; readonly sizeBytes: number };

/** Which names of which image go into the archive, in the order in which they were asked for. */
type Selection = Map<Digest, Set<string>>;

export async function saveImages(store: ImageStore, references: readonly string[], platform?: Platform): Promise<Readable> {
  // While held, no file is deleted; once open, deleting one does not hurt.
  await using _held = await store.custody.hold();
  await using files = new AsyncDisposableStack();
  const selection = select(store, references);
  for (const [id, names] of selection) {
    const config = store.get(id)?.config;
    if (config !== undefined) requirePlatform([...names].map(familiarOf)[0] ?? id, config, platform);
  }
  const members = await collect(store, selection, files);
  for (const id of selection.keys()) store.publish("save", id, id);
  const stream = Readable.from(write(members), { objectMode: false, highWaterMark: 1 << 20 });
  const opened = files.move();
  // Also of a stream that nobody has begun to read.
  stream.once("close", () => void opened.disposeAsync());
  return stream;
}

/** As Docker has it: a name without a tag stands for all tags of the repository, an id for the image without a name. */
function select(store: ImageStore, references: readonly string[]): Selection {
  const selection: Selection = new Map();
  const add = (id: Digest, names: readonly string[]): void => {
    const known = selection.get(id) ?? new Set<string>();
    for (const name of names) known.add(name);
    selection.set(id, known);
  };
  for (const text of references) {
    const isId = isDigest(text) || /^[0-9a-f]{64}$/.test(text);
    const reference = isId ? undefined : parseReference(text);
    if (reference === undefined || reference.path === "library/sha256") {
      add(resolveId(store.rows, text), []);
    } else if (reference.tag === undefined && reference.digest === undefined) {
      const prefix = `${repositoryOf(reference)}:`;
      const tags = store.rows.references().filter(({ name }) => name.startsWith(prefix));
      for (const { name, id } of tags) add(id, [name]);
      if (tags.length === 0) add(byIdPrefix(store, text, reference), []);
    } else {
      const id = store.rows.imageOf(rowName(reference));
      if (id === undefined) throw notFound("reference does not exist");
      add(id, reference.digest === undefined ? [rowName(reference)] : []);
    }
  }
  return selection;
}

/** @throws NotFound in the words of a repository that has no tags */
function byIdPrefix(store: ImageStore, text: string, repository: Reference): Digest {
  try {
    return resolveId(store.rows, text);
  } catch (error) {
    throw isEngineError(error, "NotFound") ? notFound(`No such image: ${familiarString(repository)}`, error) : error;
  }
}

async function collect(store: ImageStore, selection: Selection, files: AsyncDisposableStack): Promise<Map<string, Source>> {
  const members = new Map<string, Source>();
  const index: ImageIndex = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
  const items: object[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  for (const [id, chosen] of selection) {
    const names = [...chosen].sort();
    const image = store.get(id);
    if (image === undefined) throw notFound(`No such image: ${id}`);
    const bytes = Buffer.from(await store.ports.content.read(id));
    const { layers, ...manifest } = manifestOf(store, image);
    for (const { digest, size } of layers) {
      if (members.has(blobPath(digest))) continue;
      const file = files.use(await open(store.ports.layers.tarPath(digest), "r"));
      members.set(blobPath(digest), { file, sizeBytes: size });
    }
    members.set(blobPath(id), bytes);
    members.set(blobPath(manifest.digest), manifest.bytes);
    const base = manifest.descriptor;
    if (names.length === 0) index.manifests.push(base);
    for (const name of names) index.manifests.push({ ...base, annotations: annotationsOf(name) });
    const tags = names.map(familiarOf);
    items.push({
      Config: blobPath(id),
      RepoTags: tags.length === 0 ? null : tags,
      Layers: layers.map((layer) => blobPath(layer.digest)),
      LayerSources: Object.fromEntries(layers.map(({ mediaType, size, digest }) => [digest, { mediaType, size, digest }])),
    });
    recordRepositories(repositories, names, layers.at(-1)?.digest);
  }
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  members.set("index.json", json(index));
  members.set("manifest.json", json(items));
  members.set("oci-layout", json({ imageLayoutVersion: "1.0.0" }));
  if (Object.keys(repositories).length > 0) members.set("repositories", json(repositories));
  return members;
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
    else yield* readWhole(source.file, sizeBytes, name);
    yield entryPadding(sizeBytes);
  }
  yield archiveEnd();
}

async function* readWhole(file: FileHandle, sizeBytes: number, name: string): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < sizeBytes; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(Math.min(readBytes, sizeBytes - at)), 0, undefined, at);
    if (bytesRead === 0) throw new Error(`${name} ended before its ${sizeBytes} bytes`);
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
