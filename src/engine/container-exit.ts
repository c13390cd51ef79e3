import { uptime } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { formatNanos, log, nowNanos } from "../base/base.ts";
import { failpoint } from "../base/failpoint.ts";
import { ended, endingOf, isActive, restartsAfterExit } from "../containers/containers.ts";
import type { ExitRecord } from "../kernel/kernel.ts";
import type { RunningContainer } from "../runtime/runtime.ts";
import { answerDns } from "./answer-dns.ts";
import { cutFromParents } from "./container-links.ts";
import type { EngineContext } from "./context.ts";
import { suspendHealthChecks } from "./health-checks.ts";
import type { LiveContainer, Run, Waiter } from "./live-container.ts";
import { publishNetworkEvents } from "./network-events.ts";
import { removeLocked } from "./remove-container.ts";
import { scheduleRestart } from "./restart-policy.ts";
import { detachVolumes, publishVolumeUnmounts } from "./start-mounts.ts";

/** What Docker records when the process was killed and nobody saw how. */
const lostExitCode = 137;

/** What Docker records when the machine has failed under it. */
const machineFailedCode = 255;

/** The record of a container whose monitor vanished: killed, or with the whole machine. */
export function lostExit(startedAt: string): ExitRecord {
  const bootedMs = Date.now() - uptime() * 1000;
  const exit = Date.parse(startedAt) < bootedMs ? { exitCode: machineFailedCode, signal: 0 } : { exitCode: lostExitCode, signal: 9 };
  return { ...exit, oomKilled: false, finishedAt: formatNanos(nowNanos()) };
}

/**
 * Follows a container that starts, or was found running, to its end. Nothing is said of its end before `told`
 * settles: true when its start is known to all, false when it did not come about.
 */
export function followRun(context: EngineContext, live: LiveContainer, running: RunningContainer, told: Promise<boolean>): Run {
  const exited = running.exited.then(
    (record) => record ?? lostExit(live.record.status.state.startedAt),
    (error: unknown) => {
      log.warn("a container's monitor was lost", { container: live.id, error });
      return lostExit(live.record.status.state.startedAt);
    },
  );
  const applied = exited.then(async (record) => {
    if (await told) await applyExitSurely(context, live, record);
    return record;
  });
  const finished = applied.then(async () => {
    if (await told) await release(context, live);
  });
  const run: Run = { running, exited: applied, finished, killed: false };
  live.run = run;
  answerDns(context, live, running.monitor);
  void finished.then(() => context.inBackground("ending a container", afterExit(context, live, run)));
  return run;
}

const retryMs = 1000;

/** A full disk must not make a dead container look alive: tries until the record is written, or left to the next daemon. */
async function applyExitSurely(context: EngineContext, live: LiveContainer, exit: ExitRecord): Promise<void> {
  while (!context.closing.signal.aborted) {
    try {
      applyExit(context, live, exit);
      return;
    } catch (error) {
      log.error("an exit could not be recorded", { container: live.id, error });
      await sleep(retryMs, undefined, { ref: false });
    }
  }
}

/** Writes the exit down, then tells everyone: who is told can rely on the record. */
export function applyExit(context: EngineContext, live: LiveContainer, exit: ExitRecord): void {
  const { state } = live.record.status;
  if (live.removed || !isActive(state)) return;
  failpoint("exit.heard");
  const over = ended(state, exit);
  suspendHealthChecks(context, live);
  if (live.restarts === 0 && !live.removing && !context.stopping && restartsAfterExit(live.record, exit.exitCode)) {
    const again = { state: { ...endingOf(over), status: "restarting" as const }, restartCount: live.record.status.restartCount + 1 };
    context.store.update(live.record, again);
  } else {
    context.store.update(live.record, { state: over });
  }
  failpoint("exit.written");
  const seconds = Math.max(0, Math.floor((Date.parse(exit.finishedAt) - Date.parse(state.startedAt)) / 1000));
  if (exit.oomKilled) context.publish(live, "oom");
  // In Docker's order, though both are let go of when those who wait have been told.
  publishNetworkEvents(context, live, live.record.status.network, "disconnect");
  publishVolumeUnmounts(context, live);
  context.publish(live, "die", { execDuration: String(seconds), exitCode: String(exit.exitCode) });
  settleWaiters(live, (waiter) => waiter.condition !== "removed");
}

async function release(context: EngineContext, live: LiveContainer): Promise<void> {
  if (context.closing.signal.aborted) return;
  context.inBackground("cutting links to a container", cutFromParents(context, live.id));
  if (live.networkChange !== undefined) await live.networkChange;
  try {
    await context.networks.detach(live.id);
  } catch (error) {
    log.warn("releasing a container's network failed", { container: live.id, error });
  }
  await detachVolumes(context, live).catch((error: unknown) =>
    log.warn("unmounting a container's volumes failed", { container: live.id, error }),
  );
}

async function afterExit(context: EngineContext, live: LiveContainer, run: Run): Promise<void> {
  if (live.run === run) live.run = undefined;
  if (context.closing.signal.aborted || live.restarts > 0 || live.removing || live.removed) return;
  if (live.record.status.state.status === "restarting") return scheduleRestart(context, live);
  if (live.record.settings.hostConfig.AutoRemove !== true) return;
  await autoRemove(context, live);
}

/** `--rm`: removes what has ended, unless someone has started or removed it in the meantime. */
export async function autoRemove(context: EngineContext, live: LiveContainer): Promise<void> {
  await live.lock.run(async () => {
    if (live.removed || isActive(live.record.status.state)) return;
    await removeLocked(context, live, { volumes: true });
  });
}

/** Settles, once and for all, the waits that `which` picks. */
export function settleWaiters(live: LiveContainer, which: (waiter: Waiter) => boolean, removalError = ""): void {
  const { exitCode, error } = endingOf(live.record.status.state);
  for (const waiter of [...live.waiters]) {
    if (!which(waiter)) continue;
    live.waiters.delete(waiter);
    // Who waits for the removal hears of the removal's errors only: the start has told of its own.
    const message = waiter.condition === "removed" ? removalError : error;
    waiter.settle({ StatusCode: exitCode, ...(message === "" ? {} : { Error: { Message: message } }) });
  }
}
