import type { FileHandle } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { RegistryError } from "./registry-error.ts";

/**
 * Sends part of a file and ends the response. Of two buffers, one is read into while the other is on its way; they are
 * used again and again, by one request after the other: memory that is new to the process costs more than the copy.
 */
export async function sendFile(file: FileHandle, response: ServerResponse, start: number, end: number): Promise<void> {
  const buffers = spare.pop() ?? [Buffer.allocUnsafeSlow(bufferBytes), Buffer.allocUnsafeSlow(bufferBytes)];
  try {
    const closed = new Promise<void>((resolve) => response.once("close", resolve));
    const sent: [Promise<void>, Promise<void>] = [Promise.resolve(), Promise.resolve()];
    let turn: 0 | 1 = 0;
    for (let position = start; position <= end; ) {
      await Promise.race([sent[turn], closed]);
      if (response.destroyed) return;
      const length = Math.min(bufferBytes, end - position + 1);
      const { bytesRead } = await file.read(buffers[turn], 0, length, position);
      if (bytesRead === 0) throw new RegistryError("UNKNOWN", { message: "the file is shorter than it was" });
      position += bytesRead;
      const part = buffers[turn].subarray(0, bytesRead);
      sent[turn] = new Promise((resolve) => response.write(part, () => resolve()));
      turn = turn === 0 ? 1 : 0;
    }
    await Promise.race([Promise.all(sent), closed]);
    response.end();
    if (!response.destroyed && spare.length < maxSpare) spare.push(buffers);
  } finally {
    await file.close();
  }
}

/** Measured: with less there are too many turns, with more the second copy no longer finds it in a cache. */
const bufferBytes = 512 << 10;
const maxSpare = 8;
const spare: [Buffer, Buffer][] = [];
