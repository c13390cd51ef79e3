/** The `filters` of lists, prunes and events. What keys there are, and what most of them mean, is each room's own. */
import { invalidParameter } from "./errors.ts";
import { parseUntil } from "./time.ts";

/** Decoded `filters`: key → values. */
export type Filters = ReadonlyMap<string, readonly string[]>;

type Labels = Readonly<Record<string, string>> | null | undefined;

/** @throws InvalidParameter for a key that is not among the `known` ones */
export function checkFilterKeys(filters: Filters, known: readonly string[]): void {
  for (const key of filters.keys()) if (!known.includes(key)) throw invalidParameter(`invalid filter '${key}'`);
}

/**
 * What `1` or `true`, `0` or `false` says; undefined when nothing is said.
 * @throws InvalidParameter for anything else, and for both at once
 */
export function booleanFilter(key: string, values: readonly string[] = []): boolean | undefined {
  if (values.length === 0) return undefined;
  const [isTrue, isFalse] = [values.includes("1") || values.includes("true"), values.includes("0") || values.includes("false")];
  if (isTrue === isFalse) throw invalidParameter(`invalid filter '${key}=[${values.join(" ")}]'`);
  return isTrue;
}

/** Nanoseconds since 1970. @throws InvalidParameter for more than one, and for what is no time */
export function untilFilter(filters: Filters): bigint | undefined {
  const times = filters.get("until") ?? [];
  if (times.length > 1) throw invalidParameter("more than one until filter specified");
  return times.map(parseUntil)[0];
}

/** Is all there that is wanted, as `key` or `key=value`? */
export function hasLabels(labels: Labels, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const equals = text.indexOf("=");
    const key = equals < 0 ? text : text.slice(0, equals);
    if (!labels || !Object.hasOwn(labels, key)) return false;
    return equals < 0 || labels[key] === text.slice(equals + 1);
  });
}

/** All that `label` asks for, and not all of what `label!` does. */
export function labelsMatch(filters: Filters, labels: Labels): boolean {
  const unwanted = filters.get("label!") ?? [];
  return hasLabels(labels, filters.get("label") ?? []) && !(unwanted.length > 0 && hasLabels(labels, unwanted));
}
