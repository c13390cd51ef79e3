import { invalidParameter } from "../base/base.ts";

const control = /^ctrl-([a-z@[\\\]^_])$/;

/**
 * The bytes that a key sequence such as `ctrl-p,ctrl-q` or `ctrl-a,d` stands for.
 * @throws InvalidParameter `Invalid detach keys (x) provided`; of an exec Docker says `escape`
 */
export function parseDetachKeys(text: string, what: "detach" | "escape" = "detach"): Uint8Array {
  const bytes = text.split(",").map((key) => {
    const letter = control.exec(key.toLowerCase())?.[1];
    // Control characters are 64 below their letter: ASCII.
    if (letter !== undefined) return letter.toUpperCase().charCodeAt(0) - 64;
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    throw invalidParameter(`Invalid ${what} keys (${text}) provided`);
  });
  return Uint8Array.from(bytes);
}

/** ctrl-p,ctrl-q. */
export const defaultDetachKeys: Uint8Array = Uint8Array.of(16, 17);

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
