/** `--sysctl`: only those that a namespace of the container's own holds. */
import { invalidParameter } from "../base/base.ts";

/** kernel.* keys of the IPC namespace: ipc_namespaces(7). */
const ipcKeys = new Set(
  "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced".split(" "),
);

export interface OwnNamespaces {
  readonly ipc: boolean;
  readonly network: boolean;
  readonly uts: boolean;
}

/** `net/ipv4/x` as `net.ipv4.x`. In the form with slashes, dots are part of names (interfaces with VLANs). */
export function normaliseSysctl(key: string): string {
  const slash = key.indexOf("/");
  const dot = key.indexOf(".");
  if (slash < 0 || (dot >= 0 && dot < slash)) return key;
  return key.replace(/[./]/g, (letter) => (letter === "/" ? "." : "/"));
}

/** @throws InvalidParameter for a key that the host's other processes would feel */
export function checkSysctl(key: string, own: OwnNamespaces): void {
  const name = normaliseSysctl(key);
  if (!/^[a-zA-Z0-9_.*:/-]+$/.test(name) || name.split(/[./]/).includes("") || name.includes(".."))
    throw invalidParameter(`sysctl ${JSON.stringify(key)} is not a valid key`);
  const refuse = (namespace: string): never => {
    throw invalidParameter(`sysctl ${JSON.stringify(key)} is not in a separate ${namespace} namespace`);
  };
  if (ipcKeys.has(name) || name.startsWith("fs.mqueue.")) {
    if (!own.ipc) refuse("ipc");
    return;
  }
  if (name.startsWith("net.")) {
    if (!own.network) throw invalidParameter(`sysctl ${JSON.stringify(key)} not allowed in host network namespace`);
    return;
  }
  if (name === "kernel.domainname") {
    if (!own.uts) refuse("uts");
    return;
  }
  if (name === "kernel.hostname")
    throw invalidParameter(`sysctl ${JSON.stringify(key)} is not allowed as it conflicts with the OCI "hostname" field`);
  refuse("kernel");
}
