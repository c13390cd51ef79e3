/**
 * Applies tar entries, in their order, to a tree: what unpacking them in an empty, locked-up root would give.
 * Links on the way to an entry are followed inside the tree, as in a chroot; whatever would leave it is refused.
 */
import { invalidParameter } from "../base/base.ts";
import { type ByteString, toText } from "./byte-string.ts";
import { type Directory, type Inode, isWhiteout, newDirectory, newRoot, newWhiteout } from "./inode.ts";
import type { TarEntry, Xattr } from "./tar-entry.ts";

const whiteoutPrefix = ".wh.";
const opaqueMarker = ".wh..wh..opq";
/** Names of aufs' own bookkeeping (`.wh..wh.plnk`, `.wh..wh.aufs`). */
const metaPrefix = ".wh..wh.";

const maxNameBytes = 255;
const maxPathBytes = 4095;
/** As the kernel's own limit. */
const maxLinksFollowed = 40;
const maxXattrBytes = 64_000;
/** The largest file of ext4 with 4 KiB blocks; sparse files can state any size. */
const maxFileBytes = 2 ** 44;
/**
 * An entry takes about 750 bytes of memory while the layer is taken in, besides its names, link targets and
 * extended attributes, which are counted separately.
 */
const maxEntries = 3_000_000;
const maxNameBytesTotal = 512 * 2 ** 20;

/** What ext4 can store: mtimes outside are moved to the nearest. */
const minSeconds = -(2 ** 31);
const maxSeconds = 2 ** 34 - 2 ** 31 - 1;

/** Components of a path with `.` and `..` taken out, by text alone. @throws InvalidParameter when it leaves the root */
export function components(path: string): ByteString[] {
  if (path.length > maxPathBytes) throw invalidParameter(`file name too long: ${toText(path.slice(0, 80))}...`);
  const result: ByteString[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (result.pop() === undefined) throw invalidParameter(`invalid tar: ${JSON.stringify(toText(path))} is outside of the layer`);
      continue;
    }
    if (part.length > maxNameBytes) throw invalidParameter(`file name too long: ${toText(part)}`);
    result.push(part as ByteString);
  }
  return result;
}

/** Overlayfs' own attributes would give a layer power over what its mount shows; others than these no file system takes. */
function keepXattr(name: string): boolean {
  if (name.startsWith("trusted.overlay.")) return false;
  return /^(?:user|security|trusted)\../s.test(name) || name === "system.posix_acl_access" || name === "system.posix_acl_default";
}

function checkedXattrs(entry: TarEntry): readonly Xattr[] {
  if (entry.xattrs.length === 0) return entry.xattrs;
  const kept = entry.xattrs.filter(([name]) => keepXattr(name));
  let total = 0;
  for (const [name, value] of kept) {
    if (name.length > maxNameBytes) throw invalidParameter(`extended attribute name too long: ${toText(name)}`);
    total += name.length + value.length + 8;
  }
  if (total > maxXattrBytes) throw invalidParameter(`extended attributes of ${toText(entry.path)} are too large`);
  return kept;
}

function checkedId(id: number, entry: TarEntry): number {
  if (!Number.isInteger(id) || id < 0 || id >= 2 ** 32 - 1) throw invalidParameter(`invalid owner ${id} of ${toText(entry.path)}`);
  return id;
}

export class LayerTree {
  readonly root: Directory = newRoot();
  readonly #device: number;
  #entries = 0;
  #nameBytes = 0;

  /** @param device number of the tar in the index's device table */
  constructor(device = 1) {
    this.#device = device;
  }

  /** @throws InvalidParameter for entries that cannot be, or may not */
  add(entry: TarEntry): void {
    this.#entries++;
    this.#nameBytes +=
      entry.path.length + entry.link.length + entry.xattrs.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    if (this.#entries > maxEntries || this.#nameBytes > maxNameBytesTotal) throw invalidParameter("the layer has too many files");
    const path = components(entry.path);
    if (path.some((part) => part.startsWith(metaPrefix) && part !== opaqueMarker)) return;
    const name = path.pop();
    if (name === undefined) {
      if (entry.kind === "directory") this.#describe(this.root, entry);
      return;
    }
    const parent = this.#resolve(path, entry.path);
    if (name.startsWith(whiteoutPrefix)) this.#addWhiteout(parent, name, entry);
    else if (entry.kind === "link") this.#addLink(parent, name, entry);
    else this.#place(parent, name, this.#inodeOf(entry, parent));
  }

  /** Walks to a directory, following links inside the tree and making what is missing. */
  #resolve(path: readonly ByteString[], whole: string): Directory {
    const todo = [...path].reverse();
    let at = this.root;
    let followed = 0;
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      if (part === "..") {
        at = at.parent ?? this.root;
        continue;
      }
      const child = at.children.get(part);
      if (child === undefined || isWhiteout(child)) {
        const made = newDirectory(at);
        made.opaque = child !== undefined;
        at.children.set(part, made);
        this.#entries++;
        at = made;
      } else if (child.kind === "directory") at = child;
      else if (child.kind === "symlink") {
        if (++followed > maxLinksFollowed) throw invalidParameter(`too many levels of symbolic links: ${toText(whole)}`);
        if (child.target.startsWith("/")) at = this.root;
        const parts = child.target.split("/").filter((step) => step !== "" && step !== ".") as ByteString[];
        todo.push(...parts.reverse());
      } else throw invalidParameter(`not a directory: ${toText(part)} in ${JSON.stringify(toText(whole))}`);
    }
    return at;
  }

  #place(parent: Directory, name: ByteString, made: Inode): void {
    const there = parent.children.get(name);
    if (made.kind === "directory") {
      if (there?.kind === "directory") {
        Object.assign(there, { ...made, children: there.children, opaque: there.opaque });
        return;
      }
      // The layer removes what lower layers have by this name, and puts a new directory there.
      if (there !== undefined && isWhiteout(there)) made.opaque = true;
    }
    parent.children.set(name, made);
  }

  #addWhiteout(parent: Directory, name: ByteString, entry: TarEntry): void {
    if (name === opaqueMarker) {
      parent.opaque = true;
      return;
    }
    const hidden = name.slice(whiteoutPrefix.length) as ByteString;
    if (hidden === "" || hidden === "." || hidden === "..")
      throw invalidParameter(`invalid whiteout ${JSON.stringify(toText(entry.path))}`);
    const there = parent.children.get(hidden);
    // A whiteout hides lower layers only (OCI image-spec, layer.md): what this layer has stays.
    if (there === undefined) parent.children.set(hidden, newWhiteout());
    else if (there.kind === "directory") there.opaque = true;
  }

  #addLink(parent: Directory, name: ByteString, entry: TarEntry): void {
    const failure = (why: string): Error =>
      invalidParameter(`invalid hard link ${JSON.stringify(toText(entry.path))} -> ${JSON.stringify(toText(entry.link))}: ${why}`);
    const path = components(entry.link);
    const last = path.pop();
    const target = last === undefined ? undefined : this.#find(path)?.children.get(last);
    if (target === undefined || isWhiteout(target)) throw failure("no such file or directory");
    if (target.kind === "directory") throw failure("operation not permitted");
    this.#place(parent, name, target);
  }

  /** Like #resolve, but makes nothing. */
  #find(path: readonly ByteString[]): Directory | undefined {
    const todo = [...path].reverse();
    let at = this.root;
    let followed = 0;
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      const child: Inode | undefined = part === ".." ? at.parent : at.children.get(part);
      if (child?.kind === "directory") at = child;
      else if (child?.kind === "symlink" && ++followed <= maxLinksFollowed) {
        if (child.target.startsWith("/")) at = this.root;
        const parts = child.target.split("/").filter((step) => step !== "" && step !== ".") as ByteString[];
        todo.push(...parts.reverse());
      } else return undefined;
    }
    return at;
  }

  #describe(directory: Directory, entry: TarEntry): void {
    Object.assign(directory, this.#metaOf(entry));
  }

  #metaOf(entry: TarEntry): Pick<Directory, "mode" | "uid" | "gid" | "mtimeSeconds" | "mtimeNanos" | "xattrs"> {
    const seconds = Math.min(Math.max(entry.mtimeSeconds, minSeconds), maxSeconds);
    return {
      mode: entry.mode,
      uid: checkedId(entry.uid, entry),
      gid: checkedId(entry.gid, entry),
      mtimeSeconds: seconds,
      mtimeNanos: seconds === entry.mtimeSeconds ? entry.mtimeNanos : 0,
      xattrs: checkedXattrs(entry),
    };
  }

  #inodeOf(entry: TarEntry, parent: Directory): Inode {
    const meta = this.#metaOf(entry);
    switch (entry.kind) {
      case "directory":
        return { kind: "directory", ...meta, children: new Map(), parent, opaque: false };
      case "file":
        if (entry.size > maxFileBytes) throw invalidParameter(`file too large: ${toText(entry.path)}`);
        return { kind: "file", ...meta, size: entry.size, device: this.#device, offset: entry.offset, extents: entry.extents };
      case "symlink":
        if (entry.link === "" || entry.link.length > maxPathBytes) throw invalidParameter(`invalid symbolic link ${toText(entry.path)}`);
        return { kind: "symlink", ...meta, mode: 0o777, target: entry.link };
      case "character":
      case "block":
        if (entry.major < 0 || entry.major > 0xfff || entry.minor < 0 || entry.minor > 0xfffff)
          throw invalidParameter(`invalid device number of ${toText(entry.path)}`);
        return { kind: entry.kind, ...meta, major: entry.major, minor: entry.minor };
      case "fifo":
        return { kind: "fifo", ...meta, major: 0, minor: 0 };
      case "link":
        throw new TypeError("a link is no inode");
      default:
        return entry.kind satisfies never;
    }
  }
}
