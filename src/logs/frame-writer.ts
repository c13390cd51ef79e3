/**
 * Log lines in, what the API sends out: the text alone (TTY) or behind Docker's 8-byte frame headers, many lines
 * to a chunk. A container's log may be gigabytes, so lines are recognised by their bytes, in place, and text is
 * copied once; only what looks unlike a line of the monitor's goes through the careful reader of `line.ts`.
 */
import { formatNanos } from "../base/base.ts";
import { detailsOf, type LogLine, paddedTime, parseLine } from "./line.ts";
import { endOfString, unescapeText } from "./unescape-text.ts";

export interface Selection {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  readonly since?: bigint;
  readonly until?: bigint;
  readonly multiplexed: boolean;
}

const chunkBytes = 128 * 1024;
const headerBytes = 8;
/** `2006-01-02T15:04:05.000000000Z ` */
const stampBytes = 31;

const [quote, backslash, brace, letterN, letterO, letterZ, zero, space, newline] = [0x22, 0x5c, 0x7d, 0x6e, 0x6f, 0x5a, 0x30, 0x20, 0x0a];
const opening = Buffer.from('{"log":"');
const streamKey = Buffer.from(',"stream":"std');
const timeKey = Buffer.from('","time":"');

function startsWith(bytes: Buffer, at: number, expected: Buffer): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

/** Copying a short run byte by byte is cheaper than a call. */
function copy(from: Buffer, start: number, end: number, to: Buffer, at: number): void {
  if (end - start > 192) from.copy(to, at, start, end);
  else for (let i = start, j = at; i < end; i++, j++) to[j] = from[i] ?? 0;
}

/** Compares a time of the file (`start` to `end`, Z included) with one of nine digits. Negative: it is earlier. */
function compareTime(bytes: Buffer, start: number, end: number, with_: Buffer): number {
  for (let i = 0; i < 29; i++) {
    const given = start + i < end - 1 ? (bytes[start + i] ?? 0) : i === 19 ? 0x2e : zero;
    const difference = given - (with_[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const fixedTime = (nanos: bigint): Buffer => Buffer.from(paddedTime(formatNanos(nanos)));

export class FrameWriter {
  readonly #selection: Selection;
  readonly #plain: boolean;
  readonly #since: Buffer | undefined;
  readonly #until: Buffer | undefined;
  #chunk: Buffer = Buffer.allocUnsafeSlow(chunkBytes);
  #length = 0;
  readonly #full: Buffer[] = [];
  #done = false;

  constructor(selection: Selection) {
    this.#selection = selection;
    this.#plain = !selection.details;
    this.#since = selection.since === undefined ? undefined : fixedTime(selection.since);
    this.#until = selection.until === undefined ? undefined : fixedTime(selection.until);
  }

  /** A line later than `until` has come: nothing more is wanted. */
  get done(): boolean {
    return this.#done;
  }

  /** Chunks that are full; with `all`, also the one that is not. They are the caller's to keep. */
  *take(all: boolean): Generator<Buffer> {
    if (all) this.#flush(0);
    while (this.#full.length > 0) yield this.#full.shift() as Buffer;
  }

  /** One line, `start` to `end`, its newline not included. What is no line is passed over. */
  line(block: Buffer, start: number, end: number): void {
    if (!this.#plain || !startsWith(block, start, opening) || !this.#recognised(block, start + opening.length, end))
      this.#careful(block, start, end);
  }

  /** @param at where the text begins. False: this is no line as the monitor writes it without attributes */
  #recognised(block: Buffer, at: number, end: number): boolean {
    // The text ends at the first quote that is not escaped; nearly always that is behind the first backslash, `\n"`.
    const slash = block.indexOf(backslash, at);
    const simple = slash !== -1 && slash < end && block[slash + 1] === letterN && block[slash + 2] === quote;
    const textEnd = simple ? slash + 2 : endOfString(block, at, end);
    if (textEnd === -1) return false;
    const key = textEnd + 1;
    if (!startsWith(block, key, streamKey)) return false;
    const name = key + streamKey.length;
    const isError = block[name] !== letterO;
    if (!startsWith(block, name + 3, timeKey)) return false;
    const time = name + 3 + timeKey.length;
    const timeEnd = end - 2;
    const size = timeEnd - time;
    if (block[end - 1] !== brace || block[timeEnd] !== quote || block[timeEnd - 1] !== letterZ || size < 20 || size > 30) return false;
    if (!this.#wanted(isError, block, time, timeEnd)) return true;
    this.#put(block, at, textEnd, simple, isError, time, timeEnd);
    return true;
  }

  #wanted(isError: boolean, block: Buffer, time: number, timeEnd: number): boolean {
    if (this.#until !== undefined && compareTime(block, time, timeEnd, this.#until) > 0) {
      this.#done = true;
      return false;
    }
    if (this.#since !== undefined && compareTime(block, time, timeEnd, this.#since) < 0) return false;
    return isError ? this.#selection.stderr : this.#selection.stdout;
  }

  #put(block: Buffer, text: number, textEnd: number, simple: boolean, isError: boolean, time: number, timeEnd: number): void {
    // No escape is shorter than what it stands for.
    this.#flush(headerBytes + stampBytes + (textEnd - text));
    const start = this.#length;
    let at = this.#selection.multiplexed ? start + headerBytes : start;
    if (this.#selection.timestamps) at = this.#stamp(block, time, timeEnd, at);
    if (simple) {
      copy(block, text, textEnd - 2, this.#chunk, at);
      at += textEnd - 2 - text;
      this.#chunk[at++] = newline;
    } else at += unescapeText(block, text, textEnd, this.#chunk, at);
    this.#finish(start, at, isError);
  }

  #stamp(block: Buffer, time: number, timeEnd: number, at: number): number {
    const chunk = this.#chunk;
    const size = timeEnd - 1 - time;
    for (let i = 0; i < 29; i++) chunk[at + i] = i < size ? (block[time + i] ?? 0) : i === 19 ? 0x2e : zero;
    chunk[at + 29] = letterZ;
    chunk[at + 30] = space;
    return at + stampBytes;
  }

  /** Writes the frame's header, now that its length is known. */
  #finish(start: number, end: number, isError: boolean): void {
    if (this.#selection.multiplexed) {
      const size = end - start - headerBytes;
      const chunk = this.#chunk;
      chunk[start] = isError ? 2 : 1;
      chunk[start + 1] = chunk[start + 2] = chunk[start + 3] = 0;
      chunk[start + 4] = size >>> 24;
      chunk[start + 5] = size >>> 16;
      chunk[start + 6] = size >>> 8;
      chunk[start + 7] = size;
    }
    this.#length = end;
  }

  #careful(block: Buffer, start: number, end: number): void {
    const line = parseLine(block.subarray(start, end));
    if (line === undefined) return;
    const time = Buffer.from(utcTime(line.time));
    const isError = line.stream === "stderr";
    if (!this.#wanted(isError, time, 0, time.length)) return;
    const details = this.#selection.details ? Buffer.from(`${detailsOf(line.attrs)} `) : Buffer.alloc(0);
    this.#write(line, time, details, isError);
  }

  #write(line: LogLine, time: Buffer, details: Buffer, isError: boolean): void {
    this.#flush(headerBytes + stampBytes + details.length + line.text.length);
    const start = this.#length;
    let at = this.#selection.multiplexed ? start + headerBytes : start;
    if (this.#selection.timestamps) at = this.#stamp(time, 0, time.length, at);
    at += details.copy(this.#chunk, at);
    at += line.text.copy(this.#chunk, at);
    this.#finish(start, at, isError);
  }

  /** Makes room for `bytes`; 0 gives away what there is. */
  #flush(bytes: number): void {
    if (bytes > 0 && this.#length + bytes <= this.#chunk.length) return;
    if (this.#length > 0) this.#full.push(this.#chunk.subarray(0, this.#length));
    if (this.#length > 0 || bytes > this.#chunk.length) this.#chunk = Buffer.allocUnsafeSlow(Math.max(chunkBytes, bytes));
    this.#length = 0;
  }
}

/** A time with an offset, as another writer may have it, in UTC. */
function utcTime(time: string): string {
  if (time.endsWith("Z")) return time;
  const fraction = /\.(\d{1,9})/.exec(time)?.[1] ?? "";
  const millis = Date.parse(time.replace(/\.\d+/, ""));
  return Number.isNaN(millis) ? time : formatNanos(BigInt(millis) * 1_000_000n + BigInt(fraction.padEnd(9, "0")));
}
