/** What the tests of this room share: a host, a request, and the spec and plan that come of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerId } from "../base/base.ts";
import { capabilityNames } from "../kernel/capabilities.ts";
import type { CgroupSupport } from "../kernel/cgroups.ts";
import type { HostFacts } from "../kernel/host-facts.ts";
import type { LaunchPlan } from "../kernel/kernel.ts";
import type { ContainerConfig, HostConfig, RuntimeSpec } from "../spec/spec.ts";
import { containerDevices } from "./devices.ts";
import { launchPlan } from "./plan.ts";
import { containerResources } from "./resources.ts";
import type { RuntimeOptions, StartRequest, UserMount } from "./runtime.ts";
import { containerSpec } from "./spec.ts";
import { resolveUser } from "./users.ts";

const everything: CgroupSupport = {
  memory: true,
  swap: true,
  memoryReservation: true,
  memorySwappiness: true,
  oomKillDisable: true,
  cpuShares: true,
  cpuQuota: true,
  cpuRealtime: false,
  cpuset: true,
  pids: true,
  blkioWeight: true,
  blkioThrottle: true,
  hugetlb: false,
  devices: true,
};

const controllersV1 = ["memory", "cpu", "cpuacct", "cpuset", "devices", "freezer", "blkio", "pids"];

export function hostFacts(version: 1 | 2, support: Partial<CgroupSupport> = {}): HostFacts {
  return {
    architecture: "x64",
    release: "6.12.0",
    cgroups: {
      version,
      controllers: new Map(
        version === 1
          ? controllersV1.map((name) => [name, `/sys/fs/cgroup/${name.startsWith("cpu") && name !== "cpuset" ? "cpu,cpuacct" : name}`])
          : ["cpu", "cpuset", "io", "memory", "pids", ""].map((name) => [name, "/sys/fs/cgroup"]),
      ),
    },
    support: { ...everything, ...support },
    capabilities: capabilityNames,
    cpuCount: 4,
    cpus: "0-3",
    memoryNodes: "0",
    thermalPaths: ["/sys/devices/system/cpu/cpu0/thermal_throttle"],
    apparmor: false,
    seccomp: true,
    recursiveAttributes: true,
    pingGroupRange: true,
    unprivilegedPortStart: true,
    kcore: true,
  };
}

export const containerId = "c0ffee".padEnd(64, "0") as ContainerId;

export const accounts: { readonly passwd: Uint8Array; readonly group: Uint8Array } = {
  passwd: Buffer.from("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"),
  group: Buffer.from("root:x:0:\nwheel:x:10:root\nuser:x:1000:\nextra:x:2000:user\n"),
};

export interface Example {
  readonly config?: ContainerConfig;
  readonly hostConfig?: HostConfig;
  readonly options?: RuntimeOptions;
  readonly facts?: HostFacts;
  readonly request?: Partial<StartRequest>;
}

export function bind(source: string, target: string, more: Partial<Extract<UserMount, { type: "bind" }>> = {}): UserMount {
  return { type: "bind", source, target, writable: true, readonly: "recursive", recursive: true, propagation: "rprivate", ...more };
}

export function startRequest({ config, hostConfig, request }: Example = {}): StartRequest {
  return {
    containerId,
    config: { Cmd: ["true"], ...config },
    hostConfig: hostConfig ?? {},
    statePath: "/var/lib/berth/containers/x",
    lower: ["/layers/a"],
    mounts: [],
    hostname: "c0ffee000000",
    network: { namespace: "private", prepare: [], hostNetwork: [], containerNetwork: [], dns: false, cleanup: [] },
    hosts: "127.0.0.1\tlocalhost\n",
    resolvConf: "nameserver 192.0.2.1\n",
    ...request,
  };
}

export async function specOf(example: Example = {}): Promise<RuntimeSpec> {
  const facts = example.facts ?? hostFacts(2);
  const request = startRequest(example);
  const options = example.options ?? {};
  const devices = await containerDevices(request.hostConfig);
  return containerSpec({
    request,
    options,
    facts,
    execRoot: "/run/berth",
    user: resolveUser(request.config.User ?? "", request.hostConfig.GroupAdd ?? [], accounts),
    devices,
    resources: await containerResources(request.hostConfig, facts.support, devices.rules, options.pidsLimit ?? 0),
  });
}

export async function planOf(example: Example = {}): Promise<LaunchPlan> {
  const request = startRequest(example);
  return launchPlan(await specOf(example), {
    ...request,
    facts: example.facts ?? hostFacts(2),
    socketPath: "/run/berth/monitors/x",
    exitPath: "/var/lib/berth/containers/x/exit.json",
    home: "/root",
    init: request.hostConfig.Init ?? false,
    openStdin: request.config.OpenStdin === true,
    stdinOnce: request.config.StdinOnce === true,
  });
}

test("the examples hold together", async () => {
  assert.equal((await specOf()).process.args[0], "true");
  assert.equal((await planOf()).containerId, containerId);
});
