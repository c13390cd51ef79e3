import type { Readable } from "node:stream";
import { notFound } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import type { TreeView } from "../kernel/kernel.ts";
import { launchFailureOf } from "../kernel/launch-failure.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";
import { detachVolumes, publishVolumeMounts, publishVolumeUnmounts, startMounts } from "./start-mounts.ts";

/** `mounts`: with the container's volumes and binds, as `docker cp` shows it. */
export interface ViewOptions {
  readonly mounts: boolean;
}

/**
 * Does `work` on a container's file system. One that does not run is kept from starting meanwhile: two overlays of the
 * same directories would not know of each other. One that runs is looked at beside its processes and nobody is held up;
 * should it end before the view is made, it is one that does not run.
 */
export async function onView<T>(
  context: EngineContext,
  live: LiveContainer,
  options: ViewOptions,
  work: (view: TreeView) => Promise<T>,
): Promise<T> {
  const besideProcesses = async (): Promise<{ readonly result: T } | undefined> => {
    const { run } = live;
    if (!isActive(live.record.status.state) || run === undefined) return undefined;
    try {
      return { result: await withView(context, live, { ...options, running: true }, work) };
    } catch (error) {
      if (launchFailureOf(error)?.stage !== "running") throw error;
      await run.exited;
      return undefined;
    }
  };
  const seen = await besideProcesses();
  if (seen !== undefined) return seen.result;
  return await live.lock.run(async () => {
    // It may have been removed or started while this waited for its turn.
    if (live.removed) throw notFound(`No such container: ${live.id}`);
    const now = await besideProcesses();
    return now === undefined ? await withView(context, live, { ...options, running: false }, work) : now.result;
  });
}

/** Holders of volumes while a view is made and used. */
let views = 0;

/** Makes the view, and lets go of its volumes when `work` has ended. */
async function withView<T>(
  context: EngineContext,
  live: LiveContainer,
  { running, mounts }: ViewOptions & { running: boolean },
  work: (view: TreeView) => Promise<T>,
): Promise<T> {
  const holder = `view-${++views}`;
  const base = { containerId: live.id, statePath: context.statePath(live.id), running };
  const lower = running ? [] : [context.mountPointsLayer, ...(await context.layers.lower(live.record.settings.layers))];
  try {
    const shown = mounts ? await startMounts(context, live, holder) : undefined;
    const view = await context.runtime.view({ ...base, lower, mounts: shown });
    if (!mounts) return await work(view);
    publishVolumeMounts(context, live);
    try {
      return await work(view);
    } finally {
      publishVolumeUnmounts(context, live);
    }
  } finally {
    if (mounts) await detachVolumes(context, live, holder);
  }
}

/** Like {@link onView} for work that gives a stream: the container is kept until the stream has ended or is destroyed. */
export async function streamFromView<T extends { readonly tar: Readable }>(
  context: EngineContext,
  live: LiveContainer,
  options: ViewOptions,
  work: (view: TreeView) => Promise<T>,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  onView(context, live, options, async (view) => {
    const answer = await work(view);
    const closed = new Promise<void>((done) => answer.tar.once("close", done));
    resolve(answer);
    await closed;
  }).catch(reject);
  return await promise;
}
