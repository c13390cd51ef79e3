/** One member of a tar, as the scanner hands it on: headers of all dialects merged, names still unchecked. */
import type { ByteString } from "./byte-string.ts";

export type EntryKind = "file" | "directory" | "symlink" | "link" | "character" | "block" | "fifo";

/** A run of a file's data: [offset in the file, offset in the tar, length], in bytes. */
export type Extent = readonly [fileOffset: number, tarOffset: number, length: number];

export type Xattr = readonly [name: ByteString, value: Buffer];

export interface TarEntry {
  kind: EntryKind;
  path: ByteString;
  /** Target of a symlink or link. */
  link: ByteString;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970, rounded down; may be negative. */
  mtimeSeconds: number;
  /** 0 to 999,999,999, to be added. */
  mtimeNanos: number;
  /** Bytes of the file, holes included. */
  size: number;
  /** Where the data begins in the tar. */
  offset: number;
  /** Of a sparse file; otherwise the data is one run. */
  extents: readonly Extent[] | undefined;
  major: number;
  minor: number;
  xattrs: readonly Xattr[];
}
