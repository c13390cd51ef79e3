/** First pass of writing an index: where each inode, directory block and tail goes. */
import type { ByteString } from "./byte-string.ts";
import { chunkCount } from "./erofs-chunks.ts";
import {
  blockBytes,
  compactBytes,
  deviceSlotBytes,
  deviceTableOffset,
  direntBytes,
  extendedBytes,
  layoutChunked,
  layoutInline,
  layoutPlain,
  slotBytes,
  xattrHeaderBytes,
  xattrPrefixes,
} from "./erofs-format.ts";
import type { Directory, Inode } from "./inode.ts";
import type { Xattr } from "./tar-entry.ts";

/** An inode with its place. */
export interface Placed {
  readonly inode: Inode;
  /** Byte offset; the node number is this over 32. */
  readonly offset: number;
  /** 32 or 64. */
  readonly bytes: number;
  readonly xattrBytes: number;
  readonly xattrs: readonly Xattr[];
  readonly layout: number;
  links: number;
  /** Of directories and links: bytes of content, the first whole block of it, and how much of it follows the inode. */
  readonly size: number;
  block: number;
  readonly inline: number;
}

export interface Layout {
  /** In the order of their offsets. */
  readonly placed: readonly Placed[];
  readonly byInode: ReadonlyMap<Inode, Placed>;
  readonly names: ReadonlyMap<Directory, DirectoryNames>;
  /** Bytes up to the first directory block. */
  readonly metaBytes: number;
  /** Blocks in front of the space for pieces of sparse files. */
  readonly blocks: number;
  readonly buildSeconds: number;
}

/** A directory's names in byte order, `.` and `..` among them, cut into blocks. */
export interface DirectoryNames {
  readonly names: readonly ByteString[];
  /** Index of each block's first name. */
  readonly starts: readonly number[];
  readonly size: number;
}

function cutNames(directory: Directory): DirectoryNames {
  const names = [...directory.children.keys(), "." as ByteString, ".." as ByteString].sort();
  const starts: number[] = [0];
  let used = 0;
  for (let i = 0; i < names.length; i++) {
    const bytes = direntBytes + (names[i] ?? "").length;
    if (used + bytes > blockBytes) {
      starts.push(i);
      used = 0;
    }
    used += bytes;
  }
  return { names, starts, size: (starts.length - 1) * blockBytes + used };
}

/** The attribute's prefix number and the rest of its name. */
export function splitXattr(name: string): readonly [index: number, rest: string] {
  for (const [prefix, index] of xattrPrefixes) if (name.startsWith(prefix)) return [index, name.slice(prefix.length)];
  throw new TypeError(`no extended attribute: ${name}`);
}

const opaqueXattr: Xattr = ["trusted.overlay.opaque" as ByteString, Buffer.from("y")];

function xattrBytesOf(xattrs: readonly Xattr[]): number {
  let bytes = xattrs.length === 0 ? 0 : xattrHeaderBytes;
  for (const [name, value] of xattrs) bytes += (4 + splitXattr(name)[1].length + value.length + 3) & ~3;
  return bytes;
}

/** The mtime that most inodes have is the file system's own: those inodes need half the room. */
function commonSeconds(inodes: readonly Inode[]): number {
  const counts = new Map<number, number>();
  let best = 0;
  for (const inode of inodes) {
    if (inode.mtimeNanos !== 0) continue;
    const count = (counts.get(inode.mtimeSeconds) ?? 0) + 1;
    counts.set(inode.mtimeSeconds, count);
    if (count > (counts.get(best) ?? 0)) best = inode.mtimeSeconds;
  }
  return best;
}

/** All inodes once, each directory's children next to each other, the root first; and how many names each has. */
function collect(root: Directory): { inodes: Inode[]; links: Map<Inode, number> } {
  const inodes: Inode[] = [root];
  const links = new Map<Inode, number>([[root, 2]]);
  const todo: Directory[] = [root];
  for (let directory = todo.pop(); directory !== undefined; directory = todo.pop()) {
    for (const child of directory.children.values()) {
      const known = links.get(child);
      if (child.kind === "directory") {
        links.set(directory, (links.get(directory) ?? 2) + 1);
        links.set(child, 2);
        todo.push(child);
      } else links.set(child, (known ?? 0) + 1);
      if (known === undefined) inodes.push(child);
    }
  }
  return { inodes, links };
}

function place(inode: Inode, links: number, at: number, buildSeconds: number, names: Map<Directory, DirectoryNames>): Placed {
  const xattrs = inode.kind === "directory" && inode.opaque ? [...inode.xattrs, opaqueXattr] : inode.xattrs;
  const xattrBytes = xattrBytesOf(xattrs);
  let size = 0;
  if (inode.kind === "directory") {
    const cut = cutNames(inode);
    names.set(inode, cut);
    size = cut.size;
  } else if (inode.kind === "file") size = inode.size;
  else if (inode.kind === "symlink") size = inode.target.length;
  const small = inode.uid < 65536 && inode.gid < 65536 && links < 65536 && size < 2 ** 32;
  const compact = small && inode.mtimeNanos === 0 && inode.mtimeSeconds === buildSeconds;
  const bytes = compact ? compactBytes : extendedBytes;
  const head = bytes + xattrBytes;
  const base = { inode, bytes, xattrs, xattrBytes, links, size, block: 0 };
  if (inode.kind === "file" && size > 0) return { ...base, offset: at, layout: layoutChunked, inline: 0 };
  const tail = inode.kind === "directory" || inode.kind === "symlink" ? size % blockBytes : 0;
  // A tail must lie in one block; keeping the whole inode in one makes that so in every kernel.
  if (tail === 0 || head + tail > blockBytes) return { ...base, offset: at, layout: layoutPlain, inline: 0 };
  const over = (at % blockBytes) + head + tail > blockBytes;
  return { ...base, offset: over ? Math.ceil(at / blockBytes) * blockBytes : at, layout: layoutInline, inline: tail };
}

/** Where the inode's own bytes end: chunk indexes, aligned to 8, or the tail included. */
function endOf(placed: Placed): number {
  const head = placed.offset + placed.bytes + placed.xattrBytes;
  if (placed.inode.kind !== "file" || placed.layout !== layoutChunked) return head + placed.inline;
  return chunkTableOffset(placed) + 8 * chunkCount(placed.inode).count;
}

export function chunkTableOffset(placed: Placed): number {
  return Math.ceil((placed.offset + placed.bytes + placed.xattrBytes) / 8) * 8;
}

export function layOut(root: Directory, devices: number): Layout {
  const { inodes, links } = collect(root);
  const buildSeconds = commonSeconds(inodes);
  const names = new Map<Directory, DirectoryNames>();
  const byInode = new Map<Inode, Placed>();
  const placed: Placed[] = [];
  let at = deviceTableOffset + devices * deviceSlotBytes;
  for (const inode of inodes) {
    const item = place(inode, links.get(inode) ?? 1, at, buildSeconds, names);
    placed.push(item);
    byInode.set(inode, item);
    at = Math.ceil(endOf(item) / slotBytes) * slotBytes;
  }
  const metaBytes = Math.ceil(at / blockBytes) * blockBytes;
  let block = metaBytes / blockBytes;
  for (const item of placed) {
    const blocks = item.layout === layoutChunked ? 0 : Math.ceil((item.size - item.inline) / blockBytes);
    if (blocks === 0) continue;
    item.block = block;
    block += blocks;
  }
  return { placed, byInode, names, metaBytes, blocks: block, buildSeconds };
}
