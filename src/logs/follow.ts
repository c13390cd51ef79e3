/** Follows a log from a place in one of its files, through all rotations, until its writer has ended. */
import type { Changes } from "./changes.ts";
import { identityAt, LogFile, openRotated } from "./log-files.ts";

export type FollowStep =
  | { readonly kind: "block"; readonly block: Buffer; readonly file: LogFile; readonly offset: number }
  /** The file will not grow: the next block is of another one. */
  | { readonly kind: "end-of-file"; readonly file: LogFile }
  /** The file has been emptied: the next block is its beginning. */
  | { readonly kind: "restart" }
  /** All that there is has been read. When the consumer asks again, it waits for more. */
  | { readonly kind: "idle" };

export interface FollowOptions {
  readonly path: string;
  /** Watching from before the first look, so that what comes between is not missed. */
  readonly changes: Changes;
  /** Nobody wants more. */
  readonly signal: AbortSignal;
  /** Resolves when the writer has ended: then the rest is read and the steps end. */
  readonly writerEnded?: Promise<unknown>;
  /** How long it may wait at most before it is `idle` again. */
  readonly waitMs?: () => number;
}

/** So much of what was read last is kept, to tell whether a file is still the one that it was. */
const markBytes = 64;

/** @param first is closed here, in any case */
export async function* followFiles(options: FollowOptions, first: LogFile | undefined, offset: number): AsyncGenerator<FollowStep> {
  const { path, changes, signal } = options;
  const ending = watchEnd(options);
  let [file, at, mark] = [first, offset, Buffer.alloc(0)];
  const read = async function* (from: LogFile): AsyncGenerator<FollowStep> {
    for await (const block of from.blocks(at)) {
      const start = at;
      at += block.length;
      mark = Buffer.concat([block.length < markBytes ? mark : Buffer.alloc(0), block.subarray(-markBytes)]).subarray(-markBytes);
      yield { kind: "block", block, file: from, offset: start };
    }
  };
  try {
    while (!signal.aborted) {
      // Asked before the file is read: what the writer wrote last is there when it says that it has ended.
      const last = ending.ended();
      file ??= await LogFile.open(path);
      if (file !== undefined) {
        if (await wasEmptied(file, at, mark)) {
          [at, mark] = [0, Buffer.alloc(0)];
          yield { kind: "restart" };
        }
        yield* read(file);
        const next = await successor(path, file);
        if (next !== undefined) {
          // The writer goes to the next file only when this one is complete, so one more look ends it.
          yield* read(file);
          yield { kind: "end-of-file", file };
          await file.close();
          [file, at, mark] = [next, 0, Buffer.alloc(0)];
          continue;
        }
      }
      if (last) {
        if (file !== undefined) yield { kind: "end-of-file", file };
        return;
      }
      yield { kind: "idle" };
      if (!signal.aborted) await changes.next(options.waitMs?.() ?? Number.POSITIVE_INFINITY);
    }
  } finally {
    ending.stop();
    await file?.close();
  }
}

function watchEnd({ signal, changes, writerEnded }: FollowOptions): { ended: () => boolean; stop: () => void } {
  let ended = false;
  const notify = (): void => changes.notify();
  const end = (): void => {
    ended = true;
    notify();
  };
  writerEnded?.then(end, end);
  signal.addEventListener("abort", notify, { once: true });
  return { ended: () => ended, stop: () => signal.removeEventListener("abort", notify) };
}

/** Someone has emptied the file: then what lies before `position` is not what was read there. */
async function wasEmptied(file: LogFile, position: number, mark: Buffer): Promise<boolean> {
  if (position === 0 || file.compressed) return false;
  if (mark.length === 0 || mark.length > position) return (await file.handle.stat()).size < position;
  const now = Buffer.alloc(mark.length);
  const { bytesRead } = await file.handle.read(now, 0, mark.length, position - mark.length);
  return bytesRead !== mark.length || !now.equals(mark);
}

/** The file after `file`, when the writer has gone on to another one. */
async function successor(path: string, file: LogFile): Promise<LogFile | undefined> {
  const current = await identityAt(path);
  // Between the renaming and the new file there is none.
  if (current === undefined || current === file.identity) return undefined;
  let newer = await LogFile.open(path);
  for (let n = 1, missing = 0; newer !== undefined && missing < 2; n++) {
    const older = await openRotated(path, n);
    missing = older === undefined ? missing + 1 : 0;
    if (older === undefined) continue;
    if (older.identity === file.identity) {
      await older.close();
      break;
    }
    // It was rotated more than once meanwhile; its own successor is the last one before it.
    if (older.identity === newer.identity) {
      await older.close();
      continue;
    }
    await newer.close();
    newer = older;
  }
  return newer;
}
