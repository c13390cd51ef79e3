/** Blocks of tar archives: POSIX.1-2017, pax, "ustar Interchange Format"; numbers in base 256 as GNU tar writes them. */
import { systemError } from "../../base/errors.ts";

export const blockBytes = 512;

export type EntryKind = "file" | "directory" | "symlink" | "hardlink" | "fifo" | "character" | "block";

export interface TarEntry {
  readonly kind: EntryKind;
  /** As it stands in the archive; a directory's ends with a slash. */
  readonly name: string;
  /** Permission bits, with set-user-ID, set-group-ID and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly link: string;
  readonly major: number;
  readonly minor: number;
}

const types: Readonly<Record<EntryKind, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

const kinds: Readonly<Record<string, EntryKind>> = {
  "\0": "file",
  "7": "file",
  ...Object.fromEntries(Object.entries(types).map(([kind, type]) => [type, kind as EntryKind])),
};

/** Blanks up to the next whole block. */
export const padding = (bytes: number): number => (blockBytes - (bytes % blockBytes)) % blockBytes;

function rawHeader(type: string, entry: Omit<TarEntry, "kind">): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number): void => {
    const digits = length - 1;
    const shown = value < 8 ** digits ? value : 0; // A pax record has what does not fit.
    block.write(shown.toString(8).padStart(digits, "0"), at, "latin1");
  };
  block.write(entry.name, 0, 100, "utf8");
  octal(entry.mode, 100, 8);
  octal(entry.uid, 108, 8);
  octal(entry.gid, 116, 8);
  octal(entry.sizeBytes, 124, 12);
  octal(Math.max(entry.mtimeSeconds, 0), 136, 12);
  block.write(" ".repeat(8), 148, "latin1");
  block.write(type, 156, "latin1");
  block.write(entry.link, 157, 100, "utf8");
  block.write("ustar\0" + "00", 257, "latin1");
  octal(entry.major, 329, 8);
  octal(entry.minor, 337, 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** `LENGTH KEY=VALUE\n`, the length counting itself. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(key) + Buffer.byteLength(value) + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

const fits = (text: string): boolean => text.length <= 100 && /^[\x20-\x7e]*$/.test(text);

/** The blocks in front of an entry's data. */
export function headerBlocks(entry: TarEntry): Buffer {
  let records = "";
  if (!fits(entry.name)) records += paxRecord("path", entry.name);
  if (!fits(entry.link)) records += paxRecord("linkpath", entry.link);
  if (entry.sizeBytes >= 8 ** 11) records += paxRecord("size", String(entry.sizeBytes));
  if (entry.uid >= 8 ** 7) records += paxRecord("uid", String(entry.uid));
  if (entry.gid >= 8 ** 7) records += paxRecord("gid", String(entry.gid));
  const header = rawHeader(types[entry.kind], entry);
  if (records === "") return header;
  const data = Buffer.from(records);
  const pax = { ...entry, name: "PaxHeaders.0/entry", link: "", mode: 0o644, uid: 0, gid: 0, sizeBytes: data.length };
  return Buffer.concat([rawHeader("x", pax), data, Buffer.alloc(padding(data.length)), header]);
}

/** Fields as one block gives them; `type` may be that of a block which only speaks of the next. */
export interface RawHeader extends Omit<TarEntry, "kind"> {
  readonly type: string;
}

function text(block: Buffer, from: number, to: number): string {
  const field = block.subarray(from, to);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? field.length : end);
}

function number(block: Buffer, from: number, to: number): number {
  if (((block[from] ?? 0) & 0x80) !== 0)
    return Number(BigInt(`0x${block.toString("hex", from, to)}`) & ((1n << BigInt((to - from) * 8 - 1)) - 1n));
  const digits = text(block, from, to).trim();
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** @returns undefined for the empty block that ends an archive. @throws System for a wrong check sum */
export function parseHeader(block: Buffer): RawHeader | undefined {
  let sum = 8 * 0x20;
  let empty = true;
  for (const [at, byte] of block.entries()) {
    if (byte !== 0) empty = false;
    if (at < 148 || at >= 156) sum += byte;
  }
  if (empty) return undefined;
  if (number(block, 148, 156) !== sum) throw systemError("archive/tar: invalid tar header");
  const prefix = text(block, 257, 262) === "ustar" && block[262] === 0 ? text(block, 345, 500) : "";
  const name = text(block, 0, 100);
  return {
    type: String.fromCharCode(block[156] ?? 0),
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 108) & 0o7777,
    uid: number(block, 108, 116),
    gid: number(block, 116, 124),
    sizeBytes: number(block, 124, 136),
    mtimeSeconds: number(block, 136, 148),
    link: text(block, 157, 257),
    major: number(block, 329, 337),
    minor: number(block, 337, 345),
  };
}

/** Records of a pax block. @throws System for a malformed one */
export function parsePax(data: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(0x20, at);
    const length = Number(data.toString("latin1", at, blank));
    const equals = data.indexOf(0x3d, blank);
    if (blank < 0 || !(length > 0) || equals < 0 || at + length > data.length) throw systemError("archive/tar: invalid tar header");
    records.set(data.toString("utf8", blank + 1, equals), data.toString("utf8", equals + 1, at + length - 1));
    at += length;
  }
  return records;
}

/** The entry of a header, `pax` being what the blocks before it said. @returns undefined for types that are no files */
export function entryOf(header: RawHeader, pax: ReadonlyMap<string, string>): TarEntry | undefined {
  const kind = kinds[header.type];
  if (kind === undefined) return undefined;
  const named = pax.get("path") ?? header.name;
  return {
    ...header,
    // Old archives mark directories by their name alone.
    kind: kind === "file" && named.endsWith("/") ? "directory" : kind,
    name: named,
    link: pax.get("linkpath") ?? header.link,
    sizeBytes: kind === "file" ? Number(pax.get("size") ?? header.sizeBytes) : 0,
    mtimeSeconds: Number(pax.get("mtime") ?? header.mtimeSeconds),
    uid: Number(pax.get("uid") ?? header.uid),
    gid: Number(pax.get("gid") ?? header.gid),
  };
}
