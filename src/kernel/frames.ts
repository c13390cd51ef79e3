/**
 * Frames between the daemon, the broker and the monitors (native/protocol.h): u32 length of the payload,
 * u32 id, u16 type, payload, little endian.
 */
import { systemError } from "../base/base.ts";
import type { LaunchFailure } from "./plan.ts";

export const message = {
  run: 1,
  netlink: 2,
  launch: 3,
  mountErofs: 4,
  unmount: 5,
  mounted: 6,
  files: 7,
  datagrams: 8,
  tree: 9,
  watchFirewall: 10,
  control: 16,
  attach: 17,
  exec: 18,
  go: 24,
  signal: 25,
  resize: 26,
  execResize: 27,
  execSignal: 28,
  logReplace: 29,
  changeNetwork: 30,
  dnsListen: 31,
  dnsAnswer: 32,
  ok: 64,
  failure: 65,
  ready: 80,
  launched: 81,
  failed: 82,
  exit: 83,
  execExit: 84,
  logRotated: 85,
  dnsQuery: 86,
  firewallChanged: 87,
} as const;

export const headerBytes = 10;
/** The C side refuses longer payloads too. */
export const maxPayloadBytes: number = 16 * 2 ** 20;

export interface Frame {
  readonly id: number;
  readonly type: number;
  readonly payload: Buffer;
}

/** @throws RangeError for a payload over {@link maxPayloadBytes} */
export function encodeFrame(id: number, type: number, payload: Uint8Array): Buffer {
  if (payload.length > maxPayloadBytes) throw new RangeError(`a frame of ${payload.length} bytes`);
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt32LE(id, 4);
  frame.writeUInt16LE(type, 8);
  frame.set(payload, headerBytes);
  return frame;
}

/** Takes bytes as they come and gives whole frames. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #length = 0;

  /** @throws RangeError for a frame that says it is over {@link maxPayloadBytes}; the stream is of no use then */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(frame);
    return frames;
  }

  /** What has come and is no whole frame. */
  rest(): Buffer {
    return this.#joined();
  }

  #joined(): Buffer {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks, this.#length);
    if (bytes === undefined) return Buffer.alloc(0);
    this.#chunks = [bytes];
    return bytes;
  }

  #needed(): number {
    const first = this.#chunks[0];
    if (this.#length < headerBytes || first === undefined) return headerBytes;
    const header = first.length >= 4 ? first : this.#joined();
    const payloadBytes = header.readUInt32LE(0);
    if (payloadBytes > maxPayloadBytes) throw new RangeError(`a frame of ${payloadBytes} bytes`);
    return headerBytes + payloadBytes;
  }

  #take(): Frame | undefined {
    const needed = this.#needed();
    if (this.#length < needed) return undefined;
    const bytes = this.#joined();
    this.#chunks = bytes.length > needed ? [bytes.subarray(needed)] : [];
    this.#length -= needed;
    return { id: bytes.readUInt32LE(4), type: bytes.readUInt16LE(8), payload: bytes.subarray(headerBytes, needed) };
  }
}

/** Reads a payload in order. @throws RangeError past its end */
export class PayloadReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#advance(8));
  }

  /** Not a copy. */
  blob(): Buffer {
    const length = this.u32();
    const at = this.#advance(length + 1);
    return this.#bytes.subarray(at, at + length);
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  text(): string {
    const length = this.u32();
    const at = this.#advance(length + 1);
    return this.#bytes.toString("utf8", at, at + length);
  }

  #advance(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new RangeError("a payload that is too short");
    this.#at += count;
    return at;
  }
}

export function readFailure(payload: Buffer): LaunchFailure {
  const reader = new PayloadReader(payload);
  return { stage: reader.text(), errno: reader.u32() | 0, message: reader.text() };
}

/** An error of the engine with the failure as its cause. */
export function failureError(failure: LaunchFailure): Error {
  const why = failure.errno === 0 ? "" : ` (errno ${failure.errno})`;
  return systemError(`${failure.stage}: ${failure.message}${why}`, failure);
}
