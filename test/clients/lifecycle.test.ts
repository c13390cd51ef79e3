/** Ends and beginnings of containers through the stock docker CLI: restart policies, links, prune, signals, waits, removal. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../ask.ts";
import { Daemon, eventually, importBusybox } from "../daemon.ts";

/** The daemon, the monitors and the programs are gone, as after a failure of the machine. */
async function failMachine(daemon: Daemon): Promise<void> {
  const ids = (await daemon.ok("ps", "-q", "--filter", "status=running")).split("\n");
  // One that is restarted again and again may have ended meanwhile.
  const pids = (await daemon.ok("inspect", "-f", "{{.State.Pid}}", ...ids)).split("\n").filter((pid) => pid !== "0");
  const monitors = pids.map((pid) => Number(/\) \w (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]));
  await daemon.kill("SIGKILL");
  for (const pid of monitors) process.kill(pid, "SIGKILL");
}

describe("the life of containers", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());
  // So that one failure is one failure.
  afterEach(async () => {
    const left = (await daemon.ok("ps", "-aq")).split("\n").filter(Boolean);
    if (left.length > 0) await daemon.ok("rm", "-f", ...left);
  });

  const run = (name: string, flags: string[] = [], command: string[] = ["sleep", "1000"]): Promise<string> =>
    daemon.ok("run", "-d", "--name", name, ...flags, "busybox", ...command);
  const field = (name: string, format: string): Promise<string> => daemon.ok("inspect", "-f", format, name);
  const becomes = (name: string, format: string, wanted: string, timeoutMs?: number): Promise<true> =>
    eventually(`${name} ${wanted}`, async () => ((await field(name, format)) === wanted ? true : undefined), timeoutMs);
  const refused = async (args: string[], message: RegExp): Promise<void> => {
    const result = await daemon.docker(args);
    assert.notEqual(result.status, 0, args.join(" "));
    assert.match(result.stderr, message);
  };
  /** What containers and networks did since `since`, as `docker events` tells it. */
  const story = async (since: string, format: string, ...filters: string[]): Promise<string[]> => {
    const until = (Date.now() / 1000 + 0.001).toFixed(3);
    const flags = filters.flatMap((filter) => ["--filter", filter]);
    return (await daemon.ok("events", "--since", since, "--until", until, ...flags, "--format", format)).split("\n");
  };
  const now = (): string => (Date.now() / 1000).toFixed(3);

  describe("restart policies", () => {
    test("on-failure counts its tries, then lets it be", async () => {
      const since = now();
      await run("tries", ["--restart", "on-failure:2"], ["sh", "-c", "exit 5"]);
      await becomes("tries", "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}", "exited 5 2");
      await sleep(500);
      assert.deepEqual(
        await story(since, "{{.Action}}", "container=tries"),
        ["create", "start", "die", "start", "die", "start", "die"],
        "as Docker: no events of its own",
      );
      await run("fine", ["--restart", "on-failure"], ["true"]);
      await becomes("fine", "{{.State.Status}} {{.RestartCount}}", "exited 0");
      await sleep(200);
      assert.equal(await field("fine", "{{.State.Status}} {{.RestartCount}}"), "exited 0", "a success is no failure");
      await daemon.ok("rm", "tries", "fine");
    });

    test("the pauses double; while it waits it counts as running", async () => {
      await run("loop", ["--restart", "always"], ["sh", "-c", "exit 1"]);
      // 100, 200, 400, 800 ms, and then it waits for 1600.
      await becomes("loop", "{{.RestartCount}} {{.State.Status}}", "5 restarting");
      const state = await field("loop", "{{.State.Running}} {{.State.Restarting}} {{.State.Pid}} {{.State.ExitCode}}");
      assert.equal(state, "true true 0 1");
      assert.match(await daemon.ok("ps", "--format", "{{.Names}} {{.Status}} {{.State}}"), /^loop Restarting \(1\) .* ago restarting$/);
      assert.equal(await daemon.ok("ps", "--filter", "status=restarting", "--format", "{{.Names}}"), "loop");
      await refused(["rm", "loop"], /container is restarting: stop the container before removing or force remove/);
      await refused(["exec", "loop", "true"], /is restarting, wait until the container is running/);
      const waiting = daemon.docker(["wait", "loop"]);
      await sleep(200);
      const since = now();
      await daemon.ok("kill", "loop");
      assert.equal((await waiting).stdout, "1\n");
      assert.equal(await field("loop", "{{.State.Status}} {{.State.ExitCode}}"), "exited 1");
      await sleep(1800);
      assert.equal(await field("loop", "{{.State.Status}}"), "exited");
      assert.deepEqual(await story(since, "{{.Action}}", "container=loop"), [""], "nothing was there to signal");
      await daemon.ok("start", "loop");
      await becomes("loop", "{{.RestartCount}} {{.State.Status}}", "4 restarting");
      const stopped = now();
      await daemon.ok("stop", "loop");
      assert.deepEqual(await story(stopped, "{{.Action}}", "container=loop"), ["stop"]);
      await daemon.ok("start", "loop");
      await becomes("loop", "{{.State.Status}}", "restarting");
      await daemon.ok("rm", "-f", "loop");
    });

    test("a signal by hand ends the policy, as in Docker, unless another one is the stop signal", async () => {
      const command = ["sh", "-c", "trap '' HUP; until [ -f /die ]; do sleep 0.05; done; rm /die; exit 3"];
      await run("plain", ["--restart", "always"], command);
      await run("own", ["--restart", "always", "--stop-signal", "TERM"], command);
      for (const name of ["plain", "own"]) {
        await daemon.ok("kill", "-s", "HUP", name);
        await daemon.ok("exec", name, "touch", "/die");
      }
      await becomes("plain", "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}", "exited 3 0");
      await becomes("own", "{{.State.Status}} {{.RestartCount}}", "running 1");
    });

    test("with the next daemon: who is started, who is not, and what needs others comes after them", async () => {
      const policies = ["always", "unless-stopped", "on-failure", "no"];
      for (const policy of policies) {
        await run(`runs-${policy}`, ["--restart", policy]);
        await run(`stopped-${policy}`, ["--restart", policy]);
        await daemon.ok("stop", "-t", "0", `stopped-${policy}`);
      }
      await daemon.ok("create", "--name", "never", "--restart", "always", "busybox", "sleep", "1000");
      await run("db", ["--restart", "always"]);
      await run("joined", ["--restart", "always", "--network", "container:db"]);
      await run("linked", ["--restart", "always", "--link", "db"]);
      await run("waits", ["--restart", "on-failure:3"], ["sh", "-c", "exit 1"]);
      await becomes("waits", "{{.State.Status}}{{.RestartCount}}", "restarting3");
      await failMachine(daemon);
      await daemon.restart();
      const running = [
        "runs-always",
        "runs-unless-stopped",
        "runs-on-failure",
        "stopped-always",
        "stopped-on-failure",
        "db",
        "joined",
        "linked",
      ];
      for (const name of running) await becomes(name, "{{.State.Status}}", "running");
      for (const name of ["runs-no", "stopped-no", "stopped-unless-stopped"])
        assert.equal(await field(name, "{{.State.Status}}"), "exited");
      assert.equal(await field("never", "{{.State.Status}}"), "created");
      await becomes("waits", "{{.State.Status}}", "exited");
      assert.equal(await field("runs-always", "{{.RestartCount}}"), "0");
      const all = (await daemon.ok("ps", "-aq")).split("\n");
      await daemon.ok("rm", "-f", ...all);
    });
  });

  describe("events and their attributes", () => {
    test("restart, kill, stop, rm -f", async () => {
      const since = now();
      await run("told", ["--label", "a=b"]);
      await daemon.ok("restart", "-t", "0", "told");
      await daemon.ok("kill", "-s", "USR1", "told");
      await daemon.ok("rename", "told", "said");
      await daemon.ok("rm", "-f", "said");
      const format = "{{.Action}} {{json .Actor.Attributes}}";
      const lines = (await story(since, format, "type=container")).map((line) =>
        line.replace(/"execDuration":"\d+"/, '"execDuration":"N"'),
      );
      const common = '"a":"b"';
      const parse = (line: string): [string, Record<string, string>] => {
        const at = line.indexOf(" {");
        return [line.slice(0, at), JSON.parse(line.slice(at + 1)) as Record<string, string>];
      };
      assert.ok(lines.every((line) => line.includes(common)));
      const told = lines.map(parse).map(([action, { a: _a, image, name, ...rest }]) => [action, image, name, rest] as const);
      assert.deepEqual(told, [
        ["create", "busybox", "told", {}],
        ["start", "busybox", "told", {}],
        ["kill", "busybox", "told", { signal: "15" }],
        ["kill", "busybox", "told", { signal: "9" }],
        ["die", "busybox", "told", { execDuration: "N", exitCode: "137" }],
        ["stop", "busybox", "told", {}],
        ["start", "busybox", "told", {}],
        ["restart", "busybox", "told", {}],
        ["kill", "busybox", "told", { signal: "10" }],
        ["rename", "busybox", "said", { oldName: "/told" }],
        ["kill", "busybox", "said", { signal: "9" }],
        ["die", "busybox", "said", { execDuration: "N", exitCode: "137" }],
        ["destroy", "busybox", "said", {}],
      ]);
      assert.deepEqual(await story(since, "{{.Action}}", "event=die", "label=a=b", "image=busybox"), ["die", "die"]);
      assert.deepEqual(await story(since, "{{.Action}}", "container=told", "event=stop"), ["stop"]);
      assert.deepEqual(await story(since, "{{.Action}}", "scope=swarm"), [""]);
      const networks = await story(since, "{{.Action}} {{.Actor.Attributes.name}}", "type=network");
      assert.deepEqual(networks, ["connect bridge", "disconnect bridge", "connect bridge", "disconnect bridge"]);
    });
  });

  describe("signals", () => {
    test("all forms; what is none", async () => {
      const script = "trap 'echo usr1' USR1; trap 'echo rt' 37; while :; do sleep 0.02; done";
      await run("hears", [], ["sh", "-c", script]);
      for (const signal of ["USR1", "SIGUSR1", "sigusr1", "10", "RTMIN+3", "SIGRTMIN+3"]) {
        const before = (await daemon.ok("logs", "hears")).split("\n").filter(Boolean).length;
        await daemon.ok("kill", "-s", signal, "hears");
        await eventually(signal, async () =>
          (await daemon.ok("logs", "hears")).split("\n").filter(Boolean).length > before ? true : undefined,
        );
      }
      assert.equal(await daemon.ok("logs", "hears"), "usr1\nusr1\nusr1\nusr1\nrt\nrt");
      await refused(["kill", "-s", "FOO", "hears"], /^Error response from daemon: cannot kill container: hears: invalid signal: FOO$/m);
      await refused(["kill", "-s", "0", "hears"], /invalid signal: 0$/m);
      await refused(["kill", "-s", "RTMIN+16", "hears"], /invalid signal: RTMIN\+16$/m);
      await refused(["kill", "-s", "99", "hears"], /cannot kill container: hears: the linux daemon does not support signal 99$/m);
      await refused(["stop", "-s", "FOO", "hears"], /invalid signal: FOO$/m);
      await refused(["create", "--stop-signal", "FOO", "busybox", "true"], /invalid signal: FOO$/m);
      await daemon.ok("kill", "-s", "9", "hears");
      const id = await field("hears", "{{.Id}}");
      await refused(["kill", "hears"], new RegExp(`cannot kill container: hears: container ${id} is not running$`, "m"));
      await refused(["exec", "hears", "true"], new RegExp(`container ${id} is not running$`, "m"));
      await refused(["kill", "nosuch"], /cannot kill container: nosuch: No such container: nosuch$/m);
      assert.equal(await daemon.ok("stop", "hears"), "hears", "stopped already");
      await daemon.ok("rm", "hears");
    });

    test("--stop-timeout, --stop-signal, --init", async () => {
      await run("slow", ["--stop-timeout", "1"], ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]);
      const began = Date.now();
      await daemon.ok("stop", "slow");
      const took = Date.now() - began;
      assert.ok(took >= 1000 && took < 5000, `${took} ms`);
      assert.equal(await field("slow", "{{.State.ExitCode}}"), "137");
      await run("init", ["--init"], ["sleep", "1000"]);
      await daemon.ok("stop", "init");
      assert.equal(await field("init", "{{.State.ExitCode}}"), "143", "init passes the signal on");
      await daemon.ok("rm", "slow", "init");
    });
  });

  describe("waits", () => {
    test("not-running, next-exit, removed; several at once", async () => {
      await daemon.ok("create", "--name", "waited", "busybox", "sh", "-c", "sleep 0.3; exit 4");
      assert.equal(await daemon.ok("wait", "waited"), "0", "created: not running already");
      const wait = (condition: string): Promise<unknown> =>
        ask(daemon, "POST", `/v1.51/containers/waited/wait?condition=${condition}`).then(({ body }) => body);
      const next = [wait("next-exit"), wait("next-exit")];
      const removed = wait("removed");
      await sleep(100);
      await daemon.ok("start", "waited");
      assert.deepEqual(await Promise.all([...next, wait("not-running")]), [{ StatusCode: 4 }, { StatusCode: 4 }, { StatusCode: 4 }]);
      await daemon.ok("rm", "waited");
      assert.deepEqual(await removed, { StatusCode: 4 });
      const answer = await ask(daemon, "POST", "/v1.51/containers/waited/wait?condition=foo");
      assert.equal(answer.status, 400);
    });
  });

  describe("links", () => {
    test("hosts, variables, names, rename, rm --link, order of starts", async () => {
      await run("db", ["-h", "dbhost", "-e", "FOO=bar", "--expose", "80"]);
      await run("web", ["--link", "db:thedb", "--link", "db"]);
      const address = await field("db", "{{.NetworkSettings.IPAddress}}");
      const hosts = (): Promise<string> => daemon.ok("exec", "web", "cat", "/etc/hosts");
      assert.match(await hosts(), new RegExp(`^${address}\tthedb dbhost db\n${address}\tdb dbhost$`, "m"));
      const env = await daemon.ok("exec", "web", "env");
      for (const line of [`THEDB_PORT=tcp://${address}:80`, "THEDB_NAME=/web/thedb", "THEDB_ENV_FOO=bar", `DB_PORT_80_TCP_ADDR=${address}`])
        assert.ok(env.split("\n").includes(line), line);
      assert.equal(await daemon.ok("exec", "web", "ping", "-c", "1", "-w", "5", "-q", "thedb").then(() => "reached"), "reached");
      assert.equal(await field("web", "{{json .HostConfig.Links}}"), '["/db:/web/thedb","/db:/web/db"]');
      assert.equal(await daemon.ok("ps", "--no-trunc", "--format", "{{.Names}}"), "web\ndb,web/db,web/thedb");
      assert.equal(await field("web/thedb", "{{.Name}}"), "/db");
      await daemon.ok("rename", "db", "db2");
      await daemon.ok("rename", "web", "web2");
      assert.equal(await field("web2", "{{json .HostConfig.Links}}"), '["/db2:/web2/thedb","/db2:/web2/db"]');
      await refused(["rm", "--link", "web2"], /Conflict, cannot remove the default link name of the container/);
      await refused(["rm", "--link", "web2/nosuch"], /No such container: web2\/nosuch/);
      await daemon.ok("rm", "--link", "web2/thedb");
      assert.equal(await field("web2", "{{json .HostConfig.Links}}"), '["/db2:/web2/db"]');
      assert.doesNotMatch(await daemon.ok("exec", "web2", "cat", "/etc/hosts"), /thedb/);
      // Something takes the address while it is away.
      await daemon.ok("stop", "-t", "0", "db2");
      await daemon.ok("rename", "web2", "web");
      const others = await Promise.all([run("taker1"), run("taker2")]);
      await daemon.ok("start", "db2");
      const again = await field("db2", "{{.NetworkSettings.IPAddress}}");
      await eventually("the new address", async () => ((await hosts()).includes(`${again}\tdb dbhost`) ? true : undefined));
      await daemon.ok("stop", "-t", "0", "web", "db2");
      await refused(["start", "web"], /Cannot link to a non running container: \/db2 AS \/web\/db/);
      assert.equal(
        await field("web", "{{.State.ExitCode}} {{.State.Error}}"),
        "137 Cannot link to a non running container: /db2 AS /web/db",
      );
      await daemon.ok("start", "db2", "web");
      await daemon.ok("rm", "-f", "db2");
      assert.equal(await field("web", "{{json .HostConfig.Links}}"), '["/db2:/web/db"]');
      await refused(
        ["restart", "-t", "0", "web"],
        /Cannot restart container web: Cannot link to a non running container: \/db2 AS \/web\/db/,
      );
      await refused(["create", "--link", "nosuch:x", "busybox", "true"], /could not get container for nosuch: No such container: nosuch/);
      await refused(["create", "--net", "host", "--link", "web", "busybox", "true"], /host type networking can't be used with links/);
      await refused(
        ["create", "--net", "container:web", "--link", "web", "busybox", "true"],
        /container type network can't be used with links/,
      );
      await daemon.ok("rm", "-f", "web", ...others);
    });
  });

  describe("removal", () => {
    test("rename rules", async () => {
      await run("one");
      const two = await run("two");
      await refused(["rename", "one", "one"], /Renaming a container with the same name as its current name/);
      await refused(
        ["rename", "one", "two"],
        new RegExp(
          `Error when allocating new name: Conflict. The container name "/two" is already in use by container "${two}". You have to remove \\(or rename\\) that container to be able to reuse that name.`,
        ),
      );
      await refused(
        ["rename", "one", "_"],
        /Error when allocating new name: Invalid container name \(\/_\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_.-\] are allowed/,
      );
      await refused(["rename", "nosuch", "three"], /No such container: nosuch/);
      await daemon.ok("rm", "-f", "one", "two");
    });

    test("--rm in all ways of ending", async () => {
      const gone = (name: string): Promise<true> =>
        eventually(`${name} removed`, async () => ((await daemon.docker(["inspect", name])).status === 0 ? undefined : true));
      await run("ends", ["--rm"], ["true"]);
      await gone("ends");
      for (const how of [["kill"], ["stop", "-t", "0"], ["rm", "-f"]]) {
        await run("ended", ["--rm"]);
        await daemon.ok(...how, "ended");
        await gone("ended");
      }
      assert.equal((await daemon.docker(["run", "--rm", "--name", "failed", "busybox", "nosuch"])).status, 127);
      await gone("failed");
      await run("orphan", ["--rm"], ["sleep", "0.3"]);
      await daemon.kill("SIGKILL");
      await sleep(500);
      await daemon.restart();
      await gone("orphan");
      assert.equal(await daemon.ok("ps", "-aq"), "");
    });

    test("prune, and its filters", async () => {
      for (const [name, label] of [
        ["keep", "keep=1"],
        ["drop", "drop=1"],
        ["both", "keep=2"],
      ] as const)
        await daemon.ok("run", "--name", name, "--label", label, "busybox", "sh", "-c", "echo 0123456789 >/file");
      await run("runs");
      const names = (): Promise<string> => daemon.ok("ps", "-a", "--format", "{{.Names}}");
      const prune = (...filters: string[]): Promise<string> =>
        daemon.ok("container", "prune", "-f", ...filters.flatMap((filter) => ["--filter", filter]));
      assert.equal(await prune("until=1h"), "Total reclaimed space: 0B");
      assert.equal(await prune("until=2020-01-01T00:00:00"), "Total reclaimed space: 0B");
      const since = now();
      assert.match(await prune("label=drop"), /^Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: 11B$/);
      assert.equal(await names(), "runs\nboth\nkeep");
      assert.deepEqual(await story(since, "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.reclaimed}}", "event=prune"), ["prune  11"]);
      await prune("label!=keep=1");
      assert.equal(await names(), "runs\nkeep");
      await refused(["container", "prune", "-f", "--filter", "foo=bar"], /invalid filter 'foo'/);
      await refused(["container", "prune", "-f", "--filter", "until=x"], /failed to parse value as time or duration: "x"/);
      await refused(["container", "prune", "-f", "--filter", "until=1h", "--filter", "until=2h"], /more than one until filter specified/);
      await prune("until=0s");
      assert.equal(await names(), "runs");
      assert.equal(await prune(), "Total reclaimed space: 0B");
      await daemon.ok("rm", "-f", "runs");
    });
  });
});
