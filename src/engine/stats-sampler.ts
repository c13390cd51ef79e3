import { log } from "../base/base.ts";
import { type HostCpu, readHostCpu } from "../kernel/host-usage.ts";
import { type Sample, sampleContainer } from "./container-stats.ts";
import type { LiveContainer } from "./live-container.ts";

/** A sample a second. */
export const intervalMs = 1000;

/** Someone who watches a container. It holds one sample: who does not read in time misses some, and costs nothing. */
interface Watcher {
  readonly live: LiveContainer;
  readonly deliver: (sample: Sample | undefined) => void;
}

/**
 * Takes a sample a second of each container that is watched, one for all its watchers. While nobody watches there
 * is no timer.
 */
export class StatsSampler {
  readonly #watchers: Set<Watcher> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #sampling = false;

  /** Starts with a sample of its own; goes on until `signal` aborts or the container is removed. */
  async *watch(live: LiveContainer, signal: AbortSignal): AsyncGenerator<Sample | undefined> {
    let next: { readonly sample: Sample | undefined } | undefined;
    let wake: () => void = () => undefined;
    const watcher: Watcher = {
      live,
      deliver: (sample) => {
        next = { sample };
        wake();
      },
    };
    const stop = (): void => wake();
    signal.addEventListener("abort", stop, { once: true });
    this.#add(watcher);
    try {
      yield await sampleContainer(live, await readHostCpu());
      while (!signal.aborted && !live.removed) {
        if (next === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        const { sample } = next;
        next = undefined;
        if (!live.removed) yield sample;
      }
    } finally {
      signal.removeEventListener("abort", stop);
      this.#remove(watcher);
    }
  }

  #add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    this.#timer ??= setInterval(() => {
      void this.#tick();
    }, intervalMs);
  }

  #remove(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tick(): Promise<void> {
    if (this.#sampling) return; // so many containers that a second was not enough
    this.#sampling = true;
    try {
      const host = await readHostCpu();
      const lives = new Set([...this.#watchers].map((watcher) => watcher.live));
      await Promise.all([...lives].map((live) => this.#sample(live, host)));
    } catch (error) {
      log.warn("reading the usage of containers failed", { error });
    } finally {
      this.#sampling = false;
    }
  }

  async #sample(live: LiveContainer, host: HostCpu): Promise<void> {
    const sample = await sampleContainer(live, host);
    for (const watcher of this.#watchers) if (watcher.live === live) watcher.deliver(sample);
  }
}
