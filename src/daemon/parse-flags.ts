import { type Flag, flags } from "./flag-table.ts";

/** What one source (the command line, the configuration file) says. */
export type Value = string | boolean | number | readonly string[] | Readonly<Record<string, string>>;
export type Values = ReadonlyMap<string, Value>;

/** A mistake of whoever wrote the command line; `message` is what to print. */
export class UsageError extends Error {}

const byName: ReadonlyMap<string, Flag> = new Map(flags.map((flag) => [flag.name, flag]));
const byShort: ReadonlyMap<string, Flag> = new Map(
  flags.flatMap((flag) => (flag.short === undefined ? [] : [[flag.short, flag] as const])),
);

function label(flag: Flag): string {
  return flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
}

/** As Go's strconv.ParseBool takes it. */
function parseSwitch(text: string): boolean {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function parseValue(flag: Flag, text: string, before: Value | undefined): Value {
  switch (flag.kind) {
    case "switch":
      return parseSwitch(text);
    case "number":
      if (!/^[+-]?\d{1,15}$/.test(text)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
      return Number(text);
    case "text":
      return text;
    case "list":
      return [...(Array.isArray(before) ? (before as readonly string[]) : []), text];
    case "map": {
      const mark = text.indexOf("=");
      if (mark <= 0) throw new Error(`invalid argument: ${text}`);
      return { ...(before as Readonly<Record<string, string>> | undefined), [text.slice(0, mark)]: text.slice(mark + 1) };
    }
  }
}

/**
 * Reads a command line by the rules of dockerd's: `--name=value`, `--name value`, `-nvalue`, `-Dl info`.
 * @throws UsageError in dockerd's words
 */
export function parseFlags(args: readonly string[]): Values {
  const values = new Map<string, Value>();
  const rest = [...args];
  const take = (flag: Flag, text: string | undefined, given: string): void => {
    const value = text ?? (flag.kind === "switch" ? "true" : rest.shift());
    if (value === undefined) throw new UsageError(`flag needs an argument: ${given}`);
    try {
      values.set(flag.name, parseValue(flag, value, values.get(flag.name)));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new UsageError(`invalid argument ${JSON.stringify(value)} for "${label(flag)}" flag: ${why}`);
    }
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word.startsWith("--") && word !== "--") long(word.slice(2), take);
    else if (word.startsWith("-") && word !== "-" && word !== "--") short(word.slice(1), take);
    else throw new UsageError(`"berthd" accepts no arguments`);
  }
  return values;
}

type Take = (flag: Flag, text: string | undefined, given: string) => void;

function long(word: string, take: Take): void {
  const mark = word.indexOf("=");
  const name = mark === -1 ? word : word.slice(0, mark);
  const flag = byName.get(name);
  if (flag === undefined) throw new UsageError(`unknown flag: --${name}`);
  take(flag, mark === -1 ? undefined : word.slice(mark + 1), `--${name}`);
}

/** Switches can share one dash; the first that takes a value takes the rest of the word. */
function short(word: string, take: Take): void {
  for (let index = 0; index < word.length; index++) {
    const letter = word[index] ?? "";
    const flag = byShort.get(letter);
    if (flag === undefined) throw new UsageError(`unknown shorthand flag: '${letter}' in -${word}`);
    const tail = word.slice(index + 1);
    if (flag.kind === "switch" && !tail.startsWith("=")) {
      take(flag, undefined, `-${letter}`);
      continue;
    }
    take(flag, tail === "" ? undefined : tail.replace(/^=/, ""), `'${letter}' in -${word}`);
    return;
  }
}

/** `berthd --help`. */
export function usage(): string {
  const rows = flags.map((flag) => {
    const placeholder = flag.placeholder ?? { switch: "", text: "string", list: "list", number: "int", map: "map" }[flag.kind];
    return [`${flag.short === undefined ? "    " : `-${flag.short}, `}--${flag.name} ${placeholder}`.trimEnd(), flag.help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length));
  const table = rows.map(([left, help]) => `  ${left.padEnd(width)}   ${help}`).join("\n");
  return `\nUsage:  berthd [OPTIONS]\n\nA container engine with Docker's API.\n\nOptions:\n${table}\n`;
}
