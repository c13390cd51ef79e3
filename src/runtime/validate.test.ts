import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CgroupSupport } from "../kernel/cgroups.ts";
import type { ContainerConfig, HostConfig } from "../spec/spec.ts";
import { hostFacts } from "./examples.test.ts";
import { checkSysctls, validateContainer } from "./validate.ts";

const check = (hostConfig: HostConfig, config: ContainerConfig = {}, support: Partial<CgroupSupport> = {}): string[] => {
  const warnings = validateContainer(config, hostConfig, hostFacts(1, support));
  checkSysctls(hostConfig); // which a start does
  return warnings;
};

function refused(hostConfig: HostConfig, message: string | RegExp, config: ContainerConfig = {}): void {
  assert.throws(
    () => check(hostConfig, config),
    (error) => {
      assert.ok(error instanceof Error && "code" in error && error.code === "InvalidParameter", String(error));
      if (typeof message === "string") assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    },
  );
}

describe("validation", () => {
  test("a plain container has nothing to be told", () => assert.deepEqual(check({}), []));

  test("memory", () => {
    refused({ Memory: 1 }, "Minimum memory limit allowed is 6MB");
    refused({ Memory: 64 << 20, MemorySwap: 32 << 20 }, "Minimum memoryswap limit should be larger than memory limit, see usage");
    refused({ MemorySwap: 32 << 20 }, "You should always set the Memory limit when using Memoryswap limit, see usage");
    refused({ MemorySwappiness: 101 }, "Invalid value: 101, valid memory swappiness range is 0-100");
    refused({ MemoryReservation: 1 }, "Minimum memory reservation allowed is 6MB");
    refused(
      { Memory: 8 << 20, MemoryReservation: 16 << 20 },
      "Minimum memory limit can not be less than memory reservation limit, see usage",
    );
    assert.deepEqual(check({ Memory: 64 << 20, MemorySwap: -1, MemorySwappiness: -1 }), []);
  });

  test("cpu", () => {
    refused({ NanoCpus: 5e9 }, "Range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available");
    refused({ NanoCpus: 1e9, CpuPeriod: 1000 }, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
    refused({ CpuShares: -1 }, "invalid CPU shares (-1): value must be a positive integer");
    refused({ CpuPeriod: 1 }, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
    refused({ CpuQuota: 1 }, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    refused({ CpusetCpus: "0-9" }, "Requested CPUs are not available - requested 0-9, available: 0-3");
    refused({ CpusetCpus: "x" }, "Invalid value x for cpuset cpus: invalid format: x");
    refused({ CpusetCpus: "0-99999999" }, /Invalid value/);
    refused({ CpuRealtimeRuntime: 5 }, "Your kernel does not support CPU real-time scheduler");
  });

  test("the rest of the limits", () => {
    refused({ BlkioWeight: 5 }, "Range of blkio weight is from 10 to 1000");
    refused({ OomScoreAdj: 1001 }, "Invalid value 1001, range for oom score adj is [-1000, 1000]");
    refused({ ShmSize: -1 }, "SHM size can not be less than 0");
    refused({ Ulimits: [{ Name: "nofile", Soft: 2, Hard: 1 }] }, "ulimit soft limit must be less than or equal to hard limit: 2 > 1");
    refused({ Ulimits: [{ Name: "nosuch", Soft: 1, Hard: 1 }] }, "invalid ulimit type: nosuch");
  });

  test("what the kernel lacks is a warning", () => {
    const nothing = {
      memory: false,
      swap: false,
      cpuShares: false,
      blkioWeight: false,
      pids: false,
      oomKillDisable: false,
      memorySwappiness: false,
    };
    const warnings = check(
      { Memory: 64 << 20, CpuShares: 5, BlkioWeight: 50, PidsLimit: 5, OomKillDisable: true, MemorySwappiness: 5 },
      {},
      nothing,
    );
    assert.deepEqual(warnings, [
      "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
      "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.",
      "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.",
      "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
      "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.",
      "Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.",
      "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
    ]);
  });

  test("capabilities, security options, profiles", () => {
    refused({ CapAdd: ["NOSUCH"] }, 'invalid CapAdd: unknown capability: "CAP_NOSUCH"');
    refused({ SecurityOpt: ["nosuch=1"] }, 'invalid --security-opt 2: "nosuch=1"');
    refused({ SecurityOpt: ["seccomp=/not/json"] }, /^Decoding seccomp profile failed: /);
    refused({ SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_X"}'] }, "invalid seccomp action: SCMP_ACT_X");
    refused(
      { SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW","architectures":["x"],"archMap":[{"architecture":"x"}]}'] },
      /use either/,
    );
    refused({ SecurityOpt: ["apparmor=mine"] }, /AppArmor is not enabled/);
  });

  test("sysctls: only those of the container's own namespaces", () => {
    const sysctl = (key: string, more: HostConfig = {}): HostConfig => ({ Sysctls: { [key]: "1" }, ...more });
    assert.deepEqual(check(sysctl("net.ipv4.ip_forward")), []);
    assert.deepEqual(check(sysctl("kernel.shmmax")), []);
    assert.deepEqual(check(sysctl("fs.mqueue.msg_max")), []);
    assert.deepEqual(check(sysctl("net/ipv4/conf/eth0.1/forwarding")), []);
    refused(sysctl("kernel.core_pattern"), 'sysctl "kernel.core_pattern" is not in a separate kernel namespace');
    refused(sysctl("vm.swappiness"), /not in a separate kernel namespace/);
    refused(sysctl("kernel/core_pattern"), /not in a separate kernel namespace/);
    refused(sysctl("net.ipv4.ip_forward", { NetworkMode: "host" }), /not allowed in host network namespace/);
    refused(sysctl("kernel.shmmax", { IpcMode: "host" }), /not in a separate ipc namespace/);
    refused(sysctl("net.../../kernel/core_pattern"), /not a valid key/);
    refused(sysctl("net.ipv4/../../kernel/x"), /not a valid key/);
  });

  test("namespaces", () => {
    refused({ PidMode: "x" }, "invalid PID mode: x");
    refused({ IpcMode: "x" }, "invalid IPC mode: x");
    refused({ Isolation: "hyperv" }, `Invalid isolation: "hyperv" - linux only supports 'default'`);
    refused({ StorageOpt: { x: "y" } }, "Unknown option x");
    refused({ UTSMode: "private" }, "invalid UTS mode: private");
    refused({ UsernsMode: "x" }, "invalid userns mode: x");
    refused({ CgroupParent: "../x" }, /invalid cgroup parent/);
  });

  test("devices", () => {
    refused({ Devices: [{ PathOnHost: "/dev/null", CgroupPermissions: "x" }] }, "invalid device mode: x");
    refused({ DeviceCgroupRules: ["c 1:x r"] }, "invalid device cgroup rule format: 'c 1:x r'");
  });

  test("texts", () => {
    refused({}, "uids and gids must be in range 0-2147483647", { User: "4294967296" });
    refused({}, "invalid signal: SIGNOPE", { StopSignal: "SIGNOPE" });
    refused({}, /NUL/, { Env: ["A=\0"] });
    refused({}, "the working directory 'x' is invalid, it needs to be an absolute path", { WorkingDir: "x" });
  });
});
