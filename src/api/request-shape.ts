/**
 * Requests as dockerd's decoder takes them: names in any case, fields that it does not know dropped, null for what
 * is not there, and a value of the wrong type refused with the place where it stands. What comes out has the shape
 * that the backends' types promise.
 */
import { invalidParameter } from "../base/base.ts";

/** `words`: a list of strings, or one string that stands for such a list. */
export type Shape = "string" | "bool" | "integer" | "words" | "empty" | { readonly list: Shape } | { readonly map: Shape } | Fields;

export interface Fields {
  readonly fields: Readonly<Record<string, Shape>>;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function goType(shape: Shape): string {
  if (shape === "integer") return "int64";
  if (shape === "words") return "[]string";
  if (typeof shape === "string") return shape === "empty" ? "struct {}" : shape;
  if ("list" in shape) return `[]${goType(shape.list)}`;
  return "map" in shape ? `map[string]${goType(shape.map)}` : "struct";
}

function refuse(value: unknown, shape: Shape, path: string): never {
  const kind = typeof value === "number" && shape === "integer" ? `number ${value}` : kindOf(value);
  throw invalidParameter(`invalid JSON: json: cannot unmarshal ${kind} into Go struct field ${path} of type ${goType(shape)}`);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Of int64, as near as a number of JavaScript's comes to it. */
const greatest = 2 ** 63;

function plain(value: unknown, shape: "string" | "bool" | "integer" | "words" | "empty", path: string): unknown {
  switch (shape) {
    case "string":
      return typeof value === "string" ? value : refuse(value, shape, path);
    case "bool":
      return typeof value === "boolean" ? value : refuse(value, shape, path);
    case "integer":
      return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= greatest ? value : refuse(value, shape, path);
    case "words":
      return typeof value === "string" ? [value] : listOf(value, "string", path);
    case "empty":
      return isRecord(value) ? {} : refuse(value, shape, path);
  }
}

function listOf(value: unknown, shape: Shape, path: string): unknown[] {
  if (!Array.isArray(value)) return refuse(value, { list: shape }, path);
  return value.map((entry: unknown) => (entry === null ? zero(shape) : fit(entry, shape, path)));
}

/** What null stands for within a list or a map. */
function zero(shape: Shape): unknown {
  if (shape === "string") return "";
  if (shape === "bool") return false;
  if (shape === "integer") return 0;
  return shape === "words" || (typeof shape === "object" && "list" in shape) ? [] : {};
}

function fit(value: unknown, shape: Shape, path: string): unknown {
  if (typeof shape === "string") return plain(value, shape, path);
  if ("list" in shape) return listOf(value, shape.list, path);
  if (!isRecord(value)) return refuse(value, shape, path);
  if ("fields" in shape) return fitFields(value, shape, path);
  // A map's keys are the client's: it must not reach the prototype through them.
  const entries = Object.entries(value).map(([key, entry]) => [key, entry === null ? zero(shape.map) : fit(entry, shape.map, path)]);
  return Object.fromEntries(entries);
}

/** Names in lower case → as they are called. */
const names: WeakMap<Fields, ReadonlyMap<string, string>> = new WeakMap();

function namesOf(shape: Fields): ReadonlyMap<string, string> {
  const known = names.get(shape) ?? new Map(Object.keys(shape.fields).map((name) => [name.toLowerCase(), name]));
  names.set(shape, known);
  return known;
}

/**
 * @param value the parsed body
 * @param path the name of the type, for messages
 * @throws InvalidParameter in the words of Go's decoder
 */
export function fitFields(value: Readonly<Record<string, unknown>>, shape: Fields, path: string): Record<string, unknown> {
  const known = namesOf(shape);
  const fitted: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(value)) {
    const name = known.get(key.toLowerCase());
    const field = name === undefined ? undefined : shape.fields[name];
    if (name === undefined || field === undefined || entry === null) continue;
    fitted[name] = fit(entry, field, `${path}.${name}`);
  }
  return fitted;
}
