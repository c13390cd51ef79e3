/** Bind mounts, tmpfs, images and the places that things are mounted on, through the stock docker CLI. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ask } from "../ask.ts";
import { Daemon, importBusybox } from "../daemon.ts";
import { importContent } from "../volume-image.ts";

describe("mounts", () => {
  const host = mkdtempSync("/var/tmp/berth-test-mounts-");
  const outside = join(host, "outside");
  let daemon: Daemon;
  before(async () => {
    mkdirSync(outside);
    writeFileSync(join(outside, "sentinel"), "untouched\n");
    daemon = await Daemon.start();
    await importBusybox(daemon);
    await importContent(daemon, outside);
  });
  after(async () => {
    await daemon.close();
    rmSync(host, { recursive: true, force: true });
  });

  const docker = (...args: string[]): ReturnType<Daemon["docker"]> => daemon.docker(["run", "--rm", "--network", "none", ...args]);
  const run = (...args: string[]): Promise<string> => daemon.ok("run", "--rm", "--network", "none", ...args);
  const sh = (script: string, ...args: string[]): Promise<string> => run(...args, "content", "sh", "-c", script);
  const fails = async (message: string | RegExp, ...args: string[]): Promise<void> => {
    const result = await docker(...args);
    assert.notEqual(result.status, 0, args.join(" "));
    if (typeof message === "string") assert.ok(result.stderr.includes(message), `${result.stderr}\nis not ${message}`);
    else assert.match(result.stderr, message);
  };
  const folder = (name: string): string => {
    const path = join(host, name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const mount = (...args: string[]): void => void execFileSync("mount", args);
  /** A mount of its own at `<name>`, for as long as `work` takes, with the propagation that is asked for. */
  const withMount = async (name: string, propagation: string, work: (path: string) => Promise<void>): Promise<void> => {
    const path = folder(name);
    mount("-t", "tmpfs", "berth-test", path);
    try {
      mount(`--make-${propagation}`, path);
      await work(path);
    } finally {
      execFileSync("umount", ["-R", path]);
    }
  };

  test("-v makes a source that is missing, --mount refuses it unless told", async () => {
    await run("-v", `${host}/new/deep:/x`, "busybox", "touch", "/x/file");
    assert.deepEqual(readdirSync(join(host, "new/deep")), ["file"]);
    assert.equal(statSync(join(host, "new/deep")).mode & 0o777, 0o755);
    const missing = join(host, "missing");
    const words = `invalid mount config for type "bind": bind source path does not exist: ${missing}`;
    await fails(words, "--mount", `type=bind,source=${missing},target=/x`, "busybox", "true");
    assert.ok(!existsSync(missing));
    const create = (options: object): ReturnType<typeof ask> =>
      ask(daemon, "POST", "/containers/create?name=told", {
        Image: "busybox",
        Cmd: ["true"],
        HostConfig: { Mounts: [{ Type: "bind", Source: missing, Target: "/x", BindOptions: options }] },
      });
    assert.equal((await create({})).status, 400);
    assert.equal((await create({ CreateMountpoint: true })).status, 201);
    await daemon.ok("start", "told");
    assert.ok(statSync(missing).isDirectory());
    await daemon.ok("rm", "-f", "told");
  });

  test("files are bound on files, and on names that are free", async () => {
    writeFileSync(join(host, "one"), "one\n");
    assert.equal(await sh("cat /etc/passwd /new/dir/one", "-v", `${host}/one:/etc/passwd`, "-v", `${host}/one:/new/dir/one`), "one\none");
    await fails("Are you trying to mount a directory onto a file", "-v", `${host}:/etc/passwd`, "busybox", "true");
  });

  test("one target once; modes and targets that make no sense", async () => {
    await fails("Duplicate mount point: /b", "-v", "/a:/b", "-v", "/c:/b/", "busybox", "true");
    await fails("Duplicate mount point: /b", "-v", "/a:/b", "--tmpfs", "/b", "busybox", "true");
    await fails("invalid mode: xx", "-v", "/a:/b:xx", "busybox", "true");
    await fails("invalid mount path: 'b' mount path must be absolute", "-v", "/a:b", "busybox", "true");
    await fails("invalid specification: destination can't be '/'", "-v", "/a:/", "busybox", "true");
    await fails('invalid mount config for type "foo": mount type unknown', "--mount", "type=foo,source=/a,target=/b", "busybox", "true");
  });

  test("read-only goes for what is mounted below, unless it is not to", async () => {
    await withMount("source", "private", async (source) => {
      mkdirSync(join(source, "below"));
      mount("-t", "tmpfs", "berth-test", join(source, "below"));
      const script = "touch /d/x 2>/dev/null && echo top; touch /d/below/x 2>/dev/null && echo below; ls /d/below | wc -l";
      const tried = (options: string): Promise<string> => sh(script, "--mount", `type=bind,source=${source},target=/d${options}`);
      assert.equal(await sh(script, "-v", `${source}:/d:ro`), "0");
      assert.equal(await tried(",readonly"), "0");
      assert.equal(await tried(",readonly,bind-recursive=readonly,bind-propagation=rprivate"), "0");
      assert.equal(await tried(",readonly,bind-recursive=writable"), "below\n1");
      rmSync(join(source, "below/x"));
      assert.equal(await tried(",bind-recursive=disabled"), "top\nbelow\n1", "the mount is not there, the directory is");
      assert.deepEqual(readdirSync(join(source, "below")), []);
    });
  });

  test("propagation: what is mounted later shows where it is to", async () => {
    await withMount("shared", "shared", async (source) => {
      mkdirSync(join(source, "in"));
      mkdirSync(join(source, "out"));
      const start = (name: string, propagation: string): Promise<string> =>
        daemon.ok("run", "-d", "--privileged", "--name", name, "-v", `${source}:/d:${propagation}`, "busybox", "sleep", "100");
      for (const name of ["rshared", "rslave", "rprivate"]) await start(name, name);
      const mountsOf = async (name: string): Promise<string> =>
        await daemon.ok("exec", name, "sh", "-c", "grep -c ' /d/' /proc/mounts || true");
      mount("-t", "tmpfs", "berth-test", join(source, "in"));
      assert.deepEqual(await Promise.all(["rshared", "rslave", "rprivate"].map(mountsOf)), ["1", "1", "0"]);
      const seen = (): number =>
        readFileSync("/proc/self/mountinfo", "utf8")
          .split("\n")
          .filter((line) => line.includes(`${source}/out`)).length;
      await daemon.ok("exec", "rslave", "mount", "-t", "tmpfs", "inner", "/d/out");
      assert.equal(seen(), 0, "a slave gives nothing back");
      await daemon.ok("exec", "rshared", "mount", "-t", "tmpfs", "inner", "/d/out");
      assert.equal(seen(), 1, "a shared one does");
      await daemon.ok("rm", "-f", "rshared", "rslave", "rprivate");
    });
    await withMount("private", "private", async (source) => {
      const bind = (propagation: string): string => `type=bind,source=${source},target=/b,bind-propagation=${propagation}`;
      const words = `path ${source} is mounted on ${source} but it is not a shared`;
      await fails(`${words} mount`, "--mount", bind("rshared"), "busybox", "true");
      await fails(`${words} or slave mount`, "--mount", bind("slave"), "busybox", "true");
      assert.equal((await docker("--mount", bind("private"), "busybox", "true")).status, 0);
    });
  });

  test("the data root is mounted as a slave, and not otherwise", async () => {
    const { dataRoot } = daemon;
    await daemon.ok("create", "--name", "root", "-v", "/:/host", "-v", `${dataRoot}/containers:/c`, "busybox", "true");
    assert.equal(await daemon.ok("inspect", "-f", "{{range .Mounts}}{{.Propagation}} {{end}}", "root"), "rslave rslave");
    await daemon.ok("start", "root");
    await daemon.ok("rm", "-f", "root");
    await fails(
      `must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "${dataRoot}"`,
      "-v",
      `${dataRoot}:/c:rprivate`,
      "busybox",
      "true",
    );
  });

  test("tmpfs: size, mode, options; the mode of what it covers", async () => {
    // Some kernels are built to say inode64.
    const tmpfs = (target: string): string =>
      `grep " ${target} tmpfs " /proc/mounts | cut -d' ' -f4 | sed s/,inode64//; stat -c %a ${target}`;
    assert.equal(await sh(tmpfs("/data"), "--tmpfs", "/data:size=1m"), "rw,nosuid,nodev,noexec,relatime,size=1024k\n2750");
    assert.equal(await sh(tmpfs("/none"), "--tmpfs", "/none:size=64k,mode=700,exec"), "rw,nosuid,nodev,relatime,size=64k,mode=700\n700");
    const over = await sh("ls -A /vol | wc -l; grep ' /vol ' /proc/mounts", "--tmpfs", "/vol");
    assert.match(over, /^0\ntmpfs \/vol tmpfs [^\n]*$/, "over the volume of the image");
    const sized = "type=tmpfs,target=/t,tmpfs-size=1048576,tmpfs-mode=1755";
    assert.match(await sh(tmpfs("/t"), "--mount", sized), /^rw,nosuid,nodev,noexec,relatime,size=1024k,mode=1755\n1755$/);
    assert.match(await sh("touch /t/x 2>&1 || true", "--mount", "type=tmpfs,target=/t,readonly"), /Read-only file system/);
    await fails('invalid tmpfs option ["foo" "1"]', "--tmpfs", "/t:foo=1", "busybox", "true");
    assert.equal(await sh("dd if=/dev/zero of=/t/x bs=1k count=2000 2>&1 | grep -c 'No space'", "--tmpfs", "/t:size=1m"), "1");
  });

  test("images: read-only, a directory of them, and not removed while they are used", async () => {
    const image = (more = ""): string[] => ["--mount", `type=image,source=content,target=/i${more}`];
    assert.equal(await run(...image(), "busybox", "cat", "/i/data/g"), "first");
    assert.match((await docker(...image(), "busybox", "touch", "/i/x")).stderr, /Read-only file system/);
    assert.equal(await run(...image(",image-subpath=vol/deep"), "busybox", "ls", "/i"), "file");
    await fails(/cannot access path .*no: lstat .*no: no such file or directory/, ...image(",image-subpath=no"), "busybox", "true");
    await fails("path concatenation escapes", ...image(",image-subpath=escape"), "busybox", "true");
    await fails("No such image: nosuch", "--pull", "never", "--mount", "type=image,source=nosuch,target=/i", "busybox", "true");
    await daemon.ok("create", "--name", "holds", ...image(), "busybox", "ls", "/i/vol/deep");
    assert.equal(
      await daemon.ok("inspect", "-f", "{{json .Mounts}}", "holds"),
      '[{"Type":"image","Name":"content","Source":"","Destination":"/i","Mode":"","RW":false,"Propagation":""}]',
    );
    assert.match(
      (await daemon.docker(["rmi", "content"])).stderr,
      /conflict: unable to remove repository reference "content" \(must force\) - container [0-9a-f]{12} is using/,
    );
    await daemon.ok("tag", "content", "again");
    await daemon.ok("rmi", "again");
    assert.equal(await daemon.ok("start", "-a", "holds"), "file");
    await daemon.ok("rm", "holds");
  });

  test("targets that lie in one another, whatever their order", async () => {
    for (const name of ["a", "b", "c"]) writeFileSync(join(folder(name), name), "");
    const listing = "ls /x /x/y /x/y/z | tr '\\n' ' '";
    const mounts = [`${host}/c:/x/y/z`, `${host}/a:/x`, `${host}/b:/x/y`].flatMap((bind) => ["-v", bind]);
    assert.equal(await sh(listing, ...mounts), "/x: a y  /x/y: b z  /x/y/z: c");
    assert.deepEqual(readdirSync(join(host, "a")).sort(), ["a", "y"], "targets are made in what is mounted there");
    assert.equal(
      await sh("ls /v /v/sub /v/t | tr '\\n' ' '", "--tmpfs", "/v/t", "-v", "over:/v", "-v", `${host}/c:/v/sub`),
      "/v: sub t  /v/sub: c  /v/t:",
    );
    assert.equal(await sh("ls /data | tr '\\n' ' '", "-v", `${host}/c:/data/sub`, "-v", "over2:/data"), "f g l sub");
    await daemon.ok("volume", "rm", "over", "over2");
  });

  test("targets that are links, or pass through one, stay inside (CVE-2023-27561, CVE-2021-30465)", async () => {
    writeFileSync(join(folder("inner"), "marker"), "");
    const at = async (target: string, script: string): Promise<string> => await sh(script, "-v", `${host}/inner:${target}`);
    assert.equal(await at("/absolute", "ls /data; readlink /absolute"), "marker\n/data");
    assert.equal(await at("/escape", `ls ${outside}; readlink /escape`), `marker\n${outside}`);
    assert.equal(await at("/escape/new", `ls ${outside}/new`), "marker");
    assert.equal(await at("/upwards/new", `ls ${outside}/new`), "marker");
    assert.equal(await at("/dangling", `ls ${outside}/made`), "marker");
    assert.equal(await sh(`ls ${outside}`, "--mount", `type=bind,source=${host}/inner,target=/escape/file`), "file");
    assert.notEqual((await docker("-v", `${host}/inner:/magic`, "content", "true")).status, 0, "magic links are not followed");
    assert.notEqual((await docker("-v", `${host}/inner:/proc/self/root/x`, "content", "true")).status, 0);
    await fails("device or resource busy", "-v", `${host}/inner:/top`, "content", "true");
    await fails("device or resource busy", "--tmpfs", "/top", "content", "true");
    assert.deepEqual(readdirSync(outside), ["sentinel"]);
    assert.equal(readFileSync(join(outside, "sentinel"), "utf8"), "untouched\n");
  });

  test("a target that is swapped for a link while a container starts (CVE-2021-30465)", async () => {
    const swap = "mkdir -p /s/t; while :; do mv /s/t /s/u; ln -s / /s/t; rm /s/t; mv /s/u /s/t; done";
    await daemon.ok("run", "-d", "--name", "swapper", "-v", "swapped:/s", "busybox", "sh", "-c", swap);
    const places = "awk '$5 ~ /^\\/s(\\/|$)/ {print $5}' /proc/self/mountinfo; ls /marker 2>/dev/null; true";
    for (let round = 0; round < 20; round++) {
      const result = await docker("-v", "swapped:/s", "-v", `${host}/inner:/s/t`, "busybox", "sh", "-c", places);
      // Mounted in its place, or over the root inside, or refused: never anywhere else.
      if (result.status === 0) assert.match(result.stdout, /^\/s\n(\/s\/[tu]\n)?$|^$/);
    }
    await daemon.ok("rm", "-f", "swapper");
    await daemon.ok("volume", "rm", "swapped");
    assert.deepEqual(readdirSync(outside), ["sentinel"]);
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(`${host}/inner`));
  });

  test("what is mounted is no change of the container; targets that were missing are", async () => {
    writeFileSync(join(folder("seen"), "secret"), "");
    const mounts = ["-v", `${host}/seen:/data`, "-v", "quiet:/vol", "-v", `${host}/seen:/fresh/deep`, "--tmpfs", "/tmp"];
    await daemon.ok("run", "--name", "changed", ...mounts, "content", "sh", "-c", "touch /data/x /vol/x /fresh/deep/y /tmp/z /own");
    const upper = join(daemon.dataRoot, "containers", await daemon.ok("inspect", "-f", "{{.Id}}", "changed"), "upper");
    assert.deepEqual((readdirSync(upper, { recursive: true }) as string[]).sort(), ["fresh", "fresh/deep", "own"]);
    const changes = (await daemon.ok("diff", "changed")).split("\n");
    assert.deepEqual(changes.sort(), ["A /fresh", "A /fresh/deep", "A /own"]);
    await daemon.ok("commit", "changed", "committed");
    assert.equal(
      await run("committed", "sh", "-c", "ls /data /vol /fresh/deep | tr '\\n' ' '; cat /vol/deep/file"),
      "/data: f g l sub  /fresh/deep:  /vol: deep from-the-image",
    );
    await daemon.ok("rmi", "committed");
    await daemon.ok("rm", "-f", "changed");
    await daemon.ok("volume", "rm", "quiet");
  });
});
