/** Makes tars for tests, byte by byte: also such as no program would write. */
export interface SampleEntry {
  readonly name: string | Buffer;
  /** The type flag; `0` when left out. */
  readonly type?: string;
  readonly data?: string | Buffer;
  /** What the header states, if not the data's length. */
  readonly size?: number | bigint;
  readonly link?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
  /** Records of a pax header in front. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
  /** Magic and version; POSIX's when left out. */
  readonly magic?: string;
}

const block = 512;

function pad(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((block - (data.length % block)) % block)]);
}

function number(value: number | bigint, length: number): Buffer {
  const octal = value.toString(8).padStart(length - 1, "0");
  if (value >= 0 && octal.length < length) return Buffer.from(`${octal}\0`);
  let rest = BigInt(value);
  const bytes = Buffer.alloc(length);
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return bytes;
}

export function checksum(header: Buffer): Buffer {
  header.fill(0x20, 148, 156);
  const sum = header.subarray(0, block).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

export function paxRecord(key: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value as string), Buffer.from("\n")]);
  let length = body.length;
  while (length !== body.length + String(length).length) length = body.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

export function headerOf(entry: SampleEntry): Buffer {
  const header = Buffer.alloc(block);
  const data = Buffer.from(entry.data ?? "");
  Buffer.from(entry.name as string).copy(header, 0, 0, 100);
  number(entry.mode ?? 0o644, 8).copy(header, 100);
  number(entry.uid ?? 0, 8).copy(header, 108);
  number(entry.gid ?? 0, 8).copy(header, 116);
  number(entry.size ?? data.length, 12).copy(header, 124);
  number(entry.mtime ?? 1_700_000_000, 12).copy(header, 136);
  header.write(entry.type ?? "0", 156, "latin1");
  Buffer.from((entry.link ?? "") as string).copy(header, 157, 0, 100);
  header.write(entry.magic ?? "ustar\x0000", 257, "latin1");
  number(entry.major ?? 0, 8).copy(header, 329);
  number(entry.minor ?? 0, 8).copy(header, 337);
  return checksum(header);
}

export function entryOf(entry: SampleEntry): Buffer {
  const parts: Buffer[] = [];
  if (entry.pax !== undefined) {
    const records = Buffer.concat(Object.entries(entry.pax).map(([key, value]) => paxRecord(key, value)));
    parts.push(headerOf({ name: "pax", type: "x", data: records }), pad(records));
  }
  parts.push(headerOf(entry), pad(Buffer.from(entry.data ?? "")));
  return Buffer.concat(parts);
}

/** The entries and the two zero blocks at the end. */
export function sampleTar(...entries: readonly (SampleEntry | Buffer)[]): Buffer {
  return Buffer.concat([...entries.map((entry) => (Buffer.isBuffer(entry) ? entry : entryOf(entry))), Buffer.alloc(2 * block)]);
}
