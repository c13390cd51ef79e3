/**
 * Images of an OCI image layout (image-spec, image-layout.md). Of an index all that is there is taken, or the one platform that is
 * asked for; of manifests side by side, the one for this machine.
 */
import { type Digest, digestOf, invalidParameter, isEngineError, notFound, parseReference } from "../base/base.ts";
import { type Descriptor, type ImageIndex, type ImageManifest, mediaTypes, type Platform } from "../spec/spec.ts";
import type { IndexPartRow, LayerBlobRow } from "../state/state.ts";
import { type ArchiveContents, blobPath } from "./archive-contents.ts";
import { isPlatform, platformText } from "./choose-platform.ts";
import { parseConfiguration, parseJson } from "./configuration.ts";
import { deepestIndex, isAttestation } from "./index-tree.ts";
import { parseManifest } from "./manifest.ts";
import { hostPlatform, suitability } from "./platform.ts";
import { rowName } from "./resolve.ts";
import type { PreparedImage, PreparedManifest } from "./store.ts";

/** How well a platform suits: higher is better, 0 not at all. */
type Suits = (platform: Partial<Platform>) => number;

/** @throws InvalidParameter for a layout that is none; NotFound when the platform that is asked for is not in it */
export function fromOciLayout(contents: ArchiveContents, asked?: Platform): PreparedImage[] {
  const suits: Suits = asked === undefined ? suitability : (platform) => (isPlatform(platform, asked) ? 1 : 0);
  verifyLayout(contents);
  const entries = entriesOf(contents).filter((entry) => !isAttestation(entry));
  // Several entries with a platform each are the platforms of one image: those of other machines stay behind.
  const suited = entries.filter((entry) => entry.platform === undefined || entry.platform === null || suits(entry.platform) > 0);
  if (entries.length > 0 && suited.length === 0) throw noPlatform(asked);
  const images = new Map<string, PreparedImage>();
  for (const entry of suited) {
    const prepared = prepareEntry(contents, entry).filter(({ config }) => asked === undefined || isPlatform(config, asked));
    for (const image of prepared) {
      const key = [image.index ?? "", digestOf(image.bytes)].join();
      const known = images.get(key);
      images.set(key, known === undefined ? image : { ...known, references: [...known.references, ...image.references] });
    }
  }
  if (asked !== undefined && images.size === 0) throw noPlatform(asked);
  return [...images.values()];
}

/** Has the layout an index for an image, of which a docker-archive beside it would tell one platform only? */
export function hasIndexes(contents: ArchiveContents): boolean {
  return entriesOf(contents).some(({ mediaType }) => mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerManifestList);
}

function entriesOf(contents: ArchiveContents): readonly Descriptor[] {
  const document = parseManifest(contents.json("index.json"));
  if (document.kind !== "index") throw invalidParameter("invalid OCI layout: index.json is no index");
  return document.index.manifests;
}

function verifyLayout(contents: ArchiveContents): void {
  const value = parseJson(contents.json("oci-layout"), "oci-layout") as { imageLayoutVersion?: unknown } | null;
  if (value?.imageLayoutVersion !== "1.0.0") throw invalidParameter("unsupported OCI layout version");
}

function blob(contents: ArchiveContents, descriptor: Descriptor): Buffer {
  const data = contents.json(blobPath(descriptor.digest));
  if (data.length !== descriptor.size)
    throw invalidParameter(`blob ${descriptor.digest}: ${data.length} bytes instead of ${descriptor.size}`);
  return data;
}

/** @returns one image, or of an index all that are in the archive */
function prepareEntry(contents: ArchiveContents, entry: Descriptor): PreparedImage[] {
  const name = nameOf(entry);
  const references = name === undefined ? [] : [name];
  const bytes = blob(contents, entry);
  const document = parseManifest(bytes, entry.mediaType);
  if (document.kind === "manifest") {
    const { blobs, ...image } = prepare(contents, document.manifest);
    // One whose layers are compressed came from a registry, or is made for one, and goes out as it is.
    const isForRegistries = blobs.length > 0 && blobs.every(({ digest, diffId }) => digest !== diffId);
    const manifests = [{ kind: "image", mediaType: entry.mediaType, bytes } as const];
    return [{ ...image, references, ...(isForRegistries ? { manifests, blobs } : {}) }];
  }
  const found: Collected = { images: [], parts: new Map() };
  collect(contents, { descriptor: entry, bytes, index: document.index }, [], found);
  if (found.images.length === 0) throw noPlatform(undefined);
  const parts = [...found.parts.values()];
  return found.images.map((image) => ({ ...image, references, index: entry.digest, parts }));
}

type Part = IndexPartRow & { readonly bytes?: Uint8Array };

interface Collected {
  readonly images: Omit<PreparedImage, "references">[];
  readonly parts: Map<Digest, Part>;
}

interface FoundIndex {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
  readonly index: ImageIndex;
}

/** @param above the indexes that led here, the nearest first */
function collect(
  contents: ArchiveContents,
  { descriptor, bytes, index }: FoundIndex,
  above: readonly PreparedManifest[],
  into: Collected,
): void {
  if (above.length > deepestIndex) throw invalidParameter("invalid OCI layout: too many indexes within indexes");
  const path: readonly PreparedManifest[] = [{ kind: "index", mediaType: descriptor.mediaType, bytes }, ...above];
  const before = into.images.length;
  for (const entry of index.manifests) {
    // Archives need not have all platforms.
    if (!contents.hasJson(blobPath(entry.digest))) continue;
    const data = blob(contents, entry);
    const document = parseManifest(data, entry.mediaType);
    if (document.kind === "index") collect(contents, { descriptor: entry, bytes: data, index: document.index }, path, into);
    else if (isAttestation(entry)) addPart(contents, data, document.manifest, into);
    else if (isHere(contents, entry, document.manifest)) {
      const image = prepare(contents, document.manifest);
      into.images.push({ ...image, manifests: [{ kind: "image", mediaType: entry.mediaType, bytes: data }, ...path] });
    }
  }
  if (into.images.length === before) into.parts.set(descriptor.digest, { digest: descriptor.digest, sizeBytes: bytes.length, bytes });
}

/** Of another system than Linux nothing can be done with it here. */
function isHere(contents: ArchiveContents, { platform }: Descriptor, { config, layers }: ImageManifest): boolean {
  if (platform && platform.os !== "linux") return false;
  return contents.hasJson(blobPath(config.digest)) && layers.every(({ digest }) => contents.hasLayer(blobPath(digest)));
}

/** A manifest that is no image, if all of it is there. */
function addPart(contents: ArchiveContents, bytes: Buffer, manifest: ImageManifest, into: Collected): void {
  const parts: Part[] = [{ digest: digestOf(bytes), sizeBytes: bytes.length, bytes }];
  for (const descriptor of [manifest.config, ...manifest.layers]) {
    const { digest, size } = descriptor;
    const path = blobPath(digest);
    if (contents.hasJson(path)) parts.push({ digest, sizeBytes: size, bytes: blob(contents, descriptor) });
    else if (contents.blobSize(digest) === size) parts.push({ digest, sizeBytes: size });
    else return;
  }
  for (const part of parts) into.parts.set(part.digest, part);
}

function noPlatform(asked: Platform | undefined): Error {
  if (asked !== undefined) return notFound(`image does not provide the specified platform (${platformText(asked)})`);
  return invalidParameter(`image does not provide the platform (${platformText(hostPlatform)})`);
}

function prepare(
  contents: ArchiveContents,
  manifest: ImageManifest,
): Pick<PreparedImage, "bytes" | "config"> & { readonly blobs: readonly LayerBlobRow[] } {
  const { mediaType } = manifest.config;
  if (mediaType !== mediaTypes.ociConfig && mediaType !== mediaTypes.dockerConfig)
    throw invalidParameter(`not a container image: its configuration is ${JSON.stringify(mediaType)}`);
  const bytes = blob(contents, manifest.config);
  const config = parseConfiguration(bytes);
  const diffIds = config.rootfs.diff_ids;
  if (manifest.layers.length !== diffIds.length)
    throw invalidParameter(`invalid manifest, layers length mismatch: expected ${manifest.layers.length}, got ${diffIds.length}`);
  const blobs: LayerBlobRow[] = [];
  for (const [position, { digest, size, mediaType: layerType }] of manifest.layers.entries()) {
    const diffId = contents.layer(blobPath(digest));
    if (diffId !== diffIds[position])
      throw invalidParameter(`invalid diffID for layer ${position}: expected "${diffIds[position]}", got "${diffId}"`);
    if (digest === diffId || contents.blobSize(digest) === size) blobs.push({ diffId, digest, mediaType: layerType, sizeBytes: size });
  }
  return { bytes, config, blobs };
}

/** The name that containerd and Docker write, or OCI's own where it is more than a bare tag. */
function nameOf(descriptor: Descriptor): string | undefined {
  const full = descriptor.annotations?.["io.containerd.image.name"];
  const own = descriptor.annotations?.["org.opencontainers.image.ref.name"];
  const text = full ?? (own !== undefined && /[:/]/.test(own) ? own : undefined);
  if (text === undefined) return undefined;
  try {
    const reference = parseReference(text);
    return reference.digest === undefined ? rowName(reference) : undefined;
  } catch (error) {
    if (isEngineError(error, "InvalidParameter") && full === undefined) return undefined;
    throw error;
  }
}
