/**
 * Lays JSON out with `indent` a level, keeping keys, numbers and escapes as they were written: what the
 * daemon said is shown, not what a parser made of it.
 */
export function indentJson(json: string, indent: string, outer: string = ""): string {
  let text = "";
  let depth = 0;
  const line = (): string => `\n${outer}${indent.repeat(depth)}`;
  // Strings, brackets, separators, and everything else between blanks.
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    switch (token) {
      case "{":
      case "[":
        text += token;
        depth++;
        text += line();
        break;
      case "}":
      case "]": {
        depth--;
        // Nothing between the brackets: they stay together.
        const empty = /[{[]\s*$/.test(text.slice(-(2 + outer.length + indent.length * (depth + 1))));
        text = empty ? text.trimEnd() + token : text + line() + token;
        break;
      }
      case ",":
        text += token + line();
        break;
      case ":":
        text += ": ";
        break;
      default:
        text += token;
    }
  }
  return text;
}
