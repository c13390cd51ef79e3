/**
 * Reads TOML (1.0) as far as configuration of hosts needs it: tables, dotted and quoted keys, strings of one line, integers, booleans,
 * arrays and inline tables. What is left out (dates, floats, strings of several lines, arrays of tables) is refused by name.
 */

export type TomlValue = string | number | boolean | readonly TomlValue[] | TomlTable;
/** In the order of the file. */
export type TomlTable = Map<string, TomlValue>;

export class TomlError extends Error {
  constructor(line: number, why: string) {
    super(`line ${line}: ${why}`);
    this.name = "TomlError";
  }
}

/** @throws TomlError */
export function parseToml(text: string): TomlTable {
  return new Parser(text).document();
}

const escapes: Readonly<Record<string, string>> = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", '"': '"', "\\": "\\" };
/** Arrays in arrays, and tables in tables. */
const deepest = 32;

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  /** Those that a header or a value has made as a whole: they are not added to. */
  readonly #closed = new Set<TomlTable>();

  constructor(text: string) {
    this.#text = text;
  }

  document(): TomlTable {
    const root: TomlTable = new Map();
    let table = root;
    for (;;) {
      this.#skip(/(?:[ \t\r\n]|#[^\n]*)*/y);
      if (this.#at === this.#text.length) return root;
      if (this.#taken("[[")) throw this.#error("arrays of tables are not understood here");
      if (this.#taken("[")) {
        table = this.#header(root);
        this.#expect("]");
      } else this.#pair(table);
      this.#skip(/[ \t]*(?:#[^\n]*)?/y);
      if (this.#at < this.#text.length && this.#match(/\r?\n/y) === undefined) throw this.#error("a line has more than one statement");
    }
  }

  #header(root: TomlTable): TomlTable {
    const keys = this.#keys();
    const table = this.#within(root, keys);
    if (this.#closed.has(table)) throw this.#error(`table ${keys.join(".")} is there twice`);
    this.#closed.add(table);
    return table;
  }

  #pair(table: TomlTable): void {
    const keys = this.#keys();
    const last = keys.pop() ?? "";
    this.#expect("=");
    const holder = this.#within(table, keys);
    if (holder.has(last)) throw this.#error(`key ${last} is there twice`);
    holder.set(last, this.#value());
  }

  /** The table that keys lead to, made where there is none. */
  #within(from: TomlTable, keys: readonly string[]): TomlTable {
    let table = from;
    for (const key of keys) {
      const next = table.get(key) ?? new Map<string, TomlValue>();
      if (!(next instanceof Map)) throw this.#error(`key ${key} is no table`);
      table.set(key, next);
      table = next;
    }
    return table;
  }

  #keys(): string[] {
    const keys: string[] = [];
    do {
      this.#blank();
      const quoted = this.#string();
      const key = quoted ?? this.#match(/[A-Za-z0-9_-]+/y);
      if (key === undefined) throw this.#error("a key is expected");
      keys.push(key);
      this.#blank();
    } while (this.#taken("."));
    return keys;
  }

  #value(): TomlValue {
    this.#blank();
    const text = this.#string();
    if (text !== undefined) return text;
    if (this.#text[this.#at] === "[") return this.#nested(() => this.#array());
    if (this.#text[this.#at] === "{") return this.#nested(() => this.#inline());
    const word = this.#match(/[^\s,\]}#]+/y) ?? "";
    if (word === "true" || word === "false") return word === "true";
    if (/^[+-]?(?:0|[1-9](?:_?\d)*)$/.test(word)) return Number(word.replaceAll("_", ""));
    throw this.#error(word === "" ? "a value is expected" : `${JSON.stringify(word)} is no value that is understood here`);
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > deepest) throw this.#error("too deep");
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #array(): TomlValue[] {
    this.#expect("[");
    const values: TomlValue[] = [];
    const gap = (): void => this.#skip(/(?:[ \t\r\n]|#[^\n]*)*/y);
    for (gap(); !this.#taken("]"); gap()) {
      values.push(this.#value());
      gap();
      if (this.#taken(",")) continue;
      this.#expect("]");
      break;
    }
    return values;
  }

  #inline(): TomlTable {
    this.#expect("{");
    const table: TomlTable = new Map();
    this.#blank();
    if (this.#taken("}")) return table;
    do {
      this.#pair(table);
      this.#blank();
    } while (this.#taken(","));
    this.#expect("}");
    return table;
  }

  /** A quoted string, if there is one. */
  #string(): string | undefined {
    if (this.#text.startsWith('"""', this.#at) || this.#text.startsWith("'''", this.#at))
      throw this.#error("strings of several lines are not understood here");
    if (this.#taken("'")) {
      const inner = this.#match(/[^'\n]*/y) ?? "";
      this.#expect("'");
      return inner;
    }
    if (!this.#taken('"')) return undefined;
    const inner = this.#match(/(?:[^"\\\n]|\\[^\n])*/y) ?? "";
    this.#expect('"');
    return inner.replace(/\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/gsu, (_, sequence: string) => {
      const code = sequence.length > 1 ? Number.parseInt(sequence.slice(1), 16) : undefined;
      const character = code === undefined ? escapes[sequence] : code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
      if (character === undefined) throw this.#error(`\\${sequence} means nothing`);
      return character;
    });
  }

  #blank(): void {
    this.#skip(/[ \t]*/y);
  }

  #skip(pattern: RegExp): void {
    this.#match(pattern);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #taken(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #expect(text: string): void {
    this.#blank();
    if (!this.#taken(text)) throw this.#error(`${JSON.stringify(text)} is expected`);
  }

  #error(why: string): TomlError {
    return new TomlError(this.#text.slice(0, this.#at).split("\n").length, why);
  }
}
