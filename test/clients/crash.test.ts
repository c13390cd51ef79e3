/** The daemon is killed; containers are not. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Daemon, importBusybox } from "../daemon.ts";

describe("kill -9 of the daemon", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  test("a container that prints goes on; each line is in its log exactly once", async () => {
    const script = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo line $i; done; exit 23";
    await daemon.ok("run", "-d", "--name", "printer", "busybox", "sh", "-c", script);
    await daemon.kill("SIGKILL");
    await daemon.restart();
    assert.equal(await daemon.ok("wait", "printer"), "23");
    const lines = (await daemon.ok("logs", "printer")).split("\n");
    assert.equal(lines.length, 100_000);
    for (const [index, line] of lines.entries()) assert.equal(line, `line ${index + 1}`);
  });

  test("a running container is adopted: exec, stdin, stop", async () => {
    await daemon.ok("run", "-di", "--name", "alive", "busybox", "sh", "-c", "while read x; do echo got $x; done");
    await daemon.kill("SIGKILL");
    await daemon.restart();
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.Status}}", "alive"), "running");
    assert.equal(await daemon.ok("exec", "alive", "echo", "in"), "in");
    await daemon.docker(["attach", "--sig-proxy=false", "alive"], { input: "hello\n", timeoutMs: 3000 });
    assert.match(await daemon.ok("logs", "alive"), /got hello/);
    await daemon.ok("rm", "-f", "alive");
  });

  test("one that ended meanwhile has its exit code, and --rm is kept", async () => {
    await daemon.ok("run", "-d", "--name", "short", "busybox", "sh", "-c", "sleep 0.5; exit 5");
    await daemon.ok("run", "-d", "--rm", "--name", "gone", "busybox", "sleep", "0.5");
    await daemon.kill("SIGKILL");
    await new Promise((done) => setTimeout(done, 1000));
    await daemon.restart();
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "short"), "exited 5");
    assert.equal(await daemon.ok("ps", "-aq", "--filter", "name=gone"), "");
  });

  test("a published port answers all the while", async () => {
    await daemon.ok("run", "-d", "--name", "web", "-p", "18090:80", "busybox", "httpd", "-f", "-h", "/etc");
    await daemon.kill("SIGKILL");
    const { command, eventually } = await import("../daemon.ts");
    const get = (): Promise<string> =>
      eventually("an answer", async () => {
        const result = await command("curl", ["-s", "--noproxy", "*", "--max-time", "2", "http://127.0.0.1:18090/passwd"]);
        return result.status === 0 ? result.stdout : undefined;
      });
    assert.match(await get(), /root/);
    await daemon.restart();
    assert.match(await get(), /root/);
    await daemon.ok("rm", "-f", "web");
  });
});
