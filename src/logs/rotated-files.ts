/**
 * What becomes of files that the monitor has rotated: they are packed where that is asked for, and dropped when there are
 * more than are kept. The monitor goes on renaming them meanwhile, so every change of a name is its own to make.
 */
import { rename, rm, stat } from "node:fs/promises";
import { errnoOf } from "../base/base.ts";
import { paddedTime, parseLine } from "./line.ts";
import { type LogFile, openFiles } from "./log-files.ts";
import { writePacked } from "./packed-file.ts";
import { tailStart } from "./tail.ts";

export interface RotatedFilesOptions {
  readonly path: string;
  /** How many files are kept, the newest included. */
  readonly keep: number;
  readonly compress: boolean;
  /** Identity of the file that is being sent on: it and newer ones stay. `"none"`: nothing is known yet, all stay. */
  readonly reading?: string;
  /** Puts the packed form in the place of the file with this inode, or with none removes the file. */
  readonly signal: AbortSignal;
  readonly replace: (inode: bigint, packed: string | undefined) => Promise<void>;
}

/** Resolves when nothing is left to do. */
export async function settleRotatedFiles(options: RotatedFilesOptions): Promise<void> {
  while (!options.signal.aborted && (await settleOne(options)));
}

async function settleOne(options: RotatedFilesOptions): Promise<boolean> {
  const { path, keep, compress, reading, replace, signal } = options;
  // Held open until the change is made: so nobody else gets their inodes, by which they are named to the monitor.
  const files = await openFiles(path);
  try {
    // Oldest first; the newest is the monitor's.
    const needed = reading === undefined ? files.length - 1 : files.findIndex(({ identity }) => identity === reading);
    for (const [index, file] of files.entries()) {
      if (index >= needed) return false;
      if (files.length - index > keep) {
        await replace(await inodeNow(file), undefined);
        return true;
      }
      if (!compress || file.compressed) continue;
      const packed = `${path}.packing`;
      await writePacked(packed, { file: file.identity, lastTime: await lastTimeOf(file) }, file.blocks(0), signal);
      await replace(file.inode, packed);
      return true;
    }
    return false;
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

/** A packed file's own, not that of what it was made of. */
async function inodeNow(file: LogFile): Promise<bigint> {
  return (await file.handle.stat({ bigint: true })).ino;
}

async function lastTimeOf(file: LogFile): Promise<string> {
  const { offset } = await tailStart(file, 1);
  const blocks: Buffer[] = [];
  for await (const block of file.blocks(offset)) blocks.push(block);
  const line = parseLine(Buffer.concat(blocks).subarray(0, -1));
  return line === undefined ? "" : paddedTime(line.time);
}

/** `replace` for a log that nobody writes: the container does not run. */
export async function replaceAtRest(path: string, inode: bigint, packed: string | undefined): Promise<void> {
  for (let n = 1, missing = 0; missing < 2; n++) {
    let found = false;
    for (const name of [`${path}.${n}`, `${path}.${n}.gz`]) {
      const ino = await stat(name, { bigint: true }).then(
        (status) => status.ino,
        (error: unknown) => {
          if (errnoOf(error) === "ENOENT") return undefined;
          throw error;
        },
      );
      found ||= ino !== undefined;
      if (ino !== inode) continue;
      if (packed !== undefined) await rename(packed, `${path}.${n}.gz`);
      if (packed === undefined || name.endsWith(`.${n}`)) await rm(name);
      return;
    }
    missing = found ? 0 : missing + 1;
  }
}
