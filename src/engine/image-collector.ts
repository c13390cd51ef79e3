/** Runs the collector of images now and then, for as long as the daemon lives. */
import { log, messageOf } from "../base/base.ts";
import type { CollectPolicy, Images } from "../images/images.ts";

export interface CollectorOptions {
  readonly policy: CollectPolicy;
  readonly intervalMs: number;
}

/** After the start, when containers have been adopted and the first requests are through. */
const firstRunMs = 60_000;

/** @returns ends it; what it is at goes on to its end first */
export function startImageCollector(images: Images, { policy, intervalMs }: CollectorOptions): AsyncDisposable {
  let timer: NodeJS.Timeout;
  let running = Promise.resolve();
  let ended = false;
  const run = async (): Promise<void> => {
    try {
      const { Removed, SpaceReclaimed } = await images.collect(policy);
      if (Removed.length > 0) log.info("images were collected", { images: Removed.length, bytes: SpaceReclaimed });
    } catch (error) {
      log.warn("collecting images failed", { error: messageOf(error) });
    }
  };
  const schedule = (delayMs: number): void => {
    timer = setTimeout(() => {
      running = run().then(() => {
        if (!ended) schedule(intervalMs);
      });
    }, delayMs);
    timer.unref();
  };
  schedule(Math.min(firstRunMs, intervalMs));
  return {
    async [Symbol.asyncDispose]() {
      ended = true;
      clearTimeout(timer);
      await running;
    },
  };
}
