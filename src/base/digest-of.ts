import { createHash } from "node:crypto";
import type { Digest } from "./digest.ts";

/** The digest of some bytes. Apart from digest.ts, which all need who read references: `node:crypto` takes long to load. */
export function digestOf(data: string | Uint8Array): Digest {
  return `sha256:${createHash("sha256").update(data).digest("hex")}` as Digest;
}
