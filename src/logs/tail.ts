/** Where in a log the last lines begin: found from its end. */
import type { LogFile } from "./log-files.ts";

const blockBytes = 64 * 1024;
const newline = 0x0a;

/** Where the last `lines` lines of a file begin, and how many it has, up to that many. */
export interface TailStart {
  readonly offset: number;
  readonly lines: number;
}

/** Reads backwards, and only as far as the lines go. A last line without its newline counts. */
async function tailOfPlain(file: LogFile, lines: number, size: number): Promise<TailStart> {
  const block = Buffer.allocUnsafeSlow(blockBytes);
  let found = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - blockBytes);
    const { bytesRead } = await file.handle.read(block, 0, end - start, start);
    for (let i = block.lastIndexOf(newline, bytesRead - 1); i !== -1; i = i === 0 ? -1 : block.lastIndexOf(newline, i - 1)) {
      // The newline at the very end ends the last line; each other one begins a line.
      if (start + i === size - 1) continue;
      found++;
      if (found === lines) return { offset: start + i + 1, lines };
    }
    end = start;
  }
  return size === 0 ? { offset: 0, lines: 0 } : { offset: 0, lines: found + 1 };
}

/** A packed file is read twice: it cannot be read backwards, and may be larger than what memory should hold. */
async function tailOfPacked(file: LogFile, lines: number): Promise<TailStart> {
  let total = 0;
  let last = newline;
  for await (const block of file.blocks(0)) {
    for (let i = block.indexOf(newline); i !== -1; i = block.indexOf(newline, i + 1)) total++;
    last = block.at(-1) ?? last;
  }
  if (last !== newline) total++;
  if (total <= lines) return { offset: 0, lines: total };
  let skip = total - lines;
  let offset = 0;
  for await (const block of file.blocks(0)) {
    for (let i = block.indexOf(newline); i !== -1; i = block.indexOf(newline, i + 1)) {
      if (--skip === 0) return { offset: offset + i + 1, lines };
    }
    offset += block.length;
  }
  return { offset, lines: 0 };
}

/** `end`: nothing behind it is looked at. */
export async function tailStart(file: LogFile, lines: number, end?: number): Promise<TailStart> {
  if (file.compressed) return await tailOfPacked(file, lines);
  return await tailOfPlain(file, lines, end ?? (await file.handle.stat()).size);
}
