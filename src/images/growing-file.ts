/** The file of a blob that is being compressed: whoever reads it gets what is there, and then what comes. */
import { type FileHandle, open } from "node:fs/promises";
import { messageOf } from "../base/base.ts";
import type { Growth } from "../content/content.ts";
import { type Arriving, BlobReader } from "../distribution/blob-reader.ts";

export class GrowingFile implements Arriving, Growth, AsyncDisposable {
  readonly file: FileHandle;
  writtenBytes = 0;
  isComplete = false;
  readonly #readers = new Set<BlobReader>();
  #failure: Error | undefined;

  private constructor(file: FileHandle) {
    this.file = file;
  }

  static async at(path: string): Promise<GrowingFile> {
    return new GrowingFile(await open(path, "r"));
  }

  /** @param from the first byte wanted: of those that are there */
  read(from: number): BlobReader {
    const reader = new BlobReader(this, from);
    if (this.#failure !== undefined) return reader.destroy(this.#failure);
    this.#readers.add(reader);
    reader.once("close", () => this.#readers.delete(reader));
    return reader;
  }

  arrived(piece: Uint8Array, offset: number): void {
    for (const reader of this.#readers) reader.arrived(piece, offset);
  }

  written(bytes: number): void {
    this.writtenBytes = bytes;
    for (const reader of this.#readers) reader.written();
  }

  /** There will be no more. */
  end(): void {
    this.isComplete = true;
    for (const reader of this.#readers) reader.written();
  }

  fail(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(messageOf(error), { cause: error });
    for (const reader of this.#readers) reader.destroy(this.#failure);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const reader of this.#readers) reader.destroy();
    await this.file.close();
  }
}
