import { EngineError, isEngineError } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { abandonRestart } from "./restart-policy.ts";
import { startLocked } from "./start-container.ts";
import { type StopOptions, stopRun } from "./stop-container.ts";

/** `POST /containers/x/restart`: stops it if it runs, then starts it. */
export async function restartContainer(context: EngineContext, reference: string, options: StopOptions): Promise<void> {
  const live = context.find(reference);
  live.restarts++;
  try {
    const run = await live.lock.run(async () => {
      abandonRestart(context, live);
      return isActive(live.record.status.state) ? live.run : undefined;
    });
    if (run !== undefined) await stopRun(context, live, run, options);
    await startAgain(context, live);
  } catch (error) {
    if (isEngineError(error))
      throw new EngineError(error.code, `Cannot restart container ${reference}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    live.restarts--;
  }
  context.publish(live, "restart");
}

async function startAgain(context: EngineContext, live: LiveContainer): Promise<void> {
  await live.lock.run(async () => {
    try {
      await startLocked(context, live, "user");
    } catch (error) {
      // Someone else has started it since: it was restarted.
      if (!isEngineError(error, "NotModified")) throw error;
    }
  });
}
