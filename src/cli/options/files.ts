import { readFileSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";

/** Lines of `NAME=VALUE`; `#` starts a comment, a name alone takes the caller's value where `fill` says so. */
function readPairs(path: string, fill: boolean): string[] {
  try {
    return parsePairs(readText(path), fill);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`invalid env file (${path}): ${error.message}`);
    throw error;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") throw new Error(`open ${path}: no such file or directory`);
    throw error;
  }
}

function parsePairs(text: string, fill: boolean): string[] {
  const pairs: string[] = [];
  for (const line of text.replace(/^\uFEFF/, "").split("\n")) {
    const entry = line.replace(/\r$/, "").trimStart();
    if (entry === "" || entry.startsWith("#")) continue;
    const equals = entry.indexOf("=");
    const name = equals < 0 ? entry : entry.slice(0, equals);
    if (name === "") throw new SyntaxError(`no variable name on line '${line}'`);
    if (/\s/.test(equals < 0 ? name.trimEnd() : name)) throw new SyntaxError(`variable '${name}' contains whitespaces`);
    if (equals >= 0) pairs.push(entry);
    else if (!fill) pairs.push(name.trim());
    else if (process.env[name.trim()] !== undefined) pairs.push(`${name.trim()}=${process.env[name.trim()]}`);
  }
  return pairs;
}

/** Environment: files first, so that flags win. */
export function readEnvironment(files: readonly string[], flags: readonly string[]): string[] {
  return [...files.flatMap((file) => readPairs(file, true)), ...flags];
}

/** Labels of files and flags as a map; a label without a value is empty. */
export function readLabels(files: readonly string[], flags: readonly string[]): Record<string, string> {
  return pairsToMap([...files.flatMap((file) => readPairs(file, false)), ...flags]);
}

export function pairsToMap(pairs: readonly string[]): Record<string, string> {
  const map: Record<string, string> = {};
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals < 0) map[pair] = "";
    else map[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return map;
}
