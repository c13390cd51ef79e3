/** What of an index goes to a registry: all that it lists, or the one image that is here. */
import { conflict, type Digest, digestOf, isEngineError, notFound } from "../base/base.ts";
import type { Remote } from "../distribution/distribution.ts";
import type { Descriptor } from "../spec/spec.ts";
import { type IndexTree, readIndex, type WholeLeaf, wholeLeaves } from "./index-tree.ts";
import { suitability } from "./platform.ts";
import type { ImageStore } from "./store.ts";

export type IndexPush =
  | { readonly kind: "index"; readonly tree: IndexTree; readonly leaves: readonly WholeLeaf[] }
  /** `instead` of the index, when nobody asked for a platform. */
  | { readonly kind: "image"; readonly image: Digest; readonly entry: Descriptor; readonly instead: Descriptor };

/**
 * The whole index where all that it lists is here, or at the registry already; else, as Docker does, the image that is here, or of
 * several this machine's.
 * @throws NotFound, with the content that is missing as `cause`; Conflict
 */
export async function planIndexPush(
  store: ImageStore,
  index: Digest,
  { remote, signal }: { readonly remote: Remote; readonly signal: AbortSignal },
): Promise<IndexPush> {
  const tree = await readIndex(store, index);
  const found = await wholeLeaves(store, tree);
  const leaves = found.filter((leaf) => leaf !== null);
  const missing = tree.leaves.filter((_, position) => found[position] === null);
  const there = await Promise.all(missing.map(({ entry }) => isThere(remote, entry.digest, signal)));
  if (there.every(Boolean)) return { kind: "index", tree, leaves };
  const images = tree.leaves.filter((leaf) => leaf.kind === "image");
  const suits = images.filter(({ image }) => suitability(store.get(image)?.config ?? { os: "none" }) > 0);
  const [one] = images.length === 1 ? images : suits;
  if (one !== undefined) return { kind: "image", image: one.image, entry: one.entry, instead: tree.descriptor };
  if (images.length > 0) throw conflict("multiple matching manifests found but no specific platform requested");
  throw notFound(`missing content: content digest ${missing[0]?.entry.digest ?? index}: not found`);
}

async function isThere(remote: Remote, digest: Digest, signal: AbortSignal): Promise<boolean> {
  try {
    return (await remote.manifestHead(digest, signal)) !== undefined;
  } catch (error) {
    // So do some registries answer for a repository that is not there yet.
    if (isEngineError(error, "Unauthorized") || isEngineError(error, "Forbidden")) return false;
    throw error;
  }
}

/** What is no image: its blobs, then itself. */
export async function pushParts(store: ImageStore, leaves: readonly WholeLeaf[], remote: Remote, signal: AbortSignal): Promise<void> {
  const { content } = store.ports;
  for (const leaf of leaves) {
    if (leaf.kind !== "part") continue;
    for (const { digest, size } of [leaf.manifest.config, ...leaf.manifest.layers])
      await remote.pushBlob({ digest, size, open: (offset) => content.open(digest, offset) }, { signal });
    await remote.putManifest(digestOf(leaf.bytes), leaf.entry.mediaType, leaf.bytes, signal);
  }
}
