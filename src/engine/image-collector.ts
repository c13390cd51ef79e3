/** Runs the collector of images now and then, for as long as the daemon lives and its policy asks for anything. */
import { log, messageOf } from "../base/base.ts";
import { asksForAnything, type CollectPolicy, type Images } from "../images/images.ts";

export interface CollectorOptions {
  readonly policy: CollectPolicy;
  readonly intervalMs: number;
}

export interface ImageCollector extends AsyncDisposable {
  /** Takes over another policy: the first collection by it comes a while after. */
  configure(options: CollectorOptions): void;
}

/** After the start, when containers have been adopted and the first requests are through. */
const firstRunMs = 60_000;

/** Disposing ends it; what it is at goes on to its end first. */
export function startImageCollector(images: Images, first: CollectorOptions): ImageCollector {
  let options = first;
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const run = async (): Promise<void> => {
    try {
      const { Removed, SpaceReclaimed } = await images.collect(options.policy);
      if (Removed.length > 0) log.info("images were collected", { images: Removed.length, bytes: SpaceReclaimed });
    } catch (error) {
      log.warn("collecting images failed", { error: messageOf(error) });
    }
  };
  const schedule = (delayMs: number): void => {
    const own = setTimeout(() => {
      running = run().then(() => {
        // Unless another policy has come meanwhile, or the end.
        if (timer === own) schedule(options.intervalMs);
      });
    }, delayMs);
    own.unref();
    timer = own;
  };
  const configure = (next: CollectorOptions): void => {
    options = next;
    clearTimeout(timer);
    timer = undefined;
    if (asksForAnything(next.policy)) schedule(Math.min(firstRunMs, next.intervalMs));
  };
  configure(first);
  return {
    configure,
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      timer = undefined;
      await running;
    },
  };
}
