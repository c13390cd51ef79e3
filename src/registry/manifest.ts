/** Reading a manifest: which of the four kinds it is, and what it names. */
import { type BlobDigest, isBlobDigest } from "./names.ts";
import { RegistryError } from "./registry-error.ts";

export const mediaTypes = {
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
} as const;

/** Distribution specification, "Pushing Manifests": clients may rely on 4 MiB. */
export const maxManifestBytes: number = 4 << 20;

/** What the catalogue keeps of a manifest besides its bytes. */
export interface ManifestFacts {
  readonly mediaType: string;
  /** As the referrers API has it: of an image manifest without one, its configuration's media type. */
  readonly artifactType?: string | undefined;
  readonly annotations?: unknown;
  /** Configuration and layers, which have to be here. */
  readonly blobs: readonly BlobDigest[];
  /** Layers that lie elsewhere (`urls`), and need not be here. */
  readonly foreign: readonly BlobDigest[];
  readonly children: readonly BlobDigest[];
  readonly subject?: BlobDigest | undefined;
}

export interface ManifestChild {
  readonly digest: BlobDigest;
  readonly mediaType: string;
  readonly architecture: string | undefined;
  readonly os: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(why: string): RegistryError {
  return new RegistryError("MANIFEST_INVALID", { message: `manifest invalid: ${why}` });
}

function descriptor(value: unknown, what: string): Json & { readonly digest: BlobDigest; readonly mediaType: string } {
  if (!isObject(value)) throw invalid(`${what} is no descriptor`);
  const { digest, size, mediaType } = value;
  if (typeof digest !== "string" || !isBlobDigest(digest)) throw invalid(`${what} has no digest`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw invalid(`${what} has no size`);
  if (typeof mediaType !== "string" || mediaType === "") throw invalid(`${what} has no media type`);
  return { ...value, digest, mediaType };
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${what} is no list`);
  return value;
}

function parse(body: Uint8Array): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw new RegistryError("MANIFEST_INVALID", { message: "manifest invalid: no JSON", cause: error });
  }
  if (!isObject(value)) throw invalid("no JSON object");
  if ("fsLayers" in value || value["schemaVersion"] === 1) throw invalid("schema 1 is not taken any more");
  if (value["schemaVersion"] !== 2) throw invalid("schemaVersion is not 2");
  // What is an image to one client and an index to another would be two things under one digest (CVE-2021-41190).
  if ("manifests" in value && ("layers" in value || "config" in value)) throw invalid("both layers and manifests");
  return value;
}

function kindOf(value: Json, contentType: string): string {
  const own = value["mediaType"];
  const said = contentType.split(";", 1)[0]?.trim() ?? "";
  if (own !== undefined && typeof own !== "string") throw invalid("mediaType is no text");
  if (own !== undefined && said !== "" && own !== said) throw invalid(`mediaType ${own} was sent as ${said}`);
  const mediaType = own ?? said;
  if ((Object.values(mediaTypes) as string[]).includes(mediaType)) return mediaType;
  throw invalid(mediaType === "" ? "no media type" : `unknown media type ${mediaType}`);
}

const isList = (mediaType: string): boolean => mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;

/** @throws MANIFEST_INVALID */
export function readManifest(body: Uint8Array, contentType: string): ManifestFacts {
  const value = parse(body);
  const mediaType = kindOf(value, contentType);
  const subject = value["subject"] === undefined ? undefined : descriptor(value["subject"], "subject").digest;
  const annotations = value["annotations"];
  if (annotations !== undefined && annotations !== null && !isObject(annotations)) throw invalid("annotations are no object");
  const artifactType = value["artifactType"];
  if (artifactType !== undefined && typeof artifactType !== "string") throw invalid("artifactType is no text");
  const common = { mediaType, subject, ...(isObject(annotations) ? { annotations } : {}) };
  if (isList(mediaType)) {
    if ("layers" in value) throw invalid(`layers in a ${mediaType}`);
    const children = list(value["manifests"], "manifests").map((child, at) => descriptor(child, `manifests[${at}]`).digest);
    return { ...common, artifactType: artifactType || undefined, blobs: [], foreign: [], children };
  }
  if ("manifests" in value) throw invalid(`manifests in a ${mediaType}`);
  const config = descriptor(value["config"], "config");
  const layers = list(value["layers"] ?? [], "layers").map((layer, at) => descriptor(layer, `layers[${at}]`));
  const isForeign = (layer: Json): boolean => Array.isArray(layer["urls"]) && layer["urls"].length > 0;
  return {
    ...common,
    artifactType: artifactType || config.mediaType,
    blobs: [config.digest, ...layers.filter((layer) => !isForeign(layer)).map((layer) => layer.digest)],
    foreign: layers.filter(isForeign).map((layer) => layer.digest),
    children: [],
  };
}

/** What a stored list names, in its order. */
export function childrenOf(body: Uint8Array): ManifestChild[] {
  const { manifests } = parse(body);
  return list(manifests, "manifests").map((entry) => {
    const child = descriptor(entry, "manifests");
    const platform = isObject(child["platform"]) ? child["platform"] : {};
    const text = (key: string): string | undefined => (typeof platform[key] === "string" ? platform[key] : undefined);
    return { digest: child.digest, mediaType: child.mediaType, architecture: text("architecture"), os: text("os") };
  });
}
