import type { Branded } from "./ids.ts";

/** `sha256:` and 64 lower-case hex digits: OCI image-spec, descriptor.md, "Digests". */
export type Digest = Branded<"Digest">;

const shape = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return shape.test(text);
}

/** The 64 hex digits, which are also the blob's file name. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}
