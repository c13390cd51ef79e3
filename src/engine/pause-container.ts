import { conflict, EngineError, errnoOf, messageOf, systemError } from "../base/base.ts";
import { isActive, paused, resumed } from "../containers/containers.ts";
import { type Cgroups, freeze, thaw } from "../kernel/freezer.ts";
import type { EngineContext } from "./context.ts";
import { resumeHealthChecks, suspendHealthChecks } from "./health-checks.ts";
import type { LiveContainer, Run } from "./live-container.ts";
import { hasEnded } from "./stop-container.ts";

/**
 * `POST /containers/x/pause`.
 * @param passing it is not to stay so when the daemon dies: that is written down first
 * @throws Conflict when it does not run, or is paused already
 */
export async function pauseContainer(context: EngineContext, reference: string, passing = false): Promise<void> {
  const live = context.find(reference);
  await live.lock.run(async () => {
    const run = runToPause(live);
    const { cgroups } = run.running;
    const { state: before } = live.record.status;
    if (passing && isActive(before)) context.store.update(live.record, { state: paused(before, true) });
    try {
      await freeze(cgroups);
    } catch (error) {
      unrecord(context, live);
      if (errnoOf(error) !== undefined && (await hasEnded(live, run))) throw conflict(`container ${live.id} is not running`);
      throw asSystem(`cannot pause container ${live.id}`, error);
    }
    const { state } = live.record.status;
    try {
      // It may have ended before it could be stopped, or be about to.
      if (!isActive(state) || run.killed) throw conflict(`container ${live.id} is not running`);
      if (!passing) context.store.update(live.record, { state: paused(state) });
    } catch (error) {
      await thaw(cgroups);
      unrecord(context, live);
      throw error;
    }
    suspendHealthChecks(context, live);
    context.publish(live, "pause");
  });
}

/** What was to be paused in passing was not. */
function unrecord(context: EngineContext, live: LiveContainer): void {
  const { state } = live.record.status;
  if (state.status === "paused" && state.passing === true) context.store.update(live.record, { state: resumed(state) });
}

function runToPause(live: LiveContainer): Run {
  const { status } = live.record.status.state;
  if (status === "paused") throw conflict(`Container ${live.id} is already paused`);
  if (status === "restarting") throw conflict(`Container ${live.id} is restarting, wait until the container is running`);
  if (status !== "running" || live.run === undefined || live.run.killed) throw conflict(`container ${live.id} is not running`);
  return live.run;
}

/** `POST /containers/x/unpause`. @throws System when it is not paused, as Docker has it */
export async function unpauseContainer(context: EngineContext, reference: string): Promise<void> {
  const live = context.find(reference);
  await live.lock.run(async () => {
    const { state } = live.record.status;
    if (state.status !== "paused" || live.run === undefined) throw systemError(`Container ${live.id} is not paused`);
    try {
      await thaw(live.run.running.cgroups);
    } catch (error) {
      throw asSystem(`cannot unpause container ${live.id}`, error);
    }
    markResumed(context, live);
  });
}

/**
 * Lets a paused container go on because it is to end: a frozen process takes no signal. The record changes before
 * the processes move, so that the end is told after this; of one that is killed for sure only the end is told.
 */
export async function resumeToEnd(context: EngineContext, live: LiveContainer, cgroups: Cgroups, killed: boolean): Promise<void> {
  if (!killed) markResumed(context, live);
  await thaw(cgroups);
}

function markResumed(context: EngineContext, live: LiveContainer): void {
  const { state } = live.record.status;
  if (!isActive(state) || state.status !== "paused") return;
  context.store.update(live.record, { state: resumed(state) });
  resumeHealthChecks(context, live);
  context.publish(live, "unpause");
}

function asSystem(what: string, error: unknown): EngineError {
  return new EngineError("System", `${what}: ${messageOf(error)}`, { cause: error });
}
