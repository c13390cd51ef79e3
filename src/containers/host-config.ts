import { invalidParameter } from "../base/base.ts";
import { defaultMaskedPaths, defaultReadonlyPaths } from "../runtime/default-masks.ts";
import type { HostConfig } from "../spec/spec.ts";

export interface HostDefaults {
  readonly cgroupVersion: 1 | 2;
  /** The default of `Runtime`. */
  readonly runtime: string;
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly shmSizeBytes: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** Fields that dockerd leaves out when they are empty. */
function given(host: HostConfig): Fields {
  const fields: Record<string, unknown> = {};
  for (const key of ["Mounts", "Annotations", "StorageOpt", "Tmpfs", "Sysctls"] as const) {
    const value = host[key];
    if (value !== undefined && value !== null && Object.keys(value).length > 0) fields[key] = value;
  }
  if (typeof host.Init === "boolean") fields["Init"] = host.Init;
  return fields;
}

function resources(host: HostConfig, defaults: HostDefaults): Fields {
  const memory = host.Memory ?? 0;
  const swap = host.MemorySwap ?? 0;
  const pids = host.PidsLimit ?? 0;
  return {
    CpuShares: host.CpuShares ?? 0,
    Memory: memory,
    NanoCpus: host.NanoCpus ?? 0,
    CgroupParent: host.CgroupParent ?? "",
    BlkioWeight: host.BlkioWeight ?? 0,
    BlkioWeightDevice: host.BlkioWeightDevice ?? null,
    BlkioDeviceReadBps: host.BlkioDeviceReadBps ?? null,
    BlkioDeviceWriteBps: host.BlkioDeviceWriteBps ?? null,
    BlkioDeviceReadIOps: host.BlkioDeviceReadIOps ?? null,
    BlkioDeviceWriteIOps: host.BlkioDeviceWriteIOps ?? null,
    CpuPeriod: host.CpuPeriod ?? 0,
    CpuQuota: host.CpuQuota ?? 0,
    CpuRealtimePeriod: host.CpuRealtimePeriod ?? 0,
    CpuRealtimeRuntime: host.CpuRealtimeRuntime ?? 0,
    CpusetCpus: host.CpusetCpus ?? "",
    CpusetMems: host.CpusetMems ?? "",
    Devices: host.Devices ?? null,
    DeviceCgroupRules: host.DeviceCgroupRules ?? null,
    DeviceRequests: host.DeviceRequests ?? null,
    MemoryReservation: host.MemoryReservation ?? 0,
    // Without a limit of its own, swap may be as much again as memory.
    MemorySwap: memory > 0 && swap === 0 ? memory * 2 : swap,
    MemorySwappiness: (host.MemorySwappiness ?? -1) === -1 ? null : host.MemorySwappiness,
    // cgroup v2 has no switch for it.
    OomKillDisable: defaults.cgroupVersion === 2 ? null : (host.OomKillDisable ?? false),
    PidsLimit: pids > 0 ? pids : null,
    Ulimits: host.Ulimits ?? null,
    CpuCount: host.CpuCount ?? 0,
    CpuPercent: host.CpuPercent ?? 0,
    IOMaximumIOps: host.IOMaximumIOps ?? 0,
    IOMaximumBandwidth: host.IOMaximumBandwidth ?? 0,
  };
}

/** `default`, the daemon's default network, is written down by its name, as Docker does since API 1.44. */
function networkModeOf(host: HostConfig): string {
  const mode = host.NetworkMode ?? "";
  return mode === "" || mode === "default" ? "bridge" : mode;
}

/** The daemon's options are for the daemon's driver; those of the cache are for every driver. */
function defaultLogOptions(driver: string, { logDriver, logOptions }: HostDefaults): Readonly<Record<string, string>> {
  if (driver === logDriver) return logOptions;
  return Object.fromEntries(Object.entries(logOptions).filter(([name]) => name.startsWith("cache-")));
}

/** Labels are off where the host's processes can be seen or are equals. */
function securityOptions(host: HostConfig): string[] | null {
  if (host.SecurityOpt !== undefined && host.SecurityOpt !== null) return host.SecurityOpt;
  return host.Privileged === true || host.PidMode === "host" || host.IpcMode === "host" ? ["label=disable"] : null;
}

/**
 * The host configuration with every field filled, in dockerd's order and with its null and empty values.
 * @throws InvalidParameter for restart policies that make no sense
 */
export function completeHostConfig(host: HostConfig, defaults: HostDefaults): HostConfig {
  checkRestartPolicy(host);
  const privileged = host.Privileged ?? false;
  const logType = host.LogConfig?.Type || defaults.logDriver;
  const config = {
    Binds: host.Binds ?? null,
    ContainerIDFile: host.ContainerIDFile ?? "",
    LogConfig: {
      Type: logType,
      Config: { ...defaultLogOptions(logType, defaults), ...(host.LogConfig?.Config ?? {}) },
    },
    NetworkMode: networkModeOf(host),
    PortBindings: host.PortBindings ?? {},
    RestartPolicy: { Name: host.RestartPolicy?.Name || "no", MaximumRetryCount: host.RestartPolicy?.MaximumRetryCount ?? 0 },
    AutoRemove: host.AutoRemove ?? false,
    VolumeDriver: host.VolumeDriver ?? "",
    VolumesFrom: host.VolumesFrom ?? null,
    ConsoleSize: host.ConsoleSize ?? [0, 0],
    CapAdd: host.CapAdd ?? null,
    CapDrop: host.CapDrop ?? null,
    CgroupnsMode: host.CgroupnsMode || (defaults.cgroupVersion === 2 ? "private" : "host"),
    Dns: host.Dns ?? [],
    DnsOptions: host.DnsOptions ?? [],
    DnsSearch: host.DnsSearch ?? [],
    ExtraHosts: host.ExtraHosts ?? null,
    GroupAdd: host.GroupAdd ?? null,
    IpcMode: host.IpcMode || "private",
    Cgroup: host.Cgroup ?? "",
    Links: host.Links ?? null,
    OomScoreAdj: host.OomScoreAdj ?? 0,
    PidMode: host.PidMode ?? "",
    Privileged: privileged,
    PublishAllPorts: host.PublishAllPorts ?? false,
    ReadonlyRootfs: host.ReadonlyRootfs ?? false,
    SecurityOpt: securityOptions(host),
    UTSMode: host.UTSMode ?? "",
    UsernsMode: host.UsernsMode ?? "",
    ShmSize: host.ShmSize || defaults.shmSizeBytes,
    Runtime: host.Runtime || defaults.runtime,
    Isolation: host.Isolation ?? "",
    ...resources(host, defaults),
    ...given(host),
    MaskedPaths: host.MaskedPaths ?? (privileged ? null : defaultMaskedPaths),
    ReadonlyPaths: host.ReadonlyPaths ?? (privileged ? null : defaultReadonlyPaths),
  };
  return config as unknown as HostConfig;
}

/** @throws InvalidParameter for a policy that makes no sense */
export function checkRestartPolicy(host: HostConfig): void {
  const name: string = host.RestartPolicy?.Name ?? "";
  const retries = host.RestartPolicy?.MaximumRetryCount ?? 0;
  if (!["", "no", "always", "on-failure", "unless-stopped"].includes(name)) {
    throw invalidParameter(
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (retries !== 0 && name !== "on-failure") {
    throw invalidParameter("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (retries < 0) throw invalidParameter("invalid restart policy: maximum retry count cannot be negative");
  if (host.AutoRemove === true && name !== "" && name !== "no") {
    throw invalidParameter("can't create 'AutoRemove' container with restart policy");
  }
}
