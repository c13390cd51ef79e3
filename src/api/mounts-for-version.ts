import { invalidParameter } from "../base/base.ts";
import type { Mount } from "../spec/spec.ts";

/** Since when there are the options of mounts: minor versions of the API. */
const createMountpointSince = 42;
const recursiveReadonlySince = 44;
const subpathSince = 45;
const tmpfsOptionsSince = 46;
const imagesSince = 48;

function bindFor(mount: Mount, minor: number): Mount {
  const { CreateMountpoint: create, ReadOnlyNonRecursive: single, ReadOnlyForceRecursive: force, ...options } = mount.BindOptions ?? {};
  const made = minor >= createMountpointSince && create !== undefined ? { CreateMountpoint: create } : {};
  // Read-only went for the top alone.
  if (minor < recursiveReadonlySince && mount.ReadOnly === true)
    return { ...mount, BindOptions: { ...options, ...made, ReadOnlyNonRecursive: true } };
  if (minor < recursiveReadonlySince) return mount.BindOptions === undefined ? mount : { ...mount, BindOptions: { ...options, ...made } };
  return mount;
}

/**
 * What dockerd makes of a mount that a client of that version asks for.
 * @throws InvalidParameter for what it must not pass over
 */
export function mountForVersion(mount: Mount, minor: number): Mount {
  switch (mount.Type) {
    case "bind":
      return bindFor(mount, minor);
    case "volume":
      if (minor < subpathSince && mount.VolumeOptions?.Subpath) throw invalidParameter("VolumeOptions.Subpath needs API v1.45 or newer");
      return mount;
    case "tmpfs": {
      if (minor >= tmpfsOptionsSince || mount.TmpfsOptions?.Options === undefined) return mount;
      const { Options: _, ...options } = mount.TmpfsOptions;
      return { ...mount, TmpfsOptions: options };
    }
    case "image":
      if (minor < imagesSince) throw invalidParameter('Mount type "Image" needs API v1.48 or newer');
      return mount;
    default:
      return mount;
  }
}
