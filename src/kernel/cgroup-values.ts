/**
 * OCI resources (runtime-spec config-linux.md, "Control groups") as writes into cgroup files, v1 and v2.
 * Conversions are those of runc, so that the same flag has the same effect.
 */
import type { LinuxResources, Throttle } from "../spec/spec.ts";

export interface CgroupWrite {
  /** The v1 controller that the file belongs to. */
  readonly controller: string;
  readonly file: string;
  readonly data: string;
  /** One of several names of one thing: the others may be missing. */
  readonly optional?: boolean;
}

export function cgroupWrites(version: 1 | 2, resources: LinuxResources): CgroupWrite[] {
  if (version === 1)
    return [...memoryV1(resources), ...cpuV1(resources), ...sharedWrites(resources), ...blockV1(resources), ...devicesV1(resources)];
  return [...memoryV2(resources), ...cpuV2(resources), ...sharedWrites(resources), ...blockV2(resources), ...rawV2(resources)];
}

/** -1 is "no limit" in OCI and v1, `max` in v2. */
const amount = (value: number): string => (value < 0 ? "max" : String(value));

function memoryV1({ memory = {}, hugepageLimits = [] }: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (file: string, value: number | undefined): void => {
    if (value !== undefined && value !== 0) writes.push({ controller: "memory", file: `memory.${file}`, data: String(value) });
  };
  put("limit_in_bytes", memory.limit);
  put("memsw.limit_in_bytes", memory.swap); // after the limit: it may never be below it
  put("soft_limit_in_bytes", memory.reservation);
  if (memory.swappiness !== undefined) writes.push({ controller: "memory", file: "memory.swappiness", data: String(memory.swappiness) });
  if (memory.disableOOMKiller === true) writes.push({ controller: "memory", file: "memory.oom_control", data: "1" });
  for (const { pageSize, limit } of hugepageLimits)
    writes.push({ controller: "hugetlb", file: `hugetlb.${pageSize}.limit_in_bytes`, data: String(limit) });
  return writes;
}

function memoryV2({ memory = {}, hugepageLimits = [] }: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (file: string, value: number | undefined): void => {
    if (value !== undefined) writes.push({ controller: "memory", file, data: amount(value) });
  };
  const { limit, swap } = memory;
  if (limit !== undefined && limit !== 0) put("memory.max", limit);
  // OCI's swap is memory plus swap, as v1 counts; v2 counts swap alone.
  if (swap !== undefined && swap !== 0) {
    if (swap < 0) put("memory.swap.max", -1);
    else if (limit !== undefined && limit > 0) put("memory.swap.max", Math.max(0, swap - limit));
  }
  if (memory.reservation !== undefined && memory.reservation !== 0) put("memory.low", memory.reservation);
  for (const { pageSize, limit: pages } of hugepageLimits) put(`hugetlb.${pageSize}.max`, pages);
  return writes;
}

function cpuV1({ cpu = {} }: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (file: string, value: number | undefined): void => {
    if (value !== undefined && value !== 0) writes.push({ controller: "cpu", file: `cpu.${file}`, data: String(value) });
  };
  put("shares", cpu.shares);
  put("cfs_period_us", cpu.period);
  put("cfs_quota_us", cpu.quota);
  put("rt_period_us", cpu.realtimePeriod);
  put("rt_runtime_us", cpu.realtimeRuntime);
  put("idle", cpu.idle);
  return writes;
}

/** 2…262144 shares onto 1…10000 weight. */
export function weightOfShares(shares: number): number {
  const within = Math.min(Math.max(shares, 2), 262_144);
  return 1 + Math.floor(((within - 2) * 9999) / 262_142);
}

function cpuV2({ cpu = {} }: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (file: string, data: string): number => writes.push({ controller: "cpu", file, data });
  if (cpu.idle !== undefined) put("cpu.idle", String(cpu.idle));
  if (cpu.shares !== undefined && cpu.shares !== 0) put("cpu.weight", String(weightOfShares(cpu.shares)));
  if ((cpu.quota !== undefined && cpu.quota !== 0) || (cpu.period !== undefined && cpu.period !== 0)) {
    const quota = cpu.quota !== undefined && cpu.quota > 0 ? String(cpu.quota) : "max";
    put("cpu.max", cpu.period === undefined || cpu.period === 0 ? quota : `${quota} ${cpu.period}`);
  }
  return writes;
}

/** The same in both versions. */
function sharedWrites({ cpu = {}, pids }: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (cpu.cpus !== undefined && cpu.cpus !== "") writes.push({ controller: "cpuset", file: "cpuset.cpus", data: cpu.cpus });
  if (cpu.mems !== undefined && cpu.mems !== "") writes.push({ controller: "cpuset", file: "cpuset.mems", data: cpu.mems });
  if (pids !== undefined && pids.limit !== 0)
    writes.push({ controller: "pids", file: "pids.max", data: pids.limit > 0 ? String(pids.limit) : "max" });
  return writes;
}

const device = ({ major, minor }: { major: number; minor: number }): string => `${major}:${minor}`;

function blockV1({ blockIO = {} }: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (file: string, data: string, optional = false): void => {
    writes.push({ controller: "blkio", file, data, ...(optional ? { optional } : {}) });
  };
  if (blockIO.weight !== undefined && blockIO.weight !== 0)
    for (const file of ["blkio.weight", "blkio.bfq.weight"]) put(file, String(blockIO.weight), true);
  for (const one of blockIO.weightDevice ?? [])
    for (const file of ["blkio.weight_device", "blkio.bfq.weight_device"]) put(file, `${device(one)} ${one.weight ?? 0}`, true);
  const throttle = (file: string, devices: readonly Throttle[] = []): void => {
    for (const one of devices) put(`blkio.throttle.${file}_device`, `${device(one)} ${one.rate}`);
  };
  throttle("read_bps", blockIO.throttleReadBpsDevice);
  throttle("write_bps", blockIO.throttleWriteBpsDevice);
  throttle("read_iops", blockIO.throttleReadIOPSDevice);
  throttle("write_iops", blockIO.throttleWriteIOPSDevice);
  return writes;
}

/** 10…1000 of v1 onto 1…10000 of v2. */
export function ioWeightOf(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

function blockV2({ blockIO = {} }: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (file: string, data: string, optional = false): void => {
    writes.push({ controller: "io", file, data, ...(optional ? { optional } : {}) });
  };
  if (blockIO.weight !== undefined && blockIO.weight !== 0) {
    put("io.bfq.weight", String(blockIO.weight), true);
    put("io.weight", `default ${ioWeightOf(blockIO.weight)}`, true);
  }
  for (const one of blockIO.weightDevice ?? []) put("io.bfq.weight", `${device(one)} ${one.weight ?? 0}`, true);
  const throttle = (word: string, devices: readonly Throttle[] = []): void => {
    for (const one of devices) put("io.max", `${device(one)} ${word}=${one.rate}`);
  };
  throttle("rbps", blockIO.throttleReadBpsDevice);
  throttle("wbps", blockIO.throttleWriteBpsDevice);
  throttle("riops", blockIO.throttleReadIOPSDevice);
  throttle("wiops", blockIO.throttleWriteIOPSDevice);
  return writes;
}

/** `unified` goes as it is; file names may not lead elsewhere. */
function rawV2({ unified = {} }: LinuxResources): CgroupWrite[] {
  return Object.entries(unified)
    .filter(([file]) => /^[a-z0-9_]+(\.[a-zA-Z0-9_]+)+$/.test(file))
    .map(([file, data]) => ({ controller: "", file, data }));
}

type DeviceRule = NonNullable<LinuxResources["devices"]>[number];

/** `c 1:3 rwm`, as the v1 devices controller reads it; `*` is any number. */
function deviceRuleText(rule: DeviceRule): string {
  const type = rule.type ?? "a";
  if (type === "a") return "a";
  const number = (value: number | undefined): string => (value === undefined || value < 0 ? "*" : String(value));
  return `${type} ${number(rule.major)}:${number(rule.minor)} ${rule.access ?? "rwm"}`;
}

function devicesV1({ devices = [] }: LinuxResources): CgroupWrite[] {
  return devices.map((rule) => ({
    controller: "devices",
    file: rule.allow ? "devices.allow" : "devices.deny",
    data: deviceRuleText(rule),
  }));
}
