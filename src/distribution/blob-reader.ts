/** A reader of a blob that arrives, or is being made: reads what is on disk already, then is handed each piece as it comes. */
import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";

const pieceBytes = 1 << 20;

/** How far the blob is. */
export interface Arriving {
  readonly file: FileHandle;
  /** Bytes of the file that are there to be read. */
  readonly writtenBytes: number;
  /** All bytes are there and proved. */
  readonly isComplete: boolean;
}

export class BlobReader extends Readable {
  readonly #blob: Arriving;
  #position: number;
  /** Somebody wants bytes, and none are there. */
  #isWanting = false;

  /** @param from the first byte wanted */
  constructor(blob: Arriving, from = 0) {
    super({ highWaterMark: pieceBytes });
    // It may fail before anybody reads; whoever reads then hears of it.
    this.on("error", () => undefined);
    this.#blob = blob;
    this.#position = from;
  }

  override _read(): void {
    if (this.#isWanting) return;
    this.#isWanting = true;
    this.#more();
  }

  /** A piece has come; it need not be on disk yet. */
  arrived(piece: Uint8Array, offset: number): void {
    if (!this.#isWanting || this.#position !== offset) return;
    this.#give(piece);
  }

  /** More is on disk, or the blob is complete. */
  written(): void {
    if (this.#isWanting) this.#more();
  }

  #reading = false;

  #more(): void {
    if (this.#reading || this.destroyed) return;
    const left = this.#blob.writtenBytes - this.#position;
    if (left > 0) {
      this.#reading = true;
      void this.#fromDisk(Math.min(left, pieceBytes)).finally(() => {
        this.#reading = false;
      });
    } else if (this.#blob.isComplete) this.push(null);
  }

  async #fromDisk(length: number): Promise<void> {
    try {
      const { buffer, bytesRead } = await this.#blob.file.read(Buffer.allocUnsafe(length), 0, length, this.#position);
      if (bytesRead === 0) throw new Error("the blob's file has become shorter");
      this.#reading = false;
      if (!this.destroyed) this.#give(buffer.subarray(0, bytesRead));
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #give(piece: Uint8Array): void {
    this.#position += piece.byteLength;
    this.#isWanting = false;
    this.push(piece);
  }
}
