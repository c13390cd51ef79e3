/** The .xz file format, 1.2.0: streams one behind the other, of blocks with the filter LZMA2, and their checks. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { invalidParameter } from "../base/base.ts";
import { Crc64 } from "./crc64.ts";
import { corrupt, Lzma2Decoder } from "./lzma2.ts";
import type { Decoding } from "./pull-decoder.ts";

const magic = Buffer.from("fd377a585a00", "hex");
/** Of a window: what `xz -9` has. More is an attack on memory, or made for another purpose. */
const mostDictionaryBytes = 64 << 20;
const lzma2Filter = 0x21;

interface Check {
  readonly bytes: number;
  update(data: Buffer): void;
  digest(): Buffer;
}

function checkOf(type: number): Check {
  switch (type) {
    case 0:
      return { bytes: 0, update: () => undefined, digest: () => Buffer.alloc(0) };
    case 1: {
      let sum = 0;
      const update = (data: Buffer): void => {
        sum = crc32(data, sum);
      };
      return { bytes: 4, update, digest: () => littleEndian(sum) };
    }
    case 4: {
      const sum = new Crc64();
      return { bytes: 8, update: (data) => sum.update(data), digest: () => sum.digest() };
    }
    case 10: {
      const hash = createHash("sha256");
      return { bytes: 32, update: (data) => void hash.update(data), digest: () => hash.digest() };
    }
    default:
      throw invalidParameter(`cannot decompress: xz check ${type} is not known`);
  }
}

function littleEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** @throws InvalidParameter for data that are no such file, or broken off */
export function* decodeXz(): Decoding {
  for (let isFirst = true; ; isFirst = false) {
    const start = yield { bytes: 4, mayEnd: !isFirst };
    if (start.length === 0) return;
    // Zeros between streams, and behind the last.
    if (!isFirst && start.equals(Buffer.alloc(4))) continue;
    const rest = yield { bytes: 8 };
    const head = Buffer.concat([start, rest]);
    const flags = head.subarray(6, 8);
    if (head.length !== 12 || !head.subarray(0, 6).equals(magic) || flags[0] !== 0 || crc32(flags) !== head.readUInt32LE(8))
      throw corrupt();
    const type = (flags[1] ?? 0) & 0xf;
    for (;;) {
      const first = yield { bytes: 1 };
      if (first[0] === 0) break;
      yield* decodeBlock(first, type);
    }
    yield* skipIndex();
    const footer = yield { bytes: 12 };
    if (footer.toString("latin1", 10) !== "YZ" || crc32(footer.subarray(4, 10)) !== footer.readUInt32LE(0)) throw corrupt();
  }
}

function* decodeBlock(first: Buffer, type: number): Decoding {
  const size = ((first[0] ?? 0) + 1) * 4;
  const header = Buffer.concat([first, yield { bytes: size - 1 }]);
  const decoder = new Lzma2Decoder(dictionaryOf(header));
  const check = checkOf(type);
  const packed = yield* decodeChunks(decoder, check);
  const padding = yield { bytes: (4 - (packed.bytes % 4)) % 4 };
  if (padding.some((byte) => byte !== 0)) throw corrupt();
  const stated = yield { bytes: check.bytes };
  if (!stated.equals(check.digest())) throw corrupt();
}

/** @returns how many bytes the chunks took */
function* decodeChunks(decoder: Lzma2Decoder, check: Check): Decoding<{ bytes: number }> {
  let bytes = 0;
  let needs: "dictionary" | "properties" | "state" | "nothing" = "dictionary";
  for (;;) {
    const [control = 0] = yield { bytes: 1 };
    bytes += 1;
    if (control === 0) return { bytes };
    if (control >= 0xe0 || control === 1) decoder.resetDictionary();
    else if (needs === "dictionary") throw corrupt();
    if (control < 0x80) {
      if (control > 2) throw corrupt();
      if (needs === "dictionary") needs = "properties";
      const size = (yield { bytes: 2 }).readUInt16BE(0) + 1;
      const plain = yield { bytes: size };
      bytes += 2 + size;
      decoder.copy(plain);
      check.update(plain);
      yield Buffer.from(plain);
      continue;
    }
    const sizes = yield { bytes: 4 };
    bytes += 4;
    const unpackedBytes = ((control & 0x1f) << 16) + sizes.readUInt16BE(0) + 1;
    const packedBytes = sizes.readUInt16BE(2) + 1;
    if (control >= 0xc0) {
      decoder.setProperties((yield { bytes: 1 })[0] ?? 0);
      bytes += 1;
    } else if (needs === "dictionary" || needs === "properties") throw corrupt();
    if (control >= 0xa0) decoder.resetState();
    else if (needs !== "nothing") throw corrupt();
    needs = "nothing";
    const piece = decoder.decode(yield { bytes: packedBytes }, unpackedBytes);
    bytes += packedBytes;
    check.update(piece);
    yield piece;
  }
}

/** Reads a block's header. @returns the size of the window */
function dictionaryOf(header: Buffer): number {
  const end = header.length - 4;
  if (crc32(header.subarray(0, end)) !== header.readUInt32LE(end)) throw corrupt();
  const flags = header[1] ?? 0;
  let at = 2;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = header[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw corrupt();
  };
  if ((flags & 0x40) !== 0) number();
  if ((flags & 0x80) !== 0) number();
  if ((flags & 0x3c) !== 0) throw corrupt();
  const filter = number();
  if ((flags & 3) !== 0 || filter !== lzma2Filter) throw invalidParameter("cannot decompress: xz filters besides LZMA2 are not supported");
  if (number() !== 1) throw corrupt();
  const bits = header[at] ?? 0;
  if (bits > 40) throw corrupt();
  const bytes = bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
  if (bytes > mostDictionaryBytes) throw invalidParameter(`cannot decompress: xz wants ${bytes} bytes of memory`);
  return bytes;
}

/** The list of blocks: all of it has been seen by now. */
function* skipIndex(): Decoding {
  let sum = crc32(Buffer.from([0]));
  let bytes = 1;
  function* number(): Generator<{ bytes: number }, number, Buffer> {
    let value = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const one: Buffer = yield { bytes: 1 };
      sum = crc32(one, sum);
      bytes += 1;
      const [byte = 0] = one;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw corrupt();
  }
  for (let left = 2 * (yield* number()); left > 0; left--) yield* number();
  const padding = yield { bytes: (4 - (bytes % 4)) % 4 };
  sum = crc32(padding, sum);
  if ((yield { bytes: 4 }).readUInt32LE(0) !== sum) throw corrupt();
}
