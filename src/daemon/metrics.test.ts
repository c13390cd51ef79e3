import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, test } from "node:test";
import type { Backends } from "../api/api.ts";
import type { SystemInfo } from "../spec/spec.ts";
import { type MetricSources, Metrics } from "./metrics.ts";
import { serveMetrics, splitHostPort } from "./serve-metrics.ts";

const sources: MetricSources = {
  info: async () => ({ ID: 'a"b\\c', NCPU: 2 }) as SystemInfo,
  commit: "abc",
  counts: () => ({ running: 1, paused: 2, stopped: 3 }),
  healthChecks: () => ({ run: 5, failed: 1 }),
  events: { published: 7, readers: 1 },
  process: async () => ({ openFiles: 10, maxFiles: 100, virtualBytes: 1000 }),
};

describe("metrics", () => {
  test("count the calls that succeed, by how long they took, each bucket with the smaller ones", async () => {
    const metrics = new Metrics();
    let wait = 0;
    const containers = {
      start: () => new Promise<void>((done) => setTimeout(done, wait)),
      remove: () => Promise.reject(new Error("no")),
      list: async () => [],
    };
    const { containers: timed } = metrics.timed({ containers, system: {} } as unknown as Backends);
    await timed.start("a", {});
    wait = 30;
    await timed.start("a", {});
    await assert.rejects(timed.remove("a", { force: false, volumes: false, link: false }), /no/);
    assert.deepEqual(await timed.list({ all: true, limit: 0, size: false, filters: new Map() }), []);
    const text = await metrics.text(sources);
    const value = (name: string): number =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(name))
          ?.slice(name.length),
      );
    const bucket = (le: string): number => value(`engine_daemon_container_actions_seconds_bucket{action="start",le="${le}"}`);
    assert.ok(bucket("0.025") <= 1 && bucket("10") === 2 && bucket("+Inf") === 2);
    for (const [smaller, larger] of [
      ["0.005", "0.01"],
      ["0.01", "0.025"],
      ["0.05", "0.1"],
    ] as const)
      assert.ok(bucket(smaller) <= bucket(larger));
    assert.ok(value('engine_daemon_container_actions_seconds_sum{action="start"}') >= 0.025);
    assert.equal(value('engine_daemon_container_actions_seconds_count{action="delete"}'), 0);
    assert.equal(value('engine_daemon_container_states_containers{state="paused"}'), 2);
    assert.match(text, /engine_daemon_engine_info\{.*daemon_id="a\\"b\\\\c".*\} 1/);
  });

  test("are served at an address, to its disposal", async () => {
    assert.deepEqual(splitHostPort("[::1]:80"), { host: "::1", port: 80 });
    assert.deepEqual(splitHostPort(":80"), { host: "", port: 80 });
    assert.throws(() => splitHostPort("::1:80"), { message: "address ::1:80: too many colons in address" });
    assert.throws(() => splitHostPort("host"), { message: "address host: missing port in address" });
    assert.throws(() => splitHostPort("host:x"), { message: "listen tcp: address x: invalid port" });
    await assert.rejects(
      serveMetrics("192.0.2.1:1", async () => ""),
      {
        message: "failed to start metrics server: listen tcp 192.0.2.1:1: bind: cannot assign requested address",
      },
    );
    const port = 40_000 + (process.pid % 10_000);
    const served = await serveMetrics(`127.0.0.1:${port}`, () => Promise.reject(new Error("broken")));
    const status = await new Promise((done) => request({ port, path: "/metrics?x=1" }, (answer) => done(answer.resume().statusCode)).end());
    assert.equal(status, 500);
    await served[Symbol.asyncDispose]();
    await assert.rejects(fetch(`http://127.0.0.1:${port}/metrics`));
  });
});
