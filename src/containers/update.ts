import { isDeepStrictEqual } from "node:util";
import { conflict, invalidParameter } from "../base/base.ts";
import type { ContainerUpdateRequest, HostConfig } from "../spec/spec.ts";

/** Zero or "" in a request is "as it was". */
const scalars = [
  "BlkioWeight",
  "CpuShares",
  "NanoCpus",
  "CpuPeriod",
  "CpuQuota",
  "CpuRealtimePeriod",
  "CpuRealtimeRuntime",
  "CpusetCpus",
  "CpusetMems",
  "Memory",
  "MemorySwap",
  "MemoryReservation",
] as const;

/** A list replaces what was there; an empty one takes the limits away. */
const lists = ["BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps"] as const;

/** Docker's API takes them in an update, and nothing comes of it. */
const fixed = [
  "CgroupParent",
  "Devices",
  "DeviceCgroupRules",
  "DeviceRequests",
  "MemorySwappiness",
  "OomKillDisable",
  "Ulimits",
  "Init",
] as const;

type Fields = Readonly<Record<string, unknown>>;

/**
 * A container's host configuration after `update`.
 * @throws Conflict in Docker's words for limits that do not go together with those that are there
 */
export function updatedHostConfig(host: HostConfig, request: ContainerUpdateRequest): HostConfig {
  refuseConflicts(host, request);
  const asked: Fields = { ...request };
  const changes: Record<string, unknown> = {};
  for (const key of scalars) if (asked[key]) changes[key] = asked[key];
  for (const key of lists) if (Array.isArray(asked[key])) changes[key] = asked[key];
  // None is a wish too.
  if (request.PidsLimit != null) changes["PidsLimit"] = Math.max(0, request.PidsLimit);
  if (request.PortBindings != null) changes["PortBindings"] = request.PortBindings;
  if (request.PublishAllPorts != null) changes["PublishAllPorts"] = request.PublishAllPorts;
  if (request.RestartPolicy?.Name) {
    changes["RestartPolicy"] = { Name: request.RestartPolicy.Name, MaximumRetryCount: request.RestartPolicy.MaximumRetryCount ?? 0 };
  }
  const updated: HostConfig = { ...host, ...changes };
  const { Memory = 0, MemorySwap = 0 } = updated;
  if (MemorySwap > 0 && Memory === 0) {
    throw invalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (MemorySwap > 0 && MemorySwap < Memory) {
    throw invalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  return updated;
}

/** What of a request is not done, a warning each. */
export function discardedUpdates(host: HostConfig, request: ContainerUpdateRequest): string[] {
  const [asked, own]: [Fields, Fields] = [{ ...request }, { ...host }];
  const isSet = (value: unknown): boolean =>
    value != null && value !== "" && value !== -1 && value !== false && !(Array.isArray(value) && value.length === 0);
  return fixed
    .filter((key) => isSet(asked[key]) && !isDeepStrictEqual(asked[key], own[key]))
    .map((key) => `${key} of a container that exists cannot be changed. ${key} discarded.`);
}

function refuseConflicts(host: HostConfig, request: ContainerUpdateRequest): void {
  const refuse = (condition: boolean, message: string): void => {
    if (condition) throw conflict(message);
  };
  const positive = (value: number | undefined): boolean => (value ?? 0) > 0;
  const nano = positive(host.NanoCpus);
  refuse(
    positive(request.NanoCpus) && positive(host.CpuPeriod),
    "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
  );
  refuse(
    positive(request.NanoCpus) && positive(host.CpuQuota),
    "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
  );
  refuse(positive(request.CpuPeriod) && nano, "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set");
  refuse(positive(request.CpuQuota) && nano, "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set");
  refuse(
    positive(request.Memory) && !request.MemorySwap && (request.Memory ?? 0) > (host.MemorySwap ?? 0),
    "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
  );
  const policy: string = request.RestartPolicy?.Name ?? "";
  refuse(
    host.AutoRemove === true && policy !== "" && policy !== "no",
    "Restart policy cannot be updated because AutoRemove is enabled for the container",
  );
}
