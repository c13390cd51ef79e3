import { checkFilterKeys, type Filters, labelsMatch, untilFilter } from "../base/base.ts";
import type { ContainerRecord } from "./record.ts";

/**
 * Which containers a prune may take, going by `until`, `label` and `label!`.
 * @throws InvalidParameter for a filter that Docker does not have here, and for a time that is none
 */
export function parsePruneFilters(filters: Filters): (record: ContainerRecord) => boolean {
  checkFilterKeys(filters, ["label", "label!", "until"]);
  const until = untilFilter(filters);
  return (record) => (until === undefined || record.createdNanos <= until) && labelsMatch(filters, record.settings.config.Labels);
}
