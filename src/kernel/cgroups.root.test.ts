/** On the machine's own hierarchies, whichever version they have: plans executed as the monitor would. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { errnoOf } from "../base/base.ts";
import type { LinuxResources } from "../spec/spec.ts";
import {
  type CgroupLayout,
  type CgroupPlan,
  cgroupDirectories,
  planCgroup,
  prepareCgroupParent,
  probeCgroups,
  readCgroupLayout,
  removeCgroupParent,
} from "./cgroups.ts";
import { deviceProgram } from "./device-program.ts";
import type { HostOp } from "./plan.ts";
import { cgroupPids, readProcesses } from "./processes.ts";

const parent = `/berth-test-cgroups-${process.pid}`;

async function execute(op: HostOp): Promise<void> {
  if (op.op === "mkdir") await mkdir(op.path, { mode: op.mode });
  else if (op.op === "rmdir") await rmdir(op.path);
  else if (op.op === "write") {
    await writeFile(op.path, op.data).catch((error: unknown) => {
      if (op.optional !== true || (errnoOf(error) !== "ENOENT" && errnoOf(error) !== "EACCES")) throw error;
    });
  } else if (op.op === "oom-counter") assert.match(await readFile(op.path, "utf8"), new RegExp(`^${op.key} \\d+$`, "m"));
  else assert.equal(op.op, "device-program");
}

const devices = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c" as const, access: "m" },
  { allow: true, type: "c" as const, major: 1, minor: 3, access: "rwm" },
];

describe("cgroups of this machine", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  let layout: CgroupLayout;
  let plan: CgroupPlan;
  const directory = (controller: string): string => cgroupDirectories(layout, `${parent}/x`)[layout.version === 2 ? "" : controller] ?? "";
  const value = async (v1: [string, string], v2: string): Promise<string> =>
    (await readFile(layout.version === 1 ? `${directory(v1[0])}/${v1[1]}` : `${directory("")}/${v2}`, "utf8")).trim();

  before(async () => {
    layout = await readCgroupLayout();
    await prepareCgroupParent(layout, parent);
    await prepareCgroupParent(layout, parent); // idempotent
    const resources: LinuxResources = {
      memory: { limit: 64 << 20, reservation: 32 << 20 },
      cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0", mems: "0" },
      pids: { limit: 50 },
      blockIO: { weight: 300 },
      devices,
    };
    plan = planCgroup(layout, `${parent}/x`, resources);
    for (const op of plan.prepare) await execute(op);
  });
  after(async () => {
    for (const op of plan.cleanup) await execute(op);
    await removeCgroupParent(layout, parent);
    for (const root of new Set(layout.controllers.values())) assert.equal(existsSync(root + parent), false, root + parent);
  });

  test("support is probed in a group that has all files", async () => {
    const support = await probeCgroups(layout, parent);
    for (const name of ["memory", "memoryReservation", "cpuShares", "cpuQuota", "cpuset", "pids"] as const)
      assert.equal(support[name], true, name);
    assert.equal(support.oomKillDisable, layout.version === 1);
  });

  test("limits are in force", async () => {
    assert.equal(await value(["memory", "memory.limit_in_bytes"], "memory.max"), String(64 << 20));
    assert.equal(await value(["cpuset", "cpuset.cpus"], "cpuset.cpus"), "0");
    assert.equal(await value(["pids", "pids.max"], "pids.max"), "50");
    assert.equal(await value(["cpu", "cpu.shares"], "cpu.weight"), layout.version === 1 ? "512" : "20");
    assert.equal(await value(["cpu", "cpu.cfs_quota_us"], "cpu.max"), layout.version === 1 ? "50000" : "50000 100000");
  });

  test("a process can enter, is listed, and is held to the limits", async () => {
    const child: ChildProcess = spawn("sleep", ["1000"]);
    const { pid } = child;
    assert.ok(pid);
    try {
      const entries = layout.version === 1 ? plan.cgroup1.map((path) => `${path}/tasks`) : [`${plan.cgroup2}/cgroup.procs`];
      for (const entry of entries) await writeFile(entry, String(pid));
      assert.deepEqual(await cgroupPids(directory("pids")), [pid]);
      const [listed] = await readProcesses(cgroupDirectories(layout, `${parent}/x`));
      assert.equal(listed?.pid, pid);
      assert.deepEqual(listed?.args, ["sleep", "1000"]);
      assert.equal(listed?.ppid, process.pid);
      assert.match(await readFile(`/proc/${pid}/status`, "utf8"), /^Cpus_allowed_list:\s0$/m);
    } finally {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGKILL");
      await ended;
    }
  });
});

describe("the device program in the kernel", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  test("is taken by the verifier, and opens what it allows alone", async (context) => {
    const mountinfo = await readFile("/proc/self/mountinfo", "utf8");
    const root = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(mountinfo)?.[1];
    if (root === undefined) return context.skip("no cgroup v2 hierarchy is mounted");
    if (spawnSync("python3", ["-V"]).status !== 0) return context.skip("python3 is not here");
    const group = `${root}/berth-test-devices-${process.pid}`;
    await mkdir(group);
    try {
      const script = `
import ctypes, base64, os, sys, platform
libc = ctypes.CDLL(None, use_errno=True)
code = base64.b64decode(sys.argv[1])
number = 321 if platform.machine() == "x86_64" else 280
insns = ctypes.create_string_buffer(code, len(code)); licence = ctypes.create_string_buffer(b"Apache-2.0"); log = ctypes.create_string_buffer(65536)
load = (ctypes.c_uint8 * 128)()
def put(at, value, size): load[at:at+size] = value.to_bytes(size, "little")
put(0, 15, 4); put(4, len(code) // 8, 4); put(8, ctypes.addressof(insns), 8); put(16, ctypes.addressof(licence), 8)
put(24, 1, 4); put(28, 65536, 4); put(32, ctypes.addressof(log), 8)
fd = libc.syscall(number, 5, load, 48)
assert fd >= 0, (ctypes.get_errno(), log.value.decode())
attach = (ctypes.c_uint8 * 128)()
directory = os.open(sys.argv[2], os.O_RDONLY)
for at, value in ((0, directory), (4, fd), (8, 6), (12, 2)): attach[at:at+4] = value.to_bytes(4, "little")
assert libc.syscall(number, 8, attach, 16) == 0, ctypes.get_errno()
open(sys.argv[2] + "/cgroup.procs", "w").write("0")
def can(path, flags):
  try: os.close(os.open(path, flags)); return "yes"
  except OSError as e: return str(e.errno)
print(can("/dev/null", os.O_RDWR), can("/dev/zero", os.O_RDONLY), can("/dev/full", os.O_RDWR))
`;
      const program = Buffer.from(deviceProgram(devices)).toString("base64");
      assert.equal(execFileSync("python3", ["-c", script, program, group], { encoding: "utf8" }).trim(), "yes 1 1");
    } finally {
      await rmdir(group);
    }
  });
});
