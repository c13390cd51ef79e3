/**
 * Worker threads that take layers in. They are started when needed, used again, and ended when they have
 * been idle for a while: an engine that runs containers only does not pay for them.
 */
import { availableParallelism, totalmem } from "node:os";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { EngineError, errnoOf, invalidParameter, messageOf, systemError } from "../base/base.ts";
import { ByteRing } from "./byte-ring.ts";
import { FileProgress } from "./file-progress.ts";
import type { TakenIn } from "./intake.ts";
import type { FromWorker, ToWorker, Work } from "./worker-messages.ts";

const ringBytes = 4 << 20;
const idleMs = 10_000;
/** A thread that is fed less within this time, and waits for more, leaves its turn to another: a source may stand still for ever. */
const lookMs = 500;
const fewBytes = 64 << 10;
const mostStarved = 4;
/** A hostile layer with too many files ends the worker, not the engine. */
const limits = { maxOldGenerationSizeMb: Math.min(4096, Math.floor(totalmem() / 2 ** 21)) };
/**
 * The tree of a layer all stays until its index is written: little of it is garbage, so it should not be copied about. The daemon's own
 * nursery, which is there by now, keeps the size that it has; the flag goes before a worker's own limit.
 */
const nursery = "--max-semi-space-size=8";

/** Beside this module: its source in development, its own bundle when built. */
const entry = new URL(import.meta.url.endsWith(".ts") ? "./layer-worker.ts" : "./layer-worker.js", import.meta.url);

/** One worker and what it is doing. */
class LayerThread {
  readonly #worker: Worker;
  /** Made when it is needed first. */
  #ring: ByteRing | undefined;
  #finish: { resolve: (taken: TakenIn) => void; reject: (error: Error) => void } | undefined;
  #onSpace: (() => void) | undefined;
  #failure: EngineError | undefined;
  #idle: NodeJS.Timeout | undefined;
  #isHungry = false;
  #fedBytes = 0;
  #fedBefore = 0;
  alive = true;
  /** As it was when it was last looked at: it waits for its source more than it works. */
  isStarved = false;

  constructor() {
    setFlagsFromString(nursery);
    this.#worker = new Worker(entry, { name: "layers", execArgv: [], resourceLimits: limits });
    this.#worker.on("message", (message: FromWorker) => this.#onMessage(message));
    this.#worker.on("error", (error: unknown) => this.#fail(failureOf(error)));
    this.#worker.on("exit", () => {
      this.alive = false;
      this.#fail(systemError("a layer worker ended"));
    });
  }

  #onMessage(message: FromWorker): void {
    switch (message.type) {
      case "space":
        this.#onSpace?.();
        break;
      case "done":
        this.#finish?.resolve(message.taken);
        break;
      case "failed":
        this.#fail(new EngineError(message.code, message.message));
        break;
      default:
        message satisfies never;
    }
  }

  #fail(error: EngineError): void {
    this.#failure = error;
    this.#finish?.reject(error);
    this.#onSpace?.();
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #begin(): Promise<TakenIn> {
    clearTimeout(this.#idle);
    this.#worker.ref();
    this.#failure = undefined;
    this.isStarved = false;
    const finished = new Promise<TakenIn>((resolve, reject) => {
      this.#finish = { resolve, reject };
    });
    finished.catch(() => undefined);
    return finished;
  }

  /** @param chunks is not ended early when the worker fails: what then becomes of the stream is its owner's business */
  takeIn(directory: string, chunks: AsyncIterator<Buffer>): Promise<TakenIn> {
    this.#ring ??= new ByteRing({ capacity: ringBytes });
    const ring = this.#ring;
    ring.reset();
    return this.#work({ type: "begin", directory, ring: ring.shared }, chunks, async (chunk) => {
      await this.#put(ring, chunk);
      return chunk.length;
    });
  }

  follow(directory: string, file: string | undefined, arrival: AsyncIterator<number>): Promise<TakenIn> {
    const progress = new FileProgress();
    return this.#work({ type: "follow", directory, file, progress: progress.shared }, arrival, (bytes) => {
      const more = bytes - progress.bytes;
      if (progress.advance(bytes)) this.#send({ type: "more" });
      return more;
    });
  }

  /** @param put hands a value on, and says how many bytes more that were */
  async #work<T>(work: Work, source: AsyncIterator<T>, put: (value: T) => Promise<number> | number): Promise<TakenIn> {
    const finished = this.#begin();
    this.#send(work);
    try {
      await this.#feed(source, put, finished);
    } catch (error) {
      this.#send({ type: "abort" });
      await finished.catch(() => undefined);
      throw error;
    }
    this.#send({ type: "end" });
    return await finished;
  }

  async #feed<T>(source: AsyncIterator<T>, put: (value: T) => Promise<number> | number, finished: Promise<TakenIn>): Promise<void> {
    let stop: ((error: Error) => void) | undefined;
    finished.catch((error: Error) => stop?.(error));
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      // Not Promise.race: `finished` would keep a reaction for each chunk of the layer.
      this.#isHungry = true;
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        stop = reject;
        source.next().then(resolve, reject);
      });
      stop = undefined;
      this.#isHungry = false;
      if (next.done === true) return;
      this.#fedBytes += await put(next.value);
    }
  }

  async #put(ring: ByteRing, chunk: Buffer): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      done += ring.write(chunk.subarray(done));
      if (ring.mustWakeReader()) this.#send({ type: "more" });
      if (this.#failure !== undefined) throw this.#failure;
      if (done < chunk.length && ring.writerSleeps()) {
        await new Promise<void>((resolve) => {
          this.#onSpace = resolve;
        });
        this.#onSpace = undefined;
      }
    }
  }

  look(): void {
    this.isStarved = this.#isHungry && this.#fedBytes - this.#fedBefore < fewBytes;
    this.#fedBefore = this.#fedBytes;
  }

  /** Lets the process end, and the thread after a while. */
  rest(): void {
    this.#finish = undefined;
    this.#worker.unref();
    this.#idle = setTimeout(() => void this.close(), idleMs);
    this.#idle.unref();
  }

  async close(): Promise<void> {
    this.alive = false;
    clearTimeout(this.#idle);
    await this.#worker.terminate();
  }
}

function failureOf(error: unknown): EngineError {
  if (errnoOf(error) === "ERR_WORKER_OUT_OF_MEMORY")
    return invalidParameter("the layer has too many files for this machine's memory", error);
  return systemError(`a layer worker failed: ${messageOf(error)}`, error);
}

export class WorkerPool {
  #idle: LayerThread[] = [];
  readonly #all = new Set<LayerThread>();
  readonly #waiting: (() => void)[] = [];
  /** Each takes some 30 MB, and as many layers as are fetched at a time keep no more busy. */
  readonly #max: number = Math.min(3, Math.max(1, availableParallelism()));
  readonly #busy = new Set<LayerThread>();
  #looking: NodeJS.Timeout | undefined;

  /** There will be work soon: a thread takes as long to start as many a layer takes to be taken in. */
  warm(): void {
    if (this.#idle.some((thread) => thread.alive) || this.#isFull) return;
    const thread = new LayerThread();
    this.#all.add(thread);
    this.#idle.push(thread);
    thread.rest();
  }

  takeIn(directory: string, chunks: AsyncIterator<Buffer>): Promise<TakenIn> {
    return this.#withThread((thread) => thread.takeIn(directory, chunks));
  }

  /**
   * Reads a file as it grows.
   * @param file undefined: the tar that is in the directory
   * @param arrival how many bytes are there; not ended early either
   */
  follow(directory: string, file: string | undefined, arrival: AsyncIterator<number>): Promise<TakenIn> {
    return this.#withThread((thread) => thread.follow(directory, file, arrival));
  }

  get #isFull(): boolean {
    const working = [...this.#busy].filter((thread) => !thread.isStarved).length;
    return working >= this.#max || this.#busy.size >= this.#max + mostStarved;
  }

  #turn(): Promise<void> {
    this.#looking ??= setInterval(() => this.#look(), lookMs);
    return new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** As long as somebody waits. */
  #look(): void {
    for (const thread of this.#busy) thread.look();
    if (!this.#isFull) this.#waiting.shift()?.();
    if (this.#waiting.length > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  async #withThread(work: (thread: LayerThread) => Promise<TakenIn>): Promise<TakenIn> {
    while (this.#isFull) await this.#turn();
    this.#idle = this.#idle.filter((thread) => thread.alive);
    const thread = this.#idle.pop() ?? new LayerThread();
    this.#all.add(thread);
    this.#busy.add(thread);
    try {
      return await work(thread);
    } finally {
      this.#busy.delete(thread);
      for (const other of this.#all) if (!other.alive) this.#all.delete(other);
      if (thread.alive) {
        thread.rest();
        this.#idle.push(thread);
      }
      this.#waiting.shift()?.();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#looking);
    await Promise.all([...this.#all].map((thread) => thread.close()));
  }
}
