/** One of `HostConfig.Mounts`: `--mount`, checked in Docker's words. */
import { normalize } from "node:path";
import { invalidParameter } from "../base/base.ts";
import type { Mount } from "../spec/spec.ts";
import {
  type BindMount,
  type ImageMountRequest,
  type MountRequest,
  type Propagation,
  propagations,
  type TmpfsMount,
  type VolumeMountRequest,
} from "./mounts.ts";
import { tmpfsOptions } from "./tmpfs-options.ts";

export const isPropagation = (word: string): word is Propagation => (propagations as readonly string[]).includes(word);

/** Without `.`, `..`, doubled and trailing slashes. @throws InvalidParameter for what no path can be */
export function cleanPath(path: string): string {
  if (path.includes("\0")) throw invalidParameter(`invalid mount path: ${JSON.stringify(path)}: invalid argument`);
  const clean = normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

function invalidMount(mount: Mount, why: string): Error {
  return invalidParameter(`invalid mount config for type "${mount.Type ?? ""}": ${why}`);
}

function assertAbsolute(mount: Mount, path: string): void {
  if (!path.startsWith("/")) throw invalidMount(mount, `invalid mount path: '${path}' mount path must be absolute`);
}

export function targetOf(mount: Mount): string {
  const target = mount.Target ?? "";
  if (target === "") throw invalidMount(mount, "field Target must not be empty");
  const clean = cleanPath(target);
  if (clean === "/") throw invalidMount(mount, "invalid specification: destination can't be '/'");
  assertAbsolute(mount, target);
  return clean;
}

/** Is one of them the other, or within it? */
export function overlaps(one: string, other: string): boolean {
  const isWithin = (path: string, above: string): boolean => above === "/" || path === above || path.startsWith(`${above}/`);
  return isWithin(one, other) || isWithin(other, one);
}

/**
 * Mounts of the data root hold on to what is mounted there, unless they learn of its end: they are slaves.
 * @throws InvalidParameter for one that is to be private
 */
function propagationOf(mount: Mount, source: string, dataRoot: string | undefined): Propagation {
  const given: string = mount.BindOptions?.Propagation ?? "";
  if (given !== "" && !isPropagation(given)) throw invalidMount(mount, `invalid propagation mode: ${given}`);
  if (dataRoot === undefined || !overlaps(source, dataRoot)) return given || "rprivate";
  if (given === "" || given === "rslave" || given === "rshared") return given || "rslave";
  throw invalidParameter(
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: ${JSON.stringify(dataRoot)}, bind mount source: ${JSON.stringify(source)}, propagation: ${JSON.stringify(given)}`,
  );
}

const optionsOf = { bind: "BindOptions", volume: "VolumeOptions", image: "ImageOptions", tmpfs: "TmpfsOptions" } as const;

/** Each kind of mount has its own options and no others. */
function assertOwnOptions(mount: Mount, kind: keyof typeof optionsOf): void {
  for (const field of ["BindOptions", "VolumeOptions", "ImageOptions"] as const) {
    if (field !== optionsOf[kind] && mount[field]) throw invalidMount(mount, `field ${field} must not be specified`);
  }
}

/** Relative and not out of where it starts. */
function isLocal(path: string): boolean {
  const clean = normalize(path);
  return !path.startsWith("/") && clean !== ".." && !clean.startsWith("../");
}

function subpathOf(mount: Mount, subpath: string | undefined): string {
  const given = subpath ?? "";
  if (given !== "" && !isLocal(given)) throw invalidMount(mount, "subpath must be a relative path within the volume");
  return given === "" ? "" : cleanPath(given);
}

function readonlyOf(mount: Mount): BindMount["readonly"] {
  const { ReadOnlyNonRecursive: single, ReadOnlyForceRecursive: force, Propagation: propagation } = mount.BindOptions ?? {};
  if (single && force) throw invalidMount(mount, "ReadOnlyNonRecursive and ReadOnlyForceRecursive are mutually exclusive");
  if (!mount.ReadOnly && (single || force)) {
    throw invalidMount(mount, `mount source is not read-only: ${force ? "ReadOnlyForceRecursive" : "ReadOnlyNonRecursive"}`);
  }
  if (force && propagation !== undefined && propagation !== "rprivate")
    throw invalidMount(mount, "ReadOnlyForceRecursive is only supported for Propagation=RPRIVATE");
  if (single) return "single";
  return force ? "force" : "recursive";
}

export function parseBindMount(mount: Mount, target: string, dataRoot: string | undefined): BindMount {
  const options = mount.BindOptions ?? {};
  if ((mount.Source ?? "") === "") throw invalidMount(mount, "field Source must not be empty");
  const source = cleanPath(mount.Source ?? "");
  const propagation = propagationOf(mount, source, dataRoot);
  assertOwnOptions(mount, "bind");
  assertAbsolute(mount, source);
  return {
    type: "bind",
    source,
    target,
    writable: mount.ReadOnly !== true,
    readonly: readonlyOf(mount),
    recursive: options.NonRecursive !== true,
    propagation,
    createSource: options.CreateMountpoint === true,
    mode: "",
  };
}

export function parseVolumeMount(mount: Mount, target: string): VolumeMountRequest {
  assertOwnOptions(mount, "volume");
  const { Source: name = "", VolumeOptions: options = {} } = mount;
  if (name === "" && options.Subpath) throw invalidMount(mount, "subpath must not be set when using anonymous volumes");
  const subpath = subpathOf(mount, options.Subpath);
  if (name === "" && mount.ReadOnly) throw invalidMount(mount, "must not set ReadOnly mode when using anonymous volumes");
  return {
    type: "volume",
    name,
    driver: options.DriverConfig?.Name ?? "",
    ...(options.DriverConfig?.Options === undefined ? {} : { options: options.DriverConfig.Options }),
    ...(options.Labels === undefined ? {} : { labels: options.Labels }),
    target,
    writable: mount.ReadOnly !== true,
    copy: options.NoCopy !== true,
    subpath,
    mode: "",
  };
}

function parseImageMount(mount: Mount, target: string): ImageMountRequest {
  assertOwnOptions(mount, "image");
  const reference = mount.Source ?? "";
  if (reference === "") throw invalidMount(mount, "field Source must not be empty");
  return { type: "image", reference, target, subpath: subpathOf(mount, mount.ImageOptions?.Subpath) };
}

function parseTmpfsMount(mount: Mount, target: string): TmpfsMount {
  assertOwnOptions(mount, "tmpfs");
  const { SizeBytes: size, Mode: mode, Options: words } = mount.TmpfsOptions ?? {};
  if ((mount.Source ?? "") !== "") throw invalidMount(mount, "field Source must not be specified");
  if (size !== undefined && size < 0) throw invalidMount(mount, "tmpfs size must not be negative");
  const options = [
    ...(mount.ReadOnly === true ? ["ro"] : []),
    ...(size ? [`size=${size}`] : []),
    ...(mode ? [`mode=${mode.toString(8)}`] : []),
    ...(words ?? []).map((pair) => pair.join("=")),
  ];
  return { type: "tmpfs", target, options: tmpfsOptions(options), listed: true };
}

/** One of `HostConfig.Mounts`. @throws InvalidParameter `invalid mount config for type "x": …` */
export function parseMount(mount: Mount, dataRoot?: string): MountRequest {
  const target = targetOf(mount);
  switch (mount.Type) {
    case "bind":
      return parseBindMount(mount, target, dataRoot);
    case "volume":
      return parseVolumeMount(mount, target);
    case "tmpfs":
      return parseTmpfsMount(mount, target);
    case "image":
      return parseImageMount(mount, target);
    default:
      throw invalidMount(mount, "mount type unknown");
  }
}
