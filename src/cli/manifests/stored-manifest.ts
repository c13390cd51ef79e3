/** An image's manifest in a list that is being put together, as docker's files have it: both clients can go on with the other's. */
import type { Digest } from "../../base/digest.ts";
import { type Reference, repositoryOf } from "../../base/reference.ts";
import { type Descriptor, mediaTypes, type Platform } from "../../spec/spec.ts";

export interface StoredManifest {
  /** Full: `docker.io/library/x:latest`. */
  readonly Ref: string;
  readonly Descriptor: Pick<Descriptor, "mediaType" | "digest" | "size" | "platform">;
  /** Base64 of its bytes. */
  readonly Raw: string;
  /** What they say, under the name of their kind. */
  readonly SchemaV2Manifest?: object;
  readonly OCIManifest?: object;
}

/** Nothing is shortened: `docker.io/library/x:latest@sha256:…`. */
export function fullName(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  return repositoryOf(reference) + tag + (reference.digest === undefined ? "" : `@${reference.digest}`);
}

export function storedManifest(
  reference: Reference,
  { digest, mediaType, bytes }: { readonly digest: Digest; readonly mediaType: string; readonly bytes: Uint8Array },
  platform: Partial<Platform>,
): StoredManifest {
  const content = JSON.parse(Buffer.from(bytes).toString()) as object;
  return {
    Ref: fullName(reference),
    Descriptor: { mediaType, digest, size: bytes.byteLength, platform: inOrder(platform) },
    Raw: Buffer.from(bytes).toString("base64"),
    ...(mediaType === mediaTypes.ociManifest ? { OCIManifest: content } : { SchemaV2Manifest: content }),
  };
}

/** With what docker writes of a platform, in its order. */
export function inOrder(platform: Partial<Platform>): Platform {
  const { architecture = "", os = "", variant, "os.version": version, "os.features": features } = platform;
  return {
    architecture,
    os,
    ...(version ? { "os.version": version } : {}),
    ...(features !== undefined && features.length > 0 ? { "os.features": features } : {}),
    ...(variant ? { variant } : {}),
  };
}

/** The list as it goes to a registry: docker's layout, so that both clients push the same digest. */
export function listOf(all: readonly StoredManifest[]): { mediaType: string; text: string } {
  const isOci = all[0]?.Descriptor.mediaType === mediaTypes.ociManifest;
  const mediaType = isOci ? mediaTypes.ociIndex : mediaTypes.dockerManifestList;
  const manifests = all.map(({ Descriptor: { mediaType: type, size, digest, platform } }) => {
    return { mediaType: type, size, digest, platform: inOrder(platform ?? {}) };
  });
  return { mediaType, text: JSON.stringify({ schemaVersion: 2, mediaType, manifests }, undefined, 3) };
}
