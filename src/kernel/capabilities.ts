/**
 * Linux capabilities: names, bit numbers, Docker's defaults and the algebra of `--cap-add` and `--cap-drop`.
 * Source: capabilities(7) and include/uapi/linux/capability.h. A set is a bigint: bit n is capability n.
 */
import { invalidParameter } from "../base/base.ts";

/** In bit order; the index is the capability's number. */
export const capabilityNames: readonly string[] = [
  ..."CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE".split(" "),
  ..."NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT".split(" "),
  ..."SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL".split(" "),
  ..."SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE".split(" "),
].map((name) => `CAP_${name}`);

/** What a container has unless it is told otherwise: 0xa80425fb. */
export const defaultCapabilities: readonly string[] = [
  ..."CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE".split(" "),
].map((name) => `CAP_${name}`);

/** The set's bits. Names that this table does not know have none. */
export function capabilityBits(names: Iterable<string>): bigint {
  let bits = 0n;
  for (const name of names) {
    const number = capabilityNames.indexOf(name);
    if (number >= 0) bits |= 1n << BigInt(number);
  }
  return bits;
}

/**
 * `net_admin`, `NET_ADMIN` or `CAP_NET_ADMIN` as `CAP_NET_ADMIN`; `ALL` stays.
 * @throws InvalidParameter for a name that is no capability
 */
export function normaliseCapability(text: string, field: "CapAdd" | "CapDrop" = "CapAdd"): string {
  const upper = text.trim().toUpperCase();
  if (upper === "ALL" || upper === "CAP_ALL") return "ALL";
  const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (!capabilityNames.includes(name)) throw invalidParameter(`invalid ${field}: unknown capability: "${name}"`);
  return name;
}

export interface CapabilityRequest {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly privileged: boolean;
  /** What the kernel has; a privileged container gets all of it. */
  readonly known: readonly string[];
}

/**
 * The capabilities that result, in Docker's order of rules: a privileged container has all; with `--cap-add ALL` all
 * but what is dropped; with `--cap-drop ALL` only what is added; else the defaults, less the dropped, plus the added.
 * @throws InvalidParameter
 */
export function resolveCapabilities(request: CapabilityRequest): string[] {
  const add = request.add.map((name) => normaliseCapability(name, "CapAdd"));
  const drop = request.drop.map((name) => normaliseCapability(name, "CapDrop"));
  for (const name of add) {
    if (name !== "ALL" && !request.known.includes(name))
      throw invalidParameter(
        `invalid CapAdd: capability not supported by your kernel or not available in the current environment: "${name}"`,
      );
  }
  if (request.privileged) return [...request.known];
  if (add.includes("ALL")) return request.known.filter((name) => !drop.includes(name));
  const kept = drop.includes("ALL") ? [] : defaultCapabilities.filter((name) => !drop.includes(name));
  return [...new Set([...kept, ...add])];
}
