/** A program written against dockerode: create, attach, exec, logs, stats, archive, events. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import Docker from "dockerode";
import { command, Daemon, importBusybox } from "../daemon.ts";

describe("dockerode", () => {
  let daemon: Daemon;
  let docker: Docker;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
    docker = new Docker({ socketPath: daemon.host.slice("unix://".length) });
  });
  after(() => daemon.close());

  /** Both outputs of a multiplexed stream, when it has ended. */
  async function outputs(stream: NodeJS.ReadableStream): Promise<readonly [stdout: string, stderr: string]> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    docker.modem.demuxStream(stream, stdout, stderr);
    stream.on("end", () => {
      stdout.end();
      stderr.end();
    });
    return await Promise.all([text(stdout), text(stderr)]);
  }

  test("ping, version, info, images", async () => {
    assert.equal(String(await docker.ping()), "OK");
    assert.equal((await docker.version()).Os, "linux");
    assert.equal((await docker.info()).Images, 1);
    assert.deepEqual(
      (await docker.listImages()).map((image) => image.RepoTags),
      [["busybox:latest"]],
    );
  });

  test("run: output and exit code in one call", async () => {
    const out = new PassThrough();
    const printed = text(out);
    const [result, container] = await docker.run("busybox", ["sh", "-c", "echo hello; exit 3"], out, {
      HostConfig: { NetworkMode: "none" },
    });
    assert.equal(result.StatusCode, 3);
    assert.equal(await printed, "hello\r\n", "run has a terminal by default");
    await container.remove();
  });

  test("create, attach with input, wait, logs", async () => {
    const container = await docker.createContainer({
      Image: "busybox",
      name: "attached",
      Cmd: ["sh", "-c", "while read line; do echo got $line; done; echo end >&2"],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
    });
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
    const printed = outputs(stream);
    await container.start();
    stream.write("one\n");
    stream.end("two\n");
    assert.deepEqual(await container.wait(), { StatusCode: 0 });
    assert.deepEqual(await printed, ["got one\ngot two\n", "end\n"]);

    const whole = await container.logs({ stdout: true, stderr: false });
    assert.match(whole.toString(), /got one\n.*got two\n$/s);
    const followed = await container.logs({ follow: true, stdout: true, stderr: true, tail: 2, timestamps: true });
    const [stdout, stderr] = await outputs(followed);
    assert.match(`${stdout}${stderr}`, /^\d{4}-\d\d-\d\dT[\d:.]+Z got two\n\d{4}-\d\d-\d\dT[\d:.]+Z end\n$/);
    await container.remove();
  });

  test("exec with both outputs, its exit code, and a terminal", async () => {
    const container = await docker.createContainer({ Image: "busybox", name: "busy", Cmd: ["sleep", "1000"] });
    await container.start();
    const exec = await container.exec({
      Cmd: ["sh", "-c", "cat; echo err >&2; exit 4"],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    const printed = outputs(stream);
    stream.end("typed");
    assert.deepEqual(await printed, ["typed", "err\n"]);
    const { ExitCode, Running } = await exec.inspect();
    assert.deepEqual({ ExitCode, Running }, { ExitCode: 4, Running: false });

    const terminal = await container.exec({ Cmd: ["tty"], AttachStdout: true, Tty: true });
    assert.equal(await text(await terminal.start({ Tty: true })), "/dev/pts/0\r\n");
    await container.remove({ force: true });
  });

  test("stats: once, and as a stream", async () => {
    const container = await docker.createContainer({ Image: "busybox", Cmd: ["sleep", "1000"], HostConfig: { Memory: 64 << 20 } });
    await container.start();
    const once = await container.stats({ stream: false });
    assert.equal(once.pids_stats?.current, 1);
    assert.equal(once.memory_stats.limit, 64 << 20);
    assert.ok(once.cpu_stats.cpu_usage.total_usage > 0);
    assert.ok((once.networks?.["eth0"]?.rx_bytes ?? -1) >= 0);
    const stream = (await container.stats({ stream: true })) as NodeJS.ReadableStream & { destroy(): void };
    const samples: { read: string }[] = [];
    let rest = "";
    for await (const chunk of stream) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      samples.push(...lines.filter(Boolean).map((line) => JSON.parse(line) as { read: string }));
      if (samples.length >= 2) break;
    }
    assert.ok((samples[0]?.read ?? "") < (samples[1]?.read ?? ""), "one sample after the other");
    await container.remove({ force: true });
  });

  test("archive: in, out, and what is there", async () => {
    const container = await docker.createContainer({ Image: "busybox", Cmd: ["true"] });
    const tar = await command("sh", ["-c", 'cd "$(mktemp -d)" && echo content >file && tar -cf - file | base64 -w0; rm -rf "$PWD"']);
    await container.putArchive(Buffer.from(tar.stdout, "base64"), { path: "/tmp" });
    const listed = await command("tar", ["-xOf", "-", "file"], { input: await buffer(await container.getArchive({ path: "/tmp/file" })) });
    assert.deepEqual(listed, { status: 0, stdout: "content\n", stderr: "" });
    const head = (await container.infoArchive({ path: "/tmp/file" })) as unknown as { headers: Record<string, string> };
    const stat = JSON.parse(Buffer.from(head.headers["x-docker-container-path-stat"] ?? "", "base64").toString()) as Record<
      string,
      unknown
    >;
    assert.deepEqual([stat["name"], stat["size"], stat["linkTarget"]], ["file", 8, ""]);
    await assert.rejects(container.getArchive({ path: "/nosuch" }), { statusCode: 404 });
    await container.remove();
  });

  test("events: stored, then live, filtered", async () => {
    const since = Math.floor(Date.now() / 1000);
    const stream = (await docker.getEvents({
      since,
      filters: { type: ["container"], container: ["eventful"] },
    })) as NodeJS.ReadableStream & { destroy(): void };
    const actions: string[] = [];
    const seen = (async () => {
      for await (const chunk of stream) {
        for (const line of String(chunk).split("\n").filter(Boolean)) actions.push((JSON.parse(line) as { Action: string }).Action);
        if (actions.includes("destroy")) break;
      }
    })();
    const container = await docker.createContainer({ Image: "busybox", name: "eventful", Cmd: ["true"] });
    await container.start();
    await container.wait();
    await container.remove();
    await seen;
    assert.deepEqual(actions, ["create", "start", "die", "destroy"]);
  });

  test("errors have their status and Docker's words", async () => {
    await assert.rejects(docker.getContainer("nosuch").inspect(), { statusCode: 404, json: { message: "No such container: nosuch" } });
    await assert.rejects(docker.createContainer({ Image: "busybox", name: "bad name", Cmd: ["true"] }), { statusCode: 400 });
    const container = await docker.createContainer({ Image: "busybox", Cmd: ["true"] });
    await assert.rejects(container.kill(), { statusCode: 409 });
    await container.remove();
  });
});
