/** Exec sessions: a further process in a running container, with its namespaces, cgroups, limits and filter. */
import type { HostFacts } from "../kernel/host-facts.ts";
import type { ExecPlan } from "../kernel/kernel.ts";
import type { ExecConfig, Process, RuntimeSpec } from "../spec/spec.ts";
import { mergeEnvironment } from "./environment.ts";
import { processOperations } from "./process-operations.ts";
import { workingDirectory } from "./spec.ts";
import type { ResolvedUser } from "./users.ts";

export interface ExecSurroundings {
  readonly spec: RuntimeSpec;
  readonly facts: HostFacts;
  readonly user: ResolvedUser;
  readonly execId: string;
  readonly rows: number;
  readonly columns: number;
}

/** TERM has its place behind PATH and HOSTNAME, as at a container's start. */
function withTerminal(env: readonly string[]): readonly string[] {
  if (env.some((entry) => entry.startsWith("TERM="))) return env;
  const own = env.findIndex((entry) => !entry.startsWith("PATH=") && !entry.startsWith("HOSTNAME="));
  return own === -1 ? [...env, "TERM=xterm"] : env.toSpliced(own, 0, "TERM=xterm");
}

function execProcess(config: ExecConfig, { spec, facts, user }: ExecSurroundings): Process {
  const { capabilities, ...container } = spec.process;
  const tty = config.Tty === true;
  const privileged = [...facts.capabilities];
  const granted =
    config.Privileged === true
      ? { bounding: privileged, effective: privileged, permitted: privileged, inheritable: [], ambient: [] }
      : capabilities;
  const base = container.env.filter((entry) => !entry.startsWith("TERM=") || container.terminal !== true || tty);
  return {
    ...container,
    terminal: tty,
    args: [...(config.Cmd ?? [])],
    env: mergeEnvironment(tty ? withTerminal(base) : base, config.Env ?? []),
    cwd: config.WorkingDir ? workingDirectory(config.WorkingDir) : container.cwd,
    user: { uid: user.uid, gid: user.gid, additionalGids: [...user.groups] },
    ...(granted === undefined ? {} : { capabilities: granted }),
    ...(config.Privileged === true && container.apparmorProfile !== undefined ? { apparmorProfile: "unconfined" } : {}),
  };
}

export function execPlan(config: ExecConfig, surroundings: ExecSurroundings): ExecPlan {
  const { spec, facts, user, execId, rows, columns } = surroundings;
  const process = processOperations(execProcess(config, surroundings), {
    home: user.home,
    seccomp: spec.linux.seccomp,
    architecture: facts.architecture,
  });
  return {
    execId,
    tty: config.Tty === true,
    openStdin: config.AttachStdin === true,
    attachStdout: config.AttachStdout === true,
    attachStderr: config.AttachStderr === true,
    rows,
    columns,
    process: [{ op: "new-session" }, ...process],
  };
}
