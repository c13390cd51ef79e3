import type { Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { setImmediate as breathe } from "node:timers/promises";

/** Memory of one upload that the disk is slower than its client. */
const inFlightBytes = 8 << 20;

interface Sink {
  readonly path: string;
  /** Where the first byte goes. */
  readonly offset: number;
  readonly hash: Hash | undefined;
  /** After each write: how long the file is. */
  readonly written: (offset: number) => void;
  /** Before bytes are taken: how long the file would be. Throws when that is too long. */
  readonly check: (offset: number) => void;
  /** A write failed: the hash has seen more than the file has. */
  readonly failed: () => void;
}

/**
 * Appends a stream to a file. Whatever arrives in one turn of the event loop is one write, which is hashed while it goes
 * on in a thread. When the source breaks off, what arrived before is in the file and in the hash.
 */
export async function appendStream(source: Readable, sink: Sink): Promise<void> {
  await using file = await open(sink.path, "r+");
  let queue: Uint8Array[] = [];
  let queuedBytes = 0;
  let [arrived, stored] = [sink.offset, sink.offset];
  let failure: { readonly error: unknown } | undefined;
  let writing: Promise<void> | undefined;
  const writeAll = async (): Promise<void> => {
    while (queue.length > 0) {
      await breathe();
      const batch = queue;
      const length = queuedBytes;
      queue = [];
      queuedBytes = 0;
      const done = writeFully(file, batch, stored);
      for (const chunk of batch) sink.hash?.update(chunk);
      await done;
      stored += length;
      sink.written(stored);
    }
  };
  const begin = (): Promise<void> =>
    writeAll()
      .catch((error: unknown) => {
        failure = { error };
        sink.failed();
      })
      .finally(() => {
        writing = undefined;
      });
  try {
    // The connection stays, for the answer.
    for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      arrived += chunk.byteLength;
      sink.check(arrived);
      queue.push(chunk);
      queuedBytes += chunk.byteLength;
      writing ??= begin();
      if (queuedBytes > inFlightBytes) await writing;
      if (failure !== undefined) break;
    }
  } finally {
    await writing;
    if (queue.length > 0 && failure === undefined) await begin();
  }
  if (failure !== undefined) throw failure.error;
}

async function writeFully(file: FileHandle, batch: readonly Uint8Array[], position: number): Promise<void> {
  let rest = batch;
  let at = position;
  for (;;) {
    let { bytesWritten } = await file.writev(rest as Uint8Array[], at);
    at += bytesWritten;
    const done = rest.findIndex((chunk) => {
      if (bytesWritten < chunk.byteLength) return true;
      bytesWritten -= chunk.byteLength;
      return false;
    });
    if (done < 0) return;
    const [first, ...others] = rest.slice(done);
    rest = first === undefined ? others : [first.subarray(bytesWritten), ...others];
  }
}
