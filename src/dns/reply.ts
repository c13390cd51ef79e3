/** Writing answers. The question is repeated byte for byte, so an asker that varies its case finds it as it was. */
import {
  classIn,
  codes,
  type Edns,
  flags,
  headerLength,
  plainUdpLimit,
  type Question,
  type Refusal,
  recursionAvailable,
  types,
  word,
} from "./message.ts";

/** Seconds that an answer about containers may be kept, as Docker has it. */
const ttl = 600;
const optLength = 11;
/** What we would take over UDP, as OPT records state it. */
const ownUdpLimit = 4096;
/** What has a length of two bytes before it over TCP. */
const tcpLimit = 65535;

/** How long an answer may be. */
export function limitOf(edns: Edns | undefined, overTcp: boolean): number {
  return overTcp ? tcpLimit : (edns?.udpLimit ?? plainUdpLimit);
}

function writeHeader(to: Uint8Array, question: Question | Refusal, code: number, answers: number, truncated: boolean): void {
  const { message, end, edns } = question;
  to.set(message.subarray(0, end));
  const asked = word(message, 2);
  const bits =
    flags.response |
    (asked & (flags.opcode | flags.recursionDesired | flags.checkingDisabled)) |
    recursionAvailable |
    (truncated ? flags.truncated : 0) |
    (code & 15);
  const counts = [bits, end > headerLength ? 1 : 0, answers, 0, edns === undefined ? 0 : 1];
  for (const [index, value] of counts.entries()) {
    to[2 + 2 * index] = value >> 8;
    to[3 + 2 * index] = value & 255;
  }
}

function writeOpt(to: Uint8Array, at: number, edns: Edns, code: number): void {
  to.set([0, 0, types.opt, ownUdpLimit >> 8, ownUdpLimit & 255, code >> 4, 0, edns.dnssecOk ? 0x80 : 0, 0, 0, 0], at);
}

/** An answer with a code and no records. `truncated`: there are some, over TCP. */
export function emptyReply(question: Question | Refusal, code: number = codes.noError, truncated = false): Uint8Array {
  const { end, edns } = question;
  const reply = Buffer.allocUnsafe(end + (edns === undefined ? 0 : optLength));
  writeHeader(reply, question, code, 0, truncated);
  if (edns !== undefined) writeOpt(reply, end, edns, code);
  return reply;
}

/** Record data of one type and length, one after the other. */
export interface RecordData {
  readonly type: number;
  /** Bytes of one record's data. */
  readonly length: number;
  readonly data: Uint8Array;
}

const recordHead = 12;

/**
 * An answer with records, all of the name that was asked for. `turn`: which of each type comes first; the others follow in order.
 * Those that are beyond `limit` are left out, and the answer says so.
 */
export function recordsReply(question: Question, records: readonly RecordData[], turn: number, limit: number): Uint8Array {
  const { end, edns } = question;
  const room = limit - end - (edns === undefined ? 0 : optLength);
  let wanted = 0;
  let fitting = 0;
  let size = 0;
  for (const { length, data } of records) {
    const count = data.length / length;
    const some = Math.min(count, Math.max(0, Math.floor((room - size) / (recordHead + length))));
    wanted += count;
    fitting += some;
    size += some * (recordHead + length);
  }
  const reply = Buffer.allocUnsafe(end + size + (edns === undefined ? 0 : optLength));
  writeHeader(reply, question, codes.noError, fitting, fitting < wanted);
  let at = end;
  let left = fitting;
  for (const { type, length, data } of records) {
    const count = data.length / length;
    for (let index = 0; index < count && left > 0; index++, left--) {
      reply.writeUInt32BE((((0xc000 | headerLength) << 16) | type) >>> 0, at);
      reply.writeUInt16BE(classIn, at + 4);
      reply.writeUInt32BE(ttl, at + 6);
      reply.writeUInt16BE(length, at + 10);
      const from = ((index + turn) % count) * length;
      for (let byte = 0; byte < length; byte++) reply[at + recordHead + byte] = data[from + byte] ?? 0;
      at += recordHead + length;
    }
  }
  if (edns !== undefined) writeOpt(reply, at, edns, codes.noError);
  return reply;
}
