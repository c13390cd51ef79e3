/**
 * Layers on their way in from registries. The bytes are decompressed, hashed and indexed as they come; several pulls of
 * one layer share one transfer and one intake.
 *
 * What has arrived stays with the registry client until the image is stored: when the daemon is killed before, the layer goes with
 * the next start's sweep, and the next pull takes it in again from those bytes.
 */
import { type Digest, invalidParameter, isEngineError, messageOf, systemError } from "../base/base.ts";
import type { Content } from "../content/content.ts";
import type { BlobFetch, OnProgress, Progress, Remote } from "../distribution/distribution.ts";
import type { Layers } from "../layers/layers.ts";
import type { Descriptor } from "../spec/spec.ts";

export interface WantedLayer {
  readonly remote: Remote;
  readonly blob: Descriptor;
  /** What the configuration says that it is. */
  readonly diffId: Digest;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/** A layer that is there. Its download is forgotten when this is disposed of after `stored()`, and kept otherwise. */
export interface PulledLayer extends AsyncDisposable {
  /** A row has the layer by now. */
  stored(): void;
}

interface Ports {
  readonly layers: Layers;
  readonly content: Content;
}

export class LayerPulls {
  readonly #ports: Ports;
  readonly #going = new Map<string, LayerPull>();

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /**
   * The caller has pinned the layer, and the blob where that is not the layer's tar itself.
   * @throws EngineError; the signal's reason
   */
  async take(wanted: WantedLayer): Promise<PulledLayer> {
    const { remote, blob, diffId, signal, onProgress } = wanted;
    // A configuration that lies about a layer spoils the pulls of its own image only.
    const key = `${remote.reference.domain} ${blob.digest} ${blob.size} ${diffId}`;
    let pull = this.#going.get(key);
    while (pull !== undefined && !pull.isOpen) {
      await pull.closed;
      pull = this.#going.get(key);
    }
    signal.throwIfAborted();
    if (pull === undefined) {
      const begun = new LayerPull(this.#ports, wanted);
      this.#going.set(key, begun);
      void begun.closed.then(() => {
        if (this.#going.get(key) === begun) this.#going.delete(key);
      });
      pull = begun;
    }
    return await pull.follow(onProgress, signal);
  }
}

/** One layer, for all who want it. */
class LayerPull {
  readonly #ports: Ports;
  readonly #stop = new AbortController();
  readonly #followers = new Set<OnProgress>();
  readonly #taken: Promise<void>;
  readonly #allLeft: PromiseWithResolvers<void> = Promise.withResolvers();
  #latest: Progress | undefined;
  #isStored = false;
  #hasFailed = false;
  /** Never rejects. */
  readonly closed: Promise<void>;

  constructor(ports: Ports, wanted: WantedLayer) {
    this.#ports = ports;
    const taken = Promise.withResolvers<void>();
    this.#taken = taken.promise;
    this.#taken.catch(() => undefined);
    this.closed = this.#live(wanted, taken);
  }

  get isOpen(): boolean {
    return !this.#hasFailed && !this.#stop.signal.aborted;
  }

  async follow(onProgress: OnProgress, signal: AbortSignal): Promise<PulledLayer> {
    // Each needs a place of its own, also where two are the same function.
    const follower: OnProgress = (progress) => onProgress(progress);
    this.#followers.add(follower);
    if (this.#latest !== undefined) follower(this.#latest);
    const leave = async (): Promise<void> => {
      if (!this.#followers.delete(follower) || this.#followers.size > 0) return;
      this.#stop.abort(new Error("nobody wants the layer any more"));
      this.#allLeft.resolve();
      await this.closed;
    };
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([this.#taken, aborted.promise]);
    } catch (error) {
      await leave();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
    return {
      stored: () => {
        this.#isStored = true;
      },
      [Symbol.asyncDispose]: leave,
    };
  }

  async #live(wanted: WantedLayer, taken: PromiseWithResolvers<void>): Promise<void> {
    let fetched: BlobFetch | undefined;
    try {
      fetched = await this.#fetch(wanted);
      try {
        await this.#takeIn(fetched, wanted);
      } catch (error) {
        if (fetched.foundBytes === 0 || !isEngineError(error, "InvalidParameter")) throw error;
        // What an earlier life has left was not synced, and a machine that fell may have spoiled it: once more, without it.
        fetched.stored();
        await fetched[Symbol.asyncDispose]();
        fetched = await this.#fetch(wanted);
        await this.#takeIn(fetched, wanted);
      }
      taken.resolve();
    } catch (error) {
      this.#hasFailed = true;
      // Whole, and no layer: it would be none the next time either.
      this.#isStored = isEngineError(error, "InvalidParameter");
      taken.reject(error);
    }
    await this.#allLeft.promise;
    if (this.#isStored) fetched?.stored();
    await fetched?.[Symbol.asyncDispose]();
  }

  #fetch({ remote, blob }: WantedLayer): Promise<BlobFetch> {
    return remote.fetchBlob(blob, { onProgress: (progress) => this.#tell(progress), signal: this.#stop.signal });
  }

  async #takeIn(fetched: BlobFetch, { blob, diffId }: WantedLayer): Promise<void> {
    const id = blob.digest.slice("sha256:".length).slice(0, 12);
    const { path } = fetched;
    let failure: unknown;
    const tell = (progress: Progress): void => this.#tell(progress);
    async function* arriving(): AsyncGenerator<number> {
      try {
        yield* fetched.arrival;
      } catch (error) {
        failure = error;
        throw error;
      }
      tell({ id, status: "Extracting", current: blob.size, total: blob.size });
    }
    const arrival = arriving();
    const file = { path, sizeBytes: blob.size, isTar: blob.digest === diffId, arrival };
    try {
      await this.#ports.layers.ingestArriving(file, diffId);
    } catch (error) {
      // Bytes that make no layer may be others than the digest's: that is known with the last one, and the better answer.
      const isOver = failure !== undefined || !isEngineError(error, "InvalidParameter");
      if (!isOver) await Array.fromAsync(arrival).catch(() => undefined);
      throw failure ?? registering(error);
    }
    if (!file.isTar) await this.#ports.content.adopt(path, blob.digest);
    this.#tell({ id, status: "Pull complete" });
  }

  #tell(progress: Progress): void {
    this.#latest = progress;
    for (const follower of this.#followers) follower(progress);
  }
}

function registering(error: unknown): Error {
  const message = `failed to register layer: ${messageOf(error)}`;
  return isEngineError(error, "InvalidParameter") ? invalidParameter(message, error) : systemError(message, error);
}
