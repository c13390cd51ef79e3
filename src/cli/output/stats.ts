/** Numbers of a container's resources, as the table of `stats` shows them. */
import { shortId } from "../../base/ids.ts";
import { formatSize } from "../../base/units.ts";
import type { ContainerStatsResponse } from "../../spec/spec.ts";
import { formatBinarySize } from "./engine-info.ts";
import type { ListShape } from "./format-list.ts";

export interface ContainerUsage {
  readonly name: string;
  readonly id: string;
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly processes: number;
}

/** A line of the table; without `usage` as long as nothing has been heard, or when asking failed. */
export interface StatsLine {
  /** As it was asked for. */
  readonly container: string;
  readonly usage: ContainerUsage | undefined;
}

/** Part of all processors' time, in percent of one, between the two samples of an answer. */
function cpuPercent({ cpu_stats: now, precpu_stats: before }: ContainerStatsResponse): number {
  const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
  const passed = (now?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  const reported = now?.online_cpus ?? 0;
  const processors = reported > 0 ? reported : (now?.cpu_usage?.percpu_usage ?? []).length;
  return passed > 0 && used > 0 ? (used / passed) * processors * 100 : 0;
}

/** Without the page cache that the kernel can drop at once. */
function memoryBytes({ memory_stats: memory }: ContainerStatsResponse): number {
  const usage = memory?.usage ?? 0;
  for (const key of ["total_inactive_file", "inactive_file"]) {
    const cache = memory?.stats?.[key];
    if (cache !== undefined && cache !== null && cache < usage) return usage - cache;
  }
  return usage;
}

export function containerUsage(stats: ContainerStatsResponse): ContainerUsage {
  const block = (letter: string): number =>
    (stats.blkio_stats?.io_service_bytes_recursive ?? [])
      .filter((entry) => (entry.op ?? "").toLowerCase().startsWith(letter))
      .reduce((total, entry) => total + (entry.value ?? 0), 0);
  const networks = Object.values((stats.networks ?? {}) as Record<string, { rx_bytes?: number; tx_bytes?: number }>);
  return {
    name: stats.name ?? "",
    id: stats.id ?? "",
    cpuPercent: cpuPercent(stats),
    memoryBytes: memoryBytes(stats),
    memoryLimitBytes: stats.memory_stats?.limit ?? 0,
    receivedBytes: networks.reduce((total, network) => total + (network.rx_bytes ?? 0), 0),
    sentBytes: networks.reduce((total, network) => total + (network.tx_bytes ?? 0), 0),
    readBytes: block("r"),
    writtenBytes: block("w"),
    processes: stats.pids_stats?.current ?? 0,
  };
}

const unknown = "--";

export const statsShape: ListShape<StatsLine> = {
  typeName: "container.statsContext",
  table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
  quiet: "{{.ID}}",
  headers: {
    BlockIO: "BLOCK I/O",
    CPUPerc: "CPU %",
    Container: "CONTAINER",
    ID: "CONTAINER ID",
    MemPerc: "MEM %",
    MemUsage: "MEM USAGE / LIMIT",
    Name: "NAME",
    NetIO: "NET I/O",
    PIDs: "PIDS",
  },
  fields: ({ container, usage }, truncate) => {
    const pair = (show: (found: ContainerUsage) => readonly [string, string]) => (): string =>
      usage === undefined ? `${unknown} / ${unknown}` : show(usage).join(" / ");
    const one = (show: (found: ContainerUsage) => string) => (): string => (usage === undefined ? unknown : show(usage));
    return {
      BlockIO: pair(({ readBytes, writtenBytes }) => [formatSize(readBytes), formatSize(writtenBytes)]),
      CPUPerc: one((found) => `${found.cpuPercent.toFixed(2)}%`),
      Container: () => container,
      ID: () => (truncate ? shortId(usage?.id ?? "") : (usage?.id ?? "")),
      MemPerc: one(({ memoryBytes: used, memoryLimitBytes: limit }) => `${(limit === 0 ? 0 : (used / limit) * 100).toFixed(2)}%`),
      MemUsage: pair(({ memoryBytes: used, memoryLimitBytes: limit }) => [formatBinarySize(used), formatBinarySize(limit)]),
      Name: () => (usage === undefined || usage.name.length <= 1 ? unknown : usage.name.slice(1)),
      NetIO: pair(({ receivedBytes, sentBytes }) => [formatSize(receivedBytes), formatSize(sentBytes)]),
      PIDs: one((found) => String(found.processes)),
    };
  },
};
