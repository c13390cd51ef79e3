/** Real launches: what a container's first process is given, and what is left when a launch fails. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import {
  Bench,
  bytesOf,
  demultiplex,
  namespace,
  native,
  type PlanChanges,
  textOf,
  usualMounts,
  usualNamespaces,
} from "./busybox-containers.ts";
import type { InitOp, LaunchFailure } from "./plan.ts";

const sanitized = native.replace(/[^/]+$/, "berth-native-asan");
/** It is there and finds its libraries: without arguments it says how it is used. */
const canSanitize = spawnSync(sanitized).status === 2;

function launches(classic: boolean): void {
  let bench: Bench;
  before(async () => {
    bench = await Bench.open({ classic });
  });
  after(async () => await bench[Symbol.asyncDispose]());

  async function failure(argv: readonly string[], changes: PlanChanges = {}): Promise<LaunchFailure> {
    const plan = bench.plan(argv, changes);
    const monitor = await bench.kernel.launch(plan);
    const cause = await monitor.launched
      .then(() => monitor.go())
      .then(
        () => undefined,
        (error: Error) => error.cause as LaunchFailure,
      );
    assert.ok(cause !== undefined, "the launch was to fail");
    assert.equal(await monitor.exited, undefined);
    assert.equal(existsSync(plan.exitPath), false, "no exit record");
    assert.equal(existsSync(plan.socketPath), false, "no socket");
    return cause;
  }

  test("output, error, exit code and record", async () => {
    const plan = bench.plan(["sh", "-c", "echo out; echo err >&2; exit 7"]);
    const { monitor, stream } = await bench.start(plan);
    stream.resume();
    const exit = await monitor.exited;
    assert.deepEqual({ ...exit, finishedAt: "" }, { exitCode: 7, signal: 0, oomKilled: false, finishedAt: "" });
    assert.deepEqual(JSON.parse(readFileSync(plan.exitPath, "utf8")), exit);
    assert.match(exit?.finishedAt ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z$/);
    assert.deepEqual(readdirSync(bench.path(plan.containerId)).sort(), ["exit.json", "log", "upper", "work"]);
    assert.deepEqual(
      bench.log(plan).map(({ log, stream: name }) => `${name} ${log}`),
      ["stdout out\n", "stderr err\n"],
    );
  });

  test("nothing is printed before go, and all of it after", async () => {
    const plan = bench.plan(["echo", "late"]);
    const monitor = await bench.kernel.launch(plan);
    const { pid } = await monitor.launched;
    assert.match(readFileSync(`/proc/${pid}/comm`, "utf8"), /berth-init/);
    assert.equal(readFileSync(plan.stdio.log?.path ?? "", "utf8"), "");
    await monitor.go();
    await monitor.go();
    await monitor.exited;
    assert.deepEqual(
      bench.log(plan).map(({ log }) => log),
      ["late\n"],
    );
  });

  test("signals: 128+n, and the number in the record", async () => {
    const { monitor } = await bench.start(bench.plan(["sleep", "100"]));
    await monitor.signal(9);
    const exit = await monitor.exited;
    assert.equal(exit?.exitCode, 137);
    assert.equal(exit?.signal, 9);
    await assert.rejects(monitor.signal(9));
  });

  test("pid 1 in namespaces of its own, with descriptors 0 to 2 and no mount of the host", async () => {
    assert.equal(
      await bench.sh("echo $$; hostname; ls -l /proc/self/fd | wc -l", { process: [{ op: "hostname", name: "here" }] }),
      "1\nhere\n5",
    );
    const mounts = await bench.sh("cat /proc/self/mountinfo");
    assert.equal(mounts.split("\n").length, 4, mounts);
    assert.ok(!mounts.includes(bench.directory), "paths of the host are not shown");
    const { monitor } = await bench.start(bench.plan(["sleep", "100"]));
    const { pid } = await monitor.launched;
    assert.deepEqual(readdirSync(`/proc/${pid}/fd`), ["0", "1", "2"]);
    await monitor.signal(9);
    await monitor.exited;
    assert.equal(
      await bench
        .sh("readlink /proc/self/ns/cgroup", { clone: { newNamespaces: usualNamespaces | namespace.cgroup } })
        .then((text) => text !== ""),
      true,
    );
  });

  test("the program runs from sealed memory", async () => {
    const { monitor } = await bench.start(bench.plan(["sleep", "100"]));
    const pid = await bench.kernel.brokerPid();
    assert.match(readFileSync(`/proc/${pid}/maps`, "utf8"), /\/memfd:berth \(deleted\)/);
    assert.throws(() => writeFileSync(`/proc/${pid}/exe`, "x"), /EPERM|ETXTBSY/);
    await monitor.signal(9);
    await monitor.exited;
  });

  test("PATH is searched as Docker's messages expect", async () => {
    const cases: [string[], number][] = [
      [["nosuch"], 2],
      [["/no/such"], 2],
      [["/etc/passwd"], 13],
      [["passwd"], 2],
      [["/etc"], 21],
      [[""], 2],
      [[], 2],
    ];
    for (const [argv, errno] of cases) {
      const { stage, errno: got, message } = await failure(argv);
      assert.deepEqual([stage, got, message], ["exec", errno, argv[0] ?? ""], String(argv));
    }
    writeFileSync(bench.path("lower/bin/noformat"), "neither ELF nor #!", { mode: 0o755 });
    assert.deepEqual(await failure(["noformat"]), { stage: "exec", errno: 8, message: "noformat" });
    writeFileSync(bench.path("lower/bin/nointerpreter"), "#!/nowhere\n", { mode: 0o755 });
    assert.deepEqual(await failure(["nointerpreter"]), { stage: "exec", errno: 2, message: "nointerpreter" });
  });

  test("a failure at each stage takes everything back", async () => {
    const cgroup = `/sys/fs/cgroup/${existsSync("/sys/fs/cgroup/cgroup.procs") ? "" : "pids/"}berth-test-launch-${process.pid}`;
    const made: PlanChanges = {
      prepare: [{ op: "mkdir", path: cgroup, mode: 0o755 }],
      cleanup: [{ op: "rmdir", path: cgroup, killMembers: true }],
    };
    const stages: [string, PlanChanges, number?][] = [
      ["write", { prepare: [...(made.prepare ?? []), { op: "write", path: `${cgroup}/nosuch`, data: "1" }] }],
      [
        "open-tree",
        { prepare: [...(made.prepare ?? []), { op: "open-tree", slot: 0, source: "/no/such/source", subpath: "", recursive: true }] },
      ],
      ["join", { ...made, clone: { join: [{ path: "/no/such/namespace", flag: namespace.network }] } }],
      ["cgroup", { ...made, clone: { cgroup1: ["/no/such/cgroup"] } }],
      ["clone", { ...made, clone: { newNamespaces: namespace.pid } }],
      [
        "mount",
        { ...made, mounts: [{ op: "mount", type: "nosuchfs", source: "", target: "/tmp", attributes: 0, options: [], create: "none" }] },
      ],
      [
        "attach-tree",
        {
          ...made,
          mounts: [{ op: "attach-tree", slot: 3, target: "/tmp", create: "none", set: 0, clear: 0, recursive: false, propagation: 0 }],
        },
      ],
      ["sysctl", { ...made, process: [{ op: "sysctl", key: "net.no.such", value: "1" }] }],
      ["cwd", { ...made, process: [{ op: "cwd", path: "/no/such" }] }],
      ["seccomp", { ...made, process: [{ op: "seccomp", filter: new Uint8Array(5), flags: 0 }] }],
      ["exec", { ...made, process: [] }],
    ];
    for (const [stage, changes] of stages) {
      const got = await failure(stage === "exec" ? ["nosuch"] : ["true"], { cleanup: made.cleanup ?? [], ...changes });
      assert.equal(got.stage, stage, JSON.stringify(got));
      assert.equal(existsSync(cgroup), false, `${stage}: the cgroup is gone`);
    }
  });

  test("a host port is held, and a clash says so", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const prepare = [{ op: "bind-port", protocol: "tcp", address: "127.0.0.1", port } as const];
    assert.deepEqual(await failure(["true"], { prepare }), { stage: "bind-port", errno: 98, message: `127.0.0.1:${port}/tcp` });
    await new Promise((resolve) => server.close(resolve));
    const { monitor } = await bench.start(bench.plan(["sleep", "100"], { prepare }));
    assert.equal((await failure(["true"], { prepare })).errno, 98);
    await monitor.signal(9);
    await monitor.exited;
    assert.equal((await bench.run(["true"], { prepare })).exitCode, 0);
  });

  test("a launch that the daemon abandons is undone", async () => {
    const plan = bench.plan(["sleep", "100"]);
    const monitor = await bench.kernel.launch(plan);
    const { pid } = await monitor.launched;
    monitor.release();
    for (let round = 0; round < 100 && existsSync(plan.socketPath); round++) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(existsSync(plan.socketPath), false);
    assert.equal(existsSync(`/proc/${pid}`), false);
    assert.equal(existsSync(plan.exitPath), false);
  });

  test("user namespace, time namespace, joined namespaces", async () => {
    const user: PlanChanges = {
      clone: { newNamespaces: usualNamespaces | namespace.user, uidMap: "0 100000 65536\n", gidMap: "0 100000 65536\n" },
    };
    const mounts: InitOp[] = usualMounts.filter((op) => op.op !== "device");
    // What is prepared can be handed to another user's namespace only as detached trees.
    if (classic) assert.equal((await failure(["true"], { ...user, mounts })).stage, "root");
    else {
      const result = await bench.run(["sh", "-c", "cat /proc/self/uid_map | tr -s ' '; id -u"], { ...user, mounts });
      assert.match(result.stdout, /0 100000 65536\n0\n/);
    }
    const offset: PlanChanges = { clone: { newNamespaces: usualNamespaces | namespace.time, timeOffsets: "boottime 1000000 0\n" } };
    assert.ok(Number((await bench.sh("cat /proc/uptime", offset)).split(" ")[0]) > 1_000_000);
    const { monitor } = await bench.start(bench.plan(["sleep", "100"]));
    const { pid } = await monitor.launched;
    const join = [
      { path: `/proc/${pid}/ns/net`, flag: namespace.network },
      { path: `/proc/${pid}/ns/pid`, flag: namespace.pid },
    ];
    const joined: PlanChanges = { clone: { newNamespaces: namespace.mount | namespace.uts | namespace.ipc, join } };
    assert.match(
      await bench.sh("ps; readlink /proc/1/ns/net; readlink /proc/self/ns/net", joined),
      /sleep 100[\s\S]*net:\[(\d+)\]\nnet:\[\1\]$/,
    );
    await monitor.signal(9);
    await monitor.exited;
  });

  test("a built-in PID 1 reaps, forwards signals and ends as the program does", async () => {
    const changes: PlanChanges = { process: [{ op: "init-process" }] };
    assert.notEqual(await bench.sh("echo $$", changes), "1");
    assert.equal((await bench.run(["sh", "-c", "exit 9"], changes)).exitCode, 9);
    assert.equal((await failure(["nosuch"], changes)).stage, "exec");
    const { monitor, stream } = await bench.start(
      bench.plan(["sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done"], changes),
    );
    await new Promise((resolve) => stream.once("data", resolve));
    await monitor.signal(15);
    assert.equal((await monitor.exited)?.exitCode, 5);
    assert.equal(
      await bench.sh("cat /proc/1/cmdline | tr -d '\\0 '; (sleep 0.05 &) ; sleep 0.2; ps | grep -c '\\[sleep\\]'; true", changes),
      "berth-init0",
    );
  });

  test("PATH of no image leads out: hostile targets are refused or stay inside", async () => {
    const sentinel = bench.path("sentinel");
    mkdirSync(sentinel);
    writeFileSync(`${sentinel}/file`, "untouched");
    const swap = (name: string, target: string): (() => void) => {
      rmSync(bench.path("lower", name), { recursive: true, force: true });
      symlinkSync(target, bench.path("lower", name));
      return () => {
        rmSync(bench.path("lower", name));
        mkdirSync(bench.path("lower", name));
      };
    };
    let restore = swap("proc", "/tmp");
    assert.deepEqual([(await failure(["true"])).stage, (await failure(["true"])).errno], ["mount", 40]);
    restore();
    restore = swap("dev", sentinel);
    assert.equal(await bench.sh("echo inside"), "inside");
    restore();
    restore = swap("tmp", "../../../../../../../../../etc");
    const tree: PlanChanges = {
      prepare: [{ op: "open-tree", slot: 0, source: sentinel, subpath: "", recursive: true }],
      mounts: [
        ...usualMounts,
        { op: "attach-tree", slot: 0, target: "/tmp/new/deep", create: "auto", set: 1, clear: 0, recursive: !classic, propagation: 0 },
      ],
    };
    assert.equal(
      await bench.sh("cat /etc/new/deep/file; echo x >/etc/new/deep/file 2>/dev/null || echo refused", tree),
      "untouchedrefused",
    );
    restore();
    assert.equal((await failure(["true"], { process: [{ op: "cwd", path: "/proc/self/fd/3" }] })).stage, "cwd");
    assert.equal((await failure(["true"], { process: [{ op: "cwd", path: "/proc/1/root/tmp" }] })).stage, "cwd");
    // A /dev/null that is something else masks nothing (CVE-2025-31133).
    const fake: InitOp[] = [
      ...usualMounts.filter((op) => op.op !== "device"),
      { op: "symlink", target: "/dev/null", linkTo: "/etc/passwd" },
    ];
    assert.deepEqual((await failure(["true"], { mounts: fake, process: [{ op: "masked-path", target: "/proc/version" }] })).errno, 19);
    // A pts directory that is no devpts gives no console (CVE-2025-52565).
    const noPts = usualMounts.filter((op) => !(op.op === "mount" && op.type === "devpts"));
    const console: InitOp[] = [
      ...noPts,
      { op: "mkdir", target: "/dev/pts", mode: 0o755 },
      { op: "symlink", target: "/dev/pts/ptmx", linkTo: "/proc/kmsg" },
    ];
    assert.equal((await failure(["true"], { mounts: console, process: [{ op: "console" }], stdio: { tty: true } })).stage, "console");
    assert.equal(readFileSync(`${sentinel}/file`, "utf8"), "untouched");
    assert.deepEqual(readdirSync(sentinel), ["file"]);
  });

  test("masks, read-only paths, tmpfs with the image's content", async () => {
    mkdirSync(bench.path("lower/data/sub"), { recursive: true });
    writeFileSync(bench.path("lower/data/sub/file"), "content", { mode: 0o640 });
    symlinkSync("sub/file", bench.path("lower/data/link"));
    const copyUp: InitOp = {
      op: "mount",
      type: "tmpfs",
      source: "tmpfs",
      target: "/data",
      attributes: 0,
      options: ["size=1m"],
      create: "directory",
      fill: "copy",
    };
    assert.equal(
      await bench.sh("cat /data/link; stat -c %a /data/sub/file; stat -f -c %T /data", { mounts: [...usualMounts, copyUp] }),
      "content640\ntmpfs",
    );
    const process: InitOp[] = [
      { op: "masked-path", target: "/proc/version" },
      { op: "masked-path", target: "/proc/irq" },
      { op: "masked-path", target: "/proc/bus" },
      { op: "masked-path", target: "/no/such" },
      { op: "readonly-path", target: "/proc/sys" },
      { op: "root-readonly" },
    ];
    const script =
      "wc -c </proc/version; ls /proc/irq /proc/bus | grep -v : | grep -c .; echo x 2>/dev/null >/proc/sys/kernel/hostname || echo ro; echo x 2>/dev/null >/x || echo ro";
    assert.equal(await bench.sh(script, { process }), "0\n0\nro\nro");
  });

  test("under sanitizers nothing is found", { skip: !canSanitize && "no sanitizers here" }, async () => {
    const reports = bench.path("reports");
    mkdirSync(reports);
    process.env["ASAN_OPTIONS"] = `log_path=${reports}/address`;
    process.env["UBSAN_OPTIONS"] = `log_path=${reports}/undefined`;
    try {
      await using checked = await Bench.open({ program: sanitized });
      const plan = checked.plan(["sh", "-c", "tty; read x; echo $x"], {
        stdio: { tty: true, openStdin: true },
        process: [{ op: "console" }],
      });
      const { monitor, stream } = await checked.start(plan, true);
      const session = await monitor.exec(checked.execPlan(["sh", "-c", "seq 1 5000; exit 3"]));
      assert.equal(demultiplex(await bytesOf(session.stream)).stdout.length, 23_893);
      assert.equal((await session.exited).exitCode, 3);
      await monitor.resize(10, 20);
      stream.end("word\r");
      assert.match(await textOf(stream), /word\r\n[\s\S]*word\r\n/);
      assert.equal((await monitor.exited)?.exitCode, 0);
      await assert.rejects(checked.run(["nosuch"]));
    } finally {
      delete process.env["ASAN_OPTIONS"];
      delete process.env["UBSAN_OPTIONS"];
    }
    assert.deepEqual(readdirSync(reports), []);
  });

  test("the exec root may be longer than a socket's address", async () => {
    await using long = await Bench.open({ longPath: true });
    assert.equal(await long.sh("echo far away"), "far away");
  });
}

describe("launch", () => launches(false));
describe("launch with mount(2) alone", () => launches(true));
