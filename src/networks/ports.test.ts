import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { PublishedPort } from "./firewall.ts";
import { HostPorts } from "./host-ports.ts";
import { parseHostAddress, publishAddresses } from "./port-address.ts";
import { type PortWish, parsePort, portWishes } from "./port-bindings.ts";
import { type PortInUse, portInUse, portInUseFor, portsOfTable } from "./port-probe.ts";
import { portSettings } from "./port-settings.ts";
import { heldPorts, holdPorts, type PortEnds, portChange, releasePorts, takePorts } from "./port-taking.ts";

const both = ["0.0.0.0", "::"];
const free: PortInUse = () => false;
const v4 = { address: "172.17.0.2", bridge: "br0" };
const v6 = { address: "fd00::2", bridge: "br0" };

const wishes = (
  portBindings: Record<string, { HostIp?: string; HostPort?: string }[]>,
  exposedPorts: string[] = [],
  publishAllPorts = false,
): PortWish[] => portWishes({ portBindings, exposedPorts, publishAllPorts }, both);

const shown = (ports: readonly PublishedPort[]): string[] =>
  ports.map(
    (port) =>
      `${port.hostAddress}|${port.hostPort} ${port.containerAddress}|${port.containerPort}/${port.protocol}${port.relay ? " relay" : ""}${port.routed ? " routed" : ""}`,
  );

describe("wishes", () => {
  test("what is asked for, fixed ports first", () => {
    assert.deepEqual(
      wishes(
        { "90": [{ HostPort: "" }], "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8000-8010" }, { HostPort: "81" }] },
        ["80/tcp", "53/udp", "53/udp"],
        true,
      ),
      [
        { protocol: "tcp", containerPort: 80, hostAddresses: both, hostPorts: [81, 81] },
        { protocol: "tcp", containerPort: 80, hostAddresses: ["127.0.0.1"], hostPorts: [8000, 8010] },
        { protocol: "udp", containerPort: 53, hostAddresses: both },
        { protocol: "tcp", containerPort: 90, hostAddresses: both },
      ],
    );
  });

  test("what differs in its address alone gets one port, the same wish twice gets two", () => {
    const any = { HostPort: "" };
    const addresses = (...bindings: { HostIp?: string; HostPort?: string }[]): (readonly string[])[] =>
      wishes({ "80/tcp": bindings }).map((wish) => wish.hostAddresses);
    assert.deepEqual(addresses({ HostIp: "127.0.0.1" }, { HostIp: "::1" }), [["127.0.0.1", "::1"]]);
    assert.deepEqual(addresses(any, any), [both, both]);
    assert.deepEqual(addresses({ HostIp: "127.0.0.1" }, any), [["127.0.0.1"], both]);
    assert.deepEqual(addresses({ HostIp: "127.0.0.1", HostPort: "1-2" }, { HostIp: "::1", HostPort: "1-3" }), [["127.0.0.1"], ["::1"]]);
  });

  test("what cannot be", () => {
    for (const port of ["0", "65536", "x", "80/icmp", "80/tcp/udp", ""]) assert.throws(() => parsePort(port), { code: "InvalidParameter" });
    for (const HostPort of ["65536", "x", "9-8", "1-2-3"])
      assert.throws(() => wishes({ "80/tcp": [{ HostPort }] }), {
        code: "InvalidParameter",
        message: `invalid port specification: ${JSON.stringify(HostPort)}`,
      });
    for (const HostIp of ["nowhere", "127.0.0.1/8", "[::1]", "fe80::1%eth0"])
      assert.throws(() => wishes({ "80/tcp": [{ HostIp }] }), { code: "InvalidParameter", message: `invalid IP address: ${HostIp}` });
  });

  test("one spelling an address", () => {
    assert.equal(parseHostAddress("0:0:0:0:0:0:0:1"), "::1");
    assert.equal(parseHostAddress("::ffff:192.0.2.1"), "192.0.2.1");
    assert.equal(parseHostAddress("2001:DB8::A"), "2001:db8::a");
  });
});

describe("where ports are published that name no address", () => {
  const option = "com.docker.network.bridge.host_binding_ipv";
  const at = (
    daemon: { publishAddress?: string; defaultPublishAddress?: string },
    options: Record<string, string> = {},
    isDefault = true,
    ipv6 = true,
  ): readonly string[] => publishAddresses(daemon, { isDefault, options }, ipv6);

  test("the nearest word counts", () => {
    assert.deepEqual(at({}), both);
    assert.deepEqual(at({}, {}, true, false), ["0.0.0.0"]);
    assert.deepEqual(at({ publishAddress: "192.0.2.1", defaultPublishAddress: "127.0.0.1" }), ["192.0.2.1"]);
    assert.deepEqual(at({ publishAddress: "192.0.2.1", defaultPublishAddress: "127.0.0.1" }, {}, false), ["127.0.0.1"]);
    assert.deepEqual(at({ publishAddress: "192.0.2.1" }, {}, false), both);
    assert.deepEqual(at({ defaultPublishAddress: "::1, 127.0.0.1" }), ["127.0.0.1", "::1"]);
    assert.deepEqual(at({ defaultPublishAddress: "127.0.0.1" }, { [`${option}4`]: "0.0.0.0" }, false), both);
    assert.deepEqual(at({}, { [`${option}4`]: "127.0.0.1", [`${option}6`]: "::1" }, false), ["127.0.0.1", "::1"]);
    assert.deepEqual(at({}, { [`${option}4`]: "::1" }, false), ["::1"]);
    assert.deepEqual(at({}, { [`${option}6`]: "::" }, false), ["::"]);
  });
});

describe("ports of the host", () => {
  test("any address and each single one of its family exclude each other", () => {
    const ports = new HostPorts([40000, 40003]);
    assert.ok(ports.take("tcp", "127.0.0.1", 80));
    assert.ok(ports.take("tcp", "127.0.0.2", 80));
    assert.ok(ports.take("udp", "0.0.0.0", 80));
    assert.ok(!ports.take("tcp", "0.0.0.0", 80));
    assert.ok(!ports.take("tcp", "127.0.0.1", 80));
    assert.ok(ports.take("tcp", "::", 80));
    assert.ok(!ports.take("tcp", "::1", 80));
    ports.release("tcp", "127.0.0.1", 80);
    ports.release("tcp", "127.0.0.2", 80);
    assert.equal(ports.takeAll("tcp", ["0.0.0.0", "::"], 80), "::");
    assert.ok(ports.take("tcp", "0.0.0.0", 80), "a clash leaves nothing taken");
    assert.ok(!ports.take("tcp", "127.0.0.9", 80));
  });

  test("any order of taking and giving back: what is taken never excludes each other", () => {
    const address = fc.constantFrom("0.0.0.0", "127.0.0.1", "192.0.2.1", "::", "::1", "2001:db8::1");
    const action = fc.record({ take: fc.boolean(), address, port: fc.integer({ min: 1, max: 2 }) });
    const isAny = (text: string): boolean => text === "0.0.0.0" || text === "::";
    const family = (text: string): number => (text.includes(":") ? 6 : 4);
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const ports = new HostPorts([1, 2]);
        const taken: { address: string; port: number }[] = [];
        for (const { take, address: one, port } of actions) {
          const index = taken.findIndex((other) => other.address === one && other.port === port);
          if (!take) {
            ports.release("tcp", one, port);
            if (index >= 0) taken.splice(index, 1);
            continue;
          }
          const clashes = taken.some(
            (other) =>
              other.port === port && family(other.address) === family(one) && (other.address === one || isAny(other.address) || isAny(one)),
          );
          assert.equal(ports.take("tcp", one, port), !clashes);
          if (!clashes) taken.push({ address: one, port });
        }
      }),
    );
  });

  test("choice goes on behind the last one, past what others hold, in both families", async () => {
    const ports = new HostPorts([40000, 40003]);
    assert.ok(ports.take("tcp", "::1", 40002));
    const next = () => ports.choose("tcp", both, (_protocol, _addresses, port) => port === 40001);
    assert.deepEqual([await next(), await next()], [40000, 40003]);
    for (const address of both) ports.release("tcp", address, 40000);
    ports.release("tcp", "::1", 40002);
    assert.deepEqual([await next(), await next(), await next()], [40000, 40002, undefined]);
    assert.equal(await ports.choose("tcp", both, free, [40000, 40000]), undefined);
  });

  test("a port that a program has is found out, in either family", async () => {
    const server = createServer().listen({ port: 0, host: "::1" });
    await new Promise((done) => server.once("listening", done));
    const { port } = server.address() as { port: number };
    assert.equal(await portInUse("tcp", ["127.0.0.1", "::1"], port), true);
    assert.equal(await portInUse("tcp", both, port), true);
    assert.equal(await portInUse("udp", both, port), false);
    assert.equal(await portInUse("tcp", ["127.0.0.1"], port), false);
    assert.equal(await portInUseFor(1000)("tcp", both, port), true, "by the kernel's tables");
    await new Promise((done) => server.close(done));
    assert.equal(await portInUse("tcp", both, port), false);
    assert.equal(await portInUseFor(1000)("tcp", both, port), false);
    const socket = createSocket("udp4").bind(0, "127.0.0.1");
    await new Promise((done) => socket.once("listening", done));
    assert.equal(await portInUse("udp", both, socket.address().port), true);
    assert.equal(await portInUseFor(1000)("udp", both, socket.address().port), true);
    await new Promise<void>((done) => socket.close(done));
  });

  test("the kernel's tables", () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
  10: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1\n`;
    assert.deepEqual(portsOfTable(text), [8080, 53]);
  });
});

describe("taking", () => {
  const take = async (bindings: Parameters<typeof wishes>[0], ends: PortEnds, hostPorts = new HostPorts([40000, 40009])) =>
    await takePorts(hostPorts, wishes(bindings), ends, free);

  test("where the container has an address of the family the firewall leads there, elsewhere the monitor passes it on", async () => {
    const bindings = { "80/tcp": [{ HostPort: "8080" }] };
    assert.deepEqual(shown(await take(bindings, { ipv4: v4 })), ["0.0.0.0|8080 172.17.0.2|80/tcp", "::|8080 172.17.0.2|80/tcp relay"]);
    assert.deepEqual(shown(await take(bindings, { ipv4: v4, ipv6: v6 })), ["0.0.0.0|8080 172.17.0.2|80/tcp", "::|8080 fd00::2|80/tcp"]);
    assert.deepEqual(shown(await take(bindings, { ipv6: v6 })), ["0.0.0.0|8080 fd00::2|80/tcp relay", "::|8080 fd00::2|80/tcp"]);
    assert.deepEqual(shown(await take(bindings, { ipv4: v4, relayAll: true })), [
      "0.0.0.0|8080 172.17.0.2|80/tcp relay",
      "::|8080 172.17.0.2|80/tcp relay",
    ]);
    assert.deepEqual(await take(bindings, {}), []);
  });

  test("routed networks take no port", async () => {
    const ends = { ipv4: { ...v4, routed: true } };
    const hostPorts = new HostPorts([40000, 40001]);
    const ports = await take({ "80/tcp": [{ HostPort: "8080" }] }, ends, hostPorts);
    assert.deepEqual(shown(ports), ["0.0.0.0|0 172.17.0.2|80/tcp routed"]);
    assert.deepEqual(holdPorts(ports), []);
    assert.deepEqual(heldPorts(ports), []);
    assert.ok(hostPorts.take("tcp", "0.0.0.0", 8080));
    assert.deepEqual(portSettings(ports, []), { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "" }] });
    const mixed = await take({ "80/tcp": [{}] }, { ...ends, ipv6: v6 });
    assert.deepEqual(shown(mixed), ["0.0.0.0|0 172.17.0.2|80/tcp routed", "::|40000 fd00::2|80/tcp"]);
  });

  test("SCTP is not passed on", async () => {
    assert.deepEqual(shown(await take({ "80/sctp": [{ HostPort: "80" }] }, { ipv4: v4 })), ["0.0.0.0|80 172.17.0.2|80/sctp"]);
    await assert.rejects(take({ "80/sctp": [{ HostIp: "::1", HostPort: "80" }] }, { ipv4: v4 }), { code: "InvalidParameter" });
  });

  test("all or none, in Docker's words", async () => {
    const hostPorts = new HostPorts([40000, 40001]);
    assert.ok(hostPorts.take("tcp", "0.0.0.0", 81));
    const two = { "80/tcp": [{ HostPort: "80" }], "81/tcp": [{ HostPort: "81" }] };
    await assert.rejects(take(two, { ipv4: v4 }, hostPorts), { message: "Bind for 0.0.0.0:81 failed: port is already allocated" });
    assert.equal(hostPorts.takeAll("tcp", both, 80), undefined);
    const range = { "80/tcp": [{ HostPort: "80-81" }] };
    await assert.rejects(take(range, { ipv4: v4 }, hostPorts), { message: "all ports are allocated" });
  });

  test("a thousand ports that are chosen", async () => {
    const exposed = Array.from({ length: 1000 }, (_, index) => `${index + 1}/tcp`);
    const hostPorts = new HostPorts([32768, 60999]);
    const ports = await takePorts(hostPorts, wishes({}, exposed, true), { ipv4: v4 });
    assert.equal(ports.length, 2000);
    assert.equal(new Set(ports.map((port) => port.hostPort)).size, 1000);
    releasePorts(hostPorts, ports);
    assert.equal(hostPorts.takeAll("tcp", both, ports[0]?.hostPort ?? 0), undefined);
  });

  test("what the monitor is told", async () => {
    const ports = await take({ "80/tcp": [{ HostPort: "8080" }] }, { ipv4: v4 });
    assert.deepEqual(holdPorts(ports), [
      { op: "bind-port", protocol: "tcp", address: "0.0.0.0", port: 8080 },
      { op: "bind-port", protocol: "tcp", address: "::", port: 8080, relay: { address: "172.17.0.2", port: 80 } },
    ]);
    assert.deepEqual(heldPorts(ports), [
      { protocol: "tcp", address: "0.0.0.0", port: 8080 },
      { protocol: "tcp", address: "::", port: 8080 },
    ]);
  });
});

describe("changing", () => {
  const ends = { ipv4: v4 };
  const change = async (before: Parameters<typeof wishes>[0], after: Parameters<typeof wishes>[0]) => {
    const ports = await takePorts(new HostPorts([40000, 40009]), wishes(before), ends, free);
    const { keep, add, remove } = portChange(ports, wishes(after), ends);
    const added = add.map((wish) => `${wish.hostAddresses.join(",")}|${wish.hostPorts?.join("-") ?? ""} ${wish.containerPort}`);
    return { keep: shown(keep).length, add: added, remove: remove.map((port) => `${port.hostAddress}|${port.hostPort}`) };
  };

  test("what is there stays, whoever chose it", async () => {
    const same = { "80/tcp": [{ HostPort: "8080" }], "81/tcp": [{}], "82/tcp": [{ HostPort: "8000-8010" }], "83/udp": [{ HostIp: "::1" }] };
    assert.deepEqual(await change(same, same), { keep: 7, add: [], remove: [] });
    const sctp = { "9/sctp": [{}] };
    assert.deepEqual(await change(sctp, sctp), { keep: 1, add: [], remove: [] });
  });

  test("more, fewer, others", async () => {
    const one = { "80/tcp": [{ HostPort: "8080" }] };
    assert.deepEqual(await change(one, { ...one, "81/tcp": [{}] }), { keep: 2, add: ["0.0.0.0,::| 81"], remove: [] });
    assert.deepEqual(await change(one, {}), { keep: 0, add: [], remove: ["0.0.0.0|8080", "::|8080"] });
    const twice = { "80/tcp": [{ HostPort: "8080" }, { HostPort: "8081" }] };
    assert.deepEqual(await change(one, twice), { keep: 2, add: ["0.0.0.0,::|8081-8081 80"], remove: [] });
    const local = { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }] };
    assert.deepEqual(await change(one, local), { keep: 1, add: [], remove: ["::|8080"] });
    assert.deepEqual(await change(local, one), { keep: 1, add: ["::|8080-8080 80"], remove: [] });
    assert.deepEqual(await change({ "80/tcp": [{}] }, { "80/tcp": [{ HostPort: "9000-9001" }] }), {
      keep: 0,
      add: ["0.0.0.0,::|9000-9001 80"],
      remove: ["0.0.0.0|40000", "::|40000"],
    });
  });
});

test("inspect: exposed and published, in order", async () => {
  const ports = await takePorts(new HostPorts([1, 2]), wishes({ "80/tcp": [{ HostPort: "81" }, { HostPort: "80" }] }), { ipv4: v4 }, free);
  assert.deepEqual(Object.entries(portSettings(ports, ["9", "80/tcp", "100/udp"])), [
    ["100/udp", null],
    [
      "80/tcp",
      [
        { HostIp: "0.0.0.0", HostPort: "80" },
        { HostIp: "::", HostPort: "80" },
        { HostIp: "0.0.0.0", HostPort: "81" },
        { HostIp: "::", HostPort: "81" },
      ],
    ],
    ["9/tcp", null],
  ]);
});
