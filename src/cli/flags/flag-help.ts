import type { FlagSpec } from "./flag.ts";

/** Cuts a text before column `width`; a last word may stand out a little, so that it is not alone on a line. */
function cut(text: string, width: number, slop: number): [string, string] {
  if (width + slop > text.length) return [text, ""];
  const head = text.slice(0, width);
  const blank = Math.max(head.lastIndexOf(" "), head.lastIndexOf("\t"), head.lastIndexOf("\n"));
  if (blank <= 0) return [text, ""];
  const line = head.lastIndexOf("\n");
  const at = line > 0 && line < blank ? line : blank;
  return [text.slice(0, at), text.slice(at + 1)];
}

function wrap(text: string, indent: number, columns: number): string {
  const narrow = columns - indent < 24;
  const from = narrow ? 16 : indent;
  const margin = `\n${" ".repeat(from)}`;
  const slop = 5;
  const width = columns - from - slop;
  if (width + slop < 24) return text.replaceAll("\n", margin);
  const lines: string[] = [];
  let rest = text;
  do {
    const [line, left] = cut(rest, width, slop);
    lines.push(line.replaceAll("\n", margin));
    rest = left;
  } while (rest !== "");
  return (narrow ? margin : "") + lines.join(margin);
}

function shownDefault(spec: FlagSpec): string {
  const value = spec.default ?? "";
  if (value === "" || value === "false" || (value === "0" && spec.type === "int")) return "";
  return spec.type === "string" ? ` (default ${JSON.stringify(value)})` : ` (default ${value})`;
}

/** The options' table of a help text, sorted by name, wrapped at `columns`. */
export function flagHelp(specs: readonly FlagSpec[], columns: number): string {
  const shown = specs.filter((spec) => spec.hidden !== true).sort((a, b) => (a.name < b.name ? -1 : 1));
  const heads = shown.map(({ name, short, type }) => {
    const flag = short === undefined ? `      --${name}` : `  -${short}, --${name}`;
    return type === "bool" ? flag : `${flag} ${type}`;
  });
  const width = Math.max(...heads.map((head) => head.length)) + 3;
  return shown.map((spec, at) => (heads[at] ?? "").padEnd(width) + wrap(spec.help + shownDefault(spec), width, columns)).join("\n");
}
