import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";

/** How long a change can go unnoticed where the kernel does not tell of it. */
const pollMs = 1000;
/** Where it tells of none at all. */
const blindPollMs = 100;

/** Tells when a log may have grown or been rotated, or when waiting is over. */
export class Changes implements Disposable {
  #watcher: FSWatcher | undefined;
  #changed = false;
  #wake: (() => void) | undefined;

  /** The directory is watched, not the file: the name outlives the files that have it in turn. */
  constructor(path: string) {
    const name = basename(path);
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, (_event, file) => {
        if (file === null || file.startsWith(name)) this.notify();
      });
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      this.#unwatch(); // no inotify instances are left: look again and again
    }
  }

  notify(): void {
    this.#changed = true;
    this.#wake?.();
  }

  /** Resolves at a change since the last call, or when it is time to look again, at the latest after `limitMs`. */
  async next(limitMs: number): Promise<void> {
    if (!this.#changed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.min(limitMs, this.#watcher === undefined ? blindPollMs : pollMs));
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
      clearTimeout(timer);
    }
    this.#changed = false;
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  [Symbol.dispose](): void {
    this.#unwatch();
  }
}
