/** Values that templates work on: JSON's, and records whose fields are computed when they are asked for. */
export class Computed {
  readonly #fields: Readonly<Record<string, () => unknown>>;
  readonly typeName: string;
  readonly #json: unknown;

  /** `json`: what its JSON is, if not all fields. */
  constructor(typeName: string, fields: Readonly<Record<string, () => unknown>>, json?: unknown) {
    this.#json = json;
    this.typeName = typeName;
    this.#fields = fields;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  get(name: string): unknown {
    return this.#fields[name]?.();
  }

  /** All fields that are values, in the order of their names, as `{{json .}}` shows them. */
  toJSON(): unknown {
    return this.#json ?? this.all();
  }

  all(): Record<string, unknown> {
    const all: Record<string, unknown> = {};
    for (const name of Object.keys(this.#fields).sort()) {
      const value = this.get(name);
      if (typeof value !== "function") all[name] = value;
    }
    return all;
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null &&
  typeof value === "object" &&
  !Array.isArray(value) &&
  !(value instanceof Computed) &&
  !(value instanceof Nil) &&
  !(value instanceof GoTime);

/** A nil list or map of Go: prints as an empty one, is JSON's null. */
export class Nil {
  readonly shown: string;

  constructor(shown: "[]" | "map[]") {
    this.shown = shown;
  }

  toJSON(): null {
    return null;
  }
}

/** A time: prints as Go prints one, and is its text in JSON. */
export class GoTime {
  readonly text: string;
  readonly shown: string;

  constructor(text: string, shown: string) {
    this.text = text;
    this.shown = shown;
  }

  toJSON(): string {
    return this.text;
  }
}

/** Go's structs, with their fields in order: they print as their values alone. */
const goStructs: WeakMap<object, readonly string[]> = new WeakMap();

export function asGoStruct(value: Record<string, unknown>, fields: readonly string[]): Record<string, unknown> {
  goStructs.set(value, fields);
  return value;
}

/** Go's maps: a key that is not there is no error, and JSON has the keys in order. */
const goMaps: WeakSet<object> = new WeakSet();

export function asGoMap(value: Record<string, unknown>): Record<string, unknown> {
  const map = Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  goMaps.add(map);
  return map;
}

export const isGoMap = (value: object): boolean => goMaps.has(value);

/** Go's notion: false, 0, nil and what is empty are false. */
export function isTrue(value: unknown): boolean {
  if (value === null || value === undefined || value instanceof Nil) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  if (value instanceof Computed) return true;
  return Boolean(value);
}

/** As Go's fmt prints it with %v. */
export function show(value: unknown): string {
  if (value === undefined) return "<no value>";
  if (value === null) return "<nil>";
  if (value instanceof Nil || value instanceof GoTime) return value.shown;
  if (typeof value === "string") return value;
  if (typeof value === "number") return showNumber(value);
  if (Array.isArray(value)) return `[${value.map((one) => show(one)).join(" ")}]`;
  if (value instanceof Computed)
    return `{${Object.values(value.all())
      .map((one) => show(one))
      .join(" ")}}`;
  if (isRecord(value)) {
    const fields = goStructs.get(value);
    if (fields !== undefined) return `{${fields.map((name) => show(value[name] ?? null)).join(" ")}}`;
    const parts = Object.keys(value)
      .sort()
      .map((key) => `${key}:${show(value[key])}`);
    return `map[${parts.join(" ")}]`;
  }
  return String(value);
}

function showNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return BigInt(value).toString();
  return String(value).replace(/e([+-])(\d)$/, "e$10$2");
}

/** Go's encoder escapes these in the text of a document that another encoder made. */
export const escapeHtml = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
