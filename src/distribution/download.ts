/** One blob on its way to disk: hashed as it arrives, tried again where it broke off; all who want it read the file meanwhile. */
import { createHash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { type Digest, invalidParameter, systemError, systemFailureOf } from "../base/base.ts";
import { release } from "../base/free-buffers.ts";
import { type Arriving, BlobArrival } from "./blob-arrival.ts";
import type { Timings } from "./distribution.ts";
import type { Gate } from "./gate.ts";
import { NetworkError, networkError } from "./network-error.ts";
import type { Reporter } from "./progress.ts";
import { engineErrorOf } from "./refusal.ts";
import { isPassing, pause, pauseBefore } from "./retries.ts";
import type { Answer } from "./transport.ts";

/** With more than this the registry is made to wait for the disk. */
const mostUnwrittenBytes = 2 << 20;
const piecesAWrite = 512;
const pieceBytes = 1 << 20;
/** An attempt that brought this much was worth it, and does not count. */
const enoughBytes = 64 << 10;

/** Where the bytes come from. */
export interface BlobOrigin {
  /** @returns the bytes from `offset` on, which is `from` or less. @throws RegistryError, NetworkError */
  open(from: number, signal: AbortSignal): Promise<{ answer: Answer; offset: number }>;
  /** It has answered something before, and may do so again when it cannot be reached. */
  readonly isKnown: boolean;
}

export interface DownloadPlan {
  readonly digest: Digest;
  readonly size: number;
  readonly path: string;
  readonly origin: BlobOrigin;
  /** Whose turn it takes. */
  readonly turn: unknown;
  /** The registry's. */
  readonly gate: () => Gate;
  readonly attempts: number;
  readonly timings: Timings;
}

/** The bytes are not what they were said to be. */
class WrongBytes extends Error {}

interface Follower {
  readonly arrival: BlobArrival;
  readonly reporter: Reporter;
}

export class Download implements Arriving {
  readonly #plan: DownloadPlan;
  readonly #followers = new Set<Follower>();
  readonly #stop = new AbortController();
  readonly #hash = createHash("sha256");
  readonly #unwritten: Uint8Array[] = [];
  readonly closed: Promise<void>;
  #file: FileHandle | undefined;
  #receivedBytes = 0;
  #unwrittenBytes = 0;
  #writing: Promise<void> | undefined;
  #writeFailure: unknown;
  #failure: { readonly error: unknown } | undefined;
  #isStored = false;
  #left: () => void = () => undefined;
  writtenBytes = 0;
  /** That an earlier transfer had left. */
  foundBytes = 0;
  isComplete = false;

  constructor(plan: DownloadPlan) {
    this.#plan = plan;
    this.closed = this.#live();
  }

  /** False when it has failed, or all have left: whoever comes now begins anew, after `closed`. */
  get isOpen(): boolean {
    return this.#failure === undefined && !this.#stop.signal.aborted;
  }

  follow(reporter: Reporter): { arrival: BlobArrival; leave(isStored: boolean): void } {
    reporter.say("Pulling fs layer");
    const arrival = new BlobArrival(this);
    const follower = { arrival, reporter };
    this.#followers.add(follower);
    if (this.isComplete) reporter.say("Download complete");
    const leave = (isStored: boolean): void => {
      if (!this.#followers.delete(follower)) return;
      this.#isStored ||= isStored;
      if (this.#followers.size > 0) return;
      this.#stop.abort(new Error("nobody wants the blob any more"));
      this.#left();
    };
    return { arrival, leave };
  }

  /** For all who follow. What has come stays. */
  stop(): void {
    for (const { arrival } of this.#followers) arrival.fail(systemError("the daemon is shutting down"));
    this.#followers.clear();
    this.#stop.abort(new Error("the daemon is shutting down"));
    this.#left();
  }

  /** From opening the file to closing it. Never rejects. */
  async #live(): Promise<void> {
    const { promise: allLeft, resolve } = Promise.withResolvers<void>();
    this.#left = resolve;
    let isWorthless = false;
    try {
      await this.#arrive(await this.#open());
      this.isComplete = true;
      this.#say("Download complete");
      for (const { arrival } of this.#followers) arrival.changed();
    } catch (error) {
      this.#failure = { error };
      // What broke off goes on another time; what is wrong, or refused, does not.
      isWorthless = !(error instanceof NetworkError || this.#stop.signal.aborted);
      const told = this.#told(error);
      for (const { arrival } of this.#followers) arrival.fail(told);
    }
    if (this.#failure === undefined) await allLeft;
    await this.#writing?.catch(() => undefined);
    await this.#file?.close().catch(() => undefined);
    if (isWorthless || this.#isStored || this.writtenBytes === 0) await rm(this.#plan.path, { force: true }).catch(() => undefined);
  }

  #told(error: unknown): Error {
    if (error instanceof WrongBytes) return invalidParameter(error.message, error);
    const failure = systemFailureOf(error);
    const told = failure === undefined ? engineErrorOf(error, undefined) : systemError(failure, error);
    return told instanceof Error ? told : systemError(String(told));
  }

  async #open(): Promise<FileHandle> {
    const { path, size } = this.#plan;
    const there = await open(path, "r+").catch(() => undefined);
    this.#file = there;
    if (there !== undefined && (await there.stat()).size <= size) return there;
    // Of one that cannot be right the file may have got another name: it is not touched.
    await there?.close();
    await rm(path, { force: true });
    this.#file = await open(path, "wx+", 0o600);
    return this.#file;
  }

  async #arrive(file: FileHandle): Promise<void> {
    const { digest, size } = this.#plan;
    await this.#rehash(file);
    if (this.#receivedBytes < size) await this.#transfer(file);
    this.#say("Verifying Checksum");
    if (`sha256:${this.#hash.digest("hex")}` !== digest) throw new WrongBytes(`filesystem layer verification failed for digest ${digest}`);
    await this.#flush();
  }

  /** Reads once what an earlier transfer has left. */
  async #rehash(file: FileHandle): Promise<void> {
    const { size: there } = await file.stat();
    this.foundBytes = there;
    const piece = Buffer.allocUnsafe(Math.min(there, pieceBytes));
    while (this.#receivedBytes < there) {
      this.#stop.signal.throwIfAborted();
      const { bytesRead } = await file.read(piece, 0, piece.length, this.#receivedBytes);
      if (bytesRead === 0) break;
      this.#hash.update(piece.subarray(0, bytesRead));
      this.#receivedBytes += bytesRead;
    }
    this.writtenBytes = this.#receivedBytes;
    for (const { arrival } of this.#followers) arrival.changed();
  }

  async #transfer(file: FileHandle): Promise<void> {
    const { attempts, timings, turn, origin } = this.#plan;
    const { signal } = this.#stop;
    for (let failures = 0; ; ) {
      const before = this.#receivedBytes;
      try {
        const gate = this.#plan.gate();
        if (gate.isFull) this.#say("Waiting");
        using _turn = await gate.enter(turn, signal);
        await this.#attempt(file);
        return;
      } catch (error) {
        if (signal.aborted) throw error;
        failures = this.#receivedBytes - before >= enoughBytes ? 1 : failures + 1;
        const mayReturn = error instanceof NetworkError && error.kind !== "astray" && (this.#receivedBytes > 0 || origin.isKnown);
        if (failures >= attempts || !(mayReturn || isPassing(error, timings))) throw error;
        await pause(pauseBefore(failures, error, timings), (status) => this.#say(status), signal);
      }
    }
  }

  async #attempt(file: FileHandle): Promise<void> {
    const { digest, size, origin, timings } = this.#plan;
    const { answer, offset } = await origin.open(this.#receivedBytes, this.#stop.signal);
    const { body } = answer;
    const declared = answer.headers["content-length"];
    const stalled = setTimeout(() => body.destroy(new NetworkError("broken", "read: i/o timeout")), timings.stallMs);
    try {
      if (declared !== undefined && Number(declared) !== size - offset)
        throw new WrongBytes(`blob ${digest}: ${Number(declared) + offset} bytes instead of ${size}`);
      let skipped = offset;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        stalled.refresh();
        const known = Math.min(this.#receivedBytes - skipped, chunk.length);
        skipped += known;
        const piece = known === 0 ? chunk : chunk.subarray(known);
        if (piece.length === 0) continue;
        this.#receive(file, piece);
        skipped = this.#receivedBytes;
        if (this.#unwrittenBytes > mostUnwrittenBytes) await this.#writing;
        if (this.#writeFailure !== undefined) throw this.#writeFailure;
      }
    } catch (error) {
      if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
      throw error instanceof WrongBytes || error === this.#writeFailure ? error : networkError(error);
    } finally {
      clearTimeout(stalled);
      body.destroy();
    }
    await this.#flush();
    if (this.#receivedBytes < size) throw new WrongBytes(`blob ${digest}: ${this.#receivedBytes} bytes instead of ${size}`);
  }

  #receive(file: FileHandle, piece: Uint8Array): void {
    const { digest, size } = this.#plan;
    if (this.#receivedBytes + piece.length > size) throw new WrongBytes(`blob ${digest}: more than the ${size} bytes that it should have`);
    this.#hash.update(piece);
    this.#receivedBytes += piece.length;
    this.#unwritten.push(piece);
    this.#unwrittenBytes += piece.length;
    this.#writing ??= this.#write(file);
    for (const { reporter } of this.#followers) reporter.bytes("Downloading", this.#receivedBytes);
  }

  /** Writes what has come until nothing is left, several pieces at once. Never rejects. */
  async #write(file: FileHandle): Promise<void> {
    try {
      while (this.#unwritten.length > 0) {
        let batch = this.#unwritten.splice(0, piecesAWrite);
        while (batch.length > 0) {
          const { bytesWritten } = await file.writev(batch, this.writtenBytes);
          this.writtenBytes += bytesWritten;
          this.#unwrittenBytes -= bytesWritten;
          batch = remaining(batch, bytesWritten);
        }
        for (const { arrival } of this.#followers) arrival.changed();
      }
    } catch (error) {
      this.#writeFailure = error;
    } finally {
      this.#writing = undefined;
    }
  }

  async #flush(): Promise<void> {
    await this.#writing;
    if (this.#writeFailure !== undefined) throw this.#writeFailure;
  }

  #say(status: string): void {
    for (const { reporter } of this.#followers) reporter.say(status);
  }
}

/** Frees what is written. */
function remaining(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  let left = written;
  return pieces.flatMap((piece) => {
    const done = Math.min(left, piece.byteLength);
    left -= done;
    if (done < piece.byteLength) return [piece.subarray(done)];
    release(piece);
    return [];
  });
}
