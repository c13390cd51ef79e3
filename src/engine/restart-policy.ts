import { log } from "../base/base.ts";
import { type ContainerRecord, endingOf, nextRestartDelayMs, restartsWithDaemon } from "../containers/containers.ts";
import { settleWaiters } from "./container-exit.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { startLocked } from "./start-container.ts";

/** Starts a container whose state is `restarting` again, when its pause is over. */
export function scheduleRestart(context: EngineContext, live: LiveContainer): void {
  live.restartDelayMs = nextRestartDelayMs(live.record, live.restartDelayMs);
  const timer = setTimeout(() => context.inBackground("restarting a container", restartNow(context, live)), live.restartDelayMs);
  live.cancelRestart = () => clearTimeout(timer);
  context.closing.signal.addEventListener("abort", live.cancelRestart, { once: true });
}

async function restartNow(context: EngineContext, live: LiveContainer): Promise<void> {
  await live.lock.run(async () => {
    forgetRestart(context, live);
    if (live.removed || context.stopping || context.closing.signal.aborted || live.record.status.state.status !== "restarting") return;
    await startLocked(context, live, "policy");
  });
}

function forgetRestart(context: EngineContext, live: LiveContainer): void {
  if (live.cancelRestart === undefined) return;
  context.closing.signal.removeEventListener("abort", live.cancelRestart);
  live.cancelRestart();
  live.cancelRestart = undefined;
}

/** Someone stops, kills or removes it: it stays as it ended. @returns false when no restart was planned */
export function abandonRestart(context: EngineContext, live: LiveContainer): boolean {
  forgetRestart(context, live);
  const { state } = live.record.status;
  if (state.status !== "restarting") return false;
  context.store.update(live.record, { state: { ...endingOf(state), status: "exited" }, stoppedByUser: true });
  settleWaiters(live, (waiter) => waiter.condition !== "removed");
  return true;
}

/** The containers whose network, processes or addresses a container needs to start. */
function needs({ settings, status }: ContainerRecord): string[] {
  const { NetworkMode, PidMode, IpcMode } = settings.hostConfig;
  const joined = [NetworkMode, PidMode, IpcMode].flatMap((mode) => (mode?.startsWith("container:") === true ? [mode.slice(10)] : []));
  return [...joined, ...(status.links ?? []).map((link) => link.id)];
}

/** With the daemon, those start that their policy says so of; each after the ones that it needs. */
export function restartWithDaemon(context: EngineContext): void {
  const starts = new Map<string, Promise<void>>();
  // What a container needs was there before it: the list has it first.
  for (const record of [...context.store.list()]) {
    const { status } = record.status.state;
    // Who was about to be restarted has been counted already.
    if (status !== "restarting" && !(status === "exited" && restartsWithDaemon(record))) continue;
    const live = context.liveOf(record.id);
    const before = needs(record).flatMap((id) => starts.get(id) ?? []);
    const start = live.lock.run(async () => {
      await Promise.allSettled(before);
      if (live.run === undefined && !live.removed) await startLocked(context, live, "daemon");
    });
    starts.set(record.id, start);
    context.inBackground("starting a container with the daemon", start);
    log.debug("a container starts with the daemon", { container: record.id });
  }
}
