import { access } from "node:fs/promises";
import { dirname } from "node:path";
import { conflict, EngineError, errnoOf, log, messageOf } from "../base/base.ts";
import { checkRestartPolicy, discardedUpdates, isActive, updatedHostConfig } from "../containers/containers.ts";
import { LimitRefused } from "../kernel/cgroup-update.ts";
import type { ContainerUpdateRequest, ContainerUpdateResponse, HostConfig } from "../spec/spec.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { hasEnded } from "./stop-container.ts";
import { portsOf, updatePorts } from "./update-ports.ts";

/**
 * `POST /containers/x/update`: other limits, another restart policy, other ports. Of a container that runs the kernel has them
 * too when this resolves; if it does not take them, the record says what it said before.
 */
export async function updateContainer(
  context: EngineContext,
  reference: string,
  request: ContainerUpdateRequest,
): Promise<ContainerUpdateResponse> {
  const live = context.find(reference);
  checkRestartPolicy(request);
  const warnings = [...(await context.runtime.checkLimits(request)), ...discardedUpdates(live.record.settings.hostConfig, request)];
  try {
    await live.lock.run(() => updateLocked(context, live, request));
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError(error.code, `Cannot update container ${live.id}: ${messageOf(error)}`, { cause: error });
  }
  context.publish(live, "update");
  return { Warnings: warnings };
}

async function updateLocked(context: EngineContext, live: LiveContainer, request: ContainerUpdateRequest): Promise<void> {
  const { status } = live.record.status.state;
  if (live.removed || status === "removing" || status === "dead") {
    throw conflict('container is marked for removal and cannot be "update"');
  }
  const first = live.record.settings.hostConfig;
  // Before anything is done, all that can be wrong with it.
  updatedHostConfig(first, request);
  await updatePorts(context, live, request);
  try {
    await updateLimits(context, live, request);
  } catch (error) {
    await updatePorts(context, live, portsOf(first)).catch((failure: unknown) =>
      log.warn("a container's ports could not be changed back", { container: live.id, error: failure }),
    );
    throw error;
  }
}

/** The record is written first: whoever finds it after a crash gives the kernel what it says. */
async function updateLimits(context: EngineContext, live: LiveContainer, request: ContainerUpdateRequest): Promise<void> {
  const before = live.record.settings.hostConfig;
  const after = updatedHostConfig(before, request);
  context.store.configure(live.record, after);
  const { run } = live;
  if (run === undefined || !isActive(live.record.status.state)) return;
  try {
    await run.running.limit(after);
  } catch (error) {
    // One that has ended meanwhile has no groups to be limited, and gets its limits with the next start.
    if ((await isWithoutGroups(error)) ? await hasEnded(live, run) : !isActive(live.record.status.state)) return;
    context.store.configure(live.record, before);
    throw error;
  }
}

/** Has the group gone that a limit was for? */
async function isWithoutGroups(error: unknown): Promise<boolean> {
  const refused = error instanceof Error && error.cause instanceof LimitRefused ? error.cause : error;
  if (!(refused instanceof LimitRefused)) return errnoOf(error) === "ENOENT";
  return await access(dirname(refused.path)).then(
    () => false,
    () => true,
  );
}

/** At the daemon's start: an update that an earlier daemon wrote down and did not carry out. */
export async function settleLimits(live: LiveContainer, limit: (hostConfig: HostConfig) => Promise<void>): Promise<void> {
  try {
    await limit(live.record.settings.hostConfig);
  } catch (error) {
    log.warn("a container's limits are not those of its record", { container: live.id, error });
  }
}
