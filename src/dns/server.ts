import type { Upstream } from "./dns.ts";

/** How long a server may take before the next one is asked as well. */
const patience = { unknownMs: 40, leastMs: 20, mostMs: 60 } as const;
/** A server that has been silent is left out for this long, and twice as long the next time. */
const firstRestMs = 2000;
const longestRestMs = 60_000;

/** What is remembered of an upstream. Times are of `performance.now()`. */
export class Server {
  readonly upstream: Upstream;
  /** Somebody waits for a late answer of its. One is enough to see whether it lives. */
  watched = false;
  #smoothedMs: number | undefined;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #silences = 0;
  #restsUntil = 0;

  constructor(upstream: Upstream) {
    this.upstream = upstream;
  }

  /** Nothing has come from it since it was last asked. */
  get dead(): boolean {
    return this.#silences > 0;
  }

  /** How long to wait for it before others are asked too. */
  get patienceMs(): number {
    if (this.#smoothedMs === undefined) return patience.unknownMs;
    return Math.min(patience.mostMs, Math.max(patience.leastMs, 2 * this.#smoothedMs + 10));
  }

  /** A dead one that is to be tried again. Whoever is told so tries; nobody else is told for a while. */
  takeTrial(now: number): boolean {
    if (!this.dead || now < this.#restsUntil) return false;
    this.#rest(now);
    return true;
  }

  answered(now: number, tookMs: number): void {
    this.#smoothedMs = this.#smoothedMs === undefined ? tookMs : 0.75 * this.#smoothedMs + 0.25 * tookMs;
    this.#answeredAt = now;
    this.#silences = 0;
  }

  /** No answer came to what was sent at `sentAt`. */
  silent(now: number, sentAt: number): void {
    if (this.#answeredAt >= sentAt) return;
    this.#silences = Math.min(this.#silences + 1, 10);
    this.#rest(now);
  }

  #rest(now: number): void {
    this.#restsUntil = now + Math.min(longestRestMs, firstRestMs * 2 ** (this.#silences - 1));
  }
}
