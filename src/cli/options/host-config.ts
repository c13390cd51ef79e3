import { readFileSync } from "node:fs";
import { messageOf } from "../../base/errors.ts";
import type { HostConfig, PortBinding } from "../../spec/spec.ts";
import { checkDevice } from "../flags/check-device.ts";
import type { FlagValues } from "../flags/flag.ts";
import { pairsToMap } from "./files.ts";
import { parseGpus } from "./gpus.ts";
import { parseMount } from "./mounts.ts";

interface Given {
  readonly binds: string[];
  readonly bindings: Record<string, PortBinding[]>;
  readonly networkMode: string;
}

type DeviceMapping = NonNullable<HostConfig["Devices"]>[number];

function device(text: string): DeviceMapping {
  checkDevice(text);
  const parts = text.split(":");
  const [source = "", second, third] = parts;
  const isMode = (value: string): boolean => /^[rwm]{1,3}$/.test(value);
  if (second === undefined) return { PathOnHost: source, PathInContainer: source, CgroupPermissions: "rwm" };
  if (third !== undefined) return { PathOnHost: source, PathInContainer: second, CgroupPermissions: third };
  if (isMode(second)) return { PathOnHost: source, PathInContainer: source, CgroupPermissions: second };
  return { PathOnHost: source, PathInContainer: second, CgroupPermissions: "rwm" };
}

const isCdi = (text: string): boolean => !text.startsWith("/") && text.includes("=");

function throttles(values: readonly string[]): { Path: string; Rate: number }[] {
  return values.map((value) => {
    const [Path = "", rate] = value.split(":");
    return { Path, Rate: Number(rate) };
  });
}

function ulimits(values: readonly string[]): NonNullable<HostConfig["Ulimits"]> {
  // The last word on a name wins.
  const byName = new Map(
    values.map((value) => {
      const [, Name = "", soft, hard] = /^([^=]*)=([^:]*)(?::(.*))?$/.exec(value) ?? [];
      return [Name, { Name, Soft: Number(soft), Hard: Number(hard ?? soft) }] as const;
    }),
  );
  return [...byName.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
}

/** `no`, `always`, `unless-stopped`, `on-failure[:COUNT]`. */
export function restartPolicy(text: string): NonNullable<HostConfig["RestartPolicy"]> {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const count = colon < 0 ? undefined : text.slice(colon + 1);
  if (text !== "" && name === "") throw new Error("invalid restart policy format: no policy provided before colon");
  if (count !== undefined && !/^[+-]?\d+$/.test(count))
    throw new Error("invalid restart policy format: maximum retry count must be an integer");
  return { Name: name as "no", MaximumRetryCount: Number(count ?? 0) };
}

function tmpfs(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((value) => {
      const colon = value.indexOf(":");
      return colon < 0 ? [value, ""] : [value.slice(0, colon), value.slice(colon + 1)];
    }),
  );
}

/** A seccomp profile is read here, as the daemon may not see the caller's files. */
function securityOptions(values: readonly string[]): { options: string[]; maskedPaths?: string[]; readonlyPaths?: string[] } {
  const options: string[] = [];
  let unconfined = false;
  for (const value of values) {
    if (value === "systempaths=unconfined") {
      unconfined = true;
      continue;
    }
    const match = /^([^=:]+)[=:](.*)$/.exec(value);
    if (match === null && value !== "no-new-privileges") throw new Error(`Invalid --security-opt: ${JSON.stringify(value)}`);
    const [, key, file = ""] = match ?? [];
    if (key !== "seccomp" || file === "unconfined" || file === "builtin") {
      options.push(value);
      continue;
    }
    try {
      options.push(`seccomp=${JSON.stringify(JSON.parse(readFileSync(file, "utf8")))}`);
    } catch (error) {
      throw new Error(
        `opening seccomp profile (${file}) failed: ${messageOf(error).replace(/^ENOENT: no such file or directory, open '(.*)'$/, "open $1: no such file or directory")}`,
      );
    }
  }
  return unconfined ? { options, maskedPaths: [], readonlyPaths: [] } : { options };
}

function storageOptions(values: readonly string[]): Record<string, string> {
  const map: Record<string, string> = {};
  for (const value of values) {
    if (!value.includes("=")) throw new Error("invalid storage option");
    Object.assign(map, pairsToMap([value]));
  }
  return map;
}

function logConfig(flags: FlagValues): HostConfig["LogConfig"] {
  const options = flags.list("log-opt");
  const driver = flags.string("log-driver");
  if (driver === "none" && options.length > 0) throw new Error(`invalid logging opts for driver ${driver}`);
  return { Type: driver as "json-file", Config: pairsToMap(options) };
}

/** The limits that a running container can be given anew. */
export function limits(flags: FlagValues): HostConfig {
  return {
    BlkioWeight: flags.number("blkio-weight"),
    CpuPeriod: flags.number("cpu-period"),
    CpuQuota: flags.number("cpu-quota"),
    CpuRealtimePeriod: flags.number("cpu-rt-period"),
    CpuRealtimeRuntime: flags.number("cpu-rt-runtime"),
    CpuShares: flags.number("cpu-shares"),
    CpusetCpus: flags.string("cpuset-cpus"),
    CpusetMems: flags.string("cpuset-mems"),
    Memory: flags.number("memory"),
    MemoryReservation: flags.number("memory-reservation"),
    MemorySwap: flags.number("memory-swap"),
    NanoCpus: Math.round(Number(flags.string("cpus") || "0") * 1e9),
    PidsLimit: flags.number("pids-limit"),
  };
}

function resources(flags: FlagValues): HostConfig {
  const devices = flags.list("device");
  const cdi = devices.filter(isCdi);
  const requests = [...parseGpus(flags.list("gpus")), ...(cdi.length === 0 ? [] : [{ Driver: "cdi", DeviceIDs: cdi }])];
  return {
    ...limits(flags),
    CgroupParent: flags.string("cgroup-parent"),
    MemorySwappiness: flags.number("memory-swappiness"),
    OomKillDisable: flags.bool("oom-kill-disable"),
    CpuCount: flags.number("cpu-count"),
    CpuPercent: flags.number("cpu-percent"),
    BlkioWeightDevice: throttles(flags.list("blkio-weight-device")).map(({ Path, Rate }) => ({ Path, Weight: Rate })),
    BlkioDeviceReadBps: throttles(flags.list("device-read-bps")),
    BlkioDeviceWriteBps: throttles(flags.list("device-write-bps")),
    BlkioDeviceReadIOps: throttles(flags.list("device-read-iops")),
    BlkioDeviceWriteIOps: throttles(flags.list("device-write-iops")),
    IOMaximumBandwidth: flags.number("io-maxbandwidth"),
    IOMaximumIOps: flags.number("io-maxiops"),
    Ulimits: ulimits(flags.list("ulimit")),
    Devices: devices.filter((text) => !isCdi(text)).map(device),
    ...filled("DeviceCgroupRules", flags.list("device-cgroup-rule")),
    ...(requests.length === 0 ? {} : { DeviceRequests: requests }),
  };
}

/** Names in capital letters with their prefix, each once, in order. */
function capabilities(values: readonly string[]): string[] {
  const names = values.map((value) => {
    const name = value.trim().toUpperCase();
    return name === "ALL" || name.startsWith("CAP_") ? name : `CAP_${name}`;
  });
  return [...new Set(names)].sort();
}

/** A list that docker leaves out when it is empty; `inspect` then shows null. */
const filled = <Name extends keyof HostConfig>(name: Name, values: readonly string[]): Pick<HostConfig, Name> =>
  (values.length === 0 ? {} : { [name]: [...values] }) as Pick<HostConfig, Name>;

function checkModes(flags: FlagValues): void {
  const pid = flags.string("pid");
  if (!/^(|host|container:.+)$/.test(pid)) throw new Error("--pid: invalid PID mode");
  if (!["", "host"].includes(flags.string("uts"))) throw new Error("--uts: invalid UTS mode");
  if (!["", "host"].includes(flags.string("userns"))) throw new Error("--userns: invalid USER mode");
  if (!["", "host", "private"].includes(flags.string("cgroupns"))) throw new Error("--cgroupns: invalid CGROUP mode");
}

/** @throws Error with Docker's wording */
export function hostConfig(flags: FlagValues, given: Given): HostConfig {
  checkModes(flags);
  const security = securityOptions(flags.list("security-opt"));
  const mounts = flags.list("mount").map(parseMount);
  return {
    ...filled("Binds", given.binds),
    ContainerIDFile: flags.string("cidfile"),
    LogConfig: logConfig(flags) as NonNullable<HostConfig["LogConfig"]>,
    NetworkMode: given.networkMode,
    PortBindings: given.bindings,
    RestartPolicy: restartPolicy(flags.string("restart")),
    AutoRemove: flags.bool("rm"),
    VolumeDriver: flags.string("volume-driver"),
    ...filled("VolumesFrom", flags.list("volumes-from")),
    ...filled("CapAdd", capabilities(flags.list("cap-add"))),
    ...filled("CapDrop", capabilities(flags.list("cap-drop"))),
    CgroupnsMode: flags.string("cgroupns") as "private",
    Dns: [...flags.list("dns")],
    DnsOptions: [...flags.list("dns-option")],
    DnsSearch: [...flags.list("dns-search")],
    ...filled("ExtraHosts", flags.list("add-host")),
    ...filled("GroupAdd", flags.list("group-add")),
    IpcMode: flags.string("ipc"),
    ...filled("Links", flags.list("link")),
    OomScoreAdj: flags.number("oom-score-adj"),
    PidMode: flags.string("pid"),
    Privileged: flags.bool("privileged"),
    PublishAllPorts: flags.bool("publish-all"),
    ReadonlyRootfs: flags.bool("read-only"),
    ...filled("SecurityOpt", security.options),
    StorageOpt: storageOptions(flags.list("storage-opt")),
    Tmpfs: tmpfs(flags.list("tmpfs")),
    UTSMode: flags.string("uts"),
    UsernsMode: flags.string("userns"),
    ShmSize: flags.number("shm-size"),
    Sysctls: pairsToMap(flags.list("sysctl")),
    Runtime: flags.string("runtime"),
    Isolation: flags.string("isolation") as "default",
    Annotations: pairsToMap(flags.list("annotation")),
    ...(flags.changed("init") ? { Init: flags.bool("init") } : {}),
    ...(mounts.length === 0 ? {} : { Mounts: mounts }),
    ...(security.maskedPaths === undefined ? {} : { MaskedPaths: security.maskedPaths }),
    ...(security.readonlyPaths === undefined ? {} : { ReadonlyPaths: security.readonlyPaths }),
    ...resources(flags),
  };
}
