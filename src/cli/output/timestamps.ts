import { parseDuration } from "../../base/duration.ts";
import { invalidParameter } from "../../base/errors.ts";
import { parseTime } from "../../base/time.ts";

/**
 * A point in time as `--since` and `--until` take it (a duration before now, RFC 3339 in local time unless it
 * names a zone, Unix seconds) in the API's form, `SECONDS.NANOS`. Empty stays empty.
 * @throws InvalidParameter for anything else
 */
export function timestamp(text: string): string {
  if (text === "" || /^-?\d+(\.\d{1,9})?$/.test(text)) return text;
  const ago = parseDuration(text);
  let nanos: bigint | undefined;
  if (ago !== undefined) nanos = BigInt(Date.now()) * 1_000_000n - BigInt(ago);
  else {
    const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(text) && text.includes(":");
    nanos = parseTime(text);
    if (nanos !== undefined && !zoned) nanos += BigInt(new Date(Number(nanos / 1_000_000n)).getTimezoneOffset()) * 60_000_000_000n;
  }
  if (nanos === undefined) throw invalidParameter(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return `${nanos / 1_000_000_000n}.${String(nanos % 1_000_000_000n).padStart(9, "0")}`;
}
