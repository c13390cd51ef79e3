/**
 * What one chain of layers shows otherwise than another, by their indexes. What both have from the same layers is not
 * looked at; of files of the same size the data is compared, where it lies in the tars.
 */
import { type FileHandle, open } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { Digest } from "../base/base.ts";
import { type ByteString, toText } from "./byte-string.ts";
import { type Found, merge, type Place } from "./chain-view.ts";
import type { Piece } from "./erofs-read.ts";
import { joinPath, namesATurn, sameAttributes } from "./layer-report.ts";
import type { PathDifference } from "./layers.ts";
import type { LayerStore } from "./store.ts";

/** A directory of either side or both, each merged of its layers, topmost first. */
interface Pair {
  readonly path: ByteString;
  readonly from: readonly Place[];
  readonly to: readonly Place[];
}

type What = PathDifference["what"][number];

const compareBytes = 256 * 1024;

function isSame(a: Place, b: Place): boolean {
  return a.layer === b.layer && a.inode.nid === b.inode.nid;
}

const topOf = (found: Found): Place | undefined => (found.kind === "leaf" ? found.place : found.places[0]);
const placesOf = (found: Found | undefined): readonly Place[] => (found?.kind === "directory" ? found.places : []);
const bytesOf = (place: Place | undefined): number => (place?.inode.kind === "file" ? place.inode.size : 0);

/** Reads files of layers where they lie. */
class LayerData implements AsyncDisposable {
  readonly #store: LayerStore;
  readonly #open = new Map<string, Promise<FileHandle>>();

  constructor(store: LayerStore) {
    this.#store = store;
  }

  #file(layer: Digest, device: number): Promise<FileHandle> {
    const path = device === 0 ? this.#store.index(layer) : this.#store.tar(layer);
    const known = this.#open.get(path) ?? open(path, "r");
    this.#open.set(path, known);
    return known;
  }

  /** @param pieces the file's. Holes are zeros. */
  async #read(place: Place, pieces: readonly Piece[], start: number, length: number): Promise<Buffer> {
    const data = Buffer.alloc(length);
    for (const piece of pieces) {
      const from = Math.max(start, piece.offset);
      const to = Math.min(start + length, piece.offset + piece.length);
      if (from >= to) continue;
      const file = await this.#file(place.layer, piece.device);
      await file.read(data, from - start, to - from, piece.at + from - piece.offset);
    }
    return data;
  }

  /** Of two files of one size. */
  async same(a: Place, b: Place): Promise<boolean> {
    const [left, right] = [a.reader.pieces(a.inode), b.reader.pieces(b.inode)];
    // What is a hole in both needs no look, and may be larger than any disk.
    for (const { offset, length } of [...left, ...right]) {
      for (let at = offset; at < offset + length; at += compareBytes) {
        const count = Math.min(compareBytes, offset + length - at);
        const [one, other] = await Promise.all([this.#read(a, left, at, count), this.#read(b, right, at, count)]);
        if (!one.equals(other)) return false;
      }
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map(async (file) => (await file).close()));
  }
}

async function compare(from: Place, to: Place, data: LayerData): Promise<What[]> {
  const [a, b] = [from.inode, to.inode];
  const what: What[] = [];
  if (a.kind !== b.kind) what.push("type");
  else if (a.kind === "symlink" && from.reader.target(a) !== to.reader.target(b)) what.push("target");
  else if ((a.kind === "character" || a.kind === "block") && (a.major !== b.major || a.minor !== b.minor)) what.push("device");
  else if (a.kind === "file" && (a.size !== b.size || !(await data.same(from, to)))) what.push("content");
  if (a.uid !== b.uid || a.gid !== b.gid) what.push("owner");
  if (a.kind === b.kind && a.mode !== b.mode) what.push("mode");
  if (!sameAttributes({ ...a, mode: b.mode, uid: b.uid, gid: b.gid }, b)) what.push("attributes");
  return what;
}

/** The names of a pair, with what each side has by them. */
function namesOf({ from, to }: Pair): Map<ByteString, { from: Place[]; to: Place[] }> {
  const names = new Map<ByteString, { from: Place[]; to: Place[] }>();
  for (const [side, places] of [["from", from] as const, ["to", to] as const]) {
    for (const place of places) {
      for (const [name, nid] of place.reader.entries(place.inode)) {
        const found = names.get(name) ?? { from: [], to: [] };
        names.set(name, found);
        found[side].push({ ...place, inode: place.reader.inode(nid) });
      }
    }
  }
  return names;
}

function isUnchanged(from: readonly Place[], to: readonly Place[]): boolean {
  return from.length === to.length && from.every((place, at) => isSame(place, to[at] as Place));
}

/** @param from,to the root directories of both chains' layers, topmost first */
export async function* findDifferences(store: LayerStore, from: readonly Place[], to: readonly Place[]): AsyncGenerator<PathDifference> {
  await using data = new LayerData(store);
  const pairs: Pair[] = [{ path: "/" as ByteString, from: placesOf(merge(from)), to: placesOf(merge(to)) }];
  let names = 0;
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    if (isUnchanged(pair.from, pair.to)) continue;
    const below: Pair[] = [];
    for (const [name, sides] of [...namesOf(pair)].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (++names % namesATurn === 0) await setImmediate();
      const [before, after] = [merge(sides.from), merge(sides.to)];
      const path = joinPath(pair.path, name);
      const found = await difference(path, before, after, data);
      if (found !== undefined) yield found;
      if (before?.kind === "directory" || after?.kind === "directory") below.push({ path, from: placesOf(before), to: placesOf(after) });
    }
    pairs.push(...below.reverse());
  }
}

async function difference(
  path: ByteString,
  before: Found | undefined,
  after: Found | undefined,
  data: LayerData,
): Promise<PathDifference | undefined> {
  const from = before === undefined ? undefined : topOf(before);
  const to = after === undefined ? undefined : topOf(after);
  const shown = to ?? from;
  if (shown === undefined || (from !== undefined && to !== undefined && isSame(from, to))) return undefined;
  const what = from === undefined || to === undefined ? [] : await compare(from, to, data);
  if (from !== undefined && to !== undefined && what.length === 0) return undefined;
  return {
    kind: from === undefined ? "added" : to === undefined ? "removed" : "changed",
    path: toText(path),
    type: shown.inode.kind,
    what,
    fromBytes: bytesOf(from),
    toBytes: bytesOf(to),
  };
}
