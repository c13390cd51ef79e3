/** `--ulimit` as POSIX resource limits. */
import { invalidParameter } from "../base/base.ts";
import type { HostConfig, Process } from "../spec/spec.ts";

/** getrlimit(2): the index is the resource's number, on every architecture that Berth runs on. */
const names = "cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice rtprio rttime".split(" ");

const unlimited = 2n ** 64n - 1n;

/** Number of an OCI name such as RLIMIT_NOFILE; -1 for none. */
export function resourceNumber(type: string): number {
  return names.indexOf(type.replace(/^RLIMIT_/, "").toLowerCase());
}

/** OCI has unsigned numbers; JavaScript cannot hold the greatest, which means no limit. */
export function limitValue(value: number): bigint {
  return value < 0 || value >= 2 ** 63 ? unlimited : BigInt(Math.trunc(value));
}

type Limits = NonNullable<Process["rlimits"]>;
type Ulimits = NonNullable<HostConfig["Ulimits"]>;

/**
 * Docker's limits as OCI's, the container's own before the daemon's defaults.
 * @throws InvalidParameter
 */
export function resourceLimits(own: Ulimits, defaults: Ulimits): Limits {
  const limits = new Map<string, Limits[number]>();
  for (const { Name = "", Soft = 0, Hard = 0 } of [...defaults, ...own]) {
    if (!names.includes(Name)) throw invalidParameter(`invalid ulimit type: ${Name}`);
    const soft = Soft < 0 ? 2 ** 64 : Soft;
    const hard = Hard < 0 ? 2 ** 64 : Hard;
    if (soft > hard) throw invalidParameter(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
    const type = `RLIMIT_${Name.toUpperCase()}`;
    limits.set(type, { type, soft, hard });
  }
  return [...limits.values()];
}
