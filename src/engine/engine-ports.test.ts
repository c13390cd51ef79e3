/** Ports of a container that is there, over rooms in memory. */
import assert from "node:assert/strict";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { isEngineError } from "../base/base.ts";
import type { HostConfig } from "../spec/spec.ts";
import type { Engine } from "./engine.ts";
import { FakeWorld } from "./fake-rooms.ts";

const bindings = (port: string): NonNullable<HostConfig["PortBindings"]> => ({ "80/tcp": [{ HostIp: "", HostPort: port }] });

async function create(engine: Engine, name: string, HostConfig: HostConfig = {}): Promise<string> {
  return (await engine.containers.create({ Image: "busybox", Cmd: ["sleep", "1"], HostConfig }, { name })).Id;
}

const hostConfigOf = async (engine: Engine, name: string): Promise<HostConfig | undefined> =>
  (await engine.containers.inspect(name, { size: false })).HostConfig;

describe("other ports", () => {
  test("for one that runs: at once, and told", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web", { PortBindings: bindings("8080") });
    await engine.containers.start("web", {});
    const monitor = world.runtime.monitors.get(id);
    assert.ok(monitor);
    await engine.containers.update("web", { PortBindings: bindings("8080") });
    await engine.containers.update("web", { Memory: 0 });
    assert.equal(monitor.changes.length, 0, "nothing is done for what is there");
    world.published.length = 0;
    await engine.containers.update("web", { PortBindings: bindings("8081"), PublishAllPorts: true });
    assert.equal(monitor.changes.length, 1);
    assert.deepEqual(world.networks.asked?.portBindings, bindings("8081"));
    assert.equal(world.networks.asked?.publishAllPorts, true);
    assert.deepEqual((await hostConfigOf(engine, "web"))?.PortBindings, bindings("8081"));
    assert.deepEqual(
      world.published.map(({ action }) => action),
      ["update"],
    );
    await engine.close();
  });

  test("for one that does not run, and where there are none: written down", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await create(engine, "web");
    await engine.containers.update("web", { PortBindings: bindings("8081") });
    assert.deepEqual((await hostConfigOf(engine, "web"))?.PortBindings, bindings("8081"));
    await engine.containers.start("web", {});
    assert.deepEqual(world.networks.asked?.portBindings, bindings("8081"));
    const id = await create(engine, "host", { NetworkMode: "host" });
    await engine.containers.start("host", {});
    await engine.containers.update("host", { PortBindings: bindings("8081") });
    assert.deepEqual(world.runtime.monitors.get(id)?.changes, []);
    assert.deepEqual((await hostConfigOf(engine, "host"))?.PortBindings, bindings("8081"));
    await engine.close();
  });

  test("one of which is taken: all is as before, limits too", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web", { PortBindings: bindings("8080") });
    await engine.containers.start("web", {});
    const monitor = world.runtime.monitors.get(id);
    assert.ok(monitor);
    monitor.onChange = () => {
      throw new Error("refused", { cause: { stage: "bind-port", errno: constants.errno.EADDRINUSE, message: "0.0.0.0:8081/tcp" } });
    };
    await assert.rejects(engine.containers.update("web", { PortBindings: bindings("8081"), CpuShares: 5 }), (error: unknown) => {
      assert.ok(isEngineError(error, "System"));
      assert.match(
        error.message,
        /^Cannot update container [0-9a-f]{64}: failed to set up .* web \(.*: failed to bind host port for .*in use$/,
      );
      return true;
    });
    const after = await hostConfigOf(engine, "web");
    assert.deepEqual([after?.PortBindings, after?.CpuShares], [bindings("8080"), 0]);
    await engine.close();
  });

  test("beside limits that are refused: changed back", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web", { PortBindings: bindings("8080") });
    await engine.containers.start("web", {});
    world.runtime.limitFailure = new Error("no such limit");
    await assert.rejects(engine.containers.update("web", { PortBindings: bindings("8081"), CpuShares: 5 }), { message: /no such limit/ });
    assert.equal(world.runtime.monitors.get(id)?.changes.length, 2);
    assert.deepEqual(world.networks.asked?.portBindings, bindings("8080"));
    assert.deepEqual((await hostConfigOf(engine, "web"))?.PortBindings, bindings("8080"));
    await engine.close();
  });
});
