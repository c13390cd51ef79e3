import { systemError } from "../base/errors.ts";

export interface OutputPart {
  readonly stream: "stdout" | "stderr";
  readonly data: Buffer;
}

const headerBytes = 8;

/**
 * Splits a multiplexed stream: each frame has an 8-byte header (stream, three zeros, length as a big-endian
 * 32-bit number). Parts are given out as they arrive, not when their frame is whole.
 * Source: Docker Engine API, "Attach to a container", "Stream format".
 * @throws System for an unknown stream, with what the daemon wrote on its own error stream (3), or when a frame is cut off
 */
export async function* demultiplex(source: AsyncIterable<Buffer>): AsyncGenerator<OutputPart, void> {
  let pending: Buffer = Buffer.alloc(0);
  let left = 0;
  let kind = 0;
  let daemonError = "";
  for await (const chunk of source) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length > 0) {
      if (left === 0) {
        if (pending.length < headerBytes) break;
        kind = pending.readUInt8(0);
        left = pending.readUInt32BE(4);
        pending = pending.subarray(headerBytes);
        if (kind > 3) throw systemError(`Unrecognized input header: ${kind}`);
        continue;
      }
      const data = pending.subarray(0, left);
      pending = pending.subarray(data.length);
      left -= data.length;
      if (kind === 3) daemonError += data.toString();
      else yield { stream: kind === 2 ? "stderr" : "stdout", data };
    }
    if (daemonError !== "" && left === 0) throw systemError(`error from daemon in stream: ${daemonError}`);
  }
  if (left > 0 || pending.length > 0) throw systemError("unexpected EOF");
}
