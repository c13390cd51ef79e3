/** Values that templates work on: JSON's, and records whose fields are computed when they are asked for. */
export class Computed {
  readonly #fields: Readonly<Record<string, () => unknown>>;
  readonly typeName: string;

  constructor(typeName: string, fields: Readonly<Record<string, () => unknown>>) {
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
  toJSON(): Record<string, unknown> {
    const all: Record<string, unknown> = {};
    for (const name of Object.keys(this.#fields).sort()) {
      const value = this.get(name);
      if (typeof value !== "function") all[name] = value;
    }
    return all;
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Computed);

/** Go's notion: false, 0, nil and what is empty are false. */
export function isTrue(value: unknown): boolean {
  if (value === null || value === undefined) return false;
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  if (value instanceof Computed) return true;
  return Boolean(value);
}

/** As Go's fmt prints it with %v. */
export function show(value: unknown, nested = false): string {
  if (value === undefined) return "<no value>";
  if (value === null) return nested ? "<nil>" : "<nil>";
  if (typeof value === "string") return value;
  if (typeof value === "number") return showNumber(value);
  if (Array.isArray(value)) return `[${value.map((one) => show(one, true)).join(" ")}]`;
  if (value instanceof Computed)
    return `{${Object.values(value.toJSON())
      .map((one) => show(one, true))
      .join(" ")}}`;
  if (isRecord(value)) {
    const parts = Object.keys(value)
      .sort()
      .map((key) => `${key}:${show(value[key], true)}`);
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
