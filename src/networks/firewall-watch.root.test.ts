/** The firewall among other programs that change the kernel's tables, on a real kernel. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isolated } from "../../tools/isolate.mjs";
import { type FirewallState, publish } from "./firewall.ts";
import { findNeighbours } from "./firewall-neighbours.ts";
import { noState, type Place, portTo, rulesOf, run, Scene, table } from "./firewall-scenery.ts";
import { FirewallWatch } from "./firewall-watch.ts";

const nft = (...args: string[]): string => run("nft", ...args);
const failed = "failed";

describe("the firewall among others", { skip: isolated ? false : "needs root and namespaces" }, () => {
  let scene: Scene;
  let outside: Place;
  let web: Place;
  let watch: FirewallWatch;
  let state: FirewallState;
  const rules = rulesOf("br1", ["10.1.0.0/24", "fd00:1::/64"]);
  /** Published, out, and between the host's neighbours. */
  const works = async (): Promise<string[]> => [
    ...(await scene.ask(outside, ["tcp 198.51.100.1 8080", "tcp 2001:db8:51::1 8080"])),
    ...(await scene.ask(web, ["tcp 198.51.100.9 81", "tcp 2001:db8:51::9 81"])),
  ];
  const newWatch = async (): Promise<void> => {
    watch = new FirewallWatch({ kernel: scene.kernel, table, state: () => state });
    await watch.install();
  };
  const allWorks = ["198.51.100.9", "2001:db8:51::9", "198.51.100.1", "2001:db8:51::1"];

  before(async () => {
    scene = await Scene.open();
    outside = await scene.neighbour("wan0", "198.51.100", "2001:db8:51");
    await scene.serve(outside, "tcp/81");
    await scene.reset();
    const network = await scene.network(rules);
    web = await scene.container(network);
    await scene.serve(web, "tcp/80");
  });
  beforeEach(async () => {
    nft("flush", "ruleset");
    state = { ...noState, networks: [rules], ports: [portTo(web.address), portTo(web.address6)] };
    await newWatch();
  });
  afterEach(async () => {
    await watch.close();
    assert.doesNotMatch(nft("list", "ruleset"), /berth/, "nothing of ours is left");
  });
  after(() => scene[Symbol.asyncDispose]());

  describe("the table", { concurrency: false }, () => {
    const changes: Record<string, () => void> = {
      "is flushed with all others": () => nft("flush", "ruleset"),
      "is deleted": () => nft("delete", "table", "inet", "berth"),
      "loses the rules of a chain": () => nft("flush", "chain", "inet", "berth", "published"),
      "gets a rule of somebody else's": () => nft("insert", "rule", "inet", "berth", "forward", "drop"),
      "is put back as it was once": () => {
        const saved = nft("list", "ruleset").replaceAll("8080", "8079");
        spawnSync("nft", ["-f", "-"], { input: `flush ruleset\n${saved}` });
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      test(`${what}, and is made anew as it is to be by now`, async () => {
        const more = portTo(web.address, { hostPort: 8090 });
        state = { ...state, ports: [...state.ports, more] };
        await scene.send(publish(table, [more]));
        assert.equal(await watch.look(), false, "elements are the room's own");
        const before = nft("list", "ruleset");
        change();
        assert.notEqual(nft("list", "ruleset"), before);
        watch.notice();
        for (let tries = 0; tries < 40 && nft("list", "ruleset") !== before; tries++) await sleep(25);
        assert.equal(nft("list", "ruleset"), before);
        assert.equal(await watch.look(), false);
        assert.deepEqual(await works(), allWorks);
      });
    }

    test("is left alone by a watch that has been stopped", async () => {
      watch.stop();
      nft("flush", "ruleset");
      watch.notice();
      await sleep(200);
      assert.equal(nft("list", "ruleset"), "");
      assert.equal(await watch.look(), false);
      await newWatch();
    });
  });

  describe("another firewall", { concurrency: false }, () => {
    const dropsAll = (): void => {
      for (const family of ["ip", "ip6"])
        nft(`add table ${family} filter; add chain ${family} filter FORWARD { type filter hook forward priority 0; policy drop; }`);
    };

    test("whose FORWARD drops lets our packets pass, and those only; also when it has been reloaded", async () => {
      dropsAll();
      assert.deepEqual(await works(), [failed, failed, failed, failed]);
      assert.equal(await watch.look(), true, "with marks");
      assert.deepEqual(await works(), allWorks);
      const once = nft("list", "ruleset");
      assert.equal(await watch.look(), false);
      assert.equal(nft("list", "ruleset"), once);
      nft("flush", "table", "ip", "filter");
      assert.equal(await watch.look(), false);
      assert.deepEqual(await works(), allWorks);
      assert.match(nft("list", "table", "ip", "filter"), /meta mark & 0x08000000 == 0x08000000 accept comment "berth"/);
      // What its owner forbids stays forbidden.
      nft("insert", "rule", "ip", "filter", "FORWARD", "tcp", "dport", "80", "drop");
      assert.deepEqual(await works(), [failed, ...allWorks.slice(1)]);
      nft("delete", "table", "ip", "filter");
      nft("delete", "table", "ip6", "filter");
      assert.equal(await watch.look(), true, "without marks");
      assert.doesNotMatch(nft("list", "ruleset"), /mark/);
    });

    test("is left as it was when the daemon ends", async () => {
      dropsAll();
      const before = nft("list", "table", "ip", "filter");
      await watch.look();
      assert.notEqual(nft("list", "table", "ip", "filter"), before);
      await watch.close();
      assert.equal(nft("list", "table", "ip", "filter"), before);
      await newWatch();
    });

    test("a table of nft's that drops is not touched", async () => {
      nft("add table inet site; add chain inet site forward { type filter hook forward priority 0; policy drop; }");
      const before = nft("list", "table", "inet", "site");
      assert.equal(await watch.look(), false);
      assert.equal(nft("list", "table", "inet", "site"), before);
    });

    test("iptables shows the rule in its own words", { skip: spawnSync("iptables-nft", ["-V"]).status !== 0 }, async () => {
      run("iptables-nft", "-P", "FORWARD", "DROP");
      await watch.look();
      assert.match(
        run("iptables-nft", "-S", "FORWARD"),
        /-A FORWARD -m mark --mark 0x8000000\/0x8000000 -m comment --comment berth -j ACCEPT/,
      );
      run("iptables-nft", "-A", "FORWARD", "-s", "192.0.2.0/24", "-j", "DROP");
      run("iptables-nft", "-D", "FORWARD", "-s", "192.0.2.0/24", "-j", "DROP");
    });

    test("rules of the old iptables are known to be there", { skip: spawnSync("iptables-legacy", ["-V"]).status !== 0 }, async () => {
      assert.equal((await findNeighbours(scene.kernel, table)).legacy, false);
      // In this namespace its table comes with the first look, and stays.
      run("iptables-legacy", "-L", "-n");
      assert.equal((await findNeighbours(scene.kernel, table)).legacy, true);
    });

    test("a Docker that comes after us keeps its bridges", async () => {
      const docker = await scene.network(rulesOf("docker0", ["10.9.0.0/24"]));
      const [one, two] = [await scene.container(docker), await scene.container(docker)];
      await scene.serve(two, "tcp/80");
      // Its bridge is none of ours in the table's state.
      await watch.close();
      await newWatch();
      assert.deepEqual(await scene.ask(one, ["tcp 198.51.100.9 81"]), [failed]);
      nft(
        "add table ip filter; add chain ip filter DOCKER-USER; add table ip nat; add chain ip nat POSTROUTING { type nat hook postrouting priority 100; }",
      );
      nft("add", "rule", "ip", "nat", "POSTROUTING", "ip", "saddr", "10.9.0.0/24", "masquerade");
      assert.equal(await watch.look(), true);
      assert.deepEqual(await scene.ask(one, ["tcp 198.51.100.9 81"]), ["198.51.100.1"]);
      assert.deepEqual(await works(), allWorks);
      // Its isolation is its own: what it would drop of ours is not let through.
      assert.deepEqual(await scene.ask(web, [`tcp ${two.address} 80`]), ["10.9.0.1"], "its FORWARD accepts");
      nft("add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }");
      nft("add rule ip filter FORWARD iifname docker0 accept; add rule ip filter FORWARD ct state established accept");
      assert.equal(await watch.look(), true);
      assert.deepEqual(await scene.ask(web, [`tcp ${two.address} 80`]), [failed]);
      assert.deepEqual(await scene.ask(one, ["tcp 198.51.100.9 81", `tcp ${web.address} 80`]), ["198.51.100.1", failed]);
      assert.deepEqual(await works(), allWorks);
    });
  });
});
