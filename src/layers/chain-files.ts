/**
 * Looks into the file system of a chain of layers without mounting it: reads the indexes from the top down,
 * as overlayfs would. Links are followed inside the image only.
 */
import { open } from "node:fs/promises";
import { type Digest, invalidParameter } from "../base/base.ts";
import { type ByteString, fromText } from "./byte-string.ts";
import { type Found, merge, openLayerRoot, type Place } from "./chain-view.ts";
import type { LayerStore } from "./store.ts";

const maxLinksFollowed = 40;
/** Results kept, for starts of one image after the other: /etc/passwd and /etc/group, mostly. */
const maxKept = 64;
const maxKeptBytes = 64 * 1024;

function* lookups(places: readonly Place[], name: string): Generator<Place | undefined> {
  for (const { layer, reader, inode } of places) {
    const found = reader.lookup(inode, name);
    yield found === undefined ? undefined : { layer, reader, inode: found };
  }
}

function steps(path: string): ByteString[] {
  return path.split("/").filter((step) => step !== "" && step !== ".") as ByteString[];
}

/** @returns undefined for what is missing, or no file */
function walk(root: Found, path: string): Place | undefined {
  const todo = steps(path).reverse();
  const above: Found[] = [root];
  let followed = 0;
  for (let step = todo.pop(); step !== undefined; step = todo.pop()) {
    const here = above.at(-1);
    if (here?.kind !== "directory") return undefined;
    if (step === "..") {
      if (above.length > 1) above.pop();
      continue;
    }
    const found = merge(lookups(here.places, step));
    if (found === undefined) return undefined;
    if (found.kind === "leaf" && found.place.inode.kind === "symlink") {
      if (++followed > maxLinksFollowed) return undefined;
      const target = found.place.reader.target(found.place.inode);
      if (target.startsWith("/")) above.length = 1;
      todo.push(...steps(target).reverse());
    } else above.push(found);
  }
  const last = above.at(-1);
  return last?.kind === "leaf" && last.place.inode.kind === "file" ? last.place : undefined;
}

export class ChainFiles {
  readonly #store: LayerStore;
  readonly #kept = new Map<string, Uint8Array | undefined>();

  constructor(store: LayerStore) {
    this.#store = store;
  }

  /** @throws InvalidParameter when the file has more than `maxBytes`, NotFound when a layer is missing */
  async read(chain: readonly Digest[], path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const key = `${chain.join(" ")} ${path}`;
    if (this.#kept.has(key)) {
      const kept = this.#kept.get(key);
      if (kept === undefined || kept.length <= maxBytes) return kept;
    }
    const data = await this.#read(chain, path, maxBytes);
    if ((data?.length ?? 0) <= maxKeptBytes) {
      this.#kept.set(key, data);
      const oldest = this.#kept.keys().next();
      if (this.#kept.size > maxKept && oldest.done !== true) this.#kept.delete(oldest.value);
    }
    return data;
  }

  async #read(chain: readonly Digest[], path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const roots = await Promise.all(chain.toReversed().map((layer) => openLayerRoot(this.#store, layer)));
    const root = merge(roots);
    const place = root === undefined ? undefined : walk(root, fromText(path));
    if (place === undefined) return undefined;
    if (place.inode.size > maxBytes) throw invalidParameter(`${path} is too large`);
    const data = Buffer.alloc(place.inode.size);
    await using tar = await open(this.#store.tar(place.layer), "r");
    await using index = await open(this.#store.index(place.layer), "r");
    for (const piece of place.reader.pieces(place.inode)) {
      await (piece.device === 0 ? index : tar).read(data, piece.offset, piece.length, piece.at);
    }
    return data;
  }
}
