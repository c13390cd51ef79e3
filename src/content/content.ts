/**
 * Content-addressed blobs: `<data-root>/content/sha256/<hex>`: configurations, manifests, and layers as they came
 * compressed from a registry, so that they can go out again as the same bytes (docs/adr). A blob appears under its digest
 * only when all its bytes are there and on disk; those that are adopted are there, and on disk sooner or later.
 */
import type { Readable } from "node:stream";
import type { Digest } from "../base/base.ts";

/** Is told how a blob that is being stored grows. */
export interface Growth {
  /** These are its next bytes; they need not be in the file yet. */
  arrived(piece: Uint8Array, offset: number): void;
  /** So many bytes can be read from the file. */
  written(bytes: number): void;
}

export interface Content {
  has(digest: Digest): Promise<boolean>;
  /** In bytes; undefined when it is not there. */
  sizeOf(digest: Digest): Promise<number | undefined>;
  /** @throws NotFound */
  read(digest: Digest): Promise<Uint8Array>;
  /** @param from the first byte wanted, default 0. @throws NotFound */
  open(digest: Digest, from?: number): Promise<Readable>;
  /** Stores bytes, returns their digest. Stored already is fine. */
  put(data: Uint8Array): Promise<Digest>;
  /**
   * Stores a stream.
   * @param options.synced false for what can be had again, and whose size is looked at before it is used
   * @param options.follow for who reads it while it is stored: gets its file, which has another name afterwards, or none
   * @throws InvalidParameter when it is not what `expected` says; nothing is left
   */
  ingest(
    source: Readable,
    expected?: { digest: Digest; sizeBytes?: number },
    options?: { synced: boolean; follow?: (path: string) => Promise<Growth | undefined> },
  ): Promise<{ digest: Digest; sizeBytes: number }>;
  /**
   * Gives a file whose bytes were proved to be the digest's a second name here. It must be in the same file system. Nothing
   * is synced: for what can be had again, and whose size is looked at before it is used.
   */
  adopt(path: string, digest: Digest): Promise<void>;
  remove(digest: Digest): Promise<void>;
  /** Removes blobs that `keep` does not have, and unfinished ingests. */
  sweep(keep: ReadonlySet<Digest>): Promise<void>;
}
