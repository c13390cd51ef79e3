/** The disk below the data root is full: errors, nothing half done, and all well when there is room again. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Daemon, importBusybox } from "../daemon.ts";

const diskBytes = 160 * 2 ** 20;

describe("a full disk", () => {
  const folder = mkdtempSync("/var/tmp/berth-test-disk-");
  const disk = `${folder}/mnt`;
  const filler = `${disk}/filler`;
  let daemon: Daemon;

  before(async () => {
    mkdirSync(disk);
    writeFileSync(`${folder}/image`, "");
    truncateSync(`${folder}/image`, diskBytes);
    execFileSync("mkfs.ext4", ["-q", "-m", "0", `${folder}/image`]);
    execFileSync("mount", ["-o", "loop", `${folder}/image`, disk]);
    mkdirSync(`${disk}/data`);
    daemon = await Daemon.start([], `${disk}/data`);
    await importBusybox(daemon);
  });
  after(async () => {
    try {
      await daemon.close();
    } finally {
      execFileSync("umount", [disk]);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  /** To the last block. */
  function fill(): void {
    const file = openSync(filler, "w");
    for (let size = 2 ** 20; size >= 512; ) {
      try {
        writeSync(file, Buffer.alloc(size));
      } catch {
        size /= 2;
      }
    }
    closeSync(file);
  }

  const layers = (): string[] => readdirSync(`${disk}/data/layers`).sort();

  test("import is refused, and leaves nothing", async () => {
    const before = layers();
    fill();
    const tree = mkdtempSync("/var/tmp/berth-test-tree-");
    writeFileSync(`${tree}/big`, Buffer.alloc(8 * 2 ** 20, "x"));
    const tar = execFileSync("tar", ["-c", "-C", tree, "."], { maxBuffer: 2 ** 27 });
    rmSync(tree, { recursive: true });
    const result = await daemon.docker(["import", "-", "big"], { input: tar });
    assert.notEqual(result.status, 0);
    assert.match(result.stderr + result.stdout, /no space left on device/i);
    rmSync(filler);
    assert.deepEqual(layers(), before);
    assert.match(await daemon.docker(["import", "-", "big"], { input: tar }).then(({ stdout }) => stdout), /sha256:/);
    await daemon.ok("rmi", "big");
  });

  test("create and start fail or succeed, nothing between; what runs runs on and ends", async () => {
    const script = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo line $i; done; sleep 1000";
    await daemon.ok("run", "-d", "--name", "runs", "busybox", "sh", "-c", script);
    fill();
    const created: string[] = [];
    for (let i = 0; i < 5; i++) {
      const result = await daemon.docker(["run", "-d", "--name", `new${i}`, "busybox", "sleep", "1000"]);
      if (result.status === 0) created.push(`new${i}`);
      else assert.match(result.stderr, /no space left on device|database or disk is full/i);
    }
    assert.equal(await daemon.ok("exec", "runs", "echo", "alive"), "alive");
    assert.equal((await daemon.ok("ps", "--format", "{{.Names}}")).split("\n").sort().join(), ["runs", ...created].sort().join());
    await daemon.ok("kill", "runs");
    assert.equal(await daemon.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "runs"), "exited 137");
    for (const name of created.splice(0, 1)) await daemon.ok("rm", "-f", name);
    rmSync(filler);
    const lines = (await daemon.ok("logs", "runs")).split("\n");
    assert.equal(new Set(lines).size, lines.length, "no line twice");
    assert.ok(
      lines.every((line) => /^line \d+$/.test(line)),
      "no line in pieces",
    );
    await daemon.kill("SIGKILL");
    await daemon.restart();
    for (const name of created) assert.equal(await daemon.ok("exec", name, "echo", "alive"), "alive");
    assert.equal(await daemon.ok("run", "--rm", "busybox", "echo", "well"), "well");
  });
});
