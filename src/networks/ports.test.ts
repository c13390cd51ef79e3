import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { HostOp } from "../kernel/kernel.ts";
import type { PublishedPort } from "./firewall.ts";
import { HostPorts } from "./host-ports.ts";
import { parseHostAddress, publishAddresses } from "./port-address.ts";
import { type PortWish, parsePort, portWishes } from "./port-bindings.ts";
import { changePorts, undoSockets } from "./port-change.ts";
import { type PortInUse, portInUse, portInUseFor, portsOfTable } from "./port-probe.ts";
import { portSettings } from "./port-settings.ts";
import { holdPorts, type PortEnds, releasePorts, takePorts } from "./port-taking.ts";

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
    assert.ok(hostPorts.take("tcp", "0.0.0.0", 8080));
    assert.deepEqual(portSettings(ports, []), { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "" }] });
    const twice = await take({ "80/tcp": [{ HostPort: "8080" }, { HostPort: "8081" }] }, ends, hostPorts);
    assert.equal(twice.length, 1, "the container's port is opened once");
    const mixed = await take({ "80/tcp": [{}] }, { ...ends, ipv6: v6 });
    assert.deepEqual(shown(mixed), ["0.0.0.0|0 172.17.0.2|80/tcp routed", "::|40000 fd00::2|80/tcp"]);
  });

  test("what trusted interfaces reach directly is said once a port of the container's", async () => {
    const ports = await take({ "80/tcp": [{ HostPort: "80" }, { HostPort: "81" }], "80/udp": [{}] }, { ipv4: { ...v4, direct: true } });
    const direct = ports.map((port) => `${port.hostAddress}|${port.hostPort}/${port.protocol} ${port.direct ?? port.relay}`);
    assert.deepEqual(direct, [
      "0.0.0.0|80/tcp true",
      "::|80/tcp true",
      "0.0.0.0|81/tcp undefined",
      "::|81/tcp true",
      "0.0.0.0|40000/udp true",
      "::|40000/udp true",
    ]);
    assert.equal(ports.filter((port) => port.direct).length, 2);
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
  });
});

describe("changing", () => {
  type Bindings = Parameters<typeof wishes>[0];
  const start = async (bindings: Bindings, ends: PortEnds) => {
    const hostPorts = new HostPorts([40000, 40009]);
    return { hostPorts, before: await takePorts(hostPorts, wishes(bindings), ends, free) };
  };
  const at = (ports: readonly { address: string; port: number }[]): string[] => ports.map(({ address, port }) => `${address}|${port}`);
  const holds = (ops: readonly HostOp[]): string[] => at(ops.filter((op) => op.op === "bind-port"));
  const change = async (from: Bindings, to: Bindings, ends: PortEnds = { ipv4: v4, ipv6: v6 }) => {
    const { hostPorts, before } = await start(from, ends);
    const made = await changePorts(hostPorts, before, wishes(to), ends, free);
    assert.deepEqual(made.after.filter((port) => before.includes(port)).length, made.after.length - made.added.length);
    return { hold: holds(made.sockets.hold), release: at(made.sockets.release), added: made.added.length, removed: made.removed.length };
  };
  const nothing = { hold: [], release: [], added: 0, removed: 0 };
  const one = { "80/tcp": [{ HostPort: "8080" }] };

  test("what is there stays, whoever chose it", async () => {
    const same = { ...one, "81/tcp": [{}], "82/tcp": [{ HostPort: "8000-8010" }], "83/udp": [{ HostIp: "::1" }] };
    for (const ends of [
      { ipv4: v4 },
      { ipv6: v6 },
      { ipv4: v4, ipv6: v6 },
      { ipv4: v4, relayAll: true },
      { ipv4: { ...v4, routed: true } },
    ])
      assert.deepEqual(await change(same, same, ends), nothing);
    const sctp = { "9/sctp": [{}] };
    assert.deepEqual(await change(sctp, sctp, { ipv4: v4 }), nothing);
  });

  test("more, fewer, others", async () => {
    const held = (port: number): string[] => [`0.0.0.0|${port}`, `::|${port}`];
    assert.deepEqual(await change(one, { ...one, "81/tcp": [{}] }), { ...nothing, hold: held(40000), added: 2 });
    assert.deepEqual(await change(one, {}), { ...nothing, release: held(8080), removed: 2 });
    const twice = { "80/tcp": [{ HostPort: "8080" }, { HostPort: "8081" }] };
    assert.deepEqual(await change(one, twice), { ...nothing, hold: held(8081), added: 2 });
    assert.deepEqual(await change(twice, one), { ...nothing, release: held(8081), removed: 2 });
    const any4 = { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }] };
    assert.deepEqual(await change(one, any4), { ...nothing, release: ["::|8080"], removed: 1 });
    assert.deepEqual(await change(any4, one), { ...nothing, hold: ["::|8080"], added: 1 });
    assert.deepEqual(await change({ "80/tcp": [{}] }, { "80/tcp": [{ HostPort: "9000-9001" }] }), {
      hold: held(9000),
      release: held(40000),
      added: 2,
      removed: 2,
    });
  });

  test("a host port that goes to another of the container's ports, or to fewer of the host's addresses", async () => {
    const other = { "81/tcp": [{ HostPort: "8080" }] };
    // The socket at [::] passes on what comes from ::1, whatever the container's addresses are.
    const anew = { hold: ["::|8080"], release: ["::|8080"], added: 2, removed: 2 };
    assert.deepEqual(await change(one, other), anew, "the same socket for IPv4, as the firewall leads to the container");
    assert.deepEqual(await change(one, other, { ipv4: v4 }), anew);
    const local = { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] };
    const narrowed = { hold: ["127.0.0.1|8080"], release: ["0.0.0.0|8080", "::|8080"], added: 1, removed: 2 };
    assert.deepEqual(await change(one, local), narrowed);
  });

  test("another end of the container's: the host's port stays the same", async () => {
    const { hostPorts, before } = await start({ ...one, "81/tcp": [{}] }, { ipv4: v4 });
    const ends = { ipv4: { address: "10.0.0.2", bridge: "br1" }, ipv6: v6 };
    const step = await changePorts(hostPorts, before, wishes({ ...one, "81/tcp": [{}] }), ends);
    assert.deepEqual(shown(step.after), [
      "0.0.0.0|8080 10.0.0.2|80/tcp",
      "::|8080 fd00::2|80/tcp",
      "0.0.0.0|40000 10.0.0.2|81/tcp",
      "::|40000 fd00::2|81/tcp",
    ]);
    assert.deepEqual(
      [holds(step.sockets.hold), at(step.sockets.release)],
      [
        ["::|8080", "::|40000"],
        ["::|8080", "::|40000"],
      ],
    );
    assert.deepEqual((await changePorts(hostPorts, before, wishes({}), {})).after, []);
  });

  test("what was half done is taken back from wherever it was", async () => {
    const { hostPorts, before } = await start(one, { ipv4: v4 });
    const step = await changePorts(hostPorts, before, wishes({ "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] }), { ipv4: v4 });
    assert.deepEqual(undoSockets(step.added, step.removed), step.undo);
    assert.deepEqual(holds(step.undo.hold), ["0.0.0.0|8080", "::|8080"]);
    assert.deepEqual(at(step.undo.release), ["127.0.0.1|8080", "0.0.0.0|8080", "::|8080"]);
  });

  test("taken for good, or given back", async () => {
    const ends = { ipv4: v4 };
    for (const made of [true, false]) {
      const { hostPorts, before } = await start(one, ends);
      const step = await changePorts(
        hostPorts,
        before,
        wishes({ "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }, { HostPort: "9090" }] }),
        ends,
      );
      const free = (address: string, port: number): boolean => {
        const was = hostPorts.take("tcp", address, port);
        if (was) hostPorts.release("tcp", address, port);
        return was;
      };
      assert.deepEqual([free("::", 8080), free("127.0.0.2", 8080), free("::", 9090)], [false, false, false], "while it is under way");
      if (made) step.commit();
      else step.abandon();
      assert.deepEqual([free("::", 8080), free("127.0.0.1", 8080), free("127.0.0.2", 8080)], [made, false, made]);
      assert.equal(free("::", 9090), !made);
      assert.deepEqual(
        holds(step.undo.hold),
        step.sockets.release.map(({ address, port }) => `${address}|${port}`),
      );
    }
  });

  test("a clash changes nothing", async () => {
    const ends = { ipv4: v4 };
    const { hostPorts, before } = await start(one, ends);
    assert.ok(hostPorts.take("tcp", "0.0.0.0", 81));
    await assert.rejects(changePorts(hostPorts, before, wishes({ "80/tcp": [{ HostPort: "90" }, { HostPort: "81" }] }), ends), {
      message: "Bind for 0.0.0.0:81 failed: port is already allocated",
    });
    assert.ok(hostPorts.take("tcp", "0.0.0.0", 90));
    assert.ok(!hostPorts.take("tcp", "0.0.0.0", 8080));
  });

  test("where the port goes that opened the container's, another does it", async () => {
    const ends = { ipv4: { ...v4, direct: true } };
    const bindings = {
      "80/tcp": [
        { HostIp: "0.0.0.0", HostPort: "8080" },
        { HostIp: "0.0.0.0", HostPort: "8081" },
      ],
    };
    const { hostPorts, before } = await start(bindings, ends);
    assert.deepEqual(
      before.map((port) => port.direct),
      [true, undefined],
    );
    const step = await changePorts(hostPorts, before, wishes({ "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8081" }] }), ends);
    assert.deepEqual(
      step.after.map((port) => [port.hostPort, port.direct]),
      [[8081, true]],
    );
    assert.deepEqual([step.removed.length, holds(step.sockets.hold), at(step.sockets.release)], [2, [], ["0.0.0.0|8080"]]);
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
