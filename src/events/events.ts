/**
 * The event bus: what happened to which object, as `docker events` shows it. Publishing is synchronous and
 * never waits for a reader; the last events are kept in memory (256, as Docker does) for `since`. A restart of the daemon
 * begins anew, as Docker's does: who needs more keeps reading.
 */
import { nowNanos } from "../base/base.ts";
import type { EventMessage } from "../spec/spec.ts";

export interface Events {
  /** How many events there were since the start. */
  readonly published: number;
  /** How many read events now. */
  readonly readers: number;
  publish(
    type: "container" | "image" | "network" | "volume" | "builder" | "daemon",
    action: string,
    id: string,
    attributes: Readonly<Record<string, string>>,
  ): void;
  /** Stored events from `sinceNanos`, then live ones, in order, until `untilNanos` or abort. A reader that falls too far behind is ended. */
  subscribe(options: { sinceNanos?: bigint; untilNanos?: bigint }, signal: AbortSignal): AsyncIterable<EventMessage>;
}

export { nowNanos };
