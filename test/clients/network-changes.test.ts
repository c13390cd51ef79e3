/** Networks that a running container joins and leaves, while what it has on another one goes on. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { command, Daemon, eventually } from "../daemon.ts";
import { importProbe, netProbe, Probes } from "../net-probe.ts";
import { closeWith, OtherHost } from "../other-host.ts";

describe("joining and leaving networks", () => {
  let daemon: Daemon;
  let probes: Probes;
  let other: OtherHost;
  before(async () => {
    other = await OtherHost.join(1);
    await other.routeThroughHost();
    daemon = await Daemon.start();
    probes = new Probes(daemon);
    await importProbe(daemon);
    for (const name of ["one", "two", "three"]) await daemon.ok("network", "create", name);
  });
  after(() => closeWith(daemon, [other]));

  /** Lines that a container's stream has got, and the longest silence in ms. */
  async function streamed(name: string): Promise<[lines: number, gapMs: number]> {
    const [lines = 0, gap = 0] = ((await daemon.ok("logs", "--tail", "1", name)).split("\n").at(-1) ?? "").split(" ").map(Number);
    return [lines, gap];
  }

  test("a stream on one network notices nothing of the others, also of its published port's", async () => {
    const source = ["-d", "--name", "source", "--network", "one", "-p", "18401:90", "probe", "net-probe", "stream-serve", "90"];
    await daemon.ok("run", ...source);
    await probes.ready("source");
    const stream = ["net-probe", "stream", await probes.address("source", "one"), "90"];
    await daemon.ok("run", "-d", "--name", "sink", "--network", "one", "probe", ...stream);
    await probes.serve("far", ["--network", "two"]);
    const outside = other.start(netProbe(), "stream", other.hostAddress, "18401");
    let last = "";
    outside.stdout?.on("data", (chunk) => (last = String(chunk).trim().split("\n").at(-1) ?? last));
    const before = await eventually("the stream flows", async () => {
      const [lines, gap] = await streamed("sink");
      return lines > 0 && last !== "" ? ([lines, gap] as const) : undefined;
    });
    for (let round = 0; round < 10; round++) {
      for (const name of ["source", "sink"]) for (const network of ["two", "three"]) await daemon.ok("network", "connect", network, name);
      assert.equal(await probes.byName("sink", "far"), "far");
      assert.match((await daemon.docker(["exec", "far", "nslookup", "-type=a", "sink"])).stdout, /Address: \d/);
      for (const name of ["source", "sink"])
        for (const network of ["two", "three"]) await daemon.ok("network", "disconnect", network, name);
      assert.equal(await probes.byName("sink", "far"), undefined);
    }
    await sleep(300);
    const [lines, gap] = await streamed("sink");
    assert.ok(lines > before[0] + 500, `${lines} lines after ${before[0]}`);
    assert.ok(gap < 500, `it was silent for ${gap} ms`);
    const [outsideLines = 0, outsideGap = 0] = last.split(" ").map(Number);
    assert.ok(outsideLines > 500 && outsideGap < 500, `from outside: ${last}`);
    assert.equal(outside.exitCode, null);
    await daemon.ok("rm", "-f", "source", "sink", "far");
  });

  test("each interface comes with its addresses and goes with its routes and names", async () => {
    await probes.serve("walker", ["--network", "one"]);
    const links = (): Promise<string> => daemon.ok("exec", "walker", "sh", "-c", "ls /sys/class/net | grep eth | tr '\\n' ' '");
    const alone = await daemon.ok("exec", "walker", "sh", "-c", "ip route; cat /etc/hosts");
    await daemon.ok("network", "connect", "--alias", "wanderer", "two", "walker");
    assert.equal(await links(), "eth0 eth1");
    const routes = await daemon.ok("exec", "walker", "ip", "route");
    assert.ok(routes.includes(await probes.pool("two", "Subnet")));
    assert.match(await daemon.ok("exec", "walker", "cat", "/etc/hosts"), new RegExp(`^${await probes.address("walker", "two")}\\s`, "m"));
    await daemon.ok("network", "disconnect", "two", "walker");
    assert.equal(await links(), "eth0");
    assert.equal(await daemon.ok("exec", "walker", "sh", "-c", "ip route; cat /etc/hosts"), alone);
    assert.equal(await probes.address("walker", "two"), "");
    const ofTwo = await daemon.ok("network", "inspect", "-f", "{{len .Containers}}", "two");
    assert.equal(ofTwo, "0");
    await daemon.ok("rm", "-f", "walker");
  });

  test("without any network it is reached by nobody; with one again, as before", async () => {
    await probes.serve("hermit", ["--network", "one", "-p", "18402:80"]);
    await daemon.ok("network", "disconnect", "one", "hermit");
    assert.equal(await probes.ask(other, "tcp", other.hostAddress, 18402, 700), undefined);
    assert.equal(await daemon.ok("exec", "hermit", "sh", "-c", "ls /sys/class/net"), "lo");
    await daemon.ok("network", "connect", "two", "hermit");
    assert.match((await probes.ask(other, "tcp", other.hostAddress, 18402)) ?? "none", new RegExp(`^hermit ${other.address} `));
    await daemon.ok("rm", "-f", "hermit");
  });

  test("a stopped container joins and leaves; what it starts with is what was asked last", async () => {
    await daemon.ok("create", "--name", "later", "--network", "one", "probe", "sleep", "1000");
    await daemon.ok("network", "connect", "two", "later");
    await daemon.ok("network", "connect", "--alias", "third", "three", "later");
    await daemon.ok("network", "disconnect", "two", "later");
    await daemon.ok("start", "later");
    const networks = "{{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{end}}";
    assert.equal(await daemon.ok("inspect", "-f", networks, "later"), "one three");
    assert.equal(await daemon.ok("exec", "later", "sh", "-c", "ls /sys/class/net | grep -c eth"), "2");
    await daemon.ok("rm", "-f", "later");
  });

  test("a name that many have is answered with all of them, in turns", async () => {
    for (const name of ["m1", "m2", "m3"]) await probes.serve(name, ["--network", "one", "--network-alias", "many"]);
    await daemon.ok("run", "-d", "--name", "asker", "--network", "one", "probe", "sleep", "1000");
    const lookUp = async (): Promise<string[]> =>
      [...(await daemon.ok("exec", "asker", "nslookup", "-type=a", "many")).matchAll(/^Address: ([\d.]+)$/gm)].map(
        ([, address = ""]) => address,
      );
    const addresses = await Promise.all(["m1", "m2", "m3"].map((name) => probes.address(name, "one")));
    assert.deepEqual((await lookUp()).sort(), addresses.sort());
    const first = new Set<string | undefined>();
    for (let round = 0; round < 12; round++) first.add((await lookUp())[0]);
    assert.ok(first.size > 1, "not always the same one first");
    await daemon.ok("network", "disconnect", "one", "m2");
    assert.equal((await lookUp()).length, 2);
    await daemon.ok("rm", "-f", "m1");
    assert.equal((await lookUp()).length, 1);
    await daemon.ok("rm", "-f", "m2", "m3", "asker");
  });

  test("a network that is in use stays", async () => {
    await daemon.ok("run", "-d", "--name", "user", "--network", "three", "probe", "sleep", "1000");
    const refused = await daemon.docker(["network", "rm", "three"]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /network three has active endpoints|has active endpoints/);
    await daemon.ok("network", "disconnect", "-f", "three", "user");
    await daemon.ok("network", "rm", "three");
    await daemon.ok("network", "create", "three");
    await daemon.ok("rm", "-f", "user");
    assert.equal((await command("sh", ["-c", "ip -o link show type bridge | grep -c ': br-'"])).stdout.trim(), "3");
  });
});
