/**
 * The port to the kernel. Everything that Node cannot do itself goes through here, and only this room talks
 * to `native/`, spawns programs, or reads /proc and /sys. `linux.ts` implements it.
 *
 * Life cycle: the daemon opens one kernel (`openLinuxKernel`), which starts the broker; closing it ends the
 * broker and with it nothing else: monitors and containers go on. The broker keeps read-only layer mounts in
 * a mount namespace of its own, shared with its monitors, so that the host's mount table never shows them;
 * a new broker joins the namespace of a monitor that is still alive.
 */
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { DnsQuery, ExecPlan, ExitRecord, HostOp, InitOp, LaunchFailure, LaunchPlan, NetworkChangePlan } from "./plan.ts";

export interface Kernel extends AsyncDisposable {
  readonly features: KernelFeatures;
  readonly layers: LayerMounts;
  readonly files: FileOps;
  readonly trees: Trees;
  /** Runs host operations in order, in the broker; the first failure ends the list. @throws System with a {@link LaunchFailure} as cause */
  run(ops: readonly HostOp[]): Promise<void>;
  /**
   * One netlink request in the host's network namespace (`netnsPid`: in that process's). The answer is
   * all messages that came back, headers included, up to NLMSG_DONE or the acknowledgement.
   * @throws System, with `errno` in the cause, when the kernel refuses
   */
  netlink(protocol: 0 | 12, message: Uint8Array, netnsPid?: number): Promise<Uint8Array>;
  /**
   * Sends datagrams to a unix socket, in order, until it takes no more.
   * @returns how many it has taken. @throws System, with `errno` in the cause, when nobody is there
   */
  sendDatagrams(path: string, datagrams: readonly Uint8Array[]): Promise<number>;
  /**
   * Is called when somebody has changed tables, chains, rules or sets of the firewall, also we ourselves; not for elements of
   * sets. At most every quarter of a second; one listener at a time.
   */
  onFirewallChange(listener: () => void): void;
  /** Forks a monitor for the plan and connects to it. Resolves when the monitor exists; see {@link Monitor.launched}. */
  launch(plan: LaunchPlan): Promise<Monitor>;
  /** Connects to a monitor that an earlier daemon launched. Undefined when none answers there. */
  adopt(socketPath: string): Promise<Monitor | undefined>;
}

export interface KernelFeatures {
  /** `uname -r`. */
  readonly release: string;
  readonly cgroupVersion: 1 | 2;
  /** File-backed EROFS mounts work (≥ 6.12), probed with a real mount. */
  readonly erofsFiles: boolean;
  readonly apparmor: boolean;
  readonly seccomp: boolean;
  readonly userNamespaces: boolean;
  readonly timeNamespaces: boolean;
}

/** Read-only layer mounts, shared by all containers of a layer. */
export interface LayerMounts {
  /**
   * Mounts `index` with `devices` (layer tars, in device-table order) under `key`, once; a second call with
   * the same key finds the first mount. @returns the directory to name as an overlay's lower layer
   */
  mountErofs(key: string, index: string, devices: readonly string[]): Promise<string>;
  /** Unmounts (detached: containers that still use it keep it). Not mounted is fine. */
  unmount(key: string): Promise<void>;
  mounted(): Promise<string[]>;
}

/**
 * File operations below `root`, executed in the broker by descriptor: no path component is ever followed out
 * of the root (openat2 RESOLVE_IN_ROOT, and no link followed at the last component). Paths are raw bytes.
 */
export interface FileOps {
  apply(root: string, ops: readonly FileOp[]): Promise<void>;
}

export interface FileMeta {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** nanoseconds since 1970, may be negative */
  readonly mtimeNanos: bigint;
  readonly xattrs: readonly (readonly [name: string, value: Uint8Array])[];
}

export type FileOp =
  | ({ readonly op: "directory"; readonly path: Uint8Array } & FileMeta)
  /** A regular file with `size` bytes copied (reflink, copy_file_range) from `source` at `offset`; sparse `extents` if given. */
  | ({
      readonly op: "file";
      readonly path: Uint8Array;
      readonly source: string;
      readonly size: bigint;
      /** [offset in file, offset in source, length], in order. Gaps are holes. */
      readonly extents: readonly (readonly [bigint, bigint, bigint])[];
    } & FileMeta)
  | ({ readonly op: "symlink"; readonly path: Uint8Array; readonly target: Uint8Array } & FileMeta)
  | { readonly op: "link"; readonly path: Uint8Array; readonly target: Uint8Array }
  | ({ readonly op: "node"; readonly path: Uint8Array; readonly major: number; readonly minor: number } & FileMeta)
  /** Sets metadata of what is there (directories get their mtime last). */
  | ({ readonly op: "meta"; readonly path: Uint8Array } & FileMeta)
  /** Removes recursively, without crossing mounts. Missing is fine. */
  | { readonly op: "remove"; readonly path: Uint8Array };

/**
 * Containers' files from outside: for cp, export, diff and commit. Each call is a process of its own that ends with it,
 * or when its stream is destroyed; nothing of the container is executed, and no path leaves its root, whatever the
 * container does meanwhile. Failures are System errors with a {@link LaunchFailure} as cause: stage `path` for the path
 * asked for, `running` when the container of a {@link TreeView} with a monitor has ended.
 */
export interface Trees {
  /** A link at the end of the path is followed only with a slash behind it. */
  stat(view: TreeView, path: string): Promise<TreeStat>;
  /**
   * What lies at the path as a tar, in which it is called `name`.
   * @param client descriptor of this process's, a connection that is to get the tar
   */
  read(view: TreeView, path: string, name: string, client?: number): Promise<TarOutput & { stat: TreeStat }>;
  /** All of it as a tar, names without a slash in front. */
  export(view: TreeView, client?: number): Promise<TarOutput>;
  /** Begins to make entries; the path, links followed, is where. `keepKinds`: directories and others do not take each other's place. */
  write(view: TreeView, path: string, options: { keepKinds: boolean }): Promise<TreeWriter>;
  /**
   * What an overlay's upper directory changes of what is below it, topmost first: in the order of a walk,
   * directories only when they themselves have changed.
   */
  changes(lower: readonly string[], upper: string): Promise<TreeChange[]>;
  /** Writes an overlay's upper directory into a file that we have open as the tar of a layer: whiteouts in OCI's form, the same bytes each time. */
  layer(upper: string, file: number): Promise<void>;
}

/** What a container's file system consists of when it is looked at from outside. */
export interface TreeView {
  /** Of a container that runs, its monitor's socket: its own root is shown. Otherwise `prepare` has an overlay. */
  readonly monitor?: string;
  readonly prepare: readonly HostOp[];
  /** `attach-tree`s of what `prepare` has opened. */
  readonly attach: readonly InitOp[];
}

export interface TarOutput {
  /** Fails when the tar breaks off. */
  readonly tar: Readable;
  /**
   * Set when the worker has taken the client's connection: call it when nothing else is being sent there. The worker
   * sends the tar as chunks of HTTP, all but the last, empty one; `tar` has no bytes then, and ends when all are sent.
   */
  readonly sendToClient?: () => void;
}

export interface TreeStat {
  /** st_mode */
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeNanos: bigint;
  /** Of a link: the path that it leads to inside the root, all links followed as far as there is something. */
  readonly linkTarget: string;
}

export interface TreeChange {
  readonly kind: 0 | 1 | 2;
  /** Absolute. */
  readonly path: string;
}

export type TreeEntry = Extract<FileOp, { op: "directory" | "symlink" | "link" | "node" | "meta" }>;

/** Paths are absolute in the root; missing directories are made, what is in the way is replaced. */
export interface TreeWriter extends AsyncDisposable {
  /** The path asked for with every link followed. */
  readonly path: string;
  readonly isDirectory: boolean;
  put(entry: TreeEntry): Promise<void>;
  /** A regular file, whose contents follow: exactly so many bytes. */
  file(path: Uint8Array, sizeBytes: number, meta: FileMeta): Promise<void>;
  contents(bytes: Uint8Array): Promise<void>;
  /** Resolves when all is made. */
  finish(): Promise<void>;
}

/** A running container's monitor, over its control connection. */
export interface Monitor {
  /** The pid of the container's first process, as the host sees it; resolves when all but `exec` is done. Rejects with a {@link LaunchFailure} as cause. */
  readonly launched: Promise<{ readonly pid: number }>;
  /** Lets init execute the program; resolves when execve has succeeded, rejects with a {@link LaunchFailure} as cause. Again after adoption: no effect. */
  go(): Promise<void>;
  /** The exit record, when the container has ended and the monitor has cleaned up. Undefined when the monitor vanished without one (it was killed). */
  readonly exited: Promise<ExitRecord | undefined>;
  /**
   * A stream of the container's output and to its stdin. With a TTY, or `raw`, bytes as they are; otherwise
   * Docker's 8-byte multiplexed frames: the socket can be joined to an HTTP connection as it is. Ending the
   * writable side is end-of-file on stdin. The monitor ends it when the container's output has ended.
   * Resolves when the monitor has registered the client: nothing printed afterwards is missed.
   */
  attach(options: { stdin: boolean; stdout: boolean; stderr: boolean }): Promise<Socket>;
  /** An exec session will soon be asked for: its connection is opened now, and closed again when none comes within a second. */
  expectExec(): void;
  /**
   * The same, and where the log ended when the stream began: the log up to there and then the stream are the whole
   * output, without a gap and nothing twice. Both zero when there is no log.
   */
  attachAfterLog(options: {
    stdin: boolean;
    stdout: boolean;
    stderr: boolean;
  }): Promise<{ readonly socket: Socket; readonly log: { readonly inode: bigint; readonly offset: number } }>;
  /** Is called when the log has been rotated; one listener at a time. */
  onLogRotated(listener: () => void): void;
  /**
   * Puts `packed` in the place of the older log file with this inode, behind `.gz`, or with undefined removes the file.
   * @throws System when there is no such file any more
   */
  replaceLogFile(inode: bigint, packed: string | undefined): Promise<void>;
  /** Starts an exec session. Rejects with a {@link LaunchFailure} as cause. */
  exec(plan: ExecPlan): Promise<ExecSession>;
  /** Sends a signal to the first process. */
  signal(signal: number): Promise<void>;
  resize(rows: number, columns: number): Promise<void>;
  /** Changes the network of the running container. @throws System with a {@link LaunchFailure} as cause */
  changeNetwork(plan: NetworkChangePlan): Promise<void>;
  /** Is called for each question to 127.0.0.11:53; one listener at a time. Without one, questions wait in the kernel. */
  onDnsQuery(listener: (query: DnsQuery) => void): void;
  /** `answer` undefined: none will be given. What is too long for UDP is the caller's to cut. */
  answerDns(id: number, answer: Uint8Array | undefined): void;
  /** Lets go of the control connection; the monitor goes on. */
  release(): void;
}

export interface ExecSession {
  readonly pid: number;
  /** Raw or multiplexed as with {@link Monitor.attach}. */
  readonly stream: Socket;
  readonly exited: Promise<{ readonly exitCode: number }>;
  /** Signals the session's first process. Rejects when it has ended. */
  signal(signal: number): Promise<void>;
  resize(rows: number, columns: number): Promise<void>;
}

export * from "./plan.ts";
export type { LaunchFailure };
