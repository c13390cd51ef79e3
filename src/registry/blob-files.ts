/** The bytes: `<root>/blobs/<algorithm>/xx/<hex>`, and unfinished ones in `<root>/uploads/<id>`. The rename between is the commit. */
import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf } from "../base/base.ts";
import { algorithmOf, type BlobDigest, isBlobDigest } from "./names.ts";

/** Large enough that a disk's and a socket's costs a call do not count. */
export const chunkBytes: number = 1 << 20;

export class BlobFiles {
  readonly #blobs: string;
  readonly #uploads: string;

  constructor(root: string) {
    this.#blobs = join(root, "blobs");
    this.#uploads = join(root, "uploads");
  }

  async prepare(): Promise<void> {
    for (const folder of [join(this.#blobs, "sha256"), join(this.#blobs, "sha512"), this.#uploads])
      await mkdir(folder, { recursive: true, mode: 0o700 });
  }

  path(digest: BlobDigest): string {
    const hex = digest.slice(digest.indexOf(":") + 1);
    return join(this.#blobs, algorithmOf(digest), hex.slice(0, 2), hex);
  }

  uploadPath(id: string): string {
    return join(this.#uploads, id);
  }

  newUploadId(): string {
    return randomUUID();
  }

  /** @returns undefined when there is no such file */
  async open(digest: BlobDigest): Promise<FileHandle | undefined> {
    try {
      return await open(this.path(digest), "r");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Makes an upload's file the blob. It is on disk before it has its name, and so is the name when this returns. */
  async commit(uploadId: string, digest: BlobDigest): Promise<void> {
    const [from, to] = [this.uploadPath(uploadId), this.path(digest)];
    await using file = await open(from, "r");
    await file.datasync();
    const folder = dirname(to);
    if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(dirname(folder));
    await rename(from, to);
    await syncFolder(folder);
  }

  async remove(digest: BlobDigest): Promise<void> {
    await rm(this.path(digest), { force: true });
  }

  async removeUpload(id: string): Promise<void> {
    await rm(this.uploadPath(id), { force: true });
  }

  /** Every blob that has a file; whatever else lies there is deleted. */
  async *list(): AsyncGenerator<BlobDigest> {
    for (const algorithm of ["sha256", "sha512"]) {
      for (const prefix of await readdir(join(this.#blobs, algorithm))) {
        const folder = join(this.#blobs, algorithm, prefix);
        for (const hex of await readdir(folder)) {
          const digest = `${algorithm}:${hex}`;
          if (isBlobDigest(digest) && hex.startsWith(prefix)) yield digest;
          else await rm(join(folder, hex), { recursive: true, force: true });
        }
      }
    }
  }

  listUploads(): Promise<string[]> {
    return readdir(this.#uploads);
  }
}

/** The digest of a whole file, by whichever algorithm. */
export async function digestOfFile(path: string, algorithm: "sha256" | "sha512"): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) hash.update(chunk);
  return `${algorithm}:${hash.digest("hex")}`;
}

/** A rename is on disk only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}
