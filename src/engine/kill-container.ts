import { conflict, EngineError } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import { parseSignal } from "../kernel/signals.ts";
import type { EngineContext } from "./context.ts";
import { send } from "./stop-container.ts";

const sigkill = 9;

/**
 * `POST /containers/x/kill`: sends a signal, SIGKILL unless told. For SIGKILL it waits until the end is
 * recorded, as Docker does.
 * @throws Conflict `cannot kill container: x: container ID is not running`
 */
export async function killContainer(context: EngineContext, reference: string, signalName: string | undefined): Promise<void> {
  const signal = signalName === undefined || signalName === "" ? sigkill : parseSignal(signalName);
  try {
    const live = context.find(reference);
    const run = await live.lock.run(async () => live.run);
    if (run === undefined || !isActive(live.record.status.state)) throw conflict(`container ${live.id} is not running`);
    const own = parseSignal(live.record.settings.config.StopSignal || "SIGTERM");
    if (signal === sigkill || signal === own) context.store.update(live.record, { stoppedByUser: true });
    await send(context, live, run, signal);
    if (signal === sigkill) await run.exited;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError(error.code, `cannot kill container: ${reference}: ${error.message}`, { cause: error });
  }
}
