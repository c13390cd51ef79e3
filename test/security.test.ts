/** docs/security.md names tests: each is in the file that is said. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

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

test("docs/security.md names tests that are there", () => {
  const rows = readFileSync(join(root, "docs/security.md"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| ") && line.includes("`: "))
    .map((line) => line.split(" | ").at(-1)?.replace(/ \|$/, "") ?? "");
  assert.ok(rows.length > 25, `${rows.length} rows`);
  const missing: string[] = [];
  for (const reference of rows.flatMap((cell) => cell.split(" · "))) {
    const [, file = "", name = ""] = /^`([^`]+)`: (.+)$/.exec(reference) ?? [];
    if (!existsSync(join(root, file)) || !/^(src|test)\//.test(file)) missing.push(`${reference}: no such file`);
    else if (!namesIn(file).some((pattern) => pattern.test(name))) missing.push(reference);
  }
  assert.deepEqual(missing, []);
});
