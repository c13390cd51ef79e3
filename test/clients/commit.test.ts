/** commit through the stock docker CLI. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { command, Daemon, eventually, importBusybox } from "../daemon.ts";

describe("docker commit", () => {
  let daemon: Daemon;
  let dir: string;
  const inspect = async (image: string, format: string): Promise<unknown> =>
    JSON.parse(await daemon.ok("image", "inspect", "-f", `{{json ${format}}}`, image));
  /** Names in the topmost layer. */
  const layerOf = async (image: string): Promise<string[]> => {
    const script = `docker save ${image} | tar -x -C "$1" && python3 - "$1" <<'END'
import json, sys, tarfile
root = sys.argv[1] + "/"
layer = json.load(open(root + "manifest.json"))[0]["Layers"][-1]
print(*[m.name for m in tarfile.open(root + layer)], sep="\\n")
END`;
    const place = mkdtempSync(join(dir, "saved-"));
    const result = await command("sh", ["-ec", script, "sh", place], { env: { DOCKER_HOST: daemon.host } });
    assert.equal(result.status, 0, result.stderr);
    return result.stdout.trim().split("\n");
  };

  before(async () => {
    daemon = await Daemon.start();
    dir = mkdtempSync("/var/tmp/berth-test-commit-");
    await importBusybox(daemon);
  });
  after(async () => {
    rmSync(dir, { recursive: true, force: true });
    await daemon.close();
  });

  test("an image of what the container has written, and not of what is mounted", async () => {
    writeFileSync(join(dir, "bound"), "bound");
    const script =
      "echo new >/etc/new && rm /etc/group && rm -r /root && mkdir /root && echo r >/root/r && ln /etc/new /etc/twin && echo v >/vol/v && echo t >/tmp/t && mkfifo /p";
    await daemon.ok(
      "run",
      "--name",
      "made",
      "-e",
      "GIVEN=1",
      "-v",
      "/vol",
      "-v",
      `${dir}:/host`,
      "--tmpfs",
      "/tmp",
      "busybox",
      "sh",
      "-c",
      script,
    );
    const id = await daemon.ok("commit", "-a", "An Author", "-m", "a message", "made", "t/made:v1");
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual(await layerOf("t/made:v1"), [
      "etc",
      "etc/.wh.group",
      "etc/new",
      "etc/twin",
      "host",
      "p",
      "root",
      "root/.wh..wh..opq",
      "root/r",
      "vol",
    ]);
    assert.equal(
      await daemon.ok(
        "run",
        "--rm",
        "t/made:v1",
        "sh",
        "-c",
        "cat /etc/new; ls /etc/group 2>&1; ls /root /vol /host; stat -c %h /etc/twin; echo $GIVEN",
      ),
      "new\nls: /etc/group: No such file or directory\n/host:\n\n/root:\nr\n\n/vol:\n2\n1",
    );
    assert.equal(await inspect("t/made:v1", ".Author"), "An Author");
    assert.equal(await inspect("t/made:v1", ".Comment"), "a message");
    assert.equal(await inspect("t/made:v1", ".Parent"), await inspect("busybox", ".Id"));
    assert.equal(((await inspect("t/made:v1", ".RootFS.Layers")) as string[]).length, 2);
    assert.deepEqual(await inspect("t/made:v1", ".Config.Cmd"), ["sh", "-c", script]);
    const history = await daemon.ok("history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", "t/made:v1");
    assert.deepEqual(history.split("\n"), [`sh -c ${script}|a message`, "|Imported from -"]);
    // The CLI's `0s` is the second that has begun: what happened in it comes later.
    const told = ["events", "--since", "1h", "--until", "0s", "--filter", "event=commit", "--format", "{{json .}}"];
    const events = await eventually("the event", async () => (await daemon.ok(...told)) || undefined);
    const { attributes } = { attributes: (JSON.parse(events) as { Actor: { Attributes: Record<string, string> } }).Actor.Attributes };
    assert.deepEqual([attributes["comment"], attributes["imageID"], attributes["imageRef"]], ["a message", id, "t/made:v1"]);
  });

  test("the same again is the same layer", async () => {
    await daemon.ok("commit", "made", "t/made:v2");
    assert.deepEqual(await inspect("t/made:v2", ".RootFS.Layers"), await inspect("t/made:v1", ".RootFS.Layers"));
  });

  test("changes, and a container made of the result", async () => {
    const changes = [
      'CMD ["cat", "/etc/new"]',
      "ENV GIVEN=2 MORE=3",
      "WORKDIR /etc",
      "USER user",
      "LABEL a=b",
      "EXPOSE 80",
      "VOLUME /data",
      "STOPSIGNAL SIGINT",
    ];
    await daemon.ok("commit", ...changes.flatMap((change) => ["-c", change]), "made", "t/changed");
    assert.equal(await daemon.ok("run", "--rm", "t/changed"), "new");
    assert.equal(await daemon.ok("run", "--rm", "t/changed", "sh", "-c", "id -un; pwd; echo $GIVEN $MORE"), "user\n/etc\n2 3");
    assert.deepEqual(await inspect("t/changed", ".Config.Labels"), { a: "b" });
    assert.deepEqual(await inspect("t/changed", ".Config.ExposedPorts"), { "80/tcp": {} });
    assert.equal(await inspect("t/changed", ".Config.StopSignal"), "SIGINT");
    const refused = await daemon.docker(["commit", "-c", "RUN true", "made", "t/never"]);
    assert.match(refused.stderr, /is not a valid change command/);
    assert.match((await daemon.docker(["commit", "made", "Not/Valid"])).stderr, /must be lowercase|invalid reference format/);
  });

  test("an entrypoint replaces the command", async () => {
    await daemon.ok("commit", "-c", 'ENTRYPOINT ["echo", "from"]', "made", "t/entry");
    assert.equal(await daemon.ok("run", "--rm", "t/entry", "here"), "from here");
    assert.equal(await inspect("t/entry", ".Config.Cmd"), null);
  });

  test("a running container is paused meanwhile, unless that is not wanted", async () => {
    await daemon.ok("run", "-d", "--name", "busy", "busybox", "sh", "-c", "while :; do date >/tmp/now; done");
    const told = async (...args: string[]): Promise<string> => {
      const before = Math.floor(Date.now() / 1000);
      await daemon.ok("commit", ...args, "busy", "t/busy");
      const filter = ["--filter", "container=busy", "--filter", "event=pause", "--filter", "event=unpause", "--filter", "event=commit"];
      return await daemon.ok("events", "--since", String(before), "--until", String(before + 2), ...filter, "--format", "{{.Action}}");
    };
    assert.match(await told(), /^pause\ncommit\nunpause$/);
    assert.equal(await told("--pause=false"), "commit");
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.Status}}", "busy"), "running");
    await daemon.ok("pause", "busy");
    await daemon.ok("commit", "busy", "t/busy");
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.Status}}", "busy"), "paused", "as it was found");
    await daemon.ok("rm", "-f", "busy");
  });

  test("a container that has written nothing adds no layer", async () => {
    await daemon.ok("create", "--name", "empty", "busybox", "true");
    const id = await daemon.ok("commit", "-m", "nothing", "empty");
    assert.equal(((await inspect(id, ".RootFS.Layers")) as string[]).length, 1);
    assert.deepEqual(await inspect(id, ".RepoTags"), []);
    await daemon.ok("run", "--rm", id, "true");
    await daemon.ok("rm", "empty", "made");
  });

  test("what is not there", async () => {
    assert.match((await daemon.docker(["commit", "none"])).stderr, /No such container: none/);
  });
});
