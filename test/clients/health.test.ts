/** Health checks through the stock docker CLI. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../ask.ts";
import { busyboxRootfs, Daemon, eventually, importBusybox } from "../daemon.ts";
import { ApiDescription } from "../openapi.ts";

interface Health {
  readonly Status: string;
  readonly FailingStreak: number;
  readonly Log: readonly { readonly Start: string; readonly End: string; readonly ExitCode: number; readonly Output: string }[];
}

describe("health checks", () => {
  let daemon: Daemon;
  let description: ApiDescription | undefined;
  before(async () => {
    description = await ApiDescription.load();
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  const healthOf = async (name: string): Promise<Health | null> =>
    JSON.parse(await daemon.ok("inspect", "-f", "{{json .State.Health}}", name)) as Health | null;
  const becomes = (name: string, status: string): Promise<Health> =>
    eventually(`${name} ${status}`, async () => {
      const health = await healthOf(name);
      return health?.Status === status ? health : undefined;
    });
  const run = (name: string, flags: string[], command = ["sleep", "1000"]): Promise<string> =>
    daemon.ok("run", "-d", "--name", name, ...flags, "busybox", ...command);
  const removed = (...names: string[]): Promise<string> => daemon.ok("rm", "-f", ...names);

  test("starting, healthy, unhealthy, healthy again: inspect, ps, filter, events", async () => {
    const since = (Date.now() / 1000).toFixed(3);
    const flags = ["--health-cmd", "echo probed; test -f /ok", "--health-interval", "700ms", "--health-retries", "2"];
    await run("web", flags, ["sh", "-c", "touch /ok; exec sleep 1000"]);
    await run("young", ["--health-cmd", "true", "--health-interval", "1h"]);
    assert.equal((await healthOf("young"))?.Status, "starting");
    const young = await daemon.ok("ps", "--format", "{{.Status}}", "--filter", "health=starting", "--filter", "name=young");
    assert.match(young, /^Up .* \(health: starting\)$/);
    await removed("young");
    const healthy = await becomes("web", "healthy");
    assert.equal(healthy.FailingStreak, 0);
    assert.deepEqual([healthy.Log.at(-1)?.ExitCode, healthy.Log.at(-1)?.Output], [0, "probed\n"]);
    assert.match(await daemon.ok("ps", "--format", "{{.Status}}", "--filter", "health=healthy"), /^Up .* \(healthy\)$/);
    assert.equal(await daemon.ok("ps", "-q", "--filter", "health=none"), "");
    await daemon.ok("exec", "web", "rm", "/ok");
    const unhealthy = await becomes("web", "unhealthy");
    assert.ok(unhealthy.FailingStreak >= 2);
    assert.match(await daemon.ok("ps", "--format", "{{.Status}}", "--filter", "health=unhealthy"), /^Up .* \(unhealthy\)$/);
    await daemon.ok("exec", "web", "touch", "/ok");
    await becomes("web", "healthy");
    const answer = await ask(daemon, "GET", "/v1.51/containers/web/json");
    assert.deepEqual(description?.check("GET", "/containers/web/json", 200, answer.body) ?? [], []);
    await daemon.ok("stop", "-t", "0", "web");
    assert.equal((await healthOf("web"))?.Status, "unhealthy", "as Docker: nobody looks any more");
    const until = (Date.now() / 1000 + 0.001).toFixed(3);
    const actions = (await daemon.ok("events", "--since", since, "--until", until, "--filter", "container=web", "--format", "{{.Action}}"))
      .split("\n")
      .filter((action) => !action.startsWith("exec_") || action.includes("probed"));
    assert.deepEqual(
      actions.filter((action) => action.startsWith("health_status")),
      ["health_status: healthy", "health_status: unhealthy", "health_status: healthy"],
    );
    const probe = "/bin/sh -c echo probed; test -f /ok";
    const first = actions.indexOf(`exec_create: ${probe}`);
    assert.equal(actions[first + 1], `exec_start: ${probe}`);
    const only = await daemon.ok(
      "events",
      "--since",
      since,
      "--until",
      until,
      "--filter",
      "event=health_status",
      "--format",
      "{{.Action}}",
    );
    assert.equal(only.split("\n").length, 3);
    await daemon.ok("start", "web");
    const again = await healthOf("web");
    assert.deepEqual([again?.Status, again?.FailingStreak], ["starting", 0]);
    await removed("web");
  });

  test("five are kept; long output is cut; a missing program, a timeout", async () => {
    await run("kept", ["--health-cmd", "head -c 5000 /dev/zero | tr '\\0' x", "--health-interval", "50ms"]);
    await run("late", ["--health-cmd", "echo begun; exec sleep 100", "--health-interval", "50ms", "--health-timeout", "200ms"]);
    await run("missing", ["--health-interval", "50ms", "--health-cmd", "/nosuch/probe", "--health-retries", "1"]);
    const full = await eventually("five probes", async () => {
      const health = await healthOf("kept");
      return health?.Log.length === 5 ? health : undefined;
    });
    assert.equal(full.Log[0]?.Output, `${"x".repeat(4096)}...`);
    for (const { Start, End } of full.Log) assert.ok(Date.parse(Start) <= Date.parse(End));
    await sleep(200);
    assert.equal((await healthOf("kept"))?.Log.length, 5);
    const late = await becomes("late", "unhealthy");
    assert.deepEqual([late.Log[0]?.ExitCode, late.Log[0]?.Output], [-1, "Health check exceeded timeout (200ms): begun\n"]);
    const probes = (await daemon.ok("top", "late")).split("\n").filter((line) => line.includes("sleep 100") && !line.includes("1000"));
    assert.ok(probes.length <= 1, "probes do not pile up");
    const missing = await becomes("missing", "unhealthy");
    assert.equal(missing.Log[0]?.ExitCode, 127);
    await removed("kept", "late", "missing");
  });

  test("a probe that cannot be executed says why", async () => {
    const image = await daemon.docker(
      ["import", "-c", 'HEALTHCHECK --interval=50ms --retries=1 CMD ["/nosuch"]', "-c", 'CMD ["sleep","1000"]', "-", "broken"],
      { input: await busyboxRootfs() },
    );
    assert.equal(image.status, 0, image.stderr);
    await daemon.ok("run", "-d", "--name", "broken", "broken");
    const health = await becomes("broken", "unhealthy");
    assert.equal(health.Log[0]?.ExitCode, -1);
    assert.match(health.Log[0]?.Output ?? "", /^OCI runtime exec failed: .*"\/nosuch": .*no such file or directory/);
    await daemon.ok("run", "-d", "--name", "off", "--no-healthcheck", "broken");
    assert.equal(await healthOf("off"), null);
    assert.equal(await daemon.ok("ps", "--format", "{{.Names}}", "--filter", "health=none"), "off");
    await daemon.ok("run", "-d", "--name", "own", "--health-cmd", "true", "broken");
    assert.equal(
      await daemon.ok("inspect", "-f", "{{json .Config.Healthcheck}}", "own"),
      '{"Test":["CMD-SHELL","true"],"Interval":50000000,"Retries":1}',
    );
    await becomes("own", "healthy");
    await removed("broken", "off", "own");
    await daemon.ok("rmi", "broken");
  });

  test("the start period, its interval, and what is refused", async () => {
    const flags = ["--health-cmd", "false", "--health-interval", "20s", "--health-start-period", "1s", "--health-start-interval", "100ms"];
    await run("slow", [...flags, "--health-retries", "1"]);
    const starting = await eventually("three probes", async () => {
      const health = await healthOf("slow");
      return (health?.Log.length ?? 0) >= 3 ? health : undefined;
    });
    assert.deepEqual([starting?.Status, starting?.FailingStreak], ["starting", 0]);
    await removed("slow");
    const refused = await daemon.docker(["create", "--health-cmd", "x", "--health-interval", "500us", "busybox", "true"]);
    assert.match(refused.stderr, /^Error response from daemon: Interval in Healthcheck cannot be less than 1ms$/m);
  });

  test("pauses with the container", async () => {
    await run("paused", ["--health-cmd", "true", "--health-interval", "50ms"]);
    await becomes("paused", "healthy");
    await daemon.ok("pause", "paused");
    const last = (await healthOf("paused"))?.Log.at(-1)?.Start;
    await sleep(300);
    assert.equal((await healthOf("paused"))?.Log.at(-1)?.Start, last);
    await daemon.ok("unpause", "paused");
    await becomes("paused", "healthy");
    await removed("paused");
  });

  test("goes on under the next daemon", async () => {
    await run("lasting", ["--health-cmd", "true", "--health-interval", "100ms"]);
    await becomes("lasting", "healthy");
    await daemon.kill("SIGKILL");
    await daemon.restart();
    await becomes("lasting", "healthy");
    await removed("lasting");
  });
});
