import { formatSize } from "../../base/units.ts";
import { writeAll } from "./write.ts";

const redrawMs = 100;

/** Says how much has been copied: on one line of the terminal while it goes on, in a sentence at the end. */
export class CopyProgress implements Disposable {
  readonly #quiet: boolean;
  readonly #header: string;
  #bytes = 0;
  #drawn = 0;

  constructor(quiet: boolean, header: string) {
    this.#quiet = quiet;
    this.#header = header;
  }

  /** Passes chunks on and counts them. */
  async *count(source: Iterable<Buffer> | AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
    for await (const chunk of source) {
      this.#bytes += chunk.length;
      if (!this.#quiet && process.stderr.isTTY && Date.now() - this.#drawn > redrawMs) {
        this.#drawn = Date.now();
        writeAll(2, `\r\x1b[2K${this.#header} - ${formatSize(this.#bytes)}`);
      }
      yield chunk;
    }
  }

  done(destination: string): void {
    this[Symbol.dispose]();
    if (!this.#quiet) writeAll(2, `Successfully copied ${formatSize(this.#bytes)} to ${destination}\n`);
  }

  /** Clears the line. */
  [Symbol.dispose](): void {
    if (this.#drawn > 0) writeAll(2, "\r\x1b[2K");
    this.#drawn = 0;
  }
}
