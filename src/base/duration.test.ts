import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, humanDuration, parseDuration } from "./duration.ts";

test("durations as Go writes and reads them", () => {
  const pairs: [string, number][] = [
    ["0s", 0],
    ["100ms", 1e8],
    ["1.5ms", 1.5e6],
    ["30s", 30e9],
    ["1m0s", 60e9],
    ["1h0m1.5s", 3601.5e9],
    ["26h3m0s", 93_780e9],
  ];
  for (const [text, nanos] of pairs) {
    assert.equal(formatDuration(nanos), text);
    assert.equal(parseDuration(text), nanos);
  }
  assert.equal(parseDuration("1h15m30.5s"), 4530.5e9);
  assert.equal(parseDuration("-1.5s"), -1.5e9);
  assert.equal(parseDuration(".5µs"), 500);
  assert.equal(parseDuration("0"), 0);
  for (const text of ["", "1", "h", ".s", "1d", "- 1s", "1s "]) assert.equal(parseDuration(text), undefined);
});

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
