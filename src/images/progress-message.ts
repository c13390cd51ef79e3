/** A transfer's progress as a message of the API. */
import { formatSize } from "../base/base.ts";
import type { Progress } from "../distribution/distribution.ts";

/** `progress` is the bar that Docker draws of `progressDetail`, for clients that show it as it is. */
export function progressMessage({ id, status, current, total }: Progress): Record<string, unknown> {
  if (current === undefined) return { status, progressDetail: {}, id };
  return { status, progressDetail: { current, ...(total === undefined ? {} : { total }) }, progress: barOf(current, total), id };
}

function barOf(current: number, total = 0): string {
  const done = formatSize(current, 4).padStart(8);
  if (total <= 0) return done;
  const marks = Math.min(50, Math.trunc(Math.trunc((current / total) * 100) / 2));
  return `[${"=".repeat(marks)}>${" ".repeat(50 - marks)}] ${done}${current > total ? "" : `/${formatSize(total, 4)}`}`;
}
