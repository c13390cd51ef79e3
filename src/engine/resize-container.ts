import { conflict } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { EngineContext } from "./context.ts";

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
  if (!isActive(live.record.status.state) || live.run === undefined) {
    if (live.pending.size > 0) live.consoleSize = [size.rows, size.columns];
    throw conflict(`container ${live.id} is not running`);
  }
  live.consoleSize = [size.rows, size.columns];
  await live.run.running.monitor.resize(size.rows, size.columns);
  context.publish(live, "resize", { height: String(size.rows), width: String(size.columns) });
}
