import { writeSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";

/** Exit status of a program that SIGPIPE ended, as the shell reports it. */
const brokenPipe = 141;

/**
 * Writes all of a text to a descriptor without opening a stream on it, which would cost start-up time. A
 * terminal or pipe in non-blocking mode is waited for. A reader that went away ends the process quietly.
 */
export function writeAll(descriptor: number, text: string | Uint8Array): void {
  let rest: Uint8Array = typeof text === "string" ? Buffer.from(text) : text;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      if (errnoOf(error) === "EPIPE") process.exit(brokenPipe);
      if (errnoOf(error) !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}
