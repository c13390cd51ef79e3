/** Resource flags as OCI resources. What cannot be had on this host has been told of by `check-resources.ts` and is left out. */
import type { CgroupSupport } from "../kernel/cgroups.ts";
import type { HostConfig, LinuxResources, Throttle } from "../spec/spec.ts";
import { blockDevice, type DeviceRule } from "./devices.ts";

const nanoPeriod = 100_000;

function memoryOf(host: HostConfig, support: CgroupSupport): NonNullable<LinuxResources["memory"]> {
  const limit = host.Memory ?? 0;
  const swap = host.MemorySwap ?? 0;
  return {
    ...(limit > 0 && support.memory ? { limit } : {}),
    // A limit without a word on swap allows as much swap again.
    ...(limit > 0 && support.swap ? { swap: swap === 0 ? 2 * limit : swap } : {}),
    ...(host.MemoryReservation && support.memoryReservation ? { reservation: host.MemoryReservation } : {}),
    ...(host.MemorySwappiness != null && host.MemorySwappiness >= 0 && support.memorySwappiness
      ? { swappiness: host.MemorySwappiness }
      : {}),
    ...(host.OomKillDisable === true && support.oomKillDisable ? { disableOOMKiller: true } : {}),
  };
}

function cpuOf(host: HostConfig, support: CgroupSupport): NonNullable<LinuxResources["cpu"]> {
  const nano = host.NanoCpus ?? 0;
  const quota = nano > 0 ? Math.round((nano * nanoPeriod) / 1e9) : (host.CpuQuota ?? 0);
  const period = nano > 0 ? nanoPeriod : (host.CpuPeriod ?? 0);
  const shares = host.CpuShares ?? 0;
  return {
    ...(shares !== 0 && support.cpuShares ? { shares: Math.min(Math.max(shares, 2), 262_144) } : {}),
    ...(quota !== 0 && support.cpuQuota ? { quota } : {}),
    ...(period !== 0 && support.cpuQuota ? { period } : {}),
    ...(host.CpuRealtimePeriod && support.cpuRealtime ? { realtimePeriod: host.CpuRealtimePeriod } : {}),
    ...(host.CpuRealtimeRuntime && support.cpuRealtime ? { realtimeRuntime: host.CpuRealtimeRuntime } : {}),
    ...(host.CpusetCpus && support.cpuset ? { cpus: host.CpusetCpus } : {}),
    ...(host.CpusetMems && support.cpuset ? { mems: host.CpusetMems } : {}),
  };
}

type Limits = HostConfig["BlkioDeviceReadBps"] | null;

async function throttles(limits: Limits): Promise<Throttle[]> {
  return await Promise.all((limits ?? []).map(async ({ Path, Rate }) => ({ ...(await blockDevice(Path ?? "")), rate: Rate ?? 0 })));
}

async function blockOf(host: HostConfig, support: CgroupSupport): Promise<NonNullable<LinuxResources["blockIO"]>> {
  const lists = {
    throttleReadBpsDevice: host.BlkioDeviceReadBps,
    throttleWriteBpsDevice: host.BlkioDeviceWriteBps,
    throttleReadIOPSDevice: host.BlkioDeviceReadIOps,
    throttleWriteIOPSDevice: host.BlkioDeviceWriteIOps,
  } as const;
  const result: NonNullable<LinuxResources["blockIO"]> = {};
  if (host.BlkioWeight && support.blkioWeight) result.weight = host.BlkioWeight;
  if (host.BlkioWeightDevice?.length && support.blkioWeight) {
    result.weightDevice = await Promise.all(
      host.BlkioWeightDevice.map(async ({ Path, Weight }) => ({ ...(await blockDevice(Path ?? "")), weight: Weight ?? 0 })),
    );
  }
  for (const key of Object.keys(lists) as (keyof typeof lists)[]) {
    if (lists[key]?.length && support.blkioThrottle) result[key] = await throttles(lists[key]);
  }
  return result;
}

/** @throws InvalidParameter for a block device that is not there */
export async function containerResources(
  host: HostConfig,
  support: CgroupSupport,
  devices: readonly DeviceRule[],
  defaultPidsLimit: number,
): Promise<LinuxResources> {
  // 0 comes of an update that took the limit away.
  const pids = host.PidsLimit == null ? defaultPidsLimit : host.PidsLimit || -1;
  const memory = memoryOf(host, support);
  const cpu = cpuOf(host, support);
  const blockIO = await blockOf(host, support);
  return {
    devices: [...devices],
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(Object.keys(blockIO).length > 0 ? { blockIO } : {}),
    ...(pids !== 0 && support.pids ? { pids: { limit: Math.max(pids, -1) } } : {}),
  };
}
