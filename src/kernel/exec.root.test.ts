/** Exec sessions in real containers. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Bench, bytesOf, demultiplex, native } from "./busybox-containers.ts";
import type { Monitor } from "./kernel.ts";
import type { ExecPlan, LaunchFailure, ProcessOp } from "./plan.ts";

describe("exec", () => {
  let bench: Bench;
  let monitor: Monitor;
  before(async () => {
    bench = await Bench.open();
    ({ monitor } = await bench.start(bench.plan(["sleep", "1000"], { process: [{ op: "hostname", name: "inside" }] })));
  });
  after(async () => {
    await monitor.signal(9);
    await monitor.exited;
    await bench[Symbol.asyncDispose]();
  });

  async function run(argv: readonly string[], changes: Partial<ExecPlan> = {}, process: readonly ProcessOp[] = []) {
    const session = await monitor.exec(bench.execPlan(argv, changes, process));
    const output = demultiplex(await bytesOf(session.stream));
    return { ...output, ...(await session.exited) };
  }

  test("output and exit code, in the container's namespaces", async () => {
    const { stdout, stderr, exitCode } = await run([
      "sh",
      "-c",
      "hostname; readlink /proc/1/ns/pid; readlink /proc/self/ns/pid; echo err >&2; exit 3",
    ]);
    assert.match(stdout, /^inside\n(pid:\[\d+\])\n\1\n$/);
    assert.deepEqual([stderr, exitCode], ["err\n", 3]);
    assert.equal((await run(["sh", "-c", "kill -9 $$"])).exitCode, 137);
    assert.equal(
      (await run(["sh", "-c", "ls /proc/self/fd | wc -l; cat /proc/self/oom_score_adj"])).stdout,
      `4\n${readFileSync("/proc/self/oom_score_adj", "utf8")}`,
    );
  });

  test("stdin and its end", async () => {
    const session = await monitor.exec(bench.execPlan(["cat"], { openStdin: true }));
    session.stream.end("through\n");
    assert.equal(demultiplex(await bytesOf(session.stream)).stdout, "through\n");
    assert.equal((await session.exited).exitCode, 0);
  });

  test("a terminal", async () => {
    const session = await monitor.exec(
      bench.execPlan(["sh", "-c", "tty; stty size; read x; stty size"], { tty: true, openStdin: true, rows: 20, columns: 70 }),
    );
    let text = "";
    session.stream.on("data", (chunk) => {
      text += String(chunk);
    });
    while (!text.includes("70\r\n")) await sleep(5);
    await session.resize(21, 71);
    session.stream.write("\r");
    await new Promise((resolve) => session.stream.once("end", resolve));
    assert.match(text, /^\/dev\/pts\/\d+\r\n20 70\r\n\r\n21 71\r\n$/);
    assert.equal((await session.exited).exitCode, 0);
  });

  test("a signal ends it; afterwards there is nobody to signal", async () => {
    const session = await monitor.exec(bench.execPlan(["sleep", "1000"]));
    session.stream.resume();
    await session.signal(15);
    assert.equal((await session.exited).exitCode, 143);
    await assert.rejects(session.signal(15));
  });

  test("user, groups, capabilities, directory", async () => {
    const process: ProcessOp[] = [
      { op: "capabilities", bounding: 0xa80425fbn, effective: 0xa80425fbn, permitted: 0xa80425fbn, inheritable: 0n, ambient: 0n },
      { op: "groups", gids: [7, 8] },
      { op: "cwd", path: "/tmp/made", create: true, uid: 5, gid: 6 },
      { op: "user", uid: 5, gid: 6 },
    ];
    const { stdout } = await run(
      ["sh", "-c", "id; pwd; stat -c %u:%g .; grep ^Cap /proc/self/status | /bin/busybox tr -d '\\t'; echo x >/proc/self/fd/1"],
      {},
      process,
    );
    assert.equal(
      stdout,
      "uid=5 gid=6 groups=7,8\n/tmp/made\n5:6\nCapInh:0000000000000000\nCapPrm:0000000000000000\nCapEff:0000000000000000\n" +
        "CapBnd:00000000a80425fb\nCapAmb:0000000000000000\nx\n",
    );
  });

  test("failures say what has failed", async () => {
    const failure = async (plan: ExecPlan): Promise<LaunchFailure> =>
      await monitor.exec(plan).then(
        () => assert.fail("was to fail"),
        (error: Error) => error.cause as LaunchFailure,
      );
    assert.deepEqual(await failure(bench.execPlan(["nosuch"])), { stage: "exec", errno: 2, message: "nosuch" });
    assert.deepEqual(await failure(bench.execPlan(["/etc/passwd"])), { stage: "exec", errno: 13, message: "/etc/passwd" });
    assert.equal((await failure(bench.execPlan(["true"], {}, [{ op: "cwd", path: "/proc/self/fd/3" }]))).stage, "cwd");
  });

  test("the container's cgroups are entered", async () => {
    const v2 = existsSync("/sys/fs/cgroup/cgroup.procs");
    const cgroup = `/sys/fs/cgroup/${v2 ? "" : "pids/"}berth-test-exec-${process.pid}`;
    mkdirSync(cgroup);
    try {
      const clone = v2 ? { cgroup2: cgroup } : { cgroup1: [cgroup] };
      const { monitor: confined } = await bench.start(bench.plan(["sleep", "1000"], { clone }));
      for (let round = 0; round < 2; round++) {
        const session = await confined.exec(bench.execPlan(["cat", "/proc/self/cgroup"]));
        assert.match(demultiplex(await bytesOf(session.stream)).stdout, new RegExp(`berth-test-exec-${process.pid}`));
      }
      await confined.signal(9);
      await confined.exited;
    } finally {
      for (let round = 0; round < 20; round++)
        try {
          rmdirSync(cgroup);
          break;
        } catch {
          await sleep(10);
        }
    }
  });

  test("an orphan that keeps the output open does not keep the session", async () => {
    const started = Date.now();
    assert.equal((await run(["sh", "-c", "sleep 20 & echo left"])).stdout, "left\n");
    assert.ok(Date.now() - started < 5000);
  });

  test("many at once, and sessions end with the container", async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => run(["echo", String(index)])));
    assert.deepEqual(
      results.map(({ stdout }) => Number(stdout)),
      Array.from({ length: 20 }, (_, index) => index),
    );
    const other = await bench.start(bench.plan(["sleep", "1000"]));
    const session = await other.monitor.exec(bench.execPlan(["sleep", "1000"]));
    session.stream.resume();
    await other.monitor.signal(9);
    assert.equal((await other.monitor.exited)?.exitCode, 137);
    assert.equal((await session.exited).exitCode, 137);
    await assert.rejects(other.monitor.exec(bench.execPlan(["true"])));
  });

  test("the host's program is as it was after an entrypoint that executes /proc/self/exe (CVE-2019-5736)", async () => {
    const program = readFileSync(native);
    writeFileSync(bench.path("lower/bin/again"), "#!/proc/self/exe\n", { mode: 0o755 });
    const result = await run(["again"]).catch((error: Error) => error);
    assert.ok(result instanceof Error || result.exitCode !== 0);
    assert.ok(program.equals(readFileSync(native)));
  });
});
