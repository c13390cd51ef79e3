import { cancelled, messageOf } from "../base/base.ts";
import { endingOf, isActive } from "../containers/containers.ts";
import type { EngineContext } from "./context.ts";
import type { Waiter, WaitResult } from "./live-container.ts";

/**
 * `POST /containers/x/wait`: registers now, answers once. The client sees the headers of the answer as soon as
 * this returns, and starts the container only then: no end can be missed.
 */
export async function waitContainer(
  context: EngineContext,
  reference: string,
  condition: Waiter["condition"],
  signal: AbortSignal,
): Promise<{ result: Promise<WaitResult> }> {
  const live = context.find(reference);
  const { state } = live.record.status;
  if (condition === "not-running" && !isActive(state) && state.status !== "restarting") {
    const { exitCode, error } = endingOf(state);
    return { result: Promise.resolve({ StatusCode: exitCode, ...(error === "" ? {} : { Error: { Message: error } }) }) };
  }
  const { promise, resolve, reject } = Promise.withResolvers<WaitResult>();
  const waiter: Waiter = { condition, settle: resolve };
  live.waiters.add(waiter);
  const either = AbortSignal.any([signal, context.closing.signal]);
  const leave = (): void => {
    live.waiters.delete(waiter);
    reject(cancelled(messageOf(either.reason)));
  };
  if (either.aborted) leave();
  else either.addEventListener("abort", leave, { once: true });
  const result = promise.finally(() => either.removeEventListener("abort", leave));
  // The client may be gone before anyone looks at the result.
  result.catch(() => undefined);
  return { result };
}
