import { systemError } from "../base/errors.ts";

type Chunks = AsyncIterable<Buffer>;

/** A body of a known length. @throws System when the connection ends before it */
export async function* sizedBody(source: Chunks, lengthBytes: number): AsyncGenerator<Buffer, void> {
  let left = lengthBytes;
  if (left === 0) return;
  for await (const chunk of source) {
    yield chunk.length > left ? chunk.subarray(0, left) : chunk;
    left -= chunk.length;
    if (left <= 0) return;
  }
  throw systemError("unexpected EOF");
}

/**
 * Decodes the chunked transfer coding (RFC 9112, section 7.1). What arrived is given out at once, so that
 * an event or a log line is not held back until its chunk is whole.
 * @throws System for a malformed chunk, or when the connection ends before the last one
 */
export async function* chunkedBody(source: Chunks): AsyncGenerator<Buffer, void> {
  let pending: Buffer = Buffer.alloc(0);
  // Bytes of the present chunk still to come; below zero: a size line is awaited.
  let left = -1;
  let first = true;
  for await (const chunk of source) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length > 0) {
      if (left > 0) {
        const part = pending.subarray(0, left);
        pending = pending.subarray(part.length);
        left -= part.length;
        yield part;
        if (left === 0) left = -1;
        continue;
      }
      // The line end behind a chunk's data stands before the next size.
      const from = first ? 0 : 2;
      const end = pending.indexOf("\r\n", from);
      if (end < 0) {
        if (pending.length > 1024) throw systemError("malformed chunk in the response");
        break;
      }
      const size = /^([0-9a-f]{1,12})\s*(?:;.*)?$/i.exec(pending.toString("latin1", from, end));
      if (size === null) throw systemError("malformed chunk in the response");
      first = false;
      left = Number.parseInt(size[1] ?? "0", 16);
      pending = pending.subarray(end + 2);
      if (left === 0) return;
    }
  }
  throw systemError("unexpected EOF");
}
