/** What is tried again, and when. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Timings } from "./distribution.ts";
import { NetworkError } from "./network-error.ts";
import { RegistryError } from "./refusal.ts";

const longestPauseMs = 30_000;

/** True where trying again may help: a broken connection, a server in trouble, a limit that says when it ends. */
export function isPassing(error: unknown, timings: Timings): boolean {
  if (error instanceof NetworkError) return error.kind === "broken";
  if (!(error instanceof RegistryError)) return false;
  if (error.retryAfterMs !== undefined && (error.status === 429 || error.status === 503)) return error.retryAfterMs <= timings.retryAfterMs;
  return error.status >= 500 && error.status !== 501;
}

/** Before attempt `failures + 1`: what the registry has said, else twice as long as the last time, give or take a quarter. In ms. */
export function pauseBefore(failures: number, error: unknown, timings: Timings): number {
  if (error instanceof RegistryError && error.retryAfterMs !== undefined) return error.retryAfterMs;
  const pauseMs = Math.min(timings.retryMs * 2 ** (failures - 1), longestPauseMs);
  return pauseMs * (0.75 + Math.random() / 2);
}

/** Waits, telling every second how long it will still be. @throws the signal's reason */
export async function pause(ms: number, say: (status: string) => void, signal?: AbortSignal): Promise<void> {
  for (let left = ms; left > 0; left -= 1000) {
    const seconds = Math.ceil(left / 1000);
    say(`Retrying in ${seconds} second${seconds === 1 ? "" : "s"}`);
    try {
      await sleep(Math.min(left, 1000), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    }
  }
}

/** Does small, repeatable work up to `attempts` times. */
export async function retrying<T>(work: () => Promise<T>, attempts: number, timings: Timings, signal?: AbortSignal): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      if (failures >= attempts || !isPassing(error, timings)) throw error;
      await pause(pauseBefore(failures, error, timings), () => undefined, signal);
    }
  }
}
