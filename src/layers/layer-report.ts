/**
 * What each layer of a chain adds, changes and hides. Directory by directory, every layer's index at once: nothing is
 * unpacked, no layer's data is read, and no more is in memory than the indexes and the names of one directory.
 */
import { setImmediate } from "node:timers/promises";
import { invalidParameter } from "../base/base.ts";
import { type ByteString, toText } from "./byte-string.ts";
import { isOpaque, isWhiteout, type Place } from "./chain-view.ts";
import type { FoundInode } from "./erofs-read.ts";
import type { LayerChange, LayerReport, Tally, WastedFile } from "./layers.ts";

/** A place in the layer at this position of the chain, 0 the base. */
interface Placed extends Place {
  readonly position: number;
}

/** A directory as a run of layers shows it, base first. `hiddenBy`: the layer that takes all of it away. */
interface Segment {
  readonly path: ByteString;
  readonly places: readonly Placed[];
  readonly hiddenBy: number | undefined;
}

type Below = { readonly kind: "leaf"; readonly place: Placed } | { readonly kind: "directory"; readonly places: Placed[] };

/** Deeper than any path that the kernel takes; links on the way to an entry can make such trees. */
export const maxPathBytes: number = 16 * 1024;
/** Names between two turns of the event loop. */
export const namesATurn: number = 2000;
const maxWastedFiles = 20;

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

interface Totals {
  readonly added: Writable<Tally>;
  readonly changed: Writable<Tally>;
  readonly removed: Writable<Tally>;
  wastedBytes: number;
}

const newTally = (): Writable<Tally> => ({ count: 0, sizeBytes: 0 });

/** Do both say the same of owner, mode and attributes? Times are no change of their own. */
export function sameAttributes(a: FoundInode, b: FoundInode): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  const own = (inode: FoundInode): FoundInode["xattrs"] => inode.xattrs.filter(([name]) => !name.startsWith("trusted.overlay."));
  const [left, right] = [own(a), own(b)];
  return left.length === right.length && left.every(([name, value]) => right.some(([other, its]) => other === name && its.equals(value)));
}

export function joinPath(directory: ByteString, name: ByteString): ByteString {
  const path = directory === "/" ? `/${name}` : `${directory}/${name}`;
  if (path.length > maxPathBytes) throw invalidParameter(`file name too long: ${toText(path.slice(0, 80))}...`);
  return path as ByteString;
}

class Survey {
  readonly layers: readonly Totals[];
  readonly wasted: WastedFile[] = [];
  #changes: LayerChange[] = [];
  readonly #segments: Segment[] = [];
  /** By layer and number, files with several names: how many of these are not hidden yet. */
  readonly #linked: Map<number, number>[];

  constructor(roots: readonly Placed[]) {
    this.layers = roots.map(() => ({ added: newTally(), changed: newTally(), removed: newTally(), wastedBytes: 0 }));
    this.#linked = roots.map(() => new Map());
    this.#name("/" as ByteString, roots, undefined);
  }

  takeChanges(): readonly LayerChange[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** Looks at one directory. @returns how many names it has; undefined when there is none left */
  next(): number | undefined {
    const segment = this.#segments.pop();
    if (segment === undefined) return undefined;
    const names = new Map<ByteString, Placed[]>();
    for (const place of segment.places) {
      for (const [name, nid] of place.reader.entries(place.inode)) {
        const found: Placed = { ...place, inode: place.reader.inode(nid) };
        const others = names.get(name);
        if (others === undefined) names.set(name, [found]);
        else others.push(found);
      }
    }
    for (const [name, places] of names) this.#name(joinPath(segment.path, name), places, segment.hiddenBy);
    return names.size;
  }

  /** @param places what the layers have by this name, base first */
  #name(path: ByteString, places: readonly Placed[], hiddenBy: number | undefined): void {
    let below: Below | undefined;
    for (const place of places) {
      const { inode, position } = place;
      if (isWhiteout(inode)) {
        if (below !== undefined) this.#tell("removed", path, this.#top(below).inode, position, 0);
        this.#hide(below, path, position, true);
        below = undefined;
      } else if (inode.kind === "directory" && below?.kind === "directory" && !isOpaque(inode)) {
        if (!sameAttributes(this.#top(below).inode, inode)) this.#tell("changed", path, inode, position, 0);
        below.places.push(place);
      } else {
        const size = this.#sizeOf(place);
        if (path !== "/" || below !== undefined) this.#tell(below === undefined ? "added" : "changed", path, inode, position, size);
        this.#hide(below, path, position, below?.kind === "directory");
        below = inode.kind === "directory" ? { kind: "directory", places: [place] } : { kind: "leaf", place };
      }
    }
    if (below === undefined) return;
    if (below.kind === "directory") this.#segments.push({ path, places: below.places, hiddenBy });
    else if (hiddenBy !== undefined) this.#hide(below, path, hiddenBy, true);
  }

  #top(below: Below): Placed {
    const top = below.kind === "leaf" ? below.place : below.places.at(-1);
    if (top === undefined) throw new Error("a directory of no layer");
    return top;
  }

  /** Bytes that a name adds: a file's with its first name only. */
  #sizeOf({ inode, position }: Placed): number {
    if (inode.kind !== "file") return 0;
    if (inode.links <= 1) return inode.size;
    const linked = this.#linked[position];
    if (linked === undefined || linked.has(inode.nid)) return 0;
    linked.set(inode.nid, inode.links);
    return inode.size;
  }

  #tell(kind: "added" | "changed" | "removed", path: ByteString, inode: FoundInode, position: number, sizeBytes: number): void {
    this.#changes.push({ layer: position, kind, path: toText(path), type: inode.kind, sizeBytes });
    if (kind === "removed") return;
    const tally = this.layers[position]?.[kind];
    if (tally === undefined) return;
    tally.count++;
    tally.sizeBytes += sizeBytes;
  }

  /** What was visible below is not any more. `removed`: nothing has taken its place. */
  #hide(below: Below | undefined, path: ByteString, by: number, removed: boolean): void {
    if (below === undefined) return;
    if (below.kind === "directory") {
      this.#segments.push({ path, places: below.places, hiddenBy: by });
      return;
    }
    const { inode, position } = below.place;
    const bytes = inode.kind === "file" && this.#lastName(below.place) ? inode.size : 0;
    const hider = this.layers[by];
    const owner = this.layers[position];
    if (hider === undefined || owner === undefined) return;
    if (removed) {
      hider.removed.count++;
      hider.removed.sizeBytes += bytes;
    }
    if (bytes === 0) return;
    owner.wastedBytes += bytes;
    this.#remember({ path: toText(path), layer: position, hiddenBy: by, sizeBytes: bytes });
  }

  #lastName({ inode, position }: Placed): boolean {
    if (inode.links <= 1) return true;
    const left = (this.#linked[position]?.get(inode.nid) ?? inode.links) - 1;
    this.#linked[position]?.set(inode.nid, left);
    return left === 0;
  }

  #remember(file: WastedFile): void {
    const at = this.wasted.findIndex((other) => other.sizeBytes < file.sizeBytes);
    if (at < 0 && this.wasted.length >= maxWastedFiles) return;
    this.wasted.splice(at < 0 ? this.wasted.length : at, 0, file);
    if (this.wasted.length > maxWastedFiles) this.wasted.pop();
  }
}

/**
 * Yields the paths as they are found, some at a time, and returns what they come to.
 * @param roots the root directories of a chain's layers, base first
 */
export async function* surveyLayers(roots: readonly Place[]): AsyncGenerator<readonly LayerChange[], LayerReport> {
  const survey = new Survey(roots.map((root, position) => ({ ...root, position })));
  let names = 0;
  for (let found = survey.next(); found !== undefined; found = survey.next()) {
    names += found + 1;
    if (names < namesATurn) continue;
    names = 0;
    yield survey.takeChanges();
    await setImmediate();
  }
  yield survey.takeChanges();
  return { layers: survey.layers, wasted: survey.wasted };
}
