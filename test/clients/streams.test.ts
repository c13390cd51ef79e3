/** exec, attach and logs through the stock docker CLI. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Daemon, eventually, importBusybox } from "../daemon.ts";

describe("docker exec, attach, logs", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
    await daemon.ok("run", "-d", "--name", "base", "busybox", "sleep", "1000");
  });
  after(() => daemon.close());

  test("exec: output, exit code, user, env, workdir, stdin", async () => {
    const result = await daemon.docker([
      "exec",
      "-e",
      "A=b",
      "-w",
      "/etc",
      "-u",
      "user",
      "base",
      "sh",
      "-c",
      "echo $A $(pwd) $(id -u); echo e >&2; exit 5",
    ]);
    assert.deepEqual(result, { status: 5, stdout: "b /etc 1000\n", stderr: "e\n" });
    assert.equal((await daemon.docker(["exec", "-i", "base", "cat"], { input: "through\n" })).stdout, "through\n");
    assert.match(
      await daemon.ok("exec", "--privileged", "base", "grep", "CapEff", "/proc/self/status"),
      /000001f|000003f|[1-9a-f][0-9a-f]{7}ff/,
    );
    const missing = await daemon.docker(["exec", "base", "nosuch"]);
    assert.equal(missing.status, 127);
    assert.match(missing.stdout, /executable file not found/, "Docker sends it on the stream");
    assert.equal((await daemon.docker(["exec", "base", "/etc/passwd"])).status, 126);
    const none = await daemon.docker(["exec", "nosuch", "true"]);
    assert.match(none.stderr, /No such container: nosuch/);
  });

  test("exec -it in a terminal", async () => {
    const result = await daemon.terminal(["exec", "-it", "base", "sh"], { input: "tty; stty size; exit 6\n" });
    assert.match(result.stdout, /\/dev\/pts\/\d+/);
    assert.equal(result.status, 6);
  });

  test("exec -d", async () => {
    await daemon.ok("exec", "-d", "base", "sh", "-c", "echo done >/tmp/mark");
    await eventually("the mark", async () =>
      (await daemon.docker(["exec", "base", "cat", "/tmp/mark"])).stdout === "done\n" ? true : undefined,
    );
  });

  test("logs: tail, since, until, timestamps", async () => {
    await daemon.ok("run", "--name", "lines", "busybox", "sh", "-c", "echo 1; echo 2; sleep 0.3; echo 3");
    assert.equal(await daemon.ok("logs", "--tail", "2", "lines"), "2\n3");
    const stamped = (await daemon.ok("logs", "--timestamps", "lines")).split("\n");
    assert.equal(stamped.length, 3);
    for (const line of stamped) assert.match(line, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \d$/);
    const between = stamped[2]?.split(" ")[0] ?? "";
    assert.equal(await daemon.ok("logs", "--since", between, "lines"), "3");
    assert.equal(await daemon.ok("logs", "--until", stamped[1]?.split(" ")[0] ?? "", "lines"), "1\n2");
    await daemon.ok("rm", "lines");
  });

  test("logs -f goes on until the container ends", async () => {
    await daemon.ok(
      "run",
      "-d",
      "--name",
      "followed",
      "busybox",
      "sh",
      "-c",
      "for i in $(seq 1 200); do echo line $i; done; sleep 0.5; echo last",
    );
    const followed = await daemon.docker(["logs", "-f", "followed"]);
    assert.equal(followed.status, 0);
    assert.deepEqual(followed.stdout.trim().split("\n"), [...Array.from({ length: 200 }, (_, i) => `line ${i + 1}`), "last"]);
    await daemon.ok("rm", "followed");
  });

  test("attach, and the detach keys", async () => {
    await daemon.ok("run", "-dit", "--name", "attached", "busybox", "sh");
    const client = spawn("script", ["-qefc", "docker attach --detach-keys ctrl-a,d attached", "/dev/null"], {
      env: { ...process.env, DOCKER_HOST: daemon.host },
    });
    let seen = "";
    client.stdout.on("data", (chunk) => (seen += chunk));
    await sleep(300);
    client.stdin.write("echo attached-$((40+2))\n");
    await eventually("the echo", async () => (seen.includes("attached-42") ? true : undefined));
    const ended = new Promise((done) => client.once("close", done));
    client.stdin.write("\x01d");
    await ended;
    assert.match(seen, /read escape sequence/);
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.Running}}", "attached"), "true");
    await daemon.ok("rm", "-f", "attached");
  });

  test("two clients attached at once see the same", async () => {
    await daemon.ok("create", "--name", "two", "-i", "busybox", "sh", "-c", "read x; for i in $(seq 1 50); do echo $x $i; done");
    await daemon.ok("start", "two");
    const [one, two] = [daemon.docker(["attach", "--no-stdin", "two"]), daemon.docker(["attach", "--no-stdin", "two"])];
    await sleep(500);
    const third = await daemon.docker(["attach", "two"], { input: "go\n" });
    const expected = `${Array.from({ length: 50 }, (_, i) => `go ${i + 1}`).join("\n")}\n`;
    assert.equal(third.stdout, expected);
    assert.equal((await one).stdout, expected);
    assert.equal((await two).stdout, expected);
    await daemon.ok("rm", "two");
  });

  test("a client that does not read stops nobody", async () => {
    await daemon.ok("run", "-d", "--name", "flood", "busybox", "sh", "-c", "read x </tmp/none; yes 0123456789 | head -n 3000000; echo end");
    const stuck = spawn("docker", ["attach", "--no-stdin", "flood"], {
      env: { ...process.env, DOCKER_HOST: daemon.host },
      stdio: ["ignore", "pipe", "ignore"],
    });
    stuck.stdout.pause();
    assert.equal(await daemon.ok("wait", "flood"), "0");
    assert.equal(await daemon.ok("logs", "--tail", "1", "flood"), "end");
    stuck.kill("SIGKILL");
    await daemon.ok("rm", "flood");
  });
});
