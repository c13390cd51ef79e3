/** Who reaches whom: containers of two networks, the host, and hosts beside it, through the stock docker CLI. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { command, Daemon, eventually } from "../daemon.ts";
import { importProbe, netProbe, Probes } from "../net-probe.ts";
import { closeWith, OtherHost } from "../other-host.ts";

/** How long nobody answers before we believe it. */
const silenceMs = 700;

describe("containers, networks and hosts", () => {
  let daemon: Daemon;
  let probes: Probes;
  let other: OtherHost;
  let third: OtherHost;
  before(async () => {
    [other, third] = await Promise.all([OtherHost.join(1), OtherHost.join(2)]);
    await Promise.all([other.routeThroughHost(), third.routeThroughHost()]);
    daemon = await Daemon.start();
    probes = new Probes(daemon);
    await importProbe(daemon);
    await daemon.ok("network", "create", "red");
    await daemon.ok("network", "create", "blue");
    await daemon.ok("network", "create", "--ipv6", "--subnet", "fd00:18:4::/64", "dual");
    await probes.serve("r1", ["--network", "red", "--network-alias", "web"]);
    await probes.serve("r2", ["--network", "red", "--cap-add", "NET_ADMIN"]);
    await probes.serve("b1", ["--network", "blue", "-p", "18201:80", "-p", "18201:80/udp"]);
    await probes.serve("both", ["--network", "red"]);
    await daemon.ok("network", "connect", "--alias", "twofold", "blue", "both");
    await probes.serve("d1", ["--network", "dual", "-p", "18202:80", "-p", "18202:80/udp"]);
  });
  after(() => closeWith(daemon, [other, third]));

  test("by name, alias and address, over two networks", async () => {
    for (const name of ["r1", "web"]) assert.equal(await probes.byName("both", name), "r1");
    assert.equal(await probes.byName("both", "b1"), "b1");
    for (const [from, network, names] of [
      ["r1", "red", ["both"]],
      ["b1", "blue", ["both", "twofold"]],
    ] as const) {
      const address = await probes.address("both", network);
      assert.equal(await probes.ask(from, "tcp", address), `both ${await probes.address(from, network)} ${address}`);
      assert.equal(await probes.ask(from, "udp", address), `both ${await probes.address(from, network)} -`);
      for (const name of names) {
        assert.equal(await probes.byName(from, name), "both");
        assert.match(await daemon.ok("exec", from, "nslookup", "-type=a", name), new RegExp(`Address: ${address}$`, "m"));
      }
    }
    const six = await probes.address("d1", "dual", "GlobalIPv6Address");
    await daemon.ok("run", "-d", "--name", "d2", "--network", "dual", "probe", "sleep", "1000");
    assert.equal(await probes.ask("d2", "tcp", six), `d1 ${await probes.address("d2", "dual", "GlobalIPv6Address")} ${six}`);
    assert.match(await daemon.ok("exec", "d2", "nslookup", "-type=aaaa", "d1"), new RegExp(`Address: ${six}$`, "m"));
    await daemon.ok("rm", "-f", "d2");
  });

  test("names end with their network", async () => {
    assert.equal(await probes.byName("r1", "b1"), undefined);
    assert.equal(await probes.byName("r1", "twofold"), undefined, "an alias of the other network");
    assert.equal(await probes.byName("b1", "web"), undefined);
  });

  test("networks do not reach each other, at any address, whatever is published", async () => {
    const [r1, b1] = [await probes.address("r1", "red"), await probes.address("b1", "blue")];
    assert.match((await probes.ask("r2", "tcp", r1)) ?? "", /^r1 /);
    for (const protocol of ["tcp", "udp"] as const) {
      assert.equal(await probes.ask("r1", protocol, b1, 80, silenceMs), undefined);
      assert.equal(await probes.ask("b1", protocol, r1, 80, silenceMs), undefined);
    }
    assert.notEqual((await daemon.docker(["exec", "r1", "ping", "-c", "1", "-W", "1", b1])).status, 0);
    assert.notEqual((await daemon.docker(["exec", "b1", "ping", "-c", "1", "-W", "1", r1])).status, 0);
    const both = await probes.address("both", "blue");
    assert.equal(await probes.ask("r1", "tcp", both, 80, silenceMs), undefined, "not at its address in the other network either");
  });

  test("networks do not reach each other by routes and addresses that a container makes up", async () => {
    const [b1, bluePool, blueGateway] = await Promise.all([
      probes.address("b1", "blue"),
      probes.pool("blue", "Subnet"),
      probes.pool("blue", "Gateway"),
    ]);
    const redGateway = await probes.pool("red", "Gateway");
    const asRoot = (script: string): Promise<string> => daemon.ok("exec", "r2", "sh", "-ec", script);
    await asRoot(`ip route add ${bluePool} via ${redGateway}`);
    assert.equal(await probes.ask("r2", "tcp", b1, 80, silenceMs), undefined);
    await asRoot(`ip route del ${bluePool}; ip route add ${blueGateway} via ${redGateway}; ip route add ${b1} via ${redGateway}`);
    assert.equal(await probes.ask("r2", "udp", b1, 80, silenceMs), undefined);
    // An address of the other network as its own source.
    const spoofed = `${bluePool.split("/")[0]?.replace(/0\.0$/, "0.77")}`;
    await asRoot(`ip addr add ${spoofed}/32 dev eth0; ip route replace ${b1} via ${redGateway} src ${spoofed}`);
    assert.equal(await probes.ask("r2", "tcp", b1, 80, silenceMs), undefined);
    assert.notEqual((await daemon.docker(["exec", "r2", "ping", "-c", "1", "-W", "1", "-I", spoofed, b1])).status, 0);
    await asRoot(`ip route del ${b1}; ip route del ${blueGateway}; ip addr del ${spoofed}/32 dev eth0`);
  });

  test("another host does not reach containers by a route through us, published or not", async () => {
    const [r1, b1, d1] = await Promise.all([
      probes.address("r1", "red"),
      probes.address("b1", "blue"),
      probes.address("d1", "dual", "GlobalIPv6Address"),
    ]);
    for (const address of [r1, b1, d1]) {
      assert.match((await probes.ask(undefined, "tcp", address)) ?? "", /^(r1|b1|d1) /, "the host itself does");
      assert.equal(await probes.ask(other, "tcp", address, 80, silenceMs), undefined, address);
    }
    assert.equal(await probes.ask(other, "udp", b1, 80, silenceMs), undefined);
    // With a source out of the container's own network.
    const neighbour = r1.replace(/\d+$/, "99");
    await other.ok("ip", "addr", "add", `${neighbour}/32`, "dev", "lo");
    await other.ok("ip", "route", "add", r1, "via", other.hostAddress, "src", neighbour);
    assert.equal(await probes.ask(other, "tcp", r1, 80, silenceMs), undefined);
    await other.ok("ip", "addr", "del", `${neighbour}/32`, "dev", "lo");
  });

  test("the host reaches a published port at 127.0.0.1, ::1 and its own addresses", async () => {
    for (const protocol of ["tcp", "udp"] as const)
      for (const [port, name] of [
        [18201, "b1"],
        [18202, "d1"],
      ] as const)
        for (const address of ["127.0.0.1", "::1", other.hostAddress, other.hostAddress6])
          assert.match(
            (await probes.ask(undefined, protocol, address, port)) ?? "none",
            new RegExp(`^${name} `),
            `${protocol} ${address} ${port}`,
          );
  });

  test("another host reaches a published port, and the container sees who it is", async () => {
    for (const protocol of ["tcp", "udp"] as const) {
      for (const [host, port, name] of [
        [other, 18201, "b1"],
        [third, 18201, "b1"],
        [other, 18202, "d1"],
      ] as const)
        assert.match((await probes.ask(host, protocol, host.hostAddress, port)) ?? "none", new RegExp(`^${name} ${host.address} `));
      assert.match((await probes.ask(third, protocol, third.hostAddress6, 18202)) ?? "none", new RegExp(`^d1 ${third.address6} `));
      assert.match(
        (await probes.ask(third, protocol, other.hostAddress, 18201)) ?? "none",
        new RegExp(`^b1 ${third.address} `),
        "at any address of the host",
      );
      assert.match((await probes.ask(other, protocol, other.hostAddress6, 18201)) ?? "none", /^b1 /, "IPv6 in front of a network without");
    }
  });

  test("one host address, a range, SCTP", async () => {
    const at = other.hostAddress;
    const sctp = (await command("sh", ["-c", "grep -qw SCTP /proc/net/protocols || modprobe sctp"])).status === 0;
    await probes.serve(
      "many",
      ["--network", "red", "-p", `${at}:18210-18214:8000-8004`, "-p", "18215:8000/sctp", "-p", "127.0.0.1:18216:8001"],
      "8000-8004",
    );
    for (const port of [18210, 18212, 18214])
      assert.match((await probes.ask(other, "tcp", at, port)) ?? "none", new RegExp(`^many ${other.address} `));
    assert.equal(await probes.ask(third, "tcp", third.hostAddress, 18210, silenceMs), undefined, "not at another address");
    assert.equal(await probes.ask(undefined, "tcp", "127.0.0.1", 18210, silenceMs), undefined);
    assert.match((await probes.ask(undefined, "tcp", "127.0.0.1", 18216)) ?? "none", /^many /);
    assert.equal(await probes.ask(other, "tcp", at, 18216, silenceMs), undefined, "the host's alone");
    assert.match(await daemon.ok("port", "many", "8000/sctp"), /^0\.0\.0\.0:18215$/m);
    if (sctp) assert.match((await probes.ask(other, "sctp", at, 18215)) ?? "none", new RegExp(`^many ${other.address} `));
    await daemon.ok("rm", "-f", "many");
  });

  test("127.0.0.1 of the host is not reached from the wire", async () => {
    await probes.serve("local", ["--network", "red", "-p", "127.0.0.1:18217:80"]);
    await other.ok("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1");
    await other.ok(
      "sh",
      "-ec",
      `ip route add 127.0.0.7/32 via ${other.hostAddress} dev eth0; ip rule add pref 1 to 127.0.0.7 lookup main; ip rule del pref 0; ip rule add pref 2 lookup local`,
    );
    assert.match((await probes.ask(undefined, "tcp", "127.0.0.1", 18217)) ?? "none", /^local /);
    assert.equal(await probes.ask(other, "tcp", "127.0.0.7", 18217, silenceMs), undefined);
    await daemon.ok("rm", "-f", "local");
  });

  test("a container reaches its own and its neighbour's published port at the host's addresses", async () => {
    const gateway = await probes.pool("blue", "Gateway");
    for (const address of [other.hostAddress, gateway]) {
      assert.match((await probes.ask("b1", "tcp", address, 18201)) ?? "none", /^b1 /, `its own at ${address}`);
      assert.match((await probes.ask("b1", "udp", address, 18201)) ?? "none", /^b1 /, `its own at ${address}`);
    }
    await daemon.ok("run", "-d", "--name", "b2", "--network", "blue", "probe", "sleep", "1000");
    assert.match((await probes.ask("b2", "tcp", other.hostAddress, 18201)) ?? "none", /^b1 /);
    assert.match((await probes.ask("d1", "tcp", other.hostAddress6, 18202)) ?? "none", /^d1 /);
    await daemon.ok("rm", "-f", "b2");
  });

  test("a port is given once, and not when a program of the host has it", async () => {
    const clash = await daemon.docker(["run", "--rm", "--network", "red", "-p", "18201:80", "probe", "true"]);
    assert.equal(clash.status, 125);
    assert.match(clash.stderr, /Bind for 0\.0\.0\.0:18201 failed: port is already allocated/);
    const server = createServer().listen(18219, "0.0.0.0");
    await new Promise((done) => server.once("listening", done));
    const held = await daemon.docker(["run", "--rm", "--network", "red", "-p", "18219:80", "probe", "true"]);
    server.close();
    assert.equal(held.status, 125);
    assert.match(held.stderr, /address already in use/);
    await daemon.ok("run", "--rm", "--network", "red", "-p", "18219:80", "probe", "true");
    assert.match((await probes.ask(other, "tcp", other.hostAddress, 18201)) ?? "none", /^b1 /, "who had it still has it");
  });

  test("containers reach the outside with the host's address", async () => {
    other.start(netProbe(), "serve", "80");
    await eventually("the other host's server", () => probes.ask(undefined, "tcp", other.address));
    const answer = (from: string, address: string): Promise<string | undefined> => probes.ask(from, "tcp", address);
    assert.match((await answer("r1", other.address)) ?? "none", new RegExp(` ${other.hostAddress} `));
    assert.match((await answer("d1", other.address)) ?? "none", new RegExp(` ${other.hostAddress} `));
    assert.match((await answer("d1", other.address6)) ?? "none", new RegExp(` ${other.hostAddress6} `));
  });
});
