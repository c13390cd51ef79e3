import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, parseDuration } from "./duration.ts";

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
  assert.equal(parseDuration("1h30m"), 5400e9);
  for (const text of ["", "1", "h", "1d", "-1s", "1s "]) assert.equal(parseDuration(text), undefined);
});
