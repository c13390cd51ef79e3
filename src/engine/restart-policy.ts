import { log } from "../base/base.ts";
import { endingOf, restartDelayMs, restartsWithDaemon } from "../containers/containers.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { startLocked } from "./start-container.ts";

/** Starts a container whose state is `restarting` again, when its pause is over. */
export function scheduleRestart(context: EngineContext, live: LiveContainer): void {
  const timer = setTimeout(() => context.inBackground("restarting a container", restartNow(context, live)), restartDelayMs(live.record));
  live.cancelRestart = () => clearTimeout(timer);
  context.closing.signal.addEventListener("abort", live.cancelRestart, { once: true });
}

async function restartNow(context: EngineContext, live: LiveContainer): Promise<void> {
  await live.lock.run(async () => {
    forgetRestart(context, live);
    if (live.removed || context.closing.signal.aborted || live.record.status.state.status !== "restarting") return;
    await startLocked(context, live, { keepCount: true });
  });
}

function forgetRestart(context: EngineContext, live: LiveContainer): void {
  if (live.cancelRestart === undefined) return;
  context.closing.signal.removeEventListener("abort", live.cancelRestart);
  live.cancelRestart();
  live.cancelRestart = undefined;
}

/** Someone stops, starts or removes it: it stays as it ended. */
export function abandonRestart(context: EngineContext, live: LiveContainer): void {
  forgetRestart(context, live);
  const { state } = live.record.status;
  if (state.status === "restarting") context.store.update(live.record, { state: { ...endingOf(state), status: "exited" } });
}

/** With the daemon, those start that their policy says so of. */
export function restartWithDaemon(context: EngineContext): void {
  for (const record of [...context.store.list()]) {
    const { status } = record.status.state;
    if ((status !== "exited" && status !== "restarting") || !restartsWithDaemon(record)) continue;
    const live = context.liveOf(record.id);
    const start = live.lock.run(async () => {
      if (live.run === undefined && !live.removed) await startLocked(context, live);
    });
    context.inBackground("starting a container with the daemon", start);
    log.debug("a container starts with the daemon", { container: record.id });
  }
}
