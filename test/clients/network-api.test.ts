/** Networks through the API itself: every field and refusal. The relay holds each answer to Docker's description. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { type Answer, ask } from "../ask.ts";
import { Daemon, eventually, importBusybox } from "../daemon.ts";

type Plain = Record<string, unknown>;
interface Endpoint {
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly IPAddress: string;
  readonly MacAddress: string;
  readonly Gateway: string;
  readonly Aliases: string[] | null;
  readonly DNSNames: string[] | null;
  readonly IPAMConfig: Plain | null;
  readonly GwPriority: number;
}
interface Container {
  readonly Id: string;
  readonly Config: { readonly MacAddress?: string };
  readonly HostConfig: { readonly NetworkMode: string };
  readonly NetworkSettings: { readonly Networks: Record<string, Endpoint>; readonly IPAddress: string };
}
interface Network {
  readonly Id: string;
  readonly Name: string;
  readonly Containers: Record<string, { readonly Name: string; readonly EndpointID: string; readonly IPv4Address: string }>;
}

let daemon: Daemon;
before(async () => {
  daemon = await Daemon.start();
  await importBusybox(daemon);
});
after(() => daemon.close());

async function answered(status: number, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await ask(daemon, method, path, body);
  assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
  return answer;
}

async function refused(status: number, message: string | RegExp, method: string, path: string, body?: unknown): Promise<void> {
  const answer = await answered(status, method, path, body);
  const said = (answer.body as { message: string }).message;
  if (typeof message === "string") assert.equal(said, message);
  else assert.match(said, message);
}

async function create(name: string, extra: Plain = {}): Promise<string> {
  const { body } = await answered(201, "POST", "/networks/create", { Name: name, ...extra });
  return (body as { Id: string }).Id;
}

const remove = async (...names: string[]): Promise<void> => {
  for (const name of names) await answered(204, "DELETE", `/networks/${name}`);
};

const list = async (filters: Plain, version = ""): Promise<Network[]> =>
  (await answered(200, "GET", `${version}/networks?filters=${encodeURIComponent(JSON.stringify(filters))}`)).body as Network[];

const inspect = async (name: string): Promise<Network> => (await answered(200, "GET", `/networks/${name}`)).body as Network;

const container = async (name: string, version = ""): Promise<Container> =>
  (await answered(200, "GET", `${version}/containers/${name}/json`)).body as Container;

const networks = async (name: string): Promise<Record<string, Endpoint>> => (await container(name)).NetworkSettings.Networks;

/** Creates a container that waits, on these networks. */
async function make(name: string, endpoints: Plain, extra: Plain = {}): Promise<string> {
  const [mode] = Object.keys(endpoints);
  const { body } = await answered(201, "POST", `/containers/create?name=${name}`, {
    Image: "busybox",
    Cmd: ["sleep", "1000"],
    StopSignal: "SIGKILL",
    HostConfig: mode === undefined ? {} : { NetworkMode: mode },
    NetworkingConfig: { EndpointsConfig: endpoints },
    ...extra,
  });
  return (body as { Id: string }).Id;
}

const start = (name: string): Promise<Answer> => answered(204, "POST", `/containers/${name}/start`);

async function run(name: string, endpoints: Plain, extra: Plain = {}): Promise<string> {
  const id = await make(name, endpoints, extra);
  await start(name);
  return id;
}

const kill = async (...names: string[]): Promise<void> => {
  for (const name of names) await answered(204, "DELETE", `/containers/${name}?force=1`);
};

const connect = (network: string, name: string, settings: Plain = {}): Promise<Answer> =>
  answered(200, "POST", `/networks/${network}/connect`, { Container: name, EndpointConfig: settings });

const disconnect = (network: string, name: string, force = false): Promise<Answer> =>
  answered(200, "POST", `/networks/${network}/disconnect`, { Container: name, Force: force });

const inside = (name: string, ...command: string[]): Promise<string> => daemon.ok("exec", name, ...command);

/** What there is inside: `eth0 172.18.0.2`, without the loopback. */
async function addresses(name: string): Promise<string[]> {
  const text = await inside(name, "ip", "-o", "-4", "address");
  return [...text.matchAll(/^\d+: (\S+)\s+inet (\S+)\//gm)].filter(([, device]) => device !== "lo").map(([, , address]) => address ?? "");
}

/** What a test that has failed leaves is nothing to the next. */
async function removeContainers(): Promise<void> {
  const all = (await answered(200, "GET", "/containers/json?all=1")).body as { Id: string }[];
  for (const { Id } of all) await ask(daemon, "DELETE", `/containers/${Id}?force=1`);
}

describe("networks", () => {
  afterEach(removeContainers);
  test("are made, looked at and removed", async () => {
    const asked = {
      Name: "one",
      Driver: "bridge",
      CheckDuplicate: true,
      IPAM: { Driver: "default", Config: [{ Subnet: "10.201.0.0/24", IPRange: "10.201.0.128/25", Gateway: "10.201.0.1" }] },
      Internal: false,
      Attachable: true,
      Options: { "com.docker.network.driver.mtu": "1400" },
      Labels: { tier: "front" },
    };
    const { body } = await answered(201, "POST", "/networks/create", asked);
    const { Id, Warning } = body as { Id: string; Warning: string };
    assert.match(Id, /^[0-9a-f]{64}$/);
    assert.equal(Warning, "");
    const whole = (await answered(200, "GET", "/networks/one?verbose=true&scope=local")).body as Plain;
    const { Created, ...rest } = whole;
    assert.ok(Math.abs(Date.now() - Date.parse(String(Created))) < 60_000);
    assert.deepEqual(
      { ...rest, IPAM: (rest["IPAM"] as { Config: unknown }).Config },
      {
        Name: "one",
        Id,
        Scope: "local",
        Driver: "bridge",
        EnableIPv4: true,
        EnableIPv6: false,
        IPAM: asked.IPAM.Config,
        Internal: false,
        Attachable: true,
        Ingress: false,
        ConfigFrom: { Network: "" },
        ConfigOnly: false,
        Containers: {},
        Options: asked.Options,
        Labels: asked.Labels,
      },
    );
    assert.equal((await inspect(Id)).Name, "one");
    assert.equal((await inspect(Id.slice(0, 20))).Name, "one");
    await refused(404, "network one not found", "GET", "/networks/one?scope=swarm");
    await refused(404, "network nope not found", "GET", "/networks/nope");
    await refused(409, "network with name one already exists", "POST", "/networks/create", { Name: "one" });
    await refused(409, "network with name one already exists", "POST", "/v1.43/networks/create", { Name: "one", CheckDuplicate: false });
    await remove("one");
    await refused(404, "network one not found", "DELETE", "/networks/one");
  });

  test("that are predefined stay", async () => {
    for (const name of ["bridge", "host", "none"]) {
      await refused(403, `${name} is a pre-defined network and cannot be removed`, "DELETE", `/networks/${name}`);
      await refused(403, `operation is not permitted on predefined ${name} network `, "POST", "/networks/create", { Name: name });
    }
  });

  test("are listed by filters, and with who is in them only to clients older than 1.28", async () => {
    const id = await create("listed", { Labels: { a: "1", b: "" } });
    await create("internal", { Internal: true });
    await run("inlisted", { listed: {} });
    const names = async (filters: Plain): Promise<string[]> => (await list(filters)).map(({ Name }) => Name).sort();
    assert.deepEqual(await names({}), ["bridge", "host", "internal", "listed", "none"]);
    assert.deepEqual(await names({ name: ["^li"] }), ["listed"]);
    assert.deepEqual(await names({ id: [id.slice(0, 12)] }), ["listed"]);
    assert.deepEqual(await names({ driver: { bridge: true }, type: ["custom"] }), ["internal", "listed"]);
    assert.deepEqual(await names({ label: ["a=1", "b"] }), ["listed"]);
    assert.deepEqual(await names({ scope: ["local"], dangling: ["true"] }), ["internal"]);
    assert.deepEqual(await names({ type: ["builtin"] }), ["bridge", "host", "none"]);
    await refused(400, "invalid filter 'x'", "GET", `/networks?filters=${encodeURIComponent('{"x":["y"]}')}`);
    assert.deepEqual((await list({ name: ["listed"] }))[0]?.Containers, {});
    assert.equal(Object.keys((await list({ name: ["listed"] }, "/v1.27"))[0]?.Containers ?? {}).length, 1);
    const { Containers } = await inspect("listed");
    const [entry] = Object.values(Containers);
    assert.equal(entry?.Name, "inlisted");
    assert.equal(entry?.EndpointID, (await networks("inlisted"))["listed"]?.EndpointID);
    const ps = async (value: string): Promise<string> => await daemon.ok("ps", "-aq", "--no-trunc", "--filter", `network=${value}`);
    const inlisted = (await container("inlisted")).Id;
    assert.equal(await ps("listed"), inlisted);
    assert.equal(await ps(id), inlisted);
    assert.equal(await ps("internal"), "");
    await refused(
      403,
      /^error while removing network: network listed has active endpoints \(name:"inlisted" id:"[0-9a-f]{12}"\)$/,
      "DELETE",
      "/networks/listed",
    );
    await kill("inlisted");
    await remove("listed", "internal");
  });

  test("are pruned", async () => {
    await create("kept", { Labels: { keep: "" } });
    await create("unused");
    await create("used");
    await run("user", { used: {} });
    const prune = async (filters: Plain): Promise<unknown> =>
      ((await answered(200, "POST", `/networks/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`)).body as Plain)[
        "NetworksDeleted"
      ];
    assert.equal(await prune({ until: ["1h"] }), null);
    assert.deepEqual(await prune({ "label!": ["keep"] }), ["unused"]);
    assert.deepEqual(await prune({ label: ["keep"] }), ["kept"]);
    await refused(400, "invalid filter 'name'", "POST", `/networks/prune?filters=${encodeURIComponent('{"name":["a"]}')}`);
    await kill("user");
    await remove("used");
  });

  test("and who joins them are told as events", async () => {
    const since = Math.floor(Date.now() / 1000);
    const id = await create("told");
    const user = await run("teller", {});
    await connect("told", "teller");
    await disconnect("told", "teller");
    await kill("teller");
    await remove("told");
    const text = await daemon.ok(
      ...["events", "--since", String(since), "--until", String(Math.ceil(Date.now() / 1000)), "--filter", "type=network"],
      ...["--format", "{{json .}}"],
    );
    const events = text.split("\n").map((line) => JSON.parse(line) as { Action: string; Actor: { ID: string; Attributes: Plain } });
    assert.deepEqual(
      events.filter(({ Actor }) => Actor.ID === id).map(({ Action, Actor }) => [Action, Actor.Attributes]),
      [
        ["create", { name: "told", type: "bridge" }],
        ["connect", { container: user, name: "told", type: "bridge" }],
        ["disconnect", { container: user, name: "told", type: "bridge" }],
        ["destroy", { name: "told", type: "bridge" }],
      ],
    );
  });
});

describe("a container on several networks", () => {
  afterEach(removeContainers);
  before(async () => {
    await create("red", { IPAM: { Config: [{ Subnet: "10.202.0.0/24" }] } });
    await create("blue", { IPAM: { Config: [{ Subnet: "10.203.0.0/24" }] } });
  });
  after(() => remove("red", "blue"));

  test("has an interface, an address and names on each", async () => {
    const mac = "02:42:0a:cb:00:63";
    const id = await run("both", {
      red: { Aliases: ["r"] },
      blue: { IPAMConfig: { IPv4Address: "10.203.0.99" }, MacAddress: mac, GwPriority: 7 },
    });
    const { red, blue } = await networks("both");
    assert.match(red?.IPAddress ?? "", /^10\.202\.0\./);
    assert.deepEqual([blue?.IPAddress, blue?.MacAddress, blue?.GwPriority], ["10.203.0.99", mac, 7]);
    assert.deepEqual(blue?.IPAMConfig, { IPv4Address: "10.203.0.99" });
    assert.deepEqual(red?.Aliases, ["r"]);
    assert.deepEqual(red?.DNSNames, ["both", "r", id.slice(0, 12)]);
    assert.deepEqual((await addresses("both")).sort(), [red?.IPAddress, "10.203.0.99"]);
    assert.match(await inside("both", "ip", "route"), /^default via 10\.203\.0\.1 /m, "the higher priority has the gateway");
    const { networks: counters } = (await answered(200, "GET", "/containers/both/stats?stream=false&one-shot=true")).body as {
      networks: Record<string, { rx_bytes: number }>;
    };
    assert.deepEqual(Object.keys(counters).sort(), ["eth0", "eth1"]);
    const { Plugins } = (await answered(200, "GET", "/info")).body as { Plugins: { Network: string[] } };
    assert.deepEqual(Plugins.Network, ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"]);
    const older = await container("both", "/v1.44");
    assert.deepEqual(older.NetworkSettings.Networks["red"]?.Aliases, ["r", id.slice(0, 12)]);
    assert.equal(older.HostConfig.NetworkMode, "red");
    await answered(204, "POST", "/containers/both/stop");
    const stopped = await networks("both");
    assert.deepEqual(Object.keys(stopped), ["blue", "red"]);
    assert.deepEqual([stopped["red"]?.IPAddress, stopped["red"]?.EndpointID, stopped["red"]?.NetworkID], ["", "", red?.NetworkID]);
    assert.deepEqual(stopped["blue"]?.IPAMConfig, { IPv4Address: "10.203.0.99" });
    await start("both");
    assert.equal((await networks("both"))["red"]?.IPAddress, red?.IPAddress, "it keeps its address");
    await kill("both");
  });

  test("finds others by their names, on any of them", async () => {
    await run("server", { blue: { Aliases: ["web"] } });
    await run("client", { red: {}, blue: { Links: ["server:friend"] } });
    for (const name of ["server", "web", "friend"]) assert.match(await inside("client", "ping", "-c1", "-W2", name), /1 packets received/);
    assert.equal((await daemon.docker(["exec", "server", "nslookup", "friend"])).status === 0, false, "a link is its owner's alone");
    await answered(204, "POST", "/containers/server/rename?name=renamed");
    assert.match(await inside("client", "ping", "-c1", "-W2", "renamed"), /1 packets received/);
    assert.deepEqual((await networks("renamed"))["blue"]?.DNSNames?.slice(0, 2), ["renamed", "web"]);
    await kill("renamed", "client");
  });

  test("is refused what cannot be", async () => {
    const asked = (endpoints: Plain, mode: string): Plain => ({
      Image: "busybox",
      Cmd: ["true"],
      HostConfig: { NetworkMode: mode },
      NetworkingConfig: { EndpointsConfig: endpoints },
    });
    await refused(
      400,
      "Container cannot be created with multiple network endpoints: red, blue",
      "POST",
      "/v1.43/containers/create",
      asked({ red: {}, blue: {} }, "red"),
    );
    for (const [endpoints, mode, message] of [
      [{ host: {}, red: {} }, "host", /^container sharing network namespace with another container or host cannot be connected/],
      [{ none: {}, red: {} }, "none", /^container cannot be connected to multiple networks with one of the networks in private/],
      [{ red: { IPAMConfig: { IPv4Address: "10.99.0.1" } } }, "red", /10\.99\.0\.1/],
      [{ red: { MacAddress: "nonsense" } }, "red", /invalid MAC address: nonsense/],
      [{ red: { Links: ["a:b:c"] } }, "red", /bad format for links: a:b:c/],
    ] as const)
      await refused(400, message, "POST", "/containers/create", asked(endpoints, mode));
    const warned = await answered(201, "POST", "/containers/create?name=warned", {
      ...asked({ red: {} }, "red"),
      MacAddress: "02:42:0a:ca:00:09",
    });
    assert.match((warned.body as { Warnings: string[] }).Warnings.join(), /container-wide MacAddress field is now deprecated/);
    assert.equal((await container("warned")).Config.MacAddress, "02:42:0a:ca:00:09");
    await kill("warned");
  });

  test("does not start without a network that it is to be in", async () => {
    await create("brief");
    await make("waits", { red: {}, brief: {} });
    await remove("brief");
    await refused(404, "network brief not found", "POST", "/containers/waits/start");
    await create("brief");
    await start("waits");
    const id = (await networks("waits"))["brief"]?.NetworkID;
    await answered(204, "POST", "/containers/waits/stop");
    await remove("brief");
    await create("brief");
    await refused(404, `network ${id} not found`, "POST", "/containers/waits/start");
    await disconnect("brief", "waits", true).catch(() => undefined);
    await kill("waits");
    await remove("brief");
  });
});

describe("connect and disconnect", () => {
  afterEach(removeContainers);
  before(async () => {
    await create("red", { IPAM: { Config: [{ Subnet: "10.202.0.0/24" }] } });
    await create("blue", { IPAM: { Config: [{ Subnet: "10.203.0.0/24" }] } });
  });
  after(() => remove("red", "blue"));

  test("change a running container: interface, record, names and hosts", async () => {
    const id = await run("web", { red: {} });
    await run("peer", { blue: {} });
    await run("guest", {}, { HostConfig: { NetworkMode: "container:web" } });
    await inside("web", "sh", "-c", "echo 1.2.3.4 mine >>/etc/hosts");
    await connect("blue", "web", { Aliases: ["w"], IPAMConfig: { IPv4Address: "10.203.0.77" } });
    const { red, blue } = await networks("web");
    assert.equal(blue?.IPAddress, "10.203.0.77");
    assert.deepEqual(blue?.Aliases, ["w"]);
    assert.deepEqual(blue?.DNSNames, ["web", "w", id.slice(0, 12)]);
    for (const one of ["web", "guest"]) {
      assert.deepEqual((await addresses(one)).sort(), [red?.IPAddress, "10.203.0.77"]);
      assert.match(await inside(one, "ping", "-c1", "-W2", "peer"), /1 packets received/);
      assert.match(await inside(one, "cat", "/etc/hosts"), /^10\.203\.0\.77\s/m);
    }
    assert.match(await inside("web", "cat", "/etc/hosts"), /^1\.2\.3\.4 mine$/m);
    assert.match(await inside("peer", "ping", "-c1", "-W2", "w"), /1 packets received/);
    assert.deepEqual(Object.keys((await inspect("blue")).Containers).includes(id), true);
    await refused(403, "endpoint with name web already exists in network blue", "POST", "/networks/blue/connect", { Container: "web" });

    await disconnect("blue", "web");
    assert.deepEqual(Object.keys(await networks("web")), ["red"]);
    assert.deepEqual(await addresses("guest"), [red?.IPAddress]);
    const hosts = await inside("web", "cat", "/etc/hosts");
    assert.doesNotMatch(hosts, /10\.203\.0\.77/);
    assert.match(hosts, /^1\.2\.3\.4 mine$/m);
    assert.equal((await daemon.docker(["exec", "peer", "nslookup", "w"])).status === 0, false);
    await refused(500, `container ${id} is not connected to network blue`, "POST", "/networks/blue/disconnect", { Container: "web" });
    assert.equal(Object.keys((await inspect("blue")).Containers).includes(id), false);
    await kill("web", "peer", "guest");
  });

  test("take a paused container, and one whose only network they are", async () => {
    await run("frozen", { red: {} });
    await answered(204, "POST", "/containers/frozen/pause");
    await disconnect("red", "frozen");
    assert.deepEqual(await networks("frozen"), {});
    await connect("blue", "frozen");
    await answered(204, "POST", "/containers/frozen/unpause");
    const { blue } = await networks("frozen");
    assert.deepEqual(await addresses("frozen"), [blue?.IPAddress]);
    await answered(204, "POST", "/containers/frozen/restart");
    assert.deepEqual(await addresses("frozen"), [(await networks("frozen"))["blue"]?.IPAddress], "not in its mode's network any more");
    await kill("frozen");
  });

  test("take a container from none to another network", async () => {
    await run("alone", { none: {} });
    await refused(400, /private \(none\) mode$/, "POST", "/networks/red/connect", { Container: "alone" });
    await disconnect("none", "alone");
    assert.deepEqual(await networks("alone"), {});
    await connect("red", "alone");
    assert.deepEqual(await addresses("alone"), [(await networks("alone"))["red"]?.IPAddress]);
    await run("peer", { red: {} });
    assert.match(await inside("alone", "ping", "-c1", "-W2", "peer"), /1 packets received/);
    await answered(204, "POST", "/containers/alone/restart");
    assert.deepEqual(Object.keys(await networks("alone")), ["red"]);
  });

  test("change what a stopped container will get", async () => {
    const id = await make("still", { red: {} });
    await connect("blue", "still", { IPAMConfig: { IPv4Address: "10.203.0.50" }, GwPriority: 1 });
    await connect("blue", "still");
    await disconnect("red", "still");
    assert.deepEqual(Object.keys(await networks("still")), ["blue"]);
    await refused(500, `container ${id} is not connected to the network red`, "POST", "/networks/red/disconnect", { Container: "still" });
    await start("still");
    assert.deepEqual(await addresses("still"), ["10.203.0.50"]);
    await answered(204, "POST", "/containers/still/stop");
    await connect("later", "still");
    await refused(404, "network later not found", "POST", "/containers/still/start");
    await disconnect("later", "still", true);
    await start("still");
    await kill("still");
  });

  test("are refused in Docker's words", async () => {
    await run("hosted", { host: {} });
    await run("alone", { none: {} });
    await run("web", { red: {} });
    await run("guest", {}, { HostConfig: { NetworkMode: "container:web" } });
    const shared = "container sharing network namespace with another container or host cannot be connected to any other network";
    const lone = "container cannot be connected to multiple networks with one of the networks in private (none) mode";
    const hosts = "container cannot be disconnected from host network or connected to host network";
    const joins = (network: string, name: string, status: number, message: string | RegExp, settings: Plain = {}): Promise<void> =>
      refused(status, message, "POST", `/networks/${network}/connect`, { Container: name, EndpointConfig: settings });
    await joins("red", "hosted", 400, shared);
    await joins("red", "guest", 400, shared);
    await joins("red", "alone", 400, lone);
    await joins("none", "web", 400, lone);
    await joins("host", "web", 400, hosts);
    await joins("nope", "web", 404, "network nope not found");
    await create("lender", { ConfigOnly: true });
    await joins("lender", "web", 403, "cannot create endpoint on configuration-only network");
    await remove("lender");
    await joins("red", "nope", 404, "No such container: nope");
    await joins("blue", "web", 400, /10\.99\.0\.1/, { IPAMConfig: { IPv4Address: "10.99.0.1" } });
    await joins("bridge", "web", 400, /^invalid endpoint settings:\nnetwork-scoped aliases are/, { Aliases: ["x"] });
    await refused(400, hosts, "POST", "/networks/host/disconnect", { Container: "hosted" });
    await refused(404, "network nope not found", "POST", "/networks/nope/disconnect", { Container: "web" });
    await refused(404, "endpoint nope not found", "POST", "/networks/red/disconnect", { Container: "nope", Force: true });
    await refused(400, "invalid JSON: got EOF while reading request body", "POST", "/networks/red/connect");
    await kill("guest", "web", "alone", "hosted");
  });

  test("twenty at the same time", async () => {
    const names = Array.from({ length: 20 }, (_, index) => `many${index}`);
    for (const name of names) await create(name);
    await run("busy", { red: {} });
    await Promise.all(names.map((name) => connect(name, "busy")));
    assert.equal((await addresses("busy")).length, 21);
    assert.deepEqual(Object.keys(await networks("busy")).sort(), [...names, "red"].sort());
    await Promise.all(names.map((name) => disconnect(name, "busy")));
    assert.equal((await addresses("busy")).length, 1);
    await Promise.all(Array.from({ length: 10 }, (_, index) => make(`c${index}`, { red: {} }).then(() => start(`c${index}`))));
    await Promise.all(Array.from({ length: 10 }, (_, index) => connect("blue", `c${index}`)));
    assert.equal(Object.keys((await inspect("blue")).Containers).length, 10);
    await kill("busy", ...Array.from({ length: 10 }, (_, index) => `c${index}`));
    await remove(...names);
  });

  test("meet stop, start, rm and network rm", async () => {
    for (let round = 0; round < 8; round++) {
      await create("raced");
      await run("racer", { red: {} });
      const calls: [string, string, unknown?][] = [
        ["POST", "/networks/raced/connect", { Container: "racer" }],
        ["POST", "/networks/red/disconnect", { Container: "racer" }],
        ["POST", "/containers/racer/stop?t=0"],
        ["POST", "/containers/racer/start"],
        ["POST", "/networks/raced/connect", { Container: "racer" }],
        ["DELETE", "/networks/raced"],
        ["DELETE", "/containers/racer?force=1"],
        ["POST", "/networks/raced/disconnect", { Container: "racer", Force: true }],
      ];
      const turned = calls.map((_, index) => calls[(index * 3 + round) % calls.length] as (typeof calls)[number]);
      const answers = await Promise.all(turned.map(([method, path, body]) => ask(daemon, method, path, body)));
      for (const [index, { status, text }] of answers.entries()) {
        const known = status < 500 || /is not connected to (the )?network|is marked for removal/.test(text);
        assert.ok(known, `${turned[index]?.slice(0, 2).join(" ")}: ${status} ${text}`);
      }
      await ask(daemon, "DELETE", "/containers/racer?force=1");
      await eventually("the network to be free", async () =>
        [204, 404].includes((await ask(daemon, "DELETE", "/networks/raced")).status) ? true : undefined,
      );
      assert.deepEqual((await inspect("red")).Containers, {});
    }
  });

  test("stay what they were over a restart of the daemon", async () => {
    await run("lasting", { red: { Aliases: ["x"] } });
    await connect("blue", "lasting", { Aliases: ["y"] });
    await make("asleep", { blue: { IPAMConfig: { IPv4Address: "10.203.0.2" } } });
    await run("bare", { red: {} });
    await disconnect("red", "bare");
    const known = await networks("lasting");
    await daemon.kill("SIGKILL");
    await daemon.restart();
    assert.deepEqual(await networks("bare"), {});
    await connect("blue", "bare");
    assert.deepEqual(await addresses("bare"), [(await networks("bare"))["blue"]?.IPAddress]);
    assert.deepEqual(await networks("lasting"), known);
    assert.deepEqual((await addresses("lasting")).sort(), [known["red"]?.IPAddress, known["blue"]?.IPAddress]);
    await run("other", { blue: {} });
    assert.notEqual((await networks("other"))["blue"]?.IPAddress, "10.203.0.2", "it is kept for who has asked for it");
    for (const name of ["x", "y"])
      assert.equal((await daemon.docker(["exec", "other", "nslookup", name])).status === 0, name === "y", `${name} from blue`);
    await disconnect("blue", "lasting");
    assert.deepEqual(await addresses("lasting"), [known["red"]?.IPAddress]);
    await kill("lasting", "asleep", "other", "bare");
  });
});
