/** The blobs on disk. Unfinished bytes live in `ingest/`, finished ones in `sha256/`; the rename between them is the commit. */
import { createHash, type Hash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, link, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type Digest, errnoOf, hexOf, invalidParameter, isDigest, notFound } from "../base/base.ts";
import { passedThrough } from "../base/free-buffers.ts";
import type { Content, Growth } from "./content.ts";

/** Opens the blobs under `root`, making the folders where they are missing. Unfinished ingests of an earlier life are deleted. */
export async function openContent(root: string): Promise<Content> {
  const blobs = join(root, "sha256");
  const ingests = join(root, "ingest");
  for (const folder of [root, blobs, ingests]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const content = new DiskContent(blobs, ingests);
  await content.sweepIngests();
  return content;
}

interface Expected {
  readonly digest: Digest;
  readonly sizeBytes?: number;
}

class DiskContent implements Content {
  readonly #blobs: string;
  readonly #ingests: string;
  /** Temporary files of ingests that are going on, which a sweep must not take. */
  readonly #open = new Set<string>();

  constructor(blobs: string, ingests: string) {
    this.#blobs = blobs;
    this.#ingests = ingests;
  }

  #path(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  async has(digest: Digest): Promise<boolean> {
    return (await sizeOf(this.#path(digest))) !== undefined;
  }

  sizeOf(digest: Digest): Promise<number | undefined> {
    return sizeOf(this.#path(digest));
  }

  async read(digest: Digest): Promise<Uint8Array> {
    try {
      return await readFile(this.#path(digest));
    } catch (error) {
      throw errnoOf(error) === "ENOENT" ? notFound(`content ${digest}: not found`, error) : error;
    }
  }

  async open(digest: Digest, from = 0): Promise<Readable> {
    try {
      const handle = await open(this.#path(digest), "r");
      return createReadStream("", { fd: handle, start: from, highWaterMark: 1 << 20 });
    } catch (error) {
      throw errnoOf(error) === "ENOENT" ? notFound(`content ${digest}: not found`, error) : error;
    }
  }

  async put(data: Uint8Array): Promise<Digest> {
    return (await this.ingest(Readable.from([data], { objectMode: false }))).digest;
  }

  async ingest(
    source: Readable,
    expected?: Expected,
    { synced, follow }: { synced: boolean; follow?: (path: string) => Promise<Growth | undefined> } = { synced: true },
  ): Promise<{ digest: Digest; sizeBytes: number }> {
    await using cleanup = new AsyncDisposableStack();
    const name = randomUUID();
    const temporary = join(this.#ingests, name);
    this.#open.add(name);
    cleanup.defer(async () => {
      this.#open.delete(name);
      await rm(temporary, { force: true });
    });
    // Stops the sender when the bytes are refused before their end.
    cleanup.defer(() => {
      source.destroy();
    });
    await using file = await open(temporary, "wx", 0o600);
    const growth = await follow?.(temporary);
    const hash = createHash("sha256");
    const sizeBytes = await copy(source, file, hash, { expected, growth });
    const digest = `sha256:${hash.digest("hex")}` as Digest;
    if (expected !== undefined) verify(expected, digest, sizeBytes);
    if ((await sizeOf(this.#path(digest))) === sizeBytes) return { digest, sizeBytes };
    if (synced) await file.sync();
    await rename(temporary, this.#path(digest));
    if (synced) await syncFolder(this.#blobs);
    return { digest, sizeBytes };
  }

  async adopt(path: string, digest: Digest): Promise<void> {
    const [here, there] = [await sizeOf(this.#path(digest)), await sizeOf(path)];
    if (here !== undefined && here === there) return;
    // One that a machine which fell has shortened makes way.
    const name = randomUUID();
    const temporary = join(this.#ingests, name);
    this.#open.add(name);
    try {
      await link(path, temporary);
      await rename(temporary, this.#path(digest));
    } finally {
      this.#open.delete(name);
      await rm(temporary, { force: true });
    }
  }

  async remove(digest: Digest): Promise<void> {
    await rm(this.#path(digest), { force: true });
  }

  async sweep(keep: ReadonlySet<Digest>): Promise<void> {
    for (const name of await readdir(this.#blobs)) {
      const digest = `sha256:${name}`;
      if (!isDigest(digest) || !keep.has(digest)) await rm(join(this.#blobs, name), { force: true, recursive: true });
    }
    await this.sweepIngests();
  }

  async sweepIngests(): Promise<void> {
    for (const name of await readdir(this.#ingests))
      if (!this.#open.has(name)) await rm(join(this.#ingests, name), { force: true, recursive: true });
  }
}

/** Writes and hashes the stream as it arrives; stops at the first byte that is too many. @returns bytes written */
async function copy(
  source: Readable,
  file: FileHandle,
  hash: Hash,
  { expected, growth }: { expected: Expected | undefined; growth: Growth | undefined },
): Promise<number> {
  let sizeBytes = 0;
  // A thread writes one piece while the next one is made and hashed.
  let writing: Promise<void> | undefined;
  try {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      await writing;
      const offset = sizeBytes;
      sizeBytes += chunk.byteLength;
      const end = sizeBytes;
      if (expected?.sizeBytes !== undefined && end > expected.sizeBytes)
        throw invalidParameter(`content ${expected.digest}: more than the ${expected.sizeBytes} bytes that it should have`);
      writing = writeAll(file, chunk).then(() => {
        growth?.written(end);
        passedThrough(chunk.byteLength);
      });
      writing.catch(() => undefined);
      growth?.arrived(chunk, offset);
      hash.update(chunk);
    }
  } finally {
    await writing;
  }
  return sizeBytes;
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.byteLength; ) done += (await file.write(chunk, done)).bytesWritten;
}

function verify(expected: Expected, digest: Digest, sizeBytes: number): void {
  if (expected.sizeBytes !== undefined && sizeBytes !== expected.sizeBytes)
    throw invalidParameter(`content ${expected.digest}: ${sizeBytes} bytes instead of ${expected.sizeBytes}`);
  if (digest !== expected.digest) throw invalidParameter(`content ${expected.digest}: unexpected digest ${digest}`);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** A rename is on disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}
