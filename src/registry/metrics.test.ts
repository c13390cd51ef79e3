import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, ScratchRegistry } from "./scratch-registry.ts";

test("metrics have an address of their own, and count what happens", async () => {
  await using registry = await ScratchRegistry.open({ metricsAddress: { host: "127.0.0.1", port: 0 }, graceMs: 0 });
  const { metricsPort } = registry.running;
  assert.ok(metricsPort !== undefined);
  const { digest } = await registry.pushImage("a", "v1", 1, 1000);
  await registry.ask("GET", "/v2/a/manifests/v1");
  await registry.ask("BREW", "/v2/a/manifests/v1").catch(() => undefined);
  const read = async (): Promise<Map<string, number>> => {
    const answer = await ask(metricsPort, "GET", "/metrics");
    assert.match(String(answer.headers["content-type"]), /^text\/plain; version=0\.0\.4/);
    const lines = answer.body.toString().trimEnd().split("\n");
    for (const line of lines)
      assert.match(line, /^(# TYPE registry_\w+ (counter|gauge|histogram)|registry_\w+(\{(\w+="[^"\\]*",?)+\})? [\d.e+-]+)$/);
    return new Map(
      lines
        .filter((line) => !line.startsWith("#"))
        .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
    );
  };
  const first = await read();
  assert.equal(first.get('registry_http_requests_total{code="201",method="POST",resource="uploads"}'), 2);
  assert.equal(first.get('registry_http_requests_total{code="200",method="GET",resource="manifest"}'), 1);
  assert.equal(first.get('registry_http_request_duration_seconds_bucket{resource="manifest",le="+Inf"}'), 2);
  assert.deepEqual([first.get("registry_blobs"), first.get("registry_uploads"), first.get("registry_http_in_flight_requests")], [2, 0, 0]);
  await registry.ask("DELETE", `/v2/a/manifests/${digest}`);
  await new Promise((resolve) => setTimeout(resolve, 5));
  await registry.running.collectGarbage();
  const second = await read();
  assert.deepEqual([second.get("registry_blobs"), second.get("registry_gc_removed_blobs_total")], [0, 2]);
  assert.equal((await ask(metricsPort, "GET", "/v2/")).status, 404);
  assert.equal((await registry.ask("GET", "/metrics")).status, 404);
});
