/* Making, changing and attaching mounts by descriptor. */
#include "kernel-calls.h"
#include "native.h"
#include <stdio.h>
#include <sys/statvfs.h>

/* A new file system of `type`, not attached anywhere yet. */
int make_mount(const char *type, const char *source, struct list options, unsigned attributes)
{
	char key[256];
	int mounted = -1, fs = sys_fsopen(type);
	if (fs < 0) return -1;
	bool ok = *source == 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) == 0;
	for (uint32_t i = 0; ok && i < options.count; i++) {
		const char *option = read_text(&options.strings), *equals = strchr(option, '=');
		if (equals == NULL) {
			ok = sys_fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0) == 0;
		} else if ((size_t)(equals - option) < sizeof key) {
			memcpy(key, option, (size_t)(equals - option));
			key[equals - option] = 0;
			ok = sys_fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0) == 0;
		} else {
			errno = EINVAL;
			ok = false;
		}
	}
	if (ok && sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) mounted = sys_fsmount(fs, attributes);
	int error = errno;
	close(fs);
	errno = error;
	return mounted;
}

/* Before mount_setattr (Linux 5.12): a remount, which works on attached mounts only and on one mount at a time. */
static bool remount(int fd, uint64_t set, uint64_t clear, uint64_t propagation)
{
	char path[64];
	struct statvfs now;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (set != 0 || clear != 0) {
		if (fstatvfs(fd, &now) != 0) return false;
		uint64_t flags = now.f_flag & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);
		if (clear & MOUNT_ATTR__ATIME) flags &= ~(uint64_t)MS_NOATIME;
		flags &= ~(clear & (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
		flags |= set & (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		if (set & MOUNT_ATTR_NOATIME) flags |= MS_NOATIME;
		if (set & MOUNT_ATTR_STRICTATIME) flags |= MS_STRICTATIME;
		if (set & MOUNT_ATTR_NODIRATIME) flags |= MS_NODIRATIME;
		if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL) != 0) return false;
	}
	return propagation == 0 || mount(NULL, path, NULL, propagation, NULL) == 0;
}

/* Changes the mount whose root `fd` is. @returns false with ENOSYS when the kernel can do this only once it is attached */
bool change_mount(int fd, uint64_t set, uint64_t clear, bool recursive, uint64_t propagation)
{
	struct mount_attributes attributes = { .set = set, .clear = clear, .propagation = propagation & ~(uint64_t)MS_REC };
	if (set == 0 && clear == 0 && propagation == 0) return true;
	if (our.classic) {
		errno = ENOSYS;
		return false;
	}
	if (propagation != 0 && ((propagation & MS_REC) != 0) != recursive && (set != 0 || clear != 0))
		return change_mount(fd, set, clear, recursive, 0) && change_mount(fd, 0, 0, (propagation & MS_REC) != 0, propagation);
	if (set == 0 && clear == 0) recursive = (propagation & MS_REC) != 0;
	return sys_mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes) == 0;
}

bool change_attached_mount(int fd, uint64_t set, uint64_t clear, bool recursive, uint64_t propagation)
{
	if (change_mount(fd, set, clear, recursive, propagation)) return true;
	if (errno != ENOSYS) return false;
	/* A promise for a whole tree is not kept for its top alone. */
	if (recursive && (set != 0 || clear != 0)) return false;
	return remount(fd, set, clear, propagation);
}

bool attach_mount(int tree, int target)
{
	return sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

/* Changes a detached tree and attaches it; where the kernel wants the other order, the other way round. */
bool change_and_attach(int tree, int target, uint64_t set, uint64_t clear, bool recursive, uint64_t propagation)
{
	bool changed = change_mount(tree, set, clear, recursive, propagation);
	if (!changed && errno != ENOSYS) return false;
	return attach_mount(tree, target) && (changed || change_attached_mount(tree, set, clear, recursive, propagation));
}

int clone_tree(int fd, bool recursive)
{
	return sys_open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
}
