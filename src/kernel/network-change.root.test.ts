/** The network of a container that runs, changed by its monitor; and that the last clean-up given is the one that is done. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Bench, bytesOf, demultiplex, native, usualNamespaces } from "./busybox-containers.ts";
import type { Monitor } from "./kernel.ts";
import type { HostOp, HostPort, LaunchFailure, NetlinkOp, NetworkChangePlan } from "./plan.ts";
import { addAddress, addVethPair, deleteLink, setLink } from "./rtnetlink.ts";

const nothing: NetworkChangePlan = {
  prepare: [],
  hostNetwork: [],
  containerNetwork: [],
  dns: false,
  release: [],
  networkCleanup: [],
};

function netlink(message: Uint8Array, netnsFdAt: readonly number[] = []): NetlinkOp {
  return { op: "netlink", protocol: 0, message, netnsFdAt, ignore: [] };
}

async function causeOf(promise: Promise<unknown>): Promise<LaunchFailure> {
  return await promise.then(
    () => assert.fail("was to fail"),
    (error: Error) => error.cause as LaunchFailure,
  );
}

async function isFree({ address, port }: HostPort): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}

function links(): string[] {
  return [...readFileSync("/proc/self/net/dev", "utf8").matchAll(/^ *(\S+):/gm)].map(([, name]) => name ?? "").sort();
}

function changes(program: string): void {
  let bench: Bench;
  const linksBefore = links();
  before(async () => {
    bench = await Bench.open({ program });
  });
  after(async () => await bench[Symbol.asyncDispose]());

  async function output(monitor: Monitor, script: string): Promise<string> {
    const session = await monitor.exec(bench.execPlan(["sh", "-c", script]));
    return demultiplex(await bytesOf(session.stream)).stdout.trim();
  }

  async function end(monitor: Monitor): Promise<void> {
    await monitor.signal(9);
    await monitor.exited;
  }

  /** A pair whose far end is the container's `name`. */
  function plug(name: string, index: number): NetworkChangePlan {
    const pair = addVethPair({
      host: { name: `bt-${index}`, index, master: 0 },
      peer: { name, index, mac: "02:42:ac:11:00:02" },
      mtu: 1400,
    });
    return {
      ...nothing,
      hostNetwork: [netlink(pair.message, pair.netnsFdAt)],
      containerNetwork: [
        { op: "sysctl", key: `net.ipv4.conf.${name}.forwarding`, value: "1" },
        netlink(addAddress({ index, address: "192.0.2.9", prefixLength: 24 })),
        netlink(setLink(index, { up: true })),
      ],
    };
  }

  test("an interface comes, with its settings and its address, and goes", async () => {
    const { monitor } = await bench.start(bench.plan(["sleep", "100"]));
    const ours = readlinkSync("/proc/self/ns/net");
    await monitor.changeNetwork(plug("net7", 7001));
    assert.ok(links().includes("bt-7001"));
    assert.equal(await output(monitor, "cat /proc/sys/net/ipv4/conf/net7/forwarding"), "1");
    assert.match(await output(monitor, "cat /proc/net/fib_trie"), /192\.0\.2\.9/);
    assert.equal(readlinkSync("/proc/self/ns/net"), ours);
    assert.ok(!existsSync("/proc/sys/net/ipv4/conf/net7"));
    await monitor.changeNetwork({ ...nothing, hostNetwork: [netlink(deleteLink(7001))] });
    assert.deepEqual(links(), linksBefore);
    assert.doesNotMatch(await output(monitor, "cat /proc/net/dev"), /net7/);
    await end(monitor);
  });

  test("links go with the container, and the monitor keeps no namespace", async () => {
    const { monitor } = await bench.start(bench.plan(["sleep", "100"]));
    await monitor.changeNetwork(plug("net7", 7002));
    await end(monitor);
    for (let round = 0; round < 100 && links().length > linksBefore.length; round++) await sleep(50);
    assert.deepEqual(links(), linksBefore);
  });

  test("ports are taken and given up", async () => {
    const { monitor } = await bench.start(bench.plan(["sleep", "100"]));
    const ports: HostPort[] = [
      { protocol: "tcp", address: "127.0.0.1", port: 21_801 },
      { protocol: "udp", address: "127.0.0.1", port: 21_801 },
      { protocol: "tcp", address: "::1", port: 21_801 },
      { protocol: "tcp", address: "127.0.0.1", port: 21_802 },
    ];
    const prepare = ports.map((port) => ({ op: "bind-port", ...port }) as const);
    await monitor.changeNetwork({ ...nothing, prepare });
    for (const port of ports.filter(({ protocol }) => protocol === "tcp")) assert.equal(await isFree(port), false);
    assert.deepEqual(await causeOf(monitor.changeNetwork({ ...nothing, prepare: prepare.slice(1, 2) })), {
      stage: "bind-port",
      errno: 98,
      message: "127.0.0.1:21801/udp",
    });
    await monitor.changeNetwork({ ...nothing, release: [ports[2], ports[2], ports[0]].filter((port) => port !== undefined) });
    const free = await Promise.all(ports.filter(({ protocol }) => protocol === "tcp").map(isFree));
    assert.deepEqual(free, [true, true, false]);
    await monitor.changeNetwork({ ...nothing, prepare: prepare.slice(0, 1), release: ports.slice(1, 2) });
    const wide = { protocol: "tcp", address: "0.0.0.0", port: 21_801 } as const;
    await monitor.changeNetwork({ ...nothing, release: ports.slice(0, 1), prepare: [{ op: "bind-port", ...wide }] });
    await monitor.changeNetwork({ ...nothing, release: [wide], prepare: [{ op: "bind-port", ...wide }] });
    assert.equal(await isFree({ protocol: "tcp", address: "127.0.0.1", port: 21_801 }), false, "let go and held again");
    await monitor.changeNetwork({ ...nothing, release: [wide], prepare: prepare.slice(0, 1) });
    await monitor.changeNetwork({ ...nothing, prepare: prepare.slice(1, 2) });
    assert.equal(
      (await causeOf(monitor.changeNetwork({ ...nothing, release: [{ protocol: "tcp", address: "here", port: 1 }] }))).errno,
      22,
    );
    await end(monitor);
    assert.deepEqual(await Promise.all(ports.filter(({ protocol }) => protocol === "tcp").map(isFree)), [true, true, true]);
  });

  test("a step that fails leaves those before it, and the clean-up as it was", async () => {
    const directory = bench.path("of-launch");
    mkdirSync(directory);
    const plan = { ...bench.plan(["sleep", "100"]), networkCleanup: [{ op: "rmdir", path: directory } as const] };
    const { monitor } = await bench.start(plan);
    const change = plug("net7", 7003);
    const broken: NetworkChangePlan = {
      ...change,
      containerNetwork: [...change.containerNetwork, { op: "sysctl", key: "net.no.such", value: "1" }],
      networkCleanup: [{ op: "mkdir", path: bench.path("wrong"), mode: 0o700 }],
    };
    assert.deepEqual(await causeOf(monitor.changeNetwork(broken)), { stage: "sysctl", errno: 2, message: "net.no.such" });
    assert.match(await output(monitor, "cat /proc/net/dev"), /net7/);
    assert.deepEqual((await causeOf(monitor.changeNetwork(change))).errno, 17);
    await monitor.changeNetwork({
      ...nothing,
      hostNetwork: [netlink(deleteLink(7003))],
      networkCleanup: [{ op: "rmdir", path: directory }],
    });
    await end(monitor);
    assert.ok(!existsSync(directory) && !existsSync(bench.path("wrong")));
  });

  test("the clean-up of the last change is done in place of the launch's, before the rest", async () => {
    const first = bench.path("first");
    const made = (name: string): HostOp => ({ op: "mkdir", path: `${first}/${name}`, mode: 0o700 });
    const plan = bench.plan(["sleep", "100"], {
      prepare: [{ op: "mkdir", path: first, mode: 0o700 }],
      cleanup: [{ op: "rmdir", path: `${first}/third` }],
    });
    const { monitor } = await bench.start({ ...plan, networkCleanup: [made("first")] });
    await monitor.changeNetwork({ ...nothing, networkCleanup: [made("second")] });
    // Long, so that it is no accident when the request's memory is still what it was.
    const many = Array.from({ length: 3000 }, (_, index) => made(`n${index}`));
    await monitor.changeNetwork({ ...nothing, networkCleanup: [made("third"), ...many] });
    await monitor.changeNetwork({ ...nothing, networkCleanup: [made("third"), made("fourth"), ...many] });
    assert.equal(await output(monitor, "echo between"), "between");
    await end(monitor);
    const names = readdirSync(first);
    assert.deepEqual(names.filter((name) => !name.startsWith("n")).sort(), ["fourth"]);
    assert.equal(names.length, 3001);
  });

  test("a launch that fails does both clean-ups", async () => {
    const [one, two] = [bench.path("one"), bench.path("two")];
    const plan = bench.plan(["nosuch"], { cleanup: [{ op: "mkdir", path: two, mode: 0o700 }] });
    const monitor = await bench.kernel.launch({ ...plan, networkCleanup: [{ op: "mkdir", path: one, mode: 0o700 }] });
    await assert.rejects(monitor.launched.then(() => monitor.go()));
    await monitor.exited;
    assert.ok(existsSync(one) && existsSync(two));
  });

  test("refused: a network that is the host's or somebody else's, a container that does not run, nonsense", async () => {
    const host = await bench.start(bench.plan(["sleep", "100"], { clone: { newNamespaces: usualNamespaces & ~0x40000000 } }));
    assert.deepEqual(await causeOf(host.monitor.changeNetwork(nothing)), {
      stage: "network",
      errno: 22,
      message: "the container has no network of its own",
    });
    const own = await bench.start(bench.plan(["sleep", "100"]));
    const { pid } = await own.monitor.launched;
    const join = [{ path: `/proc/${pid}/ns/net`, flag: 0x40000000 }];
    const other = await bench.start(bench.plan(["sleep", "100"], { clone: { newNamespaces: usualNamespaces & ~0x40000000, join } }));
    assert.equal((await causeOf(other.monitor.changeNetwork(nothing))).errno, 22);
    await Promise.all([host, own, other].map(({ monitor }) => end(monitor)));
    const waiting = await bench.kernel.launch(bench.plan(["sleep", "100"]));
    await waiting.launched;
    assert.equal((await causeOf(waiting.changeNetwork(nothing))).errno, 3);
    await waiting.go();
    await waiting.changeNetwork(nothing);
    await end(waiting);
    await assert.rejects(waiting.changeNetwork(nothing), /has gone/);
  });

  test("a limit of descriptors is the program's, however many ports there are", async () => {
    const prepare = Array.from({ length: 1000 }, (_, index) => ({
      op: "bind-port" as const,
      protocol: index % 2 === 0 ? ("tcp" as const) : ("udp" as const),
      address: "127.0.0.1",
      port: 22_000 + index,
    }));
    const process = [{ op: "rlimit", resource: 7, soft: 20n, hard: 20n } as const, { op: "cwd", path: "/tmp" } as const];
    const { monitor } = await bench.start(bench.plan(["sleep", "100"], { prepare, process }));
    const session = await monitor.exec(bench.execPlan(["sh", "-c", "ls /proc/self/fd | wc -l"], {}, process));
    assert.equal(demultiplex(await bytesOf(session.stream)).stdout.trim(), "4");
    await monitor.changeNetwork({ ...nothing, release: prepare.map(({ protocol, address, port }) => ({ protocol, address, port })) });
    await monitor.changeNetwork({ ...nothing, prepare });
    await end(monitor);
    assert.ok(await isFree({ protocol: "tcp", address: "127.0.0.1", port: 22_998 }));
  });
}

const sanitized = native.replace(/[^/]+$/, "berth-native-asan");
function works(program: string): boolean {
  try {
    execFileSync(program, { stdio: "ignore" });
    return true;
  } catch (error) {
    return (error as { status?: number }).status === 2;
  }
}

describe("a change of a running container's network", () => changes(native));
describe("the same under sanitizers", { skip: !works(sanitized) && "no sanitizers here" }, () => changes(sanitized));
