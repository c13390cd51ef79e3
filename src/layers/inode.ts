/** The file system of a layer, in memory: what the scanner's entries become and the index is written from. */
import type { ByteString } from "./byte-string.ts";
import type { Extent, Xattr } from "./tar-entry.ts";

interface Meta {
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  mtimeNanos: number;
  xattrs: readonly Xattr[];
}

export interface Directory extends Meta {
  readonly kind: "directory";
  readonly children: Map<ByteString, Inode>;
  /** The root's is itself. Undefined only while it is being made. */
  parent: Directory | undefined;
  /** What lower layers have below it is hidden. */
  opaque: boolean;
}

export interface RegularFile extends Meta {
  readonly kind: "file";
  readonly size: number;
  /** Which layer tar holds the data: 1 is the first of the device table. */
  readonly device: number;
  /** Where its data begins in that tar. */
  readonly offset: number;
  /** Undefined: one run of `size` bytes. Otherwise the gaps are holes. */
  readonly extents: readonly Extent[] | undefined;
}

export interface Symlink extends Meta {
  readonly kind: "symlink";
  readonly target: ByteString;
}

/** A device or a FIFO. The character device 0:0 is overlayfs' whiteout. */
export interface Special extends Meta {
  readonly kind: "character" | "block" | "fifo";
  readonly major: number;
  readonly minor: number;
}

export type Inode = Directory | RegularFile | Symlink | Special;

/** A directory that no entry describes: 0755, root's. */
export function newDirectory(parent: Directory | undefined): Directory {
  return {
    kind: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
    xattrs: [],
    children: new Map(),
    parent,
    opaque: false,
  };
}

export function newRoot(): Directory {
  const root = newDirectory(undefined);
  root.parent = root;
  return root;
}

export function newWhiteout(): Special {
  return { kind: "character", mode: 0, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanos: 0, xattrs: [], major: 0, minor: 0 };
}

export function isWhiteout(inode: Inode): boolean {
  return inode.kind === "character" && inode.major === 0 && inode.minor === 0;
}
