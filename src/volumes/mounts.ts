/** The mounts of a container: as its request asks for them, and as they are kept with it. */
import type { Digest } from "../base/base.ts";

export const propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave"] as const;
export type Propagation = (typeof propagations)[number];

export interface BindMount {
  readonly type: "bind";
  readonly source: string;
  readonly target: string;
  readonly writable: boolean;
  /** How far read-only goes: `force` is an error where the kernel cannot make the mounts below read-only too. */
  readonly readonly: "single" | "recursive" | "force";
  readonly recursive: boolean;
  readonly propagation: Propagation;
  /** `-v` makes a missing source, `--mount` refuses it. */
  readonly createSource: boolean;
  /** As the user wrote it, for inspect. */
  readonly mode: string;
}

export interface TmpfsMount {
  readonly type: "tmpfs";
  readonly target: string;
  /** Mount words, defaults included. */
  readonly options: readonly string[];
  /** From `Mounts`: inspect lists it; `--tmpfs` it does not. */
  readonly listed: boolean;
}

interface AnyVolumeMount {
  readonly type: "volume";
  readonly target: string;
  readonly writable: boolean;
  /** Directory of the volume to mount; "": all of it. */
  readonly subpath: string;
  readonly mode: string;
}

export interface VolumeMountRequest extends AnyVolumeMount {
  /** "": a volume of the container's own, without a name. */
  readonly name: string;
  /** "": of whatever driver it is. */
  readonly driver: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether an empty volume gets what the image has at the target. */
  readonly copy: boolean;
}

export interface VolumeMount extends AnyVolumeMount {
  readonly name: string;
  readonly driver: string;
  /** The container did not name it: it goes with the container if that is asked for. */
  readonly anonymous: boolean;
}

export interface ImageMountRequest {
  readonly type: "image";
  /** The image as the user named it. */
  readonly reference: string;
  readonly target: string;
  readonly subpath: string;
}

export interface ImageMount extends ImageMountRequest {
  readonly imageId: Digest;
}

export type MountRequest = BindMount | TmpfsMount | VolumeMountRequest | ImageMountRequest;
export type ContainerMount = BindMount | TmpfsMount | VolumeMount | ImageMount;
