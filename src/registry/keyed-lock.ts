import { Mutex } from "../base/base.ts";

/** One at a time for each key; a key that nobody holds costs nothing. */
export class KeyedLock {
  readonly #held: Map<string, { readonly mutex: Mutex; users: number }> = new Map();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const entry = this.#held.get(key) ?? { mutex: new Mutex(), users: 0 };
    this.#held.set(key, entry);
    entry.users++;
    try {
      return await entry.mutex.run(work);
    } finally {
      entry.users--;
      if (entry.users === 0) this.#held.delete(key);
    }
  }
}
