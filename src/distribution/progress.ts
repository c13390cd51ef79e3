/** Docker's progress messages of one blob: bytes at most so often, changes of status at once. */
import type { OnProgress } from "./distribution.ts";

export class Reporter {
  readonly #id: string;
  readonly #total: number | undefined;
  readonly #everyMs: number;
  readonly #onProgress: OnProgress | undefined;
  #lastAt = 0;
  #last = "";

  constructor(id: string, total: number | undefined, everyMs: number, onProgress: OnProgress | undefined) {
    this.#id = id;
    this.#total = total;
    this.#everyMs = everyMs;
    this.#onProgress = onProgress;
  }

  say(status: string): void {
    if (status === this.#last) return;
    this.#last = status;
    this.#onProgress?.({ id: this.#id, status });
  }

  /** @param current bytes so far */
  bytes(status: string, current: number): void {
    if (this.#onProgress === undefined) return;
    const now = performance.now();
    if (status === this.#last && now - this.#lastAt < this.#everyMs) return;
    this.#last = status;
    this.#lastAt = now;
    this.#onProgress({ id: this.#id, status, current, ...(this.#total === undefined ? {} : { total: this.#total }) });
  }
}
