/**
 * Extended headers: POSIX.1-2001 pax records (`LENGTH KEY=VALUE\n`), with SCHILY.xattr.* and GNU.sparse.*.
 * Values are raw bytes.
 */
import { type ByteString, empty, fromBytes } from "./byte-string.ts";
import type { Xattr } from "./tar-entry.ts";
import { malformed } from "./tar-header.ts";

export interface PaxHeader {
  path?: ByteString;
  link?: ByteString;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: readonly [seconds: number, nanos: number];
  readonly xattrs: Map<ByteString, Buffer>;
  /** GNU.sparse.*, without that prefix. The pairs of format 0.0 are joined in `map` as format 0.1 has them. */
  readonly sparse: Map<string, string>;
}

const xattrPrefix = "SCHILY.xattr.";
const sparsePrefix = "GNU.sparse.";

/** Reads one record's length at `at`. @returns [value, index behind the space] */
function recordLength(data: Buffer, at: number): readonly [number, number] {
  let value = 0;
  for (let i = at; i < Math.min(at + 8, data.length); i++) {
    const byte = data[i] ?? 0;
    if (byte === 0x20 && i > at) return [value, i + 1];
    if (byte < 0x30 || byte > 0x39) break;
    value = value * 10 + byte - 0x30;
  }
  throw malformed("a pax record has no length");
}

function parseTime(text: string): readonly [number, number] {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(text);
  if (match === null) throw malformed("a pax time is not a number");
  const whole = Number(match[2]);
  const nanos = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] !== "-") return [whole, nanos];
  return nanos === 0 ? [0 - whole, 0] : [-whole - 1, 1_000_000_000 - nanos];
}

export function parseDecimal(text: string): number {
  if (!/^\d{1,16}$/.test(text) || Number(text) > Number.MAX_SAFE_INTEGER) throw malformed("a pax number is out of range");
  return Number(text);
}

function addSparse(header: PaxHeader, key: string, value: string): void {
  if (key !== "offset" && key !== "numbytes") {
    header.sparse.set(key, value);
    return;
  }
  const map = header.sparse.get("map");
  header.sparse.set("map", map === undefined || map === "" ? value : `${map},${value}`);
}

function addRecord(header: PaxHeader, key: string, value: Buffer): void {
  const text = (): ByteString => {
    if (value.includes(0)) throw malformed(`a NUL in pax ${key}`);
    return fromBytes(value, 0, value.length);
  };
  if (key === "path") header.path = text();
  else if (key === "linkpath") header.link = text();
  else if (value.length === 0 && !key.startsWith(xattrPrefix)) return;
  else if (key === "size") header.size = parseDecimal(text());
  else if (key === "uid") header.uid = parseDecimal(text());
  else if (key === "gid") header.gid = parseDecimal(text());
  else if (key === "mtime") header.mtime = parseTime(text());
  else if (key.startsWith(xattrPrefix)) header.xattrs.set(key.slice(xattrPrefix.length) as ByteString, Buffer.from(value));
  else if (key.startsWith(sparsePrefix)) addSparse(header, key.slice(sparsePrefix.length), text());
}

/** @throws InvalidParameter for records that do not add up */
export function parsePax(data: Buffer): PaxHeader {
  const header: PaxHeader = { xattrs: new Map(), sparse: new Map() };
  for (let at = 0; at < data.length; ) {
    const [length, start] = recordLength(data, at);
    const end = at + length;
    if (end > data.length || end - 1 < start || data[end - 1] !== 0x0a) throw malformed("a pax record has a wrong length");
    const equals = data.indexOf(0x3d, start);
    if (equals < 0 || equals >= end) throw malformed("a pax record has no key");
    const key = data.toString("latin1", start, equals);
    if (key === "" || key.includes("\0")) throw malformed("a pax key is empty or has a NUL");
    addRecord(header, key, data.subarray(equals + 1, end - 1));
    at = end;
  }
  if (header.path === empty) delete header.path;
  if (header.link === empty) delete header.link;
  return header;
}

export function xattrsOf(header: PaxHeader | undefined): readonly Xattr[] {
  return header === undefined || header.xattrs.size === 0 ? [] : [...header.xattrs];
}
