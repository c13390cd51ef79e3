import { booleanFilter, checkFilterKeys, type Filters, labelsMatch } from "../base/base.ts";
import type { Volume } from "../spec/spec.ts";
import { anonymousLabel } from "./volumes.ts";

type Test = (volume: Volume) => boolean;

function nameMatches(name: string, value: string): boolean {
  if (name === value) return true;
  try {
    return new RegExp(value).test(name);
  } catch {
    return false;
  }
}

/** Filters of `GET /volumes`. @param isUsed by containers @throws InvalidParameter */
export function listTest(filters: Filters, isUsed: Test): Test {
  checkFilterKeys(filters, ["dangling", "driver", "label", "name"]);
  const values = (key: string): readonly string[] => filters.get(key) ?? [];
  const dangling = booleanFilter("dangling", filters.get("dangling"));
  return (volume) =>
    (dangling === undefined || isUsed(volume) !== dangling) &&
    (values("driver").length === 0 || values("driver").includes(volume.Driver)) &&
    (values("name").length === 0 || values("name").some((value) => nameMatches(volume.Name, value))) &&
    labelsMatch(filters, volume.Labels);
}

/** A plain directory of ours: what is mounted from elsewhere is neither pruned nor measured. */
export function isPlain(volume: Volume): boolean {
  return Object.keys(volume.Options ?? {}).length === 0;
}

/** Filters of `POST /volumes/prune`. @throws InvalidParameter */
export function pruneTest(filters: Filters): Test {
  checkFilterKeys(filters, ["label", "label!", "all"]);
  const all = booleanFilter("all", filters.get("all"));
  return (volume) =>
    isPlain(volume) && (all === true || volume.Labels?.[anonymousLabel] !== undefined) && labelsMatch(filters, volume.Labels);
}
