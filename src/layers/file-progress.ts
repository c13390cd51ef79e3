/** How far a file has grown, told by one thread to another through shared memory. Who has to wait says so in a flag. */
export class FileProgress {
  readonly shared: SharedArrayBuffer;
  readonly #bytes: BigInt64Array;
  readonly #readerWaits: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.shared = shared;
    this.#bytes = new BigInt64Array(shared, 0, 1);
    this.#readerWaits = new Int32Array(shared, 8, 1);
  }

  get bytes(): number {
    return Number(Atomics.load(this.#bytes, 0));
  }

  /** @returns whether the reader has to be woken */
  advance(bytes: number): boolean {
    Atomics.store(this.#bytes, 0, BigInt(bytes));
    return Atomics.exchange(this.#readerWaits, 0, 0) === 1;
  }

  /** The reader, who has read up to `position`, is about to wait. @returns false when there is something after all */
  readerSleeps(position: number): boolean {
    Atomics.store(this.#readerWaits, 0, 1);
    return this.bytes === position;
  }
}
