/** OCI mounts as operations of the launch plan: fstab words become attributes, options and propagation. */
import type { HostOp, InitOp } from "../kernel/kernel.ts";
import type { SpecMount } from "../spec/spec.ts";

/** MOUNT_ATTR_* of mount_setattr(2). */
export const attribute = {
  readonly: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  atimeMask: 0x70,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
  nosymfollow: 0x200000,
} as const;

/** MS_* of mount(2), for propagation. */
const recursiveFlag = 0x4000;
const propagationFlags: Readonly<Record<string, number>> = { unbindable: 0x20000, private: 0x40000, slave: 0x80000, shared: 0x100000 };

const setWords: Readonly<Record<string, number>> = {
  ro: attribute.readonly,
  nosuid: attribute.nosuid,
  nodev: attribute.nodev,
  noexec: attribute.noexec,
  noatime: attribute.noatime,
  strictatime: attribute.strictatime,
  nodiratime: attribute.nodiratime,
  nosymfollow: attribute.nosymfollow,
};
const clearWords: Readonly<Record<string, number>> = {
  rw: attribute.readonly,
  suid: attribute.nosuid,
  dev: attribute.nodev,
  exec: attribute.noexec,
  relatime: attribute.atimeMask,
  atime: attribute.noatime,
  diratime: attribute.nodiratime,
};
/** Words that the kernel's own defaults say already. */
const silentWords = new Set(["defaults", "newinstance", "norelatime", "nostrictatime", "async", "notmpcopyup"]);

/** Words of ours, for what OCI has none. As with fstab(5), `x-` says that they are nothing for the kernel. */
export const extension = { subpath: "x-berth.subpath=", engineOnly: "x-berth.engine-only" } as const;

export interface MountWords {
  readonly set: number;
  readonly clear: number;
  /** The attributes go for the mounts below too (`rro`, `rnosuid`, …). */
  readonly recursive: boolean;
  /** MS_*, 0: leave. */
  readonly propagation: number;
  readonly bind: "none" | "single" | "recursive";
  readonly copyUp: boolean;
  /** Below the source of a bind or an image. */
  readonly subpath: string;
  /** The source is to be looked for in the engine's own mount namespace. */
  readonly engineOnly: boolean;
  /** For the file system itself. */
  readonly options: readonly string[];
}

export function readMountWords(words: readonly string[]): MountWords {
  let set = 0;
  let clear = 0;
  let recursive = false;
  let propagation = 0;
  let bind: MountWords["bind"] = "none";
  let copyUp = false;
  let subpath = "";
  let engineOnly = false;
  const options: string[] = [];
  for (const word of words) {
    const deep = word.startsWith("r") ? word.slice(1) : "";
    if (word === "bind") bind = "single";
    else if (word === "rbind") bind = "recursive";
    else if (word === "tmpcopyup") copyUp = true;
    else if (word.startsWith(extension.subpath)) subpath = word.slice(extension.subpath.length);
    else if (word === extension.engineOnly) engineOnly = true;
    else if (Object.hasOwn(setWords, word)) set |= setWords[word] ?? 0;
    else if (Object.hasOwn(clearWords, word)) clear |= clearWords[word] ?? 0;
    else if (Object.hasOwn(propagationFlags, word)) propagation = propagationFlags[word] ?? 0;
    else if (Object.hasOwn(propagationFlags, deep)) propagation = (propagationFlags[deep] ?? 0) | recursiveFlag;
    else if (Object.hasOwn(setWords, deep)) {
      set |= setWords[deep] ?? 0;
      recursive = true;
    } else if (Object.hasOwn(clearWords, deep)) {
      clear |= clearWords[deep] ?? 0;
      recursive = true;
    } else if (!silentWords.has(word)) options.push(word);
  }
  return { set, clear: clear & ~set, recursive, propagation, bind, copyUp, subpath, engineOnly, options };
}

/** Detached trees are taken on the host and attached in the container; a slot joins the two. */
export interface MountOperations {
  readonly prepare: HostOp[];
  readonly init: InitOp[];
}

function bindOperations(mount: SpecMount, words: MountWords, into: MountOperations): void {
  const { subpath, engineOnly } = words;
  const slot = into.prepare.length;
  into.prepare.push({
    op: "open-tree",
    slot,
    source: mount.source ?? "",
    subpath,
    recursive: words.bind === "recursive",
    ...(engineOnly ? { engineOnly } : {}),
  });
  attachSlot(slot, mount, words, into);
}

/** An overlay without an upper directory: an image. */
function imageOperations(mount: SpecMount, words: MountWords, into: MountOperations): void {
  const slot = into.prepare.length;
  const lower = words.options.filter((option) => option.startsWith(lowerKey)).map((option) => option.slice(lowerKey.length));
  into.prepare.push({ op: "image-tree", slot, lower, subpath: words.subpath });
  attachSlot(slot, mount, words, into);
}

const lowerKey = "lowerdir+=";

function attachSlot(slot: number, mount: SpecMount, words: MountWords, into: MountOperations): void {
  into.init.push({
    op: "attach-tree",
    slot,
    source: mount.source ?? "",
    target: mount.destination,
    create: "auto",
    set: words.set,
    clear: words.clear,
    recursive: words.recursive,
    propagation: words.propagation,
  });
}

/** A tmpfs over a directory that is there has its mode, unless it is given one. */
function fillOf(type: string, words: MountWords): { fill?: "copy" | "mode" } {
  if (words.copyUp) return { fill: "copy" };
  return type === "tmpfs" && !words.options.some((option) => option.startsWith("mode=")) ? { fill: "mode" } : {};
}

function fileSystemOperation(type: string, mount: SpecMount, words: MountWords): InitOp {
  return {
    op: "mount",
    type,
    source: mount.source ?? type,
    target: mount.destination,
    attributes: words.set,
    options: words.options,
    ...fillOf(type, words),
    create: "directory",
    ...(type === "mqueue" ? { optional: true } : {}),
  };
}

export interface CgroupView {
  readonly version: 1 | 2;
  /** Has the container a cgroup namespace of its own? */
  readonly namespaced: boolean;
  /** v1: directory name (`cpu,cpuacct`) → its controllers and the container's directory on the host. */
  readonly hierarchies: readonly { readonly name: string; readonly controllers: readonly string[]; readonly directory: string }[];
}

/**
 * v2 is one file system. v1 is a tmpfs with a directory a hierarchy: mounted afresh, where a cgroup namespace makes
 * the container's own group the root of it, else a bind of the container's group.
 */
function cgroupOperations(mount: SpecMount, words: MountWords, view: CgroupView, into: MountOperations): void {
  if (view.version === 2) {
    into.init.push(fileSystemOperation("cgroup2", { ...mount, source: "cgroup" }, words));
    return;
  }
  const tmpfs = readMountWords(["nosuid", "noexec", "nodev", "mode=755"]);
  into.init.push(fileSystemOperation("tmpfs", { ...mount, source: "tmpfs" }, tmpfs));
  for (const { name, controllers, directory } of view.hierarchies) {
    const target = `${mount.destination}/${name}`;
    if (view.namespaced) {
      into.init.push(fileSystemOperation("cgroup", { destination: target, source: "cgroup" }, { ...words, options: controllers }));
    } else {
      bindOperations(
        { destination: target, source: directory },
        { ...words, bind: "single", propagation: propagationFlags["private"] ?? 0 },
        into,
      );
    }
    for (const controller of controllers) {
      if (controller !== name) into.init.push({ op: "symlink", target: `${mount.destination}/${controller}`, linkTo: name });
    }
  }
  if ((words.set & attribute.readonly) !== 0)
    into.init.push({ op: "mount-attributes", target: mount.destination, set: attribute.readonly, clear: 0, recursive: false });
}

export function mountOperations(mounts: readonly SpecMount[], view: CgroupView): MountOperations {
  const operations: MountOperations = { prepare: [], init: [] };
  for (const mount of mounts) {
    const words = readMountWords(mount.options ?? []);
    if (words.bind !== "none" || mount.type === "bind") {
      bindOperations(mount, words.bind === "none" ? { ...words, bind: "single" } : words, operations);
    } else if (mount.type === "cgroup" || mount.type === "cgroup2") {
      if (view.version === 2 || view.hierarchies.length > 0) cgroupOperations(mount, words, view, operations);
    } else if (mount.type === "overlay") imageOperations(mount, words, operations);
    else operations.init.push(fileSystemOperation(mount.type ?? "none", mount, words));
  }
  return operations;
}
