/** What the user mounts: `-v`, `--mount` and `--tmpfs`, parsed and checked in Docker's words. */
import { statSync } from "node:fs";
import { normalize } from "node:path";
import { invalidParameter, notImplemented } from "../base/base.ts";
import type { HostConfig, Mount, MountPoint } from "../spec/spec.ts";

export const propagations = ["private", "rprivate", "shared", "rshared", "slave", "rslave"] as const;
export type Propagation = (typeof propagations)[number];

export interface BindMount {
  readonly type: "bind";
  readonly source: string;
  readonly target: string;
  readonly writable: boolean;
  /** Read-only covers the mounts below too. */
  readonly readonlyRecursive: boolean;
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

export type UserMount = BindMount | TmpfsMount;

const isPropagation = (word: string): word is Propagation => (propagations as readonly string[]).includes(word);

function checkTarget(target: string, whole: string): string {
  if (!target.startsWith("/"))
    throw invalidParameter(`invalid volume specification: '${whole}': invalid mount path: '${target}' mount path must be absolute`);
  const clean = cleanPath(target);
  if (clean === "/") throw invalidParameter(`invalid volume specification: '${whole}': invalid specification: destination can't be '/'`);
  return clean;
}

/** Without `.`, `..`, doubled and trailing slashes. */
export function cleanPath(path: string): string {
  const clean = normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

/** `src:dst[:mode]`; the mode is a list of ro, rw, z, Z, nocopy, consistency and propagation words. */
export function parseBind(text: string): BindMount {
  const parts = text.split(":");
  const [source = "", target, mode = ""] = parts;
  if (
    target === undefined ||
    source === "" ||
    target === "" ||
    parts.length > 3 ||
    (parts.length === 3 && mode === "" && text.endsWith("::"))
  )
    throw invalidParameter(`invalid volume specification: '${text}'`);
  if (!source.startsWith("/")) {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(source))
      throw invalidParameter(
        `invalid volume specification: '${text}': "${source}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
      );
    throw notImplemented(`named volumes are not supported yet: '${text}'`);
  }
  let propagation: Propagation | undefined;
  let access: string | undefined;
  for (const word of mode.split(",").filter(Boolean)) {
    if (isPropagation(word) && propagation === undefined) propagation = word;
    else if ((word === "ro" || word === "rw") && access === undefined) access = word;
    else if (!/^(z|Z|consistent|cached|delegated)$/.test(word))
      throw invalidParameter(`invalid volume specification: '${text}': invalid mode: ${mode}`);
  }
  return {
    type: "bind",
    source: cleanPath(source),
    target: checkTarget(target, text),
    writable: access !== "ro",
    readonlyRecursive: access === "ro",
    recursive: true,
    propagation: propagation ?? "rprivate",
    createSource: true,
    mode,
  };
}

function invalidMount(mount: Mount, why: string): Error {
  return invalidParameter(`invalid mount config for type "${mount.Type ?? ""}": ${why}`);
}

function parseBindMount(mount: Mount, target: string): BindMount {
  const source = mount.Source ?? "";
  const options = mount.BindOptions ?? {};
  if (source === "") throw invalidMount(mount, "field Source must not be empty");
  if (!source.startsWith("/")) throw invalidMount(mount, `invalid mount path: '${source}' mount path must be absolute`);
  if (mount.TmpfsOptions) throw invalidMount(mount, "field TmpfsOptions must not be specified");
  if (mount.VolumeOptions) throw invalidMount(mount, "field VolumeOptions must not be specified");
  const propagation = options.Propagation || "rprivate";
  if (!isPropagation(propagation)) throw invalidMount(mount, `invalid propagation mode: ${String(propagation)}`);
  if (options.ReadOnlyForceRecursive && options.ReadOnlyNonRecursive)
    throw invalidMount(mount, "ReadOnlyNonRecursive and ReadOnlyForceRecursive are mutually exclusive");
  if (!mount.ReadOnly && (options.ReadOnlyForceRecursive || options.ReadOnlyNonRecursive))
    throw invalidMount(
      mount,
      `mount source is not read-only: ${options.ReadOnlyForceRecursive ? "ReadOnlyForceRecursive" : "ReadOnlyNonRecursive"}`,
    );
  if (options.ReadOnlyForceRecursive && propagation !== "rprivate")
    throw invalidMount(mount, "ReadOnlyForceRecursive is only supported for Propagation=RPRIVATE");
  return {
    type: "bind",
    source: cleanPath(source),
    target,
    writable: mount.ReadOnly !== true,
    readonlyRecursive: mount.ReadOnly === true && options.ReadOnlyNonRecursive !== true,
    recursive: options.NonRecursive !== true,
    propagation,
    createSource: options.CreateMountpoint === true,
    mode: "",
  };
}

function parseTmpfsMount(mount: Mount, target: string): TmpfsMount {
  const { SizeBytes: size, Mode: mode, Options: words } = mount.TmpfsOptions ?? {};
  if ((mount.Source ?? "") !== "") throw invalidMount(mount, "field Source must not be specified");
  if (mount.BindOptions) throw invalidMount(mount, "field BindOptions must not be specified");
  if (size !== undefined && size < 0) throw invalidMount(mount, "tmpfs size must not be negative");
  const options = [
    ...(mount.ReadOnly === true ? ["ro"] : []),
    ...(size ? [`size=${size}`] : []),
    ...(mode ? [`mode=${mode.toString(8)}`] : []),
    ...(words ?? []).map((pair) => pair.join("=")),
  ];
  return { type: "tmpfs", target, options: tmpfsOptions(options), listed: true };
}

export function parseMount(mount: Mount): UserMount {
  const target = mount.Target ?? "";
  if (target === "") throw invalidMount(mount, "field Target must not be empty");
  if (!target.startsWith("/")) throw invalidMount(mount, `invalid mount path: '${target}' mount path must be absolute`);
  const clean = cleanPath(target);
  if (clean === "/") throw invalidMount(mount, "invalid specification: destination can't be '/'");
  switch (mount.Type) {
    case "bind":
      return parseBindMount(mount, clean);
    case "tmpfs":
      return parseTmpfsMount(mount, clean);
    case "volume":
    case "image":
    case "cluster":
    case "npipe":
      throw notImplemented(`mounts of type "${mount.Type}" are not supported yet`);
    default:
      throw invalidParameter("mount type unknown");
  }
}

const tmpfsDefaults = ["noexec", "nosuid", "nodev"];
const opposite: Readonly<Record<string, string>> = {
  exec: "noexec",
  suid: "nosuid",
  dev: "nodev",
  ro: "rw",
  sync: "async",
  atime: "noatime",
};
const tmpfsFlags = new Set([
  ...Object.entries(opposite).flat(),
  "diratime",
  "nodiratime",
  "relatime",
  "norelatime",
  "strictatime",
  "nostrictatime",
]);
const tmpfsData = new Set(["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"]);

/** Docker's defaults with the user's words in their place. @throws InvalidParameter */
export function tmpfsOptions(words: readonly string[]): string[] {
  const kept = new Map(tmpfsDefaults.map((word) => [word, word]));
  for (const word of words.filter(Boolean)) {
    const key = word.split("=")[0] ?? "";
    const isData = word.includes("=") && tmpfsData.has(key);
    const isFlag = tmpfsFlags.has(word) || propagations.includes(word as Propagation) || word === "tmpcopyup" || word === "notmpcopyup";
    if (!isData && !isFlag) throw invalidParameter(`Invalid tmpfs option ${JSON.stringify(word)}`);
    const contrary = opposite[word] ?? Object.keys(opposite).find((other) => opposite[other] === word);
    if (contrary !== undefined) kept.delete(contrary);
    if (isData) kept.delete(key);
    kept.set(isData ? key : word, word);
  }
  return [...kept.values()];
}

/**
 * All that the user mounts, in the order given.
 * @throws InvalidParameter `Duplicate mount point: /x` and whatever a single one says
 */
export function userMounts(hostConfig: HostConfig): UserMount[] {
  const mounts: UserMount[] = [...(hostConfig.Binds ?? []).map(parseBind), ...(hostConfig.Mounts ?? []).map(parseMount)];
  for (const [path, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    if (!path.startsWith("/")) throw invalidParameter(`invalid mount path: '${path}' mount path must be absolute`);
    const target = cleanPath(path);
    if (target === "/") throw invalidParameter("invalid specification: destination can't be '/'");
    mounts.push({ type: "tmpfs", target, options: tmpfsOptions(options.split(",")), listed: false });
  }
  const seen = new Set<string>();
  for (const { target } of mounts) {
    if (seen.has(target)) throw invalidParameter(`Duplicate mount point: ${target}`);
    seen.add(target);
  }
  return mounts;
}

/** @throws InvalidParameter when the source of a `--mount type=bind` is missing */
export function assertSourcesExist(mounts: readonly UserMount[]): void {
  for (const mount of mounts) {
    if (mount.type !== "bind" || mount.createSource) continue;
    // One stat of a path that the user names, before anything is made; the mount itself would fail the same way later.
    if (statSync(mount.source, { throwIfNoEntry: false }) === undefined)
      throw invalidParameter(`invalid mount config for type "bind": bind source path does not exist: ${mount.source}`);
  }
}

function inspectMount(mount: UserMount): MountPoint | undefined {
  switch (mount.type) {
    case "bind": {
      const { source, target, mode, writable, propagation } = mount;
      return { Type: "bind", Source: source, Destination: target, Mode: mode, RW: writable, Propagation: propagation };
    }
    case "tmpfs":
      if (!mount.listed) return undefined;
      return { Type: "tmpfs", Source: "", Destination: mount.target, Mode: "", RW: !mount.options.includes("ro"), Propagation: "" };
  }
}

/** As `docker inspect` lists them. */
export function inspectMounts(mounts: readonly UserMount[]): MountPoint[] {
  return mounts.map(inspectMount).filter((one) => one !== undefined);
}
