/** The keys that leave an attached container running. The client watches for them in a terminal, the daemon for every client. */
import { invalidParameter } from "./errors.ts";

/** ctrl-p,ctrl-q. */
const usual: Uint8Array = Uint8Array.of(16, 17);

/**
 * The bytes that a key sequence such as `ctrl-p,ctrl-q` or `ctrl-a,d` stands for; empty: the usual ones.
 * @throws InvalidParameter with Docker's wording
 */
export function parseDetachKeys(text: string): Uint8Array {
  if (text === "") return usual;
  const bytes = text.split(",").map((key) => {
    const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
    // Control characters are 64 below their letter: ASCII.
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) - 64;
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    if (key === "DEL") return 127;
    throw invalidParameter(`Unknown character: '${key}'`);
  });
  return Uint8Array.from(bytes);
}

/**
 * Looks for the detach sequence in what is typed. The start of a sequence is held back until it is clear that
 * it is none; then all of it goes on.
 */
export class DetachScanner {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** @returns what to pass on, and whether the sequence was completed (what came behind it is dropped) */
  scan(input: Uint8Array): { readonly pass: Uint8Array; readonly detached: boolean } {
    const pass: number[] = [];
    for (const byte of input) {
      if (byte !== this.#keys[this.#matched]) {
        for (const held of this.#keys.subarray(0, this.#matched)) pass.push(held);
        this.#matched = 0;
        if (byte !== this.#keys[0]) {
          pass.push(byte);
          continue;
        }
      }
      this.#matched++;
      if (this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), detached: true };
    }
    // The usual case: nothing was held, so what came goes on as it is.
    return { pass: pass.length === input.length ? input : Uint8Array.from(pass), detached: false };
  }
}
