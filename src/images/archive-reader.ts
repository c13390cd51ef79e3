/**
 * Reads a tar stream member by member, each member's bytes as they arrive and once only. This is for the
 * archives that images travel in (a few hundred members with plain names); layers have a reader of their own.
 * Formats: POSIX ustar and pax, GNU long names and base-256 sizes (POSIX.1-2024 pax, "ustar Interchange Format";
 * GNU tar manual, "Basic Tar Format").
 */
import { Readable } from "node:stream";
import { invalidParameter } from "../base/base.ts";
import type { ByteCursor } from "./byte-cursor.ts";

export interface Member {
  /** Without a leading `./`; never absolute, never with `..`. */
  readonly name: string;
  readonly type: "file" | "directory" | "symlink" | "link" | "other";
  /** Where a link points, as written. */
  readonly target: string;
  readonly sizeBytes: number;
  /** The first bytes, up to `count`, without taking them. */
  peek(count: number): Promise<Buffer>;
  /** All bytes. @throws when they are not all there */
  read(): Promise<Buffer>;
  /** The bytes as a stream. What nobody reads is skipped when the next member is asked for. */
  stream(onBytes?: (count: number) => void): Readable;
}

const blockBytes = 512;
/** Long names and pax records beyond this are not names. */
const maxHeaderBytes = 1 << 20;

/** @throws InvalidParameter for anything that is no whole, well-formed archive */
export async function* readArchive(cursor: ByteCursor): AsyncGenerator<Member> {
  let pax: ReadonlyMap<string, string> = new Map();
  let longName: string | undefined;
  let longTarget: string | undefined;
  for (;;) {
    const header = await cursor.take(blockBytes);
    if (header.length === 0) return;
    if (header.length < blockBytes) throw invalidParameter("unexpected EOF");
    if (header.every((byte) => byte === 0)) return;
    verifyChecksum(header);
    const type = String.fromCharCode(header[156] ?? 0);
    const size = pax.get("size");
    const sizeBytes = size === undefined ? readNumber(header, 124, 12) : paxNumber(size);
    if ("xgLK".includes(type)) {
      const data = await takeHeaderData(cursor, readNumber(header, 124, 12));
      if (type === "x") pax = parsePax(data);
      if (type === "L") longName = textOf(data);
      if (type === "K") longTarget = textOf(data);
      continue;
    }
    const body = new Body(cursor, kindOf(type) === "file" ? sizeBytes : 0);
    const name = cleanName(pax.get("path") ?? longName ?? headerName(header));
    const target = pax.get("linkpath") ?? longTarget ?? textOf(header.subarray(157, 257));
    yield {
      name,
      type: [...pax.keys()].some((key) => key.startsWith("GNU.sparse")) ? "other" : kindOf(type),
      target,
      sizeBytes: body.sizeBytes,
      peek: (count) => cursor.peek(Math.min(count, body.remaining)),
      read: () => body.read(),
      stream: (onBytes) => body.stream(onBytes),
    };
    await body.finish();
    pax = new Map();
    longName = undefined;
    longTarget = undefined;
  }
}

class Body {
  readonly sizeBytes: number;
  remaining: number;
  readonly #cursor: ByteCursor;
  /** A read of the stream that has not come back yet. */
  #reading: Promise<void> = Promise.resolve();

  constructor(cursor: ByteCursor, sizeBytes: number) {
    this.#cursor = cursor;
    this.sizeBytes = sizeBytes;
    this.remaining = sizeBytes;
  }

  async #some(): Promise<Buffer> {
    const chunk = await this.#cursor.some(this.remaining);
    if (chunk.length === 0) throw invalidParameter("unexpected EOF");
    this.remaining -= chunk.length;
    return chunk;
  }

  async read(): Promise<Buffer> {
    const data = await this.#cursor.take(this.remaining);
    if (data.length < this.remaining) throw invalidParameter("unexpected EOF");
    this.remaining = 0;
    return data;
  }

  stream(onBytes?: (count: number) => void): Readable {
    const pull = async (readable: Readable): Promise<void> => {
      try {
        if (this.remaining === 0) return void readable.push(null);
        const chunk = await this.#some();
        onBytes?.(chunk.length);
        readable.push(chunk);
      } catch (error) {
        readable.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const readable = new Readable({
      highWaterMark: 1 << 20,
      read: (): void => {
        this.#reading = pull(readable);
      },
    });
    return readable;
  }

  /** Skips what was not read, and the padding behind. */
  async finish(): Promise<void> {
    await this.#reading;
    while (this.remaining > 0) await this.#some();
    const padding = (blockBytes - (this.sizeBytes % blockBytes)) % blockBytes;
    if ((await this.#cursor.take(padding)).length < padding) throw invalidParameter("unexpected EOF");
  }
}

function kindOf(type: string): Member["type"] {
  switch (type) {
    case "0":
    case "\0":
    case "7":
      return "file";
    case "1":
      return "link";
    case "2":
      return "symlink";
    case "5":
      return "directory";
    default:
      return "other";
  }
}

/** The sum of a header's bytes, its own field counted as blanks; signed bytes as some old writers had it. */
export function hasChecksum(header: Uint8Array): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let at = 0; at < blockBytes; at++) {
    const byte = at >= 148 && at < 156 ? 32 : (header[at] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const stated = Number.parseInt(textOf(header.subarray(148, 156)).trim(), 8);
  return stated === unsigned || stated === signed;
}

function verifyChecksum(header: Uint8Array): void {
  if (!hasChecksum(header)) throw invalidParameter("archive/tar: invalid tar header");
}

/** Octal, or base-256 when the first bit is set. */
function readNumber(header: Uint8Array, start: number, length: number): number {
  const field = header.subarray(start, start + length);
  const first = field[0] ?? 0;
  let value: number;
  if ((first & 0x80) !== 0) {
    value = first & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
  } else {
    const text = textOf(field).trim();
    value = text === "" ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  }
  if (!Number.isSafeInteger(value)) throw invalidParameter("archive/tar: invalid tar header");
  return value;
}

function paxNumber(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalidParameter("archive/tar: invalid tar header");
  return value;
}

async function takeHeaderData(cursor: ByteCursor, sizeBytes: number): Promise<Buffer> {
  if (sizeBytes > maxHeaderBytes) throw invalidParameter("archive/tar: header field too long");
  const padded = Math.ceil(sizeBytes / blockBytes) * blockBytes;
  const data = await cursor.take(padded);
  if (data.length < padded) throw invalidParameter("unexpected EOF");
  return data.subarray(0, sizeBytes);
}

/** `length key=value\n` records; the length counts the whole record in bytes. */
function parsePax(data: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(32, at);
    const length = Number(data.toString("latin1", at, Math.max(blank, at)));
    const equals = data.indexOf(61, blank);
    const end = at + length;
    if (
      blank < 0 ||
      !Number.isSafeInteger(length) ||
      length <= 0 ||
      end > data.length ||
      equals < 0 ||
      equals >= end ||
      data[end - 1] !== 10
    )
      throw invalidParameter("archive/tar: invalid tar header");
    records.set(data.toString("utf8", blank + 1, equals), data.toString("utf8", equals + 1, end - 1));
    at = end;
  }
  return records;
}

function textOf(field: Uint8Array): string {
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString();
}

function headerName(header: Uint8Array): string {
  const name = textOf(header.subarray(0, 100));
  const isUstar = textOf(header.subarray(257, 263)).startsWith("ustar") && header[262] === 0;
  const prefix = isUstar ? textOf(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function cleanName(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (name.startsWith("/") || parts.includes("..")) throw invalidParameter(`invalid member name in archive: ${JSON.stringify(name)}`);
  return parts.join("/");
}
