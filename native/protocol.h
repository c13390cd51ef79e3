/*
 * What is said between the daemon, the broker, a monitor and its init; src/kernel/plan.ts is the same in TypeScript,
 * src/kernel/plan-encoding.ts writes it.
 *
 *   daemon ──socket pair──▶ broker ──fork──▶ monitor ──clone3──▶ init ──execve──▶ the container's program
 *      │                                       ▲   ▲
 *      └──unix socket: one control connection ─┘   │
 *      └──unix socket: one per attach and exec ────┘
 *
 * A launch:
 *
 *   daemon        broker            monitor                          init
 *     │──LAUNCH─────▶│ bind, listen    .                                .
 *     │              │──fork──────────▶│ prepare                        .
 *     │◀─────OK pid──│                 │──clone3───────────────────────▶│ cgroups, join namespaces
 *     │──connect, CONTROL ────────────▶│ maps ──────────────────── 'M' ▶│ (only with a new user namespace)
 *     │──connect, ATTACH ─────────────▶│ hostNetwork                    │ mounts, pivot_root, …
 *     │                                │ ───────────────────────── 'N' ▶│ waits for it before netlink
 *     │                                │◀ 'C' ───────────────────────── │ console: the pty's master
 *     │                                │◀ 'L' ───────────────────────── │ all done but execve
 *     │◀─STATE, LAUNCHED ──────────────│                                │
 *     │──GO───────────────────────────▶│ ───────────────────────── 'G' ▶│ execve
 *     │◀─OK────────────────────────────│◀ end of file ───────────────── │ (the socket is close-on-exec)
 *     │                                │ stdio, log, exec sessions      │
 *     │◀─DNS_QUERY─────────────────────│◀ 127.0.0.11:53                 │
 *     │──DNS_ANSWER───────────────────▶│                                │
 *     │◀─EXIT──────────────────────────│ exit record, cleanup           │ ends
 *
 * While it runs, CHANGE_NETWORK is carried out by the monitor itself, which visits the container's network namespace for it;
 * ports with a place to pass on to are served by a process of the monitor's own, berth-relay (port-relay.h).
 *
 * At any point 'F' (or FAILURE) carries {stage, errno, message} instead; init is killed and cleanup run.
 *
 * Encoding. Little endian. A frame is u32 length of the payload, u32 id, u16 type, payload. Requests carry an id that
 * their answer (OK or FAILURE) repeats; events have id 0. In payloads:
 *   str    u32 length, bytes without NUL, one NUL     blob   u32 length, bytes, one NUL
 *   list   u32 count, that many str                   words  u32 count, that many u32
 *   ops    u32 count, that many operations: u8 code and the fields of its signature in operations.c
 * Everything is decoded in place and checked whole before any of it is executed.
 */
#pragma once

enum { FRAME_HEADER = 10, FRAME_MAX = 16 << 20 };

enum message {
	/* daemon → broker */
	MSG_RUN = 1,      /* ops */
	MSG_NETLINK,      /* u32 pid (0: host), u16 protocol, blob message → OK: the messages that came back */
	MSG_LAUNCH,       /* the launch plan → OK: u32 pid of the monitor */
	MSG_MOUNT_EROFS,  /* str key, str index, list devices → OK: str directory */
	MSG_UNMOUNT,      /* str key */
	MSG_MOUNTED,      /* → OK: list keys */
	MSG_FILES,        /* str root, u32 count, that many file operations (file-operations.c) */
	MSG_DATAGRAMS,    /* str path, u32 count, that many blobs → OK: u32 how many were taken */
	/* daemon → broker, on a connection to its second socket, <exec-root>/files.sock */
	MSG_TREE,         /* u8 work, then as trees.c has it */
	/* daemon → broker again */
	MSG_WATCH_FIREWALL, /* → OK: from now on MSG_FIREWALL_CHANGED comes */
	/* anyone of our user → monitor, as first message of a connection */
	MSG_CONTROL = 16, /* → OK: u8 state, u32 pid; the connection stays for requests and events */
	MSG_ATTACH,       /* u8 flags → OK: u64 inode and u64 length of the log file then; after that the connection is the stream */
	MSG_EXEC,         /* the exec plan → OK: u32 pid; from then on the connection is the stream */
	MSG_NAMESPACE,    /* → OK with a descriptor of the mount namespace that holds the layers */
	MSG_PROCESS,      /* → OK with a descriptor of the container's first process */
	/* daemon → monitor, on the control connection */
	MSG_GO = 24,
	MSG_SIGNAL,       /* u32 signal */
	MSG_RESIZE,       /* u16 rows, u16 columns */
	MSG_EXEC_RESIZE,  /* str exec id, u16 rows, u16 columns */
	MSG_EXEC_SIGNAL,  /* str exec id, u32 signal */
	MSG_LOG_REPLACE,  /* u64 inode of an older log file, str its packed form, or "" to remove it */
	MSG_CHANGE_NETWORK, /* the change plan */
	MSG_DNS_LISTEN,   /* no answer: from now on MSG_DNS_QUERY comes */
	MSG_DNS_ANSWER,   /* no answer: u32 id of the query, blob the answer, empty where there is none */
	/* answers */
	MSG_OK = 64,
	MSG_FAILURE,      /* str stage, u32 errno, str message */
	/* events: the broker is ready (u8: joined an older one's mounts); of a monitor on its control connection */
	MSG_READY = 80,
	MSG_LAUNCHED,     /* u32 pid */
	MSG_FAILED,       /* as FAILURE */
	MSG_EXIT,         /* u8 exit code, u8 signal, u8 oom killed, str finished at */
	MSG_EXEC_EXIT,    /* str exec id, u8 exit code */
	MSG_LOG_ROTATED,
	MSG_DNS_QUERY,    /* u32 id, u8 over TCP, blob */
	MSG_FIREWALL_CHANGED, /* the broker's */
};

enum state { STATE_LAUNCHING, STATE_LAUNCHED, STATE_RUNNING, STATE_FAILED, STATE_EXITED };

/* ATTACH_LOG: the stream begins with what the log has not got of lines that have begun. */
enum attach_flag { ATTACH_STDIN = 1, ATTACH_STDOUT = 2, ATTACH_STDERR = 4, ATTACH_LOG = 8 };

enum operation {
	/* on the host */
	OP_MKDIR = 1, OP_WRITE, OP_RMDIR, OP_UNLINK, OP_DEVICE_PROGRAM, OP_BIND_PORT, OP_OVERLAY, OP_ROOT_DIRECTORY,
	OP_OPEN_TREE, OP_OOM_COUNTER, OP_NETLINK, OP_IMAGE_TREE, OP_MOUNT_AT, OP_UNMOUNT_AT, OP_COPY_UP,
	/* in init */
	OP_MOUNT = 32, OP_ATTACH_TREE, OP_MOUNT_ATTRIBUTES, OP_READONLY_PATH, OP_MASKED_PATH, OP_MAKE_DIRECTORY, OP_SYMLINK,
	OP_DEVICE, OP_CONSOLE, OP_ROOT_PROPAGATION, OP_PIVOT_ROOT, OP_ROOT_READONLY, OP_SYSCTL, OP_HOSTNAME, OP_DOMAINNAME,
	OP_OOM_SCORE_ADJ, OP_INIT_PROCESS,
	/* in init and in exec sessions */
	OP_NEW_SESSION = 64, OP_RLIMIT, OP_APPARMOR, OP_SELINUX, OP_NO_NEW_PRIVILEGES, OP_SECCOMP, OP_GROUPS, OP_USER, OP_UMASK,
	OP_CAPABILITIES, OP_CWD, OP_EXEC,
};
