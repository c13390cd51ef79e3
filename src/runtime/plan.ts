/**
 * From an OCI runtime spec to the launch plan: the flat list of operations that the C program executes. A pure
 * function; nothing that is not in the spec or in `PlanSurroundings` has a say.
 */
import { basename, join } from "node:path";
import { planCgroup } from "../kernel/cgroups.ts";
import type { HostFacts } from "../kernel/host-facts.ts";
import type { ClonePlan, HostOp, InitOp, JsonFileLog, LaunchPlan, StdioPlan } from "../kernel/kernel.ts";
import type { NamespaceType, RuntimeSpec, SpecDevice } from "../spec/spec.ts";
import { defaultNodes } from "./devices.ts";
import { type CgroupView, mountOperations } from "./mount-operations.ts";
import { processOperations } from "./process-operations.ts";
import type { NetworkPlan } from "./runtime.ts";
import { normaliseSysctl } from "./sysctls.ts";

export interface PlanSurroundings {
  readonly containerId: string;
  readonly facts: HostFacts;
  readonly socketPath: string;
  readonly exitPath: string;
  readonly statePath: string;
  readonly lower: readonly string[];
  readonly network: NetworkPlan;
  readonly home: string;
  /** Run a PID 1 that reaps. */
  readonly init: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  readonly log?: JsonFileLog;
}

/** CLONE_NEW*. */
const namespaceFlags: Readonly<Record<NamespaceType, number>> = {
  time: 0x80,
  mount: 0x2_0000,
  cgroup: 0x200_0000,
  uts: 0x400_0000,
  ipc: 0x800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
};

/** MS_SLAVE | MS_REC: what the host mounts later may show, nothing goes back. */
const slaveRecursive = 0x8_4000;

/** Kept where they are: no inode numbers that depend on other layers, no renames by reference that a diff could not read. */
export const overlayOptions: readonly string[] = ["index=off", "redirect_dir=off", "metacopy=off"];

function clonePlan(spec: RuntimeSpec, cgroup2: string, cgroup1: readonly string[]): ClonePlan {
  let newNamespaces = 0;
  const join: { path: string; flag: number }[] = [];
  for (const { type, path } of spec.linux.namespaces) {
    if (path === undefined) newNamespaces |= namespaceFlags[type];
    else join.push({ path, flag: namespaceFlags[type] });
  }
  const map = (mappings: typeof spec.linux.uidMappings): string =>
    (mappings ?? []).map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
  const offsets = Object.entries(spec.linux.timeOffsets ?? {}).map(
    ([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`,
  );
  return {
    newNamespaces,
    join,
    uidMap: map(spec.linux.uidMappings),
    gidMap: map(spec.linux.gidMappings),
    timeOffsets: offsets.join(""),
    cgroup2,
    cgroup1,
  };
}

function cgroupView(spec: RuntimeSpec, facts: HostFacts): CgroupView {
  const { version, controllers } = facts.cgroups;
  const byPoint = Map.groupBy(
    [...controllers].filter(([name]) => name !== ""),
    ([, point]) => point,
  );
  const path = spec.linux.cgroupsPath ?? "";
  return {
    version,
    namespaced: spec.linux.namespaces.some(({ type }) => type === "cgroup"),
    hierarchies:
      version === 2
        ? []
        : [...byPoint].map(([point, entries]) => ({
            name: basename(point),
            controllers: entries.map(([name]) => name),
            directory: point + path,
          })),
  };
}

const fileTypes = { c: 0o020000, b: 0o060000, u: 0o020000, p: 0o010000 } as const;

function deviceOperation(node: SpecDevice): InitOp {
  return {
    op: "device",
    target: node.path,
    mode: fileTypes[node.type] | ((node.fileMode ?? 0o666) & 0o7777),
    major: node.major ?? 0,
    minor: node.minor ?? 0,
    uid: node.uid ?? 0,
    gid: node.gid ?? 0,
  };
}

/** What /dev holds besides mounts. Whoever binds a /dev of their own gets that and nothing else. */
function deviceOperations(spec: RuntimeSpec, facts: HostFacts): InitOp[] {
  const dev = spec.mounts.find(({ destination }) => destination === "/dev");
  if (dev?.type !== "tmpfs") return [];
  const own = spec.linux.devices ?? [];
  const taken = new Set(own.map(({ path }) => path));
  const standard = defaultNodes.filter(({ path }) => !taken.has(path)).map((node): SpecDevice => ({ ...node, type: "c", fileMode: 0o666 }));
  const links: readonly (readonly [string, string])[] = [
    ["/dev/fd", "/proc/self/fd"],
    ["/dev/stdin", "/proc/self/fd/0"],
    ["/dev/stdout", "/proc/self/fd/1"],
    ["/dev/stderr", "/proc/self/fd/2"],
    ...(facts.kcore ? [["/dev/core", "/proc/kcore"] as const] : []),
    ["/dev/ptmx", "pts/ptmx"],
  ];
  return [
    ...[...standard, ...own].map(deviceOperation),
    ...links.filter(([target]) => !taken.has(target)).map(([target, linkTo]): InitOp => ({ op: "symlink", target, linkTo })),
  ];
}

function initOperations(spec: RuntimeSpec, surroundings: PlanSurroundings, mounts: readonly InitOp[]): InitOp[] {
  const { facts, home, network } = surroundings;
  const { linux, process } = spec;
  const operations: InitOp[] = [
    { op: "root-propagation", flags: slaveRecursive },
    ...mounts,
    ...deviceOperations(spec, facts),
    { op: "pivot-root" },
  ];
  operations.push({ op: "new-session" });
  if (process.terminal === true) operations.push({ op: "console" });
  operations.push(...network.containerNetwork);
  for (const [key, value] of Object.entries(linux.sysctl ?? {})) operations.push({ op: "sysctl", key: normaliseSysctl(key), value });
  if (spec.hostname !== undefined) operations.push({ op: "hostname", name: spec.hostname });
  if (spec.domainname !== undefined) operations.push({ op: "domainname", name: spec.domainname });
  if (process.oomScoreAdj !== undefined) operations.push({ op: "oom-score-adj", value: process.oomScoreAdj });
  if (process.cwd !== "/") operations.push({ op: "mkdir", target: process.cwd, mode: 0o755 });
  for (const target of linux.readonlyPaths ?? []) operations.push({ op: "readonly-path", target });
  for (const target of linux.maskedPaths ?? []) operations.push({ op: "masked-path", target });
  if (spec.root.readonly === true) operations.push({ op: "root-readonly" });
  const own = processOperations(process, { home, seccomp: linux.seccomp, architecture: facts.architecture });
  const exec = own.pop();
  operations.push(...own, ...(surroundings.init ? [{ op: "init-process" } as const] : []));
  if (exec !== undefined) operations.push(exec);
  return operations;
}

function stdioPlan(spec: RuntimeSpec, { openStdin, stdinOnce, log }: PlanSurroundings): StdioPlan {
  return {
    tty: spec.process.terminal === true,
    openStdin,
    stdinOnce,
    rows: spec.process.consoleSize?.height ?? 0,
    columns: spec.process.consoleSize?.width ?? 0,
    ...(log === undefined ? {} : { log }),
  };
}

export function launchPlan(spec: RuntimeSpec, surroundings: PlanSurroundings): LaunchPlan {
  const { containerId, facts, statePath, lower, network } = surroundings;
  const cgroup = planCgroup(facts.cgroups, spec.linux.cgroupsPath ?? `/${containerId}`, spec.linux.resources ?? {});
  const mounts = mountOperations(spec.mounts, cgroupView(spec, facts));
  const overlay: HostOp = { op: "overlay", lower, upper: join(statePath, "upper"), work: join(statePath, "work"), options: overlayOptions };
  return {
    containerId,
    socketPath: surroundings.socketPath,
    exitPath: surroundings.exitPath,
    stdio: stdioPlan(spec, surroundings),
    prepare: [...cgroup.prepare, ...network.prepare, overlay, ...mounts.prepare],
    clone: clonePlan(spec, cgroup.cgroup2, cgroup.cgroup1),
    hostNetwork: network.hostNetwork,
    init: initOperations(spec, surroundings, mounts.init),
    dns: network.dns,
    networkCleanup: network.cleanup,
    cleanup: cgroup.cleanup,
  };
}
