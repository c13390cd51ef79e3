import { invalidParameter, parseDetachKeys } from "../base/base.ts";

/** @throws InvalidParameter in Docker's words, which call the same keys `detach` for an attach and `escape` for an exec */
export function readDetachKeys(text: string | undefined, what: "detach" | "escape"): Uint8Array {
  try {
    return parseDetachKeys(text ?? "");
  } catch (cause) {
    throw invalidParameter(`Invalid ${what} keys (${text}) provided`, cause);
  }
}
