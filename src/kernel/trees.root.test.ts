/** Containers' files from outside, through the real broker: with the mount API, with mount(2) alone, and under sanitizers. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { Bench } from "./busybox-containers.ts";
import type { HostOp, Monitor, TreeView, TreeWriter } from "./kernel.ts";
import type { LaunchPlan } from "./plan.ts";

const sanitized = resolve(import.meta.dirname, "../../build/berth-native-asan");
const canSanitize = spawnSync(sanitized).status === 2;
const isRoot = process.getuid?.() === 0;
const meta = { mode: 0o640, uid: 3, gid: 4, mtimeNanos: 5_000_000_006n, xattrs: [] };

async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What GNU tar reads in it. */
function listed(tar: Buffer): string[] {
  return execFileSync("tar", ["-tf", "-"], { input: tar, encoding: "utf8", stdio: ["pipe", "pipe", "ignore"] })
    .split("\n")
    .filter(Boolean);
}

function trees(options: { program?: string; classic?: boolean }): void {
  let bench: Bench;
  let plan: LaunchPlan;
  let monitor: Monitor;
  let outside: string;
  let reports: string;
  const stopped = (): TreeView => ({ prepare: [plan.prepare[0] as HostOp], attach: [] });
  const running = (): TreeView => ({ monitor: plan.socketPath, prepare: [], attach: [] });
  const upper = (...parts: string[]): string => bench.path(plan.containerId, "upper", ...parts);
  const write = async (view: TreeView, path: string, work: (tree: TreeWriter) => Promise<void>): Promise<void> => {
    await using tree = await bench.kernel.trees.write(view, path, { keepKinds: false });
    await work(tree);
    await tree.finish();
  };

  before(async () => {
    reports = mkdtempSync("/var/tmp/berth-test-reports-");
    process.env["ASAN_OPTIONS"] = `log_path=${reports}/address`;
    process.env["UBSAN_OPTIONS"] = `log_path=${reports}/undefined`;
    bench = await Bench.open(options);
    outside = bench.path("outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "secret"), "of the host");
    writeFileSync(bench.path("lower/etc/removed"), "");
    const script = `busybox mkdir -p /d/e && echo one >/d/f && busybox ln /d/f /d/g && busybox rm /etc/removed && busybox ln -s ${outside} /out && busybox ln -s /d /abs && seq 1 500000 >/d/e/big && echo >/ready && exec sleep 1000`;
    plan = bench.plan(["sh", "-c", script]);
    ({ monitor } = await bench.start(plan));
    for (let tries = 0; tries < 200 && !existsSync(upper("ready")); tries++) await new Promise((done) => setTimeout(done, 20));
  });
  after(async () => {
    await bench[Symbol.asyncDispose]();
    delete process.env["ASAN_OPTIONS"];
    delete process.env["UBSAN_OPTIONS"];
    assert.deepEqual(readdirSync(reports), [], "nothing is found");
    rmSync(reports, { recursive: true });
  });

  test("a path's status, links followed where they are asked to be", async () => {
    const { trees } = bench.kernel;
    assert.equal((await trees.stat(running(), "/d/f")).sizeBytes, 4);
    assert.equal((await trees.stat(running(), "/abs")).linkTarget, "/d");
    assert.equal((await trees.stat(running(), "/abs/")).mode & 0o170000, 0o040000);
    assert.equal((await trees.stat(running(), "/abs/e/../f")).sizeBytes, 4);
    assert.equal((await trees.stat(running(), "/out")).linkTarget, outside, "as if it were in the root");
    await assert.rejects(trees.stat(running(), "/out/secret"), { cause: { stage: "path", errno: 2, message: "/out/secret" } });
    await assert.rejects(trees.stat(running(), "/d/f/x"), { cause: { stage: "path", errno: 20, message: "/d/f/x" } });
    await assert.rejects(
      trees.stat({ ...running(), monitor: "/nobody" }, "/"),
      (error: Error) => (error.cause as { stage: string }).stage === "running",
    );
  });

  test("a tree as a tar, and all of it", async () => {
    const { trees } = bench.kernel;
    const { tar } = await trees.read(running(), "/abs/", "name");
    const bytes = await bytesOf(tar);
    assert.deepEqual(listed(bytes), ["name/", "name/e/", "name/e/big", "name/f", "name/g"]);
    assert.ok(bytes.length > 3_000_000);
    const all = listed(await bytesOf((await trees.export(running())).tar));
    assert.ok(all.includes("bin/busybox") && all.includes("d/g") && !all.includes("etc/removed"));
    assert.ok(!all.some((name) => /^proc\/./.test(name)), "the kernel's files are not the container's");
  });

  test("entries are made inside, whatever links lead out", async () => {
    await write(running(), "/", async (tree) => {
      assert.deepEqual([tree.path, tree.isDirectory], ["/", true]);
      await tree.file(Buffer.from("/out/secret"), 5, meta);
      await tree.contents(Buffer.from("pwned"));
      await tree.file(Buffer.from("/abs/new/large"), 2_000_000, meta);
      for (let at = 0; at < 2_000_000; at += 50_000) await tree.contents(Buffer.alloc(50_000, 7));
      await tree.put({ op: "symlink", path: Buffer.from("/d/e"), target: Buffer.from("../.."), ...meta });
      await tree.put({ op: "node", path: Buffer.from("/d/e/../null"), major: 1, minor: 3, ...meta, mode: 0o020666 });
      await tree.put({ op: "link", path: Buffer.from("/d/twin"), target: Buffer.from("/out/secret") });
      await tree.put({ op: "directory", path: Buffer.from("/d/f"), ...meta });
    });
    assert.equal(readFileSync(join(outside, "secret"), "utf8"), "of the host");
    assert.equal(readFileSync(upper(outside, "secret"), "utf8"), "pwned");
    assert.deepEqual(readFileSync(upper("d/new/large")), Buffer.alloc(2_000_000, 7));
    const { mode, uid, gid, mtimeMs } = statSync(upper("d/new/large"));
    assert.deepEqual([mode & 0o7777, uid, gid, Math.floor(mtimeMs)], [0o640, 3, 4, 5000]);
    assert.equal(statSync(upper("d/twin")).ino, statSync(upper(outside, "secret")).ino);
    assert.ok(statSync(upper("d/f")).isDirectory() && statSync(upper("null")).isCharacterDevice());
  });

  test("what cannot be made is told while more is being sent", async () => {
    await assert.rejects(
      write(running(), "/d", async (tree) => {
        await tree.put({ op: "link", path: Buffer.from("/d/x"), target: Buffer.from("/missing") });
        for (let i = 0; i < 1000; i++) {
          await tree.file(Buffer.from("/d/y"), 100_000, meta);
          await tree.contents(Buffer.alloc(100_000));
        }
      }),
      { cause: { stage: "link", errno: 2, message: "/d/x" } },
    );
    await assert.rejects(bench.kernel.trees.write(running(), "/missing", { keepKinds: false }), {
      cause: { stage: "path", errno: 2, message: "/missing" },
    });
  });

  test("one that does not run, with a bind over it", async () => {
    await monitor.signal(9);
    await monitor.exited;
    mkdirSync(bench.path("bound"));
    const view: TreeView = {
      prepare: [...stopped().prepare, { op: "open-tree", slot: 0, source: bench.path("bound"), subpath: "", recursive: true }],
      attach: [
        { op: "attach-tree", slot: 0, target: "/abs/bound", create: "auto", set: 0, clear: 0, recursive: true, propagation: 0x4_4000 },
      ],
    };
    await write(view, "/d/bound", async (tree) => {
      await tree.file(Buffer.from("/d/bound/in"), 2, meta);
      await tree.contents(Buffer.from("in"));
    });
    assert.equal(readFileSync(bench.path("bound/in"), "utf8"), "in");
    assert.ok(listed(await bytesOf((await bench.kernel.trees.read(view, "/d", "d")).tar)).includes("d/bound/in"));
    assert.ok(!listed(await bytesOf((await bench.kernel.trees.export(stopped())).tar)).includes("d/bound/in"));
  });

  test("changes, and the same layer each time", async () => {
    const { trees } = bench.kernel;
    mkdirSync(bench.path("more"), { recursive: true });
    const changes = await trees.changes([bench.path("more"), bench.path("lower")], upper());
    const told = new Map(changes.map(({ path, kind }) => [path, kind]));
    assert.deepEqual([told.get("/d"), told.get("/etc"), told.get("/etc/removed"), told.get("/bin")], [1, 0, 2, undefined]);
    const layer = async (name: string): Promise<Buffer> => {
      const file = await open(bench.path(name), "wx");
      await trees.layer(upper(), file.fd);
      await file.close();
      return readFileSync(bench.path(name));
    };
    const first = await layer("first.tar");
    assert.deepEqual(await layer("second.tar"), first);
    assert.ok(listed(first).includes("etc/.wh.removed") && !listed(first).includes("bin/"));
  });
}

describe("trees", { skip: !isRoot && "needs root" }, () => trees({}));
describe("trees with mount(2) alone", { skip: !isRoot && "needs root" }, () => trees({ classic: true }));
describe("trees under sanitizers", { skip: (!isRoot || !canSanitize) && "no sanitizers here" }, () => trees({ program: sanitized }));
