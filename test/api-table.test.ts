/** Holds docs/api.md to the code, and the code to the tests. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { before, describe, test } from "node:test";
import { descriptionPath, type Endpoint, endpoints, isRefused, readCoverage, tablePath, tableText, unread } from "../tools/api-table.ts";
import { type ServedRoute, servedRoutes } from "../tools/route-sources.ts";

const root = resolve(import.meta.dirname, "..");
const shapeOf = (pattern: string): string => pattern.replaceAll(/\{\w+\}/g, "{}").replace(/(?<=.)\/$/, "");

describe("the table of the API", { skip: existsSync(descriptionPath) ? false : `there is no ${descriptionPath}` }, () => {
  let all: Endpoint[];
  let routes: ServedRoute[];
  before(async () => {
    all = await endpoints(readCoverage());
    routes = await servedRoutes();
  });

  test("is as the code has it", () => {
    assert.ok(all.length > 100);
    assert.equal(readFileSync(tablePath, "utf8"), tableText(all), "node tools/api-table.ts --record writes it anew");
  });

  test("has every route", () => {
    const described = new Set(all.map(({ name }) => shapeOf(name)));
    const own = (pattern: string): boolean => pattern.startsWith("/berth/");
    assert.deepEqual(
      routes
        .filter(({ method, pattern }) => !own(pattern) && !described.has(shapeOf(`${method} ${pattern}`)))
        .map(({ pattern }) => pattern),
      [],
    );
  });

  test("has something that serves every endpoint, and a test that drives it", () => {
    assert.deepEqual(
      all.filter(({ route }) => route === undefined).map(({ name }) => name),
      [],
    );
    assert.deepEqual(
      all.filter(({ driven }) => driven.length === 0).map(({ name }) => name),
      [],
    );
  });

  test("has for every parameter code that reads it and a test that gives it, or a reason", () => {
    const served = all.filter((endpoint) => endpoint.route !== undefined && !isRefused(endpoint));
    const parameters = served.flatMap(({ name, parameters: list }) =>
      list.map((parameter) => ({ ...parameter, key: `${name} ${parameter.name}` })),
    );
    assert.deepEqual(
      parameters.filter((parameter) => !parameter.served && unread[parameter.key] === undefined).map(({ key }) => key),
      [],
    );
    assert.deepEqual(
      parameters.filter((parameter) => parameter.served && parameter.driven.length === 0).map(({ key }) => key),
      [],
    );
    const keys = new Set(parameters.map(({ key }) => key));
    assert.deepEqual(
      Object.keys(unread).filter((key) => !keys.has(key)),
      [],
    );
  });

  test("names tests that are there", () => {
    assert.deepEqual(
      Object.keys(readCoverage()).filter((file) => !existsSync(join(root, file))),
      [],
    );
  });
});
