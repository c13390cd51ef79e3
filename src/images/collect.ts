/**
 * The collector: removes images that nobody has used for long, the longest unused first, as far as the policy asks. Never one that a
 * container stands on, running or not, that is pinned, that others were made from, or that somebody's work holds; and none that came
 * or was used a moment ago, as a container is perhaps about to be made of it. The platforms under a name count as one.
 */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { type Digest, digestOf, formatNanos, isEngineError, log, messageOf, nowNanos } from "../base/base.ts";
import type { ImageCollection } from "../spec/spec.ts";
import { globMatches } from "./glob.ts";
import { removeImage } from "./remove.ts";
import { familiarOf } from "./resolve.ts";
import type { ImageStore, ListedImage } from "./store.ts";

/** What is not given does not count. */
export interface CollectPolicy {
  /** Layers may take this much, in bytes. */
  readonly keepStorageBytes?: number;
  /** This much of the disk is to be free: bytes, or a part of it (0 to 1). */
  readonly minFree?: { readonly bytes: number } | { readonly part: number };
  /** Unused for longer: goes though there is room. */
  readonly unusedForNanos?: bigint;
  /** Shell patterns of names that stay, with or without a tag: `docker.io` and `library` left out. */
  readonly pins?: readonly string[];
  /** What was used within this time stays. Default ten minutes. */
  readonly recentNanos?: bigint;
}

const recentNanos = 600_000_000_000n;

type Removed = ImageCollection["Removed"][number];
type Kept = ImageCollection["Kept"][number];

interface Room {
  storedBytes: number;
  freeBytes: number;
  readonly diskBytes: number;
}

export async function collectImages(store: ImageStore, policy: CollectPolicy, dryRun: boolean): Promise<ImageCollection> {
  const room = await measure(store);
  const removed: Removed[] = [];
  const kept: Kept[] = [];
  let reclaimed = 0;
  const gone = new Set<Digest>();
  for (const candidate of candidates(store)) {
    const { image, usedNanos } = candidate;
    const reason = reasonFor(usedNanos, policy, room);
    if (reason === undefined) continue;
    const names = candidate.names.map(familiarOf);
    const why = whyKept(store, candidate, policy, gone);
    if (why !== undefined) {
      kept.push({ Id: image.id, Names: names, Reason: why });
      continue;
    }
    const bytes = dryRun ? ownBytes(store, candidate, gone) : await remove(store, image.id);
    if (bytes === undefined) continue;
    for (const { id } of candidate.platforms) gone.add(id);
    reclaimed += bytes;
    room.storedBytes -= bytes;
    room.freeBytes += bytes;
    removed.push({ Id: image.id, Names: names, Size: image.sizeBytes, LastUsed: formatNanos(usedNanos), Reason: reason });
  }
  if (!dryRun && removed.length > 0)
    store.ports.events.publish("image", "gc", "", { reclaimed: String(reclaimed), removed: String(removed.length) });
  const after = dryRun ? room : await measure(store);
  return { DryRun: dryRun, Removed: removed, SpaceReclaimed: reclaimed, Stored: after.storedBytes, Free: after.freeBytes, Kept: kept };
}

async function measure(store: ImageStore): Promise<Room> {
  const { bavail, blocks, bsize } = await statfs(dirname(dirname(store.ports.layers.tarPath(digestOf("")))));
  return { storedBytes: store.rows.storedBytes(), freeBytes: bavail * bsize, diskBytes: blocks * bsize };
}

interface Candidate extends ListedImage {
  /** When any of its platforms was. */
  readonly usedNanos: bigint;
}

/** Those without a name first, then the longest unused; of a chain of steps, the last before those that it was made from. */
function candidates(store: ImageStore): Candidate[] {
  const parents = new Map(store.all().map((image) => [image.id, image.row.parentId]));
  const depthOf = (id: Digest): number => {
    let depth = 0;
    for (let at = parents.get(id); at !== undefined && depth < parents.size; at = parents.get(at)) depth++;
    return depth;
  };
  const ranked = store.listed().map((listed) => ({
    ...listed,
    usedNanos: listed.platforms.reduce((latest, { row }) => (row.usedNanos > latest ? row.usedNanos : latest), 0n),
    depth: depthOf(listed.image.id),
  }));
  return ranked.sort((a, b) => {
    const named = Math.min(a.names.length, 1) - Math.min(b.names.length, 1);
    if (named !== 0) return named;
    if (a.usedNanos !== b.usedNanos) return a.usedNanos < b.usedNanos ? -1 : 1;
    return b.depth - a.depth;
  });
}

function reasonFor(
  usedNanos: bigint,
  { keepStorageBytes, minFree, unusedForNanos }: CollectPolicy,
  room: Room,
): Removed["Reason"] | undefined {
  if (unusedForNanos !== undefined && nowNanos() - usedNanos > unusedForNanos) return "unused-for";
  if (keepStorageBytes !== undefined && room.storedBytes > keepStorageBytes) return "keep-storage";
  const wanted = minFree === undefined ? 0 : "bytes" in minFree ? minFree.bytes : minFree.part * room.diskBytes;
  return room.freeBytes < wanted ? "min-free" : undefined;
}

function whyKept(store: ImageStore, candidate: Candidate, policy: CollectPolicy, gone: ReadonlySet<Digest>): Kept["Reason"] | undefined {
  const { rows, custody, ports } = store;
  const { platforms } = candidate;
  if (platforms.some(({ id }) => ports.usedBy(id).length > 0)) return "used";
  if (platforms.some(({ row }) => row.pinned) || isPinned(candidate, policy.pins ?? [])) return "pinned";
  if (platforms.some(({ id }) => rows.childrenOf(id).some((child) => !gone.has(child)))) return "parent";
  if (platforms.some(({ id, config }) => [id, ...config.rootfs.diff_ids].some((digest) => custody.isHeld(digest)))) return "busy";
  if (nowNanos() - candidate.usedNanos < (policy.recentNanos ?? recentNanos)) return "recent";
  return undefined;
}

function isPinned({ names }: ListedImage, patterns: readonly string[]): boolean {
  return names.map(familiarOf).some((name) => {
    const bare = name.includes("@") ? name.slice(0, name.indexOf("@")) : name.replace(/:[^/:]*$/, "");
    return patterns.some((pattern) => globMatches(pattern, name) || globMatches(pattern, bare));
  });
}

/** Bytes of its layers that no image has besides, but those that are to go too. */
function ownBytes(store: ImageStore, { platforms }: Candidate, gone: ReadonlySet<Digest>): number {
  const others = new Set<Digest>();
  const going = new Set(platforms.map(({ id }) => id));
  for (const { id } of store.rows.ids())
    if (!going.has(id) && !gone.has(id)) for (const { diffId } of store.rows.layersOf(id)) others.add(diffId);
  const own = new Map(platforms.flatMap(({ id }) => store.rows.layersOf(id)).map((layer) => [layer.diffId, layer]));
  let bytes = 0;
  for (const { diffId, sizeBytes } of own.values()) {
    if (others.has(diffId)) continue;
    bytes += sizeBytes;
    for (const blob of store.rows.blobsOf(diffId)) if (blob.digest !== diffId) bytes += blob.sizeBytes;
  }
  return bytes;
}

/** Between the looks above and the removal of the rows nothing else runs; only the files go later. @returns bytes; undefined when it could not be removed */
async function remove(store: ImageStore, id: Digest): Promise<number | undefined> {
  const before = store.rows.storedBytes();
  try {
    const work = removeImage(store, id, { force: true, noPrune: true });
    const bytes = before - store.rows.storedBytes();
    await work;
    return bytes;
  } catch (error) {
    if (!isEngineError(error, "Conflict") && !isEngineError(error, "NotFound"))
      log.warn("an image was not collected", { image: id, error: messageOf(error) });
    return undefined;
  }
}
