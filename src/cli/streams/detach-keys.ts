import { invalidParameter } from "../../base/errors.ts";
import type { Context } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";

const controls = "@abcdefghijklmnopqrstuvwxyz[\\]^_";

/**
 * The bytes of a key sequence such as `ctrl-p,ctrl-q` or `a,ctrl-@`.
 * @throws InvalidParameter with Docker's wording
 */
export function parseDetachKeys(text: string): Buffer {
  const codes = text.split(",").map((key) => {
    if (key.length === 1) return key.charCodeAt(0);
    const control = /^ctrl-(.)$/.exec(key)?.[1] ?? "";
    const code = control === "" ? -1 : controls.indexOf(control);
    if (code < 0) throw invalidParameter(`Unknown character: '${key}'`);
    return code;
  });
  return Buffer.from(codes);
}

export const defaultDetachKeys = "ctrl-p,ctrl-q";

/** As the flag or the configuration has them; empty: the default ones. */
export function detachKeysOf(context: Context, flags: FlagValues): string {
  const given = flags.string("detach-keys");
  return given === "" ? context.configuration().text("detachKeys") : given;
}

/** Watches typed bytes for the sequence. What may be its beginning is held back until it is known not to be. */
export class DetachWatch {
  readonly #keys: Buffer;
  #seen = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  /** The bytes to pass on, and whether the sequence is complete (then nothing more is to be read). */
  pass(data: Buffer): { readonly data: Buffer; readonly detached: boolean } {
    const out: number[] = [];
    for (const byte of data) {
      if (byte === this.#keys[this.#seen]) {
        this.#seen++;
        if (this.#seen === this.#keys.length) return { data: Buffer.from(out), detached: true };
        continue;
      }
      out.push(...this.#keys.subarray(0, this.#seen));
      this.#seen = byte === this.#keys[0] ? 1 : 0;
      if (this.#seen === 0) out.push(byte);
      else if (this.#keys.length === 1) return { data: Buffer.from(out), detached: true };
    }
    return { data: Buffer.from(out), detached: false };
  }
}
