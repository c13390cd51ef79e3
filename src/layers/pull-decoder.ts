/** A stream that a generator decodes: it asks for the bytes that it needs next, and hands out pieces as it gets to them. */
import { Duplex } from "node:stream";
import { invalidParameter } from "../base/base.ts";

/** So many bytes, all of them; with `mayEnd`, what is left where the input ends before. */
export interface Need {
  readonly bytes: number;
  readonly mayEnd?: boolean;
}

/** Decodes, and returns what the part that it decodes has to say. */
export type Decoding<Result = void> = Generator<Need | Buffer, Result, Buffer>;

const none = Buffer.alloc(0);

/** Goes on only as fast as it is read: what few bytes unpack to is never in memory at once. */
export class PullDecoder extends Duplex {
  readonly #decoding: Decoding;
  #parts: Buffer[] = [];
  #length = 0;
  #need: Need = { bytes: 0 };
  #isBegun = false;
  #hasEnded = false;
  #isBlocked = false;
  #isRunning = false;
  #written: ((error?: Error | null) => void) | undefined;

  constructor(decoding: Decoding) {
    super({ readableHighWaterMark: 1 << 20 });
    this.#decoding = decoding;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // Whoever wrote may use the memory again.
    this.#parts.push(Buffer.from(chunk));
    this.#length += chunk.length;
    this.#written = done;
    this.#run();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#hasEnded = true;
    done();
    this.#run();
  }

  override _read(): void {
    this.#isBlocked = false;
    this.#run();
  }

  #run(): void {
    if (this.#isRunning || this.destroyed) return;
    this.#isRunning = true;
    try {
      while (!this.#isBlocked && this.#step());
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#isRunning = false;
    }
  }

  /** @returns false: there is nothing to do until more comes, or ever */
  #step(): boolean {
    const input = this.#input();
    if (input === undefined) {
      const written = this.#written;
      this.#written = undefined;
      written?.();
      // What comes while this runs is this run's to take.
      return this.#written !== undefined || this.#hasEnded;
    }
    const { value, done } = this.#decoding.next(input);
    this.#isBegun = true;
    if (done === true) {
      this.push(null);
      this.#isBlocked = true;
      return false;
    }
    if (Buffer.isBuffer(value)) {
      this.#need = { bytes: 0 };
      // Who reads may ask for more before this comes back.
      this.#isBlocked = true;
      if (this.push(value)) this.#isBlocked = false;
    } else this.#need = value;
    return true;
  }

  /** What the generator asked for; undefined when it is not there yet. @throws InvalidParameter when it never will be */
  #input(): Buffer | undefined {
    const { bytes, mayEnd = false } = this.#need;
    if (!this.#isBegun || bytes === 0) return none;
    if (this.#length < bytes && !this.#hasEnded) return undefined;
    if (this.#length < bytes && !mayEnd) throw invalidParameter("unexpected EOF");
    const all = this.#parts.length === 1 ? (this.#parts[0] ?? none) : Buffer.concat(this.#parts, this.#length);
    const taken = all.subarray(0, bytes);
    this.#parts = all.length > bytes ? [all.subarray(bytes)] : [];
    this.#length -= taken.length;
    return taken;
  }
}
