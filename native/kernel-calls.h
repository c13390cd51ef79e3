/*
 * Thin wrappers for system calls that the C library of some supported distributions does not have. Each returns
 * what the kernel returns, -1 with errno set on failure. Numbers from 424 on are the same on every architecture.
 * The program needs Linux 5.8; what is newer (mount_setattr 5.12, lowerdir+ 6.8) has a fallback where it is used.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC 1
#define FSMOUNT_CLOEXEC 1
#define FSCONFIG_SET_FLAG 0
#define FSCONFIG_SET_STRING 1
#define FSCONFIG_CMD_CREATE 6
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x01
#define MOUNT_ATTR_NOSUID 0x02
#define MOUNT_ATTR_NODEV 0x04
#define MOUNT_ATTR_NOEXEC 0x08
#define MOUNT_ATTR__ATIME 0x70
#define MOUNT_ATTR_NOATIME 0x10
#define MOUNT_ATTR_STRICTATIME 0x20
#define MOUNT_ATTR_NODIRATIME 0x80
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
/* P_PIDFD, a constant of an enumeration where the C library has it. */
#define BY_PIDFD ((idtype_t)3)

static inline int sys_open_tree(int dir, const char *path, unsigned flags) { return (int)syscall(428, dir, path, flags); }
static inline int sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
	return (int)syscall(429, from, from_path, to, to_path, flags);
}
static inline int sys_fsopen(const char *type) { return (int)syscall(430, type, FSOPEN_CLOEXEC); }
static inline int sys_fsconfig(int fs, unsigned command, const char *key, const void *value, int aux)
{
	return (int)syscall(431, fs, command, key, value, aux);
}
static inline int sys_fsmount(int fs, unsigned attributes) { return (int)syscall(432, fs, FSMOUNT_CLOEXEC, attributes); }
static inline int sys_pidfd_open(pid_t pid) { return (int)syscall(434, pid, 0); }
static inline int sys_pidfd_send_signal(int pidfd, int signal) { return (int)syscall(424, pidfd, signal, NULL, 0); }
static inline int sys_pidfd_getfd(int pidfd, int descriptor) { return (int)syscall(438, pidfd, descriptor, 0); }
static inline int sys_close_range(unsigned first, unsigned last) { return (int)syscall(436, first, last, 0); }
static inline int sys_pivot_root(const char *to, const char *put_old) { return (int)syscall(SYS_pivot_root, to, put_old); }

/* As mount_attr of linux/mount.h, under a name of our own: some C libraries have it, some do not. */
struct mount_attributes {
	uint64_t set, clear, propagation, userns_fd;
};
static inline int sys_mount_setattr(int dir, const char *path, unsigned flags, struct mount_attributes *attributes)
{
	return (int)syscall(442, dir, path, flags, attributes, sizeof *attributes);
}

/* As clone3's structure up to `cgroup` (Linux 5.7). */
struct clone3_arguments {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
static inline pid_t sys_clone3(struct clone3_arguments *arguments) { return (pid_t)syscall(435, arguments, sizeof *arguments); }

/* The one way that this program opens a path which somebody else may be changing. EAGAIN means a race with a rename. */
static inline int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve };
	for (int tries = 0;; tries++) {
		int fd = (int)syscall(437, dir, path, &how, sizeof how);
		if (fd >= 0 || errno != EAGAIN || tries >= 128) return fd;
	}
}
