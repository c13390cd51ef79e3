/** Published ports: both IP versions, clashes, ranges, what is chosen, and `berth update --publish-add/--publish-rm`. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { failpointVariable } from "../../src/base/failpoint.ts";
import { ask } from "../ask.ts";
import { command, Daemon, eventually, importBusybox, projectRoot, type Result } from "../daemon.ts";

/** Sends back what it gets, one connection after the other and at once. */
const echo = ["busybox", "nc", "-ll", "-p", "80", "-e", "cat"] as const;

const opened = (host: string, port: number): Promise<Socket | undefined> =>
  new Promise((done) => {
    const socket = connect({ host, port });
    socket.once("connect", () => done(socket));
    socket.once("error", () => done(undefined));
    socket.setTimeout(3000, () => {
      socket.destroy();
      done(undefined);
    });
  });

/** What comes back of a line; undefined: nobody is there, or nobody answers. */
async function echoed(host: string, port: number): Promise<string | undefined> {
  const socket = await opened(host, port);
  if (socket === undefined) return undefined;
  const answer = new Promise<string | undefined>((done) => {
    socket.once("data", (data) => done(String(data)));
    socket.once("error", () => done(undefined));
    socket.once("close", () => done(undefined));
  });
  socket.write("hello");
  try {
    return await Promise.race([answer, sleep(2000).then(() => undefined)]);
  } finally {
    socket.destroy();
  }
}

const answers = (host: string, port: number): Promise<string> =>
  eventually(`an answer of ${host} port ${port}`, async () => await echoed(host, port));

describe("published ports", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  afterEach(async () => {
    const names = (await daemon.ok("ps", "-aq")).split("\n").filter(Boolean);
    if (names.length > 0) await daemon.ok("rm", "-f", ...names);
  });
  after(() => daemon.close());

  const berth = (...args: string[]): Promise<Result> => command(join(projectRoot, "berth"), args, { env: { DOCKER_HOST: daemon.host } });
  async function update(...args: string[]): Promise<void> {
    const result = await berth("update", ...args);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout, `${args.at(-1)}\n`);
  }
  const portsOf = async (name: string): Promise<string[]> => (await daemon.ok("port", name)).split("\n").filter(Boolean);
  const refused = async (...args: string[]): Promise<string> => {
    const result = await daemon.docker(["run", "--rm", ...args, "busybox", "true"]);
    assert.equal(result.status, 125, result.stdout);
    return result.stderr;
  };

  test("a chosen port that another program has after all: others are chosen", async () => {
    // Bound, but not listening: the kernel's tables, by which many ports are chosen, do not show it.
    const holder = spawn(
      "python3",
      [
        "-uc",
        "import socket, sys\nheld = []\nfor port in map(int, sys.argv[1:]):\n held.append(socket.socket())\n held[-1].bind(('0.0.0.0', port))\nprint('held'); sys.stdin.read()",
        ...["18211", "18215"],
      ],
      {
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    await once(holder.stdout, "data");
    try {
      const container = Array.from({ length: 20 }, (_, index) => `18210-18240:${80 + index}`).flatMap((text) => ["-p", text]);
      const output = await daemon.ok("run", "--name", "attached", ...container, "busybox", "echo", "seen");
      assert.equal(output.trim(), "seen");
      await daemon.ok("run", "-d", "--name", "many", ...container, ...echo);
      const ports = (await daemon.ok("port", "many")).match(/(?<=0\.0\.0\.0:)\d+/g)?.map(Number) ?? [];
      assert.deepEqual([ports.length, ports.includes(18211), ports.includes(18215)], [20, false, false]);
      await answers("127.0.0.1", ports[0] ?? 0);
      const fixed = await daemon.docker(["run", "--rm", "-p", "18211:80", ...echo]);
      assert.match(fixed.stderr, /failed to bind host port for 0\.0\.0\.0:18211:.*: address already in use/);
    } finally {
      holder.kill();
    }
  });

  test("both IP versions, in ps, port and inspect, and there", async () => {
    await daemon.ok("run", "-d", "--name", "web", "-p", "18101:80", "-p", "18102:53/udp", "-p", "18103:9/sctp", ...echo);
    assert.deepEqual(await portsOf("web"), [
      "9/sctp -> 0.0.0.0:18103",
      "53/udp -> 0.0.0.0:18102",
      "53/udp -> [::]:18102",
      "80/tcp -> 0.0.0.0:18101",
      "80/tcp -> [::]:18101",
    ]);
    const shown = await daemon.ok("ps", "--format", "{{.Ports}}");
    assert.match(shown, /0\.0\.0\.0:18101->80\/tcp, \[::\]:18101->80\/tcp/);
    assert.deepEqual(JSON.parse(await daemon.ok("inspect", "-f", '{{json (index .NetworkSettings.Ports "80/tcp")}}', "web")), [
      { HostIp: "0.0.0.0", HostPort: "18101" },
      { HostIp: "::", HostPort: "18101" },
    ]);
    assert.equal(await answers("127.0.0.1", 18101), "hello");
    assert.equal(await answers("::1", 18101), "hello");
    await daemon.ok("rm", "-f", "web");
    assert.equal(await opened("::1", 18101), undefined);
  });

  test("addresses of one version, and which of them exclude each other", async () => {
    await daemon.ok("run", "-d", "--name", "local", "-p", "127.0.0.1:18101:80", ...echo);
    await daemon.ok("run", "-d", "--name", "six", "-p", "[::]:18101:80", ...echo);
    await daemon.ok("run", "-d", "--name", "other", "-p", "127.0.0.2:18101:80", ...echo);
    assert.deepEqual([await portsOf("local"), await portsOf("six")], [["80/tcp -> 127.0.0.1:18101"], ["80/tcp -> [::]:18101"]]);
    assert.equal(await answers("127.0.0.1", 18101), "hello");
    assert.equal(await answers("::1", 18101), "hello");
    const clash =
      /driver failed programming external connectivity on endpoint \S+ \([0-9a-f]{64}\): Bind for (\S+) failed: port is already allocated/;
    for (const [wish, named] of [
      ["18101:80", "0.0.0.0:18101"],
      ["0.0.0.0:18101:80", "0.0.0.0:18101"],
      ["127.0.0.1:18101:80", "127.0.0.1:18101"],
      ["[::1]:18101:80", "::1:18101"],
    ] as const)
      assert.equal(clash.exec(await refused("-p", wish))?.[1], named);
    await daemon.ok("rm", "-f", "local", "six", "other");
    await daemon.ok("run", "--rm", "-p", "18101:80", "busybox", "true");
  });

  test("a port that another program has", async () => {
    for (const [host, named] of [
      ["127.0.0.1", "0\\.0\\.0\\.0:18104"],
      ["::1", "\\[::\\]:18104"],
    ] as const) {
      const server = createServer().listen(18104, host);
      await new Promise((done) => server.once("listening", done));
      const said = await refused("-p", "18104:80", "--name", "clash");
      await new Promise((done) => server.close(done));
      const ending = `failed to bind host port for ${named}:\\d+\\.\\d+\\.\\d+\\.\\d+:80/tcp: address already in use`;
      assert.match(said, new RegExp(`on endpoint clash \\([0-9a-f]{64}\\): ${ending}`));
    }
    await daemon.ok("run", "--rm", "-p", "18104:80", "busybox", "true");
  });

  test("ranges: side by side, and the first that is free", async () => {
    await daemon.ok("run", "-d", "--name", "wide", "-p", "18110-18112:80-82", "-p", "127.0.0.1:18110-18112:90/udp", ...echo);
    const expected = [0, 1, 2].flatMap((step) => ["0.0.0.0", "[::]"].map((host) => `${80 + step}/tcp -> ${host}:${18110 + step}`));
    assert.deepEqual(await portsOf("wide"), [...expected, "90/udp -> 127.0.0.1:18110"]);
    assert.equal(await answers("127.0.0.1", 18110), "hello");
    for (const [name, port] of [
      ["one", 18120],
      ["two", 18121],
    ] as const) {
      await daemon.ok("run", "-d", "--name", name, "-p", "18120-18121:80", ...echo);
      assert.deepEqual(await portsOf(name), [`80/tcp -> 0.0.0.0:${port}`, `80/tcp -> [::]:${port}`]);
    }
    assert.match(await refused("-p", "18120-18121:80"), /: all ports are allocated/);
    await daemon.ok("rm", "-f", "one", "two");
    const server = createServer().listen(18120, "127.0.0.1");
    await new Promise((done) => server.once("listening", done));
    await daemon.ok("run", "-d", "--name", "past", "-p", "18120-18121:80", ...echo);
    server.close();
    assert.deepEqual(await portsOf("past"), ["80/tcp -> 0.0.0.0:18121", "80/tcp -> [::]:18121"], "past what a program has");
    assert.match(await refused("-p", "18120-18122:80-81"), /invalid ranges specified for container and host Ports: 80-81 and 18120-18122/);
    await daemon.ok("rm", "-f", "wide", "past");
  });

  test("what the API is asked for that cannot be", async () => {
    const create = async (host: object, config: object = {}): Promise<string> => {
      const answer = await ask(daemon, "POST", "/v1.51/containers/create", {
        Image: "busybox",
        Cmd: ["true"],
        HostConfig: host,
        ...config,
      });
      assert.equal(answer.status, 400, answer.text);
      return (answer.body as { message: string }).message;
    };
    assert.equal(await create({ PortBindings: { "0/tcp": [{}] } }), 'invalid port specification: "0/tcp"');
    assert.equal(await create({ PortBindings: { "80/icmp": [{}] } }), "invalid proto: icmp");
    assert.equal(await create({ PortBindings: { "80/tcp": [{ HostPort: "70000" }] } }), 'invalid port specification: "70000"');
    assert.equal(await create({ PortBindings: { "80/tcp": [{ HostPort: "9-8" }] } }), 'invalid port specification: "9-8"');
    assert.equal(await create({ PortBindings: { "80/tcp": [{ HostIp: "here", HostPort: "1" }] } }), "invalid IP address: here");
    assert.equal(await create({ PublishAllPorts: true }, { ExposedPorts: { "x/tcp": {} } }), 'invalid port specification: "x/tcp"');
  });

  test("-P: each exposed port, one of the host's for both IP versions; others with the next start", async () => {
    await daemon.ok("run", "-d", "--name", "all", "-P", "--expose", "8000-8010", "--expose", "53/udp", "-p", "80", ...echo);
    const ports = (await portsOf("all")).map((line) => line.split(" -> "));
    assert.equal(ports.length, 26);
    const byPort = Map.groupBy(ports, ([port = ""]) => port);
    for (const [name, bindings] of byPort) {
      assert.equal(new Set(bindings.map(([, host]) => host?.replace(/.*:/, ""))).size, 1, name);
      assert.deepEqual(
        bindings.map(([, host]) => host?.replace(/:\d+$/, "")),
        ["0.0.0.0", "[::]"],
      );
    }
    const port = async (): Promise<number> => Number((await daemon.ok("port", "all", "80")).split("\n")[0]?.replace(/.*:/, ""));
    const first = await port();
    assert.equal(await answers("127.0.0.1", first), "hello");
    await daemon.ok("restart", "-t", "0", "all");
    assert.notEqual(await port(), first);
    assert.equal(await answers("127.0.0.1", await port()), "hello");
    assert.equal(await opened("127.0.0.1", first), undefined);
    await daemon.ok("rm", "-f", "all");
  });

  test("-P with a thousand ports", async () => {
    const server = createServer().listen(0, "0.0.0.0");
    await new Promise((done) => server.once("listening", done));
    await daemon.ok("run", "-d", "--name", "thousand", "-P", "--expose", "1-1000", ...echo);
    const taken = (await portsOf("thousand")).map((line) => line.replace(/^\S+ -> /, ""));
    assert.equal(taken.length, 2000);
    assert.equal(new Set(taken).size, 2000);
    server.close();
    const [port = ""] = (await daemon.ok("port", "thousand", "80")).split("\n");
    assert.equal(await answers("127.0.0.1", Number(port.replace(/.*:/, ""))), "hello");
    await daemon.ok("rm", "-f", "thousand");
  });

  test("who hears of a container's end may have its ports at once", async () => {
    const ports = ["-p", "18200-18399:1000-1199"];
    for (let round = 0; round < 5; round++) {
      await daemon.ok("run", "-d", "--name", `round${round}`, ...ports, ...echo);
      await ask(daemon, "POST", `/v1.51/containers/round${round}/kill`);
      await ask(daemon, "POST", `/v1.51/containers/round${round}/wait`);
    }
  });

  test("without a way out nothing is published, and with one of its networks' it is", async () => {
    const shown = (): Promise<string> => daemon.ok("inspect", "-f", "{{json .NetworkSettings.Ports}}", "web");
    await daemon.ok("network", "create", "--internal", "inner");
    await daemon.ok("network", "create", "outer");
    await daemon.ok("run", "-d", "--name", "web", "--network", "inner", "-p", "18101:80", ...echo);
    assert.equal(await shown(), "{}");
    assert.equal(await opened("127.0.0.1", 18101), undefined);
    await daemon.ok("network", "connect", "outer", "web");
    assert.deepEqual(await portsOf("web"), ["80/tcp -> 0.0.0.0:18101", "80/tcp -> [::]:18101"]);
    assert.equal(await answers("127.0.0.1", 18101), "hello");
    assert.equal(await answers("::1", 18101), "hello");
    await daemon.ok("network", "disconnect", "outer", "web");
    assert.equal(await shown(), "{}");
    assert.equal(await opened("127.0.0.1", 18101), undefined);
    await daemon.ok("rm", "-f", "web");
    await daemon.ok("network", "rm", "inner", "outer");
  });

  test("a daemon that starts again knows what is published", async () => {
    await daemon.ok("run", "-d", "--name", "web", "-p", "18101:80", "-p", "80", ...echo);
    const before = await portsOf("web");
    await daemon.kill("SIGKILL");
    assert.equal(await answers("127.0.0.1", 18101), "hello");
    await daemon.restart();
    assert.deepEqual(await portsOf("web"), before);
    assert.match(await refused("-p", "18101:80"), /Bind for 0\.0\.0\.0:18101 failed: port is already allocated/);
    assert.match(await refused("-p", "[::1]:18101:80"), /Bind for ::1:18101 failed: port is already allocated/);
    await daemon.ok("rm", "-f", "web");
    await daemon.ok("run", "--rm", "-p", "18101:80", "busybox", "true");
  });

  test("ports of a running container come and go, and who is connected stays so", async () => {
    await daemon.ok("run", "-d", "--name", "web", "-p", "18101:80", ...echo);
    await answers("127.0.0.1", 18101);
    const socket = await opened("127.0.0.1", 18101);
    assert.ok(socket);
    let got = 0;
    socket.on("data", (data) => (got += data.length));
    const sending = setInterval(() => socket.write("x".repeat(100)), 5);
    const flows = async (): Promise<void> => {
      const before = got;
      await eventually("more to come back", async () => (got > before + 1000 ? true : undefined));
    };
    await flows();
    const started = await daemon.ok("inspect", "-f", "{{.State.StartedAt}}", "web");
    await update("--publish-add", "18105:80", "--publish-add", "127.0.0.1:18106:80", "--publish-add", "81", "web");
    assert.equal(await answers("127.0.0.1", 18105), "hello");
    assert.equal(await answers("127.0.0.1", 18106), "hello");
    assert.equal((await portsOf("web")).filter((line) => line.startsWith("81/tcp -> ")).length, 2);
    await update("--publish-rm", "18101:80", "--publish-rm", "81", "web");
    assert.equal(await opened("127.0.0.1", 18101), undefined, "new ones are refused");
    await flows();
    await daemon.kill("SIGKILL");
    await daemon.restart();
    await flows();
    await update("--publish-rm", "80", "--publish-add", "[::1]:18105:80", "--publish-add", "18101:80", "web");
    assert.deepEqual((await portsOf("web")).sort(), ["80/tcp -> 0.0.0.0:18101", "80/tcp -> [::1]:18105", "80/tcp -> [::]:18101"]);
    assert.equal(await answers("127.0.0.1", 18101), "hello");
    assert.equal(await answers("::1", 18105), "hello");
    assert.equal(await opened("127.0.0.1", 18105), undefined);
    await flows();
    clearInterval(sending);
    socket.destroy();
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.StartedAt}}", "web"), started);
    await daemon.ok("restart", "-t", "0", "web");
    assert.equal(await answers("127.0.0.1", 18101), "hello");
    await daemon.ok("rm", "-f", "web");
  });

  test("of a port that is taken, all stays as it was", async () => {
    await daemon.ok("run", "-d", "--name", "web", "-p", "18101:80", ...echo);
    await daemon.ok("run", "-d", "--name", "rival", "-p", "18107:80", ...echo);
    const server = createServer().listen(18108, "0.0.0.0");
    await new Promise((done) => server.once("listening", done));
    const before = [await portsOf("web"), await daemon.ok("inspect", "-f", "{{json .HostConfig.PortBindings}}", "web")];
    for (const [wish, why] of [
      ["18107:80", /Bind for 0\.0\.0\.0:18107 failed: port is already allocated/],
      ["18108:80", /failed to bind host port for 0\.0\.0\.0:18108:\S+:80\/tcp: address already in use/],
    ] as const) {
      const result = await berth("update", "--publish-rm", "80", "--publish-add", wish, "web");
      assert.equal(result.status, 1);
      assert.match(result.stderr, /^Error response from daemon: Cannot update container [0-9a-f]{64}: /);
      assert.match(result.stderr, why);
      assert.deepEqual([await portsOf("web"), await daemon.ok("inspect", "-f", "{{json .HostConfig.PortBindings}}", "web")], before);
      assert.equal(await answers("127.0.0.1", 18101), "hello");
      assert.equal(await answers("::1", 18101), "hello");
    }
    server.close();
    assert.match((await berth("update", "--publish-rm", "81", "web")).stderr, /^No public port '81\/tcp' published for web$/m);
    await daemon.ok("rm", "-f", "rival");
    await update("--publish-add", "18107:80", "web");
    assert.equal(await answers("127.0.0.1", 18107), "hello");
    await daemon.ok("rm", "-f", "web");
  });

  test("of a stopped container they are for its next start", async () => {
    await daemon.ok("create", "--name", "web", ...echo);
    await update("--publish-add", "18101:80", "web");
    assert.deepEqual(await portsOf("web"), []);
    await daemon.ok("start", "web");
    assert.equal(await answers("127.0.0.1", 18101), "hello");
    await daemon.ok("stop", "-t", "0", "web");
    await update("--publish-rm", "80", "web");
    await daemon.ok("start", "web");
    assert.deepEqual(await portsOf("web"), []);
    await daemon.ok("rm", "-f", "web");
  });

  for (const place of ["publish.recorded", "publish.changed", "publish.settled"])
    test(`a daemon that is killed at ${place} leaves the ports of before or of after`, async () => {
      const armed = `${daemon.execRoot}/armed`;
      await daemon.kill("SIGTERM");
      await daemon.restart({ [failpointVariable]: `${place}:daemon:${armed}` });
      await daemon.ok("run", "-d", "--name", "web", "-p", "18101:80", "-p", "18109:80", ...echo);
      writeFileSync(armed, "");
      await berth("update", "--publish-rm", "18101:80", "--publish-rm", "18109:80", "--publish-add", "127.0.0.1:18101:80", "web");
      await eventually("the end of the daemon", async () => (existsSync(armed) || daemon.isAlive ? undefined : true));
      await daemon.restart();
      const both = ["0.0.0.0:18101", "[::]:18101", "0.0.0.0:18109", "[::]:18109"];
      const expected = place === "publish.settled" ? ["127.0.0.1:18101"] : both;
      assert.deepEqual((await portsOf("web")).map((line) => line.replace("80/tcp -> ", "")).sort(), expected.toSorted());
      const wishes = JSON.parse(await daemon.ok("inspect", "-f", '{{json (index .HostConfig.PortBindings "80/tcp")}}', "web")) as unknown[];
      assert.equal(wishes.length, expected.length === 1 ? 1 : 2);
      assert.equal(await answers("127.0.0.1", 18101), "hello");
      for (const [host, port] of [
        ["127.0.0.1", 18109],
        ["::1", 18101],
        ["::1", 18109],
      ] as const)
        if (expected.length > 1) assert.equal(await answers(host, port), "hello");
        else assert.equal(await opened(host, port), undefined);
      await update("--publish-rm", "80", "--publish-add", "18101:80", "web");
      assert.equal(await answers("::1", 18101), "hello");
      await daemon.ok("rm", "-f", "web");
      await daemon.ok("run", "--rm", "-p", "18101:80", "-p", "18109:80", "busybox", "true");
    });

  test("one of those that -P has published goes, the others stay", async () => {
    await daemon.ok("run", "-d", "--name", "all", "-P", "--expose", "80", "--expose", "81", ...echo);
    const before = await portsOf("all");
    await update("--publish-rm", "81", "all");
    assert.deepEqual(await portsOf("all"), before.slice(0, 2));
    await daemon.ok("rm", "-f", "all");
  });
});

describe("where ports are published, by the daemon's word", () => {
  const withDaemon = async (args: readonly string[], run: (daemon: Daemon) => Promise<void>): Promise<void> => {
    const daemon = await Daemon.start(args);
    try {
      await importBusybox(daemon);
      await run(daemon);
    } finally {
      await daemon.close();
    }
  };
  const port = async (daemon: Daemon, ...args: string[]): Promise<string> => {
    await daemon.ok("run", "-d", "--name", "web", ...args, "-p", "18101:80", ...echo);
    const ports = await daemon.ok("port", "web");
    return ports.replaceAll("80/tcp -> ", "").replaceAll("\n", " ");
  };

  test("--default-publish-address for all networks, --ip for the default bridge, a network's own option", async () => {
    await withDaemon(["--default-publish-address", "127.0.0.1,::1"], async (daemon) => {
      assert.equal(await port(daemon), "127.0.0.1:18101 [::1]:18101");
      assert.equal(await answers("127.0.0.1", 18101), "hello");
      assert.equal(await answers("::1", 18101), "hello");
      await daemon.ok("rm", "-f", "web");
      await daemon.ok("network", "create", "plain");
      await daemon.ok("network", "create", "--opt", "com.docker.network.bridge.host_binding_ipv4=127.0.0.2", "own");
      assert.equal(await port(daemon, "--network", "plain"), "127.0.0.1:18101 [::1]:18101");
      await daemon.ok("rm", "-f", "web");
      assert.equal(await port(daemon, "--network", "own"), "127.0.0.2:18101");
      await daemon.ok("rm", "-f", "web");
    });
    await withDaemon(["--ip", "127.0.0.3"], async (daemon) => {
      assert.equal(await port(daemon), "127.0.0.3:18101");
      await daemon.ok("rm", "-f", "web");
      await daemon.ok("network", "create", "plain");
      assert.equal(await port(daemon, "--network", "plain"), "0.0.0.0:18101 [::]:18101");
    });
  });

  test("--publish-mode: the host's rules for INPUT apply to published ports, or do not", async () => {
    const rules = "add table inet test-input; add chain inet test-input input { type filter hook input priority 0; };";
    const nft = async (text: string): Promise<void> => {
      const result = await command("nft", [text]);
      assert.equal(result.status, 0, result.stderr);
    };
    for (const mode of ["input", "forward"]) {
      await withDaemon(["--publish-mode", mode], async (daemon) => {
        assert.equal(await port(daemon), "0.0.0.0:18101 [::]:18101");
        await daemon.ok("network", "create", "--ipv6", "six");
        await daemon.ok("run", "-d", "--name", "other", "--network", "six", "-p", "18102:80", ...echo);
        const reached = async (): Promise<boolean[]> => {
          const places = [18101, 18102].flatMap((number) => ["127.0.0.1", "::1"].map((host) => [host, number] as const));
          return await Promise.all(places.map(async ([host, number]) => (await echoed(host, number)) === "hello"));
        };
        await answers("127.0.0.1", 18101);
        await answers("127.0.0.1", 18102);
        assert.deepEqual(await reached(), [true, true, true, true]);
        await nft(`${rules} add rule inet test-input input meta l4proto tcp th dport 18101-18102 reject with tcp reset`);
        // What is for ::1 the kernel does not send on, so it is always the host's.
        assert.deepEqual(await reached(), mode === "input" ? [false, false, false, false] : [true, false, true, false]);
        await nft("delete table inet test-input");
      });
    }
  });
});
