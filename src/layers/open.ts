/** Opens the layers of a data root. */
import { link, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type Digest, invalidParameter, unavailable } from "../base/base.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { findDifferences } from "./chain-differences.ts";
import { ChainFiles } from "./chain-files.ts";
import { openLayerRoot, type Place } from "./chain-view.ts";
import type { LayerDriver } from "./driver.ts";
import { ErofsDriver } from "./erofs-driver.ts";
import { LayerIntake, type TakenIn, tarName } from "./intake.ts";
import { surveyLayers } from "./layer-report.ts";
import type { ArrivingFile, IngestedLayer, LayerChange, LayerReport, Layers, PathDifference } from "./layers.ts";
import { Overlay2Driver } from "./overlay2-driver.ts";
import { LayerStore } from "./store.ts";
import { WorkerPool } from "./worker-pool.ts";

export interface LayersOptions {
  /** `<data-root>/layers`. */
  readonly root: string;
  readonly kernel: Pick<Kernel, "features" | "layers" | "files">;
  /** Undefined: `erofs` where the kernel can, else `overlay2`. */
  readonly driver?: "erofs" | "overlay2";
}

/** A stream that is no longer than this is taken in here: a worker would cost more than the work. */
const smallBytes = 128 * 1024;

function driverFor(options: LayersOptions, store: LayerStore): LayerDriver {
  const { kernel } = options;
  const name = options.driver ?? (kernel.features.erofsFiles ? "erofs" : "overlay2");
  if (name === "overlay2") return new Overlay2Driver(store, kernel.files);
  if (!kernel.features.erofsFiles)
    throw unavailable("error initializing graphdriver: erofs: this kernel cannot mount EROFS from files (Linux 6.12 or later is needed)");
  return new ErofsDriver(store, kernel.layers);
}

async function* buffers(source: Readable): AsyncGenerator<Buffer> {
  // The stream stays its owner's: when a layer is refused, the request that it came in is still to be answered.
  for await (const chunk of source.iterator({ destroyOnReturn: false })) yield Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
}

async function* onlyOnce<T>(value: T): AsyncGenerator<T> {
  yield value;
}

/** What was taken already, then the others. */
async function* from<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T> {
  for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
}

/** The first chunks again, then the others. */
async function* replay(first: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

class OpenLayers implements Layers, AsyncDisposable {
  readonly driver: "erofs" | "overlay2";
  readonly #store: LayerStore;
  readonly #driver: LayerDriver;
  readonly #files: ChainFiles;
  readonly #workers: WorkerPool = new WorkerPool();

  constructor(store: LayerStore, driver: LayerDriver) {
    this.driver = driver.name;
    this.#store = store;
    this.#driver = driver;
    this.#files = new ChainFiles(store);
  }

  async ingest(source: Readable, expected?: Digest, claim?: (diffId: Digest) => Promise<void>): Promise<IngestedLayer> {
    const chunks = buffers(source);
    if (expected !== undefined) await claim?.(expected);
    if (expected !== undefined && (await this.has(expected))) {
      for await (const _ of chunks);
      return { diffId: expected, sizeBytes: await this.sizeOf(expected), existed: true };
    }
    await using unfinished = await this.#store.unfinished();
    const taken = await this.#takeIn(unfinished.path, chunks);
    const diffId = `sha256:${taken.hex}` as Digest;
    if (expected !== undefined && diffId !== expected) throw invalidParameter(`invalid diffID: expected "${expected}", got "${diffId}"`);
    if (expected === undefined) await claim?.(diffId);
    return await this.#keep(unfinished, taken);
  }

  async ingestWritten(write: (descriptor: number) => Promise<void>): Promise<IngestedLayer> {
    await using unfinished = await this.#store.unfinished();
    const path = join(unfinished.path, tarName);
    const tar = await open(path, "wx", 0o600);
    try {
      await write(tar.fd);
    } finally {
      await tar.close();
    }
    const { size } = await stat(path);
    return await this.#keep(unfinished, await this.#follow(unfinished.path, undefined, size, onlyOnce(size)));
  }

  async ingestArriving({ path, sizeBytes, isTar, arrival }: ArrivingFile, expected: Digest): Promise<IngestedLayer> {
    const arriving = arrival[Symbol.asyncIterator]();
    if (await this.has(expected)) {
      while ((await arriving.next()).done !== true);
      return { diffId: expected, sizeBytes: await this.sizeOf(expected), existed: true };
    }
    if (sizeBytes > smallBytes) this.#workers.warm();
    await using unfinished = await this.#store.unfinished();
    // Before that there may be no file.
    const first = await arriving.next();
    const file = isTar && first.done !== true ? undefined : path;
    if (file === undefined) await link(path, join(unfinished.path, tarName));
    const taken = await this.#follow(unfinished.path, file, sizeBytes, from(first, arriving));
    const diffId = `sha256:${taken.hex}` as Digest;
    if (diffId !== expected) throw invalidParameter(`invalid diffID: expected "${expected}", got "${diffId}"`);
    return await this.#keep(unfinished, taken);
  }

  /** @param file undefined: the tar that is in the directory */
  async #follow(directory: string, file: string | undefined, sizeBytes: number, arrival: AsyncIterator<number>): Promise<TakenIn> {
    if (sizeBytes > smallBytes) return await this.#workers.follow(directory, file, arrival);
    let there = 0;
    for (let next = await arrival.next(); next.done !== true; next = await arrival.next()) there = next.value;
    await using intake = await LayerIntake.open(directory, { isWritten: file === undefined });
    if (there > 0) await intake.push(await readFile(file ?? join(directory, tarName)));
    return await intake.finish();
  }

  async #keep(unfinished: Awaited<ReturnType<LayerStore["unfinished"]>>, taken: TakenIn): Promise<IngestedLayer> {
    const diffId = `sha256:${taken.hex}` as Digest;
    const answer = { diffId, sizeBytes: taken.sizeBytes };
    if (await this.has(diffId)) return { ...answer, existed: true };
    await this.#driver.complete(unfinished.path);
    return { ...answer, existed: !(await this.#store.publish(unfinished, diffId)) };
  }

  async #takeIn(directory: string, chunks: AsyncGenerator<Buffer>): Promise<TakenIn> {
    const first: Buffer[] = [];
    let bytes = 0;
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) return await takeInHere(directory, first);
      first.push(next.value);
      bytes += next.value.length;
      if (bytes > smallBytes) return await this.#workers.takeIn(directory, replay(first, chunks));
    }
  }

  has(diffId: Digest): Promise<boolean> {
    return this.#store.has(diffId);
  }

  tarPath(diffId: Digest): string {
    return this.#store.tar(diffId);
  }

  sizeOf(diffId: Digest): Promise<number> {
    return this.#store.sizeOf(diffId);
  }

  async lower(chain: readonly Digest[]): Promise<readonly string[]> {
    if (chain.length === 0) return [this.#store.emptyDirectory];
    return await Promise.all(chain.toReversed().map((diffId) => this.#mount(diffId)));
  }

  /** Asks each time: what is mounted goes with a broker that dies, and its successor mounts it again. */
  async #mount(diffId: Digest): Promise<string> {
    try {
      return await this.#driver.mount(diffId);
    } catch (error) {
      // A layer that is not there is the better answer.
      await this.sizeOf(diffId);
      throw error;
    }
  }

  readFile(chain: readonly Digest[], path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    return this.#files.read(chain, path, maxBytes);
  }

  /** Base first; a layer that the chain has twice is read once. */
  async #roots(chain: readonly Digest[]): Promise<Place[]> {
    const roots = new Map<Digest, Place>();
    for (const diffId of new Set(chain)) roots.set(diffId, await openLayerRoot(this.#store, diffId));
    return chain.flatMap((diffId) => roots.get(diffId) ?? []);
  }

  async *survey(chain: readonly Digest[]): AsyncGenerator<readonly LayerChange[], LayerReport> {
    return yield* surveyLayers(await this.#roots(chain));
  }

  async *differences(from: readonly Digest[], to: readonly Digest[]): AsyncGenerator<PathDifference> {
    const roots = [(await this.#roots(from)).reverse(), (await this.#roots(to)).reverse()] as const;
    yield* findDifferences(this.#store, ...roots);
  }

  async remove(diffId: Digest): Promise<void> {
    await this.#driver.forget(diffId);
    await this.#store.remove(diffId);
  }

  async sweep(keep: ReadonlySet<Digest>): Promise<void> {
    for (const diffId of await this.#store.sweep()) if (!keep.has(diffId)) await this.remove(diffId);
    await this.#driver.sweep(keep);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#workers[Symbol.asyncDispose]();
  }
}

async function takeInHere(directory: string, chunks: readonly Buffer[]): Promise<TakenIn> {
  await using intake = await LayerIntake.open(directory);
  for (const chunk of chunks) await intake.push(chunk);
  return await intake.finish();
}

/**
 * @throws Unavailable when the driver that is asked for does not work here
 */
export async function openLayers(options: LayersOptions): Promise<Layers & AsyncDisposable> {
  const store = new LayerStore(options.root);
  await store.prepare();
  return new OpenLayers(store, driverFor(options, store));
}
