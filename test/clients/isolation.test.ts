/** What a container with default settings must not see or do. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { command, Daemon, importBusybox } from "../daemon.ts";

describe("isolation", () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await Daemon.start();
    await importBusybox(daemon);
  });
  after(() => daemon.close());

  const sh = (script: string): Promise<string> => daemon.ok("run", "--rm", "busybox", "sh", "-c", script);

  test("it is process 1, and sees no other process of the host", async () => {
    assert.equal(await daemon.ok("run", "--rm", "busybox", "sh", "-c", "echo $$; ls /proc | grep -c '^[0-9]'"), "1\n3");
  });

  test("mounts, host name and links of the host are out of sight", async () => {
    const mounts = await sh("cat /proc/self/mountinfo");
    const fromHost = mounts.split("\n").filter((line) => line.includes(daemon.dataRoot) || line.includes(daemon.execRoot));
    assert.deepEqual(
      fromHost.map((line) => line.split(" ")[4]).sort(),
      ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"],
      "three files and nothing else come from the host",
    );
    assert.equal(mounts.split("\n").filter((line) => line.split(" ")[4] === "/").length, 1);
    assert.notEqual(await sh("hostname"), readFileSync("/proc/sys/kernel/hostname", "utf8").trim());
    assert.equal(await sh("ls /sys/class/net | tr '\\n' ' '"), "eth0 lo");
  });

  test("capabilities, seccomp, descriptors", async () => {
    const status = await sh("cat /proc/self/status");
    assert.match(status, /^CapEff:\s+00000000a80425fb$/m);
    assert.match(status, /^CapPrm:\s+00000000a80425fb$/m);
    assert.match(status, /^CapBnd:\s+00000000a80425fb$/m);
    assert.match(status, /^CapInh:\s+0000000000000000$/m);
    assert.match(status, /^CapAmb:\s+0000000000000000$/m);
    assert.match(status, /^Seccomp:\s+2$/m);
    assert.equal(await sh("ls /proc/$$/fd; true"), "0\n1\n2");
    await daemon.ok("run", "-d", "--name", "plain", "busybox", "sleep", "100");
    const exec = await daemon.ok("exec", "plain", "sh", "-c", "cat /proc/$$/status; ls /proc/$$/fd; true");
    assert.match(exec, /^CapEff:\s+00000000a80425fb$/m);
    assert.match(exec, /^CapInh:\s+0000000000000000$/m);
    assert.match(exec, /^Seccomp:\s+2$/m);
    assert.match(exec, /\n0\n1\n2$/);
    await daemon.ok("rm", "-f", "plain");
  });

  test("masked and read-only paths", async () => {
    assert.match(await sh("{ wc -c </proc/kcore; } 2>&1 || true"), /^0$|no such file|[Pp]ermission denied/, "empty, or not there at all");
    for (const path of [
      "/proc/sysrq-trigger",
      "/proc/sys/kernel/hostname",
      "/proc/irq/0/x",
      "/sys/kernel/x",
      "/sys/power/state",
      "/proc/bus/x",
    ]) {
      assert.equal(await sh(`(echo b >${path}) 2>/dev/null && echo written || echo refused`), "refused", path);
    }
    assert.equal(await sh("ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v : | grep -c .; true"), "0");
  });

  test("a device that it makes itself cannot be opened", async () => {
    const numbers = (await command("sh", ["-c", "stat -Lc '%Hd %Ld' /"])).stdout.trim();
    assert.match(numbers, /^\d+ \d+$/);
    assert.match(
      await sh(`mknod /tmp/disk b ${numbers} && (dd if=/tmp/disk of=/dev/null bs=1 count=1 2>&1 || true)`),
      /[Oo]peration not permitted/,
    );
  });

  test("namespaces, mounts, keys and AF_ALG are refused", async () => {
    assert.match(await sh("unshare -U true 2>&1 || true"), /not permitted/);
    assert.match(await sh("mount -t tmpfs none /tmp 2>&1 || true"), /permission denied|not permitted/i);
    assert.match(await sh("mount -o remount,rw /sys 2>&1 || true"), /permission denied|not permitted/i);
  });

  test("the time and the modules of the host are out of reach", async () => {
    assert.match(await sh("date -s 2001-01-01 2>&1 || true"), /not permitted/);
    assert.match(await sh("rmmod nosuch 2>&1 || true"), /not permitted|[Nn]o such|can't/);
  });

  test("other users of the host cannot walk in", async () => {
    const result = await command("setpriv", [
      "--reuid",
      "65534",
      "--regid",
      "65534",
      "--clear-groups",
      "ls",
      `${daemon.dataRoot}/containers`,
    ]);
    assert.notEqual(result.status, 0);
    assert.match(result.stderr, /[Pp]ermission denied/);
    assert.equal(
      readFileSync("/proc/net/unix", "utf8")
        .split("\n")
        .filter((line) => /@.*berth/.test(line)).length,
      0,
      "no abstract socket",
    );
  });
});
