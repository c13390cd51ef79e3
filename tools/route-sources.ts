/**
 * What the code of each route says about itself: which file it is in, which methods of the backends it calls and which
 * parameters it reads. The functions that a handler uses are followed through the files of src/api.
 */
import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { type AnyNode, parse } from "acorn";

const root = resolve(import.meta.dirname, "..");
const routesFolder = join(root, "src/api/routes");

export interface ServedRoute {
  readonly method: string;
  readonly pattern: string;
  /** Relative to the project. */
  readonly file: string;
  /** `containers.list`, …; empty when the route answers by itself. */
  readonly backend: readonly string[];
  /** Does it read a parameter? Of the query by its name; `(body)`; a header by its name. */
  readonly reads: (place: "query" | "body" | "header", name: string) => boolean;
}

interface Source {
  /** By pattern, the text of the smallest object, list or call around it: where the route is made. */
  readonly places: ReadonlyMap<string, string>;
  /** Text of each top-level function. */
  readonly functions: ReadonlyMap<string, string>;
  /** Name → file of src/api that it is imported from. */
  readonly imports: ReadonlyMap<string, string>;
}

const sources: Map<string, Source> = new Map();

function sourceOf(file: string): Source {
  const known = sources.get(file);
  if (known !== undefined) return known;
  const text = stripTypeScriptTypes(readFileSync(file, "utf8"));
  const functions = new Map<string, string>();
  const imports = new Map<string, string>();
  const program = parse(text, { ecmaVersion: "latest", sourceType: "module" });
  for (const statement of program.body) {
    if (statement.type === "ImportDeclaration" && String(statement.source.value).startsWith(".")) {
      const target = resolve(dirname(file), String(statement.source.value));
      if (target.startsWith(join(root, "src/api/"))) for (const { local } of statement.specifiers) imports.set(local.name, target);
      continue;
    }
    const declared = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
    if (declared?.type === "FunctionDeclaration" && declared.id) functions.set(declared.id.name, text.slice(declared.start, declared.end));
    if (declared?.type === "VariableDeclaration")
      for (const { id, start, end } of declared.declarations) if (id.type === "Identifier") functions.set(id.name, text.slice(start, end));
  }
  const places = new Map<string, string>();
  notePlaces(program, undefined, text, places);
  const source = { functions, imports, places };
  sources.set(file, source);
  return source;
}

function notePlaces(node: AnyNode, around: AnyNode | undefined, text: string, places: Map<string, string>): void {
  if (node.type === "Literal" && typeof node.value === "string" && node.value.startsWith("/") && around !== undefined)
    places.set(node.value, text.slice(around.start, around.end));
  const next = /^(ObjectExpression|ArrayExpression|CallExpression)$/.test(node.type) ? node : around;
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? value : [value])
      if (child !== null && typeof child === "object" && typeof child.type === "string") notePlaces(child, next, text, places);
}

/** The text of a function and of all that it uses. */
function closureOf(text: string, file: string, seen: Set<string> = new Set()): string {
  const { functions, imports } = sourceOf(file);
  let whole = text;
  for (const name of new Set(text.match(/\b[A-Za-z_]\w*\b/g) ?? [])) {
    const from = imports.get(name) ?? file;
    const key = `${from} ${name}`;
    const used = (from === file ? functions : sourceOf(from).functions).get(name);
    // A function that makes routes uses all handlers: it is not a part of one.
    if (used === undefined || seen.has(key) || /Routes\b/.test(name)) continue;
    seen.add(key);
    whole += `\n${closureOf(used, from, seen)}`;
  }
  return whole;
}

function readsOf(text: string): ServedRoute["reads"] {
  const named = new Set([...text.matchAll(/\bquery\s*\.\s*\w+\(\s*"([^"]+)"/g)].map((match) => match[1]));
  // A name that comes out of a list: every word may be one.
  const computed = /\bquery\s*\.\s*\w+\(\s*[a-z]/.test(text);
  return (place, name) => {
    switch (place) {
      case "query":
        return named.has(name) || (name === "filters" && /\.filters\(/.test(text)) || (computed && text.includes(`"${name}"`));
      case "body":
        return /\.(body|upload)\(/.test(text);
      case "header":
        return text.toLowerCase().includes(`"${name.toLowerCase()}"`);
    }
  };
}

interface Route {
  readonly method: string;
  readonly pattern: string;
  readonly handler: (...args: never[]) => unknown;
}

/** Every route of the daemon. */
export async function servedRoutes(): Promise<ServedRoute[]> {
  const served: ServedRoute[] = [];
  for (const name of readdirSync(routesFolder).filter((file) => /^[\w-]+\.ts$/.test(file) && !file.endsWith(".test.ts"))) {
    const path = join(routesFolder, name);
    const module = (await import(path)) as Record<string, unknown>;
    for (const [exported, make] of Object.entries(module)) {
      if (!exported.endsWith("Routes") || typeof make !== "function") continue;
      const maker = sourceOf(path).functions.get(exported) ?? "";
      const backends = [...(/^[^(]*\(([^)]*)\)/.exec(maker)?.[1] ?? "").matchAll(/\w+/g)].map(([parameter]) => parameter);
      for (const route of make(...backends.map(() => ({}))) as Route[]) {
        const text = closureOf(`${route.handler.toString()}\n${sourceOf(path).places.get(route.pattern) ?? ""}`, path);
        // Each function that gets a backend calls it by the name that the maker has for it.
        const calls = [...text.matchAll(/\b([a-z]\w*)\s*\.\s*(\w+)\(/g)].filter(([, object]) => backends.includes(object ?? ""));
        served.push({
          method: route.method,
          pattern: route.pattern,
          file: relative(root, path),
          backend: [...new Set(calls.map(([, object, method]) => `${object}.${method}`))],
          reads: readsOf(text),
        });
      }
    }
  }
  return served;
}
