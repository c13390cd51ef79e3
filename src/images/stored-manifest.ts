/** The OCI manifest under which an image is saved: its layers as they are kept, uncompressed. */
import { type Digest, digestOf } from "../base/base.ts";
import { type Descriptor, type ImageManifest, type ImageSummary, mediaTypes, type Platform } from "../spec/spec.ts";
import type { ImageStore, StoredImage } from "./store.ts";

export interface StoredManifest {
  readonly bytes: Buffer;
  readonly digest: Digest;
  /** Of the manifest, with the image's platform where it has one. */
  readonly descriptor: Descriptor;
  readonly layers: readonly Descriptor[];
}

export function platformOf({ architecture, os, variant }: StoredImage["config"]): Platform | undefined {
  return architecture === "" ? undefined : { architecture, os, ...(variant ? { variant } : {}) };
}

export function manifestOf(store: ImageStore, image: StoredImage): StoredManifest {
  const layers = store.rows
    .layersOf(image.id)
    .map(({ diffId, sizeBytes }): Descriptor => ({ mediaType: mediaTypes.ociLayer, digest: diffId, size: sizeBytes }));
  const config: Descriptor = { mediaType: mediaTypes.ociConfig, digest: image.id, size: Buffer.byteLength(image.row.record) };
  const manifest: ImageManifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const platform = platformOf(image.config);
  const descriptor: Descriptor = {
    mediaType: mediaTypes.ociManifest,
    digest: digestOf(bytes),
    size: bytes.length,
    ...(platform === undefined ? {} : { platform }),
  };
  return { bytes, digest: descriptor.digest, descriptor, layers };
}

type ManifestSummary = NonNullable<ImageSummary["Manifests"]>[number];

/**
 * As lists and `inspect` tell it: the manifest that the image came with, else the one that it would be saved with. A layer that came
 * compressed is kept so and as its tar, which counts as unpacked; one that did not is content alone.
 */
export function summariseManifest(store: ImageStore, image: StoredImage): ManifestSummary {
  const { rows } = store;
  const came = rows.manifestsOf(image.id).find(({ kind }) => kind === "image");
  const descriptor =
    came === undefined ? manifestOf(store, image).descriptor : { mediaType: came.mediaType, digest: came.digest, size: came.sizeBytes };
  let content = descriptor.size + Buffer.byteLength(image.row.record);
  let unpacked = 0;
  for (const { diffId, sizeBytes } of rows.layersOf(image.id)) {
    const compressed = rows.blobsOf(diffId).find(({ digest }) => digest !== diffId);
    content += compressed?.sizeBytes ?? sizeBytes;
    unpacked += compressed === undefined ? 0 : sizeBytes;
  }
  return {
    ID: descriptor.digest,
    Descriptor: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size },
    Available: true,
    Size: { Total: content + unpacked, Content: content },
    Kind: "image",
    ImageData: {
      Platform: platformOf(image.config) ?? { architecture: "", os: "linux" },
      Containers: store.ports.usedBy(image.id).map(({ id }) => id),
      Size: { Unpacked: unpacked },
    },
  };
}
