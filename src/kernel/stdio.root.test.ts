/** Streams of real containers: stdin, terminals, many and stuck clients, the log, and what survives the daemon. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Bench, bytesOf, demultiplex, native, textOf } from "./busybox-containers.ts";
import type { Monitor } from "./kernel.ts";
import { openLinuxKernel } from "./linux.ts";
import type { LaunchPlan } from "./plan.ts";

describe("stdio", () => {
  let bench: Bench;
  before(async () => {
    bench = await Bench.open();
  });
  after(async () => await bench[Symbol.asyncDispose]());

  const interactive = { stdio: { openStdin: true, stdinOnce: true } };
  const withTerminal = { stdio: { tty: true, openStdin: true, rows: 31, columns: 99 }, process: [{ op: "console" }] } as const;

  test("stdin, and its end", async () => {
    const { monitor, stream } = await bench.start(bench.plan(["cat"], interactive), true);
    stream.end("what goes in\n");
    assert.deepEqual(demultiplex(await bytesOf(stream)), { stdout: "what goes in\n", stderr: "" });
    assert.equal((await monitor.exited)?.exitCode, 0);
  });

  test("a megabyte goes in and out whole", async () => {
    const { monitor, stream } = await bench.start(bench.plan(["cat"], { ...interactive, noLog: true }), true);
    const sent = "0123456789abcdef".repeat(65_536);
    stream.end(sent);
    assert.ok(demultiplex(await bytesOf(stream)).stdout === sent);
    await monitor.exited;
  });

  test("stdin that nobody reads holds back its sender only", async () => {
    const { monitor, stream } = await bench.start(bench.plan(["sh", "-c", "sleep 0.3; echo alive; sleep 100"], interactive), true);
    stream.write(Buffer.alloc(8 * 2 ** 20));
    const second = await monitor.attach({ stdin: false, stdout: true, stderr: true });
    assert.match(String(await new Promise((resolve) => second.once("data", resolve))), /alive/);
    second.destroy();
    stream.destroy();
    await monitor.signal(9);
    await monitor.exited;
  });

  test("without stdin it is /dev/null, and a client's stdin is not the program's", async () => {
    assert.equal(await bench.sh("readlink /proc/self/fd/0; wc -c"), "/dev/null\n0");
  });

  test("a terminal: of the container's own devpts, with a size, with echo", async () => {
    const plan = bench.plan(["sh", "-c", "tty; stty size; ls -l /dev/console; read x; echo got $x; stty size"], withTerminal);
    const { monitor, stream } = await bench.start(plan, true);
    let text = "";
    stream.on("data", (chunk) => {
      text += String(chunk);
    });
    while (!text.includes("/dev/console")) await sleep(5);
    assert.match(text, /^\/dev\/pts\/0\r\n31 99\r\nc.*\/dev\/console\r\n$/);
    await monitor.resize(40, 120);
    stream.write("word\r");
    assert.equal((await monitor.exited)?.exitCode, 0);
    assert.match(text, /word\r\ngot word\r\n40 120\r\n$/);
    assert.equal(bench.log(plan)[0]?.log, "/dev/pts/0\r\n");
  });

  test("control characters reach the terminal's foreground group", async () => {
    const { monitor, stream } = await bench.start(
      bench.plan(["sh", "-c", "trap 'echo caught; exit 3' INT; echo up; while :; do sleep 0.02; done"], withTerminal),
      true,
    );
    const text = textOf(stream.on("data", (chunk) => String(chunk).includes("up") && stream.write("\x03")));
    assert.match(await text, /up[\s\S]*caught/);
    assert.equal((await monitor.exited)?.exitCode, 3);
  });

  test("many clients see the same; one that does not read blocks nobody and misses nothing", async () => {
    const lines = 60_000;
    const plan = bench.plan(["sh", "-c", `seq 1 ${lines}; echo done >&2`], { noLog: true });
    const monitor = await bench.kernel.launch(plan);
    const options = { stdin: false, stdout: true, stderr: true };
    const stuck = await monitor.attach(options);
    const others = await Promise.all([1, 2, 3, 4].map(() => monitor.attach(options)));
    const onlyErrors = await monitor.attach({ stdin: false, stdout: false, stderr: true });
    await monitor.launched;
    await monitor.go();
    const expected = Array.from({ length: lines }, (_, index) => `${index + 1}\n`).join("");
    for (const bytes of await Promise.all(others.map(bytesOf))) assert.ok(demultiplex(bytes).stdout === expected);
    assert.deepEqual(demultiplex(await bytesOf(onlyErrors)), { stdout: "", stderr: "done\n" });
    assert.equal((await monitor.exited)?.exitCode, 0);
    await sleep(50);
    assert.ok(demultiplex(await bytesOf(stuck)).stdout === expected, "what was kept for it on disk is whole");
    assert.deepEqual(readdirSync(bench.path(plan.containerId)).sort(), ["exit.json", "upper", "work"]);
  });

  test("a client that hangs up is forgotten", async () => {
    const { monitor, stream } = await bench.start(bench.plan(["sh", "-c", "while :; do echo x; done"], { noLog: true }));
    stream.once("data", () => stream.destroy());
    await sleep(100);
    const second = await monitor.attach({ stdin: false, stdout: true, stderr: false });
    await new Promise((resolve) => second.once("data", resolve));
    second.destroy();
    await monitor.signal(9);
    await monitor.exited;
  });

  test("a grandchild that keeps the pipe open does not keep the container", async () => {
    const started = Date.now();
    assert.equal(await bench.sh("sleep 30 & echo gone"), "gone");
    assert.ok(Date.now() - started < 5000);
  });
});

describe("log", () => {
  let bench: Bench;
  before(async () => {
    bench = await Bench.open();
  });
  after(async () => await bench[Symbol.asyncDispose]());

  async function logged(script: string, log: Partial<NonNullable<LaunchPlan["stdio"]["log"]>> = {}): Promise<LaunchPlan> {
    const plain = bench.plan(["sh", "-c", script]);
    const plan = {
      ...plain,
      stdio: { ...plain.stdio, log: { path: bench.path(plain.containerId, "log"), maxBytes: 0, maxFiles: 1, ...log } },
    };
    const { monitor, stream } = await bench.start(plan);
    stream.resume();
    await monitor.exited;
    return plan;
  }

  test("escapes as Docker's", async () => {
    const plan = await logged(String.raw`printf 'a\tb"\\<>&\r\n\342\200\250\303\244\377\300\200\355\240\200\360\237\230\200\n\001\177end'`);
    const raw = readFileSync(plan.stdio.log?.path ?? "", "utf8").replace(/"time":"[^"]+"/g, "T");
    assert.equal(
      raw,
      String.raw`{"log":"a\u0009b\"\\\u003c\u003e\u0026\r\n","stream":"stdout",T}` +
        "\n" +
        String.raw`{"log":"\u2028ä\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd😀\n","stream":"stdout",T}` +
        "\n" +
        `{"log":"\\u0001\x7fend","stream":"stdout",T}\n`,
    );
  });

  test("bytes that are no UTF-8 are kept where it is asked for", async () => {
    const plan = await logged(String.raw`printf '\377\303\244"\300\n'`, { raw: true });
    const start = Buffer.from([
      ...Buffer.from('{"log":"'),
      0xff,
      0xc3,
      0xa4,
      ...Buffer.from('\\"'),
      0xc0,
      ...Buffer.from('\\n","stream":"stdout"'),
    ]);
    assert.deepEqual(readFileSync(plan.stdio.log?.path ?? "").subarray(0, start.length), start);
  });

  test("attributes, and times that have no trailing zeros", async () => {
    const plan = await logged("seq 1 200", { attrs: '{"tag":"x"}' });
    const lines = readFileSync(plan.stdio.log?.path ?? "", "utf8")
      .trimEnd()
      .split("\n");
    assert.equal(lines.length, 200);
    for (const line of lines)
      assert.match(
        line,
        /^\{"log":"\d+\\n","stream":"stdout","attrs":\{"tag":"x"\},"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z"\}$/,
      );
  });

  test("long lines are cut at 16 KiB", async () => {
    const plan = await logged("a() { seq -s x $1 | head -c $2; echo; }; a 20000 40000; a 20000 16384; echo z");
    const lengths = bench.log(plan).map(({ log }) => `${log.length}${log.endsWith("\n") ? "n" : ""}`);
    assert.deepEqual(lengths, ["16384", "16384", "7233n", "16384", "1n", "2n"]);
  });

  test("rotation keeps the newest files, each with one line over its size, and every line once", async () => {
    const plan = await logged("seq 1 3000", { maxBytes: 20_000, maxFiles: 4 });
    const path = plan.stdio.log?.path ?? "";
    assert.equal(existsSync(`${path}.4`), false);
    const files = [`${path}.3`, `${path}.2`, `${path}.1`, path].map((name) => readFileSync(name, "utf8"));
    for (const text of files) assert.ok(text.lastIndexOf("\n", text.length - 2) < 20_000 && text.length > 0);
    for (const text of files.slice(0, 3)) assert.ok(text.length >= 20_000);
    const numbers = files
      .join("")
      .trimEnd()
      .split("\n")
      .map((line) => Number(JSON.parse(line).log));
    assert.equal(numbers.at(-1), 3000);
    for (const [index, number] of numbers.entries()) assert.equal(number, (numbers[0] ?? 0) + index);
  });
});

describe("survival", () => {
  async function lineCount(monitor: Monitor | undefined, plan: LaunchPlan, bench: Bench): Promise<number> {
    await monitor?.exited;
    const lines = bench.log(plan);
    for (const [index, { log }] of lines.entries()) assert.equal(log, `${index + 1}\n`);
    return lines.length;
  }

  test("the broker is killed: its container goes on, another broker has the mounts, no line is lost", async () => {
    await using bench = await Bench.open();
    const plan = bench.plan(["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done"]);
    const { monitor, stream } = await bench.start(plan);
    stream.resume();
    process.kill((await bench.kernel.brokerPid()) ?? 0, "SIGKILL");
    await sleep(100);
    assert.equal(await bench.sh("echo again"), "again");
    assert.equal(await lineCount(monitor, plan, bench), 20_000);
    assert.equal((await monitor.exited)?.exitCode, 0);
  });

  test("the daemon goes: another one adopts, with the log whole, attach and exec as before", async () => {
    await using bench = await Bench.open();
    const plan = bench.plan(["sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo $i; done; read x; exit 4"], {
      stdio: { openStdin: true },
    });
    const { monitor } = await bench.start(plan);
    monitor.release();
    await bench.kernel[Symbol.asyncDispose]();
    bench.kernel = await openLinuxKernel({
      native,
      execRoot: bench.path("exec"),
      adoptFrom: [bench.path("exec/none.sock"), plan.socketPath],
    });
    const adopted = await bench.kernel.adopt(plan.socketPath);
    assert.ok(adopted !== undefined);
    assert.deepEqual(await adopted.launched, await monitor.launched);
    await adopted.go();
    const session = await adopted.exec(bench.execPlan(["echo", "hello"]));
    assert.deepEqual(demultiplex(await bytesOf(session.stream)), { stdout: "hello\n", stderr: "" });
    const stream = await adopted.attach({ stdin: true, stdout: false, stderr: false });
    stream.write("go\n");
    assert.equal(await lineCount(adopted, plan, bench), 30_000);
    assert.equal((await adopted.exited)?.exitCode, 4);
    stream.destroy();
    assert.equal(await bench.kernel.adopt(plan.socketPath), undefined);
  });

  test("a container that ends while no daemon is there leaves its record", async () => {
    await using bench = await Bench.open();
    const plan = bench.plan(["sh", "-c", "sleep 0.2; exit 6"]);
    const { monitor } = await bench.start(plan);
    monitor.release();
    await bench.kernel[Symbol.asyncDispose]();
    for (let round = 0; round < 100 && existsSync(plan.socketPath); round++) await sleep(20);
    assert.equal(JSON.parse(readFileSync(plan.exitPath, "utf8")).exitCode, 6);
    bench.kernel = await openLinuxKernel({ native, execRoot: bench.path("exec") });
  });

  test("a monitor that is killed takes its container along", async () => {
    await using bench = await Bench.open();
    const plan = bench.plan(["sleep", "1000"]);
    const { monitor, stream } = await bench.start(plan);
    stream.resume();
    const { pid } = await monitor.launched;
    const parent = Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
    process.kill(parent, "SIGKILL");
    assert.equal(await monitor.exited, undefined);
    const alive = (): boolean => existsSync(`/proc/${pid}`) && !/State:\s+Z/.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    for (let round = 0; round < 100 && alive(); round++) await sleep(10);
    assert.equal(alive(), false);
    rmSync(plan.socketPath);
  });
});
