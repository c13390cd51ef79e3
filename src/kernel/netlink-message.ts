/**
 * Netlink messages as bytes: the header, attributes, errors. What the attributes mean is in `rtnetlink.ts` and
 * `nftables.ts`. Layout: linux/netlink.h; headers and attribute headers are in the byte order of the machine, which on
 * every machine that Berth runs on (x86-64, arm64) is little-endian; nf_tables' numbers inside attributes are big-endian.
 */

/** Flags of `nlmsghdr`. The same bit means another thing in a request that gets and in one that makes. */
export const requestFlags = {
  request: 0x001,
  ack: 0x004,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;

const headerSize = 16;
const errorType = 2;
const doneType = 3;
/** Marks an attribute that holds attributes. */
const nestedFlag = 0x8000;
const align = (length: number): number => (length + 3) & ~3;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Writes messages one after another into one growing buffer. */
export class NetlinkWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 512) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** What has been written. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  /** Makes room for `size` more bytes, zeroed. @returns where they begin */
  #take(size: number): number {
    const start = this.#length;
    const end = start + size;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = end;
    return start;
  }

  /** One message; `body` writes what follows the header. */
  message(type: number, flags: number, sequence: number, body: () => void): void {
    const start = this.#take(headerSize);
    this.#view.setUint16(start + 4, type, true);
    this.#view.setUint16(start + 6, flags, true);
    this.#view.setUint32(start + 8, sequence, true);
    body();
    this.#view.setUint32(start, this.#length - start, true);
    this.#take(align(this.#length) - this.#length);
  }

  /** Bytes without an attribute header: the fixed part of a message. */
  raw(bytes: ArrayLike<number>): void {
    const start = this.#take(bytes.length);
    this.#bytes.set(bytes, start);
  }

  rawU32(value: number): void {
    const start = this.#take(4);
    this.#view.setUint32(start, value, true);
  }

  /** @returns the offset of the attribute's content */
  attribute(type: number, content: ArrayLike<number>): number {
    const start = this.#take(4 + align(content.length));
    this.#view.setUint16(start, 4 + content.length, true);
    this.#view.setUint16(start + 2, type, true);
    this.#bytes.set(content, start + 4);
    return start + 4;
  }

  /** One attribute of parts, each of which begins at a multiple of four bytes. */
  padded(type: number, parts: readonly Uint8Array[]): void {
    const start = this.#take(4);
    for (const part of parts) {
      // What is written to may grow meanwhile.
      const at = this.#take(align(part.length));
      this.#bytes.set(part, at);
    }
    this.#view.setUint16(start, this.#length - start, true);
    this.#view.setUint16(start + 2, type, true);
  }

  u8(type: number, value: number): void {
    this.attribute(type, [value]);
  }

  u16(type: number, value: number): void {
    this.attribute(type, [value & 255, value >>> 8]);
  }

  /** In the machine's byte order. @returns the offset of the value, for what is patched later */
  u32(type: number, value: number): number {
    return this.attribute(type, [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]);
  }

  /** In network byte order, as nf_tables wants every number. Negative values are two's complement. */
  u32be(type: number, value: number): void {
    this.attribute(type, [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
  }

  /** As {@link u32be}, 64 bits. */
  u64be(type: number, value: bigint): void {
    this.attribute(
      type,
      Uint8Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(56 - index * 8)) & 255n)),
    );
  }

  /** With the terminating zero. */
  text(type: number, value: string): void {
    this.attribute(type, encoder.encode(`${value}\0`));
  }

  /** An attribute whose content `body` writes. `marked`: with NLA_F_NESTED, which nf_tables demands. */
  nest(type: number, body: () => void, marked = true): void {
    const start = this.#take(4);
    body();
    this.#view.setUint16(start, this.#length - start, true);
    this.#view.setUint16(start + 2, marked ? type | nestedFlag : type, true);
    this.#take(align(this.#length) - this.#length);
  }
}

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** What follows the header. */
  readonly payload: Uint8Array;
}

/** A refusal by the kernel: NLMSG_ERROR with the text of its extended acknowledgement, where it gave one. */
export interface NetlinkRefusal {
  readonly errno: number;
  readonly sequence: number;
  readonly message?: string;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** All messages of an answer, acknowledgements and NLMSG_DONE included. @throws RangeError when a length is wrong */
export function parseMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = viewOf(bytes);
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + headerSize <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < headerSize || at + length > bytes.length) throw new RangeError(`netlink message of ${length} bytes at ${at}`);
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: bytes.subarray(at + headerSize, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** Attributes by type; of a repeated one the last. @throws RangeError when a length is wrong */
export function parseAttributes(bytes: Uint8Array, start = 0): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (const [type, content] of attributeList(bytes, start)) found.set(type, content);
  return found;
}

/** Attributes in order, as lists (`NFTA_LIST_ELEM`) need them. */
export function attributeList(bytes: Uint8Array, start = 0): [type: number, content: Uint8Array][] {
  const view = viewOf(bytes);
  const list: [number, Uint8Array][] = [];
  for (let at = start; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) throw new RangeError(`netlink attribute of ${length} bytes at ${at}`);
    list.push([view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + length)]);
    at += align(length);
  }
  return list;
}

export function readU32(bytes: Uint8Array | undefined): number | undefined {
  return bytes === undefined || bytes.length < 4 ? undefined : viewOf(bytes).getUint32(0, true);
}

export function readU32be(bytes: Uint8Array | undefined): number | undefined {
  return bytes === undefined || bytes.length < 4 ? undefined : viewOf(bytes).getUint32(0, false);
}

export function readU64be(bytes: Uint8Array | undefined): bigint | undefined {
  return bytes === undefined || bytes.length < 8 ? undefined : viewOf(bytes).getBigUint64(0, false);
}

export function readText(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Messages that carry data: without acknowledgements and NLMSG_DONE. */
export function dataMessages(bytes: Uint8Array): NetlinkMessage[] {
  return parseMessages(bytes).filter((message) => message.type !== errorType && message.type !== doneType);
}

const cappedFlag = 0x100;
const extendedFlag = 0x200;

/** The first refusal of an answer; an acknowledgement (error 0) is none. */
export function findRefusal(bytes: Uint8Array): NetlinkRefusal | undefined {
  for (const message of parseMessages(bytes)) {
    if (message.type !== errorType || message.payload.length < 4) continue;
    const errno = -viewOf(message.payload).getInt32(0, true);
    if (errno === 0) continue;
    // struct nlmsgerr: the errno, then the request's header, then (unless capped) the request's payload.
    let attributes = 4 + headerSize;
    if ((message.flags & cappedFlag) === 0 && message.payload.length >= attributes)
      attributes = 4 + align(viewOf(message.payload).getUint32(4, true));
    const text =
      (message.flags & extendedFlag) === 0 || attributes > message.payload.length
        ? undefined
        : readText(parseAttributes(message.payload, attributes).get(1));
    return { errno, sequence: message.sequence, ...(text === undefined ? {} : { message: text }) };
  }
  return undefined;
}
