import { invalidParameter, parseUntil } from "../base/base.ts";
import { type Filters, labelTest } from "./filters.ts";
import type { ContainerRecord } from "./record.ts";

const known: readonly string[] = ["label", "label!", "until"];

/**
 * Which containers a prune may take, going by `until`, `label` and `label!`.
 * @throws InvalidParameter for a filter that Docker does not have here, and for a time that is none
 */
export function parsePruneFilters(filters: Filters): (record: ContainerRecord) => boolean {
  for (const key of filters.keys()) if (!known.includes(key)) throw invalidParameter(`invalid filter '${key}'`);
  const times = filters.get("until") ?? [];
  if (times.length > 1) throw invalidParameter("more than one until filter specified");
  const [until] = times.map(parseUntil);
  const labelled = labelTest(filters.get("label") ?? []);
  const spared = filters.get("label!") ?? [];
  const isSpared = labelTest(spared);
  return (record) =>
    (until === undefined || record.createdNanos <= until) && labelled(record) && (spared.length === 0 || !isSpared(record));
}
