/**
 * Layers: the read-only file systems that images are made of. A layer is kept as the tar it arrived as
 * (`<data-root>/layers/<hex of diffID>/layer.tar`, byte-exact) plus what its driver needs to mount it: an
 * EROFS index whose inodes point into the tar (driver `erofs`), or a directory tree (driver `overlay2`).
 *
 * Life cycle of a layer: `ingest` reads a tar stream into a temporary file, hashing and scanning it as the
 * bytes arrive, writes the driver's part, makes all of it durable and renames it into place under its diffID;
 * a layer that is there already is found and the new bytes are dropped. `images` owns the rows that keep it;
 * `remove` deletes it. `sweep`, at start, deletes whatever no row names.
 *
 * Both drivers pass the contract suite in `contract.ts`.
 */
import type { Readable } from "node:stream";
import type { Digest } from "../base/base.ts";

export interface Layers {
  readonly driver: "erofs" | "overlay2";
  /**
   * Takes in a tar, plain or compressed with gzip, zstd, xz or bzip2 (told apart by its first bytes).
   * @param expected the diffID it must have, if known
   * @param claim told the diffID, and waited for, before it is looked whether that layer is there: the caller's
   * chance to see to it that nobody removes the layer from then on
   * @throws InvalidParameter for a stream that is no well-formed, safe tar, or has another digest; nothing is left
   */
  ingest(source: Readable, expected?: Digest, claim?: (diffId: Digest) => Promise<void>): Promise<IngestedLayer>;
  /**
   * The same from a file that is still growing, which is read where it lies. One that is not compressed becomes the layer's tar
   * itself, under a second name: it must be in the same file system, and is not changed any more when its arrival has ended.
   * @throws as {@link Layers.ingest}; what the arrival throws
   */
  ingestArriving(file: ArrivingFile, expected: Digest): Promise<IngestedLayer>;
  /**
   * Takes in a plain tar that `write` puts into a file of ours, for a writer that does so itself. The caller sees to it
   * that no layer is removed meanwhile.
   * @throws as {@link Layers.ingest}
   */
  ingestWritten(write: (descriptor: number) => Promise<void>): Promise<IngestedLayer>;
  has(diffId: Digest): Promise<boolean>;
  /** The byte-exact uncompressed tar. `createReadStream` on it is what save and push send. */
  tarPath(diffId: Digest): string;
  /** Tar size in bytes. */
  sizeOf(diffId: Digest): Promise<number>;
  /**
   * Makes the file system of a chain of layers (base first) mountable and returns the overlay's lower
   * directories, topmost first. An empty chain gives one empty directory.
   */
  lower(chain: readonly Digest[]): Promise<readonly string[]>;
  /**
   * The bytes of a file in a chain's file system, without mounting it; links are followed inside the chain.
   * For /etc/passwd and the like: answers are kept in memory.
   * @param path UTF-8, taken from the root
   * @returns undefined when there is no such file
   * @throws InvalidParameter when it has more than `maxBytes`
   */
  readFile(chain: readonly Digest[], path: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /**
   * What each layer of a chain (base first) adds, changes and hides, by the indexes alone. The caller sees to it that no
   * layer is removed meanwhile. Yields the paths as they are found, some at a time; returns what they come to.
   */
  survey(chain: readonly Digest[]): AsyncGenerator<readonly LayerChange[], LayerReport>;
  /** What one chain's file system has otherwise than another's. The caller sees to it that no layer is removed meanwhile. */
  differences(from: readonly Digest[], to: readonly Digest[]): AsyncIterable<PathDifference>;
  /** Deletes a layer's files. Containers that still use it keep what is mounted. */
  remove(diffId: Digest): Promise<void>;
  /** Removes layers that `keep` does not have, unfinished ingests, and mounts of what is gone. */
  sweep(keep: ReadonlySet<Digest>): Promise<void>;
}

export interface ArrivingFile {
  readonly path: string;
  /** Of all of it. */
  readonly sizeBytes: number;
  /** It is the layer's tar, as somebody says; it is looked at all the same. */
  readonly isTar: boolean;
  /** How many bytes are there, from the beginning on, whenever there are more; ends when all are. */
  readonly arrival: AsyncIterable<number>;
}

export interface IngestedLayer {
  readonly diffId: Digest;
  /** Bytes of the uncompressed tar. */
  readonly sizeBytes: number;
  /** True when the layer was there before. */
  readonly existed: boolean;
}

/** A number of names, and the bytes of files among them: one with several names counts once. */
export interface Tally {
  readonly count: number;
  readonly sizeBytes: number;
}

export type FileType = "file" | "directory" | "symlink" | "character" | "block" | "fifo";

/** `layer`: its position in the chain, 0 the base. Of what is removed, all that lies below is. Bytes that are no UTF-8 are replaced. */
export interface LayerChange {
  readonly layer: number;
  readonly kind: "added" | "changed" | "removed";
  readonly path: string;
  readonly type: FileType;
  /** Of what the layer brings. */
  readonly sizeBytes: number;
}

export interface LayerReport {
  /** Base first. `removed`: what a layer takes away from those below; `wastedBytes`: of its own files, what later layers hide. */
  readonly layers: readonly { readonly added: Tally; readonly changed: Tally; readonly removed: Tally; readonly wastedBytes: number }[];
  /** The largest files that a later layer hides. */
  readonly wasted: readonly WastedFile[];
}

export interface WastedFile {
  readonly path: string;
  readonly layer: number;
  readonly hiddenBy: number;
  readonly sizeBytes: number;
}

/** Times alone are no difference. `what`: in which respects a path that both have differs. */
export interface PathDifference {
  readonly kind: "added" | "changed" | "removed";
  readonly path: string;
  readonly type: FileType;
  readonly what: readonly ("type" | "content" | "target" | "device" | "owner" | "mode" | "attributes")[];
  /** Bytes of the file before and after; 0 where there is none. */
  readonly fromBytes: number;
  readonly toBytes: number;
}
