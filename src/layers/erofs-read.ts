/** Reads an index of ours back: to look a file up without mounting, and to unpack a layer. */
import { systemError } from "../base/base.ts";
import type { ByteString } from "./byte-string.ts";
import {
  blockBytes,
  compactBytes,
  direntBytes,
  extendedBytes,
  fileTypes,
  layoutChunked,
  layoutInline,
  nullBlock,
  slotBytes,
  superMagic,
  superOffset,
  xattrHeaderBytes,
  xattrPrefixes,
} from "./erofs-format.ts";
import type { Inode } from "./inode.ts";
import type { Xattr } from "./tar-entry.ts";

export interface FoundInode {
  readonly nid: number;
  readonly kind: Inode["kind"];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanos: number;
  readonly links: number;
  readonly size: number;
  readonly major: number;
  readonly minor: number;
  readonly layout: number;
  /** Where the bytes behind inode and attributes begin. */
  readonly tail: number;
  readonly block: number;
  readonly xattrs: readonly Xattr[];
}

/** Data of a file: `length` bytes at `at` of device `device` (0: the index) belong at `offset`. */
export interface Piece {
  readonly offset: number;
  readonly device: number;
  readonly at: number;
  readonly length: number;
}

const kindOfMode: ReadonlyMap<number, Inode["kind"]> = new Map(
  Object.entries(fileTypes).map(([kind, [mode]]) => [mode, kind as Inode["kind"]]),
);

export class ErofsReader {
  readonly #bytes: Buffer;
  readonly rootNid: number;
  readonly #buildSeconds: number;

  /** @param bytes the whole index */
  constructor(bytes: Buffer) {
    if (bytes.length < superOffset + blockBytes || bytes.readUInt32LE(superOffset) !== superMagic)
      throw systemError("a layer's index is damaged");
    this.#bytes = bytes;
    this.rootNid = bytes.readUInt16LE(superOffset + 14);
    this.#buildSeconds = Number(bytes.readBigInt64LE(superOffset + 24));
  }

  inode(nid: number): FoundInode {
    const bytes = this.#bytes;
    const at = nid * slotBytes;
    const format = bytes.readUInt16LE(at);
    const extended = (format & 1) !== 0;
    const count = bytes.readUInt16LE(at + 2);
    const xattrBytes = count === 0 ? 0 : xattrHeaderBytes + 4 * (count - 1);
    const mode = bytes.readUInt16LE(at + 4);
    const kind = kindOfMode.get(mode & 0o170000);
    if (kind === undefined) throw systemError("a layer's index is damaged");
    const device = bytes.readUInt32LE(at + 16);
    const xattrsAt = at + (extended ? extendedBytes : compactBytes);
    return {
      nid,
      kind,
      mode: mode & 0o7777,
      links: extended ? bytes.readUInt32LE(at + 44) : bytes.readUInt16LE(at + 6),
      size: bytes.readUInt32LE(at + 8) + (extended ? bytes.readUInt32LE(at + 12) * 2 ** 32 : 0),
      uid: extended ? bytes.readUInt32LE(at + 24) : bytes.readUInt16LE(at + 24),
      gid: extended ? bytes.readUInt32LE(at + 28) : bytes.readUInt16LE(at + 26),
      mtimeSeconds: extended ? Number(bytes.readBigInt64LE(at + 32)) : this.#buildSeconds,
      mtimeNanos: extended ? bytes.readUInt32LE(at + 40) : 0,
      major: (device >>> 8) & 0xfff,
      minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
      layout: (format >> 1) & 7,
      tail: xattrsAt + xattrBytes,
      block: device,
      xattrs: xattrBytes === 0 ? [] : this.#xattrs(xattrsAt + xattrHeaderBytes, xattrsAt + xattrBytes),
    };
  }

  #xattrs(start: number, end: number): Xattr[] {
    const bytes = this.#bytes;
    const found: Xattr[] = [];
    for (let at = start; at < end; ) {
      const nameBytes = bytes.readUInt8(at);
      const index = bytes.readUInt8(at + 1);
      const valueAt = at + 4 + nameBytes;
      const valueEnd = valueAt + bytes.readUInt16LE(at + 2);
      const prefix = xattrPrefixes.find(([, number]) => number === index)?.[0] ?? "";
      found.push([(prefix + bytes.toString("latin1", at + 4, valueAt)) as ByteString, bytes.subarray(valueAt, valueEnd)]);
      at = (valueEnd + 3) & ~3;
    }
    return found;
  }

  /** The bytes of a directory block or a link's target; `start` a multiple of the block size. */
  #content(inode: FoundInode, start: number): Buffer {
    const end = Math.min(start + blockBytes, inode.size);
    const inline = inode.layout === layoutInline && end === inode.size;
    const at = inline ? inode.tail : inode.block * blockBytes + start;
    return this.#bytes.subarray(at, at + end - start);
  }

  target(inode: FoundInode): ByteString {
    const parts: string[] = [];
    for (let at = 0; at < inode.size; at += blockBytes) parts.push(this.#content(inode, at).toString("latin1"));
    return parts.join("") as ByteString;
  }

  /** A directory's entries without `.` and `..`. */
  *entries(directory: FoundInode): Generator<readonly [name: ByteString, nid: number]> {
    for (let at = 0; at < directory.size; at += blockBytes) {
      const block = this.#content(directory, at);
      const count = block.readUInt16LE(8) / direntBytes;
      for (let i = 0; i < count; i++) {
        const name = nameAt(block, i, count);
        if (name !== "." && name !== "..") yield [name, nidAt(block, i)];
      }
    }
  }

  lookup(directory: FoundInode, name: string): FoundInode | undefined {
    let low = 0;
    let high = Math.ceil(directory.size / blockBytes) - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const block = this.#content(directory, middle * blockBytes);
      if (nameAt(block, 0, block.readUInt16LE(8) / direntBytes) <= name) low = middle;
      else high = middle - 1;
    }
    if (high < 0) return undefined;
    const block = this.#content(directory, low * blockBytes);
    const count = block.readUInt16LE(8) / direntBytes;
    for (let i = 0; i < count; i++) if (nameAt(block, i, count) === name) return this.inode(nidAt(block, i));
    return undefined;
  }

  /** Where a file's data lies, neighbours joined; what is missing is holes. */
  pieces(file: FoundInode): Piece[] {
    if (file.layout !== layoutChunked) return [];
    const bits = this.#bytes.readUInt16LE(file.nid * slotBytes + 16) & 0x1f;
    const chunkBytes = blockBytes * 2 ** bits;
    const found: Piece[] = [];
    let at = Math.ceil(file.tail / 8) * 8;
    for (let offset = 0; offset < file.size; offset += chunkBytes, at += 8) {
      const block = this.#bytes.readUInt32LE(at + 4);
      if (block === nullBlock) continue;
      const piece = {
        offset,
        device: this.#bytes.readUInt16LE(at + 2),
        at: block * blockBytes,
        length: Math.min(chunkBytes, file.size - offset),
      };
      const last = found.at(-1);
      const joins =
        last !== undefined && last.device === piece.device && last.offset + last.length === offset && last.at + last.length === piece.at;
      if (joins) found[found.length - 1] = { ...last, length: last.length + piece.length };
      else found.push(piece);
    }
    return found;
  }
}

function nidAt(block: Buffer, index: number): number {
  return block.readUInt32LE(index * direntBytes) + block.readUInt32LE(index * direntBytes + 4) * 2 ** 32;
}

function nameAt(block: Buffer, index: number, count: number): ByteString {
  const start = block.readUInt16LE(index * direntBytes + 8);
  let end = index + 1 < count ? block.readUInt16LE((index + 1) * direntBytes + 8) : block.length;
  if (index + 1 === count) {
    const nul = block.indexOf(0, start);
    if (nul >= 0) end = Math.min(end, nul);
  }
  return block.toString("latin1", start, end) as ByteString;
}
