/** Other limits for groups that exist: what has changed is written, all of it or nothing. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, log } from "../base/base.ts";
import type { LinuxResources } from "../spec/spec.ts";
import { type CgroupWrite, cgroupWrites } from "./cgroup-values.ts";
import type { Cgroups } from "./freezer.ts";

/** A line about one device: `8:0 1048576`, `8:0 rbps=1048576`. */
const deviceLine = /^(\d+:\d+) (?:(\w+)=)?/;

/** What a write is about: of a file with a line a device (and a word), only that line. */
function subjectOf({ controller, file, data }: CgroupWrite): string {
  return `${controller}/${file} ${deviceLine.exec(data)?.slice(1).join(" ") ?? ""}`;
}

/** The write that takes a limit away. Only limits of devices and the number of processes can be. */
function withdrawn(write: CgroupWrite): CgroupWrite | undefined {
  const [, device, word] = deviceLine.exec(write.data) ?? [];
  if (write.file === "pids.max") return { ...write, data: "max" };
  if (device === undefined) return undefined;
  const none = word !== undefined ? `${word}=max` : write.file.includes("weight") ? "default" : "0";
  return { ...write, data: `${device} ${none}` };
}

/** The writes that make limits of `from` those of `to`. Devices' rules are left as they are. */
export function cgroupChanges(version: 1 | 2, from: LinuxResources, to: LinuxResources): CgroupWrite[] {
  const limits = ({ devices: _, ...rest }: LinuxResources): CgroupWrite[] => cgroupWrites(version, rest);
  const [before, after] = [limits(from), limits(to)];
  const kept = new Set(after.map(subjectOf));
  const same = new Set(before.map((write) => subjectOf(write) + write.data));
  return [
    ...before.filter((write) => !kept.has(subjectOf(write))).flatMap((write) => withdrawn(write) ?? []),
    ...after.filter((write) => !same.has(subjectOf(write) + write.data)),
  ];
}

/** A limit that the kernel did not take; `path` and `data` say which. */
export class LimitRefused extends Error {
  readonly path: string;
  readonly data: string;

  constructor(path: string, data: string, cause: unknown) {
    super(`writing ${JSON.stringify(data)} to ${path} failed`, { cause });
    this.path = path;
    this.data = data;
  }
}

/** The data that brings back what `path` reads now. */
async function undoOf(path: string, data: string): Promise<string> {
  const lines = (await readFile(path, "utf8")).trim().split("\n");
  const [, device, word] = deviceLine.exec(data) ?? [];
  if (device === undefined) return lines[0] ?? "";
  const own = lines.find((line) => line.startsWith(`${device} `));
  if (own !== undefined) return own;
  return `${device} ${word !== undefined ? "rbps=max wbps=max riops=max wiops=max" : path.includes("weight") ? "default" : "0"}`;
}

interface Step {
  readonly path: string;
  readonly data: string;
  readonly optional: boolean;
}

function stepsOf(cgroups: Cgroups, writes: readonly CgroupWrite[]): Step[] {
  const unified = cgroups[""];
  return writes.flatMap(({ controller, file, data, optional = false }) => {
    const directory = unified ?? cgroups[controller];
    return directory === undefined ? [] : [{ path: join(directory, file), data, optional }];
  });
}

/**
 * Writes limits into a container's groups. Two limits that bound each other (memory and memory with swap, quota and
 * period) may only be moved in one order, which depends on where they stand: what is refused as invalid is tried
 * again when the others are written.
 * @throws LimitRefused when the kernel does not take one; the groups are as before
 */
export async function writeLimits(cgroups: Cgroups, writes: readonly CgroupWrite[]): Promise<void> {
  const done: Step[] = [];
  const undo = async (): Promise<void> => {
    const left = await passOver(done.splice(0).reverse(), true, async (step) => await writeFile(step.path, step.data));
    await passOver(left, false, async (step) => await writeFile(step.path, step.data));
  };
  const apply = async (step: Step): Promise<void> => {
    const before = await undoOf(step.path, step.data);
    await writeFile(step.path, step.data);
    done.push({ ...step, data: before });
  };
  try {
    await passOver(await passOver(stepsOf(cgroups, writes), true, apply), false, apply);
  } catch (error) {
    await undo().catch((lost: unknown) => log.error("limits could not be taken back", { error: lost }));
    throw error;
  }
}

/** @returns the steps that may yet work, with `patient`; otherwise every failure is final */
async function passOver(steps: readonly Step[], patient: boolean, run: (step: Step) => Promise<void>): Promise<Step[]> {
  const later: Step[] = [];
  for (const step of steps) {
    try {
      await run(step);
    } catch (error) {
      const code = errnoOf(error);
      if (step.optional && (code === "ENOENT" || code === "EACCES")) continue;
      if (!patient || code !== "EINVAL") throw new LimitRefused(step.path, step.data, error);
      later.push(step);
    }
  }
  return later;
}
