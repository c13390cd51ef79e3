import { conflict, EngineError, invalidParameter } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import { parseSignal, sigkill, signalName } from "../kernel/signals.ts";
import type { EngineContext } from "./context.ts";
import { abandonRestart } from "./restart-policy.ts";
import { meansEnd, send } from "./stop-container.ts";

/** Any number is taken for one that a system might have. */
function parseNumber(text: string): number {
  return /^-?\d+$/.test(text) && Number(text) !== 0 ? Number(text) : parseSignal(text);
}

/**
 * `POST /containers/x/kill`: sends a signal, SIGKILL unless told. For SIGKILL it waits until the end is
 * recorded, as Docker does.
 * @throws Conflict `cannot kill container: x: container ID is not running`
 */
export async function killContainer(context: EngineContext, reference: string, wanted: string | undefined): Promise<void> {
  try {
    const signal = wanted === undefined || wanted === "" ? sigkill : parseNumber(wanted);
    const live = context.find(reference);
    if (signalName(signal) === undefined) throw invalidParameter(`the linux daemon does not support signal ${signal}`);
    const { abandoned, run } = await live.lock.run(async () => ({ abandoned: abandonRestart(context, live), run: live.run }));
    // The policy's wait is what there was to kill.
    if (abandoned) return;
    if (run === undefined || !isActive(live.record.status.state)) throw conflict(`container ${live.id} is not running`);
    if (meansEnd(live, signal)) context.store.update(live.record, { stoppedByUser: true });
    await send(context, live, run, signal);
    if (signal === sigkill) await run.exited;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError(error.code, `cannot kill container: ${reference}: ${error.message}`, { cause: error });
  }
}
