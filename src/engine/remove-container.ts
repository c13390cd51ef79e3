import { conflict, log, messageOf } from "../base/base.ts";
import { failpoint } from "../base/failpoint.ts";
import { isActive, isStopped } from "../containers/containers.ts";
import { sigkill } from "../kernel/signals.ts";
import { settleWaiters } from "./container-exit.ts";
import { keepLinkedName, removeLink } from "./container-links.ts";
import type { EngineContext } from "./context.ts";
import { anonymousVolumes, dropMounts } from "./create-mounts.ts";
import { discardState } from "./discard-state.ts";
import type { LiveContainer } from "./live-container.ts";
import { abandonRestart } from "./restart-policy.ts";
import { send } from "./stop-container.ts";

export interface RemoveOptions {
  readonly force: boolean;
  /** Also the volumes that nobody named. */
  readonly volumes: boolean;
  /** Not the container but a link to it, named `/parent/alias`. */
  readonly link: boolean;
}

/** `DELETE /containers/x`. Waits for no more than the process's end; files go in the background. */
export async function removeContainer(context: EngineContext, reference: string, options: RemoveOptions): Promise<void> {
  const live = context.find(reference);
  if (options.link) return await removeLink(context, reference);
  // By force, a second removal is as good as the first: it waits for its end.
  if (live.removing && !options.force) throw conflict(`removal of container ${reference} is already in progress`);
  await live.lock.run(async () => {
    if (live.removed) return;
    const { state } = live.record.status;
    if (!options.force && !isStopped(state)) throw refusal(live);
    live.removing = true;
    try {
      abandonRestart(context, live);
      if (isActive(state)) await killAndWait(context, live);
      await removeLocked(context, live, options);
    } finally {
      live.removing = false;
    }
  });
}

function refusal(live: LiveContainer): Error {
  const { status } = live.record.status.state;
  const why =
    status === "paused"
      ? "container is paused and must be unpaused first"
      : `container is ${status}: stop the container before removing or force remove`;
  return conflict(`cannot remove container "/${live.record.name}": ${why}`);
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
  live.removing = true;
  failpoint("remove.asked");
  try {
    await live.log?.drained();
    await live.log?.close();
    keepLinkedName(context, live.record);
    if (options.volumes) context.volumes.tie(anonymousVolumes(live.record.settings.mounts), live.id);
    context.store.together(() => {
      context.networks.forget(live.id);
      context.store.remove(live.record);
    });
  } catch (error) {
    context.volumes.release(live.id);
    live.removing = false;
    settleWaiters(live, (waiter) => waiter.condition === "removed", messageOf(error));
    throw error;
  }
  live.removed = true;
  failpoint("remove.written");
  for (const exec of live.execs.values()) context.execs.delete(exec.id);
  for (const pending of live.pending) pending.abandon();
  live.pending.clear();
  context.live.delete(live.id);
  await discardState(context, live.id).catch((error: unknown) =>
    log.warn("a container's directory is left to the next start", { container: live.id, error }),
  );
  failpoint("remove.discarded");
  const { imageId, mounts } = live.record.settings;
  if (options.volumes) await dropMounts(context, live.id, mounts);
  context.publish(live, "destroy");
  settleWaiters(live, () => true);
  const images = new Set([imageId, ...mounts.flatMap((mount) => (mount.type === "image" ? [mount.imageId] : []))]);
  for (const image of images) context.inBackground("letting go of an image", context.images.release(image));
}
