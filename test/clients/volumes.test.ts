/** Volumes through the stock docker CLI. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../ask.ts";
import { Daemon, eventually, importBusybox } from "../daemon.ts";
import { importContent } from "../volume-image.ts";

describe("docker volume", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
    await importContent(daemon, "/etc");
  });
  after(async () => {
    const volumes = await daemon.docker(["volume", "prune", "-af"]);
    const left = readdirSync(join(daemon.dataRoot, "volumes"));
    await daemon.close();
    assert.deepEqual([volumes.status, left], [0, [".trash"]], "nothing of the volumes is left");
  });

  const run = (...args: string[]): Promise<string> => daemon.ok("run", "--rm", "--network", "none", ...args);
  const fails = async (message: string | RegExp, ...args: string[]): Promise<void> => {
    const result = await daemon.docker(args);
    assert.notEqual(result.status, 0, args.join(" "));
    if (typeof message === "string") assert.ok(result.stderr.includes(message), `${result.stderr}\nis not ${message}`);
    else assert.match(result.stderr, message);
  };
  const mountsOf = async (container: string): Promise<Record<string, unknown>[]> =>
    JSON.parse(await daemon.ok("inspect", "-f", "{{json .Mounts}}", container)) as Record<string, unknown>[];
  const volumeNames = async (...filters: string[]): Promise<string[]> =>
    (await daemon.ok("volume", "ls", "-q", ...filters.flatMap((filter) => ["--filter", filter]))).split("\n").filter(Boolean);
  const data = (volume: string): string => join(daemon.dataRoot, "volumes", volume, "_data");

  test("create, inspect, ls, rm", async () => {
    assert.equal(await daemon.ok("volume", "create", "--label", "a=1", "one"), "one");
    assert.equal(await daemon.ok("volume", "create", "one"), "one", "again is the same");
    const [inspected] = JSON.parse(await daemon.ok("volume", "inspect", "one")) as Record<string, unknown>[];
    const { CreatedAt: created, ...rest } = inspected ?? {};
    assert.ok(Math.abs(Date.now() - Date.parse(String(created))) < 60_000);
    assert.deepEqual(rest, { Driver: "local", Labels: { a: "1" }, Mountpoint: data("one"), Name: "one", Options: null, Scope: "local" });
    const anonymous = await daemon.ok("volume", "create");
    assert.match(anonymous, /^[0-9a-f]{64}$/);
    assert.deepEqual(await volumeNames("label=a"), ["one"]);
    assert.deepEqual((await volumeNames("dangling=true")).sort(), ["one", anonymous].sort());
    assert.equal(await daemon.ok("volume", "rm", "one", anonymous), `one\n${anonymous}`);
    assert.ok(!existsSync(join(daemon.dataRoot, "volumes/one")));
    await fails("get one: no such volume", "volume", "rm", "one");
    await fails("get one: no such volume", "volume", "inspect", "one");
    assert.equal(await daemon.ok("volume", "rm", "-f", "one"), "one");
    await fails("create a: volume name is too short, names should be at least two alphanumeric characters", "volume", "create", "a");
    await fails('create x1: invalid option: "foo"', "volume", "create", "-o", "foo=bar", "x1");
    await fails('create x1: error looking up volume plugin no: plugin "no" not found', "volume", "create", "-d", "no", "x1");
    await fails("invalid filter 'foo'", "volume", "ls", "--filter", "foo=x");
  });

  test("what one container writes another reads, and it stays", async () => {
    await run("-v", "kept:/d", "busybox", "sh", "-c", "echo kept >/d/file");
    assert.equal(await run("--mount", "type=volume,source=kept,target=/e,readonly", "busybox", "cat", "/e/file"), "kept");
    const denied = await daemon.docker(["run", "--rm", "-v", "kept:/d:ro", "busybox", "touch", "/d/x"]);
    assert.match(denied.stderr, /Read-only file system/);
    assert.equal(readFileSync(join(data("kept"), "file"), "utf8"), "kept\n");
    await daemon.ok("volume", "rm", "kept");
  });

  test("a new volume gets what the image has: contents, owners, modes, links", async () => {
    const listing = 'stat -c "%n %a %u:%g %h" /data /data/*; readlink /data/l';
    const ofImage = await run("content", "sh", "-c", listing);
    assert.match(ofImage, /^\/data 2750 1000:1001 /);
    assert.equal(await run("-v", "copy:/data", "content", "sh", "-c", listing), ofImage);
    const top = statSync(data("copy"));
    assert.deepEqual([top.mode & 0o7777, top.uid, top.gid], [0o2750, 1000, 1001]);
    await run("-v", "copy:/data", "content", "rm", "/data/f");
    assert.equal(await run("-v", "copy:/data", "content", "ls", "/data"), "g\nl\nsub", "only a volume that is empty is filled");
    assert.equal(await run("-v", "copy:/vol", "content", "ls", "/vol"), "g\nl\nsub", "whatever the image has there");
    await daemon.ok("create", "--name", "made", "-v", "early:/data", "content", "true");
    assert.deepEqual(readdirSync(data("early")), ["f", "g", "l", "sub"], "at the creation");
    for (const option of ["volume-nocopy", "volume-nocopy=true"])
      assert.equal(await run("--mount", `type=volume,source=empty,target=/data,${option}`, "content", "ls", "/data"), "");
    assert.equal(await run("-v", "empty:/data:nocopy", "content", "ls", "/data"), "");
    assert.equal(
      await run("-v", "linked:/absolute", "content", "ls", "/data"),
      "f\ng\nl\nsub",
      "through a link, from and to where it leads",
    );
    await daemon.ok("rm", "-v", "made");
    await daemon.ok("volume", "rm", "copy", "early", "empty", "linked");
  });

  test("volumes of the image and of -v without a name are anonymous", async () => {
    const id = await daemon.ok("create", "--name", "anon", "-v", "/scratch", "content", "cat", "/vol/deep/file");
    const mounts = await mountsOf("anon");
    const names = mounts.map(({ Name }) => String(Name));
    assert.deepEqual(
      mounts.map(({ Name, Source, ...rest }) => ({ ...rest, Source: Source === data(String(Name)) })),
      ["/vol", "/scratch"].map((Destination) => ({
        Type: "volume",
        Source: true,
        Destination,
        Driver: "local",
        Mode: "",
        RW: true,
        Propagation: "",
      })),
    );
    assert.deepEqual((await volumeNames("label=com.docker.volume.anonymous")).sort(), names.toSorted());
    assert.equal(await daemon.ok("start", "-a", "anon"), "from-the-image");
    const top = statSync(data(names[0] ?? ""));
    assert.deepEqual([top.mode & 0o7777, top.uid, top.gid], [0o700, 7, 8]);
    await fails(`remove ${names[0]}: volume is in use - [${id}]`, "volume", "rm", names[0] ?? "");
    await daemon.ok("rm", "anon");
    assert.deepEqual((await volumeNames()).sort(), names.toSorted(), "rm leaves them");
    await daemon.ok("volume", "prune", "-f");
    assert.deepEqual(await volumeNames(), []);
    await run("content", "true");
    assert.deepEqual(await volumeNames(), [], "--rm takes them along");
    await daemon.ok("run", "--name", "gone", "-v", "named:/n", "content", "true");
    await daemon.ok("rm", "-v", "gone");
    assert.deepEqual(await volumeNames(), ["named"], "rm -v takes those without a name");
    await daemon.ok("volume", "rm", "named");
  });

  test("--volumes-from, with modes", async () => {
    await daemon.ok("create", "--name", "base", "-v", "shared:/s", "-v", "/own", "-v", "/etc:/host:ro", "busybox", "true");
    await daemon.ok("create", "--name", "reader", "--volumes-from", "base:ro", "busybox", "true");
    const [base, reader] = [await mountsOf("base"), await mountsOf("reader")];
    assert.deepEqual(
      reader,
      base.map((mount) => ({ ...mount, RW: false, Mode: "" })),
    );
    assert.deepEqual(
      // The docker client takes binds out of a map, in any order.
      base.map(({ Destination, Mode, RW }) => [Destination, Mode, RW]).sort(),
      [
        ["/host", "ro", false],
        ["/own", "", true],
        ["/s", "z", true],
      ],
    );
    assert.equal(
      await run("--volumes-from", "base", "busybox", "sh", "-c", "echo x >/s/file; echo y >/own/file; ls /host/passwd"),
      "/host/passwd",
    );
    assert.equal(
      await run("--volumes-from", "reader", "-v", "/etc/hosts:/s", "busybox", "cat", "/own/file"),
      "y",
      "an own mount goes first",
    );
    await fails("No such container: nosuch", "run", "--rm", "--pull", "never", "--volumes-from", "nosuch", "busybox", "true");
    await fails("invalid mode: nocopy", "run", "--rm", "--volumes-from", "base:nocopy", "busybox", "true");
    await daemon.ok("rm", "-v", "base");
    assert.equal((await volumeNames()).length, 2, "another container has the anonymous one");
    await daemon.ok("rm", "-v", "reader");
    assert.deepEqual(await volumeNames(), ["shared"]);
    await daemon.ok("volume", "rm", "shared");
  });

  test("in use: removal is refused, whether its containers run or not", async () => {
    const running = await daemon.ok("run", "-d", "--name", "user", "-v", "busy:/b", "busybox", "sleep", "100");
    const stopped = await daemon.ok("create", "--name", "other", "-v", "busy:/b", "busybox", "true");
    const message = `remove busy: volume is in use - [${running}, ${stopped}]`;
    await fails(message, "volume", "rm", "busy");
    await fails(message, "volume", "rm", "-f", "busy");
    assert.equal((await ask(daemon, "DELETE", "/volumes/busy")).status, 409);
    await daemon.kill();
    await daemon.restart();
    await fails(message, "volume", "rm", "busy");
    assert.deepEqual((await daemon.ok("ps", "-a", "--filter", "volume=busy", "--format", "{{.Names}}")).split("\n").sort(), [
      "other",
      "user",
    ]);
    await daemon.ok("rm", "-f", "user", "other");
    await daemon.ok("volume", "rm", "busy");
  });

  test("a directory of a volume", async () => {
    await run("-v", "tree:/t", "busybox", "sh", "-c", "mkdir -p /t/a/b; echo deep >/t/a/b/file; ln -s /etc /t/out; ln -s a/b /t/in");
    const sub = (path: string): string => `type=volume,source=tree,target=/s,volume-subpath=${path}`;
    assert.equal(await run("--mount", sub("a/b"), "busybox", "cat", "/s/file"), "deep");
    assert.equal(await run("--mount", sub("in"), "busybox", "cat", "/s/file"), "deep");
    assert.equal(await run("--mount", sub("a/b/file"), "busybox", "cat", "/s"), "deep");
    await fails(
      /cannot access path .*\/tree\/_data\/no: lstat .*\/no: no such file or directory/,
      "run",
      "--rm",
      "--mount",
      sub("no"),
      "busybox",
      "true",
    );
    await fails("path concatenation escapes the base directory", "run", "--rm", "--mount", sub("out"), "busybox", "true");
    await fails("subpath must be a relative path within the volume", "run", "--rm", "--mount", sub("../x"), "busybox", "true");
    await daemon.ok("volume", "rm", "tree");
  });

  test("prune: what no container uses, anonymous only unless all; older clients mean all", async () => {
    const anonymous = await daemon.ok("volume", "create");
    await daemon.ok("volume", "create", "--label", "keep=1", "kept");
    await daemon.ok("volume", "create", "loose");
    writeFileSync(join(data(anonymous), "file"), "x".repeat(2000));
    assert.equal(await daemon.ok("volume", "prune", "-f"), `Deleted Volumes:\n${anonymous}\n\nTotal reclaimed space: 2kB`);
    assert.match(await daemon.ok("volume", "prune", "-af", "--filter", "label!=keep=1"), /Deleted Volumes:\nloose\n/);
    await daemon.ok("volume", "create", "again");
    const old = await ask(daemon, "POST", "/v1.41/volumes/prune");
    assert.deepEqual(old.body, { VolumesDeleted: ["again", "kept"], SpaceReclaimed: 0 });
    await fails("invalid filter 'foo'", "volume", "prune", "-f", "--filter", "foo=1");
  });

  test("df counts their bytes and users", async () => {
    await daemon.ok("create", "--name", "df", "-v", "counted:/c", "busybox", "true");
    writeFileSync(join(data("counted"), "file"), "x".repeat(1000));
    assert.match(await daemon.ok("system", "df", "-v"), /VOLUME NAME +LINKS +SIZE\ncounted +1 +1kB\n/);
    await daemon.ok("rm", "df");
    await daemon.ok("volume", "rm", "counted");
  });

  test("events", async () => {
    const since = String(Date.now() / 1000);
    await run("--name", "told", "-v", "events:/e:ro", "-v", "/own", "busybox", "true");
    await daemon.ok("volume", "rm", "events");
    await daemon.ok("volume", "prune", "-f");
    const format = "{{.Type}} {{.Action}} {{.Actor.ID}} {{json .Actor.Attributes}}";
    const lines = (await daemon.ok("events", "--since", since, "--until", String(Date.now() / 1000), "--format", format)).split("\n");
    const container = lines.map((line) => /^container create ([0-9a-f]+)/.exec(line)?.[1]).find(Boolean) ?? "";
    const own = lines.map((line) => /^volume create ([0-9a-f]{64}) /.exec(line)?.[1]).find(Boolean) ?? "";
    const told = lines
      .filter((line) => /^volume|^container (create|start|die|destroy)/.test(line))
      .map((line) => line.replaceAll(container, "CONTAINER").replaceAll(own, "OWN"));
    const mount = (destination: string, rw: boolean): string =>
      `{"container":"CONTAINER","destination":"${destination}","driver":"local","propagation":"","read/write":"${rw}"}`;
    const attributes = '{"image":"busybox","name":"told"}';
    assert.deepEqual(
      told.map((line) => line.replace(/"exec[^,]*,"exitCode":"0",/, "")),
      [
        'volume create events {"driver":"local"}',
        'volume create OWN {"driver":"local"}',
        `container create CONTAINER ${attributes}`,
        `volume mount events ${mount("/e", false)}`,
        `volume mount OWN ${mount("/own", true)}`,
        `container start CONTAINER ${attributes}`,
        'volume unmount events {"container":"CONTAINER","driver":"local"}',
        'volume unmount OWN {"container":"CONTAINER","driver":"local"}',
        `container die CONTAINER ${attributes}`,
        'volume destroy OWN {"driver":"local"}',
        `container destroy CONTAINER ${attributes}`,
        'volume destroy events {"driver":"local"}',
        'volume prune  {"reclaimed":"0"}',
      ],
    );
  });

  test("a tmpfs volume is one file system for all who use it, also for the next daemon, and gone after the last", async () => {
    await daemon.ok("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=1000", "ram");
    await daemon.ok("run", "-d", "--name", "first", "-v", "ram:/r", "busybox", "sh", "-c", "echo x >/r/file; sleep 100");
    const read = (): Promise<string> =>
      run("-v", "ram:/r", "busybox", "sh", "-c", "cat /r/file; stat -c %u /r; df -k /r | tail -1 | tr -s ' '");
    await eventually("the file", async () =>
      (await daemon.docker(["exec", "first", "cat", "/r/file"])).stdout === "x\n" ? true : undefined,
    );
    assert.match(await read(), /^x\n1000\ntmpfs 1024 /);
    assert.deepEqual(readdirSync(data("ram")), [], "the host does not see it");
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(data("ram")));
    await daemon.kill();
    await daemon.restart();
    assert.match(await read(), /^x\n/);
    await daemon.ok("rm", "-f", "first");
    assert.match((await daemon.docker(["run", "--rm", "-v", "ram:/r", "busybox", "cat", "/r/file"])).stderr, /No such file/);
    await daemon.ok("volume", "rm", "ram");
  });

  test("a volume that is a directory of the host, and one that cannot be mounted", async () => {
    const source = mkdtempSync("/var/tmp/berth-test-source-");
    try {
      writeFileSync(join(source, "file"), "bound\n");
      await daemon.ok("volume", "create", "-o", "type=none", "-o", `device=${source}`, "-o", "o=bind", "bound");
      assert.equal(await run("-v", "bound:/b", "busybox", "sh", "-c", "cat /b/file; echo y >/b/new"), "bound");
      assert.equal(readFileSync(join(source, "new"), "utf8"), "y\n");
      await daemon.ok("volume", "rm", "bound");
      assert.deepEqual(readdirSync(source).sort(), ["file", "new"], "what is not ours stays");
      const inline = `type=volume,source=inline,target=/b,volume-driver=local,volume-label=a=b,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=${source}`;
      assert.equal(await run("--mount", inline, "busybox", "cat", "/b/file"), "bound");
      assert.equal(await daemon.ok("volume", "inspect", "-f", "{{.Labels.a}} {{.Options.o}}", "inline"), "b bind");
      await daemon.ok("volume", "create", "-o", "type=none", "-o", "device=/no/such", "-o", "o=bind", "bad");
      const words = `error while mounting volume '${data("bad")}': failed to mount local volume: mount /no/such:${data("bad")}, flags: 0x1000: no such file or directory`;
      await fails(words, "run", "--rm", "-v", "bad:/b", "busybox", "true");
      await daemon.ok("volume", "rm", "bad", "inline");
    } finally {
      rmSync(source, { recursive: true });
    }
  });

  test("killed at any point, the daemon leaves volumes that are there, or are not", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `crash${index}`);
    for (let round = 0; round < 6; round++) {
      const work = names.flatMap((name, index) => [
        ask(daemon, "POST", "/volumes/create", { Name: name }).catch(() => undefined),
        ask(daemon, "POST", "/containers/create", {
          Image: "content",
          HostConfig: { Binds: [`fill${round}-${index}:/data`] },
        })
          .then(({ body }) => ask(daemon, "DELETE", `/containers/${(body as { Id: string }).Id}?v=1`))
          .catch(() => undefined),
        ask(daemon, "DELETE", `/volumes/crash${(index + 6) % 12}`).catch(() => undefined),
      ]);
      await sleep(round * 12);
      await daemon.kill();
      await Promise.all(work);
      await daemon.restart();
      const kept = await volumeNames();
      const found = readdirSync(join(daemon.dataRoot, "volumes")).filter((name) => name !== ".trash");
      assert.deepEqual(found.sort(), kept.sort(), "a directory for each volume, and no other");
      for (const name of kept) {
        assert.deepEqual(readdirSync(join(daemon.dataRoot, "volumes", name)), ["_data"]);
        const contents = readdirSync(data(name));
        const allowed = name.startsWith("fill") ? ["", "f,g,l,sub"] : name.startsWith("crash") ? [""] : ["", "deep"];
        assert.ok(allowed.includes(contents.join()), `${name}: ${contents.join()}`);
      }
      const anonymous = await volumeNames("label=com.docker.volume.anonymous");
      const unused = await volumeNames("dangling=true");
      assert.deepEqual(
        anonymous.filter((name) => unused.includes(name)),
        [],
        "what a container had alone went with it",
      );
      await eventually("an empty trash", async () =>
        readdirSync(join(daemon.dataRoot, "volumes/.trash")).length === 0 ? true : undefined,
      );
    }
    const made = (await daemon.ok("ps", "-aq")).split("\n").filter(Boolean);
    if (made.length > 0) await daemon.ok("rm", "-fv", ...made);
    await daemon.ok("volume", "prune", "-af");
  });

  test("what --rm takes along goes too when the end came while no daemon ran", async () => {
    await daemon.ok("run", "-d", "--rm", "--name", "ends", "-v", "/own", "busybox", "sleep", "1");
    assert.equal((await volumeNames()).length, 1);
    await daemon.kill();
    await sleep(1200);
    await daemon.restart();
    await eventually("its removal", async () => ((await volumeNames()).length === 0 ? true : undefined));
    assert.equal(await daemon.ok("ps", "-aq"), "");
  });

  test("a container that does not come about leaves no volume of its own", async () => {
    const before = await volumeNames();
    await fails("cannot mount volume over existing file, file exists ", "create", "-v", "/fresh", "-v", "/etc/passwd", "busybox", "true");
    assert.deepEqual(await volumeNames(), before);
    assert.equal((await ask(daemon, "POST", "/containers/create", { Image: "busybox", Cmd: ["true"], Volumes: { "/": {} } })).status, 400);
  });
});
