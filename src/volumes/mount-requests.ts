/** What the user mounts: `-v`, `--mount` and `--tmpfs`, parsed and checked in Docker's words. */
import { stat } from "node:fs/promises";
import { normalize } from "node:path";
import { errnoOf, invalidParameter, messageOf } from "../base/base.ts";
import type { HostConfig, Mount } from "../spec/spec.ts";
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

const isPropagation = (word: string): word is Propagation => (propagations as readonly string[]).includes(word);

/** Without `.`, `..`, doubled and trailing slashes. */
export function cleanPath(path: string): string {
  const clean = normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

function invalidMount(mount: Mount, why: string): Error {
  return invalidParameter(`invalid mount config for type "${mount.Type ?? ""}": ${why}`);
}

function assertAbsolute(mount: Mount, path: string): void {
  if (!path.startsWith("/")) throw invalidMount(mount, `invalid mount path: '${path}' mount path must be absolute`);
}

function targetOf(mount: Mount): string {
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

function parseBindMount(mount: Mount, target: string, dataRoot: string | undefined): BindMount {
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

function parseVolumeMount(mount: Mount, target: string): VolumeMountRequest {
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

type ModeKind = "access" | "label" | "propagation" | "copy" | "consistency";

function kindOf(word: string): ModeKind | undefined {
  if (word === "ro" || word === "rw") return "access";
  if (word === "z" || word === "Z") return "label";
  if (isPropagation(word)) return "propagation";
  if (word === "nocopy") return "copy";
  return word === "consistent" || word === "cached" || word === "delegated" ? "consistency" : undefined;
}

/** The words of a mode by what they are about, each at most once; undefined when it is no mode. "" is one of no words. */
export function parseMode(mode: string): ReadonlyMap<ModeKind, string> | undefined {
  const words = new Map<ModeKind, string>();
  if (mode === "") return words;
  for (const word of mode.split(",")) {
    const kind = kindOf(word);
    if (kind === undefined || words.has(kind)) return undefined;
    words.set(kind, word);
  }
  return words;
}

/**
 * One of `HostConfig.Binds`: `source:target[:mode]`, or a target alone. A source that is no absolute path names a volume.
 * @param given `volumeDriver`: of `--volume-driver`
 */
export function parseBind(
  text: string,
  { volumeDriver = "", dataRoot }: { readonly volumeDriver?: string; readonly dataRoot?: string } = {},
): BindMount | VolumeMountRequest {
  const parts = text.split(":");
  const [first = "", second, mode = ""] = parts;
  if (first === "" || parts.length > 3 || (parts.length === 2 && second !== undefined && parseMode(second) !== undefined))
    throw invalidParameter(`invalid volume specification: '${text}'`);
  const words = parseMode(mode);
  if (words === undefined) throw invalidParameter(`invalid mode: ${mode}`);
  const source = second === undefined ? "" : first;
  const propagation = words.get("propagation") as Propagation | undefined;
  const isBind = source.startsWith("/");
  const common = { Source: source, Target: second ?? first, ReadOnly: words.get("access") === "ro" };
  const bindOptions = propagation === undefined ? {} : { BindOptions: { Propagation: propagation } };
  try {
    if (isBind) {
      const mount = { Type: "bind" as const, ...common, ...bindOptions };
      return { ...parseBindMount(mount, targetOf(mount), dataRoot), createSource: true, mode };
    }
    const mount = {
      Type: "volume" as const,
      ...common,
      ...bindOptions,
      VolumeOptions: { NoCopy: words.has("copy"), ...(volumeDriver === "" ? {} : { DriverConfig: { Name: volumeDriver } }) },
    };
    return { ...parseVolumeMount(mount, targetOf(mount)), mode };
  } catch (error) {
    throw invalidParameter(`invalid volume specification: '${text}': ${messageOf(error)}`, error);
  }
}

/** One of `HostConfig.VolumesFrom`: `container[:mode]`. */
export function parseVolumesFrom(text: string): { readonly container: string; readonly writable: boolean } {
  if (text === "") throw invalidParameter("volumes-from specification cannot be an empty string");
  const colon = text.indexOf(":");
  const mode = colon < 0 ? "" : text.slice(colon + 1);
  const words = parseMode(mode);
  if (words === undefined || words.has("propagation") || words.has("copy")) throw invalidParameter(`invalid mode: ${mode}`);
  return { container: colon < 0 ? text : text.slice(0, colon), writable: words.get("access") !== "ro" };
}

/**
 * All that the user mounts but `Config.Volumes` and `VolumesFrom`, in the order given.
 * @param dataRoot mounts of it get a propagation of their own
 * @throws InvalidParameter `Duplicate mount point: /x` and whatever a single one says
 */
export function mountRequests(hostConfig: HostConfig, dataRoot: string): MountRequest[] {
  const volumeDriver = hostConfig.VolumeDriver ?? "";
  const requests: MountRequest[] = [
    ...(hostConfig.Binds ?? []).map((text) => parseBind(text, { volumeDriver, dataRoot })),
    ...(hostConfig.Mounts ?? []).map((mount) => parseMount(mount, dataRoot)),
  ];
  for (const [path, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    if (!path.startsWith("/")) throw invalidParameter(`invalid mount path: '${path}' mount path must be absolute`);
    const target = cleanPath(path);
    if (target === "/") throw invalidParameter("invalid specification: destination can't be '/'");
    requests.push({ type: "tmpfs", target, options: tmpfsOptions(options.split(",")), listed: false });
  }
  const seen = new Set<string>();
  for (const { target } of requests) {
    if (seen.has(target)) throw invalidParameter(`Duplicate mount point: ${target}`);
    seen.add(target);
  }
  return requests;
}

/** @throws InvalidParameter when the source of a `--mount type=bind` is missing */
export async function assertSourcesExist(requests: readonly MountRequest[]): Promise<void> {
  for (const request of requests) {
    if (request.type !== "bind" || request.createSource) continue;
    try {
      await stat(request.source);
    } catch (error) {
      const code = errnoOf(error);
      if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
      throw invalidParameter(`invalid mount config for type "bind": bind source path does not exist: ${request.source}`, error);
    }
  }
}
