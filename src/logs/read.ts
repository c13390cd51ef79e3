import { formatNanos, nowNanos } from "../base/base.ts";
import { Changes } from "./changes.ts";
import { followFiles } from "./follow.ts";
import { FrameWriter } from "./frame-writer.ts";
import { paddedTime } from "./line.ts";
import { LineFeed } from "./line-feed.ts";
import { type LogFile, openFiles } from "./log-files.ts";
import type { LogEnd, LogSource, ReadLogOptions } from "./logs.ts";
import { sinceStart } from "./since.ts";
import { tailStart } from "./tail.ts";

/**
 * Reads a container's log. Nothing is read ahead of the consumer. A log that is not there (yet) is empty.
 * The chunks are the consumer's to keep.
 */
export async function* readLog(source: LogSource, options: ReadLogOptions): AsyncGenerator<Uint8Array> {
  const writer = new FrameWriter(options);
  const feed = new LineFeed(writer);
  const { follow } = options;
  // Watched from before the first look: what comes between is not missed.
  using changes = follow === undefined ? undefined : new Changes(source.path);
  const files = await openFiles(source.path);
  try {
    if (options.end !== undefined) await cutAfter(files, options.end);
    // Who does not follow gets what there is now: its writer may go on faster than it is read.
    const end = options.end?.offset ?? (follow === undefined ? await files.at(-1)?.wholeEnd() : undefined);
    const from = await startOf(files, options, end);
    for (const skipped of files.splice(0, from.index)) await skipped.close();
    let { offset } = from;
    while (files.length > (changes === undefined ? 0 : 1)) {
      const [file] = files;
      if (file === undefined) break;
      const last = files.length === 1 ? end : undefined;
      for await (const block of file.blocks(offset, last)) {
        feed.feed(block);
        yield* writer.take(false);
        if (writer.done || follow?.aborted === true) break;
      }
      feed.endOfFile();
      await files.shift()?.close();
      offset = 0;
    }
    if (changes !== undefined && follow !== undefined && !writer.done) {
      const { path } = source;
      const { writerEnded, until } = options;
      const waiting = { path, changes, signal: follow, waitMs: () => leftMs(until), ...(writerEnded === undefined ? {} : { writerEnded }) };
      for await (const step of followFiles(waiting, files.pop(), offset)) {
        if (step.kind === "block") feed.feed(step.block);
        else if (step.kind === "restart") feed.restart();
        else if (step.kind === "end-of-file") feed.endOfFile();
        yield* writer.take(step.kind !== "block");
        if (writer.done || follow.aborted || (step.kind === "idle" && isPast(until))) return;
      }
    }
    yield* writer.take(true);
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

/** Leaves out what is newer than the end; all, when the file that it is in has gone: then so has what was before it. */
async function cutAfter(files: LogFile[], { inode }: LogEnd): Promise<void> {
  const index = files.findLastIndex((file) => file.inode === inode);
  for (const file of files.splice(index + 1)) await file.close();
}

interface Start {
  /** Of the file to begin in. */
  readonly index: number;
  readonly offset: number;
}

/** The later of where the last lines begin and where the wanted times begin. */
async function startOf(files: readonly LogFile[], { tail, since }: ReadLogOptions, end: number | undefined): Promise<Start> {
  const byTime = since === undefined ? beginning : await startSince(files, paddedTime(formatNanos(since)));
  const byCount = tail === undefined ? beginning : await startOfTail(files, tail, end);
  const [a, b] = [byTime, byCount];
  return a.index > b.index || (a.index === b.index && a.offset > b.offset) ? a : b;
}

const beginning: Start = { index: 0, offset: 0 };

async function startSince(files: readonly LogFile[], since: string): Promise<Start> {
  for (const [index, file] of [...files.entries()].reverse()) {
    const { offset, olderToo } = await sinceStart(file, since);
    if (offset === Number.POSITIVE_INFINITY) return { index: index + 1, offset: 0 };
    if (!olderToo) return { index, offset };
  }
  return beginning;
}

async function startOfTail(files: readonly LogFile[], tail: number, end: number | undefined): Promise<Start> {
  let missing = tail;
  for (const [index, file] of [...files.entries()].reverse()) {
    if (missing === 0) {
      // Only the newest file's end is of interest, for what follows.
      const { size } = await file.handle.stat();
      return { index, offset: end ?? size };
    }
    const { offset, lines } = await tailStart(file, missing, index === files.length - 1 ? end : undefined);
    missing -= lines;
    if (missing === 0) return { index, offset };
  }
  return beginning;
}

function isPast(until: bigint | undefined): boolean {
  return until !== undefined && nowNanos() > until;
}

function leftMs(until: bigint | undefined): number {
  return until === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Number((until - nowNanos()) / 1_000_000n)) + 1;
}
