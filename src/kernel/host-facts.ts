/** What the runtime needs to know of the host, read once when the daemon starts. */
import { readdir, readFile } from "node:fs/promises";
import { availableParallelism, release } from "node:os";
import { hasAppArmor } from "./apparmor.ts";
import { capabilityNames } from "./capabilities.ts";
import { type CgroupLayout, type CgroupSupport, prepareCgroupParent, probeCgroups, readCgroupLayout } from "./cgroups.ts";
import type { Architecture } from "./seccomp-default.ts";

export interface HostFacts {
  readonly architecture: Architecture;
  /** `uname -r`. */
  readonly release: string;
  readonly cgroups: CgroupLayout;
  readonly support: CgroupSupport;
  /** Capabilities that the daemon has to give away: the kernel's, less what its own bounding set lacks. */
  readonly capabilities: readonly string[];
  readonly cpuCount: number;
  /** Lists such as `0-3,8`, of what the parent cgroup may use. */
  readonly cpus: string;
  readonly memoryNodes: string;
  /** Per-CPU directories that tell of the machine's heat, and through it of the neighbours' work. */
  readonly thermalPaths: readonly string[];
  readonly apparmor: boolean;
  readonly seccomp: boolean;
  /** mount_setattr(2) is there (Linux 5.12): a tree of mounts can be changed at once. */
  readonly recursiveAttributes: boolean;
  /** Namespaced sysctls exist that let unprivileged users ping and bind low ports. */
  readonly pingGroupRange: boolean;
  readonly unprivilegedPortStart: boolean;
  readonly kcore: boolean;
}

const text = async (path: string): Promise<string> => (await readFile(path, "utf8").catch(() => "")).trim();

async function thermalPaths(): Promise<string[]> {
  const base = "/sys/devices/system/cpu";
  const cpus = (await readdir(base).catch((): string[] => [])).filter((name) => /^cpu\d+$/.test(name));
  const found = await Promise.all(
    cpus.map(async (name) => {
      const path = `${base}/${name}/thermal_throttle`;
      return (await readdir(path).catch(() => undefined)) === undefined ? [] : [path];
    }),
  );
  return found.flat().sort();
}

async function ownCapabilities(): Promise<string[]> {
  const match = /^CapBnd:\s*([0-9a-f]+)$/m.exec(await text("/proc/self/status"));
  const bounding = BigInt(`0x${match?.[1] ?? "0"}`);
  return capabilityNames.filter((_, number) => (bounding >> BigInt(number)) & 1n);
}

async function exists(path: string): Promise<boolean> {
  return (await readFile(path).catch(() => undefined)) !== undefined;
}

function hasMountSetattr(): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number.parseFloat);
  return process.env["BERTH_CLASSIC_MOUNT"] === undefined && (major > 5 || (major === 5 && minor >= 12));
}

/** Makes `cgroupParent` on the way: only a group below the root shows all the files that a group can have. */
export async function readHostFacts(cgroupParent: string): Promise<HostFacts> {
  const cgroups = await readCgroupLayout();
  await prepareCgroupParent(cgroups, cgroupParent);
  const cpuset = cgroups.controllers.get("cpuset");
  const list = async (file: string): Promise<string> =>
    cpuset === undefined
      ? ""
      : await text(`${cpuset}${cgroups.version === 1 ? cgroupParent : ""}/${file}${cgroups.version === 2 ? ".effective" : ""}`);
  return {
    architecture: process.arch === "arm64" ? "arm64" : "x64",
    release: release(),
    cgroups,
    support: await probeCgroups(cgroups, cgroupParent),
    capabilities: await ownCapabilities(),
    cpuCount: availableParallelism(),
    cpus: await list("cpuset.cpus"),
    memoryNodes: await list("cpuset.mems"),
    thermalPaths: await thermalPaths(),
    apparmor: await hasAppArmor(),
    recursiveAttributes: hasMountSetattr(),
    seccomp: /^Seccomp:/m.test(await text("/proc/self/status")),
    pingGroupRange: await exists("/proc/sys/net/ipv4/ping_group_range"),
    unprivilegedPortStart: await exists("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
    kcore: (await readdir("/proc")).includes("kcore"),
  };
}
