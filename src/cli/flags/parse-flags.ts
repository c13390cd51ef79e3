import { messageOf } from "../../base/errors.ts";
import { checkValue } from "./check-value.ts";
import { type FlagSpec, FlagValues } from "./flag.ts";

/** A flag that is not there, lacks its value or does not like it. */
export class FlagError extends Error {}

export interface ParsedFlags {
  readonly values: FlagValues;
  readonly args: readonly string[];
}

/** `-f, --filter`, as messages name a flag. */
const nameOf = (spec: FlagSpec): string => (spec.short === undefined ? `--${spec.name}` : `-${spec.short}, --${spec.name}`);

class FlagParser {
  readonly values: FlagValues;
  readonly #specs: readonly FlagSpec[];

  constructor(specs: readonly FlagSpec[]) {
    this.#specs = specs;
    this.values = new FlagValues(specs);
  }

  #set(spec: FlagSpec, value: string): void {
    try {
      // A list of strings may come comma-separated.
      const parts = spec.type === "strings" ? value.split(",") : [value];
      for (const part of parts) this.values.add(spec.same ?? spec.name, checkValue(spec, part));
    } catch (error) {
      throw new FlagError(`invalid argument ${JSON.stringify(value)} for ${JSON.stringify(nameOf(spec))} flag: ${messageOf(error)}`);
    }
  }

  /** `--name`, `--name=value`, `--name value`. Returns whether it took the following word. */
  long(word: string, following: string | undefined): boolean {
    const body = word.slice(2);
    if (body.startsWith("-") || body.startsWith("=")) throw new FlagError(`bad flag syntax: ${word}`);
    const equals = body.indexOf("=");
    const name = equals < 0 ? body : body.slice(0, equals);
    const spec = this.#specs.find((one) => one.name === name);
    if (spec === undefined) throw new FlagError(`unknown flag: --${name}`);
    if (equals >= 0) this.#set(spec, body.slice(equals + 1));
    else if (spec.type === "bool") this.#set(spec, "true");
    else if (following === undefined) throw new FlagError(`flag needs an argument: --${name}`);
    else {
      this.#set(spec, following);
      return true;
    }
    return false;
  }

  /** `-itd`, `-p80`, `-p=80`, `-p 80`. Returns whether it took the following word. */
  short(word: string, following: string | undefined): boolean {
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] ?? "";
      const spec = this.#specs.find((one) => one.short === letter);
      if (spec === undefined) {
        if (letter === "h") return this.long("--help", undefined);
        throw new FlagError(`unknown shorthand flag: '${letter}' in -${word.slice(at)}`);
      }
      const rest = word.slice(at + 1);
      if (rest.startsWith("=")) {
        this.#set(spec, rest.slice(1));
        return false;
      }
      if (spec.type === "bool") {
        this.#set(spec, "true");
        continue;
      }
      if (rest !== "") {
        this.#set(spec, rest);
        return false;
      }
      if (following === undefined) throw new FlagError(`flag needs an argument: '${letter}' in -${word.slice(at)}`);
      this.#set(spec, following);
      return true;
    }
    return false;
  }
}

/**
 * Parses flags as POSIX and GNU programs do. Without `interspersed`, the first argument ends them, so that
 * the flags of a command to be run in a container stay its own.
 * @throws FlagError with Docker's wording
 */
export function parseFlags(specs: readonly FlagSpec[], words: readonly string[], interspersed: boolean): ParsedFlags {
  const parser = new FlagParser(specs);
  const args: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") {
      args.push(...words.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      if (!interspersed) {
        args.push(...words.slice(at));
        break;
      }
      args.push(word);
      continue;
    }
    const took = word.startsWith("--") ? parser.long(word, words[at + 1]) : parser.short(word, words[at + 1]);
    if (took) at++;
    // Help is shown at once: what follows is not looked at.
    if (parser.values.has("help") && parser.values.bool("help")) break;
  }
  return { values: parser.values, args };
}
