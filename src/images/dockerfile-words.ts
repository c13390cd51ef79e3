/**
 * The words of a Dockerfile instruction: quotes, escapes and variables, by the rules of Docker's builder
 * (Dockerfile reference, "Environment replacement").
 */
import { invalidParameter } from "../base/base.ts";

export type Environment = Readonly<Record<string, string>>;

/** Splits at blanks that are neither quoted nor escaped. Quotes and escapes stay in the words. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? "";
    if (letter === "\\" && quote !== "'" && at + 1 < text.length) {
      word += letter + text[++at];
    } else if (quote !== "") {
      if (letter === quote) quote = "";
      word += letter;
    } else if (/\s/.test(letter)) {
      if (word !== "") words.push(word);
      word = "";
    } else {
      if (letter === '"' || letter === "'") quote = letter;
      word += letter;
    }
  }
  if (word !== "") words.push(word);
  return words;
}

/**
 * Takes away quotes and escapes and puts in variables: `$name`, `${name}`, `${name:-word}`, `${name:+word}`.
 * @throws InvalidParameter for a quote or brace that is not closed
 */
export function expandWord(word: string, environment: Environment): string {
  return new Expansion(word, environment).run();
}

class Expansion {
  readonly #text: string;
  readonly #environment: Environment;
  #at = 0;

  constructor(text: string, environment: Environment) {
    this.#text = text;
    this.#environment = environment;
  }

  run(end = ""): string {
    let result = "";
    while (this.#at < this.#text.length) {
      const letter = this.#text[this.#at] ?? "";
      if (letter === end) return result;
      this.#at++;
      if (letter === "'") result += this.#single();
      else if (letter === '"') result += this.#double();
      else if (letter === "$") result += this.#variable();
      else if (letter === "\\") result += this.#text[this.#at++] ?? "\\";
      else result += letter;
    }
    if (end !== "") throw this.#unexpected();
    return result;
  }

  #unexpected(): Error {
    return invalidParameter(`failed to process ${JSON.stringify(this.#text)}: unexpected end of statement`);
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) throw this.#unexpected();
    const inner = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return inner;
  }

  #double(): string {
    let result = "";
    while (this.#at < this.#text.length) {
      const letter = this.#text[this.#at++] ?? "";
      if (letter === '"') return result;
      if (letter === "$") result += this.#variable();
      else if (letter === "\\" && /["$\\]/.test(this.#text[this.#at] ?? "")) result += this.#text[this.#at++];
      else result += letter;
    }
    throw this.#unexpected();
  }

  #variable(): string {
    const rest = this.#text.slice(this.#at);
    const plain = /^(?:[A-Za-z_]\w*|\d)/.exec(rest)?.[0];
    if (plain !== undefined) {
      this.#at += plain.length;
      return this.#environment[plain] ?? "";
    }
    if (!rest.startsWith("{")) return "$";
    const braced = /^\{(\w+)(:[-+]|[-+])?/.exec(rest);
    if (braced === null) throw invalidParameter(`failed to process ${JSON.stringify(this.#text)}: bad substitution`);
    this.#at += braced[0].length;
    const [, name = "", operator = ""] = braced;
    const other = this.run("}");
    this.#at++;
    const value = this.#environment[name];
    const isSet = value !== undefined && (value !== "" || !operator.startsWith(":"));
    if (operator === "" && other !== "")
      throw invalidParameter(`failed to process ${JSON.stringify(this.#text)}: unsupported modifier in substitution`);
    if (operator.endsWith("+")) return isSet ? other : "";
    return isSet || operator === "" ? (value ?? "") : other;
  }
}
