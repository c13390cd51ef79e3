import assert from "node:assert/strict";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { HostPorts } from "./host-ports.ts";
import { hostsText, resolverText } from "./name-files.ts";
import { parsePort, portWishes } from "./port-bindings.ts";
import { takePorts } from "./port-taking.ts";

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
