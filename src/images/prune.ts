/** `docker image prune`. */
import { booleanFilter, checkFilterKeys, type Filters, isEngineError, labelsMatch, log, messageOf, untilFilter } from "../base/base.ts";
import type { ImageDeleteResponseItem, ImagePruneResponse } from "../spec/spec.ts";
import { removeImage } from "./remove.ts";
import { familiarOf } from "./resolve.ts";
import type { ImageStore, ListedImage } from "./store.ts";

/**
 * Deletes the images that no container stands on: those without a tag, or with `dangling=false` all. What is in use is
 * passed over.
 * @throws InvalidParameter for filters that Docker would not take
 */
export async function pruneImages(store: ImageStore, filters: Filters): Promise<ImagePruneResponse> {
  const chosen = chosenImages(store, filters);
  const before = store.rows.storedLayers();
  const deleted: ImageDeleteResponseItem[] = [];
  for (const listed of chosen) for (const name of namesOf(listed)) deleted.push(...(await removeUnused(store, name)));
  const left = new Set(store.rows.layers().map(({ diffId }) => diffId));
  const reclaimed = before.reduce((sum, { diffId, sizeBytes }) => sum + (left.has(diffId) ? 0 : sizeBytes), 0);
  store.ports.events.publish("image", "prune", "", { reclaimed: String(reclaimed) });
  // Docker sends null where nothing was deleted.
  return { ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed } as ImagePruneResponse;
}

function chosenImages(store: ImageStore, filters: Filters): ListedImage[] {
  checkFilterKeys(filters, ["dangling", "label", "label!", "until"]);
  const danglingOnly = booleanFilter("dangling", filters.get("dangling")) ?? true;
  const before = untilFilter(filters);
  const parents = new Set(store.all().map((image) => image.row.parentId));
  return store.listed().filter(
    ({ image, names }) =>
      // A step of another image goes with that one.
      !(names.length === 0 && parents.has(image.id)) &&
      !(danglingOnly && (parents.has(image.id) || names.some((name) => !name.includes("@")))) &&
      (before === undefined || image.row.createdNanos <= before) &&
      labelsMatch(filters, image.config.config?.Labels),
  );
}

/** What to remove so that the image goes: its names, or an image without any by its id. */
function namesOf({ image, names }: ListedImage): string[] {
  return names.length === 0 ? [image.id] : names.map(familiarOf);
}

async function removeUnused(store: ImageStore, name: string): Promise<ImageDeleteResponseItem[]> {
  try {
    return await removeImage(store, name, { force: false, noPrune: false });
  } catch (error) {
    if (!isEngineError(error, "Conflict") && !isEngineError(error, "NotFound"))
      log.warn("an image was not pruned", { name, error: messageOf(error) });
    return [];
  }
}
