/** One sample of a container's resource usage, in the shape of Docker's API. */
import { totalmem } from "node:os";
import { formatNanos, nowNanos, zeroTime } from "../base/base.ts";
import { isActive } from "../containers/containers.ts";
import { type CgroupUsage, type CpuUsage, readCgroupUsage } from "../kernel/cgroup-usage.ts";
import { type HostCpu, type InterfaceCounters, readInterfaces } from "../kernel/host-usage.ts";
import type { ContainerStatsResponse } from "../spec/spec.ts";
import type { LiveContainer } from "./live-container.ts";

export interface Sample {
  /** RFC 3339. */
  readonly read: string;
  readonly usage: CgroupUsage;
  readonly networks: Readonly<Record<string, InterfaceCounters>>;
  readonly host: HostCpu;
}

/** Undefined when the container does not run. */
export async function sampleContainer(live: LiveContainer, host: HostCpu): Promise<Sample | undefined> {
  const { state } = live.record.status;
  if (!isActive(state) || live.run === undefined) return undefined;
  const hostNetwork = live.record.settings.hostConfig.NetworkMode === "host";
  const [usage, networks] = await Promise.all([readCgroupUsage(live.run.running.cgroups), hostNetwork ? {} : readInterfaces(state.pid)]);
  // It has ended while we read.
  if (usage.cpu === undefined && usage.memory === undefined) return undefined;
  return { read: formatNanos(nowNanos()), usage, networks, host };
}

/** Zero is left out, as Docker's encoder does it. */
function nonZero(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== 0 && value !== undefined));
}

function cpuStats(cpu: CpuUsage | undefined, host: HostCpu | undefined): object {
  return {
    cpu_usage: {
      total_usage: cpu?.total ?? 0,
      ...nonZero({ percpu_usage: cpu?.each }),
      usage_in_kernelmode: cpu?.kernel ?? 0,
      usage_in_usermode: cpu?.user ?? 0,
    },
    ...nonZero({ system_cpu_usage: host?.nanos, online_cpus: host?.online }),
    throttling_data: {
      periods: cpu?.periods ?? 0,
      throttled_periods: cpu?.throttledPeriods ?? 0,
      throttled_time: cpu?.throttledTime ?? 0,
    },
  };
}

function memoryStats({ memory }: CgroupUsage): object {
  if (memory === undefined) return {};
  const { usage, peak, stat, failures, limit } = memory;
  const machine = totalmem();
  return nonZero({ usage, max_usage: peak, stats: stat, failcnt: failures, limit: Math.min(limit ?? machine, machine) });
}

/** Lists of schedulers that the kernel has no more are empty on v1 and null on v2, as Docker sends them. */
function blockStats({ blockBytes, blockOperations }: CgroupUsage): object {
  const none = blockOperations === undefined ? null : [];
  return {
    io_service_bytes_recursive: blockBytes === undefined || (none === null && blockBytes.length === 0) ? null : blockBytes,
    io_serviced_recursive: blockOperations ?? null,
    io_queue_recursive: none,
    io_service_time_recursive: none,
    io_wait_time_recursive: none,
    io_merged_recursive: none,
    io_time_recursive: none,
    sectors_recursive: none,
  };
}

/** @param before the sample that the client had before; what it used since is the difference */
export function statsOf(live: LiveContainer, sample: Sample | undefined, before: Sample | undefined): ContainerStatsResponse {
  const usage = sample?.usage ?? {};
  const answer = {
    read: sample?.read ?? zeroTime,
    preread: before?.read ?? zeroTime,
    pids_stats: nonZero({ current: usage.pids?.current, limit: usage.pids?.limit }),
    blkio_stats: blockStats(usage),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuStats(usage.cpu, sample?.host),
    precpu_stats: cpuStats(before?.usage.cpu, before?.host),
    memory_stats: memoryStats(usage),
    name: `/${live.record.name}`,
    id: live.id,
    ...(Object.keys(sample?.networks ?? {}).length > 0 ? { networks: sample?.networks } : {}),
  };
  // Docker's SDK has times as dates; on the wire they are text.
  return answer as unknown as ContainerStatsResponse;
}
