/** What gets through the firewall and what does not, with real packets of both IP versions. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { isolated } from "../../tools/isolate.mjs";
import { allowLinks, denyLinks, type NetworkRules, type PublishedPort, publish, unpublish } from "./firewall.ts";
import { noState, type Place, portTo, rulesOf, run, Scene, table, within } from "./firewall-scenery.ts";
import { forgetFlows } from "./stale-flows.ts";

const failed = "failed";

describe("what the firewall lets through", { skip: isolated ? false : "needs root and namespaces" }, () => {
  let scene: Scene;
  let outside: Place;
  let other: Place;
  /** Absent where br_netfilter is not loaded: as if 0. */
  const bridgeFilter = (value: string): unknown =>
    run("sysctl", "-qew", `net.bridge.bridge-nf-call-iptables=${value}`, `net.bridge.bridge-nf-call-ip6tables=${value}`);
  const sctp = spawnSync("python3", ["-c", "import socket; socket.socket(2, 1, 132)"]).status === 0;
  const protocols: readonly PublishedPort["protocol"][] = sctp ? ["tcp", "udp", "sctp"] : ["tcp", "udp"];
  const everything = (...ports: number[]): string => protocols.flatMap((protocol) => ports.map((port) => `${protocol}/${port}`)).join(" ");
  /** Asks each address with each protocol; what is seen must be the same for all of them. */
  const seen = async (from: Place, addresses: readonly string[], port: number, seconds = 2): Promise<string[]> => {
    const targets = addresses.flatMap((address) => protocols.map((protocol) => `${protocol} ${address} ${port}`));
    const answers = await scene.ask(from, targets, { seconds });
    return addresses.map((_, index) => [...new Set(answers.slice(index * protocols.length, (index + 1) * protocols.length))].join("|"));
  };
  /** That none of the ports is reached at any address of these places with any protocol. */
  const closed = async (from: Place, ...to: readonly (readonly [place: Place, port: number])[]): Promise<void> => {
    const targets = to.flatMap(([place, port]) =>
      both(place).flatMap((address) => protocols.map((protocol) => `${protocol} ${address} ${port}`)),
    );
    const answers = await scene.ask(from, targets);
    assert.deepEqual(
      targets.filter((_, index) => answers[index] !== failed),
      [],
      `from ${from.name}`,
    );
  };
  const both = (place: Place): string[] => [place.address, place.address6];
  const network = (bridge: string, number: number, more: Partial<NetworkRules> = {}) =>
    scene.network(rulesOf(bridge, [`10.${number}.0.0/24`, `fd00:${number}::/64`], more));
  const published = (place: Place, more: Partial<PublishedPort> = {}): PublishedPort[] =>
    protocols.flatMap((protocol) => both(place).map((address) => portTo(address, { protocol, ...more })));

  before(async () => {
    scene = await Scene.open();
    outside = await scene.neighbour("wan0", "198.51.100", "2001:db8:51");
    other = await scene.neighbour("lan0", "203.0.113", "2001:db8:113");
    // Never chosen by itself, being a lesser address.
    run("ip", "addr", "add", "198.51.100.7/24", "dev", "wan0");
    run("ip", "addr", "add", "2001:db8:51::7/64", "dev", "wan0", "nodad", "preferred_lft", "0");
    await scene.serve(outside, everything(81));
    await scene.serve(scene.host, everything(83));
    within(other, "ip", "route", "add", "default", "via", "203.0.113.1");
    within(other, "ip", "route", "add", "default", "via", "2001:db8:113::1");
    within(outside, "ip", "route", "add", "203.0.113.0/24", "via", "198.51.100.1");
    within(outside, "ip", "route", "add", "2001:db8:113::/64", "via", "2001:db8:51::1");
  });
  beforeEach(() => scene.reset());
  afterEach(() => scene.clear());
  after(() => scene[Symbol.asyncDispose]());

  for (const filter of ["0", "1"]) {
    describe(`with bridge-nf-call-iptables ${filter}`, { concurrency: false }, () => {
      /** Whether frames pass the firewall: never where br_netfilter is not loaded. */
      let framesPass = false;
      before(() => {
        bridgeFilter(filter);
        framesPass = spawnSync("sysctl", ["-n", "net.bridge.bridge-nf-call-iptables"], { encoding: "utf8" }).stdout.trim() === "1";
      });

      test("a network of mode nat: fellows and published ports, by the host's address, and nothing else", async () => {
        const [one, two] = [await network("br1", 1), await network("br2", 2)];
        const [a, b, c] = [await scene.container(one), await scene.container(one), await scene.container(two)];
        for (const place of [a, b, c]) await scene.serve(place, everything(80, 82));
        // As the room does, where bridged frames pass the firewall: see BridgeEndpoint.hairpin.
        if (framesPass) for (const { name } of one.containers) run("bridge", "link", "set", "dev", name, "hairpin", "on");
        await scene.send(publish(table, published(b)));
        assert.deepEqual(await seen(a, both(b), 82), both(a), "fellows");
        assert.deepEqual(await seen(scene.host, both(b), 82), ["10.1.0.1", "fd00:1::1"], "the host");
        assert.deepEqual(await seen(a, both(outside), 81), both(scene.host), "out");
        assert.deepEqual(await seen(a, ["10.1.0.1", "fd00:1::1"], 83), both(a), "to the host itself");
        assert.deepEqual(await seen(outside, both(scene.host), 8080), both(outside), "published, with the real source");
        assert.deepEqual(await seen(c, both(scene.host), 8080), ["10.1.0.1", "fd00:1::1"], "published, from another network");
        assert.deepEqual(await seen(a, both(scene.host), 8080), ["10.1.0.1", "fd00:1::1"], "published, from a fellow");
        assert.deepEqual(await seen(b, both(scene.host), 8080), ["10.1.0.1", "fd00:1::1"], "hairpin");
        assert.deepEqual(await seen(scene.host, ["127.0.0.1", ...both(scene.host)], 8080), ["10.1.0.1", ...both(scene.host)]);
        await closed(c, [a, 80], [a, 82], [b, 80], [b, 82]);
        await closed(a, [c, 80], [c, 82]);
        await closed(outside, [a, 80], [b, 80], [b, 82], [c, 80]);
        await closed(other, [b, 80], [b, 82]);
      });

      test("without icc: links and published ports only", async () => {
        const apart = await network("br1", 1, { icc: false });
        const [a, b] = [await scene.container(apart), await scene.container(apart)];
        await scene.serve(b, everything(80, 82));
        for (const { name } of apart.containers) {
          // As the room does: see NetworkRules.icc.
          if (!framesPass) run("bridge", "link", "set", "dev", name, "isolated", "on");
          else run("bridge", "link", "set", "dev", name, "hairpin", "on");
        }
        run("sysctl", "-qw", "net.ipv4.conf.br1.proxy_arp_pvlan=1", "net.ipv4.conf.br1.send_redirects=0");
        await scene.send(publish(table, published(b)));
        await closed(a, [b, 80]);
        assert.deepEqual(await seen(a, both(scene.host), 8080), ["10.1.0.1", "fd00:1::1"], "through a published port");
        assert.deepEqual(await seen(a, both(outside), 81), both(scene.host), "out");
        // Past the bridge's isolation, over the host as a router.
        within(a, "ip", "route", "replace", b.address, "via", "10.1.0.1", "dev", "eth0");
        within(a, "ip", "route", "replace", b.address6, "via", "fd00:1::1", "dev", "eth0");
        await closed(a, [b, 80]);
        within(a, "ip", "route", "del", b.address);
        const links = protocols.map((protocol) => ({ from: a.address, to: b.address, protocol, port: 82 }));
        await scene.send(allowLinks(table, links));
        assert.deepEqual(await seen(a, [b.address], 82), [a.address], "linked");
        assert.deepEqual(await seen(a, [b.address], 80, 0.6), [failed], "another port");
        await scene.send(denyLinks(table, links));
        assert.deepEqual(await seen(a, [b.address], 82, 0.6), [failed], "no longer linked");
      });
    });
  }

  describe("other networks", { concurrency: false }, () => {
    before(() => bridgeFilter("0"));

    test("internal: fellows and the host by the bridge's address, nobody else", async () => {
      const [shut, open] = [await network("br1", 1, { internal: true }), await network("br2", 2)];
      const [a, b, c] = [await scene.container(shut), await scene.container(shut), await scene.container(open)];
      for (const place of [a, b, c]) await scene.serve(place, everything(80));
      await scene.send(publish(table, published(c)));
      assert.deepEqual(await seen(a, both(b), 80), both(a), "fellows");
      assert.deepEqual(await seen(a, ["10.1.0.1", "fd00:1::1"], 83), both(a), "to the host");
      assert.deepEqual(await seen(scene.host, both(a), 80), ["10.1.0.1", "fd00:1::1"], "from the host");
      await closed(a, [c, 80], [outside, 81], [scene.host, 8080]);
      await closed(c, [a, 80]);
      await closed(outside, [a, 80]);
    });

    test("routed: no address is translated, published ports and icmp are open", async () => {
      const routed = await network("br1", 1, { gatewayMode: { 4: "routed", 6: "routed" } });
      const [a, c] = [await scene.container(routed), await scene.container(await network("br2", 2))];
      const lonely = await scene.container(await network("br3", 3, { internal: true }));
      for (const place of [a, c]) await scene.serve(place, everything(80, 82));
      await scene.send(publish(table, published(a, { routed: true })));
      assert.deepEqual(await seen(outside, both(a), 80), both(outside));
      assert.deepEqual(await seen(c, both(a), 80), both(c), "from another network");
      assert.deepEqual(await seen(a, both(outside), 81), both(a), "out, with its own address");
      for (const address of both(a)) assert.ok(await scene.echoes(outside, address), address);
      for (const address of both(c)) assert.ok(!(await scene.echoes(outside, address)), address);
      await closed(outside, [a, 82], [scene.host, 8080]);
      await closed(c, [a, 82]);
      await closed(a, [c, 80]);
      await closed(lonely, [a, 80]);
    });

    test("nat-unprotected: every port at its own address too; one mode an IP version; isolated", async () => {
      const a = await scene.container(await network("br1", 1, { gatewayMode: { 4: "nat-unprotected", 6: "nat" } }));
      const c = await scene.container(await network("br2", 2, { gatewayMode: { 4: "isolated", 6: "nat-unprotected" } }));
      for (const place of [a, c]) await scene.serve(place, everything(80, 82));
      await scene.send(publish(table, published(a)));
      assert.deepEqual(await seen(outside, both(a), 82), [outside.address, failed]);
      assert.deepEqual(await seen(outside, both(c), 82), [failed, outside.address6]);
      assert.deepEqual(await seen(outside, both(scene.host), 8080), both(outside));
      assert.deepEqual(await seen(a, both(outside), 81), both(scene.host));
    });

    test("trusted interfaces: open ports at the containers' own addresses, for those who come in there", async () => {
      const a = await scene.container(await network("br1", 1, { trustedInterfaces: ["wan0"] }));
      const c = await scene.container(await network("br2", 2));
      for (const place of [a, c]) await scene.serve(place, everything(80, 82));
      await scene.send(publish(table, [...published(a, { direct: true }), ...published(c, { direct: true, hostPort: 8081 })]));
      assert.deepEqual(await seen(outside, both(a), 80), both(outside));
      assert.deepEqual(await seen(outside, both(scene.host), 8080), both(outside));
      await closed(outside, [a, 82]);
      await closed(outside, [c, 80]);
      await closed(other, [a, 80]);
      assert.ok(!(await scene.echoes(outside, a.address)), "icmp");
      await scene.send(unpublish(table, published(a, { direct: true })));
      await closed(outside, [a, 80]);
    });

    test("masquerade, another source address, and neither", async () => {
      const sourceAddress = { 4: "198.51.100.7", 6: "2001:db8:51::7" };
      const a = await scene.container(await network("br1", 1, { sourceAddress }));
      const c = await scene.container(await network("br2", 2, { masquerade: false, sourceAddress }));
      await scene.serve(c, everything(80));
      await scene.send(publish(table, published(c)));
      assert.deepEqual(await seen(a, both(outside), 81), ["198.51.100.7", "2001:db8:51::7"]);
      assert.deepEqual(await seen(c, both(outside), 81), both(c));
      assert.deepEqual(await seen(c, both(scene.host), 8080), ["10.2.0.1", "fd00:2::1"], "hairpin");
    });

    test("ports of the host's loopback are not reached from elsewhere, whatever is routed here", async () => {
      const a = await scene.container(await network("br1", 1));
      await scene.serve(a, everything(80));
      await scene.send(
        publish(table, [...published(a, { hostAddress: "127.0.0.1" }).filter((port) => port.containerAddress === a.address)]),
      );
      assert.deepEqual(await seen(scene.host, ["127.0.0.1"], 8080), ["10.1.0.1"]);
      run("sysctl", "-qw", "net.ipv4.conf.wan0.route_localnet=1");
      for (const [place, gateway] of [
        [outside, "198.51.100.1"],
        [a, "10.1.0.1"],
      ] as const) {
        within(place, "sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1");
        within(place, "ip", "route", "del", "local", "127.0.0.0/8", "dev", "lo", "table", "local");
        within(place, "ip", "route", "add", "127.0.0.1/32", "via", gateway, "dev", "eth0", "src", place.address);
        for (const port of [83, 8080]) assert.deepEqual(await seen(place, ["127.0.0.1"], port, 0.6), [failed], `${place.name} ${port}`);
        assert.deepEqual(await seen(place, [scene.host.address], 8080, 0.6), [failed], "published on the loopback only");
        within(place, "ip", "route", "del", "127.0.0.1/32");
        within(place, "ip", "route", "add", "local", "127.0.0.0/8", "dev", "lo", "src", "127.0.0.1", "table", "local");
      }
      run("sysctl", "-qw", "net.ipv4.conf.wan0.route_localnet=0");
    });

    test("flows of UDP follow a port that is published, moved and taken back", async () => {
      const [one, two] = [await network("br1", 1), await network("br2", 2)];
      const [a, c] = [await scene.container(one), await scene.container(two)];
      for (const place of [a, c]) await scene.serve(place, "udp/80");
      const targets = [`udp ${scene.host.address} 8100`, `udp ${scene.host.address6} 8100`];
      const ask = (from: Place) => scene.ask(from, targets, { sourcePort: 40_000 });
      const portsOf = (place: Place, count: number) =>
        Array.from({ length: count }, (_, index) =>
          both(place).map((address) => portTo(address, { protocol: "udp", hostPort: 8100 + index })),
        ).flat();
      await scene.serve(scene.host, "udp/8100");
      for (const count of [1, 70]) {
        assert.equal((await ask(outside))[0], outside.address, "the host's own program");
        const flows = (): string[] =>
          run("cat", "/proc/net/nf_conntrack")
            .split("\n")
            .filter((line) => line.includes("sport=40000 dport=8100"));
        assert.ok(flows().length === 2 && flows().every((line) => !line.includes("sport=80 ")));
        await scene.send(publish(table, portsOf(a, count)));
        await forgetFlows(scene.kernel, portsOf(a, count));
        assert.deepEqual(flows(), []);
        assert.deepEqual(await ask(outside), both(outside), flows().join("\n"));
        assert.ok(flows().length === 2 && flows().every((line) => line.includes("sport=80 ")), "the container");
        await scene.send(unpublish(table, portsOf(a, count)));
        await scene.send(publish(table, portsOf(c, count)));
        await forgetFlows(scene.kernel, portsOf(c, count));
        await ask(outside);
        assert.ok(
          flows().every((line) => line.includes(`src=${c.address} `) || line.includes("src=fd00:0002:")),
          flows().join("\n"),
        );
        await scene.send(unpublish(table, portsOf(c, count)));
        await forgetFlows(scene.kernel, portsOf(c, count));
        assert.deepEqual(flows(), []);
      }
    });

    test("the host does not become a router for others, unless it was one", async () => {
      const a = await scene.container(await network("br1", 1));
      await closed(other, [outside, 81]);
      assert.deepEqual(await seen(a, both(outside), 81), both(scene.host));
      await scene.reset({ ...noState, dropForeign: { 4: false, 6: true } });
      assert.deepEqual(await seen(other, both(outside), 81), [other.address, failed]);
    });

    test("publish mode input: the kernel sends on for containers and the host, not for other hosts", async () => {
      await scene.reset({ ...noState, publishMode: "input" });
      const [a, c] = [await scene.container(await network("br1", 1)), await scene.container(await network("br2", 2))];
      await scene.serve(a, everything(80));
      await scene.send(publish(table, published(a)));
      assert.deepEqual(await seen(c, both(scene.host), 8080), ["10.1.0.1", "fd00:1::1"]);
      assert.deepEqual(await seen(scene.host, ["127.0.0.1", scene.host.address6], 8080), ["10.1.0.1", scene.host.address6]);
      await closed(outside, [scene.host, 8080]);
    });
  });
});
