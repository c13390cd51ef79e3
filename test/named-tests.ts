/** Tables in docs/ name tests: `file`: name. They are kept to tests that are there. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");

/** The names of a file's tests as patterns: what is filled into a template may be anything. Names of tables count, being strings. */
function namesIn(file: string): RegExp[] {
  const literals = readFileSync(join(root, file), "utf8").matchAll(/"((?:[^"\\\n]|\\.)+)"|test\(`([^`]+)`/g);
  return [...literals].map(([, plain, template]) => {
    const text = (template ?? plain ?? "").replace(/\\(.)/g, "$1");
    const parts = template === undefined ? [text] : text.split(/\$\{[^}]*\}/);
    return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".+")}$`);
  });
}

/** Every test that the last column of a document's table names is there; of at least `leastRows` rows. */
export function assertNamedTests(document: string, leastRows: number): void {
  const rows = readFileSync(join(root, document), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| ") && line.includes("`: "))
    .map((line) => line.split(" | ").at(-1)?.replace(/ \|$/, "") ?? "");
  assert.ok(rows.length >= leastRows, `${rows.length} rows`);
  const missing: string[] = [];
  for (const reference of rows.flatMap((cell) => cell.split(" · "))) {
    const [, file = "", name = ""] = /^`([^`]+)`: (.+)$/.exec(reference) ?? [];
    if (!existsSync(join(root, file)) || !/^(src|test)\//.test(file)) missing.push(`${reference}: no such file`);
    else if (!namesIn(file).some((pattern) => pattern.test(name))) missing.push(reference);
  }
  assert.deepEqual(missing, []);
}
