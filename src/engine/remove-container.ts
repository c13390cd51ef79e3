import { conflict } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import { settleWaiters } from "./container-exit.ts";
import type { EngineContext } from "./context.ts";
import { dropMounts } from "./create-mounts.ts";
import { discardState } from "./discard-state.ts";
import type { LiveContainer } from "./live-container.ts";
import { abandonRestart } from "./restart-policy.ts";
import { send } from "./stop-container.ts";

const sigkill = 9;

/** `DELETE /containers/x`. Waits for no more than the process's end; files go in the background. */
export async function removeContainer(
  context: EngineContext,
  reference: string,
  options: { readonly force: boolean; readonly volumes: boolean },
): Promise<void> {
  const live = context.find(reference);
  await live.lock.run(async () => {
    if (live.removed) {
      if (options.force) return;
      throw conflict(`removal of container ${reference} is already in progress`);
    }
    const { state } = live.record.status;
    if (!options.force && (isActive(state) || state.status === "restarting")) throw refusal(live);
    abandonRestart(context, live);
    if (isActive(state)) await killAndWait(context, live);
    await removeLocked(context, live, options);
  });
}

function refusal(live: LiveContainer): Error {
  const { status } = live.record.status.state;
  return status === "paused"
    ? conflict(`cannot remove container "/${live.record.name}": container is paused and must be unpaused first`)
    : conflict(
        `cannot remove container "/${live.record.name}": container is ${status}: stop the container before removing or force remove`,
      );
}

async function killAndWait(context: EngineContext, live: LiveContainer): Promise<void> {
  const { run } = live;
  if (run === undefined) return;
  await send(context, live, run, sigkill);
  await run.finished;
}

/**
 * Removes a container that does not run and whose lock the caller holds. The record goes first: it is the
 * truth, and a directory without one is swept at the next start.
 * @param options `volumes`: with the volumes that nobody named
 */
export async function removeLocked(context: EngineContext, live: LiveContainer, options: { readonly volumes: boolean }): Promise<void> {
  await live.log?.drained();
  await live.log?.close();
  live.removed = true;
  context.store.remove(live.record);
  for (const exec of live.execs.values()) context.execs.delete(exec.id);
  for (const pending of live.pending) pending.abandon();
  live.pending.clear();
  context.live.delete(live.id);
  await discardState(context, live.id);
  const { imageId, mounts } = live.record.settings;
  if (options.volumes) await dropMounts(context, live.id, mounts);
  context.publish(live, "destroy");
  settleWaiters(live, () => true);
  const images = new Set([imageId, ...mounts.flatMap((mount) => (mount.type === "image" ? [mount.imageId] : []))]);
  for (const image of images) context.inBackground("letting go of an image", context.images.release(image));
}
