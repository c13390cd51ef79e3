/** The mounts of a container to be: what the request, other containers and the image ask for, joined, with their volumes. */
import { type ContainerId, conflict, type Digest, invalidParameter, isEngineError, log, messageOf } from "../base/base.ts";
import type { ContainerConfig, HostConfig } from "../spec/spec.ts";
import {
  assertSourcesExist,
  type ContainerMount,
  cleanPath,
  type MountRequest,
  mountRequests,
  parseVolumesFrom,
  type VolumeMount,
  type VolumeMountRequest,
} from "../volumes/volumes.ts";
import type { EngineContext } from "./context.ts";

export interface MountOwner {
  readonly id: ContainerId;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** DiffIDs of its image, base first. */
  readonly layers: readonly Digest[];
}

const nobody: readonly ContainerMount[] = [];

/**
 * Finds out what a container to be has mounted, and makes its volumes: from `VolumesFrom`, then what the request asks
 * for, then the volumes of image and request that have no mount yet. New, empty volumes get what the image has there.
 * The volumes are held for the container until `context.volumes.release`.
 */
export async function createMounts(context: EngineContext, owner: MountOwner): Promise<readonly ContainerMount[]> {
  const { config, hostConfig, id } = owner;
  const requests = mountRequests(hostConfig, context.dataRoot);
  const from = hostConfig.VolumesFrom ?? [];
  const own = Object.keys(config.Volumes ?? {});
  if (requests.length === 0 && from.length === 0 && own.length === 0) return nobody;
  await assertSourcesExist(requests);
  const mounts = new Map<string, ContainerMount>();
  const copies: (readonly [volume: string, path: string, isOwn: boolean])[] = [];
  try {
    for (const mount of from.flatMap((text) => mountsOf(context, text))) {
      if (mount.type === "volume") await context.volumes.create({ Name: mount.name }, id);
      mounts.set(mount.target, mount);
    }
    for (const request of requests) mounts.set(placeOf(request), await resolve(context, id, request));
    for (const request of requests) {
      const mount = mounts.get(request.target);
      if (request.type === "volume" && request.copy && mount?.type === "volume") copies.push([mount.name, request.target, false]);
    }
    for (const target of own.map((path) => cleanPath(`/${path}`))) {
      if (target === "/") throw invalidParameter(`invalid volume specification: '/': invalid specification: destination can't be '/'`);
      if (mounts.has(target)) continue;
      const mount = await makeVolume(context, id, { ...ownVolume, driver: hostConfig.VolumeDriver ?? "", target });
      mounts.set(target, mount);
      copies.push([mount.name, target, true]);
    }
    await copyUp(context, owner, copies);
  } catch (error) {
    await dropMounts(context, id, [...mounts.values()]);
    throw error;
  }
  return [...mounts.values()];
}

/** A tmpfs of `--tmpfs` lies over a volume of the image or another container, which the container has all the same. */
function placeOf(request: MountRequest): string {
  return request.type === "tmpfs" && !request.listed ? `tmpfs on ${request.target}` : request.target;
}

const ownVolume: Omit<VolumeMountRequest, "target" | "driver"> = {
  type: "volume",
  name: "",
  writable: true,
  subpath: "",
  mode: "",
  copy: true,
};

/** The mounts of another container. That it is missing must not read as if the image were: clients would pull it. */
function mountsOf(context: EngineContext, text: string): ContainerMount[] {
  const { container, writable } = parseVolumesFrom(text);
  try {
    const { mounts } = context.store.find(container).settings;
    return mounts.flatMap((mount): ContainerMount[] => {
      if (mount.type === "image") return [mount];
      if (mount.type === "tmpfs") return mount.listed ? [mount] : [];
      return [{ ...mount, writable: mount.writable && writable, mode: "" }];
    });
  } catch (error) {
    throw invalidParameter(messageOf(error), error);
  }
}

async function resolve(context: EngineContext, id: ContainerId, request: MountRequest): Promise<ContainerMount> {
  switch (request.type) {
    case "bind":
    case "tmpfs":
      return request;
    case "volume":
      // Docker's mode of a volume that its user gave none.
      return await makeVolume(context, id, { ...request, mode: request.mode || "z" });
    case "image":
      return { ...request, imageId: context.images.resolve(request.reference).id };
  }
}

async function makeVolume(context: EngineContext, id: ContainerId, request: VolumeMountRequest): Promise<VolumeMount> {
  const { name, driver, options, labels, target, writable, subpath, mode } = request;
  const volume = await context.volumes.create(
    {
      Name: name,
      Driver: driver,
      ...(options === undefined ? {} : { DriverOpts: { ...options } }),
      ...(labels === undefined ? {} : { Labels: { ...labels } }),
    },
    id,
  );
  return { type: "volume", name: volume.Name, driver: volume.Driver, anonymous: name === "", target, writable, subpath, mode };
}

async function copyUp(
  context: EngineContext,
  { id, layers }: MountOwner,
  copies: readonly (readonly [volume: string, path: string, isOwn: boolean])[],
): Promise<void> {
  if (copies.length === 0) return;
  await using _hold = await context.images.hold();
  const lower = [context.mountPointsLayer, ...(await context.layers.lower(layers))];
  for (const [volume, path, isOwn] of copies) {
    const found = await context.volumes.populate(volume, lower, path, id);
    if (found === "other" && isOwn)
      throw conflict(`cannot mount volume over existing file, file exists ${context.statePath(id)}/merged${path}`);
  }
}

/** Names of the volumes that nobody named. */
export function anonymousVolumes(mounts: readonly ContainerMount[]): string[] {
  return mounts.flatMap((mount) => (mount.type === "volume" && mount.anonymous ? [mount.name] : []));
}

/** Lets go of the volumes of a container that did not come about, or is gone, and removes those that nobody named. */
export async function dropMounts(context: EngineContext, id: ContainerId, mounts: readonly ContainerMount[]): Promise<void> {
  if (mounts.length === 0) return;
  for (const name of anonymousVolumes(mounts)) {
    await context.volumes.remove(name, { force: true, from: id }).catch((error: unknown) => {
      // Another container has it too.
      if (!isEngineError(error, "Conflict")) log.warn("a container's volume could not be removed", { volume: name, error });
    });
  }
  context.volumes.release(id);
}
