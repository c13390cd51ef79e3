/**
 * One 512-byte tar header: fields, numbers, checksum. POSIX.1-1988 ustar, V7, star and GNU (GNU tar manual,
 * "Basic Tar Format"); what is accepted is what Docker accepts.
 */
import { invalidParameter } from "../base/base.ts";
import { type ByteString, fromBytes } from "./byte-string.ts";

export const blockSize = 512;

/** The largest size that a tar may state: beyond it JavaScript's numbers are no longer exact. */
const maxNumber = Number.MAX_SAFE_INTEGER;

export interface TarHeader {
  /** The type flag's character code. */
  readonly type: number;
  readonly format: "v7" | "ustar" | "star" | "gnu";
  readonly name: ByteString;
  readonly link: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

export function malformed(why: string): Error {
  return invalidParameter(`archive/tar: invalid tar header: ${why}`);
}

function text(block: Buffer, start: number, length: number): ByteString {
  const nul = block.indexOf(0, start);
  return fromBytes(block, start, nul < 0 || nul > start + length ? start + length : nul);
}

function base256(block: Buffer, start: number, length: number): number {
  const negative = ((block[start] ?? 0) & 0x40) !== 0;
  let value = BigInt((block[start] ?? 0) & 0x3f);
  for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[start + i] ?? 0);
  if (negative) value -= 1n << BigInt(8 * length - 2);
  if (value > BigInt(maxNumber) || value < -BigInt(maxNumber)) throw malformed("a number is out of range");
  return Number(value);
}

/** Octal digits between spaces and NULs, or GNU's base-256 (first bit set, two's complement). Empty is 0. */
export function parseNumber(block: Buffer, start: number, length: number): number {
  if (((block[start] ?? 0) & 0x80) !== 0) return base256(block, start, length);
  let at = start;
  let end = start + length;
  const blank = (i: number): boolean => block[i] === 0x20 || block[i] === 0;
  while (at < end && blank(at)) at++;
  while (end > at && blank(end - 1)) end--;
  let value = 0;
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit === -0x30) break;
    if (digit < 0 || digit > 7) throw malformed("a number is not octal");
    value = value * 8 + digit;
  }
  return value;
}

/** The sum of all bytes, the checksum's own counted as spaces. */
function sumOf(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < blockSize; i += 4) sum += (block[i] ?? 0) + (block[i + 1] ?? 0) + (block[i + 2] ?? 0) + (block[i + 3] ?? 0);
  for (let i = 148; i < 156; i++) sum -= block[i] ?? 0;
  return sum;
}

/** What to add to the sum where bytes were taken as signed, as some old tars did. */
function signedDifference(block: Buffer): number {
  let difference = 0;
  for (let i = 0; i < blockSize; i++) if ((i < 148 || i >= 156) && (block[i] ?? 0) > 127) difference -= 256;
  return difference;
}

function verifyChecksum(block: Buffer): void {
  const stated = parseNumber(block, 148, 8);
  const sum = sumOf(block);
  if (stated !== sum && stated !== sum + signedDifference(block)) throw malformed("the checksum is wrong");
}

/** Told by magic and version: `ustar`, NUL, `00` or, of GNU, `ustar`, two spaces, NUL. */
function formatOf(block: Buffer): TarHeader["format"] {
  if (block.readUInt32BE(257) !== 0x75737461 || block[261] !== 0x72) return "v7";
  if (block[262] === 0x20 && block[263] === 0x20 && block[264] === 0) return "gnu";
  if (block[262] !== 0) return "v7";
  return block.readUInt32BE(508) === 0x74617200 ? "star" : "ustar";
}

export function isZeroBlock(block: Buffer): boolean {
  if (block[0] !== 0) return false;
  for (let i = 0; i < blockSize; i++) if (block[i] !== 0) return false;
  return true;
}

/** @throws InvalidParameter when it is no tar header */
export function parseHeader(block: Buffer): TarHeader {
  verifyChecksum(block);
  const format = formatOf(block);
  let name = text(block, 0, 100);
  if (format === "ustar" || format === "star") {
    const prefix = text(block, 345, format === "ustar" ? 155 : 131);
    if (prefix !== "") name = `${prefix}/${name}` as ByteString;
  }
  const size = parseNumber(block, 124, 12);
  if (size < 0 || size > maxNumber) throw malformed("a size is out of range");
  return {
    type: block[156] ?? 0,
    format,
    name,
    link: text(block, 157, 100),
    mode: parseNumber(block, 100, 8),
    uid: parseNumber(block, 108, 8),
    gid: parseNumber(block, 116, 8),
    size,
    mtime: parseNumber(block, 136, 12),
    major: format === "v7" ? 0 : parseNumber(block, 329, 8),
    minor: format === "v7" ? 0 : parseNumber(block, 337, 8),
  };
}
