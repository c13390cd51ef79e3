/** `docker images`. */
import { booleanFilter, checkFilterKeys, type Digest, type Filters, labelsMatch, parseUntil } from "../base/base.ts";
import type { ImageSummary } from "../spec/spec.ts";
import { createdSeconds } from "./configuration.ts";
import { globMatches } from "./glob.ts";
import { familiarOf } from "./resolve.ts";
import type { ImageStore, ListedImage, StoredImage } from "./store.ts";

const known: readonly string[] = ["dangling", "label", "label!", "before", "since", "reference", "until"];

export interface ListOptions {
  /** Also images that only are a step of another. */
  readonly all: boolean;
  /** Compute SharedSize, else it is -1. */
  readonly sharedSize: boolean;
  /** Sizes are what the image takes on the disk: with the compressed layers that are kept. Not what containers see, as `docker images` has it. */
  readonly stored?: boolean;
  /** Count the containers that stand on each, else it is -1. */
  readonly containers?: boolean;
}

/** Newest first, as Docker lists them. */
export function listImages(store: ImageStore, filters: Filters, options: ListOptions): ImageSummary[] {
  const keep = imageFilter(store, filters);
  const dangling = booleanFilter("dangling", filters.get("dangling"));
  const patterns = filters.get("reference") ?? [];
  const parents = new Set(store.all().map((image) => image.row.parentId));
  const summaries: { created: bigint; summary: ImageSummary }[] = [];
  for (const listed of store.listed()) {
    const { image } = listed;
    const isStep = parents.has(image.id);
    if ((dangling === true && isStep) || !keep(image)) continue;
    const names = listed.names.map(familiarOf).filter((name) => matchesReference(name, patterns));
    if (names.length === 0 && (dangling === false || patterns.length > 0 || (isStep && !options.all))) continue;
    const tags = names.filter((name) => !name.includes("@"));
    if (dangling === true && tags.length > 0) continue;
    const summary = summarise(store, listed, names, options);
    if (options.stored === true) addKept(summary, store.rows.keptBytesOf(listed.platforms.map(({ id }) => id)));
    summaries.push({ created: image.row.createdNanos, summary });
  }
  summaries.sort((a, b) => (a.created === b.created ? (a.summary.Id < b.summary.Id ? -1 : 1) : a.created > b.created ? -1 : 1));
  return summaries.map(({ summary }) => summary);
}

/** Sizes are those of all platforms together, each layer counted once. */
function summarise(store: ImageStore, { image, platforms }: ListedImage, names: readonly string[], options: ListOptions): ImageSummary {
  const ids = platforms.map(({ id }) => id);
  return {
    Containers: options.containers === true ? ids.reduce((sum, id) => sum + store.ports.usedBy(id).length, 0) : -1,
    Created: createdSeconds(image.config.created),
    Id: image.id,
    // Docker sends null for an image without labels.
    Labels: (image.config.config?.Labels ?? null) as Record<string, string>,
    ParentId: image.row.parentId ?? "",
    RepoDigests: names.filter((name) => name.includes("@")),
    RepoTags: names.filter((name) => !name.includes("@")),
    SharedSize: options.sharedSize ? store.rows.sharedSizeOf(ids) : -1,
    Size: platforms.length === 1 ? image.sizeBytes : bytesOf(store, ids),
  };
}

function addKept(summary: ImageSummary, kept: { all: number; shared: number }): void {
  summary.Size += kept.all;
  if (summary.SharedSize >= 0) summary.SharedSize += kept.shared;
}

function bytesOf(store: ImageStore, ids: readonly Digest[]): number {
  const layers = new Map(ids.flatMap((id) => store.rows.layersOf(id)).map(({ diffId, sizeBytes }) => [diffId, sizeBytes]));
  return [...layers.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0);
}

/** All filters that look at the image alone. @throws InvalidParameter, NotFound */
function imageFilter(store: ImageStore, filters: Filters): (image: StoredImage) => boolean {
  checkFilterKeys(filters, known);
  const createdOf = (reference: string): bigint => store.find(reference).image.row.createdNanos;
  const before = [...(filters.get("before") ?? []).map(createdOf), ...(filters.get("until") ?? []).map(parseUntil)];
  const since = (filters.get("since") ?? []).map(createdOf);
  return (image) =>
    before.every((nanos) => image.row.createdNanos < nanos) &&
    since.every((nanos) => image.row.createdNanos > nanos) &&
    labelsMatch(filters, image.config.config?.Labels);
}

/** Patterns are shell globs over the familiar name with or without its tag. */
function matchesReference(name: string, patterns: readonly string[]): boolean {
  if (patterns.length === 0) return true;
  const bare = name.includes("@") ? name.slice(0, name.indexOf("@")) : name.replace(/:[^/:]*$/, "");
  return patterns.some((pattern) => globMatches(pattern, name) || globMatches(pattern, bare));
}
