/** `docker images`. */
import { invalidParameter, parseUntil } from "../base/base.ts";
import type { ImageSummary } from "../spec/spec.ts";
import { createdSeconds } from "./configuration.ts";
import { globMatches } from "./glob.ts";
import type { Filters } from "./images.ts";
import { familiarOf, resolveId } from "./resolve.ts";
import type { ImageStore, StoredImage } from "./store.ts";

const known = new Set(["dangling", "label", "label!", "before", "since", "reference", "until"]);

/** Newest first, as Docker lists them. `all` also shows images that only are a step of another. */
export function listImages(store: ImageStore, filters: Filters, options: { all: boolean; sharedSize: boolean }): ImageSummary[] {
  const keep = imageFilter(store, filters);
  const dangling = danglingFilter(filters);
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

/** Undefined when it is not given. @throws InvalidParameter */
export function danglingFilter(filters: Filters): boolean | undefined {
  const values = filters.get("dangling");
  if (values === undefined || values.length === 0) return undefined;
  const isTrue = (value: string): boolean => /^(1|true|t)$/i.test(value);
  if (!values.every((value) => isTrue(value) || /^(0|false|f)$/i.test(value)) || new Set(values.map(isTrue)).size !== 1)
    throw invalidParameter(`invalid filter 'dangling=[${values.join(" ")}]'`);
  return isTrue(values[0] ?? "");
}

/** All filters that look at the image alone. @throws InvalidParameter, NotFound */
function imageFilter(store: ImageStore, filters: Filters): (image: StoredImage) => boolean {
  for (const key of filters.keys()) if (!known.has(key)) throw invalidParameter(`invalid filter '${key}'`);
  const createdOf = (reference: string): bigint => store.get(resolveId(store.rows, reference))?.row.createdNanos ?? 0n;
  const before = [...(filters.get("before") ?? []).map(createdOf), ...(filters.get("until") ?? []).map(parseUntil)];
  const since = (filters.get("since") ?? []).map(createdOf);
  const labels = filters.get("label") ?? [];
  const unlabels = filters.get("label!") ?? [];
  return (image) =>
    before.every((nanos) => image.row.createdNanos < nanos) &&
    since.every((nanos) => image.row.createdNanos > nanos) &&
    labels.every((label) => hasLabel(image.config.config?.Labels ?? {}, label)) &&
    !(unlabels.length > 0 && unlabels.every((label) => hasLabel(image.config.config?.Labels ?? {}, label)));
}

/** `wanted`: `key` or `key=value`. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return wanted in labels;
  return labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}

/** Patterns are shell globs over the familiar name with or without its tag. */
function matchesReference(name: string, patterns: readonly string[]): boolean {
  if (patterns.length === 0) return true;
  const bare = name.includes("@") ? name.slice(0, name.indexOf("@")) : name.replace(/:[^/:]*$/, "");
  return patterns.some((pattern) => globMatches(pattern, name) || globMatches(pattern, bare));
}
