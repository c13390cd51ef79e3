/** Berth's networks beside other users of the firewall: somebody who flushes it, and Docker with its iptables rules. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type CommandOptions, command, Daemon, eventually, type Result } from "../daemon.ts";
import { importProbe, netProbe, Probes } from "../net-probe.ts";
import { networkState } from "../network-state.ts";
import { closeWith, OtherHost } from "../other-host.ts";

const tables = (): string[] => execFileSync("nft", ["list", "tables"], { encoding: "utf8" }).split("\n").filter(Boolean);
const others = (list: readonly string[]): string[] => list.filter((line) => !/ berth/.test(line));
/** Only where nobody else has a firewall: what we flush or what dockerd adds is to be no loss to the host. */
const occupied = others(tables()).length > 0 ? "the host has a firewall of its own" : false;
const withoutDocker = spawnSync("dockerd", ["--version"]).status === 0 ? occupied : "dockerd is not installed";

describe("a firewall that is flushed", { skip: occupied }, () => {
  let daemon: Daemon;
  let probes: Probes;
  let other: OtherHost;
  before(async () => {
    other = await OtherHost.join(1);
    await other.routeThroughHost();
    daemon = await Daemon.start();
    probes = new Probes(daemon);
    await importProbe(daemon);
    await daemon.ok("network", "create", "--ipv6", "one");
    await daemon.ok("network", "create", "two");
    await probes.serve("web", ["--network", "one", "-p", "18701:80"]);
    await probes.serve("twin", ["--network", "two"]);
  });
  after(() => closeWith(daemon, [other]));

  const repairs: Readonly<Record<string, readonly string[]>> = {
    "nft flush ruleset": ["flush", "ruleset"],
    "nft delete table": ["delete", "table", "inet"],
    "nft flush table": ["flush", "table", "inet"],
  };
  for (const [name, words] of Object.entries(repairs))
    test(`${name}: repaired at once`, async () => {
      assert.match((await probes.ask(other, "tcp", other.hostAddress, 18701)) ?? "none", new RegExp(`^web ${other.address} `));
      const before = networkState();
      const ours =
        tables()
          .find((line) => / berth/.test(line))
          ?.split(" ")
          .at(-1) ?? "";
      execFileSync("nft", [words.length === 2 ? words.join(" ") : [...words, ours].join(" ")]);
      await eventually(
        "the published port",
        async () => (await probes.ask(other, "tcp", other.hostAddress, 18701, 300)) ?? undefined,
        2000,
      );
      await eventually(
        "the whole firewall",
        async () => {
          try {
            assert.deepEqual(networkState(), before);
            return true;
          } catch {
            return undefined;
          }
        },
        2000,
      );
      assert.equal(await probes.ask("twin", "tcp", await probes.address("web", "one"), 80, 700), undefined, "networks are apart again");
      assert.match((await probes.ask(other, "tcp", other.hostAddress6, 18701)) ?? "none", new RegExp(`^web ${other.address6} `));
    });

  test("a flush while containers start and end", async () => {
    for (let round = 0; round < 5; round++) {
      const runs = Array.from({ length: 4 }, (_, index) =>
        daemon.docker(["run", "--rm", "--network", "one", "-p", `1871${index}:80`, "probe", "true"]),
      );
      execFileSync("nft", ["flush", "ruleset"]);
      for (const { status, stderr } of await Promise.all(runs)) assert.equal(status, 0, stderr);
    }
    await eventually("the published port", async () => (await probes.ask(other, "tcp", other.hostAddress, 18701, 300)) ?? undefined, 3000);
    assert.equal(
      networkState()["ruleset"]?.some((line) => /1871\d/.test(line)),
      false,
    );
  });
});

/** dockerd with its default firewall, in this network namespace. */
class Docker implements AsyncDisposable {
  readonly #roots = [mkdtempSync("/var/tmp/berth-test-docker-"), mkdtempSync("/run/berth-test-docker-")] as const;
  #child: ChildProcess | undefined;

  async start(): Promise<void> {
    const [data, run] = this.#roots;
    const words = ["--data-root", data, "--exec-root", run, "--pidfile", `${run}/d.pid`, "-H", `unix://${run}/d.sock`, "-l", "error"];
    execFileSync("sh", [
      "-ec",
      "ip link add dockertest0 type bridge && ip addr add 10.250.0.1/24 dev dockertest0 && ip link set dockertest0 up",
    ]);
    this.#child = spawn("dockerd", [...words, "--bridge", "dockertest0", "--default-address-pool", "base=10.251.0.0/16,size=24"], {
      stdio: "ignore",
    });
    await eventually("dockerd", async () => (await this.run(["version"])).status === 0 || undefined, 30_000);
  }

  run(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
    return command("docker", args, { ...options, env: { DOCKER_HOST: `unix://${this.#roots[1]}/d.sock` } });
  }

  async ok(...args: string[]): Promise<string> {
    const result = await this.run(args);
    assert.equal(result.status, 0, `Docker's docker ${args.join(" ")}: ${result.stderr}`);
    return result.stdout.trim();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
    execFileSync("ip", ["link", "del", "dockertest0"]);
  }

  /** Ends it, and takes away the rules, bridges and mounts that dockerd leaves behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child?.exitCode === null) {
      const containers = (await this.run(["ps", "-aq"])).stdout.split("\n").filter(Boolean);
      if (containers.length > 0) await this.run(["rm", "-f", ...containers]);
      await this.run(["network", "prune", "-f"]);
    }
    await this.stop();
    for (const table of others(tables())) execFileSync("nft", ["delete", ...table.split(" ")]);
    for (const root of this.#roots) {
      execFileSync("sh", ["-c", 'grep -o " $1/[^ ]*" /proc/self/mounts | sort -r | xargs -r umount -l', "sh", root]);
      rmSync(root, { recursive: true, force: true });
    }
  }
}

describe("Docker beside Berth", { skip: withoutDocker }, () => {
  for (const order of ["Docker first", "Berth first"])
    test(`${order}: containers of both have networks and published ports, and either goes without the other`, async () => {
      await using other = await OtherHost.join(1);
      await other.routeThroughHost();
      other.start(netProbe(), "serve", "80");
      await using docker = new Docker();
      if (order === "Docker first") await docker.start();
      const daemon = await Daemon.start();
      try {
        if (order === "Berth first") await docker.start();
        await bothWork(daemon, docker, other);
        // Where it was there before us, it has to be there still when we look what we have left.
        if (order === "Berth first") await stopDocker(daemon, docker, other);
      } finally {
        await docker.run(["rm", "-f", "theirs", "theirs2"]);
        await docker.run(["network", "rm", "theirs-net"]);
        if (order === "Berth first") await docker[Symbol.asyncDispose]();
        await closeWith(daemon, []);
      }
    });

  async function oursWork(probes: Probes, other: OtherHost): Promise<void> {
    for (const [name, port] of [
      ["ours", 18721],
      ["ours2", 18722],
    ] as const) {
      assert.match(
        (await probes.ask(other, "tcp", other.hostAddress, port)) ?? "none",
        new RegExp(`^${name} ${other.address} `),
        "published by us",
      );
      assert.match((await probes.ask(undefined, "tcp", "127.0.0.1", port)) ?? "none", new RegExp(`^${name} `));
      assert.match((await probes.ask(name, "tcp", other.address)) ?? "none", / 198\.18\./, `${name} gets out`);
    }
  }

  async function bothWork(daemon: Daemon, docker: Docker, other: OtherHost): Promise<void> {
    const probes = new Probes(daemon);
    await importProbe(daemon);
    const file = mkdtempSync("/var/tmp/berth-test-image-");
    await daemon.ok("save", "-o", `${file}/tar`, "probe");
    await docker.ok("load", "-i", `${file}/tar`);
    rmSync(file, { recursive: true });
    await daemon.ok("network", "create", "ours-net");
    await docker.ok("network", "create", "theirs-net");
    await probes.serve("ours", ["-p", "18721:80"]);
    await probes.serve("ours2", ["--network", "ours-net", "-p", "18722:80"]);
    await docker.ok("run", "-d", "--name", "theirs", "-p", "18723:80", "probe", "net-probe", "serve", "80");
    await docker.ok("run", "-d", "--name", "theirs2", "--network", "theirs-net", "-p", "18724:80", "probe", "net-probe", "serve", "80");
    await sleep(500);

    const theirsWork = async (): Promise<void> => {
      for (const [name, port] of [
        ["theirs", 18723],
        ["theirs2", 18724],
      ] as const) {
        assert.match(
          (await probes.ask(other, "tcp", other.hostAddress, port)) ?? "none",
          new RegExp(` ${other.address} `),
          "published by Docker",
        );
        const out = await docker.run(["exec", name, "net-probe", "ask", "tcp", other.address, "80"]);
        assert.match(out.stdout, / 198\.18\./, `${name} gets out: ${out.stderr}`);
      }
    };
    await oursWork(probes, other);
    await theirsWork();
    // Docker's containers do not reach ours; the other way round it is Docker's rules that say so, where it has any.
    const ours = await probes.address("ours", "bridge");
    assert.equal((await docker.run(["exec", "theirs", "net-probe", "ask", "tcp", ours, "80", "700"])).status, 1);

    await daemon.kill("SIGTERM");
    await theirsWork();
    await daemon.restart();
    await oursWork(probes, other);
  }

  async function stopDocker(daemon: Daemon, docker: Docker, other: OtherHost): Promise<void> {
    await docker.ok("rm", "-f", "theirs", "theirs2");
    await docker.ok("network", "rm", "theirs-net");
    await docker.stop();
    await oursWork(new Probes(daemon), other);
  }
});
