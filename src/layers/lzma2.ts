/**
 * LZMA2 (the .xz file format, 5.3.1; LZMA specification by Igor Pavlov): chunks of at most 64 KiB, each of which unpacks to at most
 * 2 MiB, with a window of what came before.
 */
import { invalidParameter } from "../base/base.ts";

const states = 12;
const positions = 16;
const probabilities = 0x300;
const half = 1024;
const lengthSlots = 2 + positions * 8 + positions * 8 + 256;

export function corrupt(): Error {
  return invalidParameter("cannot decompress: xz data is corrupt");
}

/** Adaptive probabilities of one kind of length. */
const newLengths = (): Uint16Array => new Uint16Array(lengthSlots);

export class Lzma2Decoder {
  readonly #dictionaryBytes: number;
  #window: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Since the dictionary was reset. */
  #total = 0;

  #lc = 0;
  #lpMask = 0;
  #pbMask = 0;
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;
  #literals: Uint16Array = new Uint16Array(0);
  readonly #isMatch = new Uint16Array(states * positions);
  readonly #isRep = new Uint16Array(states);
  readonly #isRepG0 = new Uint16Array(states);
  readonly #isRepG1 = new Uint16Array(states);
  readonly #isRepG2 = new Uint16Array(states);
  readonly #isRep0Long = new Uint16Array(states * positions);
  readonly #slots = new Uint16Array(4 * 64);
  readonly #special = new Uint16Array(115);
  readonly #align = new Uint16Array(16);
  readonly #lengths = newLengths();
  readonly #repLengths = newLengths();

  #source: Buffer = Buffer.alloc(0);
  #next = 0;
  #range = 0;
  #code = 0;

  constructor(dictionaryBytes: number) {
    this.#dictionaryBytes = Math.max(dictionaryBytes, 4096);
  }

  resetDictionary(): void {
    this.#at = 0;
    this.#total = 0;
  }

  resetState(): void {
    this.#state = 0;
    this.#rep0 = this.#rep1 = this.#rep2 = this.#rep3 = 0;
    const all = [this.#literals, this.#isMatch, this.#isRep, this.#isRepG0, this.#isRepG1, this.#isRepG2, this.#isRep0Long];
    for (const each of [...all, this.#slots, this.#special, this.#align, this.#lengths, this.#repLengths]) each.fill(half);
  }

  /** @throws InvalidParameter */
  setProperties(byte: number): void {
    const lc = byte % 9;
    const rest = Math.floor(byte / 9);
    const lp = rest % 5;
    const pb = Math.floor(rest / 5);
    if (pb > 4 || lc + lp > 4) throw corrupt();
    this.#lc = lc;
    this.#lpMask = (1 << lp) - 1;
    this.#pbMask = (1 << pb) - 1;
    this.#literals = new Uint16Array(probabilities << (lc + lp));
  }

  /** A chunk that is not compressed. */
  copy(bytes: Buffer): void {
    this.#makeRoom(bytes.length);
    bytes.copy(this.#window, this.#at);
    this.#at += bytes.length;
    this.#total += bytes.length;
  }

  /** @returns the chunk's bytes. @throws InvalidParameter */
  decode(source: Buffer, unpackedBytes: number): Buffer {
    if (this.#literals.length === 0 || source[0] !== 0 || source.length < 5) throw corrupt();
    this.#makeRoom(unpackedBytes);
    this.#source = source;
    this.#range = 0xffffffff;
    this.#code = source.readUInt32BE(1);
    this.#next = 5;
    const start = this.#at;
    this.#run(start + unpackedBytes);
    if (this.#code !== 0 || this.#next !== source.length) throw corrupt();
    return Buffer.from(this.#window.subarray(start, this.#at));
  }

  /** Moves the window's last bytes to its beginning when there is no room behind them. */
  #makeRoom(bytes: number): void {
    if (this.#at + bytes <= this.#window.length) return;
    const kept = Math.min(this.#at, this.#dictionaryBytes);
    const wanted = kept + bytes;
    const most = this.#dictionaryBytes + (8 << 20);
    const to =
      this.#window.length < Math.min(most, 2 * wanted)
        ? Buffer.allocUnsafeSlow(Math.max(wanted, Math.min(most, 2 * wanted)))
        : this.#window;
    this.#window.copy(to, 0, this.#at - kept, this.#at);
    this.#window = to;
    this.#at = kept;
  }

  #bit(probability: Uint16Array, index: number): number {
    const p = probability[index] ?? 0;
    const bound = (this.#range >>> 11) * p;
    let bit = 0;
    if (this.#code < bound) {
      this.#range = bound;
      probability[index] = p + ((2048 - p) >>> 5);
    } else {
      this.#range -= bound;
      this.#code -= bound;
      probability[index] = p - (p >>> 5);
      bit = 1;
    }
    if (this.#range < 0x1000000) this.#normalise();
    return bit;
  }

  #normalise(): void {
    this.#range = (this.#range << 8) >>> 0;
    // Bytes that are not there are found by the count of those that were.
    this.#code = ((this.#code << 8) | (this.#source[this.#next++] ?? 0)) >>> 0;
  }

  #tree(probability: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(probability, base + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(probability: Uint16Array, base: number, bits: number): number {
    let symbol = 1;
    let result = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(probability, base + symbol);
      symbol = (symbol << 1) | bit;
      result |= bit << i;
    }
    return result;
  }

  #direct(bits: number): number {
    let result = 0;
    for (let i = 0; i < bits; i++) {
      this.#range >>>= 1;
      const bit = this.#code >= this.#range ? 1 : 0;
      if (bit === 1) this.#code -= this.#range;
      result = (result << 1) | bit;
      if (this.#range < 0x1000000) this.#normalise();
    }
    return result >>> 0;
  }

  #length(lengths: Uint16Array, position: number): number {
    if (this.#bit(lengths, 0) === 0) return this.#tree(lengths, 2 + position * 8, 3);
    if (this.#bit(lengths, 1) === 0) return 8 + this.#tree(lengths, 2 + positions * 8 + position * 8, 3);
    return 16 + this.#tree(lengths, 2 + positions * 16, 8);
  }

  #run(limit: number): void {
    while (this.#at < limit) {
      const position = this.#total & this.#pbMask;
      if (this.#bit(this.#isMatch, (this.#state << 4) | position) === 0) this.#literal();
      else this.#repeat(this.#match(position), limit);
      if (this.#next > this.#source.length) throw corrupt();
    }
  }

  #literal(): void {
    const window = this.#window;
    const before = this.#total === 0 ? 0 : (window[this.#at - 1] ?? 0);
    const base = probabilities * (((this.#total & this.#lpMask) << this.#lc) + (before >>> (8 - this.#lc)));
    let symbol = 1;
    if (this.#state >= 7) {
      let matched = window[this.#at - this.#rep0 - 1] ?? 0;
      for (let offset = 0x100; symbol < 0x100; ) {
        matched <<= 1;
        const high = matched & offset;
        const bit = this.#bit(this.#literals, base + offset + high + symbol);
        symbol = (symbol << 1) | bit;
        offset &= bit === 1 ? high : ~high;
      }
    } else while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(this.#literals, base + symbol);
    window[this.#at++] = symbol & 0xff;
    this.#total++;
    this.#state = this.#state < 4 ? 0 : this.#state - (this.#state < 10 ? 3 : 6);
  }

  /** Sets the distance. @returns how many bytes repeat */
  #match(position: number): number {
    const state = this.#state;
    if (this.#bit(this.#isRep, state) === 0) {
      this.#rep3 = this.#rep2;
      this.#rep2 = this.#rep1;
      this.#rep1 = this.#rep0;
      const length = this.#length(this.#lengths, position);
      this.#state = state < 7 ? 7 : 10;
      this.#rep0 = this.#distance(Math.min(length, 3));
      return length + 2;
    }
    if (this.#bit(this.#isRepG0, state) === 0) {
      if (this.#bit(this.#isRep0Long, (state << 4) | position) === 0) {
        this.#state = state < 7 ? 9 : 11;
        return 1;
      }
    } else {
      let distance = this.#rep1;
      if (this.#bit(this.#isRepG1, state) === 1) {
        distance = this.#rep2;
        if (this.#bit(this.#isRepG2, state) === 1) {
          distance = this.#rep3;
          this.#rep3 = this.#rep2;
        }
        this.#rep2 = this.#rep1;
      }
      this.#rep1 = this.#rep0;
      this.#rep0 = distance;
    }
    this.#state = state < 7 ? 8 : 11;
    return this.#length(this.#repLengths, position) + 2;
  }

  #distance(lengthState: number): number {
    const slot = this.#tree(this.#slots, lengthState * 64, 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < 14) return base + this.#reverseTree(this.#special, base - slot - 1, bits);
    return base + this.#direct(bits - 4) * 16 + this.#reverseTree(this.#align, 0, 4);
  }

  #repeat(length: number, limit: number): void {
    const back = this.#rep0 + 1;
    if (back > this.#total || back > this.#dictionaryBytes || this.#at + length > limit) throw corrupt();
    const window = this.#window;
    for (let left = length; left > 0; left--, this.#at++) window[this.#at] = window[this.#at - back] ?? 0;
    this.#total += length;
  }
}
