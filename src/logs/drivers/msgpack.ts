/** MessagePack, as much of it as fluentd's forward protocol needs. */

export type Packable = string | number | Packed | readonly Packable[] | { readonly [key: string]: Packable };

/** Bytes that are a value already. */
export class Packed {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Text in whatever encoding it came. */
  static text(bytes: Buffer): Packed {
    return new Packed(Buffer.concat([textHead(bytes.length), bytes]));
  }

  /** Fluentd's EventTime: seconds and nanoseconds, extension type 0. */
  static eventTime(nanos: bigint): Packed {
    const bytes = Buffer.alloc(10);
    bytes.writeUInt8(0xd7, 0);
    bytes.writeUInt32BE(Number((nanos / 1_000_000_000n) & 0xffff_ffffn), 2);
    bytes.writeUInt32BE(Number(nanos % 1_000_000_000n), 6);
    return new Packed(bytes);
  }
}

function sized(small: number, limit: number, codes: readonly [number | undefined, number, number], length: number): Buffer {
  if (length < limit) return Buffer.from([small | length]);
  const [one, two, four] = codes;
  if (one !== undefined && length < 0x100) return Buffer.from([one, length]);
  if (length < 0x1_0000) return Buffer.from([two, length >> 8, length & 0xff]);
  const head = Buffer.alloc(5);
  head.writeUInt8(four, 0);
  head.writeUInt32BE(length, 1);
  return head;
}

const textHead = (length: number): Buffer => sized(0xa0, 32, [0xd9, 0xda, 0xdb], length);

/** Whole numbers that are not negative are all that is needed. */
function packNumber(value: number): Buffer {
  if (value < 0x80) return Buffer.from([value]);
  const small = value < 2 ** 31;
  const bytes = Buffer.alloc(small ? 5 : 9);
  bytes.writeUInt8(small ? 0xd2 : 0xd3, 0);
  if (small) bytes.writeInt32BE(value, 1);
  else bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
}

export function pack(value: Packable): Buffer {
  if (value instanceof Packed) return value.bytes;
  if (typeof value === "string") return Packed.text(Buffer.from(value)).bytes;
  if (typeof value === "number") return packNumber(value);
  if (Array.isArray(value)) {
    const list = value as readonly Packable[];
    return Buffer.concat([sized(0x90, 16, [undefined, 0xdc, 0xdd], list.length), ...list.map(pack)]);
  }
  const entries = Object.entries(value as Readonly<Record<string, Packable>>);
  return Buffer.concat([
    sized(0x80, 16, [undefined, 0xde, 0xdf], entries.length),
    ...entries.flatMap(([key, entry]) => [pack(key), pack(entry)]),
  ]);
}

/**
 * A map of short texts at the beginning of `bytes`: the acknowledgement `{"ack": "…"}`.
 * @returns undefined when there is more to come
 * @throws RangeError for what is no such map
 */
export function unpackTexts(bytes: Buffer): { texts: Map<string, string>; length: number } | undefined {
  const head = bytes[0];
  if (head === undefined) return undefined;
  if ((head & 0xf0) !== 0x80) throw new RangeError("no map");
  const words: string[] = [];
  let at = 1;
  for (let n = 0; n < (head & 0x0f) * 2; n++) {
    const code = bytes[at];
    if (code === undefined) return undefined;
    const [start, length] =
      (code & 0xe0) === 0xa0 ? [at + 1, code & 0x1f] : code === 0xd9 ? [at + 2, bytes[at + 1] ?? Number.POSITIVE_INFINITY] : [0, -1];
    if (length < 0) throw new RangeError("no text");
    if (start + length > bytes.length) return undefined;
    words.push(bytes.toString("utf8", start, start + length));
    at = start + length;
  }
  const texts = new Map<string, string>();
  for (let n = 0; n < words.length; n += 2) texts.set(words[n] ?? "", words[n + 1] ?? "");
  return { texts, length: at };
}
