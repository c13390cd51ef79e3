/**
 * Volumes: directories that outlive containers, `<data-root>/volumes/<name>/_data`, and the mounts of containers.
 *
 * Life cycle of a volume. `create` makes its directory, then its row: a directory without a row is an unfinished one,
 * and the next start takes it away if it is empty (never otherwise: it may be somebody's data). Containers refer to
 * volumes by name in their own records, which are asked whether a volume is in use; a container that is about to be
 * created *holds* its volumes until it has a record. `remove` marks the row, renames the directory into the trash and
 * deletes the row; a mark that is found at the start is carried out.
 *
 * A volume with options of the `local` driver is mounted when the first container that uses it starts, and unmounted
 * when the last has ended: in the engine's own mount namespace, so that all of them see one file system and the host's
 * mount table shows nothing (docs/adr/0003, docs/adr/0007).
 */
import type { Filters } from "../base/base.ts";
import type { Volume, VolumeCreateOptions, VolumePruneResponse } from "../spec/spec.ts";

export interface Volumes {
  /**
   * Makes a volume or finds it: the name is all that counts. Without a name it gets one and is anonymous.
   * @param holder a container to be: nobody can remove the volume until `release`
   * @throws InvalidParameter for a name or options that are no good; Conflict when the name is another driver's
   */
  create(request: VolumeCreateOptions, holder?: string): Promise<Volume>;
  /** Lets go of everything that `holder` holds, and of what was to go with it. */
  release(holder: string): void;
  /**
   * Before the record of a container is removed, with its volumes: should the daemon be killed in between, these are
   * removed at the next start, if no container has them then. What `create` makes anonymous is tied to its holder.
   */
  tie(names: readonly string[], container: string): void;
  /** @throws NotFound `get x: no such volume` */
  inspect(name: string): Volume;
  /** By name. @throws InvalidParameter for filters that Docker does not have */
  list(filters: Filters): Volume[];
  /**
   * @param options `from`: a container that is about to go
   * @throws NotFound, unless `force`; Conflict `remove x: volume is in use - [ids]`
   */
  remove(name: string, options: { readonly force: boolean; readonly from?: string }): Promise<void>;
  /** Removes what no container uses of the volumes without options: anonymous ones, with the filter `all=1` every one. */
  prune(filters: Filters): Promise<VolumePruneResponse>;
  /** Those without options, with their `UsageData`, for `df`. */
  usage(): Promise<Volume[]>;
  /**
   * Copies what an image has at `path` into a volume, if that is empty: contents, owners, modes, times, attributes.
   * @param lower the image's file system, topmost first
   * @param holder the container that it is done for
   * @returns what the image has there
   */
  populate(name: string, lower: readonly string[], path: string, holder: string): Promise<"directory" | "other" | "nothing">;
  /** Makes it ready for a container that starts: mounts it if it is one to be mounted. */
  attach(name: string, containerId: string): Promise<VolumeSource>;
  /** The container has ended, or has not started. */
  detach(name: string, containerId: string): Promise<void>;
  /** At the daemon's start: which volumes running containers have. Others are unmounted. */
  reconcile(running: ReadonlyMap<string, ReadonlySet<string>>): Promise<void>;
  /** The daemon ends: what was removed and is not deleted yet is left to the next. */
  close(): void;
}

export interface VolumeSource {
  readonly path: string;
  /** It is to be seen in the engine's own mount namespace only. */
  readonly engineOnly: boolean;
}

/** Marks volumes that nobody named. */
export const anonymousLabel = "com.docker.volume.anonymous";

export { parseVolumesFrom } from "./bind-text.ts";
export * from "./inspect-mounts.ts";
export * from "./mount-requests.ts";
export * from "./mounts.ts";
export { cleanPath, overlaps } from "./parse-mount.ts";
