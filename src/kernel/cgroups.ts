/**
 * Control groups, v1 (also hybrid) and v2 behind one shape: where the hierarchies are, what they can do, and the
 * operations that make, fill and remove a container's groups. Only discovery and parents touch the file system
 * from here; a container's own groups are made by its launch plan.
 *
 * v1 has one directory a hierarchy, entered by writing to each; v2 has one directory, in which a process is born.
 * On v2 a group with members has no controllers for its children, so parents stay empty of processes.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { errnoOf, invalidParameter, systemError } from "../base/base.ts";
import type { LinuxResources } from "../spec/spec.ts";
import { cgroupWrites } from "./cgroup-values.ts";
import { deviceProgram, isUnrestricted } from "./device-program.ts";
import type { HostOp } from "./plan.ts";

export interface CgroupLayout {
  readonly version: 1 | 2;
  /**
   * v1: controller → mount point of its hierarchy, for those that containers use. Controllers mounted together share one.
   * v2: controller → the one mount point.
   */
  readonly controllers: ReadonlyMap<string, string>;
}

/** What `docker info` and the warnings at create tell of. */
export interface CgroupSupport {
  readonly memory: boolean;
  readonly swap: boolean;
  readonly memoryReservation: boolean;
  readonly memorySwappiness: boolean;
  readonly oomKillDisable: boolean;
  readonly cpuShares: boolean;
  readonly cpuQuota: boolean;
  readonly cpuRealtime: boolean;
  readonly cpuset: boolean;
  readonly pids: boolean;
  readonly blkioWeight: boolean;
  readonly blkioThrottle: boolean;
  readonly hugetlb: boolean;
  readonly devices: boolean;
}

const wanted: readonly string[] = ["memory", "cpu", "cpuacct", "cpuset", "devices", "freezer", "blkio", "pids", "hugetlb"];

interface Mounted {
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

function mountedCgroups(mountinfo: string): Mounted[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [head = "", tail] = line.split(" - ");
    const [type = "", , options = ""] = tail?.split(" ") ?? [];
    const point = head.split(" ")[4]?.replaceAll("\\040", " ");
    return (type === "cgroup" || type === "cgroup2") && point !== undefined ? [{ point, type, options: options.split(",") }] : [];
  });
}

/** Reads the layout out of the text of /proc/self/mountinfo. `unifiedControllers`: text of a v2 mount's cgroup.controllers. */
export function parseCgroupLayout(mountinfo: string, unifiedControllers: string): CgroupLayout {
  const mounts = mountedCgroups(mountinfo);
  const controllers = new Map<string, string>();
  for (const { type, point, options } of mounts) {
    if (type !== "cgroup") continue;
    for (const name of wanted) if (options.includes(name) && !controllers.has(name)) controllers.set(name, point);
  }
  if (controllers.size > 0) return { version: 1, controllers };
  const unified = mounts.find(({ type }) => type === "cgroup2");
  if (unified !== undefined) for (const name of unifiedControllers.split(/\s+/).filter(Boolean)) controllers.set(name, unified.point);
  if (unified !== undefined) controllers.set("", unified.point);
  return { version: 2, controllers };
}

export async function readCgroupLayout(): Promise<CgroupLayout> {
  const mountinfo = await readFile("/proc/self/mountinfo", "utf8");
  const unified = mountedCgroups(mountinfo).find(({ type }) => type === "cgroup2");
  const available = unified === undefined ? "" : await readFile(join(unified.point, "cgroup.controllers"), "utf8").catch(() => "");
  return parseCgroupLayout(mountinfo, available);
}

/** v1: each hierarchy's mount point once; v2: the one. */
function hierarchies(layout: CgroupLayout): string[] {
  return [...new Set(layout.controllers.values())];
}

/**
 * `--cgroup-parent` as a clean absolute path below the hierarchies' roots.
 * @throws InvalidParameter when it leads out of them
 */
export function cgroupParentPath(parent: string): string {
  if (parent.includes("\0") || parent.split("/").includes("..")) throw invalidParameter(`invalid cgroup parent: ${JSON.stringify(parent)}`);
  return normalize(`/${parent}`).replace(/(?<=.)\/$/, "");
}

async function firstThatExists(directory: string, names: readonly string[]): Promise<boolean> {
  const there = await readdir(directory).catch((): string[] => []);
  return names.some((name) => there.includes(name));
}

/** Looks what the kernel offers, in the groups below `parent` (which {@link prepareCgroupParent} has made). */
export async function probeCgroups(layout: CgroupLayout, parent: string): Promise<CgroupSupport> {
  const has = async (controller: string, ...files: string[]): Promise<boolean> => {
    const point = layout.controllers.get(controller);
    return point !== undefined && (await firstThatExists(join(point, parent), files));
  };
  const v1 = layout.version === 1;
  const block = v1 ? "blkio" : "io";
  return {
    memory: await has("memory", "memory.limit_in_bytes", "memory.max"),
    swap: await has("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"),
    memoryReservation: await has("memory", "memory.soft_limit_in_bytes", "memory.low"),
    memorySwappiness: await has("memory", "memory.swappiness"),
    oomKillDisable: await has("memory", "memory.oom_control"),
    cpuShares: await has("cpu", "cpu.shares", "cpu.weight"),
    cpuQuota: await has("cpu", "cpu.cfs_quota_us", "cpu.max"),
    cpuRealtime: await has("cpu", "cpu.rt_runtime_us"),
    cpuset: await has("cpuset", "cpuset.cpus"),
    pids: await has("pids", "pids.max"),
    blkioWeight: await has(block, "blkio.weight", "blkio.bfq.weight", "io.weight", "io.bfq.weight"),
    blkioThrottle: await has(block, "blkio.throttle.read_bps_device", "io.max"),
    hugetlb: layout.controllers.has("hugetlb"),
    devices: v1 ? layout.controllers.has("devices") : layout.controllers.size > 0,
  };
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { mode: 0o755 }).catch((error: unknown) => {
    if (errnoOf(error) !== "EEXIST") throw error;
  });
}

/** The groups from below the root down to `parent`: `/a/b` gives `/a`, `/a/b`. */
function chain(parent: string): string[] {
  const parts = parent.split("/").filter(Boolean);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("/")}`);
}

async function enableControllers(directory: string): Promise<void> {
  const available = (await readFile(join(directory, "cgroup.controllers"), "utf8")).split(/\s+/).filter(Boolean);
  // One write for each: a controller that cannot be had (cpu with real-time processes, say) must not cost the others.
  for (const name of available) await writeFile(join(directory, "cgroup.subtree_control"), `+${name}`).catch(() => {});
}

/**
 * A daemon that runs in a container finds itself, and all its neighbours, in the namespace's root group, where they
 * bar the controllers from the children. They move into a group `init` of their own, as Docker's image for that does.
 */
async function clearRoot(root: string): Promise<void> {
  const type = await readFile(join(root, "cgroup.type"), "utf8").catch(() => undefined);
  if (type === undefined) return; // the machine's real root has no such file, and no such rule
  const members = (await readFile(join(root, "cgroup.procs"), "utf8")).split("\n").filter(Boolean);
  if (members.length === 0) return;
  await makeDirectory(join(root, "init"));
  for (const pid of members) await writeFile(join(root, "init/cgroup.procs"), pid).catch(() => {});
}

async function prepareUnified(root: string, parent: string): Promise<void> {
  await clearRoot(root);
  await enableControllers(root);
  for (const group of chain(parent)) {
    await makeDirectory(root + group);
    await enableControllers(root + group);
  }
}

/** A v1 cpuset starts empty and then takes no process: it inherits, and hands down to its children. */
async function inheritCpuset(directory: string): Promise<void> {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    const own = (await readFile(join(directory, file), "utf8")).trim();
    if (own === "") await writeFile(join(directory, file), (await readFile(join(dirname(directory), file), "utf8")).trim());
  }
  await writeFile(join(directory, "cgroup.clone_children"), "1");
}

/** Makes the parent group, in each hierarchy, ready for containers. Idempotent. */
export async function prepareCgroupParent(layout: CgroupLayout, parent: string): Promise<void> {
  for (const root of hierarchies(layout)) {
    if (layout.version === 2) await prepareUnified(root, parent);
    else {
      for (const group of chain(parent)) {
        await makeDirectory(root + group);
        if (layout.controllers.get("cpuset") === root) await inheritCpuset(root + group);
      }
    }
  }
}

/**
 * Real-time schedulers (v1 only): a group gives to its children what it has itself, and from the start that is nothing.
 * Microseconds; what is not given, or 0, stays as it is.
 */
export async function allowRealtime(
  layout: CgroupLayout,
  parent: string,
  { realtimePeriod = 0, realtimeRuntime = 0 }: { readonly realtimePeriod?: number; readonly realtimeRuntime?: number },
): Promise<void> {
  if (realtimePeriod === 0 && realtimeRuntime === 0) return;
  const root = layout.version === 1 ? layout.controllers.get("cpu") : undefined;
  if (root === undefined) throw systemError("Your kernel does not support CPU real-time scheduler");
  for (const group of chain(parent)) {
    if (realtimePeriod !== 0) await writeFile(join(root + group, "cpu.rt_period_us"), String(realtimePeriod));
    if (realtimeRuntime !== 0) await writeFile(join(root + group, "cpu.rt_runtime_us"), String(realtimeRuntime));
  }
}

/** Removes the parent group where nothing is in it any more. */
export async function removeCgroupParent(layout: CgroupLayout, parent: string): Promise<void> {
  for (const root of hierarchies(layout)) {
    for (const group of chain(parent).reverse()) await rmdir(root + group).catch(() => {});
  }
}

export interface CgroupPlan {
  readonly prepare: readonly HostOp[];
  readonly cleanup: readonly HostOp[];
  /** For {@link import("./plan.ts").ClonePlan}. */
  readonly cgroup2: string;
  readonly cgroup1: readonly string[];
}

/** Controller → the container's own directory; on v2 the one directory stands under "". */
export function cgroupDirectories(layout: CgroupLayout, path: string): Record<string, string> {
  if (layout.version === 2) {
    const root = layout.controllers.get("");
    return root === undefined ? {} : { "": root + path };
  }
  return Object.fromEntries([...layout.controllers].map(([controller, root]) => [controller, root + path]));
}

/** The operations that make, limit and remove the groups at `path` (below a prepared parent). */
export function planCgroup(layout: CgroupLayout, path: string, resources: LinuxResources): CgroupPlan {
  const directories = hierarchies(layout).map((root) => root + path);
  const prepare: HostOp[] = directories.map((directory) => ({ op: "mkdir", path: directory, mode: 0o755 }));
  for (const write of cgroupWrites(layout.version, resources)) {
    const root = layout.controllers.get(layout.version === 2 ? "" : write.controller);
    if (root === undefined) continue;
    prepare.push({
      op: "write",
      path: `${root}${path}/${write.file}`,
      data: write.data,
      ...(write.optional === true ? { optional: true } : {}),
    });
  }
  const memory = layout.controllers.get("memory");
  if (memory !== undefined) {
    const file = layout.version === 2 ? "memory.events" : "memory.oom_control";
    prepare.push({ op: "oom-counter", path: `${memory}${path}/${file}`, key: "oom_kill" });
  }
  const unified = layout.version === 2 ? (directories[0] ?? "") : "";
  if (unified !== "" && resources.devices !== undefined && !isUnrestricted(resources.devices))
    prepare.push({ op: "device-program", cgroup: unified, instructions: deviceProgram(resources.devices) });
  return {
    prepare,
    // What the container left running is killed once, through the first group; the others are empty then.
    cleanup: directories.map((directory, index) => ({ op: "rmdir", path: directory, ...(index === 0 ? { killMembers: true } : {}) })),
    cgroup2: unified,
    cgroup1: layout.version === 1 ? directories : [],
  };
}
