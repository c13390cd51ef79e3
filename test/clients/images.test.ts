/** Images through the stock docker CLI. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { busyboxRootfs, command, Daemon } from "../daemon.ts";

describe("docker images", () => {
  let daemon: Daemon;
  let dir: string;
  before(async () => {
    daemon = await Daemon.start();
    dir = mkdtempSync("/var/tmp/berth-test-images-");
  });
  after(async () => {
    rmSync(dir, { recursive: true, force: true });
    await daemon.close();
  });

  test("a new store is empty", async () => assert.equal(await daemon.ok("images", "-aq"), ""));

  test("import, plain and compressed, with changes", async () => {
    const rootfs = await busyboxRootfs();
    for (const [name, input] of [
      ["plain", rootfs],
      ["gz", gzipSync(rootfs)],
      ["zst", zstdCompressSync(rootfs)],
    ] as const) {
      const made = await daemon.docker(["import", "-c", 'CMD ["echo","from cmd"]', "-c", "ENV A=b", "-m", "made", "-", `t/${name}:v1`], {
        input,
      });
      assert.equal(made.status, 0, made.stderr);
      assert.match(made.stdout, /^sha256:[0-9a-f]{64}\n$/);
      assert.equal(await daemon.ok("run", "--rm", `t/${name}:v1`), "from cmd");
    }
    const layers = await daemon.ok("inspect", "-f", "{{.RootFS.Layers}}", "t/plain:v1", "t/gz:v1", "t/zst:v1");
    assert.equal(new Set(layers.split("\n")).size, 1, "one layer, however it was compressed");
  });

  test("tag, images, inspect, history", async () => {
    await daemon.ok("tag", "t/plain:v1", "localhost:5000/x/y:z");
    assert.match(
      await daemon.ok("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}"),
      /localhost:5000\/x\/y:z [0-9a-f]{12} \d/,
    );
    assert.match(
      await daemon.ok("inspect", "-f", "{{.RepoTags}} {{.Config.Cmd}} {{.Os}} {{.Architecture}}", "t/plain:v1"),
      /localhost:5000\/x\/y:z.*\[echo from cmd\] linux \w+/,
    );
    assert.match(await daemon.ok("history", "--format", "{{.Comment}}", "t/plain:v1"), /made/);
    const missing = await daemon.docker(["inspect", "--type", "image", "nosuch"]);
    assert.match(missing.stderr, /[Nn]o such image: nosuch/);
  });

  test("save | load gives the same ids and layers", async () => {
    const id = await daemon.ok("inspect", "-f", "{{.Id}} {{.RootFS.Layers}}", "t/plain:v1");
    await daemon.ok("save", "-o", `${dir}/a.tar`, "t/plain:v1");
    await daemon.ok("save", "-o", `${dir}/b.tar`, "t/plain:v1");
    const sha = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
    assert.equal(sha(`${dir}/a.tar`), sha(`${dir}/b.tar`), "the same bytes each time");
    for (const name of ["t/plain:v1", "t/gz:v1", "t/zst:v1", "localhost:5000/x/y:z"]) await daemon.ok("rmi", name);
    assert.equal(await daemon.ok("images", "-aq"), "");
    assert.match(await daemon.ok("load", "-i", `${dir}/a.tar`), /Loaded image: t\/plain:v1/);
    assert.equal(await daemon.ok("inspect", "-f", "{{.Id}} {{.RootFS.Layers}}", "t/plain:v1"), id);
    assert.equal(await daemon.ok("run", "--rm", "t/plain:v1"), "from cmd");
    const piped = await command("sh", ["-c", "docker save t/plain:v1 | docker load"], { env: { DOCKER_HOST: daemon.host } });
    assert.equal(piped.status, 0, piped.stderr);
    const packed = await daemon.docker(["load"], { input: gzipSync(readFileSync(`${dir}/a.tar`)) });
    assert.equal(packed.status, 0, packed.stderr);
  });

  test("rmi: rules and words", async () => {
    await daemon.ok("create", "--name", "user", "t/plain:v1");
    const used = await daemon.docker(["rmi", "t/plain:v1"]);
    assert.equal(used.status, 1);
    assert.match(used.stderr, /conflict: unable to (remove repository reference|delete)/);
    await daemon.ok("rm", "user");
    const out = await daemon.ok("rmi", "t/plain:v1");
    assert.match(out, /^Untagged: t\/plain:v1\nDeleted: sha256:/);
    assert.match((await daemon.docker(["rmi", "t/plain:v1"])).stderr, /No such image: t\/plain:v1/);
  });

  test("hostile and broken input is refused and leaves nothing", async () => {
    const archive = readFileSync(`${dir}/a.tar`);
    const flipped = Buffer.from(archive);
    const middle = flipped.length >> 1;
    flipped[middle] = (flipped[middle] ?? 0) ^ 0xff;
    for (const [what, input] of [
      ["truncated", archive.subarray(0, archive.length >> 1)],
      ["flipped", flipped],
      ["text", Buffer.from("not a tar at all".repeat(100))],
      ["gzip cut", gzipSync(archive).subarray(0, 100_000)],
    ] as const) {
      const result = await daemon.docker(["load"], { input });
      assert.notEqual(result.status, 0, `${what}: ${result.stdout}`);
    }
    assert.equal(await daemon.ok("images", "-aq"), "");
  });
});
