/** What the monitor does for the daemon's work on logs, and datagrams through the broker. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Bench, demultiplex } from "./busybox-containers.ts";
import type { LaunchFailure, LaunchPlan } from "./plan.ts";

describe("the monitor's log files", () => {
  let bench: Bench;
  before(async () => {
    bench = await Bench.open();
  });
  after(async () => await bench[Symbol.asyncDispose]());

  function planWith(script: string, log: { maxBytes: number; maxFiles: number }): { plan: LaunchPlan; path: string } {
    const plain = bench.plan(["sh", "-c", script], { stdio: { openStdin: true } });
    const path = bench.path(plain.containerId, "log");
    return { plan: { ...plain, stdio: { ...plain.stdio, log: { path, ...log } } }, path };
  }
  const names = (path: string): string[] =>
    readdirSync(path.replace(/\/log$/, ""))
      .filter((name) => name.startsWith("log"))
      .sort();
  /** Packed files are as good as any for who renames them. */
  const echo = "while read line; do echo $line; done";

  test("tells of a rotation, and puts a file's other form in its place, whatever it is called by then", async () => {
    const { plan, path } = planWith(echo, { maxBytes: 50, maxFiles: 4 });
    const { monitor, stream } = await bench.start(plan, true);
    stream.resume();
    let rotations = 0;
    monitor.onLogRotated(() => rotations++);
    const say = async (text: string): Promise<void> => {
      const before = rotations;
      stream.write(`${text}\n`);
      while (rotations === before) await sleep(2);
    };
    stream.write("1\n");
    while (statSync(path).size === 0) await sleep(2);
    const first = statSync(path, { bigint: true }).ino;
    await assert.rejects(monitor.replaceLogFile(first, undefined), /no such file/, "the newest is the monitor's");
    await say("2");
    writeFileSync(`${path}.packing`, "packed 1");
    await say("3");
    await monitor.replaceLogFile(first, `${path}.packing`);
    assert.deepEqual(names(path), ["log", "log.1", "log.2.gz"]);
    await say("4");
    assert.deepEqual(names(path), ["log", "log.1", "log.2", "log.3.gz"]);
    assert.equal(readFileSync(`${path}.3.gz`, "utf8"), "packed 1");
    await say("5");
    assert.deepEqual(names(path), ["log", "log.1", "log.2", "log.3"], "the oldest goes, packed or not");
    await monitor.replaceLogFile(statSync(`${path}.2`, { bigint: true }).ino, undefined);
    assert.deepEqual(names(path), ["log", "log.1", "log.3"]);
    await assert.rejects(monitor.replaceLogFile(1n, `${path}.packing`), /no such file/);
    stream.destroy();
    await monitor.signal(9);
    await monitor.exited;
  });

  test("a log of one file begins a new one: who reads the old one can read it to its end", async () => {
    const { plan, path } = planWith(echo, { maxBytes: 50, maxFiles: 1 });
    const { monitor, stream } = await bench.start(plan, true);
    stream.resume();
    stream.write("1\n");
    while (statSync(path).size === 0) await sleep(2);
    // Also keeps the inode from being used again.
    const old = openSync(path, "r");
    const { ino } = statSync(path);
    stream.write("2\n");
    while (statSync(path, { throwIfNoEntry: false })?.ino === ino) await sleep(2);
    assert.deepEqual(names(path), ["log"]);
    assert.match(readFileSync(old, "utf8"), /^\{"log":"1\\n"/);
    assert.match(readFileSync(path, "utf8"), /^\{"log":"2\\n"/);
    closeSync(old);
    stream.destroy();
    await monitor.signal(9);
    await monitor.exited;
  });

  test("attaching behind the log: it says where that ends, and begins with what the log has not got of a line", async () => {
    const { plan, path } = planWith("echo whole; printf hal; printf er >&2; read x; echo f; echo end", { maxBytes: 0, maxFiles: 1 });
    const { monitor, stream } = await bench.start(plan, true);
    stream.resume();
    while (statSync(path).size === 0) await sleep(2);
    await sleep(50);
    const behind = await monitor.attachAfterLog({ stdin: false, stdout: true, stderr: true });
    const onlyErrors = await monitor.attachAfterLog({ stdin: false, stdout: false, stderr: true });
    const chunks: [Buffer[], Buffer[]] = [[], []];
    for (const [n, { socket }] of [behind, onlyErrors].entries()) socket.on("data", (chunk: Buffer) => chunks[n]?.push(chunk));
    const ends = Promise.all([once(behind.socket, "end"), once(onlyErrors.socket, "end")]);
    const { ino, size } = statSync(path, { bigint: true });
    assert.deepEqual(behind.log, { inode: ino, offset: Number(size) });
    stream.write("go\n");
    await ends;
    assert.deepEqual(demultiplex(Buffer.concat(chunks[0])), { stdout: "half\nend\n", stderr: "er" });
    assert.deepEqual(demultiplex(Buffer.concat(chunks[1])), { stdout: "", stderr: "er" });
    await monitor.exited;
  });

  test("without a log there is no position", async () => {
    const { monitor, stream } = await bench.start(bench.plan(["cat"], { stdio: { openStdin: true }, noLog: true }), true);
    const { socket, log } = await monitor.attachAfterLog({ stdin: false, stdout: true, stderr: true });
    assert.deepEqual(log, { inode: 0n, offset: 0 });
    socket.destroy();
    stream.destroy();
    await monitor.signal(9);
    await monitor.exited;
  });

  test("datagrams: in order, as many as the receiver takes", async () => {
    const path = bench.path("datagrams");
    await assert.rejects(bench.kernel.sendDatagrams(path, []), (error: Error) => (error.cause as LaunchFailure).errno === 2);
    const program = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("ready",flush=True); sys.stdin.readline()
s.settimeout(1)
try:
  while True: print(len(s.recv(1<<20)),flush=True)
except TimeoutError: pass`;
    const receiver = spawn("python3", ["-c", program, path], { stdio: ["pipe", "pipe", "inherit"] });
    let text = "";
    receiver.stdout.on("data", (chunk) => (text += chunk));
    while (text === "") await sleep(5);
    assert.equal(await bench.kernel.sendDatagrams(path, []), 0);
    const datagrams = Array.from({ length: 2000 }, (_, n) => Buffer.alloc(n + 1));
    const taken = await bench.kernel.sendDatagrams(path, datagrams);
    assert.ok(taken > 0 && taken < 2000, `${taken} were taken by one who does not read`);
    assert.equal(await bench.kernel.sendDatagrams(path, datagrams.slice(taken)), 0);
    receiver.stdin.write("\n");
    while (!text.endsWith(`\n${taken}\n`)) await sleep(5);
    assert.equal(await bench.kernel.sendDatagrams(path, [Buffer.alloc((16 << 20) >> 1), Buffer.from("x")]), 2, "too long counts as taken");
    while (!text.endsWith(`\n${taken}\n1\n`)) await sleep(5);
    receiver.kill();
    await once(receiver, "exit");
    assert.equal(text, `ready\n${Array.from({ length: taken }, (_, n) => `${n + 1}\n`).join("")}1\n`);
    await assert.rejects(
      bench.kernel.sendDatagrams(path, [Buffer.from("x")]),
      (error: Error) => (error.cause as LaunchFailure).errno === 111,
    );
  });
});
