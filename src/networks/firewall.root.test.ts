/** The firewall on a real kernel, in a network namespace that plays the host. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { isolated } from "../../tools/isolate.mjs";
import { NamespaceKernel } from "../kernel/namespace-kernel.ts";
import {
  addNetwork,
  allowLinks,
  denyLinks,
  findPublished,
  inTable,
  isRelayed,
  publish,
  removeNetwork,
  replaceTable,
  unpublish,
} from "./firewall.ts";
import { noState, portTo, rulesOf, run, table } from "./firewall-scenery.ts";

const nft = (...args: string[]): string => run("nft", ...args);

const rules = `	chain guard {
		type filter hook prerouting priority raw; policy accept;
		iifname != "lo" ip daddr 127.0.0.0/8 drop
		iifname != "lo" ip saddr 127.0.0.0/8 drop
		iifname @bridges ip saddr @fellows4 ip daddr @fellows4 notrack
		iifname @bridges ip6 saddr @fellows6 ip6 daddr @fellows6 notrack
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		goto publish
	}

	chain output {
		type nat hook output priority -100; policy accept;
		goto publish
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname @bridges ip saddr @behind-nat4 ct status dnat masquerade
		oifname @bridges ip6 saddr @behind-nat6 ct status dnat masquerade
		oifname @bridges ip saddr 127.0.0.0/8 masquerade
		oifname @bridges return
		snat ip to ip saddr map @source4
		snat ip6 to ip6 saddr map @source6
		ip saddr @masquerade4 masquerade
		ip6 saddr @masquerade6 masquerade
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
		iifname . oifname vmap @same
		iifname @internal drop
		meta nfproto ipv4 oifname vmap @into4
		meta nfproto ipv6 oifname vmap @into6
		iifname @bridges accept
		meta nfproto ipv4 drop
		meta nfproto ipv6 drop
	}

	chain publish {
		ip6 saddr fe80::/16 return
		ip6 daddr ::1 return
		dnat ip to ip daddr . meta l4proto . th dport map @address-ports4
		dnat ip6 to ip6 daddr . meta l4proto . th dport map @address-ports6
		meta nfproto ipv4 fib daddr type local dnat ip to meta l4proto . th dport map @ports4
		meta nfproto ipv6 fib daddr type local dnat ip6 to meta l4proto . th dport map @ports6
	}

	chain apart {
		ct status dnat accept
		ip saddr . ip daddr . meta l4proto . th dport @links4 accept
		ip6 saddr . ip6 daddr . meta l4proto . th dport @links6 accept
		drop
	}

	chain published {
		ct status dnat accept
		iifname . oifname @trusted goto opened
		drop
	}

	chain routed {
		meta l4proto icmp accept
		meta l4proto ipv6-icmp accept
		goto opened
	}

	chain opened {
		ct status dnat accept
		ip daddr . meta l4proto . th dport @open4 accept
		ip6 daddr . meta l4proto . th dport @open6 accept
		drop
	}
}
`;

describe("the firewall in this kernel", { skip: isolated ? false : "needs root and namespaces" }, () => {
  describe("the table", { concurrency: false }, () => {
    let kernel: NamespaceKernel;
    const send = (message: Uint8Array): Promise<Uint8Array> => kernel.netlink(12, message);
    before(() => {
      kernel = new NamespaceKernel();
    });
    beforeEach(() => send(replaceTable(table, noState)));
    after(() => kernel[Symbol.asyncDispose]());

    test("its rules as nft reads them, and none more for networks, ports and links", async () => {
      const chainsOf = (text: string): string => text.slice(text.indexOf("\tchain guard"));
      assert.equal(chainsOf(nft("list", "ruleset")), rules);
      const networks = Array.from({ length: 20 }, (_, index) =>
        rulesOf(`br-${index}`, [`10.${index}.0.0/16`, `fd00:${index}::/64`], { icc: index % 2 === 0, internal: index % 3 === 0 }),
      );
      for (const network of networks) await send(addNetwork(table, network));
      const ports = networks.flatMap((_, index) => [
        portTo(`10.${index}.0.2`, { hostPort: index + 1 }),
        portTo(`fd00:${index}::2`, { hostPort: index + 1 }),
      ]);
      await send(publish(table, ports));
      await send(allowLinks(table, [{ from: "10.1.0.2", to: "10.1.0.3", protocol: "udp", port: 53 }]));
      assert.equal(chainsOf(nft("list", "ruleset")), rules);
    });

    test("networks, ports and links come and go, and leave nothing", async () => {
      const empty = nft("list", "ruleset");
      const network = rulesOf("br0", ["10.0.0.0/24", "fd00::/64"], { trustedInterfaces: ["eth0"], sourceAddress: { 4: "192.0.2.1" } });
      const ports = [portTo("10.0.0.2", { direct: true }), portTo("fd00::2", { hostAddress: "fd01::1", protocol: "udp" })];
      const links = [{ from: "10.0.0.2", to: "10.0.0.3", protocol: "tcp", port: 80 } as const];
      await send(addNetwork(table, network));
      await send(publish(table, ports));
      await send(allowLinks(table, links));
      assert.match(nft("list", "map", "inet", "berth", "address-ports6"), /fd01::1 \. udp \. 8080 : fd00::2 \. 80/);
      assert.match(nft("list", "map", "inet", "berth", "source4"), /10\.0\.0\.0\/24 : 192\.0\.2\.1/);
      assert.match(nft("list", "set", "inet", "berth", "open4"), /10\.0\.0\.2 \. tcp \. 80/);
      for (const port of ports) await send(findPublished(table, port));
      await send(denyLinks(table, links));
      await send(unpublish(table, ports));
      await send(removeNetwork(table, network));
      await assert.rejects(send(findPublished(table, portTo("10.0.0.2"))), { message: /errno 2/ });
      assert.equal(nft("list", "ruleset"), empty);
    });

    test("a thousand networks and ten thousand ports: one transaction, and changes that cost what they cost alone", async () => {
      const networks = Array.from({ length: 1000 }, (_, index) =>
        rulesOf(`br-${index}`, [`10.${index >> 4}.${(index & 15) << 4}.0/20`, `fd00:${index.toString(16)}::/64`], { icc: index % 2 === 0 }),
      );
      const ports = Array.from({ length: 10_000 }, (_, index) =>
        portTo(index % 2 === 0 ? `10.0.${index >> 8}.${index & 255}` : `fd00::${index.toString(16)}`, {
          hostPort: 1 + index,
          ...(index % 3 === 0 ? { hostAddress: index % 2 === 0 ? "192.0.2.1" : "2001:db8::1" } : {}),
        }),
      );
      const whole = replaceTable(table, { ...noState, networks: networks.slice(1), ports: ports.slice(100) });
      // The broker's socket takes 2 MiB at once.
      assert.ok(whole.length < 1.5 * 2 ** 20, `${whole.length} bytes`);
      const [network] = networks;
      assert.ok(network !== undefined);
      const changes = [
        addNetwork(table, network),
        publish(table, ports.slice(0, 100)),
        unpublish(table, ports.slice(0, 100)),
        removeNetwork(table, network),
      ];
      /** The least of several runs, in milliseconds, since others use the machine too. */
      const cost = async (): Promise<number[]> => {
        const least = changes.map(() => Number.POSITIVE_INFINITY);
        for (let round = 0; round < 5; round++) {
          for (const [index, change] of changes.entries()) {
            const start = performance.now();
            await send(change);
            least[index] = Math.min(least[index] ?? 0, performance.now() - start);
          }
        }
        return least;
      };
      const alone = await cost();
      const start = performance.now();
      await send(whole);
      const took = performance.now() - start;
      const among = await cost();
      const texts = [alone, among].map((costs) => costs.map((one) => one.toFixed(2)).join(" "));
      assert.ok(took < 2000, `the whole table in ${took} ms`);
      assert.ok(
        among.every((one, index) => one < 5 + 5 * (alone[index] ?? 0)),
        `alone ${texts[0]} ms, among many ${texts[1]} ms`,
      );
      assert.equal(nft("list", "map", "inet", "berth", "same").match(/br-/g)?.length, 2 * 999);
    });

    test("a port that the monitor passes on is none of the table's", () => {
      assert.ok(!inTable(portTo("10.0.0.2", { hostAddress: "::", relay: true })));
      assert.ok(!inTable(portTo("fd00::2", { hostAddress: "::1" })));
      const addresses = ["0.0.0.0", "192.0.2.1", "::", "::1", "fe80::1", "fd00::1"];
      assert.deepEqual(
        addresses.filter((hostAddress) => isRelayed(portTo("fd00::2", { hostAddress }))),
        ["::", "::1", "fe80::1"],
      );
      assert.throws(() => findPublished(table, portTo("10.0.0.2", { relay: true })), RangeError);
    });
  });
});
