/**
 * Writes docs/api.md: each endpoint and parameter of Docker's API, what serves it and which client test drives it.
 *
 *   node tools/api-table.ts            writes the table
 *   node tools/api-table.ts --record   first takes over what the client tests have asked for in their last runs
 *
 * The endpoints are those of Docker's own description; what serves them is read from the routes' code; what drives them
 * is written down by the relay of test/daemon.ts while the tests run, and kept in docs/api-coverage.json.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import { type ServedRoute, servedRoutes } from "./route-sources.ts";

const root = resolve(import.meta.dirname, "..");
export const descriptionPath: string = resolve(root, "../shared/data/docker-engine-api-v1.51.yaml");
export const tablePath: string = join(root, "docs/api.md");
const coveragePath = join(root, "docs/api-coverage.json");

/** By test file, by endpoint: the parameters that it has given. */
export type Coverage = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export interface Parameter {
  readonly name: string;
  readonly place: "path" | "query" | "body" | "header";
  readonly served: boolean;
  /** Names of test files, without their ending. */
  readonly driven: readonly string[];
}

export interface Endpoint {
  /** `GET /containers/json`. */
  readonly name: string;
  readonly section: string;
  readonly route: ServedRoute | undefined;
  readonly driven: readonly string[];
  readonly parameters: readonly Parameter[];
}

/** Parameters that are not read, and why not. */
export const unread: Readonly<Record<string, string>> = {
  "GET /images/json digests": "digests are always shown, as in Docker",
  "POST /build/prune all": "nothing is built in this version",
};

export function readCoverage(): Coverage {
  return existsSync(coveragePath) ? (JSON.parse(readFileSync(coveragePath, "utf8")) as Coverage) : {};
}

interface Described {
  readonly paths: Record<string, Record<string, Operation>>;
}
interface Operation {
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: Parameter["place"] }[];
}

/** Names of parameters differ between the description and the routes. */
const shapeOf = (pattern: string): string => pattern.replaceAll(/\{\w+\}/g, "{}");

/** All endpoints, in the description's order. */
export async function endpoints(coverage: Coverage): Promise<Endpoint[]> {
  const described = parse(readFileSync(descriptionPath, "utf8")) as Described;
  const routes = new Map((await servedRoutes()).map((route) => [`${route.method} ${shapeOf(route.pattern)}`, route]));
  const drivers = (endpoint: string, parameter?: string): string[] =>
    Object.entries(coverage)
      .filter(([, asked]) => asked[endpoint] !== undefined && (parameter === undefined || asked[endpoint].includes(parameter)))
      .map(([file]) => file.replace(/^.*\/([^/]+)\.test\.ts$/, "$1"));
  return Object.entries(described.paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([method]) => method !== "parameters")
      .map(([method, operation]) => {
        const name = `${method.toUpperCase()} ${path}`;
        const route = routes.get(`${method.toUpperCase()} ${shapeOf(path)}`);
        const parameters = (operation.parameters ?? []).map((parameter): Parameter => {
          const place = parameter.in;
          return {
            name: parameter.name,
            place,
            served: place === "path" || route?.reads(place, parameter.name) === true,
            driven: drivers(name, place === "path" ? undefined : place === "body" ? "(body)" : parameter.name),
          };
        });
        return { name, section: operation.tags?.[0] ?? "", route, driven: drivers(name), parameters };
      }),
  );
}

/** The answer is a refusal, whatever the parameters. */
export function isRefused({ route }: Endpoint): boolean {
  return route?.file.endsWith("/unavailable.ts") === true;
}

function list(names: readonly string[]): string {
  if (names.length === 0) return "–";
  return names.length > 4 ? `${names.slice(0, 4).join(" ")} +${names.length - 4}` : names.join(" ");
}

function servedBy({ route }: Endpoint): string {
  if (route === undefined) return "nothing";
  return [`\`${route.file.replace("src/api/routes/", "")}\``, ...route.backend.map((method) => `\`${method}\``)]
    .join(" → ")
    .replaceAll(/(?<=` → .*) → /g, ", ");
}

function rowsOf(endpoint: Endpoint): string[] {
  const rows = [`| **${endpoint.name}** | ${isRefused(endpoint) ? "refused: " : ""}${servedBy(endpoint)} | ${list(endpoint.driven)} |`];
  for (const parameter of endpoint.parameters) {
    if (parameter.place === "path" || isRefused(endpoint)) continue;
    const why = unread[`${endpoint.name} ${parameter.name}`];
    const place = parameter.place === "query" ? "" : ` (${parameter.place})`;
    rows.push(
      `| \u2003\`${parameter.name}\`${place} | ${parameter.served ? "read" : `not read: ${why ?? ""}`} | ${list(parameter.driven)} |`,
    );
  }
  return rows;
}

/** The text of docs/api.md. */
export function tableText(all: readonly Endpoint[]): string {
  const sections = Map.groupBy(all, ({ section }) => section);
  const own = all.filter((endpoint) => !isRefused(endpoint));
  const parts = [...sections].map(
    ([section, members]) =>
      `## ${section}\n\n| endpoint, parameter | served by | driven by |\n|---|---|---|\n${members.flatMap(rowsOf).join("\n")}\n`,
  );
  return `# Docker's API, endpoint by endpoint

Written by \`node tools/api-table.ts\`; \`test/api-table.test.ts\` holds it to the code. The endpoints and parameters are those of
Docker's description of the API 1.51: ${all.length}, of which ${own.length} are served and ${all.length - own.length} refused as Docker does without the part,
or with 501 (\`src/api/routes/unavailable.ts\`).

*Served by*: the file in \`src/api/routes/\` and the methods of the backends (\`src/api/backend.ts\`) that it calls. *Driven by*: the
files in \`test/clients/\` whose clients have sent the request, or the parameter, to a real daemon: the relay that each of
them goes through writes it down and holds the answer against the description (\`test/api-relay.ts\`). After a change of
these tests: run them, then \`node tools/api-table.ts --record\`.

${parts.join("\n")}`;
}

/** Takes over the last runs' requests; those of tests that are gone are dropped. */
function record(): void {
  const folder = join(root, "build/api-coverage");
  const kept: Record<string, Readonly<Record<string, readonly string[]>>> = { ...readCoverage() };
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const { file, endpoints: asked } = JSON.parse(readFileSync(join(folder, name), "utf8")) as {
      file: string;
      endpoints: Coverage[string];
    };
    kept[file] = asked;
  }
  const there = Object.entries(kept).filter(([file]) => existsSync(join(root, file)));
  there.sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = there.map(([file, asked]) => {
    const own = Object.entries(asked).map(([endpoint, names]) => `  ${JSON.stringify(endpoint)}: ${JSON.stringify(names)}`);
    return `${JSON.stringify(file)}: {\n${own.join(",\n")}\n}`;
  });
  writeFileSync(coveragePath, `{\n${lines.join(",\n")}\n}\n`);
}

if (import.meta.main) {
  if (process.argv.includes("--record")) record();
  writeFileSync(tablePath, tableText(await endpoints(readCoverage())));
}
