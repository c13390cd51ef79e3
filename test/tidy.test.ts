/** Holds the tree to the room table of tools/rooms.ts and to the limits that docs/architecture.md states. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { describe, test } from "node:test";
import { type AnyNode, parse } from "acorn";
import { allowed, outside, tiers } from "../tools/rooms.ts";

const root = resolve(import.meta.dirname, "..");
const rooms = [...Object.keys(tiers), ...Object.keys(outside)];

const maxFileLines = 600;
const maxMedianLines = 150;
const maxFunctionLines = 70;
/** Tables of facts: data in the shape of code, as long as there are facts. */
const isTable = (file: string): boolean => /-(table|words)\.ts$/.test(file);
/** Tests, and the suites that several implementations run. */
const isTest = (file: string): boolean => /(\.test|\/contract)\.ts$/.test(file);

function walk(folder: string, ending: RegExp): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

const sources = ["src", "test", "tools", "bench", "fuzz"].flatMap((folder) => walk(folder, /\.ts$/));
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const lineCount = (text: string): number => text.split("\n").length - (text.endsWith("\n") ? 1 : 0);

function* nodes(node: AnyNode): Generator<AnyNode> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (child !== null && typeof child === "object" && typeof child.type === "string") yield* nodes(child);
    }
  }
}

function longFunctions(file: string): string[] {
  const tree = parse(stripTypeScriptTypes(read(file)), {
    ecmaVersion: "latest",
    sourceType: "module",
    locations: true,
    allowHashBang: true,
  });
  const found: string[] = [];
  for (const node of nodes(tree)) {
    if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) || !node.loc) continue;
    const lines = node.loc.end.line - node.loc.start.line + 1;
    if (lines > maxFunctionLines) found.push(`${file}:${node.loc.start.line} has a function of ${lines} lines`);
  }
  return found;
}

function importsOf(file: string): string[] {
  return [...read(file).matchAll(/^(?:import|export)\b[^;]*?\bfrom\s+"(\.[^"]+)";/gms)].map((match) =>
    relative(root, resolve(root, dirname(file), match[1] ?? "")),
  );
}

describe("tidy", () => {
  test("scans the tree", () => assert.ok(sources.length > 100, `found only ${sources.length} source files`));

  test("every folder of src is a room and has a file of its name", () => {
    for (const room of readdirSync(join(root, "src"))) {
      assert.ok(rooms.includes(room), `src/${room} is not in tools/rooms.ts`);
      assert.ok(existsSync(join(root, `src/${room}/${room}.ts`)), `src/${room}/${room}.ts, which says what the room is for, is missing`);
    }
  });

  test("imports follow the arrows", () => {
    const wrong: string[] = [];
    for (const file of sources.filter((name) => name.startsWith("src/"))) {
      const room = file.split("/")[1] ?? "";
      for (const target of importsOf(file)) {
        const [top, other = ""] = target.split("/");
        const known = top === "src" && (other === room || allowed(room).includes(other));
        if (!known && !isTest(file)) wrong.push(`${file} imports ${target}`);
        if (!existsSync(join(root, target))) wrong.push(`${file} imports ${target}, which is not there`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  test("files are short", () => {
    const own = sources.filter((file) => file.startsWith("src/") && !isTable(file) && !isTest(file));
    const lengths = own.map((file) => lineCount(read(file))).sort((a, b) => a - b);
    assert.ok((lengths[lengths.length >> 1] ?? 0) <= maxMedianLines, `the median file has ${lengths[lengths.length >> 1]} lines`);
    assert.deepEqual(
      sources.filter((file) => !isTable(file) && lineCount(read(file)) > maxFileLines).map((file) => `${file}: ${lineCount(read(file))}`),
      [],
    );
    assert.deepEqual(
      walk("native", /\.[ch]$/).filter((file) => lineCount(read(file)) > maxFileLines),
      [],
    );
  });

  test("functions are short", () => assert.deepEqual(sources.filter((file) => !isTest(file) && !isTable(file)).flatMap(longFunctions), []));

  test("names say something", () => {
    const banned = /(^|[-./])(utils?|helpers?|common|misc|manager)([-./]|$)/;
    const files = [...sources, ...walk("native", /\.[ch]$/)];
    assert.deepEqual(
      files.filter((file) => banned.test(file) || !/^[a-z0-9]+([-.][a-z0-9]+)*\.[a-z]+$/.test(basename(file))),
      [],
    );
  });

  test("nothing is put off", () => {
    const words = new RegExp(`\\b(${["TO", "DO"].join("")}|${["FIX", "ME"].join("")}|${["XX", "X"].join("")})\\b`);
    assert.deepEqual(
      [...sources, ...walk("native", /\.[ch]$/)].filter((file) => words.test(read(file))),
      [],
    );
  });

  test("what is exported is used elsewhere", () => {
    const users = new Map<string, number>();
    for (const file of sources) for (const word of new Set(read(file).match(/\w+/g))) users.set(word, (users.get(word) ?? 0) + 1);
    const unused = sources.flatMap((file) =>
      [...read(file).matchAll(/^export (?:async )?(?:function\*?|class|const) (\w+)/gm)]
        .filter(([, name = ""]) => users.get(name) === 1)
        .map(([, name]) => `${file}: ${name}`),
    );
    assert.deepEqual(unused, []);
  });

  test("every dependency has its line", () => {
    const manifest = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
    const text = read("docs/dependencies.md");
    const names = ["dependencies", "devDependencies", "optionalDependencies"].flatMap((key) => Object.keys(manifest[key] ?? {}));
    assert.ok(names.length > 0);
    assert.deepEqual(
      names.filter((name) => !text.includes(`\`${name}\``)),
      [],
    );
  });

  test("every decision record is numbered once", () => {
    const numbers = readdirSync(join(root, "docs/adr")).map((name) => name.slice(0, 4));
    assert.equal(new Set(numbers).size, numbers.length);
  });
});
