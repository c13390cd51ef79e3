/** What the broker does by itself: host operations, netlink, files below a root, layer mounts. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { after, before, describe, test } from "node:test";
import { Bench } from "./busybox-containers.ts";
import { emptyErofs } from "./features.ts";
import type { FileMeta, FileOp } from "./kernel.ts";
import type { LaunchFailure } from "./plan.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const meta = (mode: number, more: Partial<FileMeta> = {}): FileMeta => ({ mode, uid: 0, gid: 0, mtimeNanos: 0n, xattrs: [], ...more });

async function causeOf(promise: Promise<unknown>): Promise<LaunchFailure> {
  return await promise.then(
    () => assert.fail("was to fail"),
    (error: Error) => error.cause as LaunchFailure,
  );
}

describe("broker", () => {
  let bench: Bench;
  before(async () => {
    bench = await Bench.open();
  });
  after(async () => await bench[Symbol.asyncDispose]());

  test("host operations, in order, up to the first failure", async () => {
    const path = bench.path("made");
    await bench.kernel.run([
      { op: "mkdir", path, mode: 0o700 },
      { op: "mkdir", path, mode: 0o700 },
      { op: "write", path: `${path}/nosuch`, data: "x", optional: true },
      { op: "unlink", path: `${path}/nosuch` },
    ]);
    const failing = bench.kernel.run([
      { op: "write", path: `${path}/nosuch`, data: "x" },
      { op: "rmdir", path },
    ]);
    assert.deepEqual(await causeOf(failing), { stage: "write", errno: 2, message: `${path}/nosuch` });
    assert.ok(existsSync(path));
    await bench.kernel.run([
      { op: "rmdir", path },
      { op: "rmdir", path },
    ]);
    assert.ok(!existsSync(path));
    assert.equal((await causeOf(bench.kernel.run([{ op: "root-directory", path: "/" }]))).errno, 22);
  });

  test("a cgroup is removed with its members and the groups below it", async () => {
    const cgroup = `/sys/fs/cgroup/${existsSync("/sys/fs/cgroup/cgroup.procs") ? "" : "pids/"}berth-test-rmdir-${process.pid}`;
    mkdirSync(`${cgroup}/below/deep`, { recursive: true });
    const member = spawn("sleep", ["1000"]);
    const ended = once(member, "exit");
    writeFileSync(`${cgroup}/below/deep/cgroup.procs`, String(member.pid));
    await bench.kernel.run([{ op: "rmdir", path: cgroup, killMembers: true }]);
    assert.ok(!existsSync(cgroup));
    assert.deepEqual(await ended, [null, "SIGKILL"]);
  });

  test("netlink: an answer, a dump, a refusal, another namespace", async () => {
    const getLink = (flags: number, index: number): Buffer => {
      const message = Buffer.alloc(32);
      message.writeUInt32LE(32, 0);
      message.writeUInt16LE(18, 4); // RTM_GETLINK
      message.writeUInt16LE(flags, 6);
      message.writeInt32LE(index, 20);
      return message;
    };
    const types = (answer: Uint8Array): number[] => {
      const view = Buffer.from(answer);
      const found: number[] = [];
      for (let at = 0; at + 16 <= view.length; at += (view.readUInt32LE(at) + 3) & ~3) found.push(view.readUInt16LE(at + 4));
      return found;
    };
    assert.deepEqual(types(await bench.kernel.netlink(0, getLink(1, 1))), [16]);
    const dump = types(await bench.kernel.netlink(0, getLink(0x301, 0)));
    assert.equal(dump.filter((type) => type === 16).length, readFileSync("/proc/self/net/dev", "utf8").trim().split("\n").length - 2);
    assert.equal(dump.at(-1), 3);
    assert.deepEqual((await causeOf(bench.kernel.netlink(0, getLink(5, 99_999)))).errno, 19);
    const { monitor } = await bench.start(bench.plan(["sleep", "100"]));
    const { pid } = await monitor.launched;
    assert.deepEqual(types(await bench.kernel.netlink(0, getLink(0x301, 0), pid)).filter((type) => type === 16).length >= 1, true);
    assert.equal((await causeOf(bench.kernel.netlink(0, getLink(1, 1), 2 ** 30))).errno, 2);
    assert.deepEqual(types(await bench.kernel.netlink(0, getLink(0x301, 0))), dump, "and back in the host's");
    await monitor.signal(9);
    await monitor.exited;
  });

  test("layer mounts: once per key, out of the host's sight, gone when asked", async (context) => {
    if (!bench.kernel.features.erofsFiles) return context.skip("this kernel mounts no EROFS files");
    const image = bench.path("image.erofs");
    writeFileSync(image, emptyErofs());
    const directory = await bench.kernel.layers.mountErofs("key", image, []);
    assert.equal(await bench.kernel.layers.mountErofs("key", "/not/looked/at", []), directory);
    assert.deepEqual(await bench.kernel.layers.mounted(), ["key"]);
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(bench.directory));
    const plan = bench.plan(["sh", "-c", "ls /"]);
    const lowest = plan.prepare.map((op) => (op.op === "overlay" ? { ...op, lower: [...op.lower, directory] } : op));
    const { monitor } = await bench.start({ ...plan, prepare: lowest });
    await bench.kernel.layers.unmount("key");
    await bench.kernel.layers.unmount("key");
    assert.equal((await monitor.exited)?.exitCode, 0);
    assert.deepEqual(await bench.kernel.layers.mounted(), []);
    writeFileSync(image, "no image");
    assert.equal((await causeOf(bench.kernel.layers.mountErofs("bad", image, []))).stage, "mount-erofs");
    for (const key of ["", "..", "a/b", ".x", "x".repeat(300)])
      assert.equal((await causeOf(bench.kernel.layers.mountErofs(key, image, []))).errno, 22, key);
    assert.deepEqual(await bench.kernel.layers.mounted(), []);
  });

  test("files: every kind, with metadata, bytes and holes as asked", async () => {
    const root = bench.path("files");
    mkdirSync(root);
    const source = bench.path("source");
    writeFileSync(source, "0123456789");
    const ops: FileOp[] = [
      { op: "directory", path: bytes("d"), ...meta(0o2751, { uid: 5, gid: 6 }) },
      {
        op: "file",
        path: Buffer.from("d/\xff\xfe", "latin1"),
        source,
        size: 1_000_000n,
        extents: [
          [0n, 2n, 3n],
          [999_998n, 0n, 2n],
        ],
        ...meta(0o4755, { uid: 7, mtimeNanos: -1_500_000_000n, xattrs: [["user.key", bytes("value")]] }),
      },
      { op: "symlink", path: bytes("d/link"), target: bytes("/etc/passwd"), ...meta(0o777, { uid: 8, mtimeNanos: 1_000_000_001n }) },
      { op: "link", path: bytes("hard"), target: Buffer.from("d/\xff\xfe", "latin1") },
      { op: "node", path: bytes("fifo"), major: 0, minor: 0, ...meta(0o010640) },
      { op: "node", path: bytes("null"), major: 1, minor: 3, ...meta(0o020666) },
      { op: "meta", path: bytes("d"), ...meta(0o2751, { uid: 5, gid: 6, mtimeNanos: 5_000_000_000n }) },
    ];
    await bench.kernel.files.apply(root, ops);
    const file = Buffer.concat([Buffer.from(`${root}/d/`), Buffer.from("\xff\xfe", "latin1")]);
    const status = statSync(file, { bigint: true });
    assert.deepEqual(
      [status.mode, status.uid, status.size, status.nlink, status.mtimeNs],
      [0o104755n, 7n, 1_000_000n, 2n, -1_500_000_000n],
    );
    assert.ok(status.blocks * 512n < 100_000n, "holes are holes");
    const content = readFileSync(file);
    assert.equal(content.subarray(0, 4).toString("latin1"), "234\0");
    assert.equal(content.subarray(-2).toString(), "01");
    const directory = statSync(`${root}/d`, { bigint: true });
    assert.deepEqual([directory.mode, directory.uid, directory.gid, directory.mtimeNs], [0o42751n, 5n, 6n, 5_000_000_000n]);
    assert.equal(readlinkSync(`${root}/d/link`), "/etc/passwd");
    assert.deepEqual([lstatSync(`${root}/d/link`).uid, lstatSync(`${root}/d/link`, { bigint: true }).mtimeNs], [8, 1_000_000_001n]);
    assert.ok(lstatSync(`${root}/fifo`).isFIFO());
    assert.equal(lstatSync(`${root}/null`).rdev, 0x103);
    // Perl's syscall, as Node has no getxattr: number 191 on x86-64, 8 on arm64.
    const script = 'my ($n, $p) = @ARGV; my $k = "user.key"; my $v = "-" x 5; syscall($n + 0, $p, $k, $v, 5); print $v';
    const value = execFileSync("perl", ["-e", script, process.arch === "arm64" ? "8" : "191", `${root}/hard`]).toString();
    assert.equal(value, "value");
    await bench.kernel.files.apply(root, [
      { op: "remove", path: bytes("d") },
      { op: "remove", path: bytes("d") },
      { op: "remove", path: bytes("no/such/thing") },
    ]);
    assert.deepEqual(readdirSync(root).sort(), ["fifo", "hard", "null"]);
  });

  test("files: no path leaves the root, whatever lies there", async () => {
    const root = bench.path("inside");
    const outside = bench.path("outside");
    mkdirSync(root);
    mkdirSync(outside);
    writeFileSync(`${outside}/file`, "untouched");
    symlinkSync(outside, `${root}/away`);
    symlinkSync(`../${"../".repeat(20)}${outside.slice(1)}`, `${root}/up`);
    symlinkSync(`${outside}/file`, `${root}/last`);
    const ops = (path: string): FileOp[] => [
      { op: "file", path: bytes(path), source: "", size: 3n, extents: [], ...meta(0o600) },
      { op: "meta", path: bytes(path), ...meta(0o777, { uid: 1 }) },
      { op: "remove", path: bytes(path) },
    ];
    for (const path of ["away/file", "up/file", "../outside/file", "away/../../outside/file"])
      for (const op of ops(path)) await bench.kernel.files.apply(root, [op]).catch(() => undefined);
    for (const path of ["..", ".", "/", "a/..", ""])
      await assert.rejects(bench.kernel.files.apply(root, [{ op: "remove", path: bytes(path) }]), path);
    await bench.kernel.files.apply(root, ops("last"));
    await assert.rejects(bench.kernel.files.apply(root, [{ op: "link", path: bytes("hard"), target: bytes("away/file") }]));
    assert.deepEqual(readdirSync(outside), ["file"]);
    assert.equal(readFileSync(`${outside}/file`, "utf8"), "untouched");
    assert.equal(statSync(`${outside}/file`).uid, 0);
    await bench.kernel.files.apply(root, [{ op: "remove", path: bytes("away") }]);
    assert.ok(existsSync(outside));
  });

  test("files: a tree deeper than there are descriptors is removed", async () => {
    const root = bench.path("deep");
    mkdirSync(`${root}/top`, { recursive: true });
    // From the bottom, five hundred levels at a time: no path is as long as the tree is deep.
    const levels = "/d".repeat(500);
    for (let round = 0; round < 2; round++) {
      mkdirSync(`${root}/next${levels}`, { recursive: true });
      renameSync(`${root}/top`, `${root}/next${levels}/d`);
      renameSync(`${root}/next`, `${root}/top`);
    }
    writeFileSync(`${root}/top/d/d/.removed-0`, "in the way of nothing");
    await using few = await Bench.open();
    execFileSync("prlimit", ["--pid", String(await few.kernel.brokerPid()), "--nofile=200"]);
    await few.kernel.files.apply(bench.directory, [{ op: "remove", path: bytes("deep") }]);
    assert.ok(!existsSync(root));
  });

  test("files: tens of thousands in one call", async () => {
    const root = bench.path("many");
    mkdirSync(root);
    const source = bench.path("source-of-many");
    writeFileSync(source, "x".repeat(100));
    const ops: FileOp[] = Array.from({ length: 20_000 }, (_, index) => ({
      op: "file",
      path: bytes(`file-with-a-name-of-some-length-${index}`),
      source,
      size: 100n,
      extents: [[0n, 0n, 100n]],
      ...meta(0o644),
    }));
    await bench.kernel.files.apply(root, ops);
    assert.equal(readdirSync(root).length, 20_000);
    await bench.kernel.files.apply(bench.directory, [{ op: "remove", path: bytes("many") }]);
    assert.ok(!existsSync(root));
  });
});
