/** Parameters of the API that no other client test gives: each has the effect that it is for. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ask } from "../ask.ts";
import { Daemon, eventually, importBusybox } from "../daemon.ts";

describe("parameters", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  const refusal = async (...args: string[]): Promise<string> => {
    const result = await daemon.docker(args);
    assert.notEqual(result.status, 0, args.join(" "));
    return result.stderr;
  };

  test("of containers: limit, platform, ps_args, link", async () => {
    await daemon.ok("create", "--name", "first", "busybox", "true");
    await daemon.ok("run", "-d", "--name", "second", "--platform", "linux/amd64", "busybox", "sleep", "100");
    assert.equal(await daemon.ok("ps", "-a", "-n", "1", "--format", "{{.Names}}"), "second");
    const foreign = await ask(daemon, "POST", "/containers/create?platform=linux/arm64", { Image: "busybox", Cmd: ["true"] });
    assert.equal(foreign.status, 404);
    assert.match(foreign.text, /image with reference busybox was found but .*platform/);
    assert.match(await daemon.ok("top", "second", "-o", "pid,args"), /^PID +COMMAND\n\d+ +sleep 100$/);
    assert.match(await refusal("rm", "--link", "/first/nothing"), /^Error response from daemon: .*first/);
    await daemon.ok("rm", "-f", "first", "second");
  });

  test("of restart and start: signal, timeout, detach keys", async () => {
    await daemon.ok(
      "run",
      "-d",
      "--name",
      "trap",
      "busybox",
      "sh",
      "-c",
      "trap 'echo told; exit 0' USR1; echo up; while :; do sleep 0.05; done",
    );
    await eventually("the trap", async () => ((await daemon.ok("logs", "trap")) === "up" ? true : undefined));
    await daemon.ok("restart", "--signal", "USR1", "--timeout", "5", "trap");
    assert.match(await daemon.ok("logs", "trap"), /^up\ntold/);
    await daemon.ok("kill", "trap");
    assert.equal((await ask(daemon, "POST", "/containers/trap/start?detachKeys=ctrl-x")).status, 204);
    const started = Date.now();
    await daemon.ok("restart", "--signal", "CONT", "--timeout", "0", "trap");
    assert.ok(Date.now() - started < 8000, "it did not wait for what ignores the signal");
    await daemon.ok("rm", "-f", "trap");
  });

  test("of stats: one sample, or two to tell what has changed between", async () => {
    await daemon.ok("run", "-d", "--name", "idle", "busybox", "sleep", "100");
    const sample = async (
      query: string,
    ): Promise<{ precpu_stats: { system_cpu_usage?: number }; cpu_stats: { system_cpu_usage?: number } }> =>
      (await ask(daemon, "GET", `/containers/idle/stats?stream=0${query}`)).body as never;
    const one = await sample("&one-shot=1");
    assert.ok(Number(one.cpu_stats.system_cpu_usage) > 0);
    assert.equal(one.precpu_stats.system_cpu_usage ?? 0, 0);
    assert.ok(Number((await sample("")).precpu_stats.system_cpu_usage) > 0);
    await daemon.ok("rm", "-f", "idle");
  });

  test("of attach: the log first", async () => {
    await daemon.ok("run", "--name", "said", "busybox", "echo", "hello");
    const { text } = await ask(daemon, "POST", "/containers/said/attach?logs=1&stdout=1");
    assert.equal(text, "\x01\0\0\0\0\0\0\x06hello\n");
    await daemon.ok("rm", "said");
  });

  test("of exec: the size of its terminal", async () => {
    await daemon.ok("run", "-d", "--name", "shown", "busybox", "sleep", "100");
    const command = ["sh", "-c", "sleep 0.5; stty size > /size"];
    const { Id } = (await ask(daemon, "POST", "/containers/shown/exec", { Cmd: command, Tty: true })).body as { Id: string };
    await ask(daemon, "POST", `/exec/${Id}/start`, { Detach: true, Tty: true });
    assert.equal((await ask(daemon, "POST", `/exec/${Id}/resize?h=33&w=77`)).status, 200);
    await eventually("the size", async () => ((await daemon.docker(["exec", "shown", "cat", "/size"])).stdout === "" ? undefined : true));
    assert.equal(await daemon.ok("exec", "shown", "cat", "/size"), "33 77");
    await daemon.ok("rm", "-f", "shown");
  });

  test("of images: filters, one image as a tar, noprune", async () => {
    assert.equal(await daemon.ok("images", "--filter", "dangling=true", "-q"), "");
    assert.notEqual(await daemon.ok("images", "--filter", "reference=busy*", "-q"), "");
    await daemon.ok("tag", "busybox", "other:1");
    const [one, many] = await Promise.all([ask(daemon, "GET", "/images/other:1/get"), ask(daemon, "GET", "/images/get?names=other:1")]);
    assert.equal(one.headers["content-type"], "application/x-tar");
    assert.ok(one.text.length > 1e6 && one.text === many.text, "the same image");
    assert.equal(await daemon.ok("rmi", "--no-prune", "other:1"), "Untagged: other:1");
  });

  test("of a commit: name, author, comment, changes, configuration", async () => {
    await daemon.ok("run", "--name", "changed", "busybox", "touch", "/made");
    await daemon.ok("commit", "-a", "me", "-m", "why", "-c", "CMD ls /made", "changed", "committed:1");
    const shown = "{{.Author}} {{.Comment}} {{json .Config.Cmd}}";
    assert.equal(await daemon.ok("inspect", "-f", shown, "committed:1"), 'me why ["/bin/sh","-c","ls /made"]');
    assert.equal(await daemon.ok("run", "--rm", "committed:1"), "/made");
    const raw = await ask(daemon, "POST", "/commit?container=changed&repo=committed&tag=2&pause=0", { Labels: { a: "b" }, Cmd: ["true"] });
    assert.equal(raw.status, 201);
    assert.equal(
      await daemon.ok("inspect", "-f", "{{.Id}} {{.Config.Labels.a}} {{json .Config.Cmd}}", "committed:2"),
      `${(raw.body as { Id: string }).Id} b ["true"]`,
    );
    await daemon.ok("rm", "changed");
    await daemon.ok("rmi", "committed:1", "committed:2");
  });

  test("of the build cache's prune: sizes are numbers", async () => {
    for (const name of ["reserved-space", "max-used-space", "min-free-space", "keep-storage"]) {
      assert.equal((await ask(daemon, "POST", `/build/prune?all=1&${name}=10`)).status, 200);
      const { body } = await ask(daemon, "POST", `/build/prune?${name}=10GB`);
      assert.deepEqual(body, { message: `${name} is in bytes and expects an integer, got 10GB` });
    }
  });

  test("of networks: filters; joining and leaving one that cannot be", async () => {
    assert.equal(await daemon.ok("network", "ls", "--filter", "driver=host", "--format", "{{.Name}}"), "host");
    assert.match(await refusal("network", "ls", "--filter", "nonsense=1"), /invalid filter 'nonsense'/);
    assert.equal(await daemon.ok("network", "inspect", "-v", "-f", "{{.Scope}}", "none"), "local");
    assert.match(await refusal("network", "connect", "bridge", "nope"), /No such container: nope/);
    assert.match(await refusal("network", "disconnect", "bridge", "nope"), /No such container: nope/);
  });

  test("that are wrong are refused", async () => {
    await daemon.ok("create", "--name", "there", "busybox", "true");
    for (const [method, path, message] of [
      ["GET", "/containers/json?limit=many", /strconv\.Atoi: parsing \\"many\\": invalid syntax/],
      ["GET", "/containers/json?filters=[1]", /invalid filter/],
      ["GET", "/containers/json?filters=%7B%22status%22:[%22sleeping%22]%7D", /invalid filter 'status=sleeping'/],
      ["GET", "/containers/there/logs?since=1", /Bad parameters: you must choose at least one stream/],
      ["GET", "/containers/there/logs?stdout=1&since=yesterday", /failed to parse value as time/],
      ["POST", "/containers/there/stop?t=soon", /strconv\.Atoi: parsing \\"soon\\": invalid syntax/],
      ["POST", "/containers/there/wait?condition=gone", /invalid condition: \\"gone\\"/],
      ["GET", "/images/json?filters=%7B%22nonsense%22:[%22x%22]%7D", /invalid filter 'nonsense'/],
      ["GET", "/events?since=soon", /soon/],
    ] as const) {
      const { status, text } = await ask(daemon, method, path);
      assert.equal(status, 400, `${method} ${path}: ${text}`);
      assert.match(text, message);
    }
    // What is not known says nothing.
    assert.equal((await ask(daemon, "GET", "/containers/there/json?nonsense=1")).status, 200);
    await daemon.ok("rm", "there");
  });

  test("of a ping: none, but its headers tell who answers", async () => {
    for (const method of ["GET", "HEAD"]) {
      const { headers, text } = await ask(daemon, method, "/_ping");
      assert.equal(text, method === "GET" ? "OK" : "");
      const told = ["api-version", "builder-version", "docker-experimental", "ostype", "swarm", "pragma", "cache-control", "content-type"];
      assert.deepEqual(
        told.map((name) => headers[name]),
        ["1.51", "1", "false", "linux", "inactive", "no-cache", "no-cache, no-store, must-revalidate", "text/plain; charset=utf-8"],
      );
    }
  });
});
