/** Where in a log `since` begins: found by halving, as lines are in order of their times. */
import { paddedTime, parseLine } from "./line.ts";
import type { LogFile } from "./log-files.ts";

const newline = 0x0a;
/** No more is looked at line by line. */
const closeBytes = 256 * 1024;
const probeBytes = 16 * 1024;
/** Longer lines are damage; see `line-feed.ts`. */
const maxLineBytes = 4 * 1024 * 1024;

interface FoundLine {
  readonly end: number;
  /** As `paddedTime` gives it. */
  readonly time: string;
}

/** The first whole line that begins at `start` or, with `torn`, behind the first newline from there on. */
async function lineFrom(file: LogFile, start: number, torn: boolean): Promise<FoundLine | undefined> {
  for (let size = probeBytes; size <= maxLineBytes; size *= 4) {
    const block = Buffer.allocUnsafe(size);
    const { bytesRead } = await file.handle.read(block, 0, size, start);
    const bytes = block.subarray(0, bytesRead);
    let at = torn ? bytes.indexOf(newline) + 1 : 0;
    if (!torn || at > 0) {
      for (let end = bytes.indexOf(newline, at); end !== -1; end = bytes.indexOf(newline, at)) {
        const line = parseLine(bytes.subarray(at, end));
        if (line !== undefined) return { end: start + end + 1, time: paddedTime(line.time) };
        at = end + 1;
      }
    }
    if (bytesRead < size) return undefined;
  }
  return undefined;
}

/** Where to begin to read what is not older than `since`, and whether older files may have some of it too. */
export interface SinceStart {
  readonly offset: number;
  readonly olderToo: boolean;
}

/**
 * Lines are in the order of their times, so few of them have to be looked at: halves of what is left, until little is.
 * @param since as `paddedTime` gives it
 */
export async function sinceStart(file: LogFile, since: string): Promise<SinceStart> {
  if (file.compressed) {
    const past = file.packed !== undefined && file.packed.lastTime < since;
    return { offset: past ? Number.POSITIVE_INFINITY : 0, olderToo: !past };
  }
  const first = await lineFrom(file, 0, false);
  if (first === undefined || first.time >= since) return { offset: 0, olderToo: true };
  let low = first.end;
  let { size: high } = await file.handle.stat();
  while (high - low > closeBytes) {
    const middle = Math.floor((low + high) / 2);
    const line = await lineFrom(file, middle, true);
    if (line === undefined || line.time >= since || line.end > high) high = middle;
    else low = line.end;
  }
  return { offset: low, olderToo: false };
}
