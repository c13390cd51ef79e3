/** How the layers of a chain lie over each other, by their indexes: what overlayfs would show, nothing mounted. */
import { readFile } from "node:fs/promises";
import { type Digest, errnoOf, notFound } from "../base/base.ts";
import { ErofsReader, type FoundInode } from "./erofs-read.ts";
import type { LayerStore } from "./store.ts";

export interface Place {
  readonly layer: Digest;
  readonly reader: ErofsReader;
  readonly inode: FoundInode;
}

/** What a name is: a directory merged of one or more layers (topmost first), or one thing. */
export type Found = { readonly kind: "directory"; readonly places: readonly Place[] } | { readonly kind: "leaf"; readonly place: Place };

export function isWhiteout(inode: FoundInode): boolean {
  return inode.kind === "character" && inode.major === 0 && inode.minor === 0;
}

export function isOpaque(inode: FoundInode): boolean {
  return inode.xattrs.some(([name]) => name === "trusted.overlay.opaque");
}

/** @param found what each layer has by one name, topmost first */
export function merge(found: Iterable<Place | undefined>): Found | undefined {
  const places: Place[] = [];
  for (const place of found) {
    if (place === undefined) continue;
    if (place.inode.kind !== "directory") {
      if (places.length > 0 || isWhiteout(place.inode)) break;
      return { kind: "leaf", place };
    }
    places.push(place);
    if (isOpaque(place.inode)) break;
  }
  return places.length === 0 ? undefined : { kind: "directory", places };
}

/** A layer's root directory. @throws NotFound when the layer is missing */
export async function openLayerRoot(store: LayerStore, layer: Digest): Promise<Place> {
  try {
    const reader = new ErofsReader(await readFile(store.index(layer)));
    return { layer, reader, inode: reader.inode(reader.rootNid) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw notFound("layer does not exist");
    throw error;
  }
}
