import { availableParallelism, hostname } from "node:os";
import { formatNanos, nowNanos } from "../base/base.ts";
import { type CgroupSupport, probeCgroups, readCgroupLayout } from "../kernel/cgroups.ts";
import { describeHost, fileSystemOf } from "../kernel/host-description.ts";
import type { KernelFeatures } from "../kernel/kernel.ts";
import { ownProcess } from "../kernel/own-process.ts";
import { logDrivers } from "../logs/driver.ts";
import type { SystemInfo } from "../spec/spec.ts";

/** What the daemon was started with, as far as `docker info` shows it. */
export interface DaemonDescription {
  /** Stays the same over restarts. */
  readonly id: string;
  readonly version: string;
  readonly commit: string;
  readonly builtAt: string;
  readonly dataRoot: string;
  readonly storageDriver: string;
  readonly logDriver: string;
  readonly cgroupParent: string;
  /** What containers get that ask for neither. */
  readonly cgroupNamespace: "private" | "host";
  readonly debug: boolean;
  readonly labels: readonly string[];
  readonly defaultRuntime: string;
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  /** Those that were set for the daemon; else the environment's count. */
  readonly proxies: {
    readonly httpProxy: string | undefined;
    readonly httpsProxy: string | undefined;
    readonly noProxy: string | undefined;
  };
  readonly addressPools: readonly { readonly Base: string; readonly Size: number }[];
  /** Things that the administrator should know of: an unprotected TCP address, say. */
  readonly warnings: readonly string[];
}

export interface Counts {
  readonly running: number;
  readonly paused: number;
  readonly stopped: number;
}

export interface InfoSources {
  /** As it is now: a reload changes it. */
  readonly daemon: () => DaemonDescription;
  readonly features: KernelFeatures;
  readonly counts: () => Counts;
  readonly imageCount: () => number;
  readonly eventReaders: () => number;
}

function securityOptions(features: KernelFeatures, daemon: DaemonDescription): string[] {
  return [
    ...(features.apparmor ? ["name=apparmor"] : []),
    ...(features.seccomp ? ["name=seccomp,profile=builtin"] : []),
    ...(daemon.cgroupNamespace === "private" ? ["name=cgroupns"] : []),
  ];
}

/** dockerd's warnings of what the kernel cannot limit. */
function kernelWarnings(support: CgroupSupport, ipv4Forwarding: boolean): string[] {
  const missing: readonly (readonly [boolean, string])[] = [
    [support.memory, "WARNING: No memory limit support"],
    [support.swap, "WARNING: No swap limit support"],
    [support.cpuShares, "WARNING: No cpu shares support"],
    [support.cpuQuota, "WARNING: No cpu cfs quota support"],
    [support.cpuset, "WARNING: No cpuset support"],
    [support.pids, "WARNING: No pids limit support"],
    [ipv4Forwarding, "WARNING: IPv4 forwarding is disabled"],
  ];
  return missing.flatMap(([there, warning]) => (there ? [] : [warning]));
}

function resourceSupport(support: CgroupSupport, cgroupVersion: 1 | 2): Partial<SystemInfo> {
  return {
    MemoryLimit: support.memory,
    SwapLimit: support.swap,
    CpuCfsPeriod: support.cpuQuota,
    CpuCfsQuota: support.cpuQuota,
    CPUShares: support.cpuShares,
    CPUSet: support.cpuset,
    PidsLimit: support.pids,
    OomKillDisable: support.oomKillDisable,
    CgroupDriver: "cgroupfs",
    CgroupVersion: cgroupVersion === 2 ? "2" : "1",
  };
}

/** Proxy addresses, without the password that may be in them. */
function proxies({ httpProxy, httpsProxy, noProxy }: DaemonDescription["proxies"]): Partial<SystemInfo> {
  const of = (name: string, given: string | undefined): string =>
    (given ?? process.env[name] ?? process.env[name.toLowerCase()] ?? "").replace(/\/\/[^@/]*@/, "//xxxxx:xxxxx@");
  return { HttpProxy: of("HTTP_PROXY", httpProxy), HttpsProxy: of("HTTPS_PROXY", httpsProxy), NoProxy: of("NO_PROXY", noProxy) };
}

function registries(daemon: DaemonDescription): Partial<SystemInfo> {
  const isRange = (text: string): boolean => /\/\d+$/.test(text);
  const mirrors = daemon.registryMirrors.map((mirror) => `${mirror.replace(/\/+$/, "")}/`);
  const index = (Name: string, Secure: boolean, Official: boolean): object => ({
    Name,
    Mirrors: Official ? mirrors : [],
    Secure,
    Official,
  });
  const insecure = daemon.insecureRegistries.filter((name) => !isRange(name));
  return {
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: {
      InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8", ...daemon.insecureRegistries.filter(isRange)],
      IndexConfigs: {
        "docker.io": index("docker.io", true, true),
        ...Object.fromEntries(insecure.map((name) => [name, index(name, false, false)])),
      },
      Mirrors: mirrors,
    },
  };
}

const plugins = {
  Volume: ["local"],
  Network: ["bridge", "host", "ipvlan", "macvlan", "null", "overlay"],
  Authorization: null,
  Log: logDrivers.filter((name) => name !== "none"),
};

const noSwarm = { NodeID: "", NodeAddr: "", LocalNodeState: "inactive", ControlAvailable: false, Error: "", RemoteManagers: null } as const;

/** The answer of `GET /info`. */
export async function systemInfo(sources: InfoSources): Promise<SystemInfo> {
  const { features } = sources;
  const daemon = sources.daemon();
  const [host, own, support, backing] = await Promise.all([
    describeHost(),
    ownProcess(),
    readCgroupLayout().then((layout) => probeCgroups(layout, daemon.cgroupParent)),
    fileSystemOf(daemon.dataRoot),
  ]);
  const counts = sources.counts();
  const warnings = [...daemon.warnings, ...kernelWarnings(support, host.ipv4Forwarding)];
  const info = {
    ID: daemon.id,
    Containers: counts.running + counts.paused + counts.stopped,
    ContainersRunning: counts.running,
    ContainersPaused: counts.paused,
    ContainersStopped: counts.stopped,
    Images: sources.imageCount(),
    Driver: daemon.storageDriver,
    DriverStatus: [
      ["Backing Filesystem", backing],
      ["Supports d_type", "true"],
      ["Layer Index", daemon.storageDriver === "erofs" ? "erofs" : "directories"],
    ],
    Plugins: plugins,
    ...resourceSupport(support, features.cgroupVersion),
    IPv4Forwarding: host.ipv4Forwarding,
    Debug: daemon.debug,
    NFd: own.openFiles,
    // What a goroutine would wait for.
    NGoroutines: process.getActiveResourcesInfo().length,
    SystemTime: formatNanos(nowNanos()),
    LoggingDriver: daemon.logDriver,
    NEventsListener: sources.eventReaders(),
    KernelVersion: host.kernelVersion,
    OperatingSystem: host.operatingSystem,
    OSVersion: host.osVersion,
    OSType: "linux",
    Architecture: process.arch === "arm64" ? "aarch64" : "x86_64",
    ...registries(daemon),
    NCPU: availableParallelism(),
    MemTotal: host.memoryBytes,
    GenericResources: null,
    DockerRootDir: daemon.dataRoot,
    ...proxies(daemon.proxies),
    Name: hostname(),
    Labels: [...daemon.labels],
    ExperimentalBuild: false,
    ServerVersion: daemon.version,
    Runtimes: { [daemon.defaultRuntime]: { path: "berth-monitor" } },
    DefaultRuntime: daemon.defaultRuntime,
    Swarm: noSwarm,
    LiveRestoreEnabled: true,
    Isolation: "",
    InitBinary: "berth-init",
    ContainerdCommit: { ID: "" },
    RuncCommit: { ID: daemon.commit },
    InitCommit: { ID: daemon.commit },
    SecurityOptions: securityOptions(features, daemon),
    ...(daemon.addressPools.length === 0 ? {} : { DefaultAddressPools: daemon.addressPools.map((pool) => ({ ...pool })) }),
    FirewallBackend: { Driver: "nftables" },
    CDISpecDirs: [],
    Warnings: warnings.length === 0 ? null : warnings,
  };
  // Docker sends null where its types say that a list is there.
  return info as unknown as SystemInfo;
}
