/**
 * The runtime: from a container's configuration to an OCI runtime spec (`spec.ts`), from the spec to a launch
 * plan (`plan.ts`), and from the plan to a running process through the kernel port.
 *
 * Life cycle of a run: `start` launches and returns as soon as the monitor exists; the caller attaches
 * whoever waits for output, awaits `launched` and calls `go` (both on the Monitor). From then on the monitor
 * owns the process. After a restart of the daemon `adopt` finds it again.
 */
import type { ContainerId } from "../base/base.ts";
import type { ExecSession, ExitRecord, HostOp, JsonFileLog, LaunchFailure, Monitor, NetlinkOp } from "../kernel/kernel.ts";
import type { ContainerConfig, ExecConfig, HostConfig, MountPoint, RuntimeSpec } from "../spec/spec.ts";

export interface Runtime {
  /**
   * Checks what can be checked of a configuration before anything is made: sizes, capabilities, sysctls,
   * security options, devices, mounts, users. @returns warnings as Docker gives them (`Your kernel does not support …`)
   * @throws InvalidParameter with Docker's wording
   */
  validate(config: ContainerConfig, hostConfig: HostConfig): string[];
  /** The mount points that inspect lists, from `Binds`, `Mounts` and `Tmpfs`. */
  mountPoints(config: ContainerConfig, hostConfig: HostConfig): MountPoint[];
  start(request: StartRequest): Promise<RunningContainer>;
  /** The monitor of a container that an earlier daemon started, or its exit record when it has ended, or neither. */
  adopt(containerId: ContainerId, statePath: string): Promise<{ running?: RunningContainer; exit?: ExitRecord }>;
}

export interface StartRequest {
  readonly containerId: ContainerId;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** `<data-root>/containers/<id>`: holds upper, work, log, hosts, hostname, resolv.conf, exit.json. */
  readonly statePath: string;
  /** Overlay lower directories, topmost first. */
  readonly lower: readonly string[];
  readonly hostname: string;
  readonly network: NetworkPlan;
  /** Contents of the files bound over /etc/hosts, /etc/hostname and /etc/resolv.conf; undefined: leave the image's (host network: the host's). */
  readonly hosts?: string;
  readonly resolvConf?: string;
  /** Pids whose namespaces `--pid container:`, `--ipc container:` join. */
  readonly joinPid?: number;
  readonly joinIpc?: number;
  readonly log?: JsonFileLog;
  readonly consoleSize?: readonly [rows: number, columns: number];
}

/** The network's part of the launch plan, as `networks` gives it. */
export interface NetworkPlan {
  readonly namespace: "private" | "host" | "container";
  /** With `container`: whose namespace. */
  readonly joinPid?: number;
  readonly prepare: readonly HostOp[];
  readonly hostNetwork: readonly NetlinkOp[];
  readonly containerNetwork: readonly NetlinkOp[];
  readonly cleanup: readonly HostOp[];
}

export interface RunningContainer {
  readonly monitor: Monitor;
  /** What was executed; also written to `<statePath>/config.json`. */
  readonly spec: RuntimeSpec;
  /** The container's cgroup directories, v2 or per v1 controller, for stats, update, pause. */
  readonly cgroups: Readonly<Record<string, string>>;
  /** @throws InvalidParameter `unable to find user x: …`; a failed launch becomes Docker's message, see {@link explainFailure} */
  exec(config: ExecConfig, options: { execId: string; rows?: number; columns?: number }): Promise<ExecSession>;
}

/** A launch failure in Docker's words, with the exit code that `docker run` ends with (125, 126 or 127). */
export interface ExplainedFailure {
  readonly message: string;
  readonly exitCode: 125 | 126 | 127;
  readonly status: "InvalidParameter" | "System" | "NotFound" | "Conflict" | "Forbidden";
}

/** Turns the error that `Monitor.launched`, `Monitor.go` or `exec` rejected with into Docker's message. */
export type ExplainFailure = (failure: LaunchFailure) => ExplainedFailure;
