/** `update` of a container that runs: its cgroups, and the specification that says what they are. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoText, systemError } from "../base/base.ts";
import { cgroupChanges, LimitRefused, writeLimits } from "../kernel/cgroup-update.ts";
import type { Cgroups } from "../kernel/freezer.ts";
import type { HostFacts } from "../kernel/host-facts.ts";
import type { HostConfig, LinuxResources } from "../spec/spec.ts";
import { containerResources } from "./resources.ts";

export interface LimitedContainer {
  readonly facts: HostFacts;
  readonly cgroups: Cgroups;
  /** As they are. */
  readonly resources: LinuxResources;
}

/**
 * Gives a container's groups the limits of `hostConfig`, all or none.
 * @returns the resources that hold now; undefined when nothing had to change
 * @throws System with the kernel's reason
 */
export async function limitContainer(container: LimitedContainer, hostConfig: HostConfig): Promise<LinuxResources | undefined> {
  const { facts, cgroups, resources } = container;
  // Without a limit of its own it keeps the number of processes that it was started with.
  const wanted = await containerResources(hostConfig, facts.support, resources.devices ?? [], resources.pids?.limit ?? 0);
  const changes = cgroupChanges(facts.cgroups.version, resources, wanted);
  if (changes.length === 0) return undefined;
  try {
    await writeLimits(cgroups, changes);
  } catch (error) {
    throw error instanceof LimitRefused ? systemError(await explain(error), error) : error;
  }
  return wanted;
}

async function explain(refused: LimitRefused): Promise<string> {
  const { path, data } = refused;
  const errno = refused.cause instanceof Error && "errno" in refused.cause ? Math.abs(Number(refused.cause.errno)) : 0;
  if (path.endsWith("/memory.limit_in_bytes") && errnoText(errno) === "device or resource busy") {
    const read = async (file: string): Promise<string> => (await readFile(join(dirname(path), file), "utf8")).trim();
    const [usage, peak] = await Promise.all([read("memory.usage_in_bytes"), read("memory.max_usage_in_bytes")]);
    return `unable to set memory limit to ${data} (current usage: ${usage}, peak usage: ${peak})`;
  }
  return `failed to write ${JSON.stringify(data)}: write ${path}: ${errnoText(errno)}`;
}
