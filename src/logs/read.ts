import { stat } from "node:fs/promises";
import { errnoOf, nowNanos } from "../base/base.ts";
import { Changes } from "./changes.ts";
import { FrameWriter } from "./frame-writer.ts";
import { LineFeed } from "./line-feed.ts";
import { LogFile, openFiles, openRotated } from "./log-files.ts";
import type { LogSource, ReadLogOptions } from "./logs.ts";
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
    const from = await startOf(files, options.tail);
    let position = 0;
    for (let file = files.shift(); file !== undefined; file = files.shift()) {
      await using _closed = { [Symbol.asyncDispose]: () => file?.close() ?? Promise.resolve() };
      if (file.inode === from.inode) position = from.offset;
      else if (from.skipped.has(file.inode)) continue;
      for await (const block of file.blocks(position)) {
        feed.feed(block);
        position += block.length;
        yield* writer.take(false);
        if (writer.done || follow?.aborted === true) break;
      }
      if (follow !== undefined && files.length === 0 && !writer.done) {
        yield* writer.take(true);
        yield* followFrom({ source, options, follow, changes, writer, feed }, file, position);
        return;
      }
      feed.endOfFile();
      position = 0;
    }
    yield* writer.take(true);
    if (follow !== undefined && !writer.done) yield* followFrom({ source, options, follow, changes, writer, feed }, undefined, 0);
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

interface Start {
  /** The file to begin in, and where. */
  readonly inode: bigint | undefined;
  readonly offset: number;
  /** Files that are older than what is wanted. */
  readonly skipped: ReadonlySet<bigint>;
}

async function startOf(files: readonly LogFile[], tail: number | undefined): Promise<Start> {
  if (tail === undefined) return { inode: undefined, offset: 0, skipped: new Set() };
  let missing = tail;
  for (const [index, file] of [...files.entries()].reverse()) {
    if (missing === 0) {
      // Only the newest file's end is of interest, for what follows.
      const { size } = await file.handle.stat();
      return { inode: file.inode, offset: size, skipped: inodes(files.slice(0, index)) };
    }
    const { offset, lines } = await tailStart(file, missing);
    missing -= lines;
    if (missing === 0) return { inode: file.inode, offset, skipped: inodes(files.slice(0, index)) };
  }
  return { inode: undefined, offset: 0, skipped: new Set() };
}

const inodes = (files: readonly LogFile[]): ReadonlySet<bigint> => new Set(files.map(({ inode }) => inode));

interface Follow {
  readonly source: LogSource;
  readonly options: ReadLogOptions;
  readonly follow: AbortSignal;
  readonly changes: Changes | undefined;
  readonly writer: FrameWriter;
  readonly feed: LineFeed;
}

/** What comes after `position` of `first`, through all rotations, until the writer ends or nobody wants it. */
async function* followFrom(context: Follow, first: LogFile | undefined, position: number): AsyncGenerator<Uint8Array> {
  const { source, options, follow, writer, feed } = context;
  const ending = watchEnd(context);
  let file = first;
  let at = position;
  try {
    for (;;) {
      // Asked before the file is read: what the writer wrote last is there when it says that it has ended.
      const last = ending.ended();
      file ??= await LogFile.open(source.path);
      if (file !== undefined) {
        at = await whereToGoOn(file, at, feed);
        for await (const block of file.blocks(at)) {
          feed.feed(block);
          at += block.length;
          yield* writer.take(false);
          if (writer.done || follow.aborted) return;
        }
        yield* writer.take(true);
        const next = await successor(source.path, file);
        if (next !== undefined) {
          // The writer goes to the next file only when this one is complete, so one more look ends it.
          for await (const block of file.blocks(at)) feed.feed(block);
          feed.endOfFile();
          yield* writer.take(true);
          if (file !== first) await file.close();
          file = next;
          at = 0;
          continue;
        }
      }
      if (writer.done || follow.aborted || isPast(options.until)) return;
      if (last) {
        feed.endOfFile();
        yield* writer.take(true);
        return;
      }
      await context.changes?.next(leftMs(options.until));
    }
  } finally {
    ending.stop();
    if (file !== undefined && file !== first) await file.close();
  }
}

function isPast(until: bigint | undefined): boolean {
  return until !== undefined && nowNanos() > until;
}

function leftMs(until: bigint | undefined): number {
  return until === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Number((until - nowNanos()) / 1_000_000n)) + 1;
}

function watchEnd({ options, follow, changes }: Follow): { ended: () => boolean; stop: () => void } {
  let ended = false;
  const notify = (): void => changes?.notify();
  const end = (): void => {
    ended = true;
    notify();
  };
  options.writerEnded?.then(end, end);
  follow.addEventListener("abort", notify, { once: true });
  return { ended: () => ended, stop: () => follow.removeEventListener("abort", notify) };
}

/**
 * A writer that keeps one file empties it when it is full. Then what lies before `position` is not what was read
 * there, and reading starts at the beginning.
 */
async function whereToGoOn(file: LogFile, position: number, feed: LineFeed): Promise<number> {
  const { mark } = feed;
  if (position === 0 || mark.length === 0 || mark.length > position) return position;
  const now = Buffer.alloc(mark.length);
  const { bytesRead } = await file.handle.read(now, 0, mark.length, position - mark.length);
  if (bytesRead === mark.length && now.equals(mark)) return position;
  feed.restart();
  return 0;
}

/** The file after `file`, when the writer has gone on to another one. */
async function successor(path: string, file: LogFile): Promise<LogFile | undefined> {
  const current = await stat(path, { bigint: true }).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  });
  // Between the renaming and the new file there is none.
  if (current === undefined || current.ino === file.inode) return undefined;
  let newer = await LogFile.open(path);
  for (let n = 1; newer !== undefined; n++) {
    const older = await openRotated(path, n);
    if (older === undefined) break;
    if (older.inode === file.inode) {
      await older.close();
      break;
    }
    // It was rotated more than once meanwhile; its own successor is the last one before it.
    await newer.close();
    newer = older;
  }
  return newer;
}
