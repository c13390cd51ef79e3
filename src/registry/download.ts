/**
 * A blob that comes from an upstream: written to an upload of its own, verified, and read by everybody who asks for it
 * while it grows. Its last byte is held back until its digest is found right, so nobody takes a wrong one for the whole.
 * When the upstream fails for longer, or this process ends, what has come stays: who asks next gets the rest by Range.
 */
import { open } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { type Readable, Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../base/base.ts";
import { type BlobFiles, chunkBytes } from "./blob-files.ts";
import type { Exchange } from "./exchange.ts";
import type { BlobDigest } from "./names.ts";
import { RegistryError } from "./registry-error.ts";
import { blobAnswer } from "./serve-blob.ts";
import type { Uploads } from "./uploads.ts";
import { type Upstream, UpstreamError } from "./upstream.ts";

interface Wanted {
  readonly repository: string;
  readonly digest: BlobDigest;
  readonly upstream: Upstream;
  /** The repository's name there. */
  readonly name: string;
  readonly origin: string;
  readonly retryDelayMs: number;
}

/** In a row, without a byte that is new. */
const maxTries = 5;
const maxRetryAfterSeconds = 10;

export class Download {
  readonly #uploads: Uploads;
  readonly #files: BlobFiles;
  readonly #wanted: Wanted;
  #uploadId = "";
  #written = 0;
  /** As the upstream says; undefined: it does not. */
  #total: number | undefined;
  #isVerified = false;
  #progress = Promise.withResolvers<void>();
  /** Settles when the upstream's first answer is there: its size may be known, and the file is. */
  readonly begun: Promise<void>;
  /** Settles when the blob is stored. */
  readonly done: Promise<number>;

  constructor(uploads: Uploads, files: BlobFiles, wanted: Wanted) {
    this.#uploads = uploads;
    this.#files = files;
    this.#wanted = wanted;
    const begun = Promise.withResolvers<void>();
    this.begun = begun.promise;
    this.done = this.#run(begun.resolve);
    this.done.then(() => begun.resolve(), begun.reject);
    this.begun.catch(() => undefined);
    this.done.catch(() => undefined).finally(() => this.#tell());
  }

  #tell(): void {
    const told = this.#progress;
    this.#progress = Promise.withResolvers<void>();
    told.resolve();
  }

  async #run(begun: () => void): Promise<number> {
    const { repository, digest, origin } = this.#wanted;
    const before = await this.#uploads.takeUp(repository, digest);
    this.#uploadId = before?.id ?? "";
    this.#written = before?.offset ?? 0;
    try {
      const first = await this.#ask(this.#written).catch((error: unknown) => {
        // Nothing is left to fetch: only the end was not written down.
        if (before !== undefined && error instanceof UpstreamError && error.status === 416) return undefined;
        throw error;
      });
      if (first !== undefined) {
        await this.#begin(first, before !== undefined);
        begun();
        await this.#fetch(first);
      }
      const size = await this.#uploads.finish(this.#uploadId, repository, digest, origin);
      this.#isVerified = true;
      return size;
    } catch (error) {
      if (this.#uploadId !== "") {
        if (this.#written > 0 && mayGoOn(error)) this.#uploads.letGo(this.#uploadId);
        else await this.#uploads.remove(this.#uploadId);
      }
      throw error;
    }
  }

  async #begin(first: IncomingMessage, isTakenUp: boolean): Promise<void> {
    this.#total = totalOf(first);
    if (isTakenUp) return;
    try {
      this.#uploadId = await this.#uploads.start(this.#wanted.repository, this.#wanted.digest);
    } catch (error) {
      first.destroy();
      throw error;
    }
  }

  /** Takes the body, and its rest by Range when it breaks off. */
  async #fetch(first: IncomingMessage): Promise<void> {
    let answer: IncomingMessage | undefined = first;
    for (let failures = 0; ; ) {
      const before = this.#written;
      try {
        answer ??= await this.#ask(before);
        const rest: Readable = answer.statusCode === 206 || before === 0 ? answer : answer.pipe(skipping(before));
        answer.once("error", (error) => rest.destroy(error));
        await this.#uploads.append(this.#uploadId, this.#wanted.repository, rest, undefined, (offset) => {
          this.#written = offset;
          this.#tell();
        });
        if (this.#total === undefined || this.#written >= this.#total) return;
        throw new UpstreamError("the upstream's answer breaks off");
      } catch (error) {
        answer?.destroy();
        answer = undefined;
        const { upstream, retryDelayMs } = this.#wanted;
        if (!mayGoOn(error) || upstream.closing.aborted) throw error;
        failures = this.#written > before ? 0 : failures + 1;
        if (failures >= maxTries) throw error instanceof UpstreamError ? error : new UpstreamError(messageOf(error), { cause: error });
        await sleep(retryDelayMs * 2 ** failures, undefined, { signal: upstream.closing });
      }
    }
  }

  async #ask(from: number): Promise<IncomingMessage> {
    const { upstream, name, digest } = this.#wanted;
    const range = from === 0 ? {} : { Range: `bytes=${from}-` };
    for (let tries = 1; ; tries++) {
      try {
        const answer = await upstream.ask("GET", name, `blobs/${digest}`, range);
        const start = /^bytes (\d+)-/.exec(answer.headers["content-range"] ?? "")?.[1];
        if (answer.statusCode !== 206 || Number(start) === from) return answer;
        answer.destroy();
        throw new UpstreamError("the upstream answers with another range");
      } catch (error) {
        const wait = error instanceof UpstreamError && error.status === 429 ? (error.retryAfter ?? 1) : undefined;
        if (wait === undefined || wait > maxRetryAfterSeconds || tries >= maxTries) throw error;
        await sleep(wait * 1000, undefined, { signal: upstream.closing });
      }
    }
  }

  /**
   * Sends the blob, or the part that is wanted, as it arrives.
   * @returns false when it has to be waited for first, because its size is not known
   */
  async sendTo(exchange: Exchange): Promise<boolean> {
    await exchange.patiently(this.begun);
    const total = this.#total;
    if (total === undefined || total === 0 || this.#isVerified) return false;
    const { response } = exchange;
    const closed = new Promise<void>((resolve) => response.once("close", () => resolve()));
    let file: Awaited<ReturnType<typeof open>>;
    try {
      file = await open(this.#files.uploadPath(this.#uploadId), "r");
    } catch {
      return false; // it has its name already, or is gone
    }
    await using _ = file;
    const { status, headers, start, end } = blobAnswer(exchange, this.#wanted.digest, total);
    response.writeHead(status, headers);
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, end - start + 1));
    for (let sent = start; status !== 304 && sent <= end; ) {
      const limit = this.#isVerified ? end + 1 : Math.min(this.#written, end);
      if (sent >= limit) {
        const next = this.#progress.promise;
        await exchange.patiently(Promise.race([next, this.done.then(() => undefined), closed]));
        if (response.destroyed) return true;
        continue;
      }
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, limit - sent), sent);
      if (bytesRead === 0) throw new RegistryError("UNKNOWN", { message: "the blob is shorter than it was" });
      sent += bytesRead;
      if (!response.write(Buffer.from(buffer.subarray(0, bytesRead))))
        await Promise.race([new Promise((resolve) => response.once("drain", resolve)), closed]);
      if (response.destroyed) return true;
    }
    response.end();
    return true;
  }
}

/** Of the whole blob; undefined: the upstream does not say. */
function totalOf(answer: IncomingMessage): number | undefined {
  const text = answer.statusCode === 206 ? /\/(\d+)$/.exec(answer.headers["content-range"] ?? "")?.[1] : answer.headers["content-length"];
  return text === undefined ? undefined : Number(text);
}

/** Is what was fetched until now worth something? Not when the upstream has no more of it, it was wrong, or the disk is full. */
function mayGoOn(error: unknown): boolean {
  if (error instanceof RegistryError) return false;
  return !(error instanceof UpstreamError) || error.status === undefined || error.status >= 500 || error.status === 429;
}

/** Drops the first bytes: of an upstream that does not know ranges. */
function skipping(count: number): Transform {
  let left = count;
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      const drop = Math.min(left, chunk.length);
      left -= drop;
      callback(null, chunk.subarray(drop));
    },
  });
}
