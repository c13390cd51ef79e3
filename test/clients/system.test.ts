/** What is about the daemon as a whole: disk usage, prune, and answers about what this version does not have. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { ask } from "../ask.ts";
import { busyboxRootfs, command, Daemon, eventually, importBusybox, projectRoot } from "../daemon.ts";

const filters = (value: Record<string, string[]>): string => `filters=${encodeURIComponent(JSON.stringify(value))}`;

describe("disk usage and prune", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  test("df counts images, containers and what can be had back", async () => {
    await daemon.ok("run", "--name", "writer", "busybox", "sh", "-c", "head -c 100000 /dev/zero >/file");
    const rows = (await daemon.ok("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Reclaimable}}")).split("\n");
    assert.match(rows[0] ?? "", /^Images 1 1 0B \(0%\)$/);
    assert.match(rows[1] ?? "", /^Containers 1 0 100kB \(100%\)$/);
    assert.match(rows[2] ?? "", /^Local Volumes 0 0 0B$/);
    assert.match(rows[3] ?? "", /^Build Cache 0 0 0B$/);
    const verbose = await daemon.ok("system", "df", "-v");
    assert.match(verbose, /^busybox +latest +[0-9a-f]{12} +.* +0B +[\d.]+MB +1$/m);
    assert.match(verbose, /writer$/m);
    await daemon.ok("rm", "writer");
  });

  test("df measures only the types that are asked for, as the version has it", async () => {
    const only = (await ask(daemon, "GET", "/system/df?type=image&type=volume")).body as Record<string, unknown>;
    assert.ok(Array.isArray(only["Images"]) && Number(only["LayersSize"]) > 0);
    assert.deepEqual([only["Containers"], only["Volumes"], only["BuildCache"]], [null, [], null]);
    const refused = await ask(daemon, "GET", "/system/df?type=all");
    assert.deepEqual([refused.status, refused.body], [400, { message: "unknown object type: all" }]);
    const old = (await ask(daemon, "GET", "/v1.41/system/df?type=all")).body as {
      Images: { VirtualSize?: number }[];
      BuilderSize?: number;
    };
    assert.ok(Number(old.Images[0]?.VirtualSize) > 0);
    assert.equal(old.BuilderSize, 0);
  });

  test("image prune takes what has no tag, and all unused with -a; filters choose", async () => {
    const rootfs = await busyboxRootfs();
    const add = async (name: string, ...changes: string[]): Promise<void> => {
      const added = await daemon.docker(["import", ...changes.flatMap((change) => ["-c", change]), "-", name], { input: rootfs });
      assert.equal(added.status, 0, added.stderr);
    };
    await add("one:1", "LABEL keep=yes");
    const dangling = await daemon.ok("inspect", "-f", "{{.Id}}", "one:1");
    await add("one:1", "LABEL other=1");
    assert.equal(await daemon.ok("image", "prune", "-f", "--filter", "label=keep=no"), "Total reclaimed space: 0B");
    assert.equal(await daemon.ok("image", "prune", "-f", "--filter", "label!=keep"), "Total reclaimed space: 0B");
    assert.equal(await daemon.ok("image", "prune", "-f", "--filter", "until=1h"), "Total reclaimed space: 0B");
    const pruned = await daemon.ok("image", "prune", "-f", "--filter", "label=keep");
    assert.match(pruned, new RegExp(`^Deleted Images:\ndeleted: ${dangling}\n\nTotal reclaimed space: 0B$`));
    await daemon.ok("create", "--name", "user", "one:1", "true");
    assert.match(await daemon.ok("image", "prune", "-af"), /untagged: busybox:latest\n/);
    assert.equal(await daemon.ok("images", "--format", "{{.Repository}}:{{.Tag}}"), "one:1");
    await daemon.ok("rm", "user");
    assert.match(await daemon.ok("image", "prune", "-af"), /Total reclaimed space: [\d.]+MB/);
    const refused = await daemon.docker(["image", "prune", "-f", "--filter", "foo=bar"]);
    assert.match(refused.stderr, /invalid filter 'foo'/);
    assert.equal((await ask(daemon, "POST", `/images/prune?${filters({ until: ["1h", "2h"] })}`)).status, 400);
    assert.equal((await ask(daemon, "POST", `/images/prune?${filters({ dangling: ["maybe"] })}`)).status, 400);
    await importBusybox(daemon);
  });

  test("volumes are counted; system prune takes all that nothing uses", async () => {
    await daemon.ok("volume", "create", "named");
    await daemon.ok("run", "--rm", "-v", "named:/v", "busybox", "sh", "-c", "head -c 5000 /dev/zero >/v/file");
    await daemon.ok("run", "--name", "over", "-v", "/anonymous", "busybox", "sh", "-c", "head -c 7000 /dev/zero >/anonymous/file");
    const volumes = (await daemon.ok("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}")).split(
      "\n",
    )[2];
    assert.equal(volumes, "Local Volumes 2 1 12kB 5kB (41%)");
    assert.match(await daemon.ok("system", "df", "-v"), /^named +0 +5kB$/m);
    const pruned = await daemon.ok("system", "prune", "-f", "--volumes");
    assert.match(pruned, /^Deleted Containers:\n[0-9a-f]{64}\n\nDeleted Volumes:\n[0-9a-f]{64}\n\nTotal reclaimed space: 7kB$/);
    assert.equal(await daemon.ok("volume", "ls", "-q"), "named");
    assert.match(await daemon.ok("system", "prune", "-af"), /^Deleted Images:\nuntagged: busybox:latest\ndeleted: sha256:/);
    await daemon.ok("volume", "rm", "named");
    await importBusybox(daemon);
  });

  test("networks and the build cache have nothing to prune; unknown filters are refused", async () => {
    assert.equal(await daemon.ok("network", "prune", "-f"), "");
    assert.match(await daemon.ok("builder", "prune", "-f"), /Total:?\s+0B|Total reclaimed space: 0B/);
    assert.deepEqual((await ask(daemon, "POST", "/networks/prune")).body, { NetworksDeleted: null });
    assert.deepEqual((await ask(daemon, "POST", "/build/prune")).body, { CachesDeleted: null, SpaceReclaimed: 0 });
    assert.equal((await ask(daemon, "POST", `/networks/prune?${filters({ driver: ["x"] })}`)).status, 400);
    assert.equal((await ask(daemon, "POST", "/build/prune?keep-storage=much")).status, 400);
  });
});

describe("what this version does not have", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
  });
  after(() => daemon.close());

  test("is told in Docker's words to the docker CLI", async () => {
    for (const args of [
      ["node", "ls"],
      ["service", "ls"],
      ["secret", "ls"],
      ["config", "ls"],
      ["swarm", "join-token", "worker"],
    ]) {
      const result = await daemon.docker(args);
      assert.equal(result.status, 1, args.join(" "));
      assert.match(result.stderr, /^Error response from daemon: This node is not a swarm manager\./);
    }
    assert.match((await daemon.docker(["swarm", "leave"])).stderr, /This node is not part of a swarm/);
    assert.equal(await daemon.ok("plugin", "ls", "-q"), "");
    assert.match((await daemon.docker(["plugin", "inspect", "nope"])).stderr, /plugin "nope" not found/);
    assert.match((await daemon.docker(["network", "rm", "none"])).stderr, /none is a pre-defined network and cannot be removed/);
    assert.match((await daemon.docker(["network", "create", "host"])).stderr, /operation is not permitted on predefined host network/);
  });

  test("is told to commands that need builds", async () => {
    const env = { DOCKER_BUILDKIT: "0" };
    for (const [args, input, message] of [
      [["build", "-"], `FROM busybox\n#${"x".repeat(200_000)}\n`, /builds are not available in this version/],
      [["plugin", "install", "x"], "", /not available in this version/],
      [["swarm", "init"], "", /swarm mode is not available in this version/],
    ] as const) {
      const result = await daemon.docker(args, { env, input });
      assert.equal(result.status, 1, args.join(" "));
      assert.match(result.stderr, message);
    }
  });

  test("has Docker's status, or 501", async () => {
    const calls: readonly (readonly [string, string, number])[] = [
      ["GET", "/swarm", 503],
      ["POST", "/swarm/leave", 503],
      ["POST", "/swarm/update?version=1", 503],
      ["GET", "/swarm/unlockkey", 503],
      ["POST", "/swarm/unlock", 503],
      ["POST", "/swarm/init", 501],
      ["POST", "/swarm/join", 501],
      ...["nodes", "services", "tasks", "secrets", "configs"].map((kind) => ["GET", `/${kind}`, 503] as const),
      ...["nodes", "services", "tasks", "secrets", "configs"].map((kind) => ["GET", `/${kind}/x`, 503] as const),
      ...["nodes", "services", "secrets", "configs"].map((kind) => ["DELETE", `/${kind}/x`, 503] as const),
      ...["nodes", "services", "secrets", "configs"].map((kind) => ["POST", `/${kind}/x/update?version=1`, 503] as const),
      ...["services", "secrets", "configs"].map((kind) => ["POST", `/${kind}/create`, 503] as const),
      ...["services", "tasks"].map((kind) => ["GET", `/${kind}/x/logs?stdout=1`, 503] as const),
      ["PUT", "/volumes/x?version=1", 503],
      ["GET", "/plugins", 200],
      ["GET", "/plugins/a/b/json", 404],
      ["DELETE", "/plugins/x", 404],
      ...["enable?timeout=0", "disable", "upgrade?remote=y", "push", "set"].map((verb) => ["POST", `/plugins/x/${verb}`, 404] as const),
      ["GET", "/plugins/privileges?remote=x", 501],
      ["POST", "/plugins/pull?remote=x", 501],
      ["POST", "/plugins/create?name=x", 501],
      ["POST", "/build", 501],
      ["POST", "/session", 501],
      ["POST", "/networks/create", 400],
      ["DELETE", "/networks/nope", 404],
      ["GET", "/nonsense", 404],
    ];
    for (const [method, path, status] of calls) {
      const answer = await ask(daemon, method, path);
      assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
      assert.ok(status === 200 || typeof (answer.body as { message: unknown }).message === "string");
    }
  });
});

describe("older clients", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  for (const version of ["1.24", "1.30", "1.38", "1.41", "1.43", "1.45", "1.48"]) {
    test(`of ${version} see what they know`, async () => {
      const env = { DOCKER_API_VERSION: version };
      const told = async (...args: string[]): Promise<string> => {
        const result = await daemon.docker(args, { env });
        assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}`);
        return result.stdout.trim();
      };
      assert.equal(
        await told("version", "-f", "{{.Client.APIVersion}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}"),
        `${version} 1.51 1.24`,
      );
      assert.match(await told("info"), /Runtimes: runc\n/);
      assert.equal(await told("run", "--rm", "busybox", "echo", "hi"), "hi");
      assert.match(await told("images"), /^busybox +latest /m);
      if (Number(version.slice(2)) >= 25) assert.match(await told("system", "df"), /^Images +1 +0 /m);
      await told("create", "--name", "old", "busybox", "true");
      assert.match(await told("ps", "-a"), /old$/m);
      assert.equal(await told("inspect", "-f", "{{.Name}} {{.NetworkSettings.IPAddress}}", "old"), "/old");
      await told("rm", "old");
    });
  }

  test("are refused beyond the versions that there are", async () => {
    for (const [version, message] of [
      ["1.23", "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"],
      ["1.52", "client version 1.52 is too new. Maximum supported API version is 1.51"],
    ] as const) {
      const refused = await ask(daemon, "GET", `/v${version}/info`);
      assert.deepEqual([refused.status, refused.body], [400, { message }]);
    }
  });

  test("get images as they were", async () => {
    const inspect = async (version: string): Promise<Record<string, unknown>> =>
      (await ask(daemon, "GET", `/v${version}/images/busybox/json`)).body as Record<string, unknown>;
    assert.equal("VirtualSize" in (await inspect("1.44")), false);
    assert.equal((await inspect("1.43"))["VirtualSize"], (await inspect("1.43"))["Size"]);
    assert.equal("ContainerConfig" in (await inspect("1.45")), false);
    assert.equal("ContainerConfig" in (await inspect("1.44")), true);
    assert.equal("Hostname" in ((await inspect("1.49"))["Config"] as object), true);
    assert.equal("Hostname" in ((await inspect("1.50"))["Config"] as object), false);
  });
});

describe("the configuration file", () => {
  const folder = mkdtempSync("/var/tmp/berth-test-config-");
  const file = `${folder}/daemon.json`;
  const write = (content: object | string): void => writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  after(() => rmSync(folder, { recursive: true }));

  test("is read again at SIGHUP: info shows it, an event tells it, and a wrong one changes nothing", async () => {
    write({ labels: ["a=b"] });
    const daemon = await Daemon.start(["--config-file", file]);
    const info = (format: string): Promise<string> => daemon.ok("info", "-f", format);
    const reload = async (content: object | string, told: RegExp): Promise<void> => {
      const before = daemon.log.length;
      write(content);
      process.kill(daemon.pid, "SIGHUP");
      await eventually(String(told), async () => (told.test(daemon.log.slice(before)) ? true : undefined));
    };
    try {
      await importBusybox(daemon);
      assert.equal(await info("{{.Debug}} {{.Labels}}"), "false [a=b]");
      const since = Math.floor(Date.now() / 1000) - 1;
      await reload(
        {
          debug: true,
          labels: ["a=c", "d=e"],
          "insecure-registries": ["r:5000"],
          "registry-mirrors": ["https://m"],
          "max-concurrent-downloads": 7,
          "shutdown-timeout": 33,
          "default-shm-size": "1m",
          features: { buildkit: true },
        },
        /Reloaded configuration/,
      );
      assert.equal(await info("{{.Debug}} {{.Labels}} {{.RegistryConfig.Mirrors}}"), "true [a=c d=e] [https://m/]");
      assert.match(await info("{{json .RegistryConfig.IndexConfigs}}"), /"r:5000":\{[^}]*"Secure":false/);
      assert.equal(await daemon.ok("run", "--rm", "busybox", "sh", "-c", "df -k /dev/shm | tail -1 | awk '{print $2}'"), "1024");
      const event = await daemon.ok(
        "events",
        "--since",
        String(since),
        "--until",
        String(Math.ceil(Date.now() / 1000)),
        "--filter",
        "type=daemon",
      );
      assert.match(event, /daemon reload [0-9a-f-]+ \(.*debug=true/);
      for (const attribute of [
        'labels=["a=c","d=e"]',
        "max-concurrent-downloads=7",
        "shutdown-timeout=33",
        "features=map[buildkit:true]",
        "name=",
      ])
        assert.ok(event.includes(attribute), `${attribute}: ${event}`);

      await reload(
        { debug: "yes" },
        /Error reloading configuration.*cannot unmarshal string into Go struct field Config.debug of type bool/,
      );
      await reload({ labels: ["a=b", "a=c"] }, /conflict labels for a=c and a=b/);
      await reload({ nonsense: 1 }, /the following directives don't match any configuration option: nonsense/);
      await reload({ "max-concurrent-downloads": -1 }, /invalid max concurrent downloads: -1/);
      await reload("{", /unable to configure the Berth daemon with file/);
      assert.equal(await info("{{.Debug}} {{.Labels}}"), "true [a=c d=e]");

      await reload({ debug: false }, /Reloaded configuration/);
      assert.equal(await info("{{.Debug}} {{.Labels}}"), "false [a=c d=e]");
    } finally {
      await daemon.close();
    }
  });

  test("is checked by --validate, without a daemon", async () => {
    const validate = (content: object | string, ...args: string[]): ReturnType<typeof command> => {
      write(content);
      return command(`${projectRoot}/berthd`, ["--validate", "--config-file", file, ...args]);
    };
    assert.deepEqual(await validate({ debug: true, "log-format": "json" }), { status: 0, stdout: "", stderr: "configuration OK\n" });
    for (const [content, args, message] of [
      [
        { debug: true },
        ["-D"],
        /the following directives are specified both as a flag and in the configuration file: debug: \(from flag: true, from file: true\)/,
      ],
      [{ "log-level": "loud" }, [], /unable to parse logging level: loud/],
      [{ "log-format": "xml" }, [], /unknown log format: xml/],
      [{ nonsense: 1 }, [], /don't match any configuration option: nonsense/],
      ["[]", [], /cannot unmarshal array into Go value of type config.Config/],
    ] as const) {
      const refused = await validate(content as object, ...args);
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, message);
    }
    const help = await command(`${projectRoot}/berthd`, ["--help"]);
    assert.match(help.stdout, /--metrics-addr string +Set default address and port to serve the metrics api on/);
  });

  test("sets the form of the log", async () => {
    const daemon = await Daemon.start(["--log-format", "json", "--log-level", "debug"]);
    try {
      const lines = daemon.log
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, string>);
      assert.ok(
        lines.some(
          ({ level, msg, time }) =>
            level === "info" && msg === "Daemon has completed initialization" && !Number.isNaN(Date.parse(time ?? "")),
        ),
      );
      assert.ok(lines.some(({ level }) => level === "debug"));
    } finally {
      await daemon.close();
    }
  });
});

describe("metrics", () => {
  test("are served in Prometheus' form under dockerd's names, while the daemon lives", async () => {
    const port = 30_000 + (process.pid % 10_000);
    const daemon = await Daemon.start(["--metrics-addr", `127.0.0.1:${port}`]);
    const read = async (): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
      return await answer.text();
    };
    const value = (text: string, name: string): number => {
      const line = text.split("\n").find((found) => found.startsWith(`${name} `));
      assert.ok(line, `${name} is not there`);
      return Number(line.slice(name.length + 1));
    };
    try {
      await importBusybox(daemon);
      await daemon.ok("run", "-d", "--name", "lives", "busybox", "sleep", "100");
      await daemon.ok("run", "--rm", "busybox", "true");
      const text = await read();
      for (const line of text.trimEnd().split("\n"))
        assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+\d.e]+)$/);
      assert.equal(value(text, 'engine_daemon_container_states_containers{state="running"}'), 1);
      assert.equal(value(text, 'engine_daemon_container_states_containers{state="stopped"}'), 0);
      assert.equal(value(text, 'engine_daemon_container_actions_seconds_count{action="create"}'), 2);
      assert.equal(value(text, 'engine_daemon_container_actions_seconds_count{action="start"}'), 2);
      assert.equal(value(text, 'engine_daemon_container_actions_seconds_bucket{action="start",le="+Inf"}'), 2);
      assert.ok(value(text, 'engine_daemon_container_actions_seconds_sum{action="start"}') > 0);
      assert.ok(value(text, "engine_daemon_events_total") >= 8);
      assert.ok(value(text, "process_resident_memory_bytes") > 1e6);
      assert.ok(value(text, "process_open_fds") > 5);
      assert.match(text, /^engine_daemon_engine_info\{architecture="x86_64",.*graphdriver="erofs".*\} 1$/m);
      await daemon.ok("run", "-d", "--name", "ill", "--health-cmd", "false", "--health-interval", "100ms", "busybox", "sleep", "100");
      await eventually("a check", async () => (value(await read(), "engine_daemon_health_checks_total") > 0 ? true : undefined));
      await daemon.ok("rm", "-f", "lives", "ill");
      assert.equal(value(await read(), 'engine_daemon_container_actions_seconds_count{action="delete"}'), 2);
      const elsewhere = await fetch(`http://127.0.0.1:${port}/`);
      assert.deepEqual([elsewhere.status, await elsewhere.text()], [404, "404 page not found\n"]);
      const second = await command(`${projectRoot}/berthd`, ["--metrics-addr", `127.0.0.1:${port}`, "--bridge", "none", ...roots(daemon)]);
      assert.match(second.stderr, new RegExp(`failed to start metrics server: listen tcp 127.0.0.1:${port}: bind: address already in use`));
    } finally {
      await daemon.close();
    }
    await assert.rejects(read());
  });

  test("need an address", async () => {
    const daemon = await Daemon.start();
    try {
      for (const [address, why] of [
        ["nonsense", "address nonsense: missing port in address"],
        ["127.0.0.1:99999", "listen tcp: address 99999: invalid port"],
      ] as const) {
        const refused = await command(`${projectRoot}/berthd`, ["--metrics-addr", address, "--bridge", "none", ...roots(daemon)]);
        assert.equal(refused.status, 1);
        assert.ok(refused.stderr.trimEnd().endsWith(`failed to start metrics server: ${why}`), refused.stderr);
      }
    } finally {
      await daemon.close();
    }
  });

  /** Roots of a second daemon, removed with the first's. */
  const roots = (daemon: Daemon): string[] => [
    "--data-root",
    `${daemon.dataRoot}/second`,
    "--exec-root",
    `${daemon.execRoot}/second`,
    "--cgroup-parent",
    "/berth-test-second",
  ];
});
