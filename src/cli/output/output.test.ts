import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DetachWatch, parseDetachKeys } from "../streams/detach-keys.ts";
import { showPorts } from "./containers.ts";
import { humanDuration, parseDuration } from "./durations.ts";
import { indentJson } from "./indent-json.ts";
import { alignTable } from "./table.ts";
import { timestamp } from "./timestamps.ts";

test("durations for people", () => {
  const said = [0, 1, 59, 60, 3599, 3600, 5399, 5400, 47 * 3600, 48 * 3600, 15 * 86400, 61 * 86400, 800 * 86400].map(humanDuration);
  assert.deepEqual(said, [
    "Less than a second",
    "1 second",
    "59 seconds",
    "About a minute",
    "59 minutes",
    "About an hour",
    "About an hour",
    "2 hours",
    "47 hours",
    "2 days",
    "2 weeks",
    "2 months",
    "2 years",
  ]);
});

test("durations as Go reads them", () => {
  assert.equal(parseDuration("1h15m30.5s"), 4530.5e9);
  assert.equal(parseDuration("-1.5s"), -1.5e9);
  assert.equal(parseDuration("300ms"), 3e8);
  assert.equal(parseDuration("0"), 0);
  assert.throws(() => parseDuration("5"), { message: 'time: missing unit in duration "5"' });
  assert.throws(() => parseDuration("x"), { message: 'time: invalid duration "x"' });
});

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

describe("detach keys", () => {
  const watch = (): DetachWatch => new DetachWatch(parseDetachKeys("ctrl-p,ctrl-q"));
  const type = (text: string, size: number): { data: string; detached: boolean } => {
    const watcher = watch();
    let data = "";
    for (let at = 0; at < text.length; at += size) {
      const passed = watcher.pass(Buffer.from(text.slice(at, at + size)));
      data += passed.data.toString();
      if (passed.detached) return { data, detached: true };
    }
    return { data, detached: false };
  };

  test("are found however they are typed, and what only looks like them is passed on", () => {
    for (const size of [1, 2, 100]) {
      assert.deepEqual(type("ab\x10\x11cd", size), { data: "ab", detached: true });
      assert.deepEqual(type("a\x10\x10\x11", size), { data: "a\x10", detached: true });
      assert.deepEqual(type("a\x10b\x11", size), { data: "a\x10b\x11", detached: false });
    }
  });

  test("are read as Docker writes them", () => {
    assert.deepEqual([...parseDetachKeys("a,ctrl-@,ctrl-[,ctrl-_")], [97, 0, 27, 31]);
    assert.throws(() => parseDetachKeys("ctrl-1"), /Unknown character: 'ctrl-1'/);
  });
});
