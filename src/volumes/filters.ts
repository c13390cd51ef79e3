import { invalidParameter } from "../base/base.ts";
import type { Volume } from "../spec/spec.ts";
import { anonymousLabel, type Filters } from "./volumes.ts";

type Test = (volume: Volume) => boolean;

function booleanOf(key: string, values: readonly string[], otherwise: boolean): boolean {
  if (values.length === 0) return otherwise;
  const [value = ""] = values;
  if (values.length === 1 && /^(1|true)$/i.test(value)) return true;
  if (values.length === 1 && /^(0|false)$/i.test(value)) return false;
  throw invalidParameter(`invalid filter '${key}=[${values.join(" ")}]'`);
}

function assertKnown(filters: Filters, known: readonly string[]): void {
  for (const key of filters.keys()) if (!known.includes(key)) throw invalidParameter(`invalid filter '${key}'`);
}

/** Has it every label? A value `key` asks for the key, `key=value` for both. */
function hasLabels(volume: Volume, values: readonly string[]): boolean {
  return values.every((value) => {
    const equals = value.indexOf("=");
    const label = volume.Labels?.[equals < 0 ? value : value.slice(0, equals)];
    return label !== undefined && (equals < 0 || label === value.slice(equals + 1));
  });
}

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
  assertKnown(filters, ["dangling", "driver", "label", "name"]);
  const values = (key: string): readonly string[] => filters.get(key) ?? [];
  const dangling = filters.has("dangling") ? booleanOf("dangling", values("dangling"), false) : undefined;
  return (volume) =>
    (dangling === undefined || isUsed(volume) !== dangling) &&
    (values("driver").length === 0 || values("driver").includes(volume.Driver)) &&
    (values("name").length === 0 || values("name").some((value) => nameMatches(volume.Name, value))) &&
    hasLabels(volume, values("label"));
}

/** A plain directory of ours: what is mounted from elsewhere is neither pruned nor measured. */
export function isPlain(volume: Volume): boolean {
  return Object.keys(volume.Options ?? {}).length === 0;
}

/** Filters of `POST /volumes/prune`. @throws InvalidParameter */
export function pruneTest(filters: Filters): Test {
  assertKnown(filters, ["label", "label!", "all"]);
  const all = booleanOf("all", filters.get("all") ?? [], false);
  const [wanted, unwanted] = [filters.get("label") ?? [], filters.get("label!") ?? []];
  return (volume) =>
    isPlain(volume) &&
    (all || volume.Labels?.[anonymousLabel] !== undefined) &&
    hasLabels(volume, wanted) &&
    (unwanted.length === 0 || !hasLabels(volume, unwanted));
}
