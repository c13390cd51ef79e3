/** Shortens to `most` characters, the last of which is an ellipsis where something is left out. */
export function ellipsis(text: string, most: number): string {
  const characters = [...text];
  if (characters.length <= most) return text;
  return most <= 1 ? characters.slice(0, most).join("") : `${characters.slice(0, most - 1).join("")}…`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Local time as Go prints one: `2026-11-21 13:05:59 +0100 CET`. */
export function goTime(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const sign = minutes < 0 ? "-" : "+";
  const zone = `${sign}${two(Math.trunc(Math.abs(minutes) / 60))}${two(Math.abs(minutes) % 60)}`;
  return `${localDay(date)} ${localClock(date)} ${zone} ${zoneName(date)}`;
}

const localDay = (date: Date): string => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
const localClock = (date: Date): string => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;

function zoneName(date: Date): string {
  if (date.getTimezoneOffset() === 0 && (process.env["TZ"] ?? "UTC") === "UTC") return "UTC";
  const name = /\(([^)]+)\)/.exec(date.toString())?.[1] ?? "";
  const short = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" })
    .formatToParts(date)
    .find((part) => part.type === "timeZoneName");
  return /^[A-Z]{2,5}$/.test(short?.value ?? "") ? (short?.value ?? "") : name === "Coordinated Universal Time" ? "UTC" : "";
}

/** Local time with nanoseconds as Go's RFC3339Nano, with all nine digits. */
export function goTimeNanos(nanos: bigint): string {
  const date = new Date(Number(nanos / 1_000_000n));
  const minutes = -date.getTimezoneOffset();
  const zone = minutes === 0 ? "Z" : `${minutes < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
  const fraction = (nanos % 1_000_000_000n).toString().padStart(9, "0");
  return `${localDay(date)}T${localClock(date)}.${fraction}${zone}`;
}

/** Local time as RFC 3339 without a fraction. */
export const goTimeSeconds = (date: Date): string => goTimeNanos(BigInt(date.getTime()) * 1_000_000n).replace(/\.\d{9}/, "");

/** RFC 3339 as Go prints the time that it read from it: `2026-11-21 13:05:59.5 +0000 UTC`. */
export function goTimeString(text: string): string {
  const [, day = "", clock = "", fraction = "", zone = "Z"] = /^(.*)T([\d:]+)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  if (day === "") return text;
  const offset = zone === "Z" ? "+0000" : zone.replace(":", "");
  const date = new Date(text);
  const isLocal = zone !== "Z" && goTimeNanos(BigInt(date.getTime()) * 1_000_000n).endsWith(zone);
  return `${day} ${clock}${fraction.replace(/\.?0+$/, "")} ${offset} ${zone === "Z" ? "UTC" : isLocal ? zoneName(date) : offset}`;
}
