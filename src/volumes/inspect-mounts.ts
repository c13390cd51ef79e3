import type { MountPoint } from "../spec/spec.ts";
import type { ContainerMount } from "./mounts.ts";

function inspectMount(mount: ContainerMount, sourceOf: (volume: string) => string): MountPoint | undefined {
  switch (mount.type) {
    case "bind": {
      const { source, target, mode, writable, propagation } = mount;
      return { Type: "bind", Source: source, Destination: target, Mode: mode, RW: writable, Propagation: propagation };
    }
    case "volume": {
      const { name, target, driver, mode, writable } = mount;
      return {
        Type: "volume",
        Name: name,
        Source: sourceOf(name),
        Destination: target,
        Driver: driver,
        Mode: mode,
        RW: writable,
        Propagation: "",
      };
    }
    case "tmpfs":
      if (!mount.listed) return undefined;
      return { Type: "tmpfs", Source: "", Destination: mount.target, Mode: "", RW: !mount.options.includes("ro"), Propagation: "" };
    case "image":
      return { Type: "image", Name: mount.reference, Source: "", Destination: mount.target, Mode: "", RW: false, Propagation: "" };
  }
}

/** As `docker inspect` lists them. @param sourceOf directory of a volume */
export function inspectMounts(mounts: readonly ContainerMount[], sourceOf: (volume: string) => string): MountPoint[] {
  return mounts.map((mount) => inspectMount(mount, sourceOf)).filter((one) => one !== undefined);
}
