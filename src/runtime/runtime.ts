/**
 * The runtime: from a container's configuration to an OCI runtime spec (`spec.ts`), from the spec to a launch
 * plan (`plan.ts`), and from the plan to a running process through the kernel port.
 *
 * Life cycle of a run: `start` launches and returns as soon as the monitor exists; the caller attaches
 * whoever waits for output, awaits `launched` and calls `go` (both on the Monitor). From then on the monitor
 * owns the process. After a restart of the daemon `adopt` finds it again.
 */
import type { ContainerId } from "../base/base.ts";
import type {
  ExecSession,
  ExitRecord,
  HostOp,
  InitOp,
  JsonFileLog,
  LaunchFailure,
  Monitor,
  NetlinkOp,
  TreeView,
} from "../kernel/kernel.ts";
import type { ContainerConfig, ExecConfig, HostConfig, RuntimeSpec } from "../spec/spec.ts";

import type { ViewRequest } from "./view.ts";

export interface Runtime {
  /**
   * Checks what can be checked of a configuration before anything is made: sizes, capabilities, sysctls,
   * security options, devices, users. @returns warnings as Docker gives them (`Your kernel does not support …`)
   * @throws InvalidParameter with Docker's wording
   */
  validate(config: ContainerConfig, hostConfig: HostConfig): string[];
  /**
   * Checks the limits of an update, all of them optional.
   * @returns warnings, as {@link Runtime.validate}
   * @throws InvalidParameter with Docker's wording
   */
  checkLimits(hostConfig: HostConfig): Promise<string[]>;
  start(request: StartRequest): Promise<RunningContainer>;
  /** How the container's file system is looked at from outside. */
  view(request: ViewRequest): Promise<TreeView>;
  /**
   * The monitor of a container that an earlier daemon started, or its exit record when it has ended, or neither.
   * What a monitor that has gone should have cleared away is cleared away.
   */
  adopt(containerId: ContainerId, statePath: string): Promise<{ running?: RunningContainer; exit?: ExitRecord }>;
  /** Ends what an earlier daemon launched and did not live to write down. @param idle the containers that do not run by their records */
  endStrays(idle: Iterable<{ readonly id: ContainerId; readonly statePath: string }>): Promise<void>;
  /** Takes back what the runtime made for itself (empty parent cgroups). Containers go on. */
  close(): Promise<void>;
}

export interface RuntimeOptions {
  /** The cgroup that containers without `--cgroup-parent` are put below; default `/berth`. */
  readonly cgroupParent?: string;
  /** The daemon's `--init` default. */
  readonly init?: boolean;
  /** Default of `--shm-size`, bytes; 64 MiB unless given. */
  readonly shmSizeBytes?: number;
  /** The daemon's `--no-new-privileges`. */
  readonly noNewPrivileges?: boolean;
  /** The daemon's default of `--pids-limit`; 0: none. */
  readonly pidsLimit?: number;
  /** The daemon's `--cpu-rt-period` and `--cpu-rt-runtime`, microseconds: what its cgroup parents may give to containers. v1 only. */
  readonly realtimePeriod?: number;
  readonly realtimeRuntime?: number;
  /** The daemon's `--default-cgroupns-mode`; unset: `private` on cgroup v2, `host` on v1. */
  readonly cgroupNamespace?: "private" | "host";
  /** The daemon's `--default-ulimit`s, `Soft` and `Hard` set. */
  readonly ulimits?: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
}

/** What the user has mounted, found: volumes are directories, images are layers. */
export type UserMount =
  | {
      readonly type: "bind";
      readonly source: string;
      readonly target: string;
      readonly writable: boolean;
      /** How far read-only goes: `force` is an error where the kernel cannot make the mounts below read-only too. */
      readonly readonly: "single" | "recursive" | "force";
      readonly recursive: boolean;
      /** `rprivate`, `shared`, … */
      readonly propagation: string;
      /** A missing source is made, as a directory. */
      readonly createSource?: boolean;
      /** Below the source, and not led out of it by links. */
      readonly subpath?: string;
      /** The source is to be seen in the engine's own mount namespace only. */
      readonly engineOnly?: boolean;
    }
  /** `options`: fstab words. */
  | { readonly type: "tmpfs"; readonly target: string; readonly options: readonly string[] }
  /** The file system of layers, topmost first, read-only. */
  | { readonly type: "image"; readonly lower: readonly string[]; readonly target: string; readonly subpath: string };

export interface StartRequest {
  readonly containerId: ContainerId;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** `<data-root>/containers/<id>`: holds upper, work, log, hosts, hostname, resolv.conf, exit.json. */
  readonly statePath: string;
  /** Overlay lower directories, topmost first. */
  readonly lower: readonly string[];
  /** No target twice. */
  readonly mounts: readonly UserMount[];
  readonly hostname: string;
  readonly network: NetworkPlan;
  /** Contents of the files bound over /etc/hosts, /etc/hostname and /etc/resolv.conf; undefined: leave the image's (host network: the host's). */
  readonly hosts?: string;
  readonly resolvConf?: string;
  /** Pids whose namespaces `--pid container:`, `--ipc container:` join. */
  readonly joinPid?: number;
  readonly joinIpc?: number;
  /**
   * Reads a file of the container's root file system (as it will be mounted: the upper directory first, then the
   * image's layers) without following any link out of it: /etc/passwd and /etc/group. Undefined when it is missing or
   * no regular file. Without this function no names are known: only numeric users.
   */
  readonly readRootFile?: (path: string) => Promise<Uint8Array | undefined>;
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
  /** For init, in order, when /proc is mounted: netlink messages and sysctls of the interface. */
  readonly containerNetwork: readonly InitOp[];
  /** Answer at 127.0.0.11:53 in the namespace. */
  readonly dns: boolean;
  readonly cleanup: readonly HostOp[];
}

export interface RunningContainer {
  readonly monitor: Monitor;
  /** How it ended. Undefined: its monitor was lost, and what that should have cleared away has been. Never rejects. */
  readonly exited: Promise<ExitRecord | undefined>;
  /** What was executed; also written to `<statePath>/config.json`. */
  readonly spec: RuntimeSpec;
  /** The container's cgroup directories, v2 or per v1 controller, for stats, update, pause. */
  readonly cgroups: Readonly<Record<string, string>>;
  /**
   * Gives the cgroups the limits of `hostConfig`: all that have changed, or none.
   * @throws System with the kernel's reason
   */
  limit(hostConfig: HostConfig): Promise<void>;
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
