/** GNU sparse files: the old format (type S) and pax formats 0.0, 0.1 and 1.0 (GNU tar manual, "Sparse Formats"). */
import type { Extent } from "./tar-entry.ts";
import { malformed, parseNumber } from "./tar-header.ts";
import { parseDecimal } from "./tar-pax.ts";

/** [offset in the file, length] */
export type Region = readonly [offset: number, length: number];

/** Regions of an old-format block: `count` descriptors of 12+12 bytes from `start`. @returns also whether another block follows */
export function oldRegions(block: Buffer, start: number, count: number, extendedAt: number): { regions: Region[]; extended: boolean } {
  const regions: Region[] = [];
  for (let i = 0; i < count; i++) {
    const at = start + 24 * i;
    if (block[at] === 0) break;
    regions.push([parseNumber(block, at, 12), parseNumber(block, at + 12, 12)]);
  }
  return { regions, extended: block[extendedAt] !== 0 };
}

/** Format 0.1: `offset,length,offset,length,…` */
export function mapRegions(map: string): Region[] {
  const numbers = map === "" ? [] : map.split(",").map(parseDecimal);
  if (numbers.length % 2 !== 0) throw malformed("a sparse map is not of pairs");
  return pairs(numbers);
}

function pairs(numbers: readonly number[]): Region[] {
  const regions: Region[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) regions.push([numbers[i] ?? 0, numbers[i + 1] ?? 0]);
  return regions;
}

/**
 * Format 1.0: the map stands before the data, decimal numbers with line ends, padded to whole blocks.
 * @returns undefined while `data` does not hold all of it
 */
export function leadingRegions(data: Buffer): { regions: Region[]; bytes: number } | undefined {
  const numbers: number[] = [];
  let at = 0;
  let wanted = 1;
  while (numbers.length < wanted) {
    const end = data.indexOf(0x0a, at);
    if (end < 0) return undefined;
    const value = parseDecimal(data.toString("latin1", at, end));
    if (numbers.length === 0) {
      if (value > 1 << 20) throw malformed("a sparse map is too long");
      wanted = 1 + 2 * value;
    }
    numbers.push(value);
    at = end + 1;
  }
  return { regions: pairs(numbers.slice(1)), bytes: Math.ceil(at / 512) * 512 };
}

/**
 * Lays the regions over the data that is stored one behind the other from `offset`.
 * @throws InvalidParameter when regions overlap, leave the file, or are more or less than the stored data
 */
export function toExtents(regions: readonly Region[], offset: number, size: number, stored: number): Extent[] {
  const extents: Extent[] = [];
  let end = 0;
  let at = offset;
  for (const [start, length] of regions) {
    if (start < end || length < 0 || start + length > size) throw malformed("a sparse map is out of order or leaves the file");
    if (length > 0) extents.push([start, at, length]);
    end = start + length;
    at += length;
  }
  if (at - offset !== stored) throw malformed("a sparse map does not fit the data");
  return extents;
}
