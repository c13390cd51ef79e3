import assert from "node:assert/strict";
import { test } from "node:test";
import {
  afterProbe,
  checkHealthcheck,
  type Health,
  mergeHealthcheck,
  type ProbeResult,
  probeCommand,
  probeDelayMs,
  startingHealth,
  unwatchedHealth,
} from "./health.ts";

const second = 1_000_000_000;
const startedAt = "2026-01-01T00:00:00Z";
const at = (seconds: number, exitCode: number): ProbeResult => ({
  Start: new Date(Date.parse(startedAt) + seconds * 1000).toISOString(),
  End: new Date(Date.parse(startedAt) + seconds * 1000 + 5).toISOString(),
  ExitCode: exitCode,
  Output: "",
});

test("what a probe executes", () => {
  const command = (Test: string[], Shell?: string[]) => probeCommand({ Healthcheck: { Test }, ...(Shell === undefined ? {} : { Shell }) });
  assert.deepEqual(command(["CMD", "a", "b"]), ["a", "b"]);
  assert.deepEqual(command(["CMD-SHELL", "a b"]), ["/bin/sh", "-c", "a b"]);
  assert.deepEqual(command(["CMD-SHELL", "a b"], ["/bin/ash", "-ec"]), ["/bin/ash", "-ec", "a b"]);
  assert.equal(command(["NONE"]), undefined);
  assert.equal(command([]), undefined);
  assert.equal(probeCommand({}), undefined);
});

test("failures count from the third on, a success forgets them, five are kept", () => {
  const config = { Healthcheck: { Test: ["CMD", "x"] } };
  let health = startingHealth(config, undefined);
  const seen: (readonly [string | undefined, number | undefined, number | undefined])[] = [];
  for (const [index, code] of [1, 1, 1, 0, 1, 1, 1].entries()) {
    health = afterProbe(config, health as Health, at(index, code), startedAt);
    seen.push([health.Status, health.FailingStreak, health.Log.length]);
  }
  assert.deepEqual(seen, [
    ["starting", 1, 1],
    ["starting", 2, 2],
    ["unhealthy", 3, 3],
    ["healthy", 0, 4],
    ["healthy", 1, 5],
    ["healthy", 2, 5],
    ["unhealthy", 3, 5],
  ]);
  assert.equal(startingHealth(config, health)?.Log.length, 5, "the log outlives the run");
  assert.equal(unwatchedHealth(health).health?.Status, "unhealthy");
  assert.equal(startingHealth({}, health), undefined);
});

test("the start period: its own interval, and failures that do not count", () => {
  const config = {
    Healthcheck: { Test: ["CMD", "x"], StartPeriod: 10 * second, StartInterval: second, Interval: 20 * second, Retries: 1 },
  };
  const begun = startingHealth(config, undefined) as Health;
  const now = Date.parse(startedAt);
  assert.equal(probeDelayMs(config, begun, startedAt, now), 1000);
  assert.equal(probeDelayMs(config, begun, startedAt, now + 10_000), 20_000);
  const failed = afterProbe(config, begun, at(9, 1), startedAt);
  assert.deepEqual([failed.Status, failed.FailingStreak], ["starting", 0]);
  assert.equal(afterProbe(config, failed, at(10, 1), startedAt).Status, "unhealthy");
  const passed = afterProbe(config, begun, at(1, 0), startedAt);
  assert.equal(probeDelayMs(config, passed, startedAt, now + 1000), 20_000, "a success ends the start period's interval");
  assert.equal(afterProbe(config, passed, at(2, 1), startedAt).Status, "unhealthy");
  assert.equal(probeDelayMs({ Healthcheck: {} }, begun, startedAt, now), 30_000);
});

test("what the user leaves open is the image's", () => {
  const image = { Test: ["CMD", "image"], Interval: 5 * second, Retries: 2 };
  assert.deepEqual(mergeHealthcheck(undefined, image), image);
  assert.deepEqual(mergeHealthcheck({ Test: ["CMD-SHELL", "own"], Timeout: second }, image), {
    Test: ["CMD-SHELL", "own"],
    Interval: 5 * second,
    Timeout: second,
    Retries: 2,
  });
  assert.deepEqual(mergeHealthcheck({ Test: ["NONE"], Interval: 0, Retries: 0 }, undefined), { Test: ["NONE"] });
  assert.equal(mergeHealthcheck(null, undefined), undefined);
});

test("refusals", () => {
  for (const key of ["Interval", "Timeout", "StartPeriod", "StartInterval"]) {
    for (const value of [999_999, -1]) {
      assert.throws(() => checkHealthcheck({ [key]: value }), { message: `${key} in Healthcheck cannot be less than 1ms` });
    }
    checkHealthcheck({ [key]: 1_000_000 });
  }
  assert.throws(() => checkHealthcheck({ Retries: -1 }), { message: "Retries in Healthcheck cannot be negative" });
});
