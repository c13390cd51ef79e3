/** Where the data of a file lies, as EROFS' equal chunks. */
import { blockBits, blockBytes, maxChunkBits, nullBlock } from "./erofs-format.ts";
import type { RegularFile } from "./inode.ts";
import type { Extent } from "./tar-entry.ts";

/** Data to copy from a tar into the index: what does not lie at a block's start cannot be pointed at. */
export interface Copy {
  readonly device: number;
  readonly from: number;
  /** Byte offset in the index. */
  readonly to: number;
  readonly length: number;
}

export interface Chunks {
  /** log2 of the blocks in a chunk. */
  readonly bits: number;
  /** [device, block] of each chunk; device 0 is the index itself, block `nullBlock` a hole. */
  readonly indexes: readonly (readonly [device: number, block: number])[];
}

/** How many chunks a sparse file may have. A single header can state a file of terabytes: so they are few. */
const maxChunksOfFile = 1 << 16;

/** Bytes that `value` is a multiple of, as a power of two. */
function alignment(value: number): number {
  let bytes = blockBytes;
  while (bytes < 2 ** 40 && value % (bytes * 2) === 0) bytes *= 2;
  return value === 0 ? 2 ** 40 : bytes;
}

function bitsFor(size: number, maxChunks: number): number {
  let bits = 0;
  while (bits < maxChunkBits && Math.ceil(size / (blockBytes * 2 ** bits)) > maxChunks) bits++;
  return bits;
}

/** Chunks as large as the holes allow. */
function sparseBits(file: RegularFile, extents: readonly Extent[]): number {
  const bytes = extents.reduce(
    (least, [start, , length]) => Math.min(least, alignment(start), alignment(start + length === file.size ? 0 : start + length)),
    2 ** 40,
  );
  return Math.max(bitsFor(file.size, maxChunksOfFile), Math.min(Math.log2(bytes) - blockBits, bitsFor(file.size, 1)));
}

export function chunkCount(file: RegularFile): { readonly bits: number; readonly count: number } {
  const bits = file.extents === undefined ? bitsFor(file.size, 1) : sparseBits(file, file.extents);
  return { bits, count: Math.ceil(file.size / (blockBytes * 2 ** bits)) };
}

/**
 * @param place takes room for so many blocks in the index and returns the first
 * @param copies is added to
 */
export function chunksOf(file: RegularFile, place: (blocks: number) => number, copies: Copy[]): Chunks {
  const { bits, count } = chunkCount(file);
  const bytes = blockBytes * 2 ** bits;
  if (file.extents === undefined) {
    const block = file.offset / blockBytes;
    return { bits, indexes: Array.from({ length: count }, (_, chunk) => [file.device, block + chunk * 2 ** bits] as const) };
  }
  const indexes: [number, number][] = [];
  let first = 0;
  for (let chunk = 0; chunk < count; chunk++) {
    const start = chunk * bytes;
    const end = Math.min(start + bytes, file.size);
    const inside: Extent[] = [];
    for (let i = first; i < file.extents.length; i++) {
      const extent = file.extents[i];
      if (extent === undefined || extent[0] >= end) break;
      if (extent[0] + extent[2] <= start) first = i + 1;
      else inside.push(extent);
    }
    indexes.push(chunkIndex(file.device, inside, start, end, place, copies));
  }
  return { bits, indexes };
}

function chunkIndex(
  device: number,
  inside: readonly Extent[],
  start: number,
  end: number,
  place: (blocks: number) => number,
  copies: Copy[],
): [number, number] {
  const only = inside[0];
  if (only === undefined) return [0, nullBlock];
  const position = only[1] + start - only[0];
  if (inside.length === 1 && only[0] <= start && only[0] + only[2] >= end && position % blockBytes === 0)
    return [device, position / blockBytes];
  const block = place(Math.ceil((end - start) / blockBytes));
  for (const [offset, at, length] of inside) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, end);
    copies.push({ device, from: at + from - offset, to: block * blockBytes + from - start, length: to - from });
  }
  return [0, block];
}
