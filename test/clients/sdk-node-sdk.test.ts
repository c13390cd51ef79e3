/**
 * A program written against Docker Inc.'s own SDK for Node: create, attach, exec, logs, stats, archive, events.
 * Version 0.0.17 sends some parameters where no engine looks for them (the condition of a wait, the path of an archive's
 * head, all of events and update) and an archive as JSON: the program goes without those.
 */
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DockerClient, Filter } from "@docker/node-sdk";
import { command, Daemon, importBusybox } from "../daemon.ts";

/** Keeps what is written to it. */
class Sink extends Writable {
  readonly #chunks: Buffer[] = [];
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(Buffer.from(chunk));
    done();
  }
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
  override toString(): string {
    return this.bytes.toString();
  }
}

describe("@docker/node-sdk", () => {
  let daemon: Daemon;
  let docker: DockerClient;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
    docker = await DockerClient.fromDockerHost(`unix:${daemon.host.slice("unix://".length)}`);
  });
  after(async () => {
    await docker.close();
    await daemon.close();
  });

  test("ping, version, info, images, networks", async () => {
    assert.equal(await docker.systemPing(), "1.51");
    assert.equal((await docker.systemVersion()).Os, "linux");
    assert.equal((await docker.systemInfo()).Images, 1);
    assert.deepEqual(
      (await docker.imageList()).map((image) => image.RepoTags),
      [["busybox:latest"]],
    );
    assert.ok((await docker.networkList()).some(({ Name }) => Name === "bridge"));
  });

  test("create, attach, start, wait, logs", async () => {
    const { Id } = await docker.containerCreate(
      { Image: "busybox", Cmd: ["sh", "-c", "echo out; echo err >&2; exit 6"], HostConfig: { NetworkMode: "none" } },
      { name: "attached" },
    );
    const [stdout, stderr] = [new Sink(), new Sink()];
    const attached = docker.containerAttach("attached", stdout, stderr, { stream: true, stdout: true, stderr: true });
    await docker.containerStart(Id);
    await attached;
    assert.deepEqual([String(stdout), String(stderr)], ["out\n", "err\n"]);
    assert.equal((await docker.containerWait(Id)).StatusCode, 6);

    const [logged, complained] = [new Sink(), new Sink()];
    await docker.containerLogs(Id, logged, complained, { stdout: true, stderr: true, follow: true });
    assert.deepEqual([String(logged), String(complained)], ["out\n", "err\n"]);
    const { State } = await docker.containerInspect(Id);
    assert.deepEqual([State?.Status, State?.ExitCode], ["exited", 6]);
    await docker.containerDelete(Id);
  });

  test("exec", async () => {
    const { Id } = await docker.containerCreate({ Image: "busybox", Cmd: ["sleep", "1000"] });
    await docker.containerStart(Id);
    const exec = await docker.containerExec(Id, {
      Cmd: ["sh", "-c", "id -u; echo err >&2; exit 9"],
      User: "user",
      AttachStdout: true,
      AttachStderr: true,
    });
    const [stdout, stderr] = [new Sink(), new Sink()];
    await docker.execStart(exec.Id, stdout, stderr);
    assert.deepEqual([String(stdout), String(stderr)], ["1000\n", "err\n"]);
    assert.equal((await docker.execInspect(exec.Id)).ExitCode, 9);
    await docker.containerDelete(Id, { force: true });
  });

  test("stats, top, pause", async () => {
    const { Id } = await docker.containerCreate({ Image: "busybox", Cmd: ["sleep", "1000"], HostConfig: { Memory: 64 << 20 } });
    await docker.containerStart(Id);
    const stats = await docker.containerStats(Id, { stream: false, oneShot: true });
    assert.equal(stats.pids_stats?.current, 1);
    assert.equal(stats.memory_stats?.limit, 64 << 20);
    const { Titles, Processes } = await docker.containerTop(Id);
    assert.equal(Processes?.[0]?.[Titles?.indexOf("CMD") ?? -1], "sleep 1000");
    await docker.containerPause(Id);
    assert.equal((await docker.containerInspect(Id)).State?.Status, "paused");
    await docker.containerUnpause(Id);
    await docker.containerStop(Id, { timeout: 0 });
    await docker.containerDelete(Id);
  });

  test("archive, changes, export, commit", async () => {
    const { Id } = await docker.containerCreate({ Image: "busybox", Cmd: ["sh", "-c", "echo content >/tmp/file"] });
    await docker.containerStart(Id);
    await docker.containerWait(Id);
    const out = new Sink();
    await docker.containerArchive(Id, "/tmp/file", Writable.toWeb(out));
    const content = await command("tar", ["-xOf", "-", "file"], { input: out.bytes });
    assert.deepEqual(content, { status: 0, stdout: "content\n", stderr: "" });
    assert.deepEqual(await docker.containerChanges(Id), [
      { Path: "/tmp", Kind: 0 },
      { Path: "/tmp/file", Kind: 1 },
    ]);
    const exported = new Sink();
    await docker.containerExport(Id, Writable.toWeb(exported));
    assert.match((await command("tar", ["-t"], { input: exported.bytes })).stdout, /^tmp\/file$/m);
    const image = await docker.imageCommit(Id, { repo: "committed", tag: "v1", author: "me" });
    assert.equal((await docker.imageInspect("committed:v1")).Author, "me");
    await docker.imageDelete(image.Id, { force: true });
    await docker.containerDelete(Id);
  });

  test("volumes", async () => {
    await docker.volumeCreate({ Name: "data", Labels: { a: "b" } });
    assert.equal((await docker.volumeInspect("data")).Driver, "local");
    assert.deepEqual(
      (await docker.volumeList(new Filter().add("label", "a=b"))).Volumes?.map(({ Name }) => Name),
      ["data"],
    );
    await docker.volumeDelete("data");
  });

  test("events of a container's life", async () => {
    const actions: (string | undefined)[] = [];
    const seen = (async () => {
      for await (const event of docker.systemEvents()) {
        if (event.Type !== "container" || event.Actor?.Attributes?.["name"] !== "eventful") continue;
        actions.push(event.Action);
        if (event.Action === "destroy") break;
      }
    })();
    await sleep(200); // nothing tells that the events are being listened to
    const { Id } = await docker.containerCreate({ Image: "busybox", Cmd: ["true"] }, { name: "eventful" });
    await docker.containerStart(Id);
    await docker.containerWait(Id);
    await docker.containerDelete(Id);
    await seen;
    assert.deepEqual(actions, ["create", "start", "die", "destroy"]);
  });

  test("errors", async () => {
    await assert.rejects(
      () => docker.containerInspect("nosuch"),
      (thrown: { name: string }) => thrown.name === "NotFoundError",
    );
    const answer: unknown = await docker.containerCreate({ Image: "nosuch" });
    assert.deepEqual(answer, { message: "No such image: nosuch:latest" });
  });
});
