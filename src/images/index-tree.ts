/** An index that is here, and what of all that it leads to is here as well. */
import type { Digest } from "../base/base.ts";
import type { Descriptor, ImageIndex, ImageManifest } from "../spec/spec.ts";
import { parseManifest } from "./manifest.ts";
import { type WholeManifest, wholeManifest } from "./outgoing.ts";
import type { ImageStore, PreparedManifest } from "./store.ts";

/** Indexes within indexes: one is usual, and this many are no mistake. */
export const deepestIndex = 4;

export interface IndexTree {
  readonly descriptor: Descriptor;
  /** Itself last, each after those that it lists; to the byte. */
  readonly indexes: readonly PreparedManifest[];
  /** In the order in which they are listed. */
  readonly leaves: readonly IndexLeaf[];
}

/** A manifest that is no index, or that is not here. */
export type IndexLeaf =
  | { readonly kind: "image"; readonly entry: Descriptor; readonly image: Digest }
  /** Such as an attestation. */
  | { readonly kind: "part"; readonly entry: Descriptor; readonly bytes: Uint8Array; readonly manifest: ImageManifest }
  | { readonly kind: "missing"; readonly entry: Descriptor };

/** BuildKit's provenance records, which lie in an index beside the images. */
export function isAttestation(descriptor: Descriptor): boolean {
  return (
    descriptor.annotations?.["vnd.docker.reference.type"] === "attestation-manifest" ||
    (descriptor.platform?.os === "unknown" && descriptor.platform.architecture === "unknown")
  );
}

/** @param digest an index that a row names. Its files stay until this is done only where the caller sees to it */
export async function readIndex(store: ImageStore, digest: Digest): Promise<IndexTree> {
  const { rows, ports } = store;
  const mediaType = rows.manifest(digest)?.mediaType ?? "";
  const indexes: PreparedManifest[] = [];
  const leaves: IndexLeaf[] = [];
  const own = new Set(rows.imagesOfManifest(digest));
  const read = async (at: { digest: Digest; mediaType: string }, bytes: Uint8Array, index: ImageIndex, depth: number): Promise<void> => {
    for (const entry of index.manifests) {
      const image = rows.imagesOfManifest(entry.digest).find((id) => own.has(id));
      const isKnown = rows.manifest(entry.digest)?.kind === "index" || rows.indexPart(entry.digest) !== undefined;
      const isHere = isKnown && (await ports.content.sizeOf(entry.digest)) === entry.size;
      if (image !== undefined && rows.manifest(entry.digest)?.kind === "image") leaves.push({ kind: "image", entry, image });
      else if (!isHere || depth === 0) leaves.push({ kind: "missing", entry });
      else await readPart(entry, await ports.content.read(entry.digest), depth);
    }
    indexes.push({ kind: "index", mediaType: at.mediaType, bytes });
  };
  const readPart = async (entry: Descriptor, bytes: Uint8Array, depth: number): Promise<void> => {
    const document = parseManifest(bytes, entry.mediaType);
    if (document.kind === "index") await read(entry, bytes, document.index, depth - 1);
    else leaves.push({ kind: "part", entry, bytes, manifest: document.manifest });
  };
  const bytes = await ports.content.read(digest);
  const document = parseManifest(bytes, mediaType);
  if (document.kind !== "index") throw new Error(`${digest} is no index`);
  await read({ digest, mediaType }, bytes, document.index, deepestIndex);
  return { descriptor: { mediaType, digest, size: bytes.length }, indexes, leaves };
}

/** A manifest all of whose blobs are here as it lists them. */
export type WholeLeaf =
  | { readonly kind: "image"; readonly entry: Descriptor; readonly image: Digest; readonly whole: WholeManifest }
  | (IndexLeaf & { readonly kind: "part" });

/** The same for all that are here; null stands for what is not. */
export async function wholeLeaves(store: ImageStore, { leaves }: IndexTree): Promise<(WholeLeaf | null)[]> {
  const wholeOf = async (leaf: IndexLeaf): Promise<WholeLeaf | null> => {
    if (leaf.kind === "missing") return null;
    if (leaf.kind === "image") {
      const whole = await wholeManifest(store, leaf.image, leaf.entry.digest);
      return whole === undefined ? null : { ...leaf, whole };
    }
    for (const { digest, size } of [leaf.manifest.config, ...leaf.manifest.layers])
      if ((await store.ports.content.sizeOf(digest)) !== size) return null;
    return leaf;
  };
  return await Promise.all(leaves.map(wholeOf));
}
