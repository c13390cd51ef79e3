/**
 * The files of one log: `path` is written, `path.1`, `path.2`, … were before it, `.gz` when packed. A file is
 * held open while it is read, so that it stays the same file when the writer renames or removes it.
 */
import type { BigIntStats } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import { errnoOf } from "../base/base.ts";
import { type PackedDescription, readDescription } from "./packed-file.ts";

const blockBytes = 256 * 1024;
const newline = 0x0a;
/** Longer than the writer takes for the rest of a line. */
const lineMs = 5;

/** Inodes are used again; with the time of birth they are not. */
function identityOf({ ino, birthtimeNs }: BigIntStats): string {
  return `${ino}-${birthtimeNs}`;
}

export class LogFile {
  readonly handle: FileHandle;
  /** Of the file as it was written, whatever it is called by now and packed or not. */
  readonly inode: bigint;
  /** Tells files apart. */
  readonly identity: string;
  /** What a packed file says of itself. */
  readonly packed: PackedDescription | undefined;
  readonly compressed: boolean;

  private constructor(handle: FileHandle, identity: string, compressed: boolean, packed: PackedDescription | undefined) {
    this.handle = handle;
    this.identity = packed?.file ?? identity;
    this.inode = BigInt(this.identity.split("-", 1)[0] ?? 0);
    this.compressed = compressed;
    this.packed = packed;
  }

  /** Undefined when there is none. */
  static async open(path: string): Promise<LogFile | undefined> {
    try {
      const handle = await open(path, "r");
      const compressed = path.endsWith(".gz");
      return new LogFile(
        handle,
        identityOf(await handle.stat({ bigint: true })),
        compressed,
        compressed ? await readDescription(handle) : undefined,
      );
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /**
   * What is in it from an offset to its present end, but not beyond `end`; of a packed file, the unpacked bytes are
   * counted. Each block is new and the reader's to keep.
   */
  async *blocks(offset: number, end: number = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer> {
    yield* this.compressed ? this.#unpacked(offset, end) : this.#raw(offset, end);
  }

  async *#raw(offset: number, end: number): AsyncGenerator<Buffer> {
    for (let position = offset; position < end; ) {
      const size = Math.min(blockBytes, end - position);
      const block = Buffer.allocUnsafeSlow(size);
      const { bytesRead } = await this.handle.read(block, 0, size, position);
      if (bytesRead === 0) return;
      yield block.subarray(0, bytesRead);
      position += bytesRead;
    }
  }

  async *#unpacked(offset: number, end: number): AsyncGenerator<Buffer> {
    const packed = Readable.from(this.#raw(0, Number.POSITIVE_INFINITY), { objectMode: false });
    const unpacked = createGunzip();
    packed.on("error", (error) => unpacked.destroy(error));
    packed.pipe(unpacked);
    let position = 0;
    try {
      for await (const chunk of unpacked as AsyncIterable<Buffer>) {
        const wanted = chunk.subarray(Math.max(0, offset - position), Math.max(0, Math.min(chunk.length, end - position)));
        if (wanted.length > 0) yield wanted;
        position += chunk.length;
        if (position >= end) return;
      }
    } catch (error) {
      // A file that is not packed to its end, or damaged: what could be read has been.
      if (!(errnoOf(error) ?? "").startsWith("Z_")) throw error;
    } finally {
      packed.destroy();
    }
  }

  /**
   * Where it ends now. A line that the writer is in the middle of is waited for; one that stays without its newline was
   * torn when the machine stopped. Undefined for a packed file, which does not grow.
   */
  async wholeEnd(): Promise<number | undefined> {
    if (this.compressed) return undefined;
    const last = Buffer.alloc(1);
    for (let before = -1; ; await sleep(lineMs)) {
      const { size } = await this.handle.stat();
      if (size === before || size === 0) return size;
      before = size;
      await this.handle.read(last, 0, 1, size - 1);
      if (last[0] === newline) return size;
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

/** @returns how many rotated files there may be */
async function highestNumber(path: string): Promise<number> {
  const name = basename(path);
  const names = await readdir(dirname(path)).catch(() => []);
  const number = (file: string): number =>
    Number(/^\.(\d+)(?:\.gz)?$/.exec(file.startsWith(name) ? file.slice(name.length) : "")?.[1] ?? 0);
  return Math.max(0, ...names.map(number));
}

async function collect(path: string): Promise<LogFile[]> {
  const newest = await LogFile.open(path);
  const files = newest === undefined ? [] : [newest];
  const highest = await highestNumber(path);
  for (let n = 1; n <= highest; n++) {
    // While the writer renames, a number may be missing for a moment, or its file be one that we have.
    const file = await openRotated(path, n);
    if (file === undefined) continue;
    if (files.some(({ identity }) => identity === file.identity)) await file.close();
    else files.unshift(file);
  }
  return files;
}

/** Undefined when there is no such file. */
export async function identityAt(path: string): Promise<string | undefined> {
  try {
    return identityOf(await stat(path, { bigint: true }));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

const rotationPauseMs = 2;
const attempts = 20;

/** All files that are there, oldest first. */
export async function openFiles(path: string): Promise<LogFile[]> {
  for (let attempt = 1; ; attempt++) {
    const files = await collect(path);
    // When the writer has gone on to another file meanwhile, what was found may be out of order or have a gap.
    if (files.at(-1)?.identity === (await identityAt(path)) || attempt === attempts) return files;
    await Promise.all(files.map((file) => file.close()));
    await sleep(rotationPauseMs);
  }
}
