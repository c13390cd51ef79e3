import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readProcessFile } from "./process-files.ts";

describe("files of a running container", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  const root = mkdtempSync("/var/tmp/berth-test-files-");
  let child: ReturnType<typeof spawn>;
  const read = async (path: string): Promise<string | undefined> => {
    const bytes = await readProcessFile(child.pid ?? 0, path);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString();
  };

  before(async () => {
    for (const name of ["bin", "etc", "store/deep", "dir"]) mkdirSync(join(root, name), { recursive: true });
    const busybox = execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
    copyFileSync(busybox, join(root, "bin/busybox"));
    writeFileSync(join(root, "etc/passwd"), "inside\n");
    writeFileSync(join(root, "store/deep/group"), "stored\n");
    symlinkSync("/store/deep", join(root, "linked"));
    symlinkSync("../../../../../../store/deep/group", join(root, "etc/group"));
    symlinkSync("/etc/hostname", join(root, "etc/absolute"));
    symlinkSync("../../../../../../etc/hostname", join(root, "etc/relative"));
    symlinkSync("/proc/1/root/etc/passwd", join(root, "etc/magic"));
    symlinkSync("loop", join(root, "etc/loop"));
    symlinkSync("/dir", join(root, "etc/directory"));
    execFileSync("mkfifo", [join(root, "etc/fifo")]);
    writeFileSync(join(root, "etc/huge"), "");
    truncateSync(join(root, "etc/huge"), 2 ** 40);
    child = spawn("chroot", [root, "/bin/busybox", "sleep", "1000"], { stdio: "ignore" });
    // It is in there when it has become busybox.
    while (readlinkSync(`/proc/${child.pid}/root`) !== root) await sleep(5);
  });
  after(async () => {
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await ended;
    rmSync(root, { recursive: true });
  });

  test("plain files, and links that stay inside", async () => {
    assert.equal(await read("/etc/passwd"), "inside\n");
    assert.equal(await read("/etc/group"), "stored\n");
    assert.equal(await read("/linked/group"), "stored\n");
    assert.equal(await read("/etc/../../../etc/passwd"), "inside\n");
  });

  test("no link leads out, or in circles", async () => {
    for (const name of ["absolute", "relative", "magic", "loop"]) assert.equal(await read(`/etc/${name}`), undefined, name);
  });

  test("what is no small regular file reads as missing, and at once", async () => {
    for (const name of ["fifo", "huge", "directory", "nosuch"]) assert.equal(await read(`/etc/${name}`), undefined, name);
    assert.equal(await readProcessFile(2 ** 22 + 1, "/etc/passwd"), undefined);
  });
});
