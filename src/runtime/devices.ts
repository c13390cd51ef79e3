/** Device nodes: the default ones, `--device`, all of the host's for a privileged container, and their cgroup rules. */
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, invalidParameter } from "../base/base.ts";
import type { HostConfig, LinuxResources, SpecDevice } from "../spec/spec.ts";

export type DeviceRule = NonNullable<LinuxResources["devices"]>[number];

export interface ContainerDevices {
  readonly nodes: readonly SpecDevice[];
  readonly rules: readonly DeviceRule[];
}

const character = (major: number, minor: number | undefined, access = "rwm"): DeviceRule => ({
  allow: true,
  type: "c",
  major,
  ...(minor === undefined ? {} : { minor }),
  access,
});

/** Nothing but: making nodes (which cannot be opened then), the harmless devices, and terminals. */
const defaultRules: readonly DeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...[3, 5, 7, 8, 9].map((minor) => character(1, minor)), // null, zero, full, random, urandom
  ...[0, 1, 2].map((minor) => character(5, minor)), // tty, console, ptmx
  character(136, undefined), // pts/*
];

/** Made in every container's /dev, mode 0666. */
export const defaultNodes: readonly { readonly path: string; readonly major: number; readonly minor: number }[] = [
  { path: "/dev/null", major: 1, minor: 3 },
  { path: "/dev/zero", major: 1, minor: 5 },
  { path: "/dev/full", major: 1, minor: 7 },
  { path: "/dev/random", major: 1, minor: 8 },
  { path: "/dev/urandom", major: 1, minor: 9 },
  { path: "/dev/tty", major: 5, minor: 0 },
];

/** Linux's encoding of a device number, as stat(2) gives it. */
function splitDeviceNumber(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

/** The device node at `path` (links followed), as `target` in the container; undefined when it is none. */
async function nodeAt(path: string, target: string): Promise<SpecDevice | undefined> {
  const found = await stat(path, { bigint: true });
  if (!found.isCharacterDevice() && !found.isBlockDevice()) return undefined;
  return {
    path: target,
    type: found.isBlockDevice() ? "b" : "c",
    ...splitDeviceNumber(found.rdev),
    fileMode: Number(found.mode) & 0o7777,
    uid: Number(found.uid),
    gid: Number(found.gid),
  };
}

/** What a privileged container does not take over: its own file systems and terminals are there. */
const skipped = new Set([
  "pts",
  "shm",
  "fd",
  "mqueue",
  ".lxc",
  ".lxd-mounts",
  ".udev",
  "console",
  "stdin",
  "stdout",
  "stderr",
  "core",
  "ptmx",
]);

async function nodesBelow(directory: string, target: string, skip: ReadonlySet<string>): Promise<SpecDevice[]> {
  const nodes: SpecDevice[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (skip.has(entry.name)) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) nodes.push(...(await nodesBelow(path, join(target, entry.name), skip)));
    else if (entry.isCharacterDevice() || entry.isBlockDevice()) {
      const node = await nodeAt(path, join(target, entry.name)).catch(() => undefined); // gone in the meantime
      if (node !== undefined) nodes.push(node);
    }
  }
  return nodes;
}

/** One `--device`: a node, or a directory of them. */
async function requested(path: string, target: string): Promise<SpecDevice[]> {
  try {
    const real = await realpath(path);
    const found = await stat(real);
    const nodes = found.isDirectory()
      ? await nodesBelow(real, target, new Set())
      : [await nodeAt(real, target)].filter((node) => node !== undefined);
    if (nodes.length > 0) return nodes;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw gathering(path, errnoOf(error) === "ENOENT" ? "no such file or directory" : String(errnoOf(error)), error);
  }
  throw gathering(path, "not a device node");
}

function gathering(path: string, why: string, cause?: unknown): Error {
  return invalidParameter(`error gathering device information while adding custom device ${JSON.stringify(path)}: ${why}`, cause);
}

function ruleOf(node: SpecDevice, access: string): DeviceRule {
  return {
    allow: true,
    type: node.type === "b" ? "b" : "c",
    ...(node.major === undefined ? {} : { major: node.major }),
    ...(node.minor === undefined ? {} : { minor: node.minor }),
    access,
  };
}

/** `a`, `b` or `c`, `major:minor` with `*`, and rwm: `--device-cgroup-rule`. @throws InvalidParameter */
function parseDeviceRule(text: string): DeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) throw invalidParameter(`invalid device cgroup rule format: '${text}'`);
  const [, type, major = "*", minor = "*", access = "rwm"] = match;
  return {
    allow: true,
    type: type === "b" ? "b" : type === "c" ? "c" : "a",
    ...(major === "*" ? {} : { major: Number(major) }),
    ...(minor === "*" ? {} : { minor: Number(minor) }),
    access,
  };
}

/** What can be said of devices without looking at them. @throws InvalidParameter */
export function checkDevices(hostConfig: HostConfig): void {
  for (const device of hostConfig.Devices ?? []) {
    if (!/^[rwm]{1,3}$/.test(device.CgroupPermissions || "rwm")) throw invalidParameter(`invalid device mode: ${device.CgroupPermissions}`);
    if (!(device.PathInContainer || device.PathOnHost || "").startsWith("/"))
      throw invalidParameter(`invalid device specification: ${device.PathInContainer ?? ""} is not an absolute path`);
  }
  for (const rule of hostConfig.DeviceCgroupRules ?? []) parseDeviceRule(rule);
}

/** There are no drivers for devices that are asked for by what they can do. @throws InvalidParameter */
function checkDeviceRequests(hostConfig: HostConfig): void {
  const [first] = hostConfig.DeviceRequests ?? [];
  if (first !== undefined) {
    throw invalidParameter(
      `could not select device driver ${JSON.stringify(first.Driver ?? "")} with capabilities: ${JSON.stringify(first.Capabilities ?? [])
        .replaceAll(",", " ")
        .replaceAll('"', "")}`,
    );
  }
}

/** @throws InvalidParameter for a device that is not there */
export async function containerDevices(hostConfig: HostConfig): Promise<ContainerDevices> {
  checkDeviceRequests(hostConfig);
  if (hostConfig.Privileged === true) return { nodes: await nodesBelow("/dev", "/dev", skipped), rules: [{ allow: true, access: "rwm" }] };
  const nodes: SpecDevice[] = [];
  const rules = [...defaultRules];
  for (const device of hostConfig.Devices ?? []) {
    const path = device.PathOnHost ?? "";
    for (const node of await requested(path, device.PathInContainer || path)) {
      nodes.push(node);
      rules.push(ruleOf(node, device.CgroupPermissions || "rwm"));
    }
  }
  rules.push(...(hostConfig.DeviceCgroupRules ?? []).map(parseDeviceRule));
  return { nodes, rules };
}

/** The number of a block device that a limit names. @throws InvalidParameter */
export async function blockDevice(path: string): Promise<{ major: number; minor: number }> {
  const found = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw invalidParameter(`stat ${path}: ${errnoOf(error) === "ENOENT" ? "no such file or directory" : String(errnoOf(error))}`, error);
  });
  return splitDeviceNumber(found.rdev);
}
