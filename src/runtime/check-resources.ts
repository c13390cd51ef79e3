/** The resource flags' limits and the warnings about what the kernel lacks, in Docker's words. */
import { invalidParameter } from "../base/base.ts";
import type { HostFacts } from "../kernel/host-facts.ts";
import type { HostConfig } from "../spec/spec.ts";

const minMemoryBytes = 6 * 2 ** 20;

/** Sorts words into errors (thrown) and warnings (kept). */
class Findings {
  readonly warnings: string[] = [];
  /** Only some of the limits are given. */
  readonly update: boolean;
  constructor(update: boolean) {
    this.update = update;
  }
  refuse(condition: boolean, message: string): void {
    if (condition) throw invalidParameter(message);
  }
  warn(condition: boolean, message: string): void {
    if (condition) this.warnings.push(message);
  }
}

const notMounted = "or the cgroup is not mounted.";

function checkMemory(host: HostConfig, { support }: HostFacts, found: Findings): void {
  const limit = host.Memory ?? 0;
  const swap = host.MemorySwap ?? 0;
  const reservation = host.MemoryReservation ?? 0;
  const swappiness = host.MemorySwappiness ?? -1;
  found.refuse(limit !== 0 && limit < minMemoryBytes, "Minimum memory limit allowed is 6MB");
  found.warn(limit > 0 && !support.memory, `Your kernel does not support memory limit capabilities ${notMounted} Limitation discarded.`);
  found.warn(
    limit > 0 && swap !== -1 && !support.swap,
    `Your kernel does not support swap limit capabilities ${notMounted} Memory limited without swap.`,
  );
  found.refuse(limit > 0 && swap > 0 && swap < limit, "Minimum memoryswap limit should be larger than memory limit, see usage");
  found.refuse(limit === 0 && swap > 0 && !found.update, "You should always set the Memory limit when using Memoryswap limit, see usage");
  found.warn(
    swappiness !== -1 && !support.memorySwappiness,
    `Your kernel does not support memory swappiness capabilities ${notMounted} Memory swappiness discarded.`,
  );
  found.refuse(swappiness < -1 || swappiness > 100, `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  found.warn(
    reservation > 0 && !support.memoryReservation,
    `Your kernel does not support memory soft limit capabilities ${notMounted} Limitation discarded.`,
  );
  found.refuse(reservation !== 0 && reservation < minMemoryBytes, "Minimum memory reservation allowed is 6MB");
  found.refuse(
    limit > 0 && reservation > 0 && limit < reservation,
    "Minimum memory limit can not be less than memory reservation limit, see usage",
  );
  const oomKillDisable = host.OomKillDisable === true;
  found.warn(oomKillDisable && !support.oomKillDisable, "Your kernel does not support OomKillDisable. OomKillDisable discarded.");
  found.warn(
    oomKillDisable && support.oomKillDisable && limit === 0,
    "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
  );
  found.warn(
    (host.PidsLimit ?? 0) > 0 && !support.pids,
    `Your kernel does not support PIDs limit capabilities ${notMounted} PIDs limit discarded.`,
  );
}

function checkCpu(host: HostConfig, { support, cpuCount }: HostFacts, found: Findings): void {
  const nano = host.NanoCpus ?? 0;
  const period = host.CpuPeriod ?? 0;
  const quota = host.CpuQuota ?? 0;
  const shares = host.CpuShares ?? 0;
  found.refuse(nano > 0 && period > 0, "Conflicting options: Nano CPUs and CPU Period cannot both be set");
  found.refuse(nano > 0 && quota > 0, "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  found.refuse(
    nano > 0 && !support.cpuQuota,
    `NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted`,
  );
  found.refuse(
    nano < 0 || nano > cpuCount * 1e9,
    `Range of CPUs is from 0.01 to ${cpuCount}.00, as there are only ${cpuCount} CPUs available`,
  );
  found.refuse(shares < 0, `invalid CPU shares (${shares}): value must be a positive integer`);
  found.warn(shares > 0 && !support.cpuShares, `Your kernel does not support CPU shares ${notMounted} Shares discarded.`);
  found.warn(
    (period !== 0 || quota !== 0) && !support.cpuQuota,
    "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
  );
  found.refuse(
    period !== 0 && (period < 1000 || period > 1_000_000),
    "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
  );
  found.refuse(quota > 0 && quota < 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
  const realtime = [host.CpuRealtimePeriod ?? 0, host.CpuRealtimeRuntime ?? 0] as const;
  found.refuse((realtime[0] > 0 || realtime[1] > 0) && !support.cpuRealtime, "Your kernel does not support CPU real-time scheduler");
  found.refuse(
    realtime[0] !== 0 && realtime[1] !== 0 && realtime[1] > realtime[0],
    "cpu real-time runtime cannot be higher than cpu real-time period",
  );
  found.warn((host.CpuPercent ?? 0) > 0, "linux does not support CPU percent. Percent discarded.");
}

/** The numbers of a list such as `0-2,7`, or undefined when it is none. Bounded, as the kernel is. */
function parseNumberList(text: string): Set<number> | undefined {
  const numbers = new Set<number>();
  for (const part of text.split(",").filter(Boolean)) {
    const match = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part);
    if (match === null) return undefined;
    const from = Number(match[1]);
    const to = Number(match[2] ?? match[1]);
    if (to < from || to > 8191) return undefined;
    for (let number = from; number <= to; number++) numbers.add(number);
  }
  return numbers;
}

function checkCpuset(host: HostConfig, facts: HostFacts, found: Findings): void {
  const cpus = host.CpusetCpus ?? "";
  const mems = host.CpusetMems ?? "";
  found.warn((cpus !== "" || mems !== "") && !facts.support.cpuset, `Your kernel does not support cpuset ${notMounted} Cpuset discarded.`);
  const checkOne = (wanted: string, available: string, what: string, long: string): void => {
    const numbers = parseNumberList(wanted);
    if (numbers === undefined) throw invalidParameter(`Invalid value ${wanted} for cpuset ${what}: invalid format: ${wanted}`);
    const there = parseNumberList(available);
    if (!facts.support.cpuset || there === undefined || there.size === 0) return;
    const missing = [...numbers].some((number) => !there.has(number));
    found.refuse(missing, `Requested ${long} are not available - requested ${wanted}, available: ${available}`);
  };
  if (cpus !== "") checkOne(cpus, facts.cpus, "cpus", "CPUs");
  if (mems !== "") checkOne(mems, facts.memoryNodes, "mems", "memory nodes");
}

function checkBlock(host: HostConfig, { support }: HostFacts, found: Findings): void {
  const weight = host.BlkioWeight ?? 0;
  found.warn(weight > 0 && !support.blkioWeight, `Your kernel does not support Block I/O weight ${notMounted} Weight discarded.`);
  found.refuse(support.blkioWeight && weight !== 0 && (weight < 10 || weight > 1000), "Range of blkio weight is from 10 to 1000");
  found.refuse(
    (host.IOMaximumBandwidth ?? 0) !== 0 || (host.IOMaximumIOps ?? 0) !== 0,
    "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps",
  );
  found.warn(
    (host.BlkioWeightDevice?.length ?? 0) > 0 && !support.blkioWeight,
    `Your kernel does not support Block I/O weight_device ${notMounted} Weight-device discarded.`,
  );
  const throttled = (limits: readonly unknown[] | undefined, kernel: string, discarded: string): void =>
    found.warn(
      (limits?.length ?? 0) > 0 && !support.blkioThrottle,
      `Your kernel does not support ${kernel} ${notMounted} ${discarded} discarded.`,
    );
  throttled(host.BlkioDeviceReadBps, "BPS Block I/O read limit", "Block I/O BPS read limit");
  throttled(host.BlkioDeviceWriteBps, "BPS Block I/O write limit", "Block I/O BPS write limit");
  throttled(host.BlkioDeviceReadIOps, "IOPS Block I/O read limit", "Block I/O IOPS read limit");
  throttled(host.BlkioDeviceWriteIOps, "IOPS Block I/O write limit", "Block I/O IOPS write limit");
}

/**
 * @param update what is not given stays as it is
 * @returns warnings
 * @throws InvalidParameter
 */
export function checkResources(host: HostConfig, facts: HostFacts, update = false): string[] {
  const found = new Findings(update);
  checkMemory(host, facts, found);
  checkCpu(host, facts, found);
  checkCpuset(host, facts, found);
  checkBlock(host, facts, found);
  found.refuse((host.ShmSize ?? 0) < 0, "SHM size can not be less than 0");
  const adjustment = host.OomScoreAdj ?? 0;
  found.refuse(adjustment < -1000 || adjustment > 1000, `Invalid value ${adjustment}, range for oom score adj is [-1000, 1000]`);
  return found.warnings;
}
