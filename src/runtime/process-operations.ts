/**
 * The part of a plan that makes a process what it is, for a container's first process and for exec sessions alike.
 *
 * Order matters. Without no_new_privs the kernel takes a seccomp filter only from who has CAP_SYS_ADMIN, so it is
 * loaded before the capabilities go; with no_new_privs it is loaded last, so that it need not allow what the set-up does.
 */
import { capabilityBits } from "../kernel/capabilities.ts";
import type { ProcessOp } from "../kernel/kernel.ts";
import { compileSeccomp } from "../kernel/seccomp.ts";
import type { Architecture } from "../kernel/seccomp-default.ts";
import type { Process, SeccompProfile } from "../spec/spec.ts";
import { withHome } from "./environment.ts";
import { limitValue, resourceNumber } from "./ulimits.ts";

export interface ProcessSurroundings {
  readonly home: string;
  readonly seccomp: SeccompProfile | undefined;
  readonly architecture: Architecture;
}

const defaultUmask = 0o022;

export function processOperations(process: Process, { home, seccomp, architecture }: ProcessSurroundings): ProcessOp[] {
  const filter: ProcessOp[] = seccomp === undefined ? [] : [{ op: "seccomp", ...compileSeccomp(seccomp, architecture) }];
  const hardened = process.noNewPrivileges === true;
  const operations: ProcessOp[] = [];
  for (const { type, soft, hard } of process.rlimits ?? [])
    operations.push({ op: "rlimit", resource: resourceNumber(type), soft: limitValue(soft), hard: limitValue(hard) });
  if (process.apparmorProfile) operations.push({ op: "apparmor", profile: process.apparmorProfile });
  if (process.selinuxLabel) operations.push({ op: "selinux", label: process.selinuxLabel });
  operations.push({ op: "umask", mask: process.user.umask ?? defaultUmask });
  operations.push({ op: "cwd", path: process.cwd });
  if (hardened) operations.push({ op: "no-new-privileges" });
  else operations.push(...filter);
  operations.push({ op: "groups", gids: process.user.additionalGids ?? [] });
  operations.push({ op: "user", uid: process.user.uid, gid: process.user.gid });
  operations.push(capabilityOperation(process));
  if (hardened) operations.push(...filter);
  operations.push({ op: "exec", argv: process.args, env: withHome(process.env, home) });
  return operations;
}

/** Another user than root has the capabilities only to give them to set-user-ID programs: the bounding set. */
function capabilityOperation({ capabilities, user }: Process): ProcessOp {
  const bits = (names: readonly string[] | undefined): bigint => capabilityBits(names ?? []);
  const isRoot = user.uid === 0;
  const ambient = bits(capabilities?.ambient);
  return {
    op: "capabilities",
    bounding: bits(capabilities?.bounding),
    effective: isRoot ? bits(capabilities?.effective) : ambient,
    permitted: isRoot ? bits(capabilities?.permitted) : ambient,
    inheritable: bits(capabilities?.inheritable),
    ambient,
  };
}
