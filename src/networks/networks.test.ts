import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AddressPool } from "./address-pool.ts";
import { addressNumber, contains, macFor, numberAddress, overlap, parseCidr, subnetText } from "./addresses.ts";
import { HostPorts } from "./host-ports.ts";
import { hostsText, resolverText } from "./name-files.ts";
import { parsePort, portWishes } from "./port-bindings.ts";
import { takePorts } from "./port-taking.ts";
import { chooseSubnet, defaultSources, parseSubnetSource } from "./subnets.ts";

const subnetOf = (text: string) => parseCidr(text).subnet;

describe("address pools", () => {
  test("any order of taking and giving back: never twice, never reserved, the lowest free one", () => {
    const action = fc.oneof(
      fc.record({ do: fc.constant("allocate" as const), prefer: fc.option(fc.integer({ min: 0, max: 33 })) }),
      fc.record({ do: fc.constant("claim" as const), at: fc.integer({ min: 0, max: 33 }) }),
      fc.record({ do: fc.constant("release" as const), at: fc.integer({ min: 0, max: 33 }) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 27, max: 30 }), fc.array(action, { maxLength: 80 }), (length, actions) => {
        const subnet = subnetOf(`10.0.0.0/${length}`);
        const size = 2 ** (32 - length);
        const at = (offset: number): string => numberAddress(4, subnet.base + BigInt(offset));
        const pool = new AddressPool(subnet, { reserved: [at(1)] });
        const taken = new Set([1]);
        for (const step of actions) {
          if (step.do === "allocate") {
            const free = Array.from({ length: size }, (_, index) => index).filter(
              (index) => index > 0 && index < size - 1 && !taken.has(index),
            );
            const wish = step.prefer !== null && free.includes(step.prefer) ? step.prefer : free[0];
            assert.equal(pool.allocate(step.prefer === null ? undefined : at(step.prefer)), wish === undefined ? undefined : at(wish));
            if (wish !== undefined) taken.add(wish);
          } else if (step.do === "claim") {
            assert.equal(pool.claim(at(step.at)), step.at < size && !taken.has(step.at));
            if (step.at < size) taken.add(step.at);
          } else if (step.at !== 1) {
            pool.release(at(step.at));
            taken.delete(step.at);
          }
        }
      }),
    );
  });

  test("only the range is given out unasked", () => {
    const pool = new AddressPool(subnetOf("10.0.0.0/24"), { range: subnetOf("10.0.0.128/30"), reserved: ["10.0.0.1"] });
    assert.deepEqual(
      [1, 2, 3, 4, 5].map(() => pool.allocate()),
      ["10.0.0.128", "10.0.0.129", "10.0.0.130", "10.0.0.131", undefined],
    );
    assert.ok(pool.claim("10.0.0.7"));
  });

  test("IPv6 subnets", () => {
    const pool = new AddressPool(subnetOf("fd00:1::/64"), { reserved: ["fd00:1::1"] });
    assert.equal(pool.allocate(), "fd00:1::2");
  });

  test("MAC addresses follow IPv4 addresses", () => assert.equal(macFor("172.17.0.2"), "02:42:ac:11:00:02"));
});

describe("subnets", () => {
  test("Docker's pools in Docker's order, past what the host uses", () => {
    const next = (...taken: string[]) => {
      const subnet = chooseSubnet(defaultSources, taken.map(subnetOf));
      return subnet === undefined ? undefined : subnetText(subnet);
    };
    assert.equal(next(), "172.17.0.0/16");
    assert.equal(next("172.17.5.0/24"), "172.18.0.0/16");
    assert.equal(next("172.16.0.0/12"), "192.168.0.0/20");
    assert.equal(next("172.16.0.0/12", "192.168.1.0/24"), "192.168.16.0/20");
    assert.equal(next("172.16.0.0/12", "192.168.0.0/16"), undefined);
  });

  test("what is chosen never overlaps what is taken", () => {
    const some = fc
      .tuple(fc.integer({ min: 0, max: 0xffffff }), fc.integer({ min: 12, max: 32 }))
      .map(([low, length]) => subnetOf(`${numberAddress(4, 0xac000000n + BigInt(low))}/${length}`));
    fc.assert(
      fc.property(fc.array(some, { maxLength: 12 }), (taken) => {
        const chosen = chooseSubnet(defaultSources, taken);
        if (chosen !== undefined) for (const other of taken) assert.ok(!overlap(chosen, other));
      }),
    );
  });

  test("texts and numbers", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, length) => {
        const { subnet } = parseCidr(`${address}/${length}`);
        assert.ok(contains(subnet, address));
        assert.equal(numberAddress(4, addressNumber(address)), address);
        assert.deepEqual(parseCidr(subnetText(subnet)).subnet, subnet);
      }),
    );
    for (const wrong of ["", "1.2.3.4", "1.2.3.4/33", "1.2.3/8", "x/8", "::1/129"])
      assert.throws(() => parseCidr(wrong), { code: "InvalidParameter" });
    assert.equal(parseSubnetSource("base=10.10.0.0/16,size=24").size, 24);
    for (const wrong of ["base=10.10.0.0/16", "size=24", "base=10.10.0.0/16,size=8", "base=10.10.0.0/16,size=31"])
      assert.throws(() => parseSubnetSource(wrong), { code: "InvalidParameter" });
  });
});

describe("ports", () => {
  const wishes = (
    portBindings: Record<string, { HostIp?: string; HostPort?: string }[]>,
    exposedPorts: string[] = [],
    publishAllPorts = false,
  ) => portWishes({ portBindings, exposedPorts, publishAllPorts }, "0.0.0.0");

  test("what is asked for, fixed ports first", () => {
    assert.deepEqual(
      wishes(
        { "90": [{ HostPort: "" }], "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8000-8010" }, { HostPort: "81" }] },
        ["80/tcp", "53/udp"],
        true,
      ),
      [
        { protocol: "tcp", containerPort: 80, hostAddress: "0.0.0.0", hostPorts: [81, 81] },
        { protocol: "tcp", containerPort: 80, hostAddress: "127.0.0.1", hostPorts: [8000, 8010] },
        { protocol: "udp", containerPort: 53, hostAddress: "0.0.0.0" },
        { protocol: "tcp", containerPort: 90, hostAddress: "0.0.0.0" },
      ],
    );
  });

  test("what cannot be", () => {
    for (const port of ["0", "65536", "x", "80/icmp", "80/tcp/udp", ""]) assert.throws(() => parsePort(port), { code: "InvalidParameter" });
    for (const HostPort of ["65536", "x", "9-8", "1-2-3"])
      assert.throws(() => wishes({ "80/tcp": [{ HostPort }] }), { code: "InvalidParameter" });
    assert.throws(() => wishes({ "80/tcp": [{ HostIp: "nowhere", HostPort: "1" }] }), { code: "InvalidParameter" });
    assert.throws(() => wishes({ "80/tcp": [{ HostIp: "::1", HostPort: "1" }] }), { code: "NotImplemented" });
  });

  test("any address and each single one exclude each other", async () => {
    const ports = new HostPorts([40000, 40003], async () => true);
    assert.ok(ports.take("tcp", "127.0.0.1", 80));
    assert.ok(ports.take("tcp", "127.0.0.2", 80));
    assert.ok(ports.take("udp", "0.0.0.0", 80));
    assert.ok(!ports.take("tcp", "0.0.0.0", 80));
    assert.ok(!ports.take("tcp", "127.0.0.1", 80));
    ports.release("tcp", "127.0.0.1", 80);
    ports.release("tcp", "127.0.0.2", 80);
    assert.ok(ports.take("tcp", "0.0.0.0", 80));
    assert.ok(!ports.take("tcp", "127.0.0.9", 80));
  });

  test("choice goes on behind the last one, past what others hold", async () => {
    const ports = new HostPorts([40000, 40003], async (_protocol, _address, port) => port !== 40001);
    const next = () => ports.choose("tcp", "0.0.0.0");
    assert.deepEqual([await next(), await next()], [40000, 40002]);
    ports.release("tcp", "0.0.0.0", 40000);
    assert.deepEqual([await next(), await next(), await next()], [40003, 40000, undefined]);
    assert.equal(await ports.choose("tcp", "0.0.0.0", [40000, 40002]), undefined);
  });

  test("all or none are taken", async () => {
    const ports = new HostPorts([40000, 40001], async () => true);
    assert.ok(ports.take("tcp", "0.0.0.0", 81));
    const both = wishes({ "80/tcp": [{ HostPort: "80" }], "81/tcp": [{ HostPort: "81" }] });
    await assert.rejects(takePorts(ports, both, "172.17.0.2"), { message: "Bind for 0.0.0.0:81 failed: port is already allocated" });
    assert.ok(ports.take("tcp", "0.0.0.0", 80));
  });

  test("a port that a program listens on is found out", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((done) => server.once("listening", done));
    const { port } = server.address() as { port: number };
    const ports = new HostPorts([port, port]);
    assert.equal(await ports.choose("tcp", "127.0.0.1"), undefined);
    assert.equal(await ports.choose("udp", "127.0.0.1"), port);
    await new Promise((done) => server.close(done));
    assert.equal(await ports.choose("tcp", "127.0.0.1"), port);
  });
});

describe("resolv.conf", () => {
  const none = { dns: [], dnsOptions: [], dnsSearch: [] };

  test("the host's, without what a container cannot reach", () => {
    const host =
      "# made by hand\nnameserver 127.0.0.1\nnameserver 10.0.0.1 # one\nnameserver ::1\nnameserver 2001:db8::1\ndomain old\nsearch a.test b.test\noptions ndots:2 rotate\n";
    assert.equal(resolverText(host, none, true), "nameserver 10.0.0.1\nsearch a.test b.test\noptions ndots:2 rotate\n");
    assert.equal(resolverText(host, none, false), host);
  });

  test("public resolvers when none is left", () => {
    assert.equal(resolverText("nameserver 127.0.0.53\nsearch .\n", none, true), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    assert.equal(resolverText("", none, true), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  });

  test("what the user gives replaces the host's", () => {
    const host = "nameserver 10.0.0.1\nsearch a.test\noptions ndots:2\n";
    const given = { dns: ["192.0.2.1", "2001:db8::1"], dnsOptions: ["timeout:3"], dnsSearch: ["."] };
    assert.equal(resolverText(host, given, true), "nameserver 192.0.2.1\nnameserver 2001:db8::1\noptions timeout:3\n");
    assert.equal(resolverText(host, { ...none, dnsSearch: ["x.test"] }, false), "nameserver 10.0.0.1\nsearch x.test\noptions ndots:2\n");
    assert.throws(() => resolverText(host, { ...none, dns: ["resolver"] }, true), { code: "InvalidParameter" });
  });
});

describe("hosts", () => {
  test("own name, with and without a domain, and added ones", () => {
    const text = hostsText({
      extraHosts: ["a.test:192.0.2.9", "six:[2001:db8::1]", "up:host-gateway"],
      gateway: "172.17.0.1",
      address: "172.17.0.2",
      hostname: "h.example.test",
    });
    assert.match(text, /^127\.0\.0\.1\tlocalhost\n/);
    assert.match(text, /\n192\.0\.2\.9\ta\.test\n2001:db8::1\tsix\n172\.17\.0\.1\tup\n172\.17\.0\.2\th\.example\.test h\n$/);
    assert.match(hostsText({ extraHosts: [], address: "172.17.0.2", hostname: "h" }), /\n172\.17\.0\.2\th\n$/);
    for (const wrong of ["a", "a:", ":1.2.3.4", "a:b"])
      assert.throws(() => hostsText({ extraHosts: [wrong], hostname: "h" }), { code: "InvalidParameter" });
    assert.throws(() => hostsText({ extraHosts: ["a:host-gateway"], hostname: "h" }), { code: "InvalidParameter" });
  });
});
