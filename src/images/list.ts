/** `docker images`. */
import { booleanFilter, checkFilterKeys, type Filters, labelsMatch, parseUntil } from "../base/base.ts";
import type { ImageSummary } from "../spec/spec.ts";
import { createdSeconds } from "./configuration.ts";
import { globMatches } from "./glob.ts";
import { familiarOf, resolveId } from "./resolve.ts";
import type { ImageStore, StoredImage } from "./store.ts";
import { summariseManifest } from "./stored-manifest.ts";

const known: readonly string[] = ["dangling", "label", "label!", "before", "since", "reference", "until"];

export interface ListOptions {
  /** Also images that only are a step of another. */
  readonly all: boolean;
  /** Compute SharedSize, else it is -1. */
  readonly sharedSize: boolean;
  /** Sizes are what the image takes on the disk: with the compressed layers that are kept. Not what containers see, as `docker images` has it. */
  readonly stored?: boolean;
  /** Tell each image's manifests. */
  readonly manifests?: boolean;
}

/** Newest first, as Docker lists them. */
export function listImages(store: ImageStore, filters: Filters, options: ListOptions): ImageSummary[] {
  const keep = imageFilter(store, filters);
  const dangling = booleanFilter("dangling", filters.get("dangling"));
  const patterns = filters.get("reference") ?? [];
  const images = store.all();
  const parents = new Set(images.map((image) => image.row.parentId));
  const summaries: { created: bigint; summary: ImageSummary }[] = [];
  for (const image of images) {
    const isStep = parents.has(image.id);
    if ((dangling === true && isStep) || !keep(image)) continue;
    const names = image.references.map(familiarOf).filter((name) => matchesReference(name, patterns));
    if (names.length === 0 && (dangling === false || patterns.length > 0 || (isStep && !options.all))) continue;
    const tags = names.filter((name) => !name.includes("@"));
    if (dangling === true && tags.length > 0) continue;
    const digests = names.filter((name) => name.includes("@"));
    const summary = summarise(image, tags, digests);
    if (options.sharedSize) summary.SharedSize = store.rows.sharedSizeOf(image.id);
    if (options.stored === true) addKept(summary, store.rows.keptBytesOf(image.id));
    if (options.manifests === true) summary.Manifests = [summariseManifest(store, image)];
    summaries.push({ created: image.row.createdNanos, summary });
  }
  summaries.sort((a, b) => (a.created === b.created ? (a.summary.Id < b.summary.Id ? -1 : 1) : a.created > b.created ? -1 : 1));
  return summaries.map(({ summary }) => summary);
}

function summarise(image: StoredImage, tags: string[], digests: string[]): ImageSummary {
  return {
    Containers: -1,
    Created: createdSeconds(image.config.created),
    Id: image.id,
    // Docker sends null for an image without labels.
    Labels: (image.config.config?.Labels ?? null) as Record<string, string>,
    ParentId: image.row.parentId ?? "",
    RepoDigests: digests,
    RepoTags: tags,
    SharedSize: -1,
    Size: image.sizeBytes,
  };
}

function addKept(summary: ImageSummary, kept: { all: number; shared: number }): void {
  summary.Size += kept.all;
  if (summary.SharedSize >= 0) summary.SharedSize += kept.shared;
}

/** All filters that look at the image alone. @throws InvalidParameter, NotFound */
function imageFilter(store: ImageStore, filters: Filters): (image: StoredImage) => boolean {
  checkFilterKeys(filters, known);
  const createdOf = (reference: string): bigint => store.get(resolveId(store.rows, reference))?.row.createdNanos ?? 0n;
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
