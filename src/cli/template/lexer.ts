import { invalidParameter } from "../../base/errors.ts";
import type { Place } from "./nodes.ts";

/** `text` of an action's token is the source's; of `open` and `close`, the braces. */
export type Token =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "open" | "close" | "word" | "field" | "variable" | "string" | "number" | "character" | "symbol" | "space";
      readonly text: string;
      readonly place: Place;
    };

const shapes: readonly (readonly [Exclude<Token["kind"], "text" | "open" | "close">, RegExp])[] = [
  ["space", /[ \t\r\n]+/y],
  ["string", /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ["character", /'(?:[^'\\\n]|\\.[^']*)'/y],
  ["number", /[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)/y],
  ["field", /\.[A-Za-z_]\w*/y],
  ["variable", /\$\w*/y],
  ["word", /[A-Za-z_]\w*/y],
  ["symbol", /:=|[.|(),=]/y],
];

function placeOf(source: string, at: number): Place {
  const before = source.slice(0, at);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: Buffer.byteLength(before.slice(lineStart)) };
}

/** Error text of Go's parser: `template: NAME:LINE: WHY`; templates of a command line have no name. */
export const parseFailure = (place: Place, why: string): Error => invalidParameter(`template: :${place.line}: ${why}`);

function* lexAction(source: string, from: number): Generator<Token, number> {
  let at = from;
  for (;;) {
    const place = placeOf(source, at);
    if (at >= source.length) throw parseFailure(place, "unclosed action");
    if (source.startsWith("}}", at)) {
      yield { kind: "close", text: "}}", place };
      return at + 2;
    }
    if (/^[ \t\r\n]-\}\}/.test(source.slice(at, at + 4))) {
      yield { kind: "close", text: "}}", place };
      const rest = source.slice(at + 4);
      return source.length - rest.trimStart().length;
    }
    let found = false;
    for (const [kind, shape] of shapes) {
      shape.lastIndex = at;
      const match = shape.exec(source);
      if (match === null) continue;
      yield { kind, text: match[0], place };
      at += match[0].length;
      found = true;
      break;
    }
    if (found) continue;
    const character = source[at] ?? "";
    if (character === '"') throw parseFailure(place, "unterminated quoted string");
    if (character === "`") throw parseFailure(place, "unterminated raw quoted string");
    if (character === "\n") throw parseFailure(place, "unclosed action");
    throw parseFailure(
      place,
      `unexpected ${JSON.stringify(character)} in ${character === "}" || character === "{" ? "operand" : "command"}`,
    );
  }
}

/** Splits a template into text and the tokens of its actions; comments and trimmed white space are gone. */
export function* lex(source: string): Generator<Token, void> {
  let at = 0;
  while (at < source.length) {
    const open = source.indexOf("{{", at);
    let text = open < 0 ? source.slice(at) : source.slice(at, open);
    const trims = open >= 0 && /^\{\{-[ \t\r\n]/.test(source.slice(open, open + 4));
    if (trims) text = text.trimEnd();
    if (text !== "") yield { kind: "text", text };
    if (open < 0) return;
    let inside = open + (trims ? 4 : 2);
    const comment = /^\s*\/\*[\s\S]*?\*\/(\s-)?\}\}/.exec(source.slice(inside));
    if (comment !== null) {
      inside += comment[0].length;
      at = comment[1] === undefined ? inside : source.length - source.slice(inside).trimStart().length;
      continue;
    }
    if (source.startsWith("/*", inside)) throw parseFailure(placeOf(source, inside), "unclosed comment");
    yield { kind: "open", text: "{{", place: placeOf(source, inside) };
    at = yield* lexAction(source, inside);
  }
}
