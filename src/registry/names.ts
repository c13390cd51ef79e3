/** The grammar of names, tags and digests (distribution specification, "Pull"; image specification, "Digests"). */
import { RegistryError } from "./registry-error.ts";

const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const nameShape = new RegExp(`^${component}(?:/${component})*$`);
const tagShape = /^\w[\w.-]{0,127}$/;
const digestShape = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const maxNameLength = 255;

export function isName(text: string): boolean {
  return text.length <= maxNameLength && nameShape.test(text);
}

/** What a registry's repositories are below, of its host: `docker.io`, `localhost-5000`; undefined where that is no name. */
export function prefixOf(host: string): string | undefined {
  const prefix = host.toLowerCase().replace(/:(\d+)$/, "-$1");
  return isName(prefix) ? prefix : undefined;
}

export function isTag(text: string): boolean {
  return tagShape.test(text);
}

/** The two algorithms that the image specification registers. */
export type BlobDigest = `sha256:${string}` | `sha512:${string}`;

export function isBlobDigest(text: string): text is BlobDigest {
  return digestShape.test(text);
}

/** @throws DIGEST_INVALID */
export function checkedDigest(text: string | null | undefined): BlobDigest {
  if (typeof text === "string" && isBlobDigest(text)) return text;
  throw new RegistryError("DIGEST_INVALID", { message: "invalid digest", detail: { digest: text ?? "" } });
}

export function algorithmOf(digest: BlobDigest): "sha256" | "sha512" {
  return digest.startsWith("sha256:") ? "sha256" : "sha512";
}
