/** The freezer, and limits that change, on the machine's own hierarchies, whichever version they have. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LimitRefused, writeLimits } from "./cgroup-update.ts";
import { readCgroupUsage } from "./cgroup-usage.ts";
import { cgroupWrites } from "./cgroup-values.ts";
import { type CgroupLayout, cgroupDirectories, prepareCgroupParent, readCgroupLayout, removeCgroupParent } from "./cgroups.ts";
import { type Cgroups, freeze, isFrozen, thaw } from "./freezer.ts";

const parent = `/berth-test-freezer${process.env["BERTH_TEST_SLOT"] ?? ""}-${process.pid}`;
const megabyte = 1 << 20;

async function removed(directory: string): Promise<boolean> {
  return await rmdir(directory).then(
    () => true,
    () => false,
  );
}

describe("groups with a process in them", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  let layout: CgroupLayout;
  let cgroups: Cgroups;
  let child: ChildProcess;

  before(async () => {
    layout = await readCgroupLayout();
    await prepareCgroupParent(layout, parent);
    cgroups = cgroupDirectories(layout, `${parent}/x`);
    child = spawn("sh", ["-c", "while :; do sleep 0.01; done"]);
    for (const directory of new Set(Object.values(cgroups))) {
      await mkdir(directory);
      if (directory === cgroups["cpuset"])
        for (const file of ["cpuset.cpus", "cpuset.mems"])
          await writeFile(`${directory}/${file}`, await readFile(`${directory}/../${file}`, "utf8"));
      await writeFile(`${directory}/cgroup.procs`, String(child.pid));
    }
  });
  after(async () => {
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await thaw(cgroups);
    await ended;
    for (const directory of new Set(Object.values(cgroups))) {
      // The last sleep outlives its shell.
      for (let tries = 0; !(await removed(directory)); tries++) {
        assert.ok(tries < 200, `${directory} is empty`);
        await sleep(20);
      }
    }
    await removeCgroupParent(layout, parent);
  });

  const cpuTime = async (): Promise<number> => (await readCgroupUsage(cgroups)).cpu?.total ?? Number.NaN;

  test("stand still, and go on", async () => {
    assert.equal(await isFrozen(cgroups), false);
    await freeze(cgroups);
    assert.equal(await isFrozen(cgroups), true);
    const then = await cpuTime();
    await sleep(100);
    assert.equal(await cpuTime(), then, "no time is used");
    await freeze(cgroups); // again: no effect
    await thaw(cgroups);
    assert.equal(await isFrozen(cgroups), false);
    for (let tries = 0; (await cpuTime()) === then; tries++) {
      assert.ok(tries < 200, "time is used again");
      await sleep(10);
    }
  });

  test("limits that bound each other move in either direction", async () => {
    for (const [limit, swap] of [
      [64, 128],
      [256, 512],
      [32, 32],
      [48, -1],
      [16, 24],
    ] as const) {
      const memory = { limit: limit * megabyte, swap: swap < 0 ? -1 : swap * megabyte };
      await writeLimits(cgroups, cgroupWrites(layout.version, { memory }));
      assert.equal((await readCgroupUsage(cgroups)).memory?.limit, limit * megabyte);
    }
    await writeLimits(cgroups, cgroupWrites(layout.version, { cpu: { period: 100_000, quota: 5000 } }));
    await writeLimits(cgroups, cgroupWrites(layout.version, { cpu: { period: 20_000, quota: 2000 } }));
  });

  test("all are written, or none", async () => {
    const good = cgroupWrites(layout.version, {
      memory: { limit: 40 * megabyte, swap: 60 * megabyte },
      cpu: { shares: 77 },
      pids: { limit: 5 },
    });
    await writeLimits(cgroups, good);
    const shares = layout.version === 1 ? `${cgroups["cpu"]}/cpu.shares` : `${cgroups[""]}/cpu.weight`;
    const before = [await readFile(shares, "utf8"), await readCgroupUsage(cgroups)] as const;
    const bad = cgroupWrites(layout.version, {
      memory: { limit: 90 * megabyte, swap: 190 * megabyte },
      cpu: { shares: 700 },
      pids: { limit: 9 },
    });
    const impossible = { controller: "pids", file: "pids.max", data: "many" };
    await assert.rejects(writeLimits(cgroups, [...bad, impossible]), (error) => error instanceof LimitRefused && error.data === "many");
    const after = [await readFile(shares, "utf8"), await readCgroupUsage(cgroups)] as const;
    assert.equal(after[0], before[0]);
    assert.equal(after[1].memory?.limit, before[1].memory?.limit);
    assert.deepEqual(after[1].pids?.limit, before[1].pids?.limit);
  });

  test("a file that is missing fails, unless it may be", async () => {
    const controller = "pids";
    await assert.rejects(writeLimits(cgroups, [{ controller, file: "pids.nothing", data: "1" }]), LimitRefused);
    await writeLimits(cgroups, [{ controller, file: "pids.nothing", data: "1", optional: true }]);
  });
});
