import { type Filters, invalidParameter, parseTime } from "../base/base.ts";

/** The query parameters of a request, read by Docker's rules. */
export class Query {
  readonly #values: URLSearchParams;

  constructor(search: string) {
    this.#values = new URLSearchParams(search);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The first value; "" when there is none, which Docker takes for the same. */
  text(name: string): string {
    return this.#values.get(name) ?? "";
  }

  /** As an option to pass on: absent when it is empty. */
  option<Name extends string>(name: string, as: Name): { [name in Name]?: string } {
    const value = this.text(name);
    return value === "" ? {} : ({ [as]: value } as { [name in Name]: string });
  }

  all(name: string): string[] {
    return this.#values.getAll(name);
  }

  /** Everything is true but nothing, 0, no, false and none. */
  flag(name: string, fallback = false): boolean {
    const value = this.#values.get(name);
    if (value === null) return fallback;
    return !["", "0", "no", "false", "none"].includes(value.trim().toLowerCase());
  }

  /** A whole number, undefined when it is not given. @throws InvalidParameter in the words that Go has for it */
  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === "") return undefined;
    if (!/^[+-]?\d{1,15}$/.test(value)) throw invalidParameter(`strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`);
    return Number(value);
  }

  /** Nanoseconds since 1970, undefined when it is not given. */
  time(name: string): bigint | undefined {
    const value = this.text(name);
    if (value === "") return undefined;
    const nanos = parseTime(value);
    if (nanos === undefined)
      throw invalidParameter(
        `invalid value for ${JSON.stringify(name)}: failed to parse value as time or duration: ${JSON.stringify(value)}`,
      );
    return nanos;
  }

  /** `filters`: `{"label":{"a=b":true}}`, or as old clients send it, `{"label":["a=b"]}`. */
  filters(): Filters {
    const text = this.text("filters");
    const filters = new Map<string, string[]>();
    if (text === "") return filters;
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw invalidParameter("invalid filter", error);
    }
    if (parsed === null) return filters;
    if (typeof parsed !== "object" || Array.isArray(parsed)) throw invalidParameter("invalid filter");
    for (const [key, values] of Object.entries(parsed)) filters.set(key, filterValues(values));
    return filters;
  }
}

function filterValues(values: unknown): string[] {
  if (values === null) return [];
  if (Array.isArray(values) && values.every((value) => typeof value === "string")) return values;
  const flags = typeof values === "object" && !Array.isArray(values) && Object.values(values).every((flag) => typeof flag === "boolean");
  if (!flags) throw invalidParameter("invalid filter");
  return Object.keys(values);
}
