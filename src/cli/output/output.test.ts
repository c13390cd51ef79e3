import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { showPorts } from "./containers.ts";
import { indentJson } from "./indent-json.ts";
import { alignTable } from "./table.ts";
import { timestamp } from "./timestamps.ts";

test("tables", () => {
  assert.equal(alignTable("A\tB\tC\nlonger than\tb\tc\n"), "A             B         C\nlonger than   b         c\n");
  assert.equal(alignTable("ä\tb\n"), "ä         b\n");
  assert.equal(alignTable("no cells\n"), "no cells\n");
});

test("JSON keeps its words, numbers and escapes when it is laid out", () => {
  assert.equal(
    indentJson('{"b":1.50,"a":[],"c":{},"d":["x\\u003c,{",123456789012345678901]}', "  "),
    ["{", '  "b": 1.50,', '  "a": [],', '  "c": {},', '  "d": [', '    "x\\u003c,{",', "    123456789012345678901", "  ]", "}"].join("\n"),
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // -0 is written as 0 by JSON.stringify: both sides go through it.
      assert.equal(indentJson(JSON.stringify(value), "    "), JSON.stringify(value, null, 4));
    }),
    { numRuns: 300 },
  );
});

test("ports: neighbours under their own numbers become a range", () => {
  const port = (PrivatePort: number, PublicPort?: number, IP?: string) => ({
    PrivatePort,
    Type: "tcp" as const,
    ...(PublicPort === undefined ? {} : { PublicPort }),
    ...(IP === undefined ? {} : { IP }),
  });
  assert.equal(showPorts([port(81, 81, "0.0.0.0"), port(80, 80, "0.0.0.0")]), "0.0.0.0:80-81->80-81/tcp");
  assert.equal(showPorts([port(80, 8080, "::"), port(443)]), "443/tcp, [::]:8080->80/tcp");
  assert.equal(showPorts([port(1), port(2), port(4)]), "1-2/tcp, 4/tcp");
});

test("times", () => {
  assert.equal(timestamp("1700000000.5"), "1700000000.5");
  assert.equal(timestamp("2026-01-01T00:00:00Z"), "1767225600.000000000");
  assert.equal(timestamp(""), "");
  const ago = Number(timestamp("10m"));
  assert.ok(Math.abs(Date.now() / 1000 - 600 - ago) < 5);
  assert.throws(() => timestamp("soon"), /failed to parse value as time or duration: "soon"/);
});
