import { lex, parseFailure, type Token } from "./lexer.ts";
import type { Assignment, Call, Field, Node, Operand, Pipeline, Place } from "./nodes.ts";

type Word = Extract<Token, { text: string; place: Place }>;

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v" };

function unquote(text: string): string {
  const inner = text.slice(1, -1);
  if (text.startsWith("`")) return inner;
  return inner.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/g, (_, code: string) => {
    if (/^[xuU]./.test(code)) return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]{3}$/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8));
    return escapes[code] ?? code;
  });
}

const startPlace: Place = { line: 1, column: 0 };

class Parser {
  readonly #tokens: readonly Token[];
  readonly #isFunction: (name: string) => boolean;
  readonly #variables: string[] = ["$"];
  #at = 0;
  #loops = 0;
  #last: Place = startPlace;

  constructor(source: string, isFunction: (name: string) => boolean) {
    this.#tokens = [...lex(source)];
    this.#isFunction = isFunction;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #next(): Token | undefined {
    const token = this.#tokens[this.#at++];
    if (token !== undefined && token.kind !== "text") this.#last = token.place;
    return token;
  }

  #fail(why: string): Error {
    return parseFailure(this.#last, why);
  }

  #skipSpace(): boolean {
    const found = this.#peek()?.kind === "space";
    if (found) this.#next();
    return found;
  }

  #symbol(text: string): boolean {
    const token = this.#peek();
    return token?.kind === "symbol" && token.text === text;
  }

  /** Nodes up to one of the closing words (whose action is consumed up to the word), or to the end of the source. */
  nodes(closing: readonly string[]): { nodes: Node[]; word: string | undefined } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#next();
      if (token === undefined) {
        if (closing.length > 0) throw this.#fail("unexpected EOF");
        return { nodes, word: undefined };
      }
      if (token.kind === "text") {
        nodes.push({ kind: "text", text: token.text });
        continue;
      }
      this.#skipSpace();
      const head = this.#peek();
      const word = head?.kind === "word" ? head.text : "";
      if (word === "end" || word === "else") {
        this.#next();
        if (!closing.includes(word)) throw this.#fail(`unexpected {{${word}}}`);
        return { nodes, word };
      }
      nodes.push(this.#action(word));
    }
  }

  #action(word: string): Node {
    if (word === "if" || word === "with" || word === "range") {
      this.#next();
      return this.#block(word);
    }
    if (word === "break" || word === "continue") {
      this.#next();
      if (this.#loops === 0) throw this.#fail(`{{${word}}} outside {{range}}`);
      this.#close();
      return { kind: word };
    }
    const pipeline = this.#pipeline("command", false);
    this.#close();
    return { kind: "output", pipeline };
  }

  #close(): void {
    this.#skipSpace();
    const token = this.#next();
    if (token?.kind !== "close") throw this.#fail(`unexpected ${describe(token)} in command`);
  }

  #block(kind: "if" | "with" | "range"): Node {
    const scope = this.#variables.length;
    const pipeline = this.#pipeline(kind, kind === "range");
    this.#close();
    if (kind === "range") this.#loops++;
    const body = this.nodes(["else", "end"]);
    if (kind === "range") this.#loops--;
    let otherwise: readonly Node[] = [];
    if (body.word === "else") otherwise = this.#otherwise(kind);
    else this.#close();
    this.#variables.length = scope;
    return { kind, pipeline, body: body.nodes, otherwise };
  }

  #otherwise(kind: "if" | "with" | "range"): readonly Node[] {
    this.#skipSpace();
    const token = this.#peek();
    if (token?.kind === "word" && token.text === kind && kind !== "range") {
      this.#next();
      return [this.#block(kind)];
    }
    this.#close();
    const rest = this.nodes(["end"]);
    this.#close();
    return rest.nodes;
  }

  #assignment(pair: boolean): Assignment | undefined {
    const start = this.#at;
    const names: string[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (token?.kind !== "variable") break;
      this.#next();
      names.push(token.text);
      this.#skipSpace();
      if (pair && names.length === 1 && this.#symbol(",")) {
        this.#next();
        continue;
      }
      const declares = this.#symbol(":=");
      if (!declares && !this.#symbol("=")) break;
      this.#next();
      for (const name of names) {
        if (declares) this.#variables.push(name);
        else if (!this.#variables.includes(name)) throw this.#fail(`undefined variable "${name}"`);
      }
      return { names, declares };
    }
    this.#at = start;
    return undefined;
  }

  #pipeline(context: string, pair: boolean): Pipeline {
    const assignment = this.#assignment(pair);
    const calls: Call[] = [];
    for (;;) {
      const operands: Operand[] = [];
      this.#skipSpace();
      for (;;) {
        const operand = this.#operand();
        if (operand === undefined) break;
        operands.push(operand);
        if (!this.#skipSpace()) break;
      }
      if (operands.length === 0) throw this.#fail(calls.length === 0 ? `missing value for ${context}` : "missing value for command");
      const first = operands[0];
      if (calls.length > 0 && first?.kind === "literal") throw this.#fail(`non executable command in pipeline stage ${calls.length + 1}`);
      calls.push({ operands });
      this.#skipSpace();
      if (!this.#symbol("|")) return { assignment, calls };
      this.#next();
    }
  }

  #operand(): Operand | undefined {
    const term = this.#term();
    if (term === undefined) return undefined;
    const fields: Field[] = [];
    for (;;) {
      const token = this.#peek();
      if (token?.kind !== "field") break;
      this.#next();
      fields.push({ name: token.text.slice(1), place: token.place });
    }
    if (fields.length === 0) return term;
    if (term.kind === "literal") throw this.#fail(`unexpected . after term ${JSON.stringify(term.text)}`);
    const text = `${term.kind === "dot" ? "" : term.text}.${fields.map(({ name }) => name).join(".")}`;
    return { kind: "chain", of: term, fields, text };
  }

  #term(): Operand | undefined {
    const token = this.#peek();
    if (token === undefined || token.kind === "text" || token.kind === "open" || token.kind === "close") return undefined;
    if (token.kind === "symbol") return this.#symbolTerm(token);
    // A field alone starts at the dot: the chain is read by the caller.
    if (token.kind === "field") return { kind: "dot", text: "." };
    this.#next();
    const { text } = token;
    switch (token.kind) {
      case "string":
        return { kind: "literal", value: unquote(text), text };
      case "character":
        return { kind: "literal", value: unquote(text).codePointAt(0) ?? 0, text };
      case "number":
        return { kind: "literal", value: Number(text.replaceAll("_", "")), text };
      case "variable":
        if (!this.#variables.includes(text)) throw this.#fail(`undefined variable "${text}"`);
        return { kind: "variable", name: text, text };
      case "word":
        return this.#wordTerm(token);
      case "space":
        return undefined;
    }
  }

  #symbolTerm(token: Word): Operand | undefined {
    if (token.text === ".") {
      this.#next();
      return { kind: "dot", text: "." };
    }
    if (token.text !== "(") return undefined;
    this.#next();
    const pipeline = this.#pipeline("parenthesized pipeline", false);
    this.#skipSpace();
    if (!this.#symbol(")")) throw this.#fail("unclosed left paren");
    this.#next();
    return { kind: "pipeline", pipeline, text: "(…)" };
  }

  #wordTerm(token: Word): Operand {
    const { text } = token;
    if (text === "true" || text === "false") return { kind: "literal", value: text === "true", text };
    if (text === "nil") return { kind: "literal", value: null, text };
    if (!this.#isFunction(text)) throw this.#fail(`function "${text}" not defined`);
    return { kind: "function", name: text, text, place: token.place };
  }
}

function describe(token: Token | undefined): string {
  if (token === undefined) return "EOF";
  return token.kind === "open" || token.kind === "close" ? JSON.stringify(token.text) : `<${token.text}>`;
}

/** @throws InvalidParameter with the wording of Go's parser */
export function parseTemplate(source: string, isFunction: (name: string) => boolean): readonly Node[] {
  return new Parser(source, isFunction).nodes([]).nodes;
}
