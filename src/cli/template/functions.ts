import { printf } from "./printf.ts";
import { Computed, escapeHtml, isRecord, isTrue, Nil, show } from "./values.ts";

/** Go's built-in template functions and Docker's own. A thrown text becomes "error calling NAME: TEXT". */
export type TemplateFunction = (...args: unknown[]) => unknown;

const words = (args: readonly unknown[]): string => args.map((arg) => show(arg ?? null)).join(" ");

/** Go's Print puts blanks only between operands of which neither is a string. */
function print(args: readonly unknown[]): string {
  return args.reduce<string>((text, arg, index) => {
    const blank = index > 0 && typeof arg !== "string" && typeof args[index - 1] !== "string";
    return text + (blank ? " " : "") + show(arg ?? null);
  }, "");
}

function length(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isRecord(value)) return Object.keys(value).length;
  if (value instanceof Nil) return 0;
  throw new Error(value === null || value === undefined ? "len of nil pointer" : `len of type ${typeof value}`);
}

function index(value: unknown, ...keys: unknown[]): unknown {
  return keys.reduce((from, key) => {
    if (from === null || from === undefined) throw new Error("index of untyped nil");
    if (isRecord(from)) {
      if (typeof key !== "string") throw new Error(`value has type ${typeof key}; should be string`);
      return from[key] ?? (Object.hasOwn(from, key) ? null : "");
    }
    if (!Array.isArray(from) && typeof from !== "string") throw new Error(`can't index item of type ${typeof from}`);
    if (typeof key !== "number") throw new Error(`cannot index slice/array with type ${typeof key}`);
    if (key < 0 || key >= from.length) throw new Error(`index out of range: ${key}`);
    return typeof from === "string" ? Buffer.from(from)[key] : from[key];
  }, value);
}

function slice(value: unknown, ...bounds: unknown[]): unknown {
  if (!Array.isArray(value) && typeof value !== "string") throw new Error(`can't slice item of type ${typeof value}`);
  const [from = 0, to = value.length] = bounds.map(Number);
  if (from < 0 || to > value.length || from > to) throw new Error(`index out of range: ${Math.max(from, to)}`);
  return value.slice(from, to);
}

function equal(first: unknown, second: unknown): boolean {
  if (first === null || second === null || first === undefined || second === undefined) return (first ?? null) === (second ?? null);
  if (typeof first === "bigint" || typeof second === "bigint") return String(first) === String(second);
  if (typeof first !== typeof second) throw new Error("incompatible types for comparison");
  return first === second;
}

function less(first: unknown, second: unknown): boolean {
  if (typeof first === "string" && typeof second === "string") return first < second;
  if (typeof first === "number" && typeof second === "number") return first < second;
  throw new Error(typeof first === typeof second ? "invalid type for comparison" : "incompatible types for comparison");
}

/** The JSON of a value. What was computed is encoded twice in Docker, and so its `<`, `>` and `&` come escaped. */
function json(value: unknown): string {
  const text = JSON.stringify(value ?? null);
  return value instanceof Computed ? escapeHtml(text) : text;
}

const title = (text: string): string =>
  text.replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before: string, letter: string) => before + letter.toUpperCase());

const html: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };

export const functions: Readonly<Record<string, TemplateFunction>> = {
  and: (...args) => args.find((arg) => !isTrue(arg)) ?? args.at(-1),
  or: (...args) => args.find(isTrue) ?? args.at(-1),
  not: (value) => !isTrue(value),
  len: length,
  index,
  slice,
  print: (...args) => print(args),
  println: (...args) => `${words(args)}\n`,
  printf: (format, ...args) => printf(String(format), args),
  html: (...args) => print(args).replace(/[&<>"']/g, (c) => html[c] ?? c),
  urlquery: (...args) => encodeURIComponent(print(args)).replaceAll("%20", "+"),
  eq: (first, ...rest) => rest.some((other) => equal(first, other)),
  ne: (first, second) => !equal(first, second),
  lt: less,
  le: (first, second) => less(first, second) || equal(first, second),
  gt: (first, second) => !less(first, second) && !equal(first, second),
  ge: (first, second) => !less(first, second),
  json,
  split: (text, by) => String(text).split(String(by)),
  join: (list, by) => {
    if (list === null || list === undefined) return "";
    if (!Array.isArray(list)) throw new Error(`wrong type for value; expected []string; got ${typeof list}`);
    return list.map((one) => show(one)).join(String(by));
  },
  title: (text) => title(String(text)),
  lower: (text) => String(text).toLowerCase(),
  upper: (text) => String(text).toUpperCase(),
  pad: (text, before, after) => (text === "" ? "" : " ".repeat(Number(before)) + String(text) + " ".repeat(Number(after))),
  truncate: (text, most) => [...String(text)].slice(0, Number(most)).join(""),
};
