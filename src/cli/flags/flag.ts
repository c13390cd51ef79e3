/**
 * A flag of a command. `type` is the word that help shows and that decides how values are checked:
 * `list`, `map`, `filter`, `strings` and types with `check` may be given more than once where `many` says so.
 */
export interface FlagSpec {
  readonly name: string;
  readonly short?: string;
  readonly type: FlagType;
  readonly help: string;
  /** Value when it is not given; shown in help unless it says nothing (`""`, `false`, `0`). */
  readonly default?: string;
  readonly many?: true;
  readonly hidden?: true;
  /** Another flag that this one is a second name of: values go there, in the order given. */
  readonly same?: string;
  /** Normalises a value. A thrown message becomes `invalid argument … for … flag: MESSAGE`. */
  readonly check?: (value: string) => string;
}

export type FlagType =
  | "bool"
  | "string"
  | "list"
  | "map"
  | "filter"
  | "strings"
  | "stringToString"
  | "int"
  | "uint"
  | "uint16"
  | "bytes"
  | "decimal"
  | "duration"
  | "mount"
  | "network"
  | "ulimit"
  | "gpu-request";

/** The flags as given. Reading a flag that the command does not have is a bug and throws. */
export class FlagValues {
  readonly #specs: ReadonlyMap<string, FlagSpec>;
  readonly #given: Map<string, string[]> = new Map();

  constructor(specs: readonly FlagSpec[]) {
    this.#specs = new Map(specs.map((spec) => [spec.name, spec]));
  }

  add(name: string, value: string): void {
    const values = this.#given.get(name);
    if (values === undefined) this.#given.set(name, [value]);
    else if (this.#specs.get(name)?.many === true) values.push(value);
    else values[0] = value;
  }

  #values(name: string): readonly string[] {
    const spec = this.#specs.get(name);
    if (spec === undefined) throw new Error(`this command has no flag --${name}`);
    return this.#given.get(name) ?? (spec.default === undefined || spec.many === true ? [] : [spec.default]);
  }

  /** Given on the command line, be it with its default value. */
  changed(name: string): boolean {
    return this.#given.has(name);
  }

  anyChanged(): boolean {
    return this.#given.size > 0;
  }

  has(name: string): boolean {
    return this.#specs.has(name);
  }

  bool(name: string): boolean {
    return this.#values(name)[0] === "true";
  }

  string(name: string): string {
    return this.#values(name)[0] ?? "";
  }

  list(name: string): readonly string[] {
    return this.#values(name);
  }

  number(name: string): number {
    return Number(this.#values(name)[0] ?? 0);
  }
}
