/** Images of an OCI image layout (image-spec, image-layout.md). Of a multi-platform image, the one for this machine or as asked for. */
import { type Digest, invalidParameter, isEngineError, notFound, parseReference } from "../base/base.ts";
import { type Descriptor, type ImageManifest, mediaTypes, type Platform } from "../spec/spec.ts";
import { type ArchiveContents, blobPath } from "./archive-contents.ts";
import { isPlatform, platformText } from "./choose-platform.ts";
import { parseConfiguration, parseJson } from "./configuration.ts";
import { parseManifest } from "./manifest.ts";
import { hostPlatform, suitability } from "./platform.ts";
import { rowName } from "./resolve.ts";
import type { PreparedImage } from "./store.ts";

/** Indexes within indexes: one is usual, and this many are no mistake. */
const maxDepth = 4;

/** How well a platform suits: higher is better, 0 not at all. */
type Suits = (platform: Partial<Platform>) => number;

/** @throws InvalidParameter for a layout that is none; NotFound when the platform that is asked for is not in it */
export function fromOciLayout(contents: ArchiveContents, asked?: Platform): PreparedImage[] {
  const suits: Suits = asked === undefined ? suitability : (platform) => (isPlatform(platform, asked) ? 1 : 0);
  verifyLayout(contents);
  const document = parseManifest(contents.json("index.json"));
  if (document.kind !== "index") throw invalidParameter("invalid OCI layout: index.json is no index");
  const entries = document.index.manifests.filter((entry) => !isAttestation(entry));
  // Several entries with a platform each are the platforms of one image: those of other machines stay behind.
  const suited = entries.filter((entry) => entry.platform === undefined || entry.platform === null || suits(entry.platform) > 0);
  if (entries.length > 0 && suited.length === 0) throw noPlatform(asked);
  const images = new Map<Digest, PreparedImage>();
  for (const entry of suited) {
    const manifest = findManifest(contents, entry, suits, maxDepth);
    const image = prepare(contents, manifest, nameOf(entry));
    if (asked !== undefined && !isPlatform(image.config, asked)) continue;
    const known = images.get(manifest.config.digest);
    images.set(manifest.config.digest, known === undefined ? image : { ...known, references: [...known.references, ...image.references] });
  }
  if (asked !== undefined && images.size === 0) throw noPlatform(asked);
  return [...images.values()];
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

function findManifest(contents: ArchiveContents, descriptor: Descriptor, suits: Suits, depth: number): ImageManifest {
  const document = parseManifest(blob(contents, descriptor), descriptor.mediaType);
  if (document.kind === "manifest") return document.manifest;
  if (depth === 0) throw invalidParameter("invalid OCI layout: too many indexes within indexes");
  let best: { entry: Descriptor; score: number } | undefined;
  for (const entry of document.index.manifests) {
    const score = isAttestation(entry) ? 0 : suits(entry.platform ?? {});
    if (score > (best?.score ?? 0)) best = { entry, score };
  }
  // An entry without a platform suits by default only where no other does.
  if (best === undefined) {
    const nameless = document.index.manifests.find((entry) => !entry.platform && !isAttestation(entry));
    if (nameless === undefined) throw noPlatform(undefined);
    return findManifest(contents, nameless, suits, depth - 1);
  }
  return findManifest(contents, best.entry, suits, depth - 1);
}

function noPlatform(asked: Platform | undefined): Error {
  if (asked !== undefined) return notFound(`image does not provide the specified platform (${platformText(asked)})`);
  return invalidParameter(`image does not provide the platform (${platformText(hostPlatform)})`);
}

/** BuildKit's provenance records, which lie in an index beside the images. */
function isAttestation(descriptor: Descriptor): boolean {
  return (
    descriptor.annotations?.["vnd.docker.reference.type"] === "attestation-manifest" ||
    (descriptor.platform?.os === "unknown" && descriptor.platform.architecture === "unknown")
  );
}

function prepare(contents: ArchiveContents, manifest: ImageManifest, name: string | undefined): PreparedImage {
  const { mediaType } = manifest.config;
  if (mediaType !== mediaTypes.ociConfig && mediaType !== mediaTypes.dockerConfig)
    throw invalidParameter(`not a container image: its configuration is ${JSON.stringify(mediaType)}`);
  const bytes = blob(contents, manifest.config);
  const config = parseConfiguration(bytes);
  const diffIds = config.rootfs.diff_ids;
  if (manifest.layers.length !== diffIds.length)
    throw invalidParameter(`invalid manifest, layers length mismatch: expected ${manifest.layers.length}, got ${diffIds.length}`);
  for (const [position, layer] of manifest.layers.entries()) {
    const diffId = contents.layer(blobPath(layer.digest));
    if (diffId !== diffIds[position])
      throw invalidParameter(`invalid diffID for layer ${position}: expected "${diffIds[position]}", got "${diffId}"`);
  }
  return { bytes, config, references: name === undefined ? [] : [name] };
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
