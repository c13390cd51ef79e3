import { conflict } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { EngineContext } from "./context.ts";
import { hasEnded } from "./stop-container.ts";

export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/**
 * `POST /containers/x/resize`. A client that has attached before the start may resize before it too: the size
 * is remembered, so that the program never sees another.
 */
export async function resizeContainer(context: EngineContext, reference: string, size: WindowSize): Promise<void> {
  const live = context.find(reference);
  const { run } = live;
  if (!isActive(live.record.status.state) || run === undefined) {
    if (live.pending.size > 0) live.consoleSize = [size.rows, size.columns];
    throw conflict(`container ${live.id} is not running`);
  }
  live.consoleSize = [size.rows, size.columns];
  // Docker takes a size for what has no terminal, and does nothing with it.
  if (live.record.settings.config.Tty === true) {
    await run.running.monitor.resize(size.rows, size.columns).catch(async (error: unknown) => {
      throw (await hasEnded(live, run)) ? conflict(`container ${live.id} is not running`) : error;
    });
  }
  context.publish(live, "resize", { height: String(size.rows), width: String(size.columns) });
}
