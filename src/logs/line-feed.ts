/** What lines are given to. */
export interface LineSink {
  /** One line, `start` to `end`, its newline not included. */
  line(block: Buffer, start: number, end: number): void;
  /** Nothing more is wanted. */
  readonly done: boolean;
}

const newline = 0x0a;
/** No line is longer: the monitor cuts at 16 KiB, and an escaped byte is six at most. What is longer is damage. */
const maxLineBytes = 4 * 1024 * 1024;

/** Cuts blocks into lines. A line's end may come with a later block, or never. */
export class LineFeed {
  readonly #sink: LineSink;
  /** The beginning of a line whose end has not come yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  /** How much has been fed of a line whose end has not come. */
  get pendingBytes(): number {
    return this.#rest.length;
  }

  feed(block: Buffer): void {
    let start = 0;
    if (this.#rest.length > 0) {
      const end = block.indexOf(newline);
      this.#rest = Buffer.concat([this.#rest, end === -1 ? block : block.subarray(0, end)]);
      if (end === -1) {
        this.#limit();
        return;
      }
      this.#sink.line(this.#rest, 0, this.#rest.length);
      start = end + 1;
    }
    for (let end = block.indexOf(newline, start); end !== -1 && !this.#sink.done; end = block.indexOf(newline, start)) {
      this.#sink.line(block, start, end);
      start = end + 1;
    }
    this.#rest = Buffer.from(block.subarray(start));
  }

  /** No more of this file will come: the last line counts if it is whole but for its newline. */
  endOfFile(): void {
    if (this.#rest.length > 0) this.#sink.line(this.#rest, 0, this.#rest.length);
    this.restart();
  }

  /** Forgets what has come of a line: another file begins. */
  restart(): void {
    this.#rest = Buffer.alloc(0);
  }

  #limit(): void {
    if (this.#rest.length > maxLineBytes) this.#rest = Buffer.alloc(0);
  }
}
