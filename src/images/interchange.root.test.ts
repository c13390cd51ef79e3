/** Archives to and from other engines: what Docker and skopeo write is loaded, and what is saved they load. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { extract, loadAll, openScratchStore, saveAll, tarOf } from "./scratch-store.ts";

const run = promisify(execFile);
const missing = (program: string): string | false =>
  spawnSync("sh", ["-c", `command -v ${program}`]).status === 0 ? false : `${program} is not installed`;

describe("Docker", { skip: missing("dockerd") || missing("docker") || (process.getuid?.() === 0 ? false : "not root") }, () => {
  let folder: string;
  let daemon: ChildProcess;
  let host: string;
  const docker = async (...args: string[]): Promise<string> => (await run("docker", ["-H", host, ...args])).stdout.trim();

  before(async () => {
    folder = mkdtempSync("/var/tmp/berth-test-peer-");
    host = `unix://${folder}/sock`;
    const roots = [`--data-root=${folder}/data`, `--exec-root=${folder}/exec`, `--pidfile=${folder}/pid`, `--host=${host}`];
    daemon = spawn("dockerd", [...roots, "--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"], {
      stdio: "ignore",
    });
    for (let tries = 0; ; tries++) {
      const answered = await docker("version").then(
        () => true,
        () => false,
      );
      if (answered) break;
      assert.ok(tries < 100, "dockerd does not answer");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    writeFileSync(join(folder, "rootfs.tar"), tarOf({ "etc/motd": "hello\n", bin: "program" }));
    await docker("import", "-c", 'CMD ["a"]', "-c", "LABEL k=v", "-m", "made", join(folder, "rootfs.tar"), "peer/x:1");
    await docker("tag", "peer/x:1", "peer/y:2");
    await docker("create", "--name", "one", "peer/x:1");
    writeFileSync(join(folder, "file"), "more");
    await docker("cp", join(folder, "file"), "one:/etc/more");
    await docker("commit", "-m", "second", "one", "peer/z:3");
  });
  after(async () => {
    if (daemon?.pid !== undefined && daemon.exitCode === null) {
      daemon.kill("SIGTERM");
      await new Promise((resolve) => daemon.once("exit", resolve));
    }
    spawnSync("umount", ["-q", `${folder}/exec/netns/default`]);
    rmSync(folder, { recursive: true, force: true });
  });

  test("docker save is loaded: the same ids, layers, configuration and history", async () => {
    await using store = await openScratchStore();
    await docker("save", "-o", join(folder, "a.tar"), "peer/x:1", "peer/y:2", "peer/z:3");
    const told = await loadAll(store, readFileSync(join(folder, "a.tar")));
    assert.deepEqual(told.trim().split("\n").sort(), ["Loaded image: peer/x:1", "Loaded image: peer/y:2", "Loaded image: peer/z:3"]);
    for (const name of ["peer/x:1", "peer/z:3"]) {
      const [theirs] = JSON.parse(await docker("image", "inspect", name));
      const ours = store.images.inspect(name);
      for (const member of [
        "Id",
        "RepoTags",
        "RepoDigests",
        "Comment",
        "Author",
        "Architecture",
        "Os",
        "RootFS",
        "Created",
        "DockerVersion",
      ] as const)
        assert.deepEqual(ours[member], theirs[member], member);
      for (const member of ["Cmd", "Entrypoint", "Labels", "User", "Volumes", "WorkingDir", "OnBuild"] as const)
        assert.deepEqual(ours.Config?.[member], theirs.Config[member], member);
      const comments = (await docker("history", "--no-trunc", "--format", "{{.Comment}}", name)).split("\n");
      assert.deepEqual(
        store.images.history(name).map((item) => item.Comment),
        comments,
      );
    }
  });

  test("our save is loaded by Docker: the same ids and layers", async () => {
    await using store = await openScratchStore();
    await loadAll(store, readFileSync(join(folder, "a.tar")));
    writeFileSync(join(folder, "b.tar"), await saveAll(store, "peer/x:1", "peer/y:2", "peer/z"));
    const ids = await docker("images", "--no-trunc", "-q", "peer/*");
    await docker("rm", "one");
    await docker("rmi", "-f", "peer/z:3", "peer/y:2", "peer/x:1");
    assert.equal(await docker("images", "-aq"), "");
    const told = await docker("load", "-i", join(folder, "b.tar"));
    assert.match(told, /Loaded image: peer\/z:3/);
    assert.deepEqual((await docker("images", "--no-trunc", "-q", "peer/*")).split("\n").sort(), ids.split("\n").sort());
    const layers = JSON.parse(await docker("image", "inspect", "-f", "{{json .RootFS.Layers}}", "peer/z:3"));
    assert.deepEqual(layers, store.images.inspect("peer/z:3").RootFS?.Layers);
  });
});

describe("skopeo", { skip: missing("skopeo") }, () => {
  test("reads what is saved in both formats, and what it writes is loaded", async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-test-skopeo-"));
    try {
      await using store = await openScratchStore();
      const policy = join(folder, "policy.json");
      writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
      const skopeo = (from: string, to: string, ...more: string[]): Promise<unknown> =>
        run("skopeo", ["--policy", policy, "copy", ...more, from, to]);
      const rootfs = tarOf({ "etc/motd": "hello" });
      const { Readable } = await import("node:stream");
      const { parseReference } = await import("../base/base.ts");
      const reference = parseReference("x:1");
      const id = await store.images.import(Readable.from([rootfs], { objectMode: false }), { reference, message: "m", changes: ["CMD a"] });
      const saved = join(folder, "saved.tar");
      writeFileSync(saved, await saveAll(store, "x:1"));
      const members = await extract(readFileSync(saved));
      const layout = join(folder, "layout.tar");
      writeFileSync(layout, tarOf(Object.fromEntries([...members].filter(([name]) => name !== "manifest.json"))));
      const conversions: [from: string, to: string, ...more: string[]][] = [
        [`docker-archive:${saved}`, `docker-archive:${folder}/1.tar:x:1`],
        [`oci-archive:${layout}`, `oci-archive:${folder}/2.tar:x:1`],
        [`oci-archive:${layout}`, `oci-archive:${folder}/3.tar:x:1`, "--dest-compress-format", "zstd", "--dest-compress"],
        [`docker-archive:${saved}`, `oci-archive:${folder}/4.tar:x:1`],
      ];
      for (const [position, [from, to, ...more]] of conversions.entries()) {
        await skopeo(from, to, ...more);
        await using other = await openScratchStore();
        assert.equal(await loadAll(other, readFileSync(`${folder}/${position + 1}.tar`)), "Loaded image: x:1\n", to);
        assert.deepEqual(other.images.inspect("x:1").RootFS, store.images.inspect("x:1").RootFS);
        if (position < 3) assert.equal(other.images.resolve("x:1").id, id, to);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
