import { parseDuration } from "./duration.ts";
import { invalidParameter } from "./errors.ts";

/** Nanoseconds since 1970 as Docker's JSON has them: RFC 3339, trailing zeros of the fraction dropped, UTC. */
export function formatNanos(nanos: bigint): string {
  const seconds = nanos / 1_000_000_000n - (nanos % 1_000_000_000n < 0n ? 1n : 0n);
  const fraction = (nanos - seconds * 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  const base = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return fraction === "" ? `${base}Z` : `${base}.${fraction}Z`;
}

const offset = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

/** The present time in nanoseconds since 1970. Monotonic within the process, so that events keep their order. */
export function nowNanos(): bigint {
  return process.hrtime.bigint() + offset;
}

/** Docker's "never" in container states. */
export const zeroTime = "0001-01-01T00:00:00Z";

/**
 * A time as the API's `since` and `until` take it: Unix seconds with an optional fraction, or RFC 3339.
 * @returns nanoseconds since 1970, or undefined when the text is neither
 */
export function parseTime(text: string): bigint | undefined {
  const unix = /^(-?\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (unix !== null) return BigInt(unix[1] ?? "0") * 1_000_000_000n + BigInt((unix[2] ?? "").padEnd(9, "0"));
  const iso = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?)?$/.exec(text);
  if (iso === null) return undefined;
  const millis = Date.parse(`${iso[1]}T${iso[2] ?? "00:00:00"}${iso[4] ?? "Z"}`);
  if (Number.isNaN(millis)) return undefined;
  return BigInt(millis) * 1_000_000n + BigInt((iso[3] ?? "").padEnd(9, "0"));
}

/**
 * What the filter `until` of prunes and lists takes: a time, or a duration before now. Nanoseconds since 1970.
 * @throws InvalidParameter with Docker's wording
 */
export function parseUntil(text: string): bigint {
  const duration = /^\d+$/.test(text) ? undefined : parseDuration(text);
  const nanos = duration === undefined ? parseTime(text) : nowNanos() - BigInt(duration);
  if (nanos === undefined) throw invalidParameter(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return nanos;
}
