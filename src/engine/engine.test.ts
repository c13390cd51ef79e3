import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Duplex, duplexPair } from "node:stream";
import { describe, test } from "node:test";
import { setTimeout as sleep, setImmediate as tick } from "node:timers/promises";
import { isEngineError } from "../base/base.ts";
import { nextRestartDelayMs } from "../containers/containers.ts";
import type { Engine } from "./engine.ts";
import { FakeWorld } from "./fake-rooms.ts";

const never = new AbortController().signal;
const noFilters = new Map<string, string[]>();
const streams = { stdin: false, stdout: true, stderr: true, logs: false, stream: true };

async function create(engine: Engine, name: string, extra: object = {}): Promise<string> {
  return (await engine.containers.create({ Image: "busybox", Cmd: ["sleep", "1"], ...extra }, { name })).Id;
}

async function readAll(io: Duplex): Promise<string> {
  let text = "";
  for await (const chunk of io) text += chunk;
  return text;
}

/** Waits for what is to come about within five seconds. */
async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await check()); tries++) {
    assert.ok(tries < 1000, String(check));
    await sleep(5);
  }
}

const failsWith =
  (code: string, message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(isEngineError(error), String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };

describe("the life of a container", () => {
  test("create, wait, start, end: exit code, events in Docker's order", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web", { Labels: { a: "b" } });
    const wait = await engine.containers.wait("web", "next-exit", never);
    await engine.containers.start("web", {});
    assert.ok(world.networks.attached.has(id));
    assert.equal((await engine.containers.inspect("web", { size: false })).State?.Status, "running");
    await assert.rejects(engine.containers.start("web", {}), failsWith("NotModified", /already/));
    world.runtime.monitors.get(id)?.end(3);
    assert.deepEqual(await wait.result, { StatusCode: 3 });
    const state = (await engine.containers.inspect(id.slice(0, 8), { size: true })).State;
    assert.equal(state?.Status, "exited");
    assert.equal(state?.ExitCode, 3);
    await tick();
    assert.deepEqual(world.actions(), ["create", "start", "die"]);
    assert.deepEqual(
      world.published.filter((event) => event.type === "network").map((event) => event.action),
      ["connect", "disconnect"],
    );
    const die = world.published.find((event) => event.action === "die");
    assert.deepEqual(die?.attributes, { a: "b", image: "busybox", name: "web", execDuration: "0", exitCode: "3" });
    assert.ok(!world.networks.attached.has(id));
    await engine.close();
  });

  test("an end that comes with the start is told after it", async () => {
    await using world = await FakeWorld.make();
    world.runtime.endsAtOnce = 7;
    const engine = await world.open();
    await create(engine, "brief", { HostConfig: { AutoRemove: true } });
    const removed = await engine.containers.wait("brief", "removed", never);
    await engine.containers.start("brief", {});
    assert.deepEqual(await removed.result, { StatusCode: 7 });
    assert.deepEqual(world.actions(), ["create", "start", "die", "destroy"]);
    assert.equal(world.networks.attached.size, 0);
  });

  test("a wait that is let go of, and a daemon that closes, end it", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await create(engine, "web");
    const client = new AbortController();
    const one = await engine.containers.wait("web", "next-exit", client.signal);
    const two = await engine.containers.wait("web", "removed", never);
    client.abort();
    await assert.rejects(one.result, failsWith("Cancelled", /./));
    await engine.close();
    await assert.rejects(two.result, failsWith("Cancelled", /shutting down/));
    assert.deepEqual(await (await engine.containers.wait("web", "not-running", never)).result, { StatusCode: 0 });
  });

  test("a stop that may wait for longer than a timer can does not kill at once", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "patient");
    await engine.containers.start("patient", {});
    const monitor = world.runtime.monitors.get(id);
    monitor?.ignored.add(15);
    const stopped = engine.containers.stop("patient", { timeoutSeconds: 10_000_000 });
    await new Promise((done) => setTimeout(done, 50));
    assert.deepEqual(monitor?.signals, [15]);
    await engine.containers.kill("patient", "KILL");
    await stopped;
  });

  test("stop signals, waits, kills; the second stop is not modified", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "stubborn");
    await engine.containers.start("stubborn", {});
    const monitor = world.runtime.monitors.get(id);
    monitor?.ignored.add(15);
    await engine.containers.stop("stubborn", { timeoutSeconds: 0 });
    assert.deepEqual(monitor?.signals, [15, 9]);
    assert.deepEqual(world.actions(), ["create", "start", "kill", "kill", "die", "stop"]);
    await assert.rejects(engine.containers.stop("stubborn", {}), failsWith("NotModified", /not running/));
    await assert.rejects(
      engine.containers.kill("stubborn", undefined),
      failsWith("Conflict", /^cannot kill container: stubborn: container [0-9a-f]{64} is not running$/),
    );
  });

  test("remove refuses a running container, force kills it, and the directory is gone", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web");
    await engine.containers.start("web", {});
    const removed = await engine.containers.wait("web", "removed", never);
    const options = { volumes: false, link: false };
    await assert.rejects(
      engine.containers.remove("web", { ...options, force: false }),
      failsWith("Conflict", /^cannot remove container "\/web": container is running: stop the container before removing or force remove$/),
    );
    await engine.containers.remove("web", { ...options, force: true });
    assert.deepEqual(await removed.result, { StatusCode: 137 });
    assert.ok(!existsSync(join(world.dataRoot, "containers", id)));
    assert.deepEqual(world.actions(), ["create", "start", "kill", "die", "destroy"]);
    await assert.rejects(engine.containers.inspect("web", { size: false }), failsWith("NotFound", /^No such container: web$/));
    await create(engine, "web");
  });

  test("--rm removes after the end, and not when it is restarted", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "brief", { HostConfig: { AutoRemove: true } });
    await engine.containers.start("brief", {});
    await engine.containers.restart("brief", {});
    assert.equal((await engine.containers.inspect(id, { size: false })).State?.Running, true);
    const removed = await engine.containers.wait(id, "removed", never);
    world.runtime.monitors.get(id)?.end(7);
    assert.deepEqual(await removed.result, { StatusCode: 7 });
    assert.deepEqual(await engine.containers.list({ all: true, limit: 0, size: false, filters: noFilters }), []);
  });

  test("a failed start is undone, and its code and message stay", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web");
    world.runtime.failure = { stage: "exec", errno: 2, message: "nosuch" };
    await assert.rejects(engine.containers.start("web", {}), failsWith("InvalidParameter", /nosuch/));
    assert.ok(!world.networks.attached.has(id));
    const { State } = await engine.containers.inspect("web", { size: false });
    assert.equal(State?.Status, "created");
    assert.equal(State?.ExitCode, 127);
    assert.equal(
      State?.Error,
      'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown',
    );
    world.runtime.failure = { stage: "overlay", errno: 28, message: "disk full" };
    await assert.rejects(engine.containers.start("web", {}));
    assert.equal(
      (await engine.containers.inspect("web", { size: false })).State?.ExitCode,
      127,
      "no new code, the program was not reached",
    );
    world.runtime.failure = undefined;
    await engine.containers.start("web", {});
    assert.equal((await engine.containers.inspect("web", { size: false })).State?.Error, "");
  });

  test("a restart policy starts again, and stops when it is told to", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "loop", { HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } } });
    await engine.containers.start("loop", {});
    world.runtime.monitors.get(id)?.end(1);
    await tick();
    const { State } = await engine.containers.inspect("loop", { size: false });
    assert.deepEqual([State?.Status, State?.Running, State?.Restarting], ["restarting", true, true]);
    await until(async () => (await engine.containers.inspect("loop", { size: false })).State?.Status === "running");
    const again = await engine.containers.inspect("loop", { size: false });
    assert.deepEqual([again.State?.Status, again.RestartCount], ["running", 1]);
    world.runtime.monitors.get(id)?.end(1);
    await tick();
    await engine.containers.stop("loop", {});
    await sleep(250);
    assert.equal((await engine.containers.inspect("loop", { size: false })).State?.Status, "exited");
    await engine.containers.start("loop", {});
    assert.equal((await engine.containers.inspect("loop", { size: false })).RestartCount, 0);
    world.runtime.monitors.get(id)?.end(0);
    await tick();
    assert.equal((await engine.containers.inspect("loop", { size: false })).State?.Status, "exited");
    await engine.close();
  });

  test("a policy's pauses double, and begin anew after a run of ten seconds", () => {
    const after = (seconds: number): Parameters<typeof nextRestartDelayMs>[0] => {
      const startedAt = "2026-01-01T00:00:00Z";
      const finishedAt = new Date(Date.parse(startedAt) + seconds * 1000).toISOString();
      const state = { status: "restarting", exitCode: 1, error: "", oomKilled: false, startedAt, finishedAt };
      return { status: { state } } as unknown as Parameters<typeof nextRestartDelayMs>[0];
    };
    const delays: number[] = [];
    for (let tries = 0; tries < 12; tries++) delays.push(nextRestartDelayMs(after(1), delays.at(-1) ?? 0));
    assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
    assert.equal(nextRestartDelayMs(after(10), 60_000), 100);
    assert.equal(nextRestartDelayMs(after(9.9), 100), 200);
  });

  test("a removal under way: the next one is told, by force it waits", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web");
    await engine.containers.start("web", {});
    const monitor = world.runtime.monitors.get(id);
    monitor?.ignored.add(9);
    const options = { volumes: false, link: false };
    const first = engine.containers.remove("web", { ...options, force: true });
    await tick();
    await assert.rejects(
      engine.containers.remove("web", { ...options, force: false }),
      failsWith("Conflict", /^removal of container web is already in progress$/),
    );
    const second = engine.containers.remove("web", { ...options, force: true });
    monitor?.end(137, 9);
    await Promise.all([first, second]);
    assert.deepEqual(world.actions(), ["create", "start", "kill", "die", "destroy"]);
    await engine.close();
  });

  test("a removal that fails tells those who wait for it, and the container stays", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await create(engine, "web");
    const removed = await engine.containers.wait("web", "removed", never);
    world.database.exec("CREATE TRIGGER full BEFORE DELETE ON containers BEGIN SELECT RAISE(ABORT, 'disk is full'); END");
    await assert.rejects(engine.containers.remove("web", { force: false, volumes: false, link: false }), /disk is full/);
    assert.deepEqual(await removed.result, { StatusCode: 0, Error: { Message: "disk is full" } });
    world.database.exec("DROP TRIGGER full");
    await engine.containers.remove("web", { force: false, volumes: false, link: false });
    assert.deepEqual(world.actions(), ["create", "destroy"]);
    await engine.close();
  });

  test("health: probes are sessions of their own; what is under way at the end counts no more", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const probed = async (count: number): Promise<FakeWorld["runtime"]["execs"][number]> => {
      for (let tries = 0; tries < 5000; tries++) {
        const probe = world.runtime.execs[count - 1];
        if (probe !== undefined) return probe;
        await sleep(1);
      }
      throw new Error("there was no probe");
    };
    const health = async (name: string) => (await engine.containers.inspect(name, { size: false })).State?.Health;
    const Healthcheck = { Test: ["CMD", "check"], Interval: 5_000_000, Retries: 1 };
    const id = await create(engine, "web", { Healthcheck });
    assert.equal(await health("web"), undefined);
    await engine.containers.start("web", {});
    assert.equal((await health("web"))?.Status, "starting");
    const first = await probed(1);
    assert.deepEqual(first.config.Cmd, ["check"]);
    first.end(0);
    // The next probe comes only after this one has been counted.
    const late = await probed(2);
    assert.equal((await health("web"))?.Status, "healthy");
    world.runtime.monitors.get(id)?.end(0);
    await tick();
    late.end(1);
    await sleep(20);
    const ended = await health("web");
    assert.deepEqual([ended?.Status, ended?.FailingStreak, ended?.Log?.length], ["unhealthy", 0, 1]);
    assert.equal((await engine.containers.inspect("web", { size: false })).ExecIDs, null);
    await create(engine, "slow", { Healthcheck: { ...Healthcheck, Timeout: 1_000_000 } });
    await engine.containers.start("slow", {});
    const killed = await probed(3);
    await probed(4);
    assert.ok(killed.stream.writableEnded, "what takes too long is killed");
    const slow = await health("slow");
    assert.deepEqual([slow?.Status, slow?.Log?.[0]?.ExitCode], ["unhealthy", -1]);
    assert.equal(slow?.Log?.[0]?.Output, "Health check exceeded timeout (1ms)");
    assert.deepEqual(
      world.actions().filter((action) => action.startsWith("health")),
      ["health_status: healthy", "health_status: unhealthy"],
    );
    await engine.close();
  });

  test("names: conflict, grammar, rename", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "one");
    await create(engine, "two");
    await assert.rejects(
      create(engine, "one"),
      failsWith(
        "Conflict",
        new RegExp(
          `^Conflict. The container name "/one" is already in use by container "${id}". You have to remove \\(or rename\\) that container to be able to reuse that name.$`,
        ),
      ),
    );
    await assert.rejects(
      engine.containers.create({ Image: "busybox" }, { platform: "linux/s390x" }),
      failsWith(
        "NotFound",
        /^image with reference busybox was found but its platform .* does not match the specified platform \(linux\/s390x\)$/,
      ),
    );
    await assert.rejects(create(engine, "_x"), failsWith("InvalidParameter", /^Invalid container name \(_x\), only \[a-zA-Z0-9\]/));
    await assert.rejects(engine.containers.rename("one", "two"), failsWith("Conflict", /^Error when allocating new name: Conflict/));
    await engine.containers.rename("one", "three");
    await create(engine, "one");
    assert.equal((await engine.containers.inspect("three", { size: false })).Id, id);
    await assert.rejects(engine.containers.create({ Image: "nosuch" }, {}), failsWith("NotFound", /^No such image: nosuch:latest$/));
  });

  test("fifty at once get on beside each other", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const names = Array.from({ length: 50 }, (_, index) => `c${index}`);
    await Promise.all(
      names.map(async (name) => {
        await create(engine, name);
        await engine.containers.start(name, {});
      }),
    );
    assert.equal((await engine.containers.list({ all: false, limit: 0, size: false, filters: noFilters })).length, 50);
    await Promise.all(names.map((name) => engine.containers.remove(name, { force: true, volumes: true, link: false })));
    assert.equal(engine.counts().running, 0);
  });
});

describe("streams", () => {
  test("who attaches before the start gets everything", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web");
    const session = await engine.containers.attach("web", streams);
    const [client, server] = duplexPair();
    const text = readAll(client);
    const done = session.run(server).then(() => server.end());
    await engine.containers.start("web", {});
    const monitor = world.runtime.monitors.get(id);
    monitor?.clients[0]?.write("hello");
    monitor?.end(0);
    await done;
    assert.equal(await text, "hello");
    assert.deepEqual(world.actions().slice(0, 3), ["create", "attach", "start"]);
  });

  test("detach keys let go with a TTY, and the container goes on", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web", { Tty: true, OpenStdin: true });
    await engine.containers.start("web", {});
    const session = await engine.containers.attach("web", { ...streams, stdin: true, detachKeys: "ctrl-a,d" });
    const [client, server] = duplexPair();
    const done = session.run(server);
    await tick();
    client.write("x\u0001y\u0001d");
    await done;
    const typed: Buffer[] = [];
    world.runtime.monitors.get(id)?.clients[0]?.on("data", (chunk: Buffer) => typed.push(chunk));
    await sleep(1);
    assert.equal(Buffer.concat(typed).toString(), "x\u0001y");
    assert.equal((await engine.containers.inspect("web", { size: false })).State?.Running, true);
    assert.equal(world.actions().at(-1), "detach");
    await assert.rejects(
      engine.containers.attach("web", { ...streams, detachKeys: "ctrl-zz" }),
      failsWith("InvalidParameter", /^Invalid detach keys \(ctrl-zz\) provided$/),
    );
  });

  test("the log comes first, then what is printed from now on", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const id = await create(engine, "web");
    await engine.containers.start("web", {});
    const session = await engine.containers.attach("web", { ...streams, logs: true });
    const [client, server] = duplexPair();
    const text = readAll(client);
    const done = session.run(server).then(() => server.end());
    await tick();
    world.runtime.monitors.get(id)?.clients[0]?.write("live\n");
    world.runtime.monitors.get(id)?.end(0);
    await done;
    assert.equal(await text, "logged\nlive\n");
    const only = await engine.containers.attach("web", { ...streams, logs: true, stream: false });
    const [reader, writer] = duplexPair();
    const replayed = readAll(reader);
    await only.run(writer);
    writer.end();
    assert.equal(await replayed, "logged\n");
  });

  test("a pending session of a removed container, and all at close, end", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await create(engine, "web");
    const first = (await engine.containers.attach("web", streams)).run(duplexPair()[0]);
    await engine.containers.remove("web", { force: false, volumes: false, link: false });
    await first;
    await create(engine, "web");
    await engine.containers.start("web", {});
    const second = (await engine.containers.attach("web", streams)).run(duplexPair()[0]);
    await tick();
    await engine.close();
    await second;
  });

  test("exec: output, exit code, events; twice is refused", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await create(engine, "web");
    await assert.rejects(engine.exec.create("web", { Cmd: ["true"] }), failsWith("Conflict", /^container [0-9a-f]{64} is not running$/));
    await engine.containers.start("web", {});
    await assert.rejects(engine.exec.create("web", {}), failsWith("InvalidParameter", /^no exec command specified$/i));
    const { Id } = await engine.exec.create("web", { Cmd: ["sh", "-c", "exit 4"], AttachStdout: true });
    assert.deepEqual((await engine.containers.inspect("web", { size: false })).ExecIDs, [Id]);
    const [client, server] = duplexPair();
    const text = readAll(client);
    const session = await engine.exec.start(Id, { tty: false, detach: false });
    const done = session.run(server).then(() => server.end());
    await tick();
    world.runtime.execs[0]?.stream.write("out");
    world.runtime.execs[0]?.end(4);
    await done;
    assert.equal((await engine.exec.inspect(Id)).ExitCode, 4);
    assert.equal(await text, "out");
    assert.deepEqual(world.actions().slice(2), ["exec_create: sh -c exit 4", "exec_start: sh -c exit 4", "exec_die"]);
    await assert.rejects(engine.exec.start(Id, { tty: false, detach: true }), failsWith("Conflict", /has already run/));
    assert.equal((await engine.containers.inspect("web", { size: false })).ExecIDs, null);
  });
});

describe("after a restart of the daemon", () => {
  test("who runs is followed, who ended or vanished is recorded, --rm is made good", async () => {
    await using world = await FakeWorld.make();
    const before = await world.open();
    const ids: Record<string, string> = {};
    for (const name of ["runs", "ended", "vanished"]) {
      ids[name] = await create(before, name);
      await before.containers.start(name, {});
    }
    const gone = await create(before, "gone", { HostConfig: { AutoRemove: true } });
    await before.containers.start("gone", {});
    await before.close();
    const monitor = world.runtime.monitors.get(ids["runs"] ?? "");
    assert.ok(monitor?.released);
    const exit = { exitCode: 5, signal: 0, oomKilled: true, finishedAt: "2026-01-02T03:04:05.6Z" };
    world.runtime.adoptable.set(ids["runs"] ?? "", { running: world.runtime.running(monitor) });
    world.runtime.adoptable.set(ids["ended"] ?? "", { exit });
    world.runtime.adoptable.set(gone, { exit });
    const after = await world.open();
    assert.deepEqual([...(world.networks.reconciled ?? [])], [ids["runs"]]);
    const wait = await after.containers.wait("runs", "not-running", never);
    monitor.end(9);
    assert.deepEqual(await wait.result, { StatusCode: 9 });
    const ended = (await after.containers.inspect("ended", { size: false })).State;
    assert.deepEqual([ended?.ExitCode, ended?.OOMKilled, ended?.FinishedAt], [5, true, exit.finishedAt]);
    assert.equal((await after.containers.inspect("vanished", { size: false })).State?.ExitCode, 137);
    await until(() => after.containers.inspect("gone", { size: false }).then(() => false, failsWith("NotFound", /No such container/)));
  });

  test("what ran before the machine was started has failed with the last one", async () => {
    await using world = await FakeWorld.make();
    const before = await world.open();
    await create(before, "lost");
    await before.containers.start("lost", {});
    await before.close();
    world.database.exec("UPDATE containers SET state = json_set(state, '$.state.startedAt', '2001-01-01T00:00:00Z')");
    const after = await world.open();
    const { State } = await after.containers.inspect("lost", { size: false });
    assert.deepEqual([State?.Status, State?.ExitCode], ["exited", 255]);
    await after.close();
  });

  test("a restart that was due is made good, one that has been used up is not", async () => {
    await using world = await FakeWorld.make();
    const before = await world.open();
    const policy = { HostConfig: { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 1 } } };
    const [due, used] = [await create(before, "due", policy), await create(before, "used", policy)];
    for (const name of ["due", "used"]) await before.containers.start(name, {});
    world.runtime.monitors.get(used)?.end(1);
    await until(async () => {
      const { RestartCount, State } = await before.containers.inspect("used", { size: false });
      return RestartCount === 1 && State?.Status === "running";
    });
    world.runtime.monitors.get(used)?.end(1);
    world.runtime.monitors.get(due)?.end(1);
    await tick();
    await before.close();
    const after = await world.open();
    const state = async (name: string) => (await after.containers.inspect(name, { size: false })).State?.Status;
    await until(async () => (await state("due")) === "running");
    assert.deepEqual([await state("due"), await state("used")], ["running", "exited"]);
    await after.close();
  });
});
