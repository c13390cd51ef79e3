import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { hasAppArmor, loadDefaultProfile, profileName } from "./apparmor.ts";

const skip = process.getuid?.() !== 0 ? "needs root" : (await hasAppArmor()) ? false : "this kernel has no AppArmor";

test("the default profile is taken by the kernel, and holds", { skip }, async () => {
  assert.equal(await loadDefaultProfile(), undefined);
  assert.equal(await loadDefaultProfile(), undefined, "again");
  assert.ok(readFileSync("/sys/kernel/security/apparmor/profiles", "utf8").includes(`${profileName} (`));
  const under = (...command: string[]): number | null => spawnSync("aa-exec", ["-p", profileName, "--", ...command]).status;
  assert.equal(under("cat", "/etc/passwd"), 0);
  assert.equal(under("sh", "-c", "echo 0 >/proc/self/oom_score_adj"), 0);
  assert.equal(under("cat", "/proc/1/status"), 0);
  assert.notEqual(under("sh", "-c", "echo h >/proc/sysrq-trigger"), 0);
  assert.notEqual(under("mount", "-t", "tmpfs", "none", "/mnt"), 0);
  assert.notEqual(under("sh", "-c", "echo 1 >/sys/kernel/mm/ksm/run"), 0);
});
