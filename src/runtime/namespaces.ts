/** `--pid --ipc --uts --userns --cgroupns --net` as OCI namespaces. */
import { invalidParameter } from "../base/base.ts";
import type { HostConfig, LinuxSpec } from "../spec/spec.ts";
import type { RuntimeOptions, StartRequest } from "./runtime.ts";

export type IpcMode = "none" | "private" | "shareable" | "host" | "container";

/** @throws InvalidParameter `invalid IPC mode: x` */
export function ipcMode(hostConfig: HostConfig): IpcMode {
  const mode = hostConfig.IpcMode || "private";
  if (mode === "none" || mode === "private" || mode === "shareable" || mode === "host") return mode;
  if (/^container:./.test(mode)) return "container";
  throw invalidParameter(`invalid IPC mode: ${mode}`);
}

/** The id behind `container:`. */
export function joinedContainer(mode: string | undefined): string | undefined {
  return /^container:(.+)$/.exec(mode ?? "")?.[1];
}

export function cgroupNamespace(hostConfig: HostConfig, options: RuntimeOptions, cgroupVersion: 1 | 2): "private" | "host" {
  const mode = hostConfig.CgroupnsMode || options.cgroupNamespace;
  return mode ?? (cgroupVersion === 2 ? "private" : "host");
}

/** @throws InvalidParameter for a mode that there is not */
export function checkNamespaces(hostConfig: HostConfig): void {
  ipcMode(hostConfig);
  if (!/^(host|container:.+)?$/.test(hostConfig.PidMode ?? "")) throw invalidParameter(`invalid PID mode: ${hostConfig.PidMode}`);
  if (!/^(host)?$/.test(hostConfig.UTSMode ?? "")) throw invalidParameter(`invalid UTS mode: ${hostConfig.UTSMode}`);
  if (!/^(host)?$/.test(hostConfig.UsernsMode ?? "")) throw invalidParameter(`invalid userns mode: ${hostConfig.UsernsMode}`);
  if (!/^(private|host)?$/.test(hostConfig.CgroupnsMode ?? ""))
    throw invalidParameter(`invalid cgroup namespace mode: ${String(hostConfig.CgroupnsMode)}`);
}

type Namespaces = LinuxSpec["namespaces"];

/** In the order in which they are joined: a joined namespace is entered before the new ones are made. */
export function containerNamespaces(request: StartRequest, options: RuntimeOptions, cgroupVersion: 1 | 2): Namespaces {
  const { hostConfig, network } = request;
  const namespaces: Namespaces = [{ type: "mount" }];
  const add = (type: Namespaces[number]["type"], pid?: number): void => {
    const kernelName = type === "network" ? "net" : type;
    namespaces.push(pid === undefined ? { type } : { type, path: `/proc/${pid}/ns/${kernelName}` });
  };
  if (network.namespace === "private") add("network");
  else if (network.namespace === "container") add("network", joined(network.joinPid, "network"));
  if (hostConfig.UTSMode !== "host") add("uts");
  if (joinedContainer(hostConfig.PidMode) !== undefined) add("pid", joined(request.joinPid, "PID"));
  else if (hostConfig.PidMode !== "host") add("pid");
  const ipc = ipcMode(hostConfig);
  if (ipc === "container") add("ipc", joined(request.joinIpc, "IPC"));
  else if (ipc !== "host") add("ipc");
  if (cgroupNamespace(hostConfig, options, cgroupVersion) === "private") add("cgroup");
  return namespaces;
}

function joined(pid: number | undefined, what: string): number {
  if (pid === undefined || pid <= 0) throw invalidParameter(`cannot join ${what} of a non running container`);
  return pid;
}
