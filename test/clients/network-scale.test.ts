/** Many containers, networks and ports at once: all there, all reachable, and gone again. Times are bench/networks.ts's. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { ask } from "../ask.ts";
import { Daemon, eventually } from "../daemon.ts";
import { importProbe, Probes } from "../net-probe.ts";
import { closeWith, OtherHost } from "../other-host.ts";

interface Created {
  readonly Id: string;
}

interface NetworkView extends Created {
  readonly Name: string;
  readonly IPAM: { readonly Config: readonly { readonly Subnet: string }[] };
  readonly Containers: Readonly<Record<string, { readonly IPv4Address: string }>>;
}

describe("many at once", () => {
  let daemon: Daemon;
  let probes: Probes;
  let other: OtherHost;
  before(async () => {
    other = await OtherHost.join(1);
    await other.routeThroughHost();
    daemon = await Daemon.start();
    probes = new Probes(daemon);
    await importProbe(daemon);
  });
  after(() => closeWith(daemon, [other]));

  /** A call of the API that must succeed, and its answer. */
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await ask(daemon, method, `/v1.51${path}`, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body as T;
  }

  /** Work on each of `count` numbers, `atOnce` at a time. */
  async function forEach(count: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) await work(next++);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }

  const bridges = (): number =>
    execFileSync("ip", ["-o", "link", "show", "type", "bridge"], { encoding: "utf8" })
      .split("\n")
      .filter((line) => /: br-/.test(line)).length;

  async function run(name: string, body: object): Promise<void> {
    const { Id } = await call<Created>("POST", `/containers/create?name=${name}`, { Image: "probe", Cmd: ["sleep", "1000"], ...body });
    await call("POST", `/containers/${Id}/start`);
  }

  test("100 containers started at once on one network have each its own address, and all find each other", async () => {
    await daemon.ok("network", "create", "crowd");
    await forEach(100, 100, (index) => run(`c${index}`, { HostConfig: { NetworkMode: "crowd" } }));
    const { Containers: members } = await call<NetworkView>("GET", "/networks/crowd");
    const addresses = new Map(Object.entries(members).map(([id, { IPv4Address }]) => [id, IPv4Address]));
    assert.equal(addresses.size, 100);
    assert.equal(new Set(addresses.values()).size, 100);
    const script = `for i in $(seq 0 99); do printf "c$i "; nslookup -type=a c$i | sed -n 's/^Address: //p' | tail -n 1; done`;
    const found = new Map(
      (await daemon.ok("exec", "c57", "sh", "-c", script)).split("\n").map((line) => line.split(" ") as [string, string]),
    );
    assert.equal(found.size, 100);
    for (let index = 0; index < 100; index++) assert.equal(found.get(`c${index}`), await probes.address(`c${index}`, "crowd"), `c${index}`);
    const reachable = `for a in ${[...found.values()].join(" ")}; do ping -q -c 1 -W 2 $a >/dev/null && echo $a; done | wc -l`;
    assert.equal(await daemon.ok("exec", "c3", "sh", "-c", reachable), "100");
    const names = Array.from({ length: 100 }, (_, index) => `c${index}`);
    await Promise.all(names.map((name) => call("DELETE", `/containers/${name}?force=1`)));
    assert.deepEqual((await call<NetworkView>("GET", "/networks/crowd")).Containers, {});
    await daemon.ok("network", "rm", "crowd");
  });

  test("300 networks, each with its own subnet, one of them in use as the first would be", async () => {
    const before = bridges();
    await forEach(300, 8, async (index) => void (await call("POST", "/networks/create", { Name: `net${index}` })));
    const all = (await call<NetworkView[]>("GET", "/networks")).filter(({ Name }) => /^net\d/.test(Name));
    assert.equal(all.length, 300);
    assert.equal(new Set(all.map(({ IPAM }) => IPAM.Config[0]?.Subnet)).size, 300);
    await probes.serve("last", ["--network", "net299", "-p", "18501:80"]);
    await probes.serve("mate", ["--network", "net299"]);
    await probes.serve("stranger", ["--network", "net150"]);
    assert.equal(await probes.byName("mate", "last"), "last");
    assert.match((await probes.ask(other, "tcp", other.hostAddress, 18501)) ?? "none", new RegExp(`^last ${other.address} `));
    assert.equal(await probes.ask("stranger", "tcp", await probes.address("last", "net299"), 80, 700), undefined);
    await daemon.ok("rm", "-f", "last", "mate", "stranger");
    await forEach(300, 8, async (index) => void (await call("DELETE", `/networks/net${index}`)));
    assert.equal(bridges(), before);
  });

  test("1,000 published ports of one container", async () => {
    await probes.serve("wide", ["-p", "19000-19999:2000-2999"], "2000-2999");
    const ports = Array.from({ length: 1000 }, (_, index) => 19_000 + index);
    const answers = await Promise.all(
      ports
        .filter((port) => port % 37 === 0 || port === 19_000 || port === 19_999)
        .map((port) => probes.ask(other, "tcp", other.hostAddress, port)),
    );
    for (const answer of answers) assert.match(answer ?? "none", new RegExp(`^wide ${other.address} `));
    assert.match((await probes.ask(other, "udp", other.hostAddress, 19_500, 700)) ?? "none", /^none$/, "TCP alone is published");
    assert.match((await probes.ask(undefined, "tcp", "::1", 19_777)) ?? "none", /^wide /);
    assert.equal((await daemon.ok("port", "wide")).split("\n").filter((line) => line.includes("0.0.0.0:")).length, 1000);
    await daemon.ok("restart", "-t", "0", "wide");
    const again = await eventually("the server", () => probes.ask(other, "tcp", other.hostAddress, 19_999));
    assert.match(again, new RegExp(`^wide ${other.address} `));
    await daemon.ok("rm", "-f", "wide");
    await daemon.ok("run", "--rm", "-p", "19000-19999:2000-2999", "probe", "true");
  });

  test("more than 1,000 networks out of the default pools, also over a restart of the daemon", async () => {
    const before = bridges();
    const count = 1010;
    await forEach(count, 8, async (index) => void (await call("POST", "/networks/create", { Name: `pool${index}` })));
    const subnets = async (): Promise<string[]> =>
      (await call<NetworkView[]>("GET", "/networks"))
        .filter(({ Name }) => Name.startsWith("pool"))
        .map(({ Name, IPAM }) => `${Name} ${IPAM.Config[0]?.Subnet}`)
        .sort();
    const had = await subnets();
    assert.equal(had.length, count);
    assert.equal(new Set(had.map((line) => line.split(" ")[1])).size, count);
    await daemon.kill("SIGKILL");
    await daemon.restart();
    assert.deepEqual(await subnets(), had);
    assert.equal(bridges(), before + count);
    await probes.serve("deep", ["--network", `pool${count - 1}`, "-p", "18502:80"]);
    assert.match((await probes.ask(other, "tcp", other.hostAddress, 18502)) ?? "none", /^deep /);
    await daemon.ok("rm", "-f", "deep");
    await forEach(count, 8, async (index) => void (await call("DELETE", `/networks/pool${index}`)));
    assert.equal(bridges(), before);
  });
});
