import { notFound, systemError } from "../base/base.ts";
import { mountOfPath } from "../kernel/mount-info.ts";
import type { UserMount } from "../runtime/runtime.ts";
import { type BindMount, type ContainerMount, overlaps, type Propagation } from "../volumes/volumes.ts";
import type { EngineContext } from "./context.ts";
import type { LiveContainer } from "./live-container.ts";

/**
 * What the runtime mounts for a container that starts. Its volumes are attached until `detachVolumes`.
 * @param holder who has the volumes, if not the container itself
 */
export async function startMounts(context: EngineContext, live: LiveContainer, holder: string = live.id): Promise<UserMount[]> {
  const { mounts } = live.record.settings;
  if (mounts.length === 0) return [];
  const covered = new Set(mounts.flatMap((mount) => (mount.type === "tmpfs" && !mount.listed ? [mount.target] : [])));
  const found: UserMount[] = [];
  for (const mount of mounts) {
    if (mount.type === "tmpfs" || !covered.has(mount.target)) found.push(await findMount(context, holder, mount));
  }
  return found;
}

async function findMount(context: EngineContext, holder: string, mount: ContainerMount): Promise<UserMount> {
  switch (mount.type) {
    case "tmpfs":
      return mount;
    case "bind":
      return { ...mount, propagation: await checkedPropagation(context, mount) };
    case "volume": {
      const { target, writable, subpath } = mount;
      const { path, engineOnly } = await context.volumes.attach(mount.name, holder);
      return {
        type: "bind",
        source: path,
        engineOnly,
        subpath,
        target,
        writable,
        readonly: "recursive",
        recursive: true,
        propagation: "rprivate",
      };
    }
    case "image": {
      const image = context.images.get(mount.imageId);
      if (image === undefined) throw notFound(`No such image: ${mount.reference}`);
      const lower = await context.layers.lower(image.config.rootfs.diff_ids);
      return { type: "image", lower, target: mount.target, subpath: mount.subpath };
    }
  }
}

/** Mounts can be shared only with a mount that is shared itself. @throws System in Docker's words */
async function checkedPropagation(context: EngineContext, { source, propagation, createSource }: BindMount): Promise<Propagation> {
  const wantsShared = propagation === "shared" || propagation === "rshared";
  const wantsSlave = propagation === "slave" || propagation === "rslave";
  if (!wantsShared && !wantsSlave) return propagation;
  const mount = await mountOfPath(source).catch((error: unknown) => {
    if (createSource) return undefined;
    throw error;
  });
  if (mount === undefined || mount.shared || (wantsSlave && mount.slave)) return propagation;
  // Whoever mounts the data root is given rslave unasked: that it cannot be had is no error.
  if (wantsSlave && overlaps(source, context.dataRoot)) return "rprivate";
  throw systemError(`path ${source} is mounted on ${mount.point} but it is not a shared${wantsSlave ? " or slave" : ""} mount`);
}

/** `volume mount` for each volume of a container that starts. */
export function publishVolumeMounts(context: EngineContext, live: LiveContainer): void {
  for (const mount of live.record.settings.mounts) {
    if (mount.type !== "volume") continue;
    context.events.publish("volume", "mount", mount.name, {
      container: live.id,
      destination: mount.target,
      driver: mount.driver,
      propagation: "",
      "read/write": String(mount.writable),
    });
  }
}

export function publishVolumeUnmounts(context: EngineContext, live: LiveContainer): void {
  for (const mount of live.record.settings.mounts) {
    if (mount.type === "volume") context.events.publish("volume", "unmount", mount.name, { container: live.id, driver: mount.driver });
  }
}

/** The container has ended, or has not started. */
export async function detachVolumes(context: EngineContext, live: LiveContainer, holder: string = live.id): Promise<void> {
  for (const mount of live.record.settings.mounts) {
    if (mount.type === "volume") await context.volumes.detach(mount.name, holder);
  }
}
