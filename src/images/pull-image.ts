/** Images from a registry: the manifest, of several that of a platform or of all, configurations and layers. */
import { type Digest, digestOf, invalidParameter, type Reference, repositoryOf, shortId } from "../base/base.ts";
import type { OnProgress, Remote, RemoteManifest } from "../distribution/distribution.ts";
import { type Descriptor, type ImageManifest, mediaTypes, type Platform } from "../spec/spec.ts";
import type { LayerBlobRow } from "../state/state.ts";
import { choosePlatform } from "./choose-platform.ts";
import { checkDepth, type DockerConfiguration, parseConfiguration } from "./configuration.ts";
import type { Pins } from "./custody.ts";
import { deepestIndex } from "./index-tree.ts";
import { parseManifest } from "./manifest.ts";
import type { LayerPulls, PulledLayer } from "./pull-layer.ts";
import { rowName } from "./resolve.ts";
import type { ImageStore, PreparedManifest } from "./store.ts";

export interface PullPorts {
  readonly store: ImageStore;
  readonly layerPulls: LayerPulls;
  readonly remote: Remote;
  /** Default: what suits this machine. */
  readonly platform: Platform | "all" | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: OnProgress;
}

export interface PulledImage {
  readonly id: Digest;
  readonly config: DockerConfiguration;
  /** False: the reference pointed at it before. */
  readonly isNew: boolean;
}

/** What configurations of images are called; the last ones by registries and builders of old. */
const configurationTypes: readonly string[] = [
  mediaTypes.dockerConfig,
  mediaTypes.ociConfig,
  "application/octet-stream",
  "application/json",
  "text/html",
  "",
];

/** What layers and configurations of images are called, in Docker's words or OCI's. */
const imageParts = /^application\/vnd\.(oci\.image|docker)\./;

export interface FoundManifest {
  readonly manifest: ImageManifest;
  /** Itself, and the indexes that led there. */
  readonly kept: readonly PreparedManifest[];
}

/** What a registry has under a name. */
export interface Top extends RemoteManifest {
  readonly reference: Reference;
}

/**
 * Makes an image usable, and points the reference at it. What is there already is not asked for.
 * @param top what the registry has under the reference, which has a tag or a digest
 */
export async function pullImage(ports: PullPorts, top: Top, wanted: Platform | undefined): Promise<PulledImage> {
  return await pullFound(ports, top, await findManifest({ ...ports, platform: wanted }, top, deepestIndex));
}

/** The same of a manifest that was found in the index under the reference, or is what is there. */
export async function pullFound(ports: PullPorts, top: Top, { manifest, kept }: FoundManifest): Promise<PulledImage> {
  const { store } = ports;
  const { reference } = top;
  checkTypes(manifest);
  await using pins = store.custody.pins();
  const id = manifest.config.digest;
  await pins.blob(id);
  const isHere = store.rows.get(id)?.removed === false;
  const bytes = isHere ? await store.ports.content.read(id) : await ports.remote.readBlob(manifest.config, ports.signal);
  const config = parseConfiguration(bytes);
  if (config.rootfs.diff_ids.length !== manifest.layers.length)
    throw invalidParameter("layers from manifest don't match image configuration");
  checkDepth(manifest.layers);
  await using pulled = new AsyncDisposableStack();
  const small = storeEarly(ports, [bytes, ...kept.map((each) => each.bytes)], pins);
  // Nothing of it goes on behind the pins.
  const [taken, stored] = await Promise.allSettled([pullLayers(ports, { manifest, config, isHere }, pins, pulled), small]);
  if (taken.status === "rejected") throw taken.reason;
  if (stored.status === "rejected") throw stored.reason;
  const { layers, blobs } = taken.value;
  const { domain, path } = reference;
  const references = [rowName(reference), ...(reference.digest === undefined ? [rowName({ domain, path, digest: top.digest })] : [])];
  const isNew = store.rows.targetOf(rowName(reference))?.ids.includes(id) !== true;
  const index = top.content.kind === "index" ? { index: top.digest } : {};
  await store.add([{ bytes, config, references, ...index, manifests: kept, blobs, repository: repositoryOf(reference) }]);
  for (const layer of layers) layer.stored();
  return { id, config, isNew };
}

/** Configuration and manifests are on disk by the time that the layers are: the image need not wait for that. */
async function storeEarly({ store }: PullPorts, blobs: readonly Uint8Array[], pins: Pins): Promise<void> {
  for (const bytes of blobs) {
    await pins.blob(digestOf(bytes));
    await store.ports.content.put(bytes);
  }
}

type OfPlatform = PullPorts & { readonly platform: Platform | undefined };

async function findManifest(ports: OfPlatform, found: RemoteManifest, depth: number): Promise<FoundManifest> {
  const { bytes, mediaType, content } = found;
  if (content.kind === "image") return { manifest: content.manifest, kept: [{ kind: "image", mediaType, bytes }] };
  if (depth === 0) throw invalidParameter("image index: too many indexes within indexes");
  const entry = choosePlatform(content.index, ports.platform);
  const { manifest, kept } = (await knownManifest(ports, entry)) ?? (await askForManifest(ports, entry, depth));
  return { manifest, kept: [...kept, { kind: "index", mediaType, bytes }] };
}

async function askForManifest(ports: OfPlatform, entry: Descriptor, depth: number): Promise<FoundManifest> {
  return await findManifest(ports, await ports.remote.manifest(entry.digest, ports.signal), depth - 1);
}

/** The manifest of an image that is here. */
export async function knownManifest({ store }: PullPorts, entry: Descriptor): Promise<FoundManifest | undefined> {
  if (store.rows.imagesOfManifest(entry.digest).length === 0 || !(await store.ports.content.has(entry.digest))) return undefined;
  const bytes = await store.ports.content.read(entry.digest);
  const document = parseManifest(bytes);
  if (document.kind !== "manifest") return undefined;
  return { manifest: document.manifest, kept: [{ kind: "image", mediaType: entry.mediaType, bytes }] };
}

/** An artifact is no image, and neither is a plugin. */
function checkTypes(manifest: ImageManifest): void {
  const { mediaType, config } = manifest;
  if (!configurationTypes.includes(config.mediaType) && mediaType === mediaTypes.dockerManifest) {
    const kind = config.mediaType === "application/vnd.docker.plugin.v1+json" ? "plugin" : "unknown";
    throw invalidParameter(`Encountered remote ${JSON.stringify(config.mediaType)}(${kind}) when fetching`);
  }
  const unknown = unknownTypeIn(manifest);
  if (unknown !== undefined) throw invalidParameter(`unsupported media type ${unknown}`);
}

/** A type that says that this is no image, but something else that lies in a registry. */
export function unknownTypeIn({ config, layers }: ImageManifest): string | undefined {
  const isKnown = (type: string): boolean => configurationTypes.includes(type) || imageParts.test(type);
  return [config, ...layers].find(({ mediaType }) => !isKnown(mediaType))?.mediaType;
}

interface Described {
  readonly manifest: ImageManifest;
  readonly config: DockerConfiguration;
  /** The image is here under another name, or the same. */
  readonly isHere: boolean;
}

/** @returns what was fetched, and as what each layer is known that has passed through here */
async function pullLayers(
  ports: PullPorts,
  { manifest, config, isHere }: Described,
  pins: Pins,
  pulled: AsyncDisposableStack,
): Promise<{ layers: PulledLayer[]; blobs: LayerBlobRow[] }> {
  const { rows } = ports.store;
  const layers: PulledLayer[] = [];
  const blobs: LayerBlobRow[] = [];
  // The first failure ends the other layers' transfers.
  const failed = new AbortController();
  const signal = AbortSignal.any([ports.signal, failed.signal]);
  const pullOne = async (blob: Descriptor, position: number): Promise<void> => {
    const diffId = config.rootfs.diff_ids[position];
    if (diffId === undefined) return;
    await pins.layer(diffId);
    if (blob.digest !== diffId) await pins.blob(blob.digest);
    const isKnown = rows.layerOfBlob(blob.digest)?.diffId === diffId;
    if ((isHere || isKnown) && rows.layer(diffId) !== undefined && (await ports.store.ports.layers.has(diffId))) {
      if (!isHere) ports.onProgress({ id: shortId(blob.digest), status: "Already exists" });
      if (!isKnown) return;
    } else {
      const layer = await ports.layerPulls.take({ remote: ports.remote, blob, diffId, onProgress: ports.onProgress, signal });
      layers.push(pulled.use(layer));
    }
    blobs.push({ diffId, digest: blob.digest, mediaType: blob.mediaType, sizeBytes: blob.size });
  };
  const work = manifest.layers.map((blob, position) =>
    pullOne(blob, position).catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  // All have let go of their layers before the pins do.
  await Promise.allSettled(work);
  await Promise.all(work);
  return { layers, blobs };
}
