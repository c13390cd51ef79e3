import type { UpstreamAnswer } from "./upstream-answer.ts";

const mostAnswers = 4096;
const mostBytes = 4 * 1024 * 1024;
/** Of an entry beside its answer, roughly. */
const entryBytes = 512;

interface Entry {
  readonly answer: UpstreamAnswer;
  readonly size: number;
  readonly since: number;
}

/** Answers for as long as they hold, the latest used last. Times are milliseconds of `performance.now()`. */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  find(key: string, now: number): { readonly answer: UpstreamAnswer; readonly ageSeconds: number } | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    const { answer, since, size } = entry;
    if (now >= since + answer.keepSeconds * 1000) {
      this.#bytes -= size;
      return undefined;
    }
    this.#entries.set(key, entry);
    return { answer, ageSeconds: Math.floor((now - since) / 1000) };
  }

  put(key: string, answer: UpstreamAnswer, now: number): void {
    if (answer.keepSeconds <= 0) return;
    this.#drop(key);
    const size = answer.message.length + key.length + entryBytes;
    // A copy: the packet may be a piece of a larger buffer.
    this.#entries.set(key, { answer: { ...answer, message: Uint8Array.from(answer.message) }, size, since: now });
    this.#bytes += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= mostAnswers && this.#bytes <= mostBytes) break;
      this.#drop(oldest);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #drop(key: string): void {
    this.#bytes -= this.#entries.get(key)?.size ?? 0;
    this.#entries.delete(key);
  }
}
