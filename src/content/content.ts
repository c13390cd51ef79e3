/**
 * Content-addressed blobs: `<data-root>/content/sha256/<hex>`. Manifests and configurations; compressed layers
 * only while in transit. A blob appears under its digest only when all its bytes are there and on disk.
 */
import type { Readable } from "node:stream";
import type { Digest } from "../base/base.ts";

export interface Content {
  has(digest: Digest): Promise<boolean>;
  /** @throws NotFound */
  read(digest: Digest): Promise<Uint8Array>;
  open(digest: Digest): Promise<Readable>;
  /** Stores bytes, returns their digest. Stored already is fine. */
  put(data: Uint8Array): Promise<Digest>;
  /** Stores a stream. @throws InvalidParameter when it is not what `expected` says; nothing is left */
  ingest(source: Readable, expected?: { digest: Digest; sizeBytes?: number }): Promise<{ digest: Digest; sizeBytes: number }>;
  remove(digest: Digest): Promise<void>;
  /** Removes blobs that `keep` does not have, and unfinished ingests. */
  sweep(keep: ReadonlySet<Digest>): Promise<void>;
}
