/** The manifests of images as `docker images --tree` and `inspect` tell them. */
import type { Digest } from "../base/base.ts";
import type { Descriptor, ImageManifest, ImageSummary } from "../spec/spec.ts";
import { type IndexLeaf, isAttestation, readIndex } from "./index-tree.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import { manifestOf, platformOf } from "./stored-manifest.ts";

export type ManifestSummary = NonNullable<ImageSummary["Manifests"]>[number];

/** @param references names or ids: what they stand for, of an index all that it lists; each manifest once. @throws NotFound */
export async function summariseManifests(store: ImageStore, references: readonly string[]): Promise<ManifestSummary[]> {
  const found = references.map((reference) => store.find(reference));
  await using _held = await store.custody.hold();
  const summaries = new Map<string, ManifestSummary>();
  const add = (summary: ManifestSummary | undefined): void => {
    if (summary !== undefined && !summaries.has(summary.ID)) summaries.set(summary.ID, summary);
  };
  for (const { index, image } of found) {
    if (index === undefined) add(summariseImage(store, image, undefined));
    else if (store.rows.manifest(index) !== undefined)
      for (const leaf of (await readIndex(store, index)).leaves) add(summariseLeaf(store, leaf));
  }
  return [...summaries.values()];
}

function summariseLeaf(store: ImageStore, leaf: IndexLeaf): ManifestSummary | undefined {
  const { entry } = leaf;
  switch (leaf.kind) {
    case "image": {
      const image = store.get(leaf.image);
      return image === undefined ? undefined : summariseImage(store, image, entry);
    }
    case "part":
      return summariseOther(entry, entry.size + bytesHere(store, leaf.manifest), true);
    case "missing":
      return summariseOther(entry, 0, false);
  }
}

function bytesHere({ rows }: ImageStore, { config, layers }: ImageManifest): number {
  return [config, ...layers].reduce((sum, { digest }) => sum + (rows.indexPart(digest)?.sizeBytes ?? 0), 0);
}

function summariseOther(entry: Descriptor, bytes: number, isHere: boolean): ManifestSummary {
  const common = { ID: entry.digest, Descriptor: entry, Available: isHere, Size: { Total: bytes, Content: bytes } };
  if (isAttestation(entry)) {
    const subject = entry.annotations?.["vnd.docker.reference.digest"] ?? "";
    return { ...common, Kind: "attestation", AttestationData: { For: subject } };
  }
  if (isHere || !entry.platform) return { ...common, Kind: "unknown" };
  return { ...common, Kind: "image", ImageData: { Platform: entry.platform, Containers: [], Size: { Unpacked: 0 } } };
}

/**
 * The manifest that an index lists the image with, or that the image came with, else the one that it would be saved with. A layer that
 * came compressed is kept so and as its tar, which counts as unpacked; one that did not is content alone.
 */
function summariseImage(store: ImageStore, image: StoredImage, entry: Descriptor | undefined): ManifestSummary {
  const { rows } = store;
  const descriptor = entry ?? ownDescriptor(store, image);
  let content = descriptor.size + Buffer.byteLength(image.row.record);
  let unpacked = 0;
  for (const { diffId, sizeBytes } of rows.layersOf(image.id)) {
    const compressed = rows.blobsOf(diffId).find(({ digest }) => digest !== diffId);
    content += compressed?.sizeBytes ?? sizeBytes;
    unpacked += compressed === undefined ? 0 : sizeBytes;
  }
  return {
    ID: descriptor.digest,
    Descriptor: descriptor,
    Available: true,
    Size: { Total: content + unpacked, Content: content },
    Kind: "image",
    ImageData: {
      Platform: entry?.platform ?? platformOf(image.config) ?? { architecture: "", os: "linux" },
      Containers: store.ports.usedBy(image.id).map(({ id }) => id),
      Size: { Unpacked: unpacked },
    },
  };
}

function ownDescriptor(store: ImageStore, image: StoredImage): { mediaType: string; digest: Digest; size: number } {
  const came = store.rows.manifestsOf(image.id).find(({ kind }) => kind === "image");
  if (came !== undefined) return { mediaType: came.mediaType, digest: came.digest, size: came.sizeBytes };
  const { mediaType, digest, size } = manifestOf(store, image).descriptor;
  return { mediaType, digest, size };
}
