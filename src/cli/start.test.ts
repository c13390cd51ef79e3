/** What a call of the command line has to load before it can ask the daemon: each of Node's larger modules costs it milliseconds. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bundleClient, runClient } from "./bundled-client.ts";

const trace = `const { Module } = require("node:module");
const load = Module._load;
const loaded = new Set();
Module._load = function (name) {
  if (name.startsWith("node:")) loaded.add(name);
  return load.apply(this, arguments);
};
process.on("exit", () => require("node:fs").writeFileSync(process.env.LOADED, [...loaded].join(" ")));
`;

describe("a call of berth", () => {
  const folder = mkdtempSync("/tmp/berth-test-start-");
  const main = join(folder, "berth.cjs");
  before(() => bundleClient(main));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const verb of ["ps", "images", "version"])
    test(`${verb} loads little`, async () => {
      writeFileSync(join(folder, "trace.cjs"), trace);
      const loaded = join(folder, "loaded");
      const env = { ...process.env, NODE_OPTIONS: `--require ${join(folder, "trace.cjs")}`, LOADED: loaded };
      const { stderr } = await runClient("berth", main, ["-H", "unix:///nonexistent", verb], { env });
      assert.match(stderr, /Cannot connect to the Berth daemon/);
      const heavy = readFileSync(loaded, "utf8")
        .split(" ")
        .filter((name) => !["node:fs", "node:module", "node:net", "node:os", "node:path"].includes(name));
      assert.deepEqual(heavy, []);
    });
});
