import type { LaunchFailure } from "./plan.ts";

/** What the kernel's failures carry as their cause; undefined for other errors. */
export function launchFailureOf(error: unknown): LaunchFailure | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const inner: unknown = cause.cause;
    if (typeof inner === "object" && inner !== null && "stage" in inner && "errno" in inner && "message" in inner)
      return inner as LaunchFailure;
  }
  return undefined;
}
