/** Reads a manifest that came from a registry, and refuses what is not exactly one thing. */
import { type Digest, digestOf, invalidParameter, isDigest, type Reference, repositoryOf } from "../base/base.ts";
import { type Descriptor, type ImageIndex, type ImageManifest, mediaTypes } from "../spec/spec.ts";
import type { RemoteManifest } from "./distribution.ts";

/** Bytes; the limit that registries have to allow for: OCI distribution-spec, "Pushing Manifests". */
export const longestManifest: number = 4 << 20;

const imageTypes: readonly string[] = [mediaTypes.dockerManifest, mediaTypes.ociManifest];
const indexTypes: readonly string[] = [mediaTypes.dockerManifestList, mediaTypes.ociIndex];
const schema1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;

export const acceptedTypes: string = [...imageTypes, ...indexTypes].join(", ");

/**
 * @param contentType the header's
 * @param wanted the digest that it was asked by, if by one: the bytes decide
 * @throws InvalidParameter
 */
export function readManifest(bytes: Uint8Array, contentType: string | undefined, reference: Reference, wanted?: Digest): RemoteManifest {
  const digest = digestOf(bytes);
  if (wanted !== undefined && digest !== wanted) throw invalidParameter(`manifest verification failed for digest ${wanted}`);
  const value = parse(bytes);
  const said = contentType?.split(";")[0]?.trim().toLowerCase();
  if (value["schemaVersion"] === 1 || (said !== undefined && schema1.test(said))) throw ofSchema1(reference);
  if (value["schemaVersion"] !== 2) throw invalidParameter(`unsupported manifest schema version ${shown(value["schemaVersion"])}`);
  const mediaType = mediaTypeOf(value, said);
  // CVE-2021-41190: what one reader takes for an image, and another for an index.
  const isImage = imageTypes.includes(mediaType);
  const foreign = isImage ? ["manifests"] : ["layers", "config", "fsLayers"];
  for (const member of foreign) {
    if (value[member] !== undefined)
      throw invalidParameter(`${isImage ? "image manifest" : "image index"}: has "${member}", which makes it ambiguous (CVE-2021-41190)`);
  }
  if (isImage && value["fsLayers"] !== undefined) throw invalidParameter(`image manifest: has "fsLayers", which makes it ambiguous`);
  const content = isImage ? ({ kind: "image", manifest: imageOf(value) } as const) : ({ kind: "index", index: indexOf(value) } as const);
  return { digest, mediaType, bytes, content };
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw invalidParameter("the manifest is not valid JSON", error);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw invalidParameter("the manifest is not a JSON object");
  return value as Record<string, unknown>;
}

/** Header and body have to agree; OCI's documents need not have the member. */
function mediaTypeOf(value: Record<string, unknown>, said: string | undefined): string {
  const inside = value["mediaType"];
  if (inside !== undefined && typeof inside !== "string") throw invalidParameter("the manifest's mediaType is not a string");
  const known = (type: string | undefined): type is string => type !== undefined && [...imageTypes, ...indexTypes].includes(type);
  // What servers of files call everything says nothing.
  const header = said === "application/json" || said === "application/octet-stream" || said === "text/plain" ? undefined : said;
  if (inside !== undefined && header !== undefined && inside !== header)
    throw invalidParameter(`mediaType in manifest should be '${header}' not '${inside}'`);
  const mediaType = inside ?? header ?? (value["manifests"] === undefined ? mediaTypes.ociManifest : mediaTypes.ociIndex);
  if (!known(mediaType)) throw invalidParameter(`unsupported manifest media type ${shown(mediaType)}`);
  return mediaType;
}

function imageOf(value: Record<string, unknown>): ImageManifest {
  const { config, layers } = value;
  if (!Array.isArray(layers)) throw invalidParameter(`image manifest: has no "layers"`);
  checkDescriptor(config, "config");
  for (const [index, layer] of layers.entries()) checkDescriptor(layer, `layers[${index}]`);
  return value as unknown as ImageManifest;
}

function indexOf(value: Record<string, unknown>): ImageIndex {
  const { manifests } = value;
  if (!Array.isArray(manifests)) throw invalidParameter(`image index: has no "manifests"`);
  for (const [index, manifest] of manifests.entries()) checkDescriptor(manifest, `manifests[${index}]`);
  return value as unknown as ImageIndex;
}

function checkDescriptor(value: unknown, where: string): asserts value is Descriptor {
  const wrong = (why: string): Error => invalidParameter(`manifest: ${where} ${why}`);
  if (value === null || typeof value !== "object") throw wrong("is not a descriptor");
  const { digest, size, mediaType, urls } = value as Record<string, unknown>;
  if (typeof digest !== "string" || !isDigest(digest)) throw wrong(`has an unsupported digest ${shown(digest)}`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw wrong(`has an invalid size ${shown(size)}`);
  if (typeof mediaType !== "string") throw wrong("has no mediaType");
  if (urls !== undefined && urls !== null && !(Array.isArray(urls) && urls.every((url) => typeof url === "string")))
    throw wrong("has invalid urls");
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "undefined").slice(0, 100);
}

function ofSchema1(reference: Reference): Error {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  return invalidParameter(
    "Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. " +
      `Suggest the author of ${repositoryOf(reference)}${tag} to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2. ` +
      "More information at https://docs.docker.com/go/deprecated-image-specs/",
  );
}
