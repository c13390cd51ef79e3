/** What is sent to upstreams, and what of that which comes back is believed. */
import { randomInt } from "node:crypto";
import {
  authenticData,
  codes,
  flags,
  headerLength,
  long,
  nameEnd,
  plainUdpLimit,
  type Question,
  type RecordHeader,
  readRecord,
  types,
  word,
} from "./message.ts";

/** What we take over UDP from upstreams: what goes through every network in one piece (DNS flag day 2020). More comes over TCP. */
const udpLimit = 1232;
/** How long answers are kept at most, whatever they say. */
const maxKeepSeconds = 60;
const maxKeepNegativeSeconds = 10;

/** What of the asker's flags is passed on. */
export const passedFlags: number = flags.recursionDesired | flags.checkingDisabled | authenticData;

/** The same question under another id. Of EDNS only the size (ours) and DO: its options are between neighbours (RFC 6891 section 6.2.6). */
export function questionFor(question: Question): Buffer {
  const { message, end, edns } = question;
  const opt = edns === undefined ? [] : [0, 0, types.opt, udpLimit >> 8, udpLimit & 255, 0, 0, edns.dnssecOk ? 0x80 : 0, 0, 0, 0];
  const packet = Buffer.alloc(end + opt.length);
  packet.set(message.subarray(headerLength, end), headerLength);
  packet.set(opt, end);
  packet.writeUInt16BE(randomInt(0x10000), 0);
  packet.writeUInt16BE(word(message, 2) & passedFlags, 2);
  packet.writeUInt16BE(1, 4);
  packet.writeUInt16BE(opt.length > 0 ? 1 : 0, 10);
  return packet;
}

export interface UpstreamAnswer {
  readonly message: Uint8Array;
  readonly code: number;
  readonly truncated: boolean;
  /** Nothing of what was asked for. */
  readonly negative: boolean;
  /** Where its TTLs are. */
  readonly ttls: readonly number[];
  /** How long it may be kept; 0: not at all. */
  readonly keepSeconds: number;
}

const lower = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);

/** Length bytes are below 64, where no letters are. */
function sameQuestion(sent: Uint8Array, packet: Uint8Array): boolean {
  const end = nameEnd(sent, headerLength) + 4;
  if (packet.length < end) return false;
  for (let at = headerLength; at < end; at++) if (lower(sent[at] ?? 0) !== lower(packet[at] ?? 0)) return false;
  return true;
}

/** How long the absence of something may be kept: RFC 2308 section 5. */
function soaSeconds(message: Uint8Array, record: RecordHeader): number {
  const second = nameEnd(message, record.data);
  const numbers = second < 0 ? -1 : nameEnd(message, second);
  if (numbers < 0 || numbers + 20 !== record.end) return 0;
  return Math.min(long(message, record.ttlAt), long(message, numbers + 16));
}

/** @returns undefined if this is no whole answer to what was sent: somebody else's, or nobody's */
export function readAnswer(sent: Uint8Array, packet: Uint8Array): UpstreamAnswer | undefined {
  if (packet.length < headerLength || word(packet, 0) !== word(sent, 0)) return undefined;
  const bits = word(packet, 2);
  const code = bits & 15;
  if ((bits & flags.response) === 0 || (bits & flags.opcode) !== 0) return undefined;
  const truncated = (bits & flags.truncated) !== 0;
  const asked = word(packet, 4);
  // Who cannot read a question may leave it out of the error.
  if (asked === 0 && code !== codes.noError && code !== codes.nxDomain) {
    return { message: packet, code, truncated: false, negative: true, ttls: [], keepSeconds: 0 };
  }
  if (asked !== 1 || !sameQuestion(sent, packet)) return undefined;
  const end = nameEnd(sent, headerLength) + 4;
  const type = word(sent, end - 4);
  const ttls: number[] = [];
  let at = end;
  let found = false;
  let positiveSeconds = maxKeepSeconds;
  let negativeSeconds = 0;
  for (const section of [6, 8, 10]) {
    for (let left = word(packet, section); left > 0; left--) {
      const record = readRecord(packet, at);
      if (record === undefined) return undefined;
      at = record.end;
      if (record.type === types.opt) continue;
      ttls.push(record.ttlAt);
      if (section === 6) {
        found ||= record.type === type || type === types.any;
        positiveSeconds = Math.min(positiveSeconds, long(packet, record.ttlAt));
      } else if (section === 8 && record.type === types.soa) {
        negativeSeconds = Math.min(maxKeepNegativeSeconds, soaSeconds(packet, record));
      }
    }
  }
  const negative = code !== codes.noError || !found;
  const kept = !truncated && (code === codes.noError || code === codes.nxDomain);
  const keepSeconds = !kept ? 0 : negative ? Math.min(positiveSeconds, negativeSeconds) : positiveSeconds;
  return { message: packet.subarray(0, at), code, truncated, negative, ttls, keepSeconds };
}

/** The answer as this asker takes it, so many seconds after it came; undefined if it is too long for that. */
export function answerFor(question: Question, answer: UpstreamAnswer, ageSeconds: number, limit: number): Uint8Array | undefined {
  const { message } = answer;
  if (message.length > Math.max(limit, plainUdpLimit)) return undefined;
  const reply = Buffer.from(message);
  reply.set(question.message.subarray(0, 2));
  reply.set(question.message.subarray(headerLength, question.end), headerLength);
  if (ageSeconds > 0) for (const at of answer.ttls) reply.writeUInt32BE(Math.max(0, long(reply, at) - ageSeconds), at);
  return reply;
}
