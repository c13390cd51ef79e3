/** Reads OCI and Docker manifests and indexes, and takes nothing that could be read in two ways (CVE-2021-41190). */
import { invalidParameter, isDigest } from "../base/base.ts";
import { type Descriptor, type ImageIndex, type ImageManifest, mediaTypes } from "../spec/spec.ts";
import { parseJson } from "./configuration.ts";

export type ManifestDocument =
  | { readonly kind: "index"; readonly index: ImageIndex }
  | { readonly kind: "manifest"; readonly manifest: ImageManifest };

const indexTypes: ReadonlySet<unknown> = new Set([mediaTypes.ociIndex, mediaTypes.dockerManifestList]);
const manifestTypes: ReadonlySet<unknown> = new Set([mediaTypes.ociManifest, mediaTypes.dockerManifest]);

/**
 * @param stated the media type of the descriptor that led here
 * @throws InvalidParameter
 */
export function parseManifest(data: Uint8Array, stated?: string): ManifestDocument {
  const value = parseJson(data, "manifest");
  if (!isObject(value)) throw invalidParameter("invalid manifest: not an object");
  const isIndex = "manifests" in value;
  if (isIndex && ("layers" in value || "config" in value)) throw invalidParameter("invalid manifest: both an index and an image manifest");
  if ("fsLayers" in value || value["schemaVersion"] === 1) throw invalidParameter("schema 1 manifests are not supported");
  if (value["schemaVersion"] !== 2) throw invalidParameter("invalid manifest: schemaVersion must be 2");
  for (const mediaType of [value["mediaType"], stated]) {
    if (mediaType === undefined) continue;
    if (!(isIndex ? indexTypes : manifestTypes).has(mediaType))
      throw invalidParameter(`invalid manifest: media type ${JSON.stringify(mediaType)} does not fit its content`);
  }
  if (isIndex) {
    if (!isDescriptorList(value["manifests"])) throw invalidParameter("invalid index: bad descriptor");
    return { kind: "index", index: value as unknown as ImageIndex };
  }
  if (!isDescriptor(value["config"]) || !isDescriptorList(value["layers"])) throw invalidParameter("invalid manifest: bad descriptor");
  return { kind: "manifest", manifest: value as unknown as ImageManifest };
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function isDescriptorList(value: unknown): value is Descriptor[] {
  return Array.isArray(value) && value.every(isDescriptor);
}

function isDescriptor(value: unknown): value is Descriptor {
  if (!isObject(value)) return false;
  const { mediaType, digest, size, annotations, platform } = value;
  return (
    typeof mediaType === "string" &&
    typeof digest === "string" &&
    isDigest(digest) &&
    Number.isSafeInteger(size) &&
    Number(size) >= 0 &&
    (annotations === undefined ||
      annotations === null ||
      (isObject(annotations) && Object.values(annotations).every((text) => typeof text === "string"))) &&
    (platform === undefined ||
      platform === null ||
      (isObject(platform) && typeof platform["os"] === "string" && typeof platform["architecture"] === "string"))
  );
}
