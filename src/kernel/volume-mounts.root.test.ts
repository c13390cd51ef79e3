/** What volumes ask of the kernel: copies of image directories, image trees, directories of volumes, shared mounts. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { Bench, native, usualMounts } from "./busybox-containers.ts";
import type { HostOp, InitOp, LaunchFailure } from "./plan.ts";

const skip = process.getuid?.() !== 0 ? "needs root" : existsSync(native) ? false : `${native} is not built`;
const sanitized = resolve(native, "../berth-native-asan");
const canSanitize = spawnSync(sanitized).status === 2;

async function causeOf(promise: Promise<unknown>): Promise<LaunchFailure> {
  return await promise.then(
    () => assert.fail("was to fail"),
    (error: Error) => error.cause as LaunchFailure,
  );
}

/** Perl's syscall, as Node has no setxattr: number 188 on x86-64, 5 on arm64; and 191 or 8 for getxattr. */
function setAttribute(path: string, name: string, hex: string): void {
  const script = 'my ($n, $p, $k, $h) = @ARGV; my $v = pack "H*", $h; syscall($n + 0, $p, $k, $v, length $v, 0) == 0 or die $!';
  execFileSync("perl", ["-e", script, process.arch === "arm64" ? "5" : "188", path, name, hex]);
}
function attributeOf(path: string, name: string): string {
  const script = 'my ($n, $p, $k) = @ARGV; my $v = "-" x 100; my $l = syscall($n + 0, $p, $k, $v, 100); print substr($v, 0, $l)';
  return execFileSync("perl", ["-e", script, process.arch === "arm64" ? "8" : "191", path, name]).toString();
}

const attach = (slot: number, target: string, set = 0): InitOp => ({
  op: "attach-tree",
  slot,
  target,
  create: "auto",
  set,
  clear: 0,
  recursive: false,
  propagation: 0,
});
const readonly = 1;

for (const classic of [false, true])
  describe(classic ? "volumes with mount(2) alone" : "volumes", { skip }, () => {
    let bench: Bench;
    let lower: string[];
    let count = 0;

    before(async () => {
      bench = await Bench.open({ classic, ...(canSanitize ? { program: sanitized } : {}) });
      const [top, base] = [bench.path("image-top"), bench.path("image-base")];
      for (const directory of [`${top}/data`, `${base}/data/sub`, `${base}/etc`]) mkdirSync(directory, { recursive: true });
      writeFileSync(`${base}/data/file`, "content");
      linkSync(`${base}/data/file`, `${base}/data/sub/other-name`);
      setAttribute(`${base}/data/file`, "user.kind", Buffer.from("blue").toString("hex"));
      setAttribute(`${base}/data/file`, "security.capability", `0100000200200000${"00".repeat(12)}`);
      utimesSync(`${base}/data/file`, 1000, 2000);
      writeFileSync(`${base}/data/program`, "#!");
      chownSync(`${base}/data/program`, 5, 6);
      chmodSync(`${base}/data/program`, 0o6755);
      writeFileSync(`${base}/data/sparse`, "");
      truncateSync(`${base}/data/sparse`, 100 << 20);
      writeFileSync(`${base}/data/hidden`, "the upper layer has taken it away");
      symlinkSync("/etc/passwd", `${base}/data/link`);
      execFileSync("mkfifo", [`${base}/data/fifo`]);
      execFileSync("mknod", [`${base}/data/null`, "c", "1", "3"]);
      execFileSync("mknod", [`${top}/data/hidden`, "c", "0", "0"]);
      writeFileSync(`${top}/data/new`, "new");
      chownSync(`${top}/data`, 7, 8);
      chmodSync(`${top}/data`, 0o2751);
      utimesSync(`${top}/data`, 3000, 4000);
      symlinkSync("/data", `${top}/absolute`);
      symlinkSync("../../../../data", `${top}/upwards`);
      symlinkSync("../../../../../../../../etc", `${top}/out`);
      writeFileSync(`${base}/etc/only-in-the-image`, "");
      lower = [top, base];
    });
    after(async () => await bench[Symbol.asyncDispose]());

    function directory(): string {
      const path = bench.path(`target-${count++}`);
      mkdirSync(path);
      return path;
    }
    async function copied(path: string): Promise<string> {
      const target = directory();
      await bench.kernel.run([{ op: "copy-up", lower, path, target }]);
      return target;
    }

    test("an image's directory is copied with all that its files are", async () => {
      const target = await copied("/data");
      assert.deepEqual(readdirSync(target).sort(), ["fifo", "file", "link", "new", "null", "program", "sparse", "sub"]);
      const top = statSync(target);
      assert.deepEqual([top.mode & 0o7777, top.uid, top.gid, top.mtimeMs], [0o2751, 7, 8, 4_000_000]);
      const file = statSync(`${target}/file`);
      assert.deepEqual([file.nlink, file.ino, file.mtimeMs], [2, statSync(`${target}/sub/other-name`).ino, 2_000_000]);
      assert.equal(attributeOf(`${target}/file`, "user.kind"), "blue");
      assert.equal(attributeOf(`${target}/file`, "security.capability").length, 20);
      const program = statSync(`${target}/program`);
      assert.deepEqual([program.mode & 0o7777, program.uid, program.gid], [0o6755, 5, 6]);
      const sparse = statSync(`${target}/sparse`);
      assert.deepEqual([sparse.size, sparse.blocks], [100 << 20, 0]);
      assert.equal(readlinkSync(`${target}/link`), "/etc/passwd");
      assert.ok(lstatSync(`${target}/fifo`).isFIFO());
      assert.equal(lstatSync(`${target}/null`).rdev, 0x103);
      assert.equal(readFileSync(`${target}/new`, "utf8"), "new");
    });

    test("links on the way stay inside the image", async () => {
      for (const path of ["/absolute", "/upwards"]) assert.ok(existsSync(`${await copied(path)}/program`), path);
      assert.deepEqual(readdirSync(await copied("/out")), ["only-in-the-image"]);
    });

    test("what is not empty, or not to be had, is left alone", async () => {
      const target = directory();
      writeFileSync(`${target}/mine`, "");
      await bench.kernel.run([{ op: "copy-up", lower, path: "/data", target }]);
      assert.deepEqual(readdirSync(target), ["mine"]);
      const failing = (path: string, to: string): Promise<LaunchFailure> =>
        causeOf(bench.kernel.run([{ op: "copy-up", lower, path, target: to }]));
      assert.equal((await failing("/no/such", target)).errno, 2);
      assert.equal((await failing("/data/file", target)).errno, 20);
      assert.equal((await failing("/data", `${target}/no/such`)).errno, 5);
      await bench.kernel.run([{ op: "copy-up", lower, path: "/data", target: "" }]);
    });

    test("images are mounted read-only, whole or a directory of them", async () => {
      const prepare: HostOp[] = [
        { op: "image-tree", slot: 0, lower, subpath: "" },
        { op: "image-tree", slot: 1, lower, subpath: "data/sub" },
        { op: "image-tree", slot: 2, lower: lower.slice(1), subpath: "" },
      ];
      const mounts = [...usualMounts, attach(0, "/whole", readonly), attach(1, "/part", readonly), attach(2, "/single", readonly)];
      const script =
        "cat /whole/data/new; cat /part/other-name; ls /single; echo x 2>/dev/null >/whole/x || echo x 2>/dev/null >/single/x || echo ro";
      assert.equal(await bench.sh(script, { prepare, mounts }), "newcontentdata\netc\nro");
    });

    test("directories of volumes are not left through links", async () => {
      const volume = directory();
      mkdirSync(`${volume}/a/b`, { recursive: true });
      writeFileSync(`${volume}/a/b/file`, "inside");
      symlinkSync("a/b", `${volume}/inside`);
      symlinkSync("/etc", `${volume}/absolute`);
      symlinkSync("../..", `${volume}/up`);
      symlinkSync("/proc/self/cwd", `${volume}/magic`);
      const tree = (subpath: string): { prepare: HostOp[]; mounts: InitOp[] } => ({
        prepare: [{ op: "open-tree", slot: 0, source: volume, subpath, recursive: true }],
        mounts: [...usualMounts, attach(0, "/v")],
      });
      for (const subpath of ["a/b", "inside"]) assert.equal(await bench.sh("cat /v/file", tree(subpath)), "inside");
      for (const subpath of ["absolute", "up", "magic", "a/../../x", "/etc"]) {
        const { stage, errno } = await causeOf(bench.run(["true"], tree(subpath)));
        assert.ok(stage === "subpath" && [18, 40].includes(errno), `${subpath}: ${stage} ${errno}`);
      }
      assert.equal((await causeOf(bench.run(["true"], tree("no/such")))).errno, 2);
    });

    test("what is mounted for the engine is one file system for all, and out of the host's sight", async () => {
      const place = directory();
      const mount: HostOp = { op: "mount-at", place, device: "tmpfs", type: "tmpfs", flags: 0, data: "size=1m" };
      await bench.kernel.run([mount, mount]);
      const tree = (): { prepare: HostOp[]; mounts: InitOp[] } => ({
        prepare: [{ op: "open-tree", slot: 0, source: place, subpath: "", recursive: true, engineOnly: true }],
        mounts: [...usualMounts, attach(0, "/v")],
      });
      await bench.sh("echo shared >/v/file", tree());
      assert.equal(await bench.sh("cat /v/file; mount | grep -c ' on /v type tmpfs'", tree()), "shared\n1");
      assert.deepEqual(readdirSync(place), []);
      assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(place));
      await bench.kernel.run([{ op: "copy-up", lower, path: "/out", target: place }]);
      assert.equal(await bench.sh("ls /v", tree()), "file", "there is something: no copy");
      const unmount: HostOp = { op: "unmount-at", place };
      await bench.kernel.run([unmount, unmount]);
      assert.equal(await bench.sh("ls /v", tree()), "");
      const bind: HostOp = { op: "mount-at", place, device: bench.path("image-base/etc"), type: "none", flags: 0x1000, data: "" };
      await bench.kernel.run([bind]);
      assert.equal(await bench.sh("ls /v", tree()), "only-in-the-image");
      await bench.kernel.run([unmount]);
      const bad = await causeOf(bench.kernel.run([{ ...mount, op: "mount-at", device: "/nosuch", type: "none", flags: 0x1000 }]));
      assert.deepEqual(bad, { stage: "mount-at", errno: 2, message: "No such file or directory" });
    });
  });
