/**
 * The files of one log: `path` is written, `path.1`, `path.2`, … were before it, `.gz` when compressed. A file is
 * held open while it is read, so that it stays the same file when the writer renames or removes it.
 */
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { errnoOf } from "../base/base.ts";

const blockBytes = 256 * 1024;

export class LogFile {
  readonly handle: FileHandle;
  /** Tells files apart, whatever they are called by now. */
  readonly inode: bigint;
  readonly compressed: boolean;

  constructor(handle: FileHandle, inode: bigint, compressed: boolean) {
    this.handle = handle;
    this.inode = inode;
    this.compressed = compressed;
  }

  /** Undefined when there is none. */
  static async open(path: string): Promise<LogFile | undefined> {
    try {
      const handle = await open(path, "r");
      const { ino } = await handle.stat({ bigint: true });
      return new LogFile(handle, ino, path.endsWith(".gz"));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /** What is in it from an offset to its present end. Each block is new and the reader's to keep. */
  async *blocks(offset: number): AsyncGenerator<Buffer> {
    yield* this.compressed ? this.#unpacked(offset) : this.#raw(offset);
  }

  async *#raw(offset: number): AsyncGenerator<Buffer> {
    for (let position = offset; ; ) {
      const block = Buffer.allocUnsafeSlow(blockBytes);
      const { bytesRead } = await this.handle.read(block, 0, blockBytes, position);
      if (bytesRead === 0) return;
      yield block.subarray(0, bytesRead);
      position += bytesRead;
    }
  }

  /** @param offset in the unpacked bytes */
  async *#unpacked(offset: number): AsyncGenerator<Buffer> {
    let skip = offset;
    const packed = Readable.from(this.#raw(0), { objectMode: false });
    const unpacked = createGunzip();
    packed.on("error", (error) => unpacked.destroy(error));
    packed.pipe(unpacked);
    try {
      for await (const chunk of unpacked as AsyncIterable<Buffer>) {
        if (skip >= chunk.length) skip -= chunk.length;
        else {
          yield chunk.subarray(skip);
          skip = 0;
        }
      }
    } catch (error) {
      // A file that is not packed to its end, or damaged: what could be read has been.
      if (!(errnoOf(error) ?? "").startsWith("Z_")) throw error;
    } finally {
      packed.destroy();
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

/** Rotated file number `n`, packed or not. */
export async function openRotated(path: string, n: number): Promise<LogFile | undefined> {
  return (await LogFile.open(`${path}.${n}`)) ?? (await LogFile.open(`${path}.${n}.gz`));
}

/** All files that are there, oldest first. */
export async function openFiles(path: string): Promise<LogFile[]> {
  const newest = await LogFile.open(path);
  const files = newest === undefined ? [] : [newest];
  for (let n = 1; ; n++) {
    const file = await openRotated(path, n);
    if (file === undefined) break;
    // When the writer rotates meanwhile, what was `path` is now `path.1`.
    if (files.some(({ inode }) => inode === file.inode)) await file.close();
    else files.unshift(file);
  }
  return files;
}
