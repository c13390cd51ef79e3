/**
 * Takes in one layer: decompresses, hashes, writes and scans in one pass, then writes the index. Works on
 * whichever thread it is made; memory is a few chunks, and about 750 bytes for each entry of the tar.
 */
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { EngineError, errnoOf, invalidParameter, messageOf, systemError } from "../base/base.ts";
import { decompressorFor, magicBytes, releaseDecoded, releaseLast } from "./compression.ts";
import type { ErofsIndex } from "./erofs-write.ts";
import { writeErofs } from "./erofs-write.ts";
import { LayerTree } from "./layer-tree.ts";
import { TarScanner } from "./tar-scanner.ts";

export const tarName = "layer.tar";
export const indexName = "layer.erofs";

/** 2³² blocks of 512 bytes, the last of which means a hole. */
const maxTarBytes = 512 * (2 ** 32 - 1);
/** How often the room on the disk is looked at, and how much must stay: the database must be able to go on. */
const spaceCheckBytes = 256 * 2 ** 20;
const spaceKeptBytes = 256 * 2 ** 20;

export interface TakenIn {
  /** SHA-256 of the uncompressed tar. */
  readonly hex: string;
  readonly sizeBytes: number;
}

export class LayerIntake {
  readonly #directory: string;
  readonly #tar: FileHandle;
  /** The tar is there already: what is pushed comes from it. */
  readonly #isWritten: boolean;
  readonly #hash: Hash = createHash("sha256");
  readonly #tree: LayerTree = new LayerTree();
  readonly #scanner: TarScanner = new TarScanner((entry) => this.#tree.add(entry));
  #position = 0;
  #spaceCheckAt = spaceCheckBytes;
  /** The first bytes, until they tell the compression. */
  #first: Buffer | undefined = Buffer.alloc(0);
  #decoder: Duplex | undefined;
  #decoded: Promise<void> = Promise.resolve();
  /** Called when the decoder has ended or failed. */
  #onDecoded: (() => void) | undefined;

  private constructor(directory: string, tar: FileHandle, isWritten: boolean) {
    this.#directory = directory;
    this.#tar = tar;
    this.#isWritten = isWritten;
  }

  /**
   * @param directory where `layer.tar` and `layer.erofs` are made
   * @param isWritten the tar is there already, or is being written: what is pushed comes from it
   */
  static async open(directory: string, { isWritten }: { isWritten: boolean } = { isWritten: false }): Promise<LayerIntake> {
    return new LayerIntake(directory, await open(join(directory, tarName), isWritten ? "r+" : "wx+", 0o600), isWritten);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#decoder?.destroy();
    await this.#decoded.catch(() => undefined);
    await this.#tar.close();
  }

  /** The chunk may be used again when this has resolved. */
  async push(chunk: Buffer): Promise<void> {
    await named(this.#push(chunk));
  }

  async finish(): Promise<TakenIn> {
    return await named(this.#finish());
  }

  async #push(chunk: Buffer): Promise<void> {
    if (this.#first === undefined) return await this.#feed(chunk);
    const first = this.#first.length === 0 ? chunk : Buffer.concat([this.#first, chunk]);
    if (first.length >= magicBytes) await this.#begin(first);
    else this.#first = Buffer.from(first);
  }

  async #begin(first: Buffer): Promise<void> {
    this.#first = undefined;
    this.#decoder = decompressorFor(first);
    if (this.#decoder !== undefined) {
      this.#decoded = this.#takeDecoded(this.#decoder).finally(() => this.#onDecoded?.());
      // Whoever feeds or finishes finds the failure.
      this.#decoded.catch(() => undefined);
    }
    await this.#feed(first);
  }

  async #takeDecoded(decoder: Duplex): Promise<void> {
    let last: Buffer | undefined;
    for await (const chunk of decoder) {
      last = chunk;
      await this.#take(chunk);
      releaseDecoded(chunk);
    }
    if (last !== undefined) releaseLast(last);
  }

  async #feed(chunk: Buffer): Promise<void> {
    const decoder = this.#decoder;
    if (decoder === undefined) return await this.#take(chunk);
    const fed = await new Promise<boolean>((resolve) => {
      // What ends the decoding ends the wait: a destroyed stream need not call back.
      this.#onDecoded = () => resolve(false);
      decoder.write(chunk, (error) => resolve(!error));
    });
    this.#onDecoded = undefined;
    if (fed) return;
    decoder.destroy();
    await this.#decoded;
    throw invalidParameter("trailing bytes behind a compressed layer");
  }

  /** Writes and hashes at the same time: writing is done by another thread. */
  async #take(chunk: Buffer): Promise<void> {
    if (this.#position + chunk.length > maxTarBytes) throw invalidParameter("the layer is larger than 2 TiB");
    if (this.#position >= this.#spaceCheckAt) await this.#checkSpace();
    const written = this.#isWritten ? undefined : this.#write(chunk, this.#position);
    this.#position += chunk.length;
    try {
      this.#scanner.push(chunk);
      this.#hash.update(chunk);
    } finally {
      await written;
    }
  }

  async #write(chunk: Buffer, position: number): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      done += (await this.#tar.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
    }
  }

  /** A layer that decompresses to more than there is room for is stopped before the disk is full. */
  async #checkSpace(): Promise<void> {
    this.#spaceCheckAt = this.#position + spaceCheckBytes;
    const { bavail, bsize } = await statfs(this.#directory);
    if (bavail * bsize < spaceKeptBytes + spaceCheckBytes) throw systemError("write layer: no space left on device");
  }

  async #finish(): Promise<TakenIn> {
    if (this.#first !== undefined) await this.#begin(this.#first);
    this.#decoder?.end();
    await this.#decoded;
    this.#scanner.end();
    const hex = this.#hash.digest("hex");
    // The disk is busy with the tar while the index is made.
    const synced = this.#tar.datasync();
    try {
      await this.#writeIndex(writeErofs(this.#tree.root, [this.#position]));
    } finally {
      await synced;
    }
    return { hex, sizeBytes: this.#position };
  }

  async #writeIndex(index: ErofsIndex): Promise<void> {
    await using file = await open(join(this.#directory, indexName), "wx", 0o600);
    await file.writeFile(index.bytes);
    await file.truncate(index.sizeBytes);
    const buffer = Buffer.alloc(index.copies.length === 0 ? 0 : 1 << 20);
    for (const { from, to, length } of index.copies) {
      for (let done = 0; done < length; ) {
        const { bytesRead } = await this.#tar.read(buffer, 0, Math.min(buffer.length, length - done), from + done);
        if (bytesRead === 0) throw invalidParameter("unexpected EOF");
        await file.write(buffer, 0, bytesRead, to + done);
        done += bytesRead;
      }
    }
    await file.datasync();
  }
}

/** Gives failures of zlib and of the disk the names that clients see. */
async function named<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const code = errnoOf(error) ?? "";
    if (/^(?:Z_|ZSTD_)/.test(code)) throw invalidParameter(`cannot decompress the layer: ${messageOf(error)}`, error);
    if (code === "ENOSPC" || code === "EDQUOT") throw systemError("write layer: no space left on device", error);
    throw systemError(`cannot store the layer: ${messageOf(error)}`, error);
  }
}
