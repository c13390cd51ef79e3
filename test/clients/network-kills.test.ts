/**
 * The daemon is killed while networks are made, joined and left. What runs goes on as if nothing were; each change is
 * there as before it or as after it; and nothing is left on the host.
 */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { failpointVariable } from "../../src/base/failpoint.ts";
import { ask } from "../ask.ts";
import { command, Daemon, eventually, hostState } from "../daemon.ts";
import { importProbe, netProbe, Probes } from "../net-probe.ts";
import { networkState } from "../network-state.ts";
import { closeWith, OtherHost } from "../other-host.ts";

const seed = Number(process.env["BERTH_TEST_SEED"] ?? 20);
/** A packet lost or a table gone for a moment shows as a retransmission, 200 ms at least; a busy machine takes some, too. */
const longestGapMs = 1500;

interface Step {
  readonly places: readonly string[];
  /** Commands that are to succeed first. */
  readonly before: readonly (readonly string[])[];
  readonly command: readonly string[];
  /** Networks that `it` may be in afterwards, or "none". */
  readonly outcomes: RegExp;
}

const run = ["run", "-d", "--name", "it", "--hostname", "it", "--network", "here", "-p", "18601:80", "probe", "net-probe", "serve", "80"];
const steps: Readonly<Record<string, Step>> = {
  connect: {
    places: ["connect.recorded", "change.held", "change.linked", "change.inside", "connect.changed", "connect.settled"],
    before: [run],
    command: ["network", "connect", "--alias", "alias", "there", "it"],
    outcomes: /^here( there)?$/,
  },
  disconnect: {
    places: ["disconnect.recorded", "disconnect.changed", "disconnect.settled"],
    before: [run, ["network", "connect", "there", "it"]],
    command: ["network", "disconnect", "there", "it"],
    outcomes: /^here( there)?$/,
  },
  "disconnect of the one with the port": {
    places: ["disconnect.recorded", "change.held", "change.linked", "change.inside", "disconnect.changed", "disconnect.settled"],
    before: [run, ["network", "connect", "there", "it"]],
    command: ["network", "disconnect", "here", "it"],
    outcomes: /^(here )?there$/,
  },
  "start on two networks": {
    places: [
      "start.attached",
      "launch.forked",
      "launch.prepared",
      "launch.cloned",
      "launch.network",
      "launch.ready",
      "start.launched",
      "start.recorded",
    ],
    before: [
      ["create", ...run.slice(2)],
      ["network", "connect", "there", "it"],
    ],
    command: ["start", "it"],
    outcomes: /^(here there|none)$/,
  },
  "network create": { places: ["network.created"], before: [], command: ["network", "create", "made"], outcomes: /^none$/ },
  "network rm": {
    places: ["network.removed"],
    before: [["network", "create", "made"]],
    command: ["network", "rm", "made"],
    outcomes: /^none$/,
  },
};

describe("networks and kill -9", () => {
  let daemon: Daemon;
  let probes: Probes;
  let other: OtherHost;
  let outside: ChildProcess;
  let heard = "0 0";
  let untouched: Record<string, string[]>;
  before(async () => {
    other = await OtherHost.join(1);
    await other.routeThroughHost();
    daemon = await Daemon.start();
    probes = new Probes(daemon);
    await importProbe(daemon);
    for (const name of ["here", "there", "witness"]) await daemon.ok("network", "create", name);
    const source = ["-d", "--name", "source", "--network", "witness", "-p", "18602:90", "probe", "net-probe", "stream-serve", "90"];
    await daemon.ok("run", ...source);
    await probes.ready("source");
    const address = await probes.address("source", "witness");
    await daemon.ok("run", "-d", "--name", "sink", "--network", "witness", "probe", "net-probe", "stream", address, "90");
    await daemon.ok("run", "-d", "--name", "pinger", "--network", "witness", "probe", "ping", "-i", "0.1", other.address);
    outside = other.start(netProbe(), "stream", other.hostAddress, "18602");
    outside.stdout?.on("data", (chunk) => (heard = String(chunk).trim().split("\n").at(-1) ?? heard));
    await probes.serve("peer", ["--network", "there"]);
    untouched = left();
  });
  after(() => closeWith(daemon, [other]));

  function left(): Record<string, string[]> {
    const state = hostState();
    return {
      ...state,
      ...networkState(),
      sockets: readdirSync(`${daemon.execRoot}/monitors`).sort(),
      directories: readdirSync(`${daemon.dataRoot}/containers`).sort(),
      // The broker comes and goes with the daemon.
      processes: (state["processes"] ?? []).filter((line) => !/berth-(broker|worker)/.test(line)),
    };
  }

  /** Removes everything but the witnesses, and looks whether the host is as it was. */
  async function assertClean(): Promise<void> {
    const names = (await daemon.ok("ps", "-a", "--format", "{{.Names}}")).split("\n");
    const mine = names.filter((name) => !["source", "sink", "pinger", "peer"].includes(name));
    if (mine.length > 0) await daemon.ok("rm", "-f", ...mine);
    const networks = (await daemon.ok("network", "ls", "--filter", "type=custom", "--format", "{{.Name}}")).split("\n");
    const made = networks.filter((name) => !["here", "there", "witness"].includes(name));
    if (made.length > 0) await daemon.ok("network", "rm", ...made);
    let problem: unknown;
    await eventually(
      "a clean host",
      async () => {
        try {
          assert.deepEqual(left(), untouched);
          return true;
        } catch (error) {
          problem = error;
          return undefined;
        }
      },
      5000,
    ).catch(() => {
      throw problem;
    });
  }

  /** A line that is written meanwhile may come as a second one. */
  const lastLine = async (name: string): Promise<string> => (await daemon.ok("logs", "--tail", "1", name)).split("\n").at(-1) ?? "";
  let lines = [0, 0, 0];
  /** All streams flow, have flown since the last time, and were never silent for long. */
  async function assertFlowing(): Promise<void> {
    const [sunk = 0, sunkGap = 0] = (await lastLine("sink")).split(" ").map(Number);
    const [got = 0, gotGap = 0] = heard.split(" ").map(Number);
    const pinged = Number(/seq=(\d+)/.exec(await lastLine("pinger"))?.[1]);
    const now = [sunk, got, pinged];
    for (const [index, count] of now.entries())
      assert.ok(count > (lines[index] ?? 0), `${["sink", "outside", "pinger"][index]}: ${count} after ${lines}`);
    assert.ok(sunkGap < longestGapMs, `silence between containers of ${sunkGap} ms`);
    assert.ok(gotGap < longestGapMs, `silence at the published port of ${gotGap} ms`);
    assert.equal(outside.exitCode, null);
    lines = now;
  }

  async function networksOf(name: string): Promise<string> {
    const format = "{{.State.Running}} {{range $name, $network := .NetworkSettings.Networks}}{{$name}} {{end}}";
    const result = await daemon.docker(["inspect", "-f", format, name]);
    const [running, ...networks] = result.stdout.trim().split(" ");
    return running === "true" ? networks.join(" ") : "none";
  }

  /** What the container says of itself, and who reaches it, against what the daemon says. */
  async function assertAgrees(name: string, networks: readonly string[]): Promise<void> {
    const interfaces = await daemon.ok("exec", name, "sh", "-c", "ls /sys/class/net | grep -c eth");
    assert.equal(Number(interfaces), networks.length, `interfaces of ${name}, which is in ${networks}`);
    for (const network of networks) {
      const address = await probes.address(name, network);
      assert.match(await daemon.ok("exec", name, "ip", "-4", "-o", "addr"), new RegExp(` ${address}/`));
      if (network === "there") assert.equal(await probes.byName("peer", name), name);
    }
    assert.match((await probes.ask(other, "tcp", other.hostAddress, 18601)) ?? "none", new RegExp(`^${name} ${other.address} `));
  }

  for (const [name, step] of Object.entries(steps))
    for (const place of step.places) {
      // Within a change there is the monitor too, with which the container ends.
      if (place.startsWith("change."))
        test(`${name}: monitor at ${place}`, async () => {
          await daemon.docker(["rm", "-f", "it"]);
          const armed = `${daemon.execRoot}/armed`;
          await daemon.kill("SIGTERM");
          await daemon.restart({ [failpointVariable]: `${place}:monitor:${armed}` });
          for (const words of step.before) await daemon.ok(...words);
          writeFileSync(armed, "");
          await daemon.docker(step.command, { timeoutMs: 20_000 });
          await eventually("the container's end", async () => (await networksOf("it")) === "none" || undefined);
          await daemon.ok("start", "it");
          const networks = await networksOf("it");
          assert.match(networks, step.outcomes);
          await assertAgrees("it", networks.split(" "));
          await assertClean();
          await assertFlowing();
        });
      test(`${name}: daemon at ${place}`, async () => {
        await daemon.docker(["rm", "-f", "it"]);
        const armed = `${daemon.execRoot}/armed`;
        await daemon.kill("SIGTERM");
        await daemon.restart({ [failpointVariable]: `${place}:daemon:${armed}` });
        for (const words of step.before) await daemon.ok(...words);
        writeFileSync(armed, "");
        await daemon.docker(step.command, { timeoutMs: 20_000 });
        await eventually("the strike", async () => !existsSync(armed) || undefined);
        await eventually("the end of the daemon", async () => !daemon.isAlive || undefined);
        await daemon.restart();
        const networks = await networksOf("it");
        assert.match(networks, step.outcomes);
        if (networks !== "none") await assertAgrees("it", networks.split(" "));
        // What was asked for can be asked for again, whatever has become of it.
        await daemon.docker(step.command);
        if (step.outcomes.test("none") && (await daemon.docker(["inspect", "it"])).status === 0)
          await assertAgrees("it", (await networksOf("it")).split(" "));
        await assertClean();
        await assertFlowing();
      });
    }

  test("questions that are asked while there is no daemon are answered by the next one", async () => {
    const asking = daemon.docker(["exec", "peer", "true"]);
    await asking;
    await daemon.ok("run", "-d", "--name", "asker", "--network", "there", "probe", "net-probe", "dns", "127.0.0.11", "20", "6", "peer");
    await sleep(1000);
    await daemon.kill("SIGKILL");
    await sleep(1500);
    await daemon.restart();
    await eventually("the asker's end", async () => (await networksOf("asker")) === "none" || undefined, 15_000);
    const said = JSON.parse(await daemon.ok("logs", "asker")) as { sent: number; good: number };
    assert.equal(said.good, said.sent, JSON.stringify(said));
    await assertClean();
  });

  /** mulberry32 */
  function randomFrom(start: number): () => number {
    let state = start | 0;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** One client that makes, joins, leaves and removes until the daemon is gone. */
  async function client(number: number, random: () => number): Promise<void> {
    const call = (method: string, path: string, body?: unknown): Promise<unknown> => ask(daemon, method, path, body).catch(() => undefined);
    const Container = `w${number}`;
    const port = String(18_610 + number);
    while (daemon.isAlive) {
      const network = random() < 0.5 ? "there" : `made${number}`;
      const change = random();
      if (change < 0.25) await call("POST", `/networks/${network}/connect`, { Container, EndpointConfig: { Aliases: [`a${number}`] } });
      else if (change < 0.5) await call("POST", `/networks/${network}/disconnect`, { Container, Force: random() < 0.2 });
      else if (change < 0.6) await call("POST", "/networks/create", { Name: network });
      else if (change < 0.7) await call("DELETE", `/networks/made${number}`);
      else if (change < 0.8) await call("DELETE", `/containers/${Container}?force=1`);
      else {
        const HostConfig = { NetworkMode: "here", PortBindings: { "80/tcp": [{ HostPort: port }] } };
        await call("POST", `/containers/create?name=${Container}`, { Image: "probe", Cmd: ["net-probe", "serve", "80"], HostConfig });
        await call("POST", `/containers/${Container}/start`);
      }
    }
  }

  for (let round = 1; round <= 30; round++)
    test(`changes by many while the daemon is killed, ${round}`, async () => {
      const random = randomFrom(seed * 100 + round);
      const clients = [0, 1, 2, 3].map((number) => client(number, random));
      await sleep(100 + random() * 900);
      await daemon.kill("SIGKILL");
      await Promise.all(clients);
      await daemon.restart();
      for (const number of [0, 1, 2, 3]) {
        const networks = await networksOf(`w${number}`);
        if (networks === "none") continue;
        const links = Number(
          (
            await command("docker", ["exec", `w${number}`, "sh", "-c", "ls /sys/class/net | grep -c eth"], {
              env: { DOCKER_HOST: daemon.host },
            })
          ).stdout,
        );
        assert.equal(links, networks === "" ? 0 : networks.split(" ").length, `w${number} in ${networks}`);
        if (networks !== "") assert.match((await probes.ask(other, "tcp", other.hostAddress, 18_610 + number)) ?? "none", / 198\.18\./);
      }
      await assertFlowing();
      if (round % 3 === 0) await assertClean();
    });
});
