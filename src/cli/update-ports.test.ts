/** `berth update --publish-add`, `--publish-rm`: what is asked of the daemon. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { HostConfig } from "../spec/spec.ts";
import { bundleClient, type ClientResult, runClient } from "./bundled-client.ts";
import { ScriptedDaemon } from "./scripted-daemon.ts";

describe("update of ports", () => {
  const folder = mkdtempSync("/tmp/berth-test-update-");
  const main = join(folder, "berth.cjs");
  let daemon: ScriptedDaemon;
  before(async () => {
    await bundleClient(main);
    daemon = await ScriptedDaemon.open();
  });
  after(async () => {
    await daemon[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (...args: string[]): Promise<ClientResult> =>
    runClient("berth", main, ["update", ...args], { cwd: folder, env: { ...process.env, HOME: folder, DOCKER_HOST: daemon.host } });
  const before80 = { "80/tcp": [{ HostIp: "", HostPort: "8080" }] };

  /** A container that takes other ports on, or does not. */
  function script(obeys: boolean): void {
    let host: HostConfig = { PortBindings: before80 };
    daemon.asked.length = 0;
    daemon.script = {
      "GET /containers/web/json": () => ({ json: { HostConfig: host, Config: {} } }),
      "POST /containers/web/update": ({ body }) => {
        if (obeys) host = { ...host, ...(body as HostConfig) };
        return { json: { Warnings: null } };
      },
    };
  }

  test("all the ports that it is to have, with limits beside them", async () => {
    script(true);
    const result = await run("--publish-rm", "80", "--publish-add", "8081:80", "--publish-add", "53/udp", "-m", "32m", "web");
    assert.deepEqual([result.status, result.stdout, result.stderr], [0, "web\n", ""]);
    const posted = daemon.asked.filter(({ method }) => method === "POST");
    const PortBindings = { "80/tcp": [{ HostIp: "", HostPort: "8081" }], "53/udp": [{ HostIp: "", HostPort: "" }] };
    const bodies = posted.map(({ body }) => body as HostConfig).map((body) => ({ ports: body.PortBindings, memory: body.Memory }));
    assert.deepEqual(bodies, [{ ports: PortBindings, memory: 32 << 20 }]);
  });

  test("without ports nothing is asked before", async () => {
    script(true);
    assert.equal((await run("-m", "32m", "web")).status, 0);
    assert.deepEqual(
      daemon.asked.filter(({ path }) => path.startsWith("/containers")).map(({ method }) => method),
      ["POST"],
    );
  });

  test("a daemon that cannot is not believed", async () => {
    script(false);
    const result = await run("--publish-add", "8081:80", "web");
    assert.deepEqual([result.status, result.stdout], [1, ""]);
    assert.match(result.stderr, /^the ports of web are as they were: its daemon cannot change them$/m);
  });

  test("what is not there cannot go, and what is no port is asked of nobody", async () => {
    script(true);
    assert.match((await run("--publish-rm", "81", "web")).stderr, /^No public port '81\/tcp' published for web$/m);
    assert.ok(daemon.asked.every(({ method }) => method !== "POST"));
    daemon.asked.length = 0;
    assert.match((await run("--publish-add", "x", "web")).stderr, /invalid containerPort: x/);
    assert.deepEqual(daemon.asked, []);
  });
});
