import type { FrameWriter } from "./frame-writer.ts";

const newline = 0x0a;
/** No line is longer: the monitor cuts at 16 KiB, and an escaped byte is six at most. What is longer is damage. */
const maxLineBytes = 4 * 1024 * 1024;
/** So much of what was read last is kept, to tell whether a file is still the one that it was. */
const markBytes = 64;

/** Cuts blocks into lines. A line's end may come with a later block, or never. */
export class LineFeed {
  readonly #writer: FrameWriter;
  /** The beginning of a line whose end has not come yet. */
  #rest: Buffer = Buffer.alloc(0);
  #mark: Buffer = Buffer.alloc(0);

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** The last bytes that were fed. */
  get mark(): Buffer {
    return this.#mark;
  }

  feed(block: Buffer): void {
    this.#mark =
      block.length >= markBytes ? Buffer.from(block.subarray(-markBytes)) : Buffer.concat([this.#mark, block]).subarray(-markBytes);
    let start = 0;
    if (this.#rest.length > 0) {
      const end = block.indexOf(newline);
      this.#rest = Buffer.concat([this.#rest, end === -1 ? block : block.subarray(0, end)]);
      if (end === -1) {
        this.#limit();
        return;
      }
      this.#writer.line(this.#rest, 0, this.#rest.length);
      start = end + 1;
    }
    for (let end = block.indexOf(newline, start); end !== -1 && !this.#writer.done; end = block.indexOf(newline, start)) {
      this.#writer.line(block, start, end);
      start = end + 1;
    }
    this.#rest = Buffer.from(block.subarray(start));
  }

  /** No more of this file will come: the last line counts if it is whole but for its newline. */
  endOfFile(): void {
    if (this.#rest.length > 0) this.#writer.line(this.#rest, 0, this.#rest.length);
    this.restart();
  }

  /** Forgets what has come of a line: another file begins. */
  restart(): void {
    this.#rest = Buffer.alloc(0);
    this.#mark = Buffer.alloc(0);
  }

  #limit(): void {
    if (this.#rest.length > maxLineBytes) this.#rest = Buffer.alloc(0);
  }
}
