/**
 * Bytes from one thread to another through shared memory, without a message for each chunk: whoever has to
 * wait says so in a flag, and only then the other side has to wake it.
 */
const headerBytes = 16;
const head = 0;
const tail = 1;
const readerWaits = 2;
const writerWaits = 3;

export class ByteRing {
  readonly shared: SharedArrayBuffer;
  readonly #state: Int32Array;
  readonly #data: Buffer;

  /** @param capacity a power of two */
  constructor(from: { readonly capacity: number } | SharedArrayBuffer) {
    this.shared = from instanceof SharedArrayBuffer ? from : new SharedArrayBuffer(headerBytes + from.capacity);
    this.#state = new Int32Array(this.shared, 0, 4);
    this.#data = Buffer.from(this.shared, headerBytes);
  }

  #filled(): number {
    return (Atomics.load(this.#state, head) - Atomics.load(this.#state, tail)) >>> 0;
  }

  /** Takes as much of the chunk as there is room for. @returns how much */
  write(chunk: Uint8Array): number {
    const capacity = this.#data.length;
    const count = Math.min(chunk.length, capacity - this.#filled());
    if (count === 0) return 0;
    const at = (Atomics.load(this.#state, head) >>> 0) % capacity;
    const first = Math.min(count, capacity - at);
    this.#data.set(chunk.subarray(0, first), at);
    if (first < count) this.#data.set(chunk.subarray(first, count), 0);
    Atomics.add(this.#state, head, count);
    return count;
  }

  /** What can be read in one piece, without taking it. */
  peek(maxBytes: number): Buffer {
    const at = (Atomics.load(this.#state, tail) >>> 0) % this.#data.length;
    const count = Math.min(this.#filled(), this.#data.length - at, maxBytes);
    return this.#data.subarray(at, at + count);
  }

  take(count: number): void {
    Atomics.add(this.#state, tail, count);
  }

  /** The reader is about to wait. @returns false when there is something after all */
  readerSleeps(): boolean {
    Atomics.store(this.#state, readerWaits, 1);
    return this.#filled() === 0;
  }

  /** The writer is about to wait. @returns false when there is room after all */
  writerSleeps(): boolean {
    Atomics.store(this.#state, writerWaits, 1);
    return this.#filled() === this.#data.length;
  }

  /** True once for each time that the reader has gone to sleep. */
  mustWakeReader(): boolean {
    return Atomics.exchange(this.#state, readerWaits, 0) === 1;
  }

  mustWakeWriter(): boolean {
    return Atomics.exchange(this.#state, writerWaits, 0) === 1;
  }

  /** For the next stream. */
  reset(): void {
    this.#state.fill(0);
  }
}
