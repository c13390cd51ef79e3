/** Networks and who is in them, over rooms in memory. */
import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isEngineError } from "../base/base.ts";
import type { EndpointSettings } from "../spec/spec.ts";
import type { Engine } from "./engine.ts";
import { FakeWorld } from "./fake-rooms.ts";

const noFilters = new Map<string, string[]>();
const sums = { containers: false };

async function create(engine: Engine, name: string, extra: object = {}): Promise<string> {
  return (await engine.containers.create({ Image: "busybox", Cmd: ["sleep", "1"], ...extra }, { name })).Id;
}

async function run(engine: Engine, name: string, extra: object = {}): Promise<string> {
  const id = await create(engine, name, extra);
  await engine.containers.start(name, {});
  return id;
}

const onNetwork = (...names: string[]): object => ({
  HostConfig: { NetworkMode: names[0] },
  NetworkingConfig: { EndpointsConfig: Object.fromEntries(names.map((name) => [name, {}])) },
});

async function networksOf(engine: Engine, name: string): Promise<Record<string, EndpointSettings>> {
  return (await engine.containers.inspect(name, { size: false })).NetworkSettings?.Networks ?? {};
}

const failsWith =
  (code: string, message: string | RegExp) =>
  (error: unknown): boolean => {
    assert.ok(isEngineError(error), String(error));
    assert.equal(error.code, code, error.message);
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  };

const networkEvents = (world: FakeWorld): string[] =>
  world.published
    .filter((event) => event.type === "network")
    .map(({ action, attributes }) => `${action} ${attributes["name"] ?? ""}`.trim());

describe("networks", () => {
  test("come and go, and are told", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    // No hexadecimal digits: a name that is gone could be the beginning of another's id.
    const { Id } = await engine.networks.create({ Name: "own", Labels: { x: "1" } });
    await assert.rejects(engine.networks.create({ Name: "own" }), failsWith("Conflict", "network with name own already exists"));
    assert.equal((await engine.networks.inspect("own", { scope: "" })).Id, Id);
    assert.equal((await engine.networks.inspect(Id.slice(0, 20), { scope: "local" })).Name, "own");
    await assert.rejects(engine.networks.inspect("own", { scope: "swarm" }), failsWith("NotFound", "network own not found"));
    await assert.rejects(engine.networks.remove("bridge"), failsWith("Forbidden", "bridge is a pre-defined network and cannot be removed"));
    await engine.networks.create({ Name: "lender", ConfigOnly: true });
    await engine.networks.remove("lender");
    await engine.networks.remove("own");
    await assert.rejects(engine.networks.remove("own"), failsWith("NotFound", "network own not found"));
    assert.deepEqual(networkEvents(world), ["create own", "create lender", "destroy own"]);
    assert.deepEqual(world.published[0]?.attributes, { name: "own", type: "bridge" });
    await engine.close();
  });

  test("are listed by Docker's filters", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const { Id: alpha } = await engine.networks.create({ Name: "alpha", Labels: { x: "1", y: "" } });
    await engine.networks.create({ Name: "beta", Driver: "macvlan" });
    const id = await run(engine, "in", onNetwork("alpha"));
    const names = async (filters: Record<string, string[]>): Promise<string> =>
      (await engine.networks.list(new Map(Object.entries(filters)), sums)).map(({ Name }) => Name).join(" ");
    assert.equal(await names({}), "bridge host none alpha beta");
    assert.equal(await names({ name: ["^a", "^none$"] }), "none alpha");
    assert.equal(await names({ name: ["("] }), "", "no regular expression");
    assert.equal(await names({ id: [alpha.slice(3, 30)] }), "alpha");
    assert.equal(await names({ driver: ["macvlan", "null"] }), "none beta");
    assert.equal(await names({ label: ["x=1", "y"] }), "alpha");
    assert.equal(await names({ label: ["x=2"] }), "");
    assert.equal(await names({ type: ["custom"], driver: ["bridge"] }), "alpha");
    assert.equal(await names({ type: ["builtin"] }), "bridge host none");
    assert.equal(await names({ scope: ["local"] }), "bridge host none alpha beta");
    assert.equal(await names({ scope: ["swarm"] }), "");
    assert.equal(await names({ dangling: ["true"] }), "beta");
    assert.equal(await names({ dangling: ["0"] }), "bridge host none alpha");
    for (const [key, values, complaint] of [
      ["nonsense", ["1"], "invalid filter 'nonsense'"],
      ["type", ["x"], "invalid filter: 'type'='x'"],
      ["dangling", ["x"], `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`],
      ["dangling", ["1", "0"], 'got more than one value for filter key "dangling"'],
    ] as const)
      await assert.rejects(names({ [key]: [...values] }), failsWith("InvalidParameter", complaint));
    const [listed] = await engine.networks.list(new Map([["name", ["alpha"]]]), { containers: true });
    assert.deepEqual(Object.keys(listed?.Containers ?? {}), [id]);
    const [short] = await engine.networks.list(new Map([["name", ["alpha"]]]), sums);
    assert.deepEqual(short?.Containers, {});
    await engine.close();
  });

  test("are pruned unless somebody is in them", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    for (const Name of ["used", "unused", "kept"]) await engine.networks.create({ Name, Labels: Name === "kept" ? { keep: "" } : {} });
    await engine.networks.create({ Name: "lender", ConfigOnly: true });
    await run(engine, "in", onNetwork("used"));
    await create(engine, "stopped", onNetwork("unused"));
    world.published.length = 0;
    assert.deepEqual(await engine.networks.prune(new Map([["until", ["1h"]]])), { NetworksDeleted: null });
    assert.deepEqual(await engine.networks.prune(new Map([["label!", ["keep"]]])), { NetworksDeleted: ["unused"] });
    assert.deepEqual(networkEvents(world), ["prune", "destroy unused", "prune"]);
    assert.deepEqual(world.published.at(-1)?.attributes, { reclaimed: "0" });
    await assert.rejects(engine.networks.prune(new Map([["name", ["a"]]])), failsWith("InvalidParameter", "invalid filter 'name'"));
    await assert.rejects(engine.containers.start("stopped", {}), failsWith("NotFound", "network unused not found"));
    await engine.close();
  });
});

describe("a container's networks", () => {
  test("are those that are named, by their names; else the mode's", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const { Id: a } = await engine.networks.create({ Name: "a" });
    await engine.networks.create({ Name: "b" });
    await create(engine, "plain");
    assert.deepEqual(Object.keys(await networksOf(engine, "plain")), ["bridge"]);
    await create(engine, "two", onNetwork("b", "a"));
    assert.deepEqual(Object.keys(await networksOf(engine, "two")), ["a", "b"]);
    await create(engine, "byid", { HostConfig: { NetworkMode: a.slice(0, 30) } });
    assert.deepEqual(Object.keys(await networksOf(engine, "byid")), ["a"]);
    assert.equal((await engine.containers.inspect("byid", { size: false })).HostConfig?.NetworkMode, a.slice(0, 30));
    await create(engine, "other", { NetworkingConfig: { EndpointsConfig: { [a]: { Aliases: ["x"], IPAddress: "6.6.6.6" } } } });
    assert.deepEqual(Object.keys(await networksOf(engine, "other")), ["a"], "not the default one too");
    await engine.containers.start("other", {});
    assert.equal(world.networks.asked?.networkMode, "a");
    assert.deepEqual(world.networks.asked?.endpoints, { a: { Aliases: ["x"] } }, "what is asked for, not what the client makes up");
    await create(engine, "later", { HostConfig: { NetworkMode: "later" } });
    await assert.rejects(engine.containers.start("later", {}), failsWith("NotFound", "network later not found"));
    await engine.networks.create({ Name: "later" });
    await engine.containers.start("later", {});
    const joined = await create(engine, "joined", { HostConfig: { NetworkMode: "container:later" } });
    assert.deepEqual(await networksOf(engine, "joined"), {});
    assert.equal(world.networks.reserved.get(joined)?.endpoints["later"], undefined);
    const hostname = async (name: string): Promise<string | undefined> =>
      (await engine.containers.inspect(name, { size: false })).Config?.Hostname;
    assert.equal(await hostname("joined"), joined.slice(0, 12));
    await engine.containers.start("joined", {});
    assert.equal(await hostname("joined"), await hostname("later"), "it goes by the other one's name");
    await create(engine, "self", { HostConfig: { NetworkMode: "container:self" } });
    await assert.rejects(engine.containers.start("self", {}), failsWith("System", "cannot join own network"));
    await assert.rejects(
      create(engine, "asks", { ...onNetwork("container:later"), NetworkingConfig: { EndpointsConfig: { x: { Aliases: ["y"] } } } }),
      failsWith("InvalidParameter", /network-scoped aliases/),
    );
    for (const [names, complaint] of [
      [["host", "a"], /^container sharing network namespace with another container or host cannot be connected/],
      [["none", "a"], /^container cannot be connected to multiple networks with one of the networks in private \(none\) mode/],
      [["a", "host"], /^container cannot be disconnected from host network or connected to host network/],
    ] as const)
      await assert.rejects(create(engine, "clash", onNetwork(...names)), failsWith("InvalidParameter", complaint));
    await engine.close();
  });

  test("are the same ones at the next start, not others of their names", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    const { Id } = await engine.networks.create({ Name: "a" });
    const id = await run(engine, "web", onNetwork("a"));
    world.runtime.monitors.get(id)?.end(0);
    await engine.containers.wait("web", "not-running", new AbortController().signal).then(({ result }) => result);
    assert.deepEqual(
      Object.entries(await networksOf(engine, "web")).map(([name, { NetworkID, IPAddress }]) => [name, NetworkID, IPAddress]),
      [["a", Id, ""]],
    );
    await engine.networks.remove("a");
    await engine.networks.create({ Name: "a" });
    await assert.rejects(engine.containers.start("web", {}), failsWith("NotFound", `network ${Id} not found`));
    await engine.networks.disconnect("a", "web", { force: false }).catch(() => undefined);
    await engine.networks.connect("a", "web", {});
    await engine.containers.start("web", {});
    await engine.close();
  });

  test("get what asks of their endpoints: links, and the name's change", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await engine.networks.create({ Name: "a" });
    await create(engine, "bad", {
      HostConfig: { NetworkMode: "a", Links: ["other:o"] },
      NetworkingConfig: { EndpointsConfig: { a: { Links: ["other:o", "third"] } } },
    });
    await engine.containers.start("bad", {});
    assert.deepEqual(world.networks.asked?.endpoints["a"]?.Links, ["other:o", "third"]);
    await assert.rejects(engine.networks.connect("a", "bad", { Links: ["x:y:z"] }), failsWith("InvalidParameter", /bad format for links/));
    await engine.containers.rename("bad", "good");
    assert.deepEqual([...world.networks.names.values()], ["good"]);
    await engine.containers.remove("good", { force: true, volumes: false, link: false });
    assert.equal(world.networks.reserved.size, 0, "nothing is kept for who is gone");
    await engine.close();
  });
});

describe("connect and disconnect of a container that does not run", () => {
  test("change what it will get", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await engine.networks.create({ Name: "a" });
    const id = await create(engine, "web");
    await engine.networks.connect("a", "web", { Aliases: ["x"], IPAMConfig: { IPv4Address: "10.0.0.9" } });
    assert.deepEqual(world.networks.reserved.get(id)?.endpoints["a"]?.IPAMConfig, { IPv4Address: "10.0.0.9" });
    assert.deepEqual((await networksOf(engine, "web"))["a"]?.Aliases, ["x"]);
    await engine.networks.connect("a", "web", {});
    assert.deepEqual((await networksOf(engine, "web"))["a"]?.Aliases, ["x"], "a second time is passed over, as in Docker");
    await engine.networks.disconnect("bridge", "web", { force: false });
    assert.deepEqual(Object.keys(await networksOf(engine, "web")), ["a"]);
    await assert.rejects(
      engine.networks.disconnect("bridge", "web", { force: false }),
      failsWith("System", `container ${id} is not connected to the network bridge`),
    );
    assert.deepEqual(networkEvents(world), ["create a", "disconnect bridge"]);
    await engine.containers.start("web", {});
    assert.deepEqual(Object.keys(await networksOf(engine, "web")), ["a"], "its mode's network is not what it is in");
    await engine.close();
  });

  test("with a network that is not there is the start's matter", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await create(engine, "web");
    await engine.networks.connect("later", "web", {});
    await assert.rejects(engine.containers.start("web", {}), failsWith("NotFound", "network later not found"));
    await engine.networks.disconnect("later", "web", { force: false });
    await engine.containers.start("web", {});
    await engine.close();
  });

  test("are refused where they make no sense", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await engine.networks.create({ Name: "a" });
    await create(engine, "host", { HostConfig: { NetworkMode: "host" } });
    await create(engine, "none", { HostConfig: { NetworkMode: "none" } });
    await create(engine, "web");
    await create(engine, "joined", { HostConfig: { NetworkMode: "container:web" } });
    const refused = (network: string, container: string, message: RegExp): Promise<void> =>
      assert.rejects(engine.networks.connect(network, container, {}), failsWith("InvalidParameter", message));
    await refused("a", "host", /^container sharing network namespace/);
    await refused("host", "web", /^container cannot be disconnected from host network or connected to host network$/);
    await refused("a", "none", /^container cannot be connected to multiple networks with one/);
    await refused("none", "web", /^container cannot be connected to multiple networks with one/);
    await refused("a", "joined", /^container sharing network namespace/);
    await engine.networks.create({ Name: "lender", ConfigOnly: true });
    await assert.rejects(
      engine.networks.connect("lender", "web", {}),
      failsWith("Forbidden", "cannot create endpoint on configuration-only network"),
    );
    await assert.rejects(engine.networks.connect("a", "nope", {}), failsWith("NotFound", "No such container: nope"));
    await assert.rejects(engine.networks.disconnect("a", "nope", { force: false }), failsWith("NotFound", "No such container: nope"));
    await assert.rejects(engine.networks.disconnect("a", "nope", { force: true }), failsWith("NotFound", "endpoint nope not found"));
    await assert.rejects(
      engine.networks.connect("bridge", "web", { IPAMConfig: { IPv4Address: "172.17.0.9" } }).then(async () => {
        await engine.networks.disconnect("bridge", "web", { force: false });
        await engine.networks.connect("bridge", "web", { IPAMConfig: { IPv4Address: "172.17.0.9" } });
      }),
      failsWith("InvalidParameter", /user-specified IP address/),
    );
    await engine.close();
  });
});

describe("connect and disconnect of a container that runs", () => {
  test("change its network, its record and its files", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await engine.networks.create({ Name: "a" });
    const id = await run(engine, "web");
    const joined = await run(engine, "joined", { HostConfig: { NetworkMode: "container:web" } });
    const hosts = (of: string): string => join(world.dataRoot, "containers", of, "hosts");
    const resolvConf = join(world.dataRoot, "containers", id, "resolv.conf");
    for (const one of [id, joined]) await writeFile(hosts(one), "127.0.0.1 localhost\n9.9.9.9 mine");
    await writeFile(resolvConf, "nameserver 1.1.1.1\n");
    const { ino } = await stat(hosts(id));
    world.networks.files = {
      hostsAdded: ["10.0.0.2\tweb"],
      hostsRemoved: [],
      resolvConf: { before: "nameserver 1.1.1.1\n", after: "nameserver 127.0.0.11\n" },
    };
    world.published.length = 0;
    await engine.networks.connect("a", "web", { Aliases: ["x"] });
    const monitor = world.runtime.monitors.get(id);
    assert.equal(monitor?.changes.length, 1);
    const networks = await networksOf(engine, "web");
    assert.deepEqual(Object.keys(networks), ["bridge", "a"]);
    assert.notEqual(networks["a"]?.IPAddress, "");
    assert.ok(world.networks.attached.get(id)?.every(({ settled }) => settled));
    for (const one of [id, joined]) assert.equal(await readFile(hosts(one), "utf8"), "127.0.0.1 localhost\n9.9.9.9 mine\n10.0.0.2\tweb\n");
    assert.equal((await stat(hosts(id))).ino, ino, "it is bound into the container");
    assert.equal(await readFile(resolvConf, "utf8"), "nameserver 127.0.0.11\n");
    await assert.rejects(
      engine.networks.connect("a", "web", {}),
      failsWith("Forbidden", "endpoint with name web already exists in network a"),
    );
    await assert.rejects(engine.networks.connect("nope", "web", {}), failsWith("NotFound", "network nope not found"));

    world.networks.files = { hostsAdded: [], hostsRemoved: ["10.0.0.2\tweb"], resolvConf: { before: "what we wrote", after: "x" } };
    await engine.networks.disconnect("a", "web", { force: false });
    assert.deepEqual(Object.keys(await networksOf(engine, "web")), ["bridge"]);
    assert.equal(await readFile(hosts(id), "utf8"), "127.0.0.1 localhost\n9.9.9.9 mine\n");
    assert.equal(await readFile(resolvConf, "utf8"), "nameserver 127.0.0.11\n", "somebody else has written it");
    await assert.rejects(
      engine.networks.disconnect("a", "web", { force: false }),
      failsWith("System", `container ${id} is not connected to network a`),
    );
    await assert.rejects(engine.networks.disconnect("nope", "web", { force: false }), failsWith("NotFound", "network nope not found"));
    assert.deepEqual(networkEvents(world), ["connect a", "disconnect a"]);
    assert.deepEqual(world.published.find(({ action }) => action === "connect")?.attributes, { container: id, name: "a", type: "bridge" });
    await engine.networks.disconnect("bridge", "web", { force: false });
    assert.deepEqual(await networksOf(engine, "web"), {}, "from the last one too");
    await engine.close();
  });

  test("that the kernel refuses change nothing", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await engine.networks.create({ Name: "a" });
    const id = await run(engine, "web");
    const monitor = world.runtime.monitors.get(id);
    assert.ok(monitor);
    const before = JSON.stringify(await networksOf(engine, "web"));
    monitor.onChange = () => {
      throw new Error("no such device");
    };
    await assert.rejects(engine.networks.connect("a", "web", {}), failsWith("System", /no such device/));
    assert.equal(JSON.stringify(await networksOf(engine, "web")), before);
    assert.equal(world.networks.attached.get(id)?.length, 1);
    await assert.rejects(engine.networks.disconnect("bridge", "web", { force: false }), failsWith("System", /no such device/));
    assert.equal(JSON.stringify(await networksOf(engine, "web")), before);
    monitor.onChange = () => undefined;
    await engine.networks.connect("a", "web", {});
    await engine.close();
  });

  test("that cannot be written down are taken back", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await engine.networks.create({ Name: "a" });
    const id = await run(engine, "web");
    const hosts = join(world.dataRoot, "containers", id, "hosts");
    await writeFile(hosts, "127.0.0.1 localhost\n");
    world.networks.files = { hostsAdded: ["10.0.0.2\tweb"], hostsRemoved: [] };
    const before = JSON.stringify(await networksOf(engine, "web"));
    const full = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
    world.database.exec(`CREATE TEMP TRIGGER full BEFORE UPDATE OF state ON containers ${full}`);
    await assert.rejects(engine.networks.connect("a", "web", {}), /database or disk is full/);
    assert.equal(world.runtime.monitors.get(id)?.changes.length, 2, "made and undone");
    assert.equal(JSON.stringify(await networksOf(engine, "web")), before);
    assert.equal(world.networks.attached.get(id)?.length, 1);
    assert.equal(await readFile(hosts, "utf8"), "127.0.0.1 localhost\n");
    world.database.exec("DROP TRIGGER full");
    await engine.networks.connect("a", "web", {});
    assert.deepEqual(Object.keys(await networksOf(engine, "web")), ["bridge", "a"]);
    await engine.close();
  });

  test("are for its next start when it ends meanwhile", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    await engine.networks.create({ Name: "a" });
    await engine.networks.create({ Name: "b" });
    const id = await run(engine, "web");
    const monitor = world.runtime.monitors.get(id);
    assert.ok(monitor);
    monitor.onChange = async () => {
      monitor.end(0);
      await sleep(20);
      assert.ok(world.networks.attached.has(id), "its network is not released under a change");
      throw new Error("it has gone");
    };
    await engine.networks.connect("a", "web", {});
    assert.deepEqual(Object.keys(await networksOf(engine, "web")), ["a", "bridge"]);
    await sleep(20);
    assert.ok(!world.networks.attached.has(id));
    await engine.containers.start("web", {});
    const again = world.runtime.monitors.get(id);
    assert.ok(again);
    again.onChange = async () => {
      again.end(0);
      await sleep(20);
    };
    world.published.length = 0;
    await engine.networks.connect("b", "web", {});
    assert.deepEqual(networkEvents(world).sort(), ["disconnect a", "disconnect bridge"], "who has ended joins nothing");
    assert.deepEqual(Object.keys(await networksOf(engine, "web")), ["a", "b", "bridge"]);
    await engine.close();
  });

  test("take turns with what else happens to it", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    for (let i = 0; i < 20; i++) await engine.networks.create({ Name: `n${i}` });
    const id = await run(engine, "web");
    await Promise.all(Array.from({ length: 20 }, (_, i) => engine.networks.connect(`n${i}`, "web", {})));
    assert.equal(Object.keys(await networksOf(engine, "web")).length, 21);
    const results = await Promise.allSettled([
      engine.networks.disconnect("n1", "web", { force: false }),
      engine.networks.remove("n1"),
      engine.containers.stop("web", {}),
      engine.networks.connect("n1", "web", {}),
      engine.containers.remove("web", { force: true, volumes: false, link: false }),
      engine.networks.disconnect("n2", "web", { force: true }),
    ]);
    for (const result of results) if (result.status === "rejected") assert.ok(isEngineError(result.reason), String(result.reason));
    assert.ok(!world.networks.attached.has(id));
    assert.deepEqual(await engine.containers.list({ all: true, limit: 0, size: false, filters: noFilters }), []);
    await engine.close();
  });

  test("that a daemon left half done are settled by the next", async () => {
    await using world = await FakeWorld.make();
    const engine = await world.open();
    for (const Name of ["a", "b"]) await engine.networks.create({ Name });
    const id = await run(engine, "web");
    await engine.networks.connect("a", "web", { Aliases: ["x"] });
    await engine.close();
    const endpoints = world.networks.attached.get(id);
    const monitor = world.runtime.monitors.get(id);
    assert.ok(endpoints && monitor);
    // In the middle of a disconnect from a.
    for (const endpoint of endpoints)
      if (endpoint.network === (await engine.networks.inspect("a", { scope: "" })).Id) endpoint.settled = false;
    world.runtime.adoptable.set(id, { running: world.runtime.running(monitor) });
    const next = await world.open();
    assert.deepEqual(Object.keys(await networksOf(next, "web")), ["bridge"]);
    await next.containers.stop("web", {});
    assert.deepEqual(Object.keys(await networksOf(next, "web")), ["bridge"]);
    await next.close();
  });
});

test("questions of a container's resolver are answered, at once or later", async () => {
  await using world = await FakeWorld.make();
  const engine = await world.open();
  const id = await run(engine, "web");
  const monitor = world.runtime.monitors.get(id);
  assert.ok(monitor?.ask);
  const query = (number: number): void => monitor.ask?.({ id: number, overTcp: false, message: Buffer.from("q") });
  world.networks.answerTo = () => Buffer.from("known");
  query(1);
  assert.deepEqual(monitor.answers, [[1, Buffer.from("known")]]);
  world.networks.answerTo = async () => Buffer.from("asked");
  query(2);
  await sleep(1);
  world.networks.answerTo = () => {
    throw new Error("malformed");
  };
  query(3);
  world.networks.answerTo = () => Promise.reject(new Error("no upstream"));
  query(4);
  await sleep(1);
  assert.deepEqual(monitor.answers.slice(1), [
    [2, Buffer.from("asked")],
    [3, undefined],
    [4, undefined],
  ]);
  await engine.close();
});
