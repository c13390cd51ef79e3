/** How far a blob is, for one who reads the file that it comes in. */

export interface Arriving {
  /** Bytes of the file that are there to be read. */
  readonly writtenBytes: number;
  /** All bytes are there and proved. */
  readonly isComplete: boolean;
}

/** Gives the number of bytes that are there whenever there are more. One reader. */
export class BlobArrival implements AsyncIterable<number> {
  readonly #blob: Arriving;
  #failure: { readonly error: Error } | undefined;
  #wake: (() => void) | undefined;

  constructor(blob: Arriving) {
    this.#blob = blob;
  }

  /** More is there, or all. */
  changed(): void {
    this.#wake?.();
  }

  /** The reader is told in place of the end; the first failure counts. */
  fail(error: Error): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<number> {
    for (let told = 0; ; ) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const { writtenBytes, isComplete } = this.#blob;
      if (writtenBytes > told) {
        told = writtenBytes;
        yield told;
      } else if (isComplete) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }
}
