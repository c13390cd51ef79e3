/** Reading DNS messages: RFC 1035 section 4, RFC 6891. Every offset is checked against the message before it is read. */
export const headerLength = 12;
const maxNameLength = 255;
/** What every asker over UDP takes (RFC 1035 section 2.3.4). */
export const plainUdpLimit = 512;

export const types = { a: 1, ns: 2, soa: 6, ptr: 12, aaaa: 28, opt: 41, ixfr: 251, axfr: 252, mailb: 253, maila: 254, any: 255 } as const;
export const codes = { noError: 0, formErr: 1, servFail: 2, nxDomain: 3, notImp: 4, refused: 5, badVers: 16 } as const;
export const classIn = 1;

export const flags = { response: 0x8000, opcode: 0x7800, truncated: 0x0200, recursionDesired: 0x0100, checkingDisabled: 0x0010 } as const;
export const recursionAvailable = 0x0080;
/** AD: in a question, that the asker wants to know whether the answer is authentic. */
export const authenticData = 0x0020;

export interface Edns {
  /** What the asker takes over UDP, in bytes; at least {@link plainUdpLimit}. */
  readonly udpLimit: number;
  readonly dnssecOk: boolean;
}

export interface Question {
  readonly kind: "question";
  readonly message: Uint8Array;
  /** Lower case, without the last dot; "" is the root. A dot or backslash inside a label has a backslash before it, so that no two names are one. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Where the question section ends. */
  readonly end: number;
  readonly edns: Edns | undefined;
}

/** To be answered with this code; the question is repeated where it could be read. */
export interface Refusal {
  readonly kind: "refusal";
  readonly message: Uint8Array;
  readonly code: number;
  readonly end: number;
  readonly edns: Edns | undefined;
}

export const word = (message: Uint8Array, at: number): number => ((message[at] ?? 0) << 8) | (message[at + 1] ?? 0);
export const long = (message: Uint8Array, at: number): number => ((word(message, at) << 16) | word(message, at + 2)) >>> 0;

/**
 * Where the name at `at` ends; -1 if it is none. A pointer leads to before the name, and each further one to before the last:
 * so there is an end.
 */
export function nameEnd(message: Uint8Array, at: number): number {
  let end = -1;
  let total = 1;
  let position = at;
  let before = at;
  for (;;) {
    const length = message[position];
    if (length === undefined) return -1;
    if (length === 0) return end < 0 ? position + 1 : end;
    if (length >= 0xc0) {
      if (position + 1 >= message.length) return -1;
      if (end < 0) end = position + 2;
      const target = word(message, position) & 0x3fff;
      if (target < headerLength || target >= before) return -1;
      position = target;
      before = target;
      continue;
    }
    // 0x40 and 0x80 are label types that nobody uses (RFC 6891 section 5).
    if (length >= 0x40) return -1;
    total += length + 1;
    position += length + 1;
    if (total > maxNameLength) return -1;
  }
}

const dot = 0x2e;
const backslash = 0x5c;

/** The name at `at`, which {@link nameEnd} has checked and which has no pointers, as {@link Question.name} has it. */
function nameText(message: Uint8Array, at: number): string {
  let text = "";
  let position = at;
  for (let length = message[position] ?? 0; length > 0; length = message[position] ?? 0) {
    if (position > at) text += ".";
    for (let index = position + 1; index <= position + length; index++) {
      let byte = message[index] ?? 0;
      if (byte === dot || byte === backslash) text += "\\";
      if (byte >= 0x41 && byte <= 0x5a) byte |= 0x20;
      text += String.fromCharCode(byte);
    }
    position += length + 1;
  }
  return text;
}

/** A resource record's fixed part. */
export interface RecordHeader {
  readonly type: number;
  readonly class: number;
  /** Where the four bytes of the TTL are. */
  readonly ttlAt: number;
  readonly data: number;
  readonly end: number;
}

/** The record at `at`; undefined if it is none or is cut off. */
export function readRecord(message: Uint8Array, at: number): RecordHeader | undefined {
  const fixed = nameEnd(message, at);
  if (fixed < 0 || fixed + 10 > message.length) return undefined;
  const data = fixed + 10;
  const end = data + word(message, fixed + 8);
  if (end > message.length) return undefined;
  return { type: word(message, fixed), class: word(message, fixed + 2), ttlAt: fixed + 4, data, end };
}

/** A pointer in a question has nothing to lead to: nothing but the header is before it. */
function questionEnd(message: Uint8Array): number {
  const end = nameEnd(message, headerLength);
  return end < 0 || end + 4 > message.length ? -1 : end + 4;
}

interface Additional {
  readonly edns: Edns | undefined;
  readonly version: number;
}

/** What follows the question: at most an OPT record and a signature (TSIG), which is passed over. Undefined: malformed. */
function readAdditional(message: Uint8Array, start: number): Additional | undefined {
  const count = word(message, 10);
  if (count > 2) return undefined;
  let edns: Edns | undefined;
  let version = 0;
  let at = start;
  for (let index = 0; index < count; index++) {
    const record = readRecord(message, at);
    if (record === undefined) return undefined;
    if (record.type === types.opt) {
      if (edns !== undefined || message[at] !== 0) return undefined;
      version = message[record.ttlAt + 1] ?? 0;
      edns = { udpLimit: Math.max(plainUdpLimit, record.class), dnssecOk: (word(message, record.ttlAt + 2) & 0x8000) !== 0 };
    }
    at = record.end;
  }
  return at === message.length ? { edns, version } : undefined;
}

const transfers: ReadonlySet<number> = new Set([types.ixfr, types.axfr, types.mailb, types.maila]);

/** One question, or why not. Undefined: this is nothing to answer, or answering could go round in circles. */
export function readQuestion(message: Uint8Array): Question | Refusal | undefined {
  if (message.length < headerLength) return undefined;
  const bits = word(message, 2);
  if ((bits & flags.response) !== 0) return undefined;
  const refuse = (code: number, end = headerLength, edns?: Edns): Refusal => ({ kind: "refusal", message, code, end, edns });
  if ((bits & flags.opcode) !== 0) return refuse(codes.notImp);
  if (word(message, 4) !== 1 || word(message, 6) !== 0 || word(message, 8) !== 0) return refuse(codes.formErr);
  const end = questionEnd(message);
  if (end < 0) return refuse(codes.formErr);
  const additional = readAdditional(message, end);
  if (additional === undefined) return refuse(codes.formErr);
  const { edns } = additional;
  if (additional.version !== 0) return refuse(codes.badVers, end, edns);
  const type = word(message, end - 4);
  const asked = word(message, end - 2);
  if (asked !== classIn || transfers.has(type) || type === types.opt) return refuse(codes.refused, end, edns);
  return { kind: "question", message, name: nameText(message, headerLength), type, class: asked, end, edns };
}
