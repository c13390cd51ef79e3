import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bytesOf, demultiplex } from "./busybox-containers.ts";
import { type FakeKernel, openFakeKernel } from "./fake.ts";
import type { LaunchPlan } from "./plan.ts";

describe("fake kernel", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "berth-fake-"));
  });
  after(async () => await rm(directory, { recursive: true }));

  function planOf(argv: readonly string[], stdio: Partial<LaunchPlan["stdio"]> = {}): LaunchPlan {
    const id = argv.join("-");
    return {
      containerId: id,
      socketPath: join(directory, `${id}.sock`),
      exitPath: join(directory, `${id}.json`),
      stdio: {
        tty: false,
        openStdin: false,
        stdinOnce: false,
        rows: 0,
        columns: 0,
        log: { path: join(directory, `${id}.log`), maxBytes: 0, maxFiles: 1 },
        ...stdio,
      },
      prepare: [],
      clone: { newNamespaces: 0, join: [], uidMap: "", gidMap: "", timeOffsets: "", cgroup2: "", cgroup1: [] },
      hostNetwork: [],
      init: [{ op: "exec", argv, env: [] }],
      cleanup: [],
    };
  }

  function kernel(): FakeKernel {
    const fake = openFakeKernel();
    fake.program("echo", async ({ argv, stdout, stderr }) => {
      stdout(`${argv.slice(1).join(" ")}\n`);
      stderr("done\n");
      return 3;
    });
    fake.program("cat", async ({ stdin, stdout }) => {
      for await (const text of stdin) stdout(text);
      return 0;
    });
    fake.program("sleep", async ({ forever }) => await forever);
    fake.program("trap", async ({ nextSignal }) => 40 + (await nextSignal()));
    return fake;
  }

  test("runs after go, prints to clients and log, leaves its record", async () => {
    const plan = planOf(["echo", "hi"]);
    const monitor = await kernel().launch(plan);
    const stream = await monitor.attach({ stdin: false, stdout: true, stderr: true });
    assert.ok((await monitor.launched).pid > 0);
    await monitor.go();
    assert.deepEqual(demultiplex(await bytesOf(stream)), { stdout: "hi\n", stderr: "done\n" });
    const exit = await monitor.exited;
    assert.equal(exit?.exitCode, 3);
    assert.deepEqual(JSON.parse(await readFile(plan.exitPath, "utf8")), exit);
    assert.match(
      await readFile(join(directory, "echo-hi.log"), "utf8"),
      /^\{"log":"hi\\n","stream":"stdout","time":"[^"]+"\}\n\{"log":"done\\n"/,
    );
  });

  test("stdin, signals, exec, failures, adoption", async () => {
    const fake = kernel();
    const cat = await fake.launch(planOf(["cat"], { openStdin: true, stdinOnce: true }));
    const stream = await cat.attach({ stdin: true, stdout: true, stderr: true });
    await cat.go();
    stream.end("through");
    assert.equal(demultiplex(await bytesOf(stream)).stdout, "through");
    const trap = await fake.launch(planOf(["trap"]));
    await trap.go();
    await new Promise((resolve) => setImmediate(resolve));
    await trap.signal(2);
    assert.equal((await trap.exited)?.exitCode, 42);
    const plan = planOf(["sleep"]);
    const sleep = await fake.launch(plan);
    await sleep.go();
    const adopted = await openFakeKernel({ world: fake.world }).adopt(plan.socketPath);
    assert.equal(adopted, sleep);
    const session = await sleep.exec({ ...execOf(["echo", "in"]) });
    assert.equal(demultiplex(await bytesOf(session.stream)).stdout, "in\n");
    assert.equal((await session.exited).exitCode, 3);
    await assert.rejects(sleep.exec(execOf(["nosuch"])), (error: Error) => (error.cause as { errno: number }).errno === 2);
    await sleep.signal(9);
    assert.deepEqual([(await sleep.exited)?.exitCode, (await sleep.exited)?.signal], [137, 9]);
    assert.equal(await fake.adopt(plan.socketPath), undefined);
    fake.failNextLaunch({ stage: "bind-port", errno: 98, message: "0.0.0.0:80" });
    const failing = await fake.launch(planOf(["echo"]));
    await assert.rejects(failing.launched, (error: Error) => (error.cause as { stage: string }).stage === "bind-port");
    await assert.rejects((await fake.launch(planOf(["nosuch"]))).go());
  });

  const execOf = (argv: readonly string[]) => ({
    execId: "e",
    tty: false,
    openStdin: false,
    attachStdout: true,
    attachStderr: true,
    rows: 0,
    columns: 0,
    process: [{ op: "exec" as const, argv, env: [] }],
  });
});
