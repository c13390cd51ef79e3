import { type ContainerId, log } from "../base/base.ts";
import { type ContainerRecord, isActive, paused, resumed } from "../containers/containers.ts";
import { type Cgroups, isFrozen, thaw } from "../kernel/freezer.ts";
import { applyExit, autoRemove, followRun, lostExit } from "./container-exit.ts";
import { ContainerLog, logPlanOf, resumeLog } from "./container-log.ts";
import type { EngineContext } from "./context.ts";
import { startHealthChecks } from "./health-checks.ts";
import type { LiveContainer } from "./live-container.ts";
import { settleNetwork } from "./network-change.ts";
import { networkRequest } from "./network-request.ts";
import { settleLimits } from "./update-container.ts";

/**
 * At the daemon's start: finds again what an earlier daemon left running. Who still runs is followed on; who
 * has ended meanwhile gets the exit that its monitor wrote down; who vanished without a word was killed.
 */
export async function adoptContainers(context: EngineContext): Promise<void> {
  const records = [...context.store.list()];
  const idle = records.filter((record) => !isActive(record.status.state));
  await context.runtime.endStrays(idle.map(({ id }) => ({ id, statePath: context.statePath(id) })));
  const lives = records.filter((record) => isActive(record.status.state)).map((record) => context.liveOf(record.id));
  const ended = (await Promise.all(lives.map((live) => adoptOne(context, live)))).filter((live) => live !== undefined);
  const running = new Set(lives.filter((live) => live.run !== undefined).map((live) => live.id));
  await settleNetworks(context, records, running);
  await context.volumes.reconcile(volumesOf(lives.filter((live) => live.run !== undefined)));
  for (const record of [...context.store.list()]) {
    if (record.settings.hostConfig.AutoRemove !== true || isActive(record.status.state)) continue;
    // Created and never started is not ended: its client may be about to start it.
    if (!record.status.everStarted && record.status.state.exitCode === 0) continue;
    context.inBackground("removing an ended container", autoRemove(context, context.liveOf(record.id)));
  }
  for (const record of context.store.list()) if (!running.has(record.id)) resumeLog(context, context.liveOf(record.id));
  if (lives.length > 0) log.info("containers adopted", { running: running.size, ended: ended.length });
}

/** Addresses that stopped containers have asked for stay theirs; running ones have what was settled. */
async function settleNetworks(
  context: EngineContext,
  records: readonly ContainerRecord[],
  running: ReadonlySet<ContainerId>,
): Promise<void> {
  for (const record of records) context.networks.reserve(networkRequest(context, record));
  await context.networks.reconcile(running);
  for (const id of running) {
    const live = context.liveOf(id);
    if (live.run === undefined) continue;
    await settleNetwork(context, live, live.run).catch((error: unknown) =>
      log.warn("a container's network is not as its record has it", { container: id, error }),
    );
  }
}

/** The old daemon may also have died between the freezer and the record: the freezer is right. */
async function settlePause(context: EngineContext, live: LiveContainer, cgroups: Cgroups): Promise<void> {
  const { state } = live.record.status;
  if (!isActive(state)) return;
  if (state.status === "paused" && state.passing === true) await thaw(cgroups);
  const frozen = await isFrozen(cgroups);
  if (frozen !== (state.status === "paused")) context.store.update(live.record, { state: frozen ? paused(state) : resumed(state) });
}

/** Volume → the containers that have it. */
function volumesOf(lives: readonly LiveContainer[]): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>();
  for (const { id, record } of lives) {
    for (const mount of record.settings.mounts)
      if (mount.type === "volume") users.set(mount.name, (users.get(mount.name) ?? new Set()).add(id));
  }
  return users;
}

/** @returns the container if it has ended */
async function adoptOne(context: EngineContext, live: LiveContainer): Promise<LiveContainer | undefined> {
  try {
    const { running, exit } = await context.runtime.adopt(live.id, context.statePath(live.id));
    if (running !== undefined) {
      // The old daemon may have died between writing the state and letting the program go.
      await running.monitor.go();
      await settlePause(context, live, running.cgroups);
      await settleLimits(live, running.limit);
      const run = followRun(context, live, running, Promise.resolve(true));
      ContainerLog.of(context, live, logPlanOf(live.record))?.begin(run);
      startHealthChecks(context, live);
      return undefined;
    }
    applyExit(context, live, exit ?? lostExit(live.record.status.state.startedAt));
  } catch (error) {
    log.warn("a container could not be adopted", { container: live.id, error });
    applyExit(context, live, lostExit(live.record.status.state.startedAt));
  }
  return live;
}
