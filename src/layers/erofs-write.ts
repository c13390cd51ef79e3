/** Second pass: the bytes of an index. */
import { invalidParameter } from "../base/base.ts";
import type { ByteString } from "./byte-string.ts";
import { crc32c } from "./crc32c.ts";
import { type Copy, chunksOf } from "./erofs-chunks.ts";
import {
  blockBits,
  blockBytes,
  chunkIndexes,
  compactBytes,
  deviceSlotBytes,
  deviceTableOffset,
  direntBytes,
  featureChecksum,
  featureChunked,
  featureDeviceTable,
  featureMtime,
  fileTypes,
  layoutChunked,
  layoutInline,
  nullBlock,
  slotBytes,
  superMagic,
  superOffset,
  xattrHeaderBytes,
} from "./erofs-format.ts";
import { chunkTableOffset, type Layout, layOut, type Placed, splitXattr } from "./erofs-layout.ts";
import type { Directory, Inode } from "./inode.ts";

export interface ErofsIndex {
  /** The index up to where pieces of sparse files begin. */
  readonly bytes: Buffer;
  /** What to copy behind them. */
  readonly copies: readonly Copy[];
  /** Size of the finished file. */
  readonly sizeBytes: number;
}

/** A device number as Linux' `new_encode_dev` has it. */
function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** @param deviceBytes sizes of the layer tars, in the order of the device table */
export function writeErofs(root: Directory, deviceBytes: readonly number[]): ErofsIndex {
  const layout = layOut(root, deviceBytes.length);
  const bytes = Buffer.alloc(layout.blocks * blockBytes);
  const copies: Copy[] = [];
  let blocks = layout.blocks;
  const take = (count: number): number => {
    const first = blocks;
    blocks += count;
    if (blocks >= nullBlock) throw invalidParameter("sparse files of the layer are too large");
    return first;
  };
  layout.placed.forEach((placed, index) => {
    writeInode(bytes, layout, placed, index + 1);
    if (placed.inode.kind === "file" && placed.layout === layoutChunked) {
      const chunks = chunksOf(placed.inode, take, copies);
      bytes.writeUInt16LE(chunkIndexes | chunks.bits, placed.offset + 16);
      let at = chunkTableOffset(placed);
      for (const [device, block] of chunks.indexes) {
        bytes.writeUInt16LE(device, at + 2);
        bytes.writeUInt32LE(block, at + 4);
        at += 8;
      }
    }
  });
  writeSuper(bytes, layout, blocks, deviceBytes);
  return { bytes, copies, sizeBytes: blocks * blockBytes };
}

function writeSuper(bytes: Buffer, layout: Layout, blocks: number, deviceBytes: readonly number[]): void {
  deviceBytes.forEach((size, index) => {
    bytes.writeUInt32LE(Math.floor(size / blockBytes), deviceTableOffset + index * deviceSlotBytes + 64);
  });
  const at = superOffset;
  bytes.writeUInt32LE(superMagic, at);
  bytes.writeUInt32LE(featureChecksum | featureMtime, at + 8);
  bytes.writeUInt8(blockBits, at + 12);
  bytes.writeUInt16LE((layout.placed[0]?.offset ?? 0) / slotBytes, at + 14);
  bytes.writeBigUInt64LE(BigInt(layout.placed.length), at + 16);
  bytes.writeBigInt64LE(BigInt(layout.buildSeconds), at + 24);
  bytes.writeUInt32LE(blocks, at + 36);
  bytes.writeUInt32LE(featureChunked | featureDeviceTable, at + 80);
  bytes.writeUInt16LE(deviceBytes.length, at + 86);
  bytes.writeUInt16LE(deviceTableOffset / deviceSlotBytes, at + 88);
  // The checksum field itself is zero while it is summed, up to the end of the superblock's block.
  bytes.writeUInt32LE(crc32c(bytes.subarray(at, at + blockBytes)), at + 4);
}

function writeInode(bytes: Buffer, layout: Layout, placed: Placed, number: number): void {
  const { inode, offset: at } = placed;
  const extended = placed.bytes !== compactBytes;
  bytes.writeUInt16LE((extended ? 1 : 0) | (placed.layout << 1), at);
  bytes.writeUInt16LE(placed.xattrBytes === 0 ? 0 : 1 + (placed.xattrBytes - xattrHeaderBytes) / 4, at + 2);
  bytes.writeUInt16LE(fileTypes[inode.kind][0] | inode.mode, at + 4);
  if (inode.kind === "character" || inode.kind === "block") bytes.writeUInt32LE(encodeDevice(inode.major, inode.minor), at + 16);
  else if (placed.layout !== layoutChunked) bytes.writeUInt32LE(placed.block, at + 16);
  bytes.writeUInt32LE(number, at + 20);
  if (extended) {
    bytes.writeUInt32LE(placed.size % 2 ** 32, at + 8);
    bytes.writeUInt32LE(Math.floor(placed.size / 2 ** 32), at + 12);
    bytes.writeUInt32LE(inode.uid, at + 24);
    bytes.writeUInt32LE(inode.gid, at + 28);
    bytes.writeUInt32LE(inode.mtimeSeconds >>> 0, at + 32);
    bytes.writeInt32LE(Math.floor(inode.mtimeSeconds / 2 ** 32), at + 36);
    bytes.writeUInt32LE(inode.mtimeNanos, at + 40);
    bytes.writeUInt32LE(placed.links, at + 44);
  } else {
    bytes.writeUInt16LE(placed.links, at + 6);
    bytes.writeUInt32LE(placed.size, at + 8);
    bytes.writeUInt16LE(inode.uid, at + 24);
    bytes.writeUInt16LE(inode.gid, at + 26);
  }
  if (placed.xattrBytes > 0) writeXattrs(bytes, placed);
  if (inode.kind === "directory") writeDirectory(bytes, layout, placed, inode);
  else if (inode.kind === "symlink") writeContent(bytes, placed, Buffer.from(inode.target, "latin1"));
}

function writeXattrs(bytes: Buffer, placed: Placed): void {
  let at = placed.offset + placed.bytes + xattrHeaderBytes;
  for (const [name, value] of placed.xattrs) {
    const [index, rest] = splitXattr(name);
    bytes.writeUInt8(rest.length, at);
    bytes.writeUInt8(index, at + 1);
    bytes.writeUInt16LE(value.length, at + 2);
    bytes.write(rest, at + 4, "latin1");
    value.copy(bytes, at + 4 + rest.length);
    at += (4 + rest.length + value.length + 3) & ~3;
  }
}

/** Whole blocks go where the layout says, the tail behind the inode. */
function writeContent(bytes: Buffer, placed: Placed, content: Buffer): void {
  const whole = content.length - placed.inline;
  content.copy(bytes, placed.block * blockBytes, 0, whole);
  if (placed.layout === layoutInline) content.copy(bytes, placed.offset + placed.bytes + placed.xattrBytes, whole);
}

function writeDirectory(bytes: Buffer, layout: Layout, placed: Placed, directory: Directory): void {
  const cut = layout.names.get(directory);
  if (cut === undefined) return;
  cut.starts.forEach((start, block) => {
    const end = cut.starts[block + 1] ?? cut.names.length;
    const inline = placed.layout === layoutInline && block === cut.starts.length - 1;
    const base = inline ? placed.offset + placed.bytes + placed.xattrBytes : (placed.block + block) * blockBytes;
    let nameOffset = direntBytes * (end - start);
    bytes.write(cut.names.slice(start, end).join(""), base + nameOffset, "latin1");
    for (let i = start; i < end; i++) {
      const name = cut.names[i] ?? ("" as ByteString);
      const inode = target(directory, name);
      const at = base + direntBytes * (i - start);
      const nid = (layout.byInode.get(inode)?.offset ?? 0) / slotBytes;
      bytes.writeUInt32LE(nid % 2 ** 32, at);
      bytes.writeUInt32LE(Math.floor(nid / 2 ** 32), at + 4);
      bytes.writeUInt16LE(nameOffset, at + 8);
      bytes.writeUInt8(fileTypes[inode.kind][1], at + 10);
      nameOffset += name.length;
    }
  });
}

function target(directory: Directory, name: ByteString): Inode {
  if (name === ".") return directory;
  if (name === "..") return directory.parent ?? directory;
  return directory.children.get(name) ?? directory;
}
