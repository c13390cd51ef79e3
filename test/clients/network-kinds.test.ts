/** What the kinds and options of networks mean for traffic, with hosts beside this one, through the stock docker CLI. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { ask } from "../ask.ts";
import { Daemon, eventually } from "../daemon.ts";
import { importProbe, netProbe, Probes } from "../net-probe.ts";
import { closeWith, OtherHost } from "../other-host.ts";

/** How long nobody answers before we believe it. */
const silenceMs = 700;

/** Whether the kernel makes links of this kind. */
const has = (kind: string): boolean =>
  spawnSync("unshare", ["-n", "sh", "-ec", `ip link add d0 type veth peer name d1; ip link add link d0 name k0 type ${kind}`]).status === 0;

describe("kinds of networks", () => {
  let daemon: Daemon;
  let probes: Probes;
  let other: OtherHost;
  /** Names that have been asked of the other host's DNS server. */
  const asked: string[] = [];
  before(async () => {
    other = await OtherHost.join(1);
    await other.routeThroughHost();
    other.start(netProbe(), "serve", "80").stdout?.resume();
    other.start(netProbe(), "dns-serve").stdout?.on("data", (chunk) => asked.push(...String(chunk).trim().split("\n")));
    daemon = await Daemon.start();
    probes = new Probes(daemon);
    await importProbe(daemon);
    await eventually("the other host's servers", async () => asked.includes("serving") || undefined);
  });
  after(() => closeWith(daemon, [other]));

  const inside = (name: string, script: string): Promise<string> => daemon.ok("exec", name, "sh", "-ec", script);
  /** Makes a network, does the work, and removes all containers and the network. */
  async function on(network: string, options: readonly string[], work: () => Promise<void>): Promise<void> {
    await daemon.ok("network", "create", ...options, network);
    try {
      await work();
    } finally {
      const containers = (await daemon.ok("ps", "-aq")).split("\n").filter(Boolean);
      if (containers.length > 0) await daemon.ok("rm", "-f", ...containers);
    }
    await daemon.ok("network", "rm", network);
  }

  test("internal: no way out, none in, and no question leaves", async () => {
    await daemon.ok("network", "create", "open");
    const upstream = ["--dns", other.address];
    await on("closed", ["--internal"], async () => {
      await probes.serve("in", ["--network", "closed", "-p", "18301:80", "--cap-add", "NET_ADMIN", ...upstream]);
      await probes.serve("fellow", ["--network", "closed", ...upstream]);
      await probes.serve("out", ["--network", "open", ...upstream]);
      assert.equal(await probes.byName("in", "fellow"), "fellow");
      assert.match((await probes.ask("out", "tcp", other.address)) ?? "none", / 198\.18\./, "others get out");
      assert.match(await inside("out", "nslookup -type=a goes.example"), /192\.0\.2\.77/);
      assert.ok(asked.includes("goes.example."), "their questions do too");

      assert.equal(await probes.ask("in", "tcp", other.address, 80, silenceMs), undefined);
      assert.notEqual((await daemon.docker(["exec", "in", "nslookup", "-type=a", "leak.example"])).status, 0);
      assert.notEqual((await daemon.docker(["exec", "in", "nslookup", "-type=a", "leak.example", other.address])).status, 0);
      const [own, gateway] = [await probes.address("in", "closed"), await probes.pool("closed", "Gateway")];
      await inside("in", `ip route replace default via ${gateway}`);
      assert.equal(await probes.ask("in", "tcp", other.address, 80, silenceMs), undefined, "the host forwards nothing of it");
      assert.notEqual((await daemon.docker(["exec", "in", "nslookup", "-type=a", "leak.example", other.address])).status, 0);
      assert.equal(await probes.ask("in", "tcp", await probes.address("out", "open"), 80, silenceMs), undefined, "nor to another network");
      assert.equal(await probes.ask("out", "tcp", own, 80, silenceMs), undefined);
      assert.equal(await probes.ask(other, "tcp", own, 80, silenceMs), undefined);
      assert.equal(await probes.ask(other, "tcp", other.hostAddress, 18301, silenceMs), undefined);
      assert.deepEqual(
        asked.filter((name) => name.startsWith("leak")),
        [],
      );

      await daemon.ok("network", "connect", "open", "in");
      assert.match(await inside("in", "nslookup -type=a now.example"), /192\.0\.2\.77/, "with another network it may ask");
    });
    await daemon.ok("network", "rm", "open");
  });

  test("icc=false: neighbours do not see each other, the outside sees what is published", async () => {
    await on("apart", ["-o", "com.docker.network.bridge.enable_icc=false"], async () => {
      await probes.serve("i1", ["--network", "apart", "-p", "18302:80"]);
      await probes.serve("i2", ["--network", "apart"]);
      for (const [from, to] of [
        ["i1", "i2"],
        ["i2", "i1"],
      ] as const)
        for (const protocol of ["tcp", "udp"] as const)
          assert.equal(await probes.ask(from, protocol, await probes.address(to, "apart"), 80, silenceMs), undefined);
      assert.match((await probes.ask("i1", "tcp", other.address)) ?? "none", / 198\.18\./);
      assert.match((await probes.ask(other, "tcp", other.hostAddress, 18302)) ?? "none", new RegExp(`^i1 ${other.address} `));
    });
  });

  test("without masquerading a container is seen with its own address", async () => {
    await on("bare", ["-o", "com.docker.network.bridge.enable_ip_masquerade=false"], async () => {
      await probes.serve("own", ["--network", "bare"]);
      const address = await probes.address("own", "bare");
      assert.match((await probes.ask("own", "tcp", other.address)) ?? "none", new RegExp(` ${address} `));
    });
  });

  test("gateway mode routed: a published port is reached at the container's address, and nothing else is", async () => {
    const modes = ["-o", "com.docker.network.bridge.gateway_mode_ipv4=routed", "-o", "com.docker.network.bridge.gateway_mode_ipv6=routed"];
    await on("routed", ["--ipv6", "--subnet", "fd00:18:5::/64", ...modes], async () => {
      await probes.serve("r1", ["--network", "routed", "-p", "80"], "80", "81");
      const [four, six] = [await probes.address("r1", "routed"), await probes.address("r1", "routed", "GlobalIPv6Address")];
      for (const [address, source] of [
        [four, other.address],
        [six, other.address6],
      ] as const) {
        assert.match((await probes.ask(other, "tcp", address)) ?? "none", new RegExp(`^r1 ${source} `));
        assert.equal(await probes.ask(other, "tcp", address, 81, silenceMs), undefined);
      }
      assert.match((await probes.ask("r1", "tcp", other.address)) ?? "none", new RegExp(` ${four} `), "and goes out with its own");
      assert.match((await probes.ask("r1", "tcp", other.address6)) ?? "none", new RegExp(` ${six} `));
    });
  });

  test("gateway mode nat-unprotected: every port is reached by a route", async () => {
    await on("unprotected", ["-o", "com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected"], async () => {
      await probes.serve("u1", ["--network", "unprotected", "-p", "18303:80"], "80", "81");
      const address = await probes.address("u1", "unprotected");
      assert.match((await probes.ask(other, "tcp", address, 81)) ?? "none", /^u1 /);
      assert.match((await probes.ask(other, "tcp", other.hostAddress, 18303)) ?? "none", new RegExp(`^u1 ${other.address} `));
    });
  });

  test("gateway mode isolated: the host has no address on the network", async () => {
    await on("isolated", ["--internal", "-o", "com.docker.network.bridge.gateway_mode_ipv4=isolated"], async () => {
      await probes.serve("s1", ["--network", "isolated"]);
      await probes.serve("s2", ["--network", "isolated"]);
      assert.equal(await probes.byName("s1", "s2"), "s2");
      assert.equal(await probes.ask(undefined, "tcp", await probes.address("s1", "isolated"), 80, silenceMs), undefined);
    });
  });

  test("MTU", async () => {
    await on("small", ["-o", "com.docker.network.driver.mtu=1234"], async () => {
      await probes.serve("m1", ["--network", "small"]);
      await probes.serve("m2", ["--network", "small"]);
      assert.equal(await inside("m1", "cat /sys/class/net/eth0/mtu"), "1234");
      const address = await probes.address("m1", "small");
      assert.match((await daemon.docker(["exec", "m2", "ping", "-c", "1", "-W", "1", "-s", "3000", address])).stdout, /1 packets received/);
    });
  });

  test("IPv6 alone", async () => {
    await on("six", ["--ipv4=false", "--ipv6"], async () => {
      await probes.serve("x1", ["--network", "six", "-p", "18304:80"]);
      await probes.serve("x2", ["--network", "six"]);
      assert.equal(await inside("x1", "ip -4 -o addr show dev eth0"), "");
      assert.equal(await probes.byName("x2", "x1"), "x1");
      assert.equal(await probes.address("x1", "six"), "");
      assert.match((await probes.ask(other, "tcp", other.hostAddress6, 18304)) ?? "none", new RegExp(`^x1 ${other.address6} `));
      assert.match((await probes.ask(undefined, "tcp", "::1", 18304)) ?? "none", /^x1 /);
      assert.match((await probes.ask("x1", "tcp", other.address6)) ?? "none", new RegExp(` ${other.hostAddress6} `));
      assert.equal(await probes.ask("x1", "tcp", other.address, 80, silenceMs), undefined);
    });
  });

  for (const driver of ["macvlan", "ipvlan"])
    test(`${driver}: a container is a host on the wire`, { skip: has(driver) ? false : `the kernel has no ${driver}` }, async () => {
      const lan = other.hostAddress.replace(/\.1$/, ".0/24");
      const address = other.hostAddress.replace(/\.1$/, ".77");
      const wire = ["-o", `parent=${other.device}`, "--subnet", lan, "--gateway", other.address];
      // On an ipvlan all have the parent's.
      const mac =
        driver === "macvlan"
          ? "02:18:00:00:00:77"
          : execFileSync("cat", [`/sys/class/net/${other.device}/address`])
              .toString()
              .trim();
      await on("lan", ["-d", driver, ...wire], async () => {
        await probes.serve("v1", ["--network", "lan", "--ip", address, ...(driver === "macvlan" ? ["--mac-address", mac] : [])]);
        await probes.serve("v2", ["--network", "lan"]);
        assert.match((await probes.ask(other, "tcp", address)) ?? "none", new RegExp(`^v1 ${other.address} ${address}$`));
        assert.match((await probes.ask("v1", "udp", other.address)) ?? "none", new RegExp(` ${address} `));
        assert.equal(await probes.byName("v2", "v1"), "v1");
        assert.match(await inside("v1", "ip link show eth0"), new RegExp(mac));
      });
    });

  test("a VLAN that was made for a network goes with the daemon and comes with it", {
    skip: has("vlan id 7") ? false : "the kernel has no VLANs",
  }, async () => {
    const vlan = `${other.device}.7`;
    const isThere = (): boolean => existsSync(`/sys/class/net/${vlan}`);
    await on("tagged", ["-d", "macvlan", "-o", `parent=${vlan}`], async () => {
      assert.equal(isThere(), true);
      await daemon.kill("SIGTERM");
      assert.equal(isThere(), false);
      await daemon.restart();
      assert.equal(isThere(), true);
    });
    assert.equal(isThere(), false);
  });

  test("host-gateway, --mac-address, --ip and --ip6, --dns-search, --add-host", async () => {
    await on("given", ["--ipv6", "--subnet", "fd00:18:6::/64", "--subnet", "10.18.6.0/24"], async () => {
      const four = "10.18.6.77";
      const given = ["--ip", four, "--ip6", "fd00:18:6::77", "--mac-address", "02:18:00:00:00:06", "--add-host", "up:host-gateway"];
      await probes.serve("g1", ["--network", "given", ...given, "--add-host", "fixed.example:192.0.2.5"]);
      assert.equal(await probes.address("g1", "given"), four);
      assert.match(
        await inside("g1", "ip addr show eth0"),
        /link\/ether 02:18:00:00:00:06[\s\S]*inet 10\.18\.6\.77\/24[\s\S]*inet6 fd00:18:6::77\/64/,
      );
      assert.match(await inside("g1", "grep fixed.example /etc/hosts"), /^192\.0\.2\.5\s/);
      const server = createServer((socket) => socket.end("the host\n")).listen(18305, "0.0.0.0");
      await new Promise((done) => server.once("listening", done));
      try {
        assert.equal(await inside("g1", "nc up 18305 </dev/null"), "the host");
      } finally {
        server.close();
      }
      const taken = await daemon.docker(["run", "--rm", "--network", "given", "--ip", four, "probe", "true"]);
      assert.equal(taken.status, 125);
      assert.match(taken.stderr, /Address already in use/);
    });
  });

  test("a static address is never given to another, and the last ones are given out", async () => {
    await on("tight", ["--subnet", "10.18.7.0/29"], async () => {
      await daemon.ok("create", "--name", "waits", "--network", "tight", "--ip", "10.18.7.2", "probe", "sleep", "1000");
      const addresses: string[] = [];
      for (const name of ["t1", "t2", "t3", "t4"]) {
        await daemon.ok("run", "-d", "--name", name, "--network", "tight", "probe", "sleep", "1000");
        addresses.push(await probes.address(name, "tight"));
      }
      assert.deepEqual(addresses.sort(), ["10.18.7.3", "10.18.7.4", "10.18.7.5", "10.18.7.6"]);
      const full = await daemon.docker(["run", "--rm", "--network", "tight", "probe", "true"]);
      assert.equal(full.status, 125);
      assert.match(full.stderr, /no available IPv4 addresses on this network's address pools: tight/);
      await daemon.ok("start", "waits");
      assert.equal(await probes.address("waits", "tight"), "10.18.7.2");
    });
  });

  test("an address is kept over stop and start and over a restart of the daemon", async () => {
    await on("sticky", ["--ipv6", "--subnet", "fd00:18:8::/64"], async () => {
      for (const name of ["k1", "k2"]) await daemon.ok("run", "-d", "--name", name, "--network", "sticky", "probe", "sleep", "1000");
      const both = async (name: string): Promise<string[]> =>
        Promise.all([probes.address(name, "sticky"), probes.address(name, "sticky", "GlobalIPv6Address")]);
      const had = await both("k1");
      await daemon.ok("stop", "-t", "0", "k1");
      await daemon.ok("run", "-d", "--name", "k3", "--network", "sticky", "probe", "sleep", "1000");
      assert.notDeepEqual(await both("k3"), had);
      await daemon.ok("start", "k1");
      assert.deepEqual(await both("k1"), had);
      await daemon.ok("stop", "-t", "0", "k1");
      await daemon.kill("SIGTERM");
      await daemon.restart();
      await daemon.ok("run", "-d", "--name", "k4", "--network", "sticky", "probe", "sleep", "1000");
      assert.notDeepEqual(await both("k4"), had);
      await daemon.ok("start", "k1");
      assert.deepEqual(await both("k1"), had);
    });
  });

  test("gateway priority, and what each interface has carried", async () => {
    await daemon.ok("network", "create", "--subnet", "10.18.9.0/24", "first");
    await on("second", ["--subnet", "10.18.10.0/24"], async () => {
      const networks = ["--network", "name=first,gw-priority=1", "--network", "name=second,gw-priority=2"];
      await daemon.ok("run", "-d", "--name", "two", ...networks, "probe", "sleep", "1000");
      await probes.serve("peer", ["--network", "second"]);
      assert.match(await inside("two", "ip route show default"), /via 10\.18\.10\.1 /);
      await daemon.ok("network", "disconnect", "second", "two");
      assert.match(await inside("two", "ip route show default"), /via 10\.18\.9\.1 /);
      await daemon.ok("network", "connect", "--gw-priority", "5", "second", "two");
      assert.match(await inside("two", "ip route show default"), /via 10\.18\.10\.1 /);
      const counters = async (): Promise<Record<string, { rx_bytes: number; tx_bytes: number }>> => {
        const { body } = await ask(daemon, "GET", "/containers/two/stats?stream=false&one-shot=true");
        return (body as { networks: Record<string, { rx_bytes: number; tx_bytes: number }> }).networks;
      };
      const before = await counters();
      assert.equal(Object.keys(before).length, 2);
      const [busy = ""] = Object.keys(before).filter((name) => name !== "eth0");
      await inside("two", `ping -q -c 20 -i 0.02 -s 1000 ${await probes.address("peer", "second")}`);
      const now = await counters();
      const sent = (name: string): number => (now[name]?.tx_bytes ?? 0) - (before[name]?.tx_bytes ?? 0);
      assert.ok(sent(busy) >= 20_000, `${busy} has sent ${sent(busy)} bytes`);
      assert.ok(sent("eth0") < 5000, `eth0 has sent ${sent("eth0")} bytes`);
    });
    await daemon.ok("network", "rm", "first");
  });
});
