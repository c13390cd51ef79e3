/**
 * EROFS on disk, as far as layers need it: facts from the kernel's Documentation/filesystems/erofs.rst and
 * on-disk format definition. All numbers are little-endian.
 *
 * An index is: 1024 zero bytes; the superblock (128); the device table (128 a device); the inodes, each in 32-byte slots,
 * followed by its extended attributes and by chunk indexes or the tail of a directory or symlink; then whole
 * blocks of directory entries; then pieces of sparse files that do not lie block-aligned in their tar.
 */
export const blockBits = 9;
export const blockBytes: number = 1 << blockBits;
export const slotBytes = 32;

export const superOffset = 1024;
export const superMagic = 0xe0f5e1e2;
export const deviceTableOffset = 1152;
export const deviceSlotBytes = 128;

/** The superblock's checksum is there and right. */
export const featureChecksum = 0x1;
/** Inodes keep mtime, not ctime. */
export const featureMtime = 0x2;
export const featureChunked = 0x4;
export const featureDeviceTable = 0x8;

export const layoutPlain = 0;
export const layoutInline = 2;
export const layoutChunked = 4;

export const compactBytes = 32;
export const extendedBytes = 64;

/** A chunk-based inode with 8-byte indexes; the low five bits are log2 of the blocks in a chunk. */
export const chunkIndexes = 0x20;
export const maxChunkBits = 31;
/** A chunk that is a hole. */
export const nullBlock = 0xffffffff;

export const xattrHeaderBytes = 12;
/** Prefix of the name, which is not stored, and its number. The longest match counts. */
export const xattrPrefixes: readonly (readonly [prefix: string, index: number])[] = [
  ["user.", 1],
  ["system.posix_acl_access", 2],
  ["system.posix_acl_default", 3],
  ["trusted.", 4],
  ["security.", 6],
];

export const direntBytes = 12;

/** File type bits of the mode, and the type in directory entries. */
export const fileTypes: Readonly<
  Record<"file" | "directory" | "character" | "block" | "fifo" | "symlink", readonly [mode: number, type: number]>
> = {
  file: [0o100000, 1],
  directory: [0o040000, 2],
  character: [0o020000, 3],
  block: [0o060000, 4],
  fifo: [0o010000, 5],
  symlink: [0o120000, 7],
};
