/** All blobs on their way, and the files of those that are to go on some day. Each is transferred once at a time. */
import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, hexOf, isDigest } from "../base/base.ts";
import type { BlobDescriptor, BlobFetch, Timings, TransferOptions } from "./distribution.ts";
import { type BlobOrigin, Download } from "./download.ts";
import { Gates } from "./gate.ts";
import { Reporter } from "./progress.ts";

export class Downloads {
  readonly #root: string;
  readonly #timings: Timings;
  readonly #going = new Map<string, Download>();
  readonly gates: Gates = new Gates(3);
  attempts = 5;

  /** Opens the directory; what has lain there for too long goes, and what was stored before somebody could say so. */
  static async open(root: string, timings: Timings, isStored: (digest: Digest) => boolean): Promise<Downloads> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const downloads = new Downloads(root, timings);
    await downloads.#remove(timings.keepMs);
    for (const name of await readdir(root)) {
      const digest = `sha256:${name.slice(0, name.indexOf("."))}`;
      if (isDigest(digest) && isStored(digest)) await rm(join(root, name), { force: true });
    }
    return downloads;
  }

  private constructor(root: string, timings: Timings) {
    this.#root = root;
    this.#timings = timings;
  }

  /**
   * @param domain the registry: bytes of one do not stand in for another's, so that one that lies, or stalls, harms its own pulls only
   * @param turn whose turn the transfer takes
   */
  async fetch(blob: BlobDescriptor, domain: string, turn: unknown, origin: BlobOrigin, options: TransferOptions): Promise<BlobFetch> {
    const { onProgress, signal } = options;
    const { digest, size } = blob;
    const name = `${hexOf(digest)}.${createHash("sha256").update(`${domain} ${size}`).digest("hex").slice(0, 16)}`;
    let download = this.#going.get(name);
    while (download !== undefined && !download.isOpen) {
      await download.closed;
      download = this.#going.get(name);
    }
    signal?.throwIfAborted();
    if (download === undefined) {
      const begun = new Download({
        digest,
        size,
        path: join(this.#root, name),
        origin,
        turn,
        gate: () => this.gates.of(domain),
        attempts: this.attempts,
        timings: this.#timings,
      });
      this.#going.set(name, begun);
      void begun.closed.then(() => {
        if (this.#going.get(name) === begun) this.#going.delete(name);
      });
      download = begun;
    }
    const followed = download;
    const reporter = new Reporter(hexOf(digest).slice(0, 12), size, this.#timings.progressMs, onProgress);
    const { arrival, leave } = followed.follow(reporter);
    const onAbort = (): void => {
      arrival.fail(signal?.reason instanceof Error ? signal.reason : new Error("context canceled"));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    let isStored = false;
    return {
      arrival,
      path: join(this.#root, name),
      get foundBytes() {
        return followed.foundBytes;
      },
      stored: () => {
        isStored = true;
      },
      async [Symbol.asyncDispose]() {
        signal?.removeEventListener("abort", onAbort);
        leave(isStored);
        // The last one out waits until the file is as it stays.
        if (!followed.isOpen) await followed.closed;
      },
    };
  }

  prune(): Promise<number> {
    return this.#remove(0);
  }

  async #remove(olderMs: number): Promise<number> {
    let freed = 0;
    for (const name of await readdir(this.#root)) {
      if (this.#going.has(name)) continue;
      const path = join(this.#root, name);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined || Date.now() - found.mtimeMs < olderMs) continue;
      await rm(path, { force: true, recursive: true });
      freed += found.size;
    }
    return freed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const download of this.#going.values()) download.stop();
    await Promise.all([...this.#going.values()].map(({ closed }) => closed));
  }
}
