/** The mounts of a container, in OCI's words: the kernel's file systems, Docker's three files, and what the user asks for. */
import { join } from "node:path";
import { invalidParameter } from "../base/base.ts";
import type { HostFacts } from "../kernel/host-facts.ts";
import type { HostConfig, SpecMount } from "../spec/spec.ts";
import { extension } from "./mount-operations.ts";
import { ipcMode, joinedContainer } from "./namespaces.ts";
import type { RuntimeOptions, StartRequest, UserMount } from "./runtime.ts";
import type { SecurityOptions } from "./security-options.ts";
import { sharedShmPath, shmBytes } from "./shared-memory.ts";

const mount = (type: string, destination: string, ...options: string[]): SpecMount => ({ destination, type, source: type, options });

function shmMounts(request: StartRequest, options: RuntimeOptions, execRoot: string): SpecMount[] {
  const { hostConfig } = request;
  const bind = (source: string, ...more: string[]): SpecMount => ({
    destination: "/dev/shm",
    type: "bind",
    source,
    options: ["rbind", "rprivate", "nosuid", "noexec", "nodev", ...more],
  });
  const shared = (id: string): SpecMount => bind(sharedShmPath(execRoot, id), extension.engineOnly);
  switch (ipcMode(hostConfig)) {
    case "none":
      return [];
    case "host":
      return [bind("/dev/shm")];
    case "container":
      return [shared(joinedContainer(hostConfig.IpcMode) ?? "")];
    case "shareable":
      return [shared(request.containerId)];
    case "private": {
      const size = `size=${shmBytes(hostConfig, options)}`;
      return [{ ...mount("tmpfs", "/dev/shm", "nosuid", "noexec", "nodev", "mode=1777", size), source: "shm" }];
    }
  }
}

function kernelMounts(hostConfig: HostConfig, security: SecurityOptions): SpecMount[] {
  const privileged = hostConfig.Privileged === true;
  return [
    mount("proc", "/proc", "nosuid", "noexec", "nodev"),
    mount("tmpfs", "/dev", "nosuid", "strictatime", "mode=755", "size=65536k"),
    mount("devpts", "/dev/pts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    mount("sysfs", "/sys", "nosuid", "noexec", "nodev", ...(privileged ? [] : ["ro"])),
    mount("cgroup", "/sys/fs/cgroup", ...(privileged || security.writableCgroups ? [] : ["ro"]), "nosuid", "noexec", "nodev"),
    mount("mqueue", "/dev/mqueue", "nosuid", "noexec", "nodev"),
  ];
}

/** The files that are written into the state path and bound over the image's. */
export function boundFiles(request: StartRequest): { readonly name: string; readonly target: string; readonly content: string }[] {
  const files = [];
  if (request.resolvConf !== undefined) files.push({ name: "resolv.conf", target: "/etc/resolv.conf", content: request.resolvConf });
  if (request.hostname !== "") files.push({ name: "hostname", target: "/etc/hostname", content: `${request.hostname}\n` });
  if (request.hosts !== undefined) files.push({ name: "hosts", target: "/etc/hosts", content: request.hosts });
  return files;
}

/** @throws InvalidParameter when the kernel cannot do what is forced */
function readonlyWord(one: UserMount & { type: "bind" }, facts: Pick<HostFacts, "recursiveAttributes">): string {
  if (one.readonly === "force" && !facts.recursiveAttributes)
    throw invalidParameter("requested recursive read-only mount, but the kernel does not support it: Linux 5.12 or later is needed");
  return one.readonly !== "single" && one.recursive && facts.recursiveAttributes ? "rro" : "ro";
}

export function userMount(one: UserMount, facts: Pick<HostFacts, "recursiveAttributes">): SpecMount {
  const subpath = "subpath" in one && one.subpath ? [`${extension.subpath}${one.subpath}`] : [];
  switch (one.type) {
    case "tmpfs":
      return { destination: one.target, type: "tmpfs", source: "tmpfs", options: [...one.options] };
    case "bind":
      return {
        destination: one.target,
        type: "bind",
        source: one.source,
        options: [
          one.recursive ? "rbind" : "bind",
          ...(one.writable ? [] : [readonlyWord(one, facts)]),
          one.propagation,
          ...subpath,
          ...(one.engineOnly === true ? [extension.engineOnly] : []),
        ],
      };
    case "image":
      return {
        destination: one.target,
        type: "overlay",
        source: "overlay",
        options: ["ro", ...one.lower.map((path) => `lowerdir+=${path}`), ...subpath],
      };
  }
}

const depth = (path: string): number => path.split("/").filter(Boolean).length;

/** Parents before what lies in them. */
export function inOrder(mounts: readonly SpecMount[]): SpecMount[] {
  return mounts.toSorted((a, b) => depth(a.destination) - depth(b.destination));
}

/** Parents before what lies in them; what the user mounts takes the place of a default at the same target. */
export function containerMounts(
  request: StartRequest,
  options: RuntimeOptions,
  security: SecurityOptions,
  surroundings: { readonly execRoot: string; readonly facts: Pick<HostFacts, "recursiveAttributes"> },
): SpecMount[] {
  const { execRoot, facts } = surroundings;
  const own = request.mounts.map((one) => userMount(one, facts));
  const files = boundFiles(request).map(
    ({ name, target }): SpecMount => ({
      destination: target,
      type: "bind",
      source: join(request.statePath, name),
      options: ["rbind", "rprivate"],
    }),
  );
  const taken = new Set(own.map(({ destination }) => destination));
  const defaults = [...kernelMounts(request.hostConfig, security), ...shmMounts(request, options, execRoot)];
  const free = (one: SpecMount): boolean => !taken.has(one.destination);
  // A mount of the user's over /dev or /sys hides what would lie below.
  const hidden = (one: SpecMount): boolean => [...taken].some((target) => target === "/dev" && one.destination.startsWith("/dev/"));
  return [...defaults.filter((one) => free(one) && !hidden(one)), ...inOrder([...files.filter(free), ...own])];
}
