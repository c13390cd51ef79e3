import { once } from "node:events";
import type { Writable } from "node:stream";

/** Writes and waits for room. @returns false when the reader is gone */
export async function writeAll(io: Writable, chunk: Uint8Array): Promise<boolean> {
  if (io.destroyed || io.writableEnded) return false;
  if (io.write(chunk)) return true;
  const settled = new AbortController();
  try {
    await Promise.race([once(io, "drain", { signal: settled.signal }), once(io, "close", { signal: settled.signal })]);
    return !io.destroyed;
  } catch {
    return false;
  } finally {
    settled.abort();
  }
}
