import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LinuxResources } from "../spec/spec.ts";
import { cgroupWrites, ioWeightOf, weightOfShares } from "./cgroup-values.ts";
import { cgroupDirectories, cgroupParentPath, parseCgroupLayout, planCgroup } from "./cgroups.ts";

const hybrid = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;
const unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const v1 = parseCgroupLayout(hybrid, "");
const v2 = parseCgroupLayout(unified, "cpuset cpu io memory pids\n");

/** `file=data` of each write. */
function writes(version: 1 | 2, resources: LinuxResources): string[] {
  return cgroupWrites(version, resources).map(({ file, data }) => `${file}=${data}`);
}

describe("cgroup layout", () => {
  test("v1 and hybrid: the controllers' mount points, named hierarchies left alone", () => {
    assert.equal(v1.version, 1);
    assert.equal(v1.controllers.get("cpuacct"), "/sys/fs/cgroup/cpu,cpuacct");
    assert.deepEqual([...v1.controllers.keys()].sort(), ["cpu", "cpuacct", "cpuset", "devices", "memory", "pids"]);
  });

  test("v2: one mount point", () => {
    assert.equal(v2.version, 2);
    assert.deepEqual(cgroupDirectories(v2, "/berth/x"), { "": "/sys/fs/cgroup/berth/x" });
    assert.ok(v2.controllers.has("io"));
  });

  test("a parent stays below the root", () => {
    assert.equal(cgroupParentPath("a//b/"), "/a/b");
    assert.equal(cgroupParentPath("/"), "/");
    for (const parent of ["/a/../..", "..", "a\0b"]) assert.throws(() => cgroupParentPath(parent), { code: "InvalidParameter" });
  });
});

describe("cgroup values", () => {
  test("memory: v1 counts swap with memory, v2 apart", () => {
    const resources = { memory: { limit: 32 << 20, swap: 48 << 20, reservation: 16 << 20, swappiness: 0 } };
    assert.deepEqual(writes(1, resources), [
      "memory.limit_in_bytes=33554432",
      "memory.memsw.limit_in_bytes=50331648",
      "memory.soft_limit_in_bytes=16777216",
      "memory.swappiness=0",
    ]);
    assert.deepEqual(writes(2, resources), ["memory.max=33554432", "memory.swap.max=16777216", "memory.low=16777216"]);
    assert.deepEqual(writes(2, { memory: { limit: 1 << 20, swap: -1 } }), ["memory.max=1048576", "memory.swap.max=max"]);
    assert.deepEqual(writes(2, { memory: { limit: 1 << 20, swap: 1 << 20 } }), ["memory.max=1048576", "memory.swap.max=0"]);
    assert.deepEqual(writes(1, { memory: { disableOOMKiller: true } }), ["memory.oom_control=1"]);
  });

  test("cpu", () => {
    const resources = { cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0-1", mems: "0" } };
    assert.deepEqual(writes(1, resources), [
      "cpu.shares=512",
      "cpu.cfs_period_us=100000",
      "cpu.cfs_quota_us=50000",
      "cpuset.cpus=0-1",
      "cpuset.mems=0",
    ]);
    assert.deepEqual(writes(2, resources), ["cpu.weight=20", "cpu.max=50000 100000", "cpuset.cpus=0-1", "cpuset.mems=0"]);
    assert.deepEqual(writes(2, { cpu: { quota: -1 } }), ["cpu.max=max"]);
    assert.deepEqual(writes(2, { cpu: { period: 50_000 } }), ["cpu.max=max 50000"]);
    assert.deepEqual([2, 1024, 262_144].map(weightOfShares), [1, 39, 10_000]);
  });

  test("block devices, pids, raw keys", () => {
    const resources: LinuxResources = {
      blockIO: {
        weight: 500,
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 7 }],
      },
      pids: { limit: -1 },
      unified: { "memory.high": "1", "../x": "bad" },
    };
    assert.deepEqual(writes(1, resources), [
      "pids.max=max",
      "blkio.weight=500",
      "blkio.bfq.weight=500",
      "blkio.throttle.read_bps_device=8:0 1000",
      "blkio.throttle.write_iops_device=8:16 7",
    ]);
    assert.deepEqual(writes(2, resources), [
      "pids.max=max",
      "io.bfq.weight=500",
      "io.weight=default 4950",
      "io.max=8:0 rbps=1000",
      "io.max=8:16 wiops=7",
      "memory.high=1",
    ]);
    assert.deepEqual([10, 1000].map(ioWeightOf), [1, 10_000]);
  });

  test("devices of v1: the list is emptied, then filled", () => {
    const devices = [
      { allow: false, access: "rwm" },
      { allow: true, type: "c" as const, access: "m" },
      { allow: true, type: "c" as const, major: 136, access: "rwm" },
      { allow: true, type: "b" as const, major: 8, minor: 1, access: "r" },
    ];
    assert.deepEqual(writes(1, { devices }), [
      "devices.deny=a",
      "devices.allow=c *:* m",
      "devices.allow=c 136:* rwm",
      "devices.allow=b 8:1 r",
    ]);
    assert.deepEqual(writes(2, { devices }), []);
  });
});

describe("cgroup plans", () => {
  test("v1: a group in each hierarchy, values only where there is a controller", () => {
    const plan = planCgroup(v1, "/berth/x", { memory: { limit: 1 << 23 }, blockIO: { weight: 10 } });
    assert.deepEqual(
      plan.prepare.map((op) => ("path" in op ? `${op.op} ${op.path}` : op.op)),
      [
        ...["cpu,cpuacct", "cpuset", "memory", "devices", "pids"].map((name) => `mkdir /sys/fs/cgroup/${name}/berth/x`),
        "write /sys/fs/cgroup/memory/berth/x/memory.limit_in_bytes",
        "oom-counter /sys/fs/cgroup/memory/berth/x/memory.oom_control",
      ],
    );
    assert.equal(plan.cgroup2, "");
    assert.equal(plan.cgroup1.length, 5);
    assert.equal(plan.cleanup.filter((op) => op.op === "rmdir" && op.killMembers).length, 1);
  });

  test("v2: one group, born into, with a device program", () => {
    const plan = planCgroup(v2, "/berth/x", { devices: [{ allow: false }], pids: { limit: 5 } });
    assert.deepEqual(
      plan.prepare.map((op) => op.op),
      ["mkdir", "write", "oom-counter", "device-program"],
    );
    assert.equal(plan.cgroup2, "/sys/fs/cgroup/berth/x");
    assert.deepEqual(plan.cgroup1, []);
    assert.equal(
      planCgroup(v2, "/x", { devices: [{ allow: true }] }).prepare.some((op) => op.op === "device-program"),
      false,
    );
  });
});
