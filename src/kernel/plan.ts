/**
 * The launch plan: a flat list of operations that the C program executes in order and does not interpret.
 * `runtime` derives it from an OCI runtime spec; `plan-encoding.ts` writes it as bytes; `native/protocol.h`
 * is the same list in C. An operation names its `stage` in the error that it gives.
 *
 * Life of a launch. The broker binds the monitor's socket, forks the monitor and answers. The monitor
 *   1. runs `prepare` on the host (cgroups, host ports, root file system, bind sources as detached trees),
 *   2. clones init with the plan's namespaces, inside the cgroup,
 *   3. sends `hostNetwork` (netlink on the host, the new network namespace patched in) while init waits,
 *   4. lets init run `init` in the new namespaces up to the last operation before `exec`,
 *   5. reports `launched` and holds init until the daemon says `go`, so that whoever wants the first
 *      byte of output is attached before there is one,
 *   6. stays: stdio, log, exec sessions, signals; at the end writes the exit record, runs `cleanup`, ends.
 * A failure anywhere before `exec` kills init, runs `cleanup` and is reported as {stage, errno, message}.
 */
export interface LaunchPlan {
  readonly containerId: string;
  /** The monitor listens here (a path in the exec root, never an abstract name: CVE-2020-15257). */
  readonly socketPath: string;
  /** The monitor writes {@link ExitRecord} here, through a temporary name and rename. */
  readonly exitPath: string;
  readonly stdio: StdioPlan;
  readonly prepare: readonly HostOp[];
  readonly clone: ClonePlan;
  readonly hostNetwork: readonly NetlinkOp[];
  /** Answer at UDP and TCP 127.0.0.11:53 in the container's network namespace, after `hostNetwork`: see `Monitor.onDnsQuery`. */
  readonly dns: boolean;
  readonly init: readonly InitOp[];
  readonly cleanup: readonly HostOp[];
  /** Also run at the end, before `cleanup`; a {@link NetworkChangePlan} puts another list in its place. */
  readonly networkCleanup: readonly HostOp[];
}

/** A change to the network of a container that runs. Carried out in this order; where a step fails, the earlier ones stay: the caller sends their opposite. */
export interface NetworkChangePlan {
  /** Ports of `bind-port` not to be held any more; `prepare` may have one of them again. Ones that are not held are passed over. */
  readonly release: readonly HostPort[];
  /** Ports to hold from now on. */
  readonly prepare: readonly HostOp[];
  /** On the host, with the container's namespace patched in. */
  readonly hostNetwork: readonly NetlinkOp[];
  /** In the container's network namespace. */
  readonly containerNetwork: readonly (NetlinkOp | Extract<InitOp, { op: "sysctl" }>)[];
  /** Answer at 127.0.0.11:53 if that is not so yet. */
  readonly dns: boolean;
  readonly networkCleanup: readonly HostOp[];
}

export interface HostPort {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly address: string;
  readonly port: number;
}

/** A question that a container's resolver has asked 127.0.0.11, or the message of a TCP connection without its length. */
export interface DnsQuery {
  /** For `Monitor.answerDns`. */
  readonly id: number;
  readonly overTcp: boolean;
  readonly message: Uint8Array;
}

export interface StdioPlan {
  readonly tty: boolean;
  /** Keep a stdin pipe open for clients; otherwise stdin is /dev/null. */
  readonly openStdin: boolean;
  /** Close stdin for the container when the first attached client's stdin ends. */
  readonly stdinOnce: boolean;
  readonly rows: number;
  readonly columns: number;
  /** Undefined: no log file is written (driver `none`). */
  readonly log?: JsonFileLog;
}

/** Docker's json-file format: one object a line, `{"log":…,"stream":…,["attrs":…,]"time":…}`. */
export interface JsonFileLog {
  readonly path: string;
  /** Rotate before a line when the file has this many bytes; 0: never. */
  readonly maxBytes: number;
  /** How many files to keep: path, path.1, … */
  readonly maxFiles: number;
  /** JSON object text to write as `attrs`, or undefined. */
  readonly attrs?: string;
  /** Bytes that are no UTF-8 stay as they are: no JSON any more for strict readers, but all that was printed. Otherwise U+FFFD. */
  readonly raw?: boolean;
}

export interface ClonePlan {
  /** CLONE_NEW* of the namespaces to make. */
  readonly newNamespaces: number;
  /** Namespaces to join instead, each by path; joined in order by the child before it does anything else. */
  readonly join: readonly { readonly path: string; readonly flag: number }[];
  /** For a new user namespace; written by the monitor. */
  readonly uidMap: string;
  readonly gidMap: string;
  /** For a new time namespace: lines as /proc/PID/timens_offsets takes them. */
  readonly timeOffsets: string;
  /** cgroup v2 directory to be born in (CLONE_INTO_CGROUP), or "" . */
  readonly cgroup2: string;
  /** cgroup v1 directories that init enters itself by writing 0 to `tasks`: the one way that takes no global lock. */
  readonly cgroup1: readonly string[];
}

export type HostOp =
  | { readonly op: "mkdir"; readonly path: string; readonly mode: number }
  /** Writes into an existing file (cgroup, sysctl). With `optional`, ENOENT and EACCES are passed over. */
  | { readonly op: "write"; readonly path: string; readonly data: string; readonly optional?: boolean }
  /** Removes a directory; EBUSY is tried again for a while, ENOENT is fine. For cgroups: kills what is left inside first. */
  | { readonly op: "rmdir"; readonly path: string; readonly killMembers?: boolean }
  | { readonly op: "unlink"; readonly path: string }
  /** Loads a BPF_PROG_TYPE_CGROUP_DEVICE program (raw struct bpf_insn array) and attaches it to a cgroup v2 directory. */
  | { readonly op: "device-program"; readonly cgroup: string; readonly instructions: Uint8Array }
  /** Binds a socket that the monitor keeps: the host port is taken (EADDRINUSE is Docker's "port is already allocated"). */
  | {
      readonly op: "bind-port";
      readonly protocol: "tcp" | "udp" | "sctp";
      readonly address: string;
      readonly port: number;
      /** Pass on what comes in to here, from the host: where the firewall cannot, since the container has no address of that family. */
      readonly relay?: { readonly address: string; readonly port: number };
    }
  /** Makes the root file system, detached: no path on the host ever shows it. */
  | {
      readonly op: "overlay";
      /** Topmost first, at least one. */
      readonly lower: readonly string[];
      readonly upper: string;
      readonly work: string;
      /** More options, e.g. `userxattr`, `index=off`. */
      readonly options: readonly string[];
    }
  /** A directory of the host as root file system (a bind clone of it). */
  | { readonly op: "root-directory"; readonly path: string }
  /** Opens a bind source, as a detached clone of its mount tree, in the host's mount namespace, into `slot`. */
  | {
      readonly op: "open-tree";
      readonly slot: number;
      readonly source: string;
      /** Below `source`, and never out of it by a link; "": the source itself. */
      readonly subpath: string;
      readonly recursive: boolean;
      /** Look for it in the engine's own mount namespace instead. */
      readonly engineOnly?: boolean;
    }
  /** The file system of layers (topmost first), read-only, as a detached tree, or the directory `subpath` of it, into `slot`. */
  | { readonly op: "image-tree"; readonly slot: number; readonly lower: readonly string[]; readonly subpath: string }
  /** mount(2) in the engine's own mount namespace; is something mounted there already, that stays. */
  | {
      readonly op: "mount-at";
      readonly place: string;
      readonly device: string;
      readonly type: string;
      /** MS_*. */
      readonly flags: number;
      readonly data: string;
    }
  /** The opposite; not mounted is fine. */
  | { readonly op: "unmount-at"; readonly place: string }
  /**
   * Copies the directory `path` of a file system of layers into the directory `target` if that is empty, with all
   * metadata. Fails with ENOENT or ENOTDIR when there is no such directory, before it looks at `target`; "": no copy.
   */
  | { readonly op: "copy-up"; readonly lower: readonly string[]; readonly path: string; readonly target: string }
  /** Where to read the count of OOM kills at the end: the number after `key` in the file at `path`. */
  | { readonly op: "oom-counter"; readonly path: string; readonly key: string }
  | NetlinkOp;

/** One netlink message (header included), acknowledged. `protocol`: NETLINK_ROUTE 0, NETLINK_NETFILTER 12. */
export interface NetlinkOp {
  readonly op: "netlink";
  readonly protocol: 0 | 12;
  /** One message or, for nf_tables, a whole batch. */
  readonly message: Uint8Array;
  /** Byte offsets of u32 fields to be set to a descriptor of the container's network namespace. */
  readonly netnsFdAt: readonly number[];
  /** In cleanup and for idempotent set-up: pass over these errno values. */
  readonly ignore: readonly number[];
}

export type InitOp =
  /** Sends netlink inside the container's network namespace. */
  | NetlinkOp
  /**
   * Mounts a new file system at `target` (resolved inside the root). `flags`: MOUNT_ATTR_*; `options`: fsconfig strings.
   */
  | {
      readonly op: "mount";
      readonly type: string;
      readonly source: string;
      readonly target: string;
      readonly attributes: number;
      readonly options: readonly string[];
      /** `copy`: it gets what the target holds; `mode`: the target's mode, if the target was there before. */
      readonly fill?: "copy" | "mode";
      /** What to create when the target is missing. */
      readonly create: "directory" | "file" | "none";
      /** EPERM/ENODEV/EINVAL is passed over (mqueue in some kernels). */
      readonly optional?: boolean;
    }
  /** Moves the detached tree in `slot` to `target`. */
  | {
      readonly op: "attach-tree";
      readonly slot: number;
      /** What the tree is of, for messages: `source`, a line end, `target`. */
      readonly source?: string;
      readonly target: string;
      readonly create: "auto" | "none";
      readonly set: number;
      readonly clear: number;
      readonly recursive: boolean;
      /** MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE, with MS_REC; 0: leave. */
      readonly propagation: number;
    }
  /** mount_setattr on what is mounted at `target`. */
  | { readonly op: "mount-attributes"; readonly target: string; readonly set: number; readonly clear: number; readonly recursive: boolean }
  /** Binds `target` on itself read-only; a missing one is passed over. */
  | { readonly op: "readonly-path"; readonly target: string }
  /** Hides `target`: /dev/null over a file, a read-only empty tmpfs over a directory; a missing one is passed over. */
  | { readonly op: "masked-path"; readonly target: string }
  | { readonly op: "mkdir"; readonly target: string; readonly mode: number }
  | { readonly op: "symlink"; readonly target: string; readonly linkTo: string }
  | {
      readonly op: "device";
      readonly target: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** A pty in the container's own devpts, as /dev/console and descriptors 0–2. */
  | { readonly op: "console" }
  /** Propagation of the whole tree of the old root, before anything is mounted: MS_SLAVE|MS_REC, … */
  | { readonly op: "root-propagation"; readonly flags: number }
  | { readonly op: "pivot-root" }
  | { readonly op: "root-readonly" }
  /** Writes into /proc/sys; the file is opened and verified to be procfs before anything is written (CVE-2025-52881). */
  | { readonly op: "sysctl"; readonly key: string; readonly value: string }
  | { readonly op: "hostname"; readonly name: string }
  | { readonly op: "domainname"; readonly name: string }
  | { readonly op: "oom-score-adj"; readonly value: number }
  | ProcessOp
  /** Run a PID 1 of ours that reaps and forwards signals; the user's program becomes its child. */
  | { readonly op: "init-process" };

/** Operations that an exec session needs too. The order is the caller's; `exec` is last. */
export type ProcessOp =
  | { readonly op: "new-session" }
  | { readonly op: "rlimit"; readonly resource: number; readonly soft: bigint; readonly hard: bigint }
  | { readonly op: "apparmor"; readonly profile: string }
  | { readonly op: "selinux"; readonly label: string }
  | { readonly op: "no-new-privileges" }
  /** Raw struct sock_filter array. `flags`: SECCOMP_FILTER_FLAG_*. */
  | { readonly op: "seccomp"; readonly filter: Uint8Array; readonly flags: number }
  | { readonly op: "groups"; readonly gids: readonly number[] }
  /** setgid, setuid, keeping capabilities over the change. */
  | { readonly op: "user"; readonly uid: number; readonly gid: number }
  | { readonly op: "umask"; readonly mask: number }
  /** Drops the bounding set to `bounding`; then capset; then raises `ambient`. Bit n is capability n. */
  | {
      readonly op: "capabilities";
      readonly bounding: bigint;
      readonly effective: bigint;
      readonly permitted: bigint;
      readonly inheritable: bigint;
      readonly ambient: bigint;
    }
  /** chdir, then verify that the directory is inside the root (CVE-2024-21626). With `create`, makes it as root first. */
  | { readonly op: "cwd"; readonly path: string; readonly create?: boolean; readonly uid?: number; readonly gid?: number }
  /** Looks argv[0] up along PATH of `env` and executes it. */
  | { readonly op: "exec"; readonly argv: readonly string[]; readonly env: readonly string[] };

/** An exec session: joins the container's namespaces and cgroups, then runs `process`. */
export interface ExecPlan {
  readonly execId: string;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly rows: number;
  readonly columns: number;
  readonly process: readonly ProcessOp[];
}

/** What the monitor writes when the container ends. */
export interface ExitRecord {
  /** 0–255; 128+signal for a signal. */
  readonly exitCode: number;
  /** 0 or the signal's number. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** RFC 3339 with nanoseconds. */
  readonly finishedAt: string;
}

/** Why a launch or an exec did not come about. */
export interface LaunchFailure {
  /** The operation's name, e.g. `overlay`, `bind-port`, `exec`; `clone` for clone3 itself. */
  readonly stage: string;
  /** Linux errno value, 0 where there is none. */
  readonly errno: number;
  /** What the operation was about: a path, a port, the program's name. */
  readonly message: string;
}
