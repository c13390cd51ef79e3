import { endOfString, unescapeText } from "./unescape-text.ts";

/**
 * One line of a json-file log: `{"log":"text\n","stream":"stdout","attrs":{…},"time":"2006-01-02T15:04:05.9Z"}`.
 * This is the careful reader, for lines that `frame-writer.ts` does not recognise at a glance: other writers' field
 * orders, torn lines, lines that grew together because a writer was killed between them.
 */
export interface LogLine {
  readonly text: Buffer;
  readonly stream: "stdout" | "stderr";
  /** As it stands in the file. */
  readonly time: string;
  readonly attrs: Readonly<Record<string, string>>;
}

const opening = Buffer.from('{"log":');
const textFirst = Buffer.from('{"log":"');

/** The text as bytes: it may have some that are no UTF-8. Undefined where it does not come first. */
function textOf(bytes: Buffer): Buffer | undefined {
  const start = textFirst.length;
  if (!bytes.subarray(0, start).equals(textFirst)) return undefined;
  const end = endOfString(bytes, start, bytes.length);
  const text = Buffer.alloc(end - start);
  return text.subarray(0, unescapeText(bytes, start, end, text, 0));
}

function fromValue(value: unknown, bytes: Buffer): LogLine | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { log, stream, time, attrs } = value as Record<string, unknown>;
  if (typeof log !== "string" || typeof time !== "string") return undefined;
  if (stream !== undefined && stream !== "stdout" && stream !== "stderr") return undefined;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(time)) return undefined;
  return {
    text: textOf(bytes) ?? Buffer.from(log),
    stream: stream ?? "stdout",
    time,
    attrs: typeof attrs === "object" && attrs !== null ? (attrs as Record<string, string>) : {},
  };
}

function parse(bytes: Buffer): LogLine | undefined {
  try {
    return fromValue(JSON.parse(bytes.toString()), bytes);
  } catch {
    return undefined;
  }
}

/**
 * The line in `bytes`. Behind the torn beginning of one that was never finished another may follow: then that one.
 * Undefined: there is none.
 */
export function parseLine(bytes: Buffer): LogLine | undefined {
  const whole = parse(bytes);
  if (whole !== undefined) return whole;
  // The last opening is the one that can be whole: inside a string its quotes would be escaped.
  const start = bytes.lastIndexOf(opening);
  return start > 0 ? parse(bytes.subarray(start)) : undefined;
}

/** Nine digits behind the point, as `docker logs --timestamps` prints and as times compare. UTC times only. */
export function paddedTime(time: string): string {
  const match = /^(.{19})(?:\.(\d{1,9}))?\d*Z$/.exec(time);
  return match === null ? time : `${match[1]}.${(match[2] ?? "").padEnd(9, "0")}Z`;
}

/** `--details`: the attributes as a list, percent-encoded, in the order of their names. */
export function detailsOf(attrs: Readonly<Record<string, string>>): string {
  const encode = (text: string): string => new URLSearchParams([["", text]]).toString().slice(1);
  const pairs = Object.entries(attrs).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return pairs.map(([name, value]) => `${encode(name)}=${encode(String(value))}`).join(",");
}
