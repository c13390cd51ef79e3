/** bzip2: blocks of up to 900 kB, Huffman-coded, moved to front, sorted by Burrows and Wheeler, with runs. As its own program reads them. */
import { invalidParameter } from "../base/base.ts";
import type { Decoding } from "./pull-decoder.ts";

const blockMagic = 0x314159265359;
const endMagic = 0x177245385090;
const groupSymbols = 50;
const longestCode = 20;
const pieceBytes = 256 << 10;

const crcTable = new Uint32Array(256);
for (let index = 0; index < 256; index++) {
  let value = index << 24;
  for (let bit = 0; bit < 8; bit++) value = (value & 0x80000000) === 0 ? value << 1 : (value << 1) ^ 0x04c11db7;
  crcTable[index] = value >>> 0;
}

function corrupt(): Error {
  return invalidParameter("cannot decompress: bzip2 data is corrupt");
}

/** Bits of what is there, the first of a byte first. */
class Bits {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  get leftBytes(): number {
    return Math.ceil(this.#bytes.length - this.#at / 8);
  }

  add(bytes: Buffer): void {
    const from = this.#at >> 3;
    this.#bytes = Buffer.concat([this.#bytes.subarray(from), bytes]);
    this.#at -= from * 8;
  }

  align(): void {
    this.#at = Math.ceil(this.#at / 8) * 8;
  }

  one(): number {
    const byte = this.#bytes[this.#at >> 3];
    if (byte === undefined) throw invalidParameter("unexpected EOF");
    return (byte >> (7 - (this.#at++ & 7))) & 1;
  }

  /** @param count up to 48 */
  many(count: number): number {
    let value = 0;
    for (let left = count; left > 0; ) {
      const byte = this.#bytes[this.#at >> 3];
      if (byte === undefined) throw invalidParameter("unexpected EOF");
      const there = 8 - (this.#at & 7);
      const taken = Math.min(there, left);
      value = value * 2 ** taken + ((byte >> (there - taken)) & ((1 << taken) - 1));
      this.#at += taken;
      left -= taken;
    }
    return value;
  }
}

/** Codes of one table, by their length. */
class Codes {
  readonly #limits = new Int32Array(longestCode + 2).fill(-1);
  readonly #bases = new Int32Array(longestCode + 2);
  readonly #symbols: number[] = [];

  constructor(lengths: readonly number[]) {
    let code = 0;
    for (let length = 1; length <= longestCode; length++) {
      this.#bases[length] = code - this.#symbols.length;
      for (const [symbol, own] of lengths.entries()) {
        if (own !== length) continue;
        this.#symbols.push(symbol);
        code++;
      }
      if (code > 2 ** length) throw corrupt();
      this.#limits[length] = code - 1;
      code *= 2;
    }
  }

  next(bits: Bits): number {
    let code = 0;
    for (let length = 1; length <= longestCode; length++) {
      code = code * 2 + bits.one();
      if (code > (this.#limits[length] ?? -1)) continue;
      const symbol = this.#symbols[code - (this.#bases[length] ?? 0)];
      if (symbol === undefined) break;
      return symbol;
    }
    throw corrupt();
  }
}

/** @throws InvalidParameter for data that are no such file, or broken off */
export function* decodeBzip2(): Decoding {
  const bits = new Bits();
  for (let isFirst = true; ; isFirst = false) {
    bits.align();
    if (bits.leftBytes < 4) bits.add(yield { bytes: 4 - bits.leftBytes, mayEnd: true });
    if (!isFirst && bits.leftBytes === 0) return;
    const level = bits.many(32) - 0x425a6830;
    if (level < 1 || level > 9) throw corrupt();
    // No block is longer than all of its symbols with the longest codes.
    const mostBytes = 300_000 * level + 40_000;
    for (let sum = 0; ; ) {
      if (bits.leftBytes < mostBytes) bits.add(yield { bytes: mostBytes - bits.leftBytes, mayEnd: true });
      const magic = bits.many(48);
      const stated = bits.many(32);
      if (magic === endMagic) {
        if (stated !== sum) throw corrupt();
        break;
      }
      if (magic !== blockMagic) throw corrupt();
      const own = yield* unsorted(readBlock(bits, level * 100_000));
      if (own !== stated) throw corrupt();
      sum = (((sum << 1) | (sum >>> 31)) ^ own) >>> 0;
    }
  }
}

interface Block {
  /** Bytes in the low eight bits; above them, where the next one is. */
  readonly links: Uint32Array;
  readonly first: number;
}

function readBlock(bits: Bits, mostBytes: number): Block {
  if (bits.one() === 1) throw invalidParameter("cannot decompress: bzip2 blocks of its first versions are not supported");
  const origin = bits.many(24);
  const bytes = readBytes(bits);
  const tables = readTables(bits, bytes.length + 2);
  const links = new Uint32Array(mostBytes);
  const counts = new Uint32Array(256);
  const end = bytes.length + 1;
  let length = 0;
  let run = 0;
  let weight = 1;
  const repeat = (byte: number, count: number): void => {
    if (length + count > mostBytes) throw corrupt();
    links.fill(byte, length, length + count);
    counts[byte] = (counts[byte] ?? 0) + count;
    length += count;
  };
  for (const symbol of symbolsOf(bits, tables)) {
    if (symbol < 2) {
      run += weight << symbol;
      weight *= 2;
      if (run > mostBytes) throw corrupt();
      continue;
    }
    if (run > 0) repeat(bytes[0] ?? 0, run);
    [run, weight] = [0, 1];
    if (symbol === end) break;
    const [byte = 0] = bytes.splice(symbol - 1, 1);
    bytes.unshift(byte);
    repeat(byte, 1);
  }
  if (origin >= length) throw corrupt();
  return { links: linked(links.subarray(0, length), counts), first: origin };
}

/** The bytes that the block has at all. */
function readBytes(bits: Bits): number[] {
  const ranges = bits.many(16);
  const bytes: number[] = [];
  for (let range = 0; range < 16; range++) {
    if ((ranges & (0x8000 >> range)) === 0) continue;
    const used = bits.many(16);
    for (let low = 0; low < 16; low++) if ((used & (0x8000 >> low)) !== 0) bytes.push(range * 16 + low);
  }
  if (bytes.length === 0) throw corrupt();
  return bytes;
}

interface Tables {
  readonly codes: readonly Codes[];
  /** Which table each group of symbols has. */
  readonly selectors: readonly number[];
}

function readTables(bits: Bits, symbols: number): Tables {
  const count = bits.many(3);
  const selectorCount = bits.many(15);
  if (count < 2 || count > 6 || selectorCount === 0) throw corrupt();
  const recent = Array.from({ length: count }, (_, index) => index);
  const selectors: number[] = [];
  for (let index = 0; index < selectorCount; index++) {
    let at = 0;
    while (bits.one() === 1) at++;
    if (at >= count) throw corrupt();
    const [selector = 0] = recent.splice(at, 1);
    recent.unshift(selector);
    selectors.push(selector);
  }
  const codes = recent.map(() => {
    let length = bits.many(5);
    const lengths: number[] = [];
    for (let symbol = 0; symbol < symbols; symbol++) {
      while (bits.one() === 1) length += bits.one() === 0 ? 1 : -1;
      if (length < 1 || length > longestCode) throw corrupt();
      lengths.push(length);
    }
    return new Codes(lengths);
  });
  return { codes, selectors };
}

function* symbolsOf(bits: Bits, { codes, selectors }: Tables): Generator<number> {
  for (const selector of selectors) {
    const table = codes[selector];
    if (table === undefined) throw corrupt();
    for (let left = groupSymbols; left > 0; left--) yield table.next(bits);
  }
  throw corrupt();
}

/** Undoes the sorting: each byte is told where the one behind it is. */
function linked(links: Uint32Array, counts: Uint32Array): Uint32Array {
  let sum = 0;
  const starts = counts.map((count) => {
    sum += count;
    return sum - count;
  });
  for (let index = 0; index < links.length; index++) {
    const byte = (links[index] ?? 0) & 0xff;
    const at = starts[byte] ?? 0;
    starts[byte] = at + 1;
    links[at] = ((links[at] ?? 0) | (index << 8)) >>> 0;
  }
  return links;
}

/** The block's bytes: after four equal ones, a count of more. @returns their sum */
function* unsorted({ links, first }: Block): Decoding<number> {
  let crc = 0xffffffff;
  let piece = Buffer.allocUnsafeSlow(pieceBytes);
  let filled = 0;
  let equal = 0;
  let last = -1;
  let at = (links[first] ?? 0) >>> 8;
  for (let left = links.length; left > 0; left--) {
    const link = links[at] ?? 0;
    const byte = link & 0xff;
    at = link >>> 8;
    let count = 1;
    if (equal === 4) {
      count = byte;
      equal = 0;
    } else {
      equal = byte === last ? equal + 1 : 1;
      last = byte;
    }
    for (; count > 0; count--) {
      crc = ((crc << 8) ^ (crcTable[(crc >>> 24) ^ last] ?? 0)) >>> 0;
      piece[filled++] = last;
      if (filled < pieceBytes) continue;
      yield piece;
      piece = Buffer.allocUnsafeSlow(pieceBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
  return ~crc >>> 0;
}
