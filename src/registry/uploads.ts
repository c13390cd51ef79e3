/**
 * Uploads: files that grow. The length of the file is the truth, so an upload goes on where it was after a restart of
 * the server; the hash of what came by is only kept in memory and is made again from the file where it is missing.
 */
import { createHash, type Hash } from "node:crypto";
import { open, stat, truncate } from "node:fs/promises";
import type { Readable } from "node:stream";
import { errnoOf, Mutex } from "../base/base.ts";
import { failpoint } from "../base/failpoint.ts";
import { appendStream } from "./append-stream.ts";
import { type BlobFiles, digestOfFile } from "./blob-files.ts";
import type { Catalogue } from "./catalogue.ts";
import type { KeyedLock } from "./keyed-lock.ts";
import { algorithmOf, type BlobDigest } from "./names.ts";
import { explained, RegistryError } from "./registry-error.ts";

/** One that this process has seen. */
interface Session {
  offset: number;
  /** Of the file's first `offset` bytes; undefined when they did not all come by here. */
  hash: Hash | undefined;
  readonly turn: Mutex;
  /** What bytes come from now. A second sender takes the place of the first, whose connection may be dead. */
  source: Readable | undefined;
  /** A copy that this process is fetching, also between two tries. */
  isFetched: boolean;
}

interface Parts {
  readonly files: BlobFiles;
  readonly catalogue: Catalogue;
  readonly locks: KeyedLock;
  readonly maxBytes: number;
  readonly maxUploads: number;
}

/** Where a chunk says that it belongs: the `Content-Range` of a PATCH. */
export interface ChunkRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

export class Uploads {
  readonly #parts: Parts;
  readonly #sessions = new Map<string, Session>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @param digest of a copy: what it is to be */
  async start(repository: string, digest?: BlobDigest): Promise<string> {
    const { files, catalogue, maxUploads } = this.#parts;
    if (catalogue.countUploads() >= maxUploads) throw new RegistryError("TOOMANYREQUESTS", { message: "too many unfinished uploads" });
    const id = files.newUploadId();
    catalogue.addUpload(id, repository, digest);
    try {
      await (await open(files.uploadPath(id), "wx", 0o600)).close();
    } catch (error) {
      catalogue.removeUpload(id);
      throw explained(error);
    }
    this.#sessions.set(id, {
      offset: 0,
      hash: createHash("sha256"),
      turn: new Mutex(),
      source: undefined,
      isFetched: digest !== undefined,
    });
    return id;
  }

  /** Takes up a copy that was begun and let go of, maybe by a process before this one. */
  async takeUp(repository: string, digest: BlobDigest): Promise<{ readonly id: string; readonly offset: number } | undefined> {
    const id = this.#parts.catalogue.begunCopy(repository, digest);
    if (id === undefined) return undefined;
    const session = await this.#session(id, repository);
    session.isFetched = true;
    return { id, offset: session.offset };
  }

  /** Leaves what is there of a copy to whoever wants it next, or to the garbage collection. */
  letGo(id: string): void {
    const session = this.#sessions.get(id);
    if (session !== undefined) session.isFetched = false;
  }

  /** @throws BLOB_UPLOAD_UNKNOWN, also for another repository's */
  async #session(id: string, repository: string): Promise<Session> {
    const { files, catalogue } = this.#parts;
    if (catalogue.upload(id)?.repository !== repository) throw new RegistryError("BLOB_UPLOAD_UNKNOWN");
    const known = this.#sessions.get(id);
    if (known !== undefined) return known;
    const { size } = await stat(files.uploadPath(id)).catch((error: unknown) => {
      throw errnoOf(error) === "ENOENT" ? new RegistryError("BLOB_UPLOAD_UNKNOWN") : error;
    });
    const found = this.#sessions.get(id) ?? { offset: size, hash: undefined, turn: new Mutex(), source: undefined, isFetched: false };
    this.#sessions.set(id, found);
    return found;
  }

  /** How many bytes are there. */
  async offset(id: string, repository: string): Promise<number> {
    return (await this.#session(id, repository)).offset;
  }

  /**
   * Appends what `source` has. Bytes that arrived before it broke off stay.
   * @param progress is told how many bytes the file has, after each write
   * @returns how many bytes there are now
   * @throws 416 when `range` does not start there, SIZE_INVALID when it is not as long as it says or too large
   */
  async append(id: string, repository: string, source: Readable, range?: ChunkRange, progress?: (offset: number) => void): Promise<number> {
    const session = await this.#session(id, repository);
    session.source?.destroy(new Error("another request goes on with this upload"));
    return session.turn.run(async () => {
      await this.#session(id, repository); // it may have ended while we waited
      const start = session.offset;
      if (range !== undefined && range.start !== start) throw outOfOrder(id, repository, start);
      session.source = source;
      try {
        await this.#write(id, session, source, progress);
        if (range !== undefined && session.offset - start !== range.end - range.start + 1) {
          await this.#cut(id, session, start);
          throw new RegistryError("SIZE_INVALID", { message: "the chunk is not as long as its Content-Range" });
        }
      } catch (error) {
        const said = explained(error);
        if (said instanceof RegistryError && said.status > 412) await this.remove(id);
        throw said;
      } finally {
        session.source = undefined;
        this.#parts.catalogue.touchUpload(id);
      }
      return session.offset;
    });
  }

  async #write(id: string, session: Session, source: Readable, progress?: (offset: number) => void): Promise<void> {
    const { files, maxBytes } = this.#parts;
    try {
      await appendStream(source, {
        path: files.uploadPath(id),
        offset: session.offset,
        hash: session.hash,
        written: (offset) => {
          session.offset = offset;
          progress?.(offset);
        },
        check: (offset) => {
          if (offset > maxBytes)
            throw new RegistryError("SIZE_INVALID", { status: 413, message: `a blob may have ${maxBytes} bytes here` });
        },
        failed: () => {
          session.hash = undefined;
        },
      });
    } catch (error) {
      // The file ends with the last write that was one as a whole.
      await truncate(files.uploadPath(id), session.offset).catch(() => undefined);
      throw error;
    }
  }

  async #cut(id: string, session: Session, offset: number): Promise<void> {
    await truncate(this.#parts.files.uploadPath(id), offset);
    session.hash = undefined;
    session.offset = offset;
  }

  /**
   * Makes the upload a blob of its repository. Bytes that are not what `digest` says are thrown away.
   * @throws DIGEST_INVALID
   */
  async finish(id: string, repository: string, digest: BlobDigest, origin?: string): Promise<number> {
    const session = await this.#session(id, repository);
    return session.turn.run(async () => {
      await this.#session(id, repository);
      const { files, catalogue, locks } = this.#parts;
      const algorithm = algorithmOf(digest);
      const known = algorithm === "sha256" ? session.hash : undefined;
      const actual = known === undefined ? await digestOfFile(files.uploadPath(id), algorithm) : `sha256:${known.copy().digest("hex")}`;
      if (actual !== digest) {
        await this.remove(id);
        throw new RegistryError("DIGEST_INVALID", { detail: { digest, actual } });
      }
      const sizeBytes = session.offset;
      // The same digest is not collected between its file's name and its row.
      await locks.run(digest, async () => {
        if (catalogue.blobSize(digest) === undefined) await files.commit(id, digest).catch(rethrow);
        failpoint("registry-commit");
        try {
          catalogue.addBlob(repository, digest, sizeBytes, id, origin);
        } catch (error) {
          if (catalogue.blobSize(digest) === undefined) await files.remove(digest);
          throw explained(error);
        }
      });
      await Promise.all([this.remove(id), catalogue.stored()]);
      return sizeBytes;
    });
  }

  /** @throws BLOB_UPLOAD_UNKNOWN */
  async cancel(id: string, repository: string): Promise<void> {
    const session = await this.#session(id, repository);
    session.source?.destroy(new Error("the upload was cancelled"));
    await session.turn.run(() => this.remove(id));
  }

  /** Those that nobody has touched since. @returns how many */
  async expire(usedBefore: number): Promise<number> {
    const isBusy = (session: Session | undefined): boolean => session?.source !== undefined || session?.isFetched === true;
    const old = this.#parts.catalogue.uploadIds(usedBefore).filter((id) => !isBusy(this.#sessions.get(id)));
    for (const id of old) await this.remove(id);
    return old.length;
  }

  async remove(id: string): Promise<void> {
    this.#sessions.delete(id);
    this.#parts.catalogue.removeUpload(id);
    await this.#parts.files.removeUpload(id);
  }
}

export function outOfOrder(id: string, repository: string, offset: number): RegistryError {
  const headers = { Location: `/v2/${repository}/blobs/uploads/${id}`, Range: rangeOf(offset), "Docker-Upload-UUID": id };
  return new RegistryError("BLOB_UPLOAD_INVALID", { status: 416, message: `the upload goes on at byte ${offset}`, headers });
}

/** What an upload has, as its answers say it: `0-1023`; of nothing, `0-0` as docker-registry has it. */
export function rangeOf(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`;
}

function rethrow(error: unknown): never {
  throw explained(error);
}
