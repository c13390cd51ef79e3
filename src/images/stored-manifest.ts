/** The OCI manifest under which an image is saved: its layers as they are kept, uncompressed. */
import { type Digest, digestOf } from "../base/base.ts";
import { type Descriptor, type ImageManifest, mediaTypes, type Platform } from "../spec/spec.ts";
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
