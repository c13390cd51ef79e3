/*
 * Making, changing and attaching mounts by descriptor: with the mount API of Linux 5.2, or, where that is not to be had
 * (a filter that answers ENOSYS) or not wanted (BERTH_CLASSIC_MOUNT), with mount(2). That one takes names only; a
 * descriptor's name is its number, in /proc/self/fd of a procfs that is known to be the host's.
 */
#include "kernel-calls.h"
#include "native.h"
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

static int fd_names = -1; /* the directory /proc/self/fd */

/* Before anything else here is called in this process. */
bool use_descriptor_names(int proc)
{
	fd_names = openat(proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd_names >= 0;
}

/* mount(2) from one descriptor to another; `source` or `type` may be a plain word instead. */
static bool mount_by_name(const char *word, int source, int target, const char *type, uint64_t flags, const char *data)
{
	char from[16], to[16];
	snprintf(from, sizeof from, "%d", source);
	snprintf(to, sizeof to, "%d", target);
	int before = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool ok = before >= 0 && fchdir(fd_names) == 0 && mount(word != NULL ? word : source < 0 ? NULL : from, to, type, flags, data) == 0;
	int error = errno;
	if (before >= 0 && fchdir(before) != 0) ok = false;
	if (before >= 0) close(before);
	errno = error;
	return ok;
}

static uint64_t mount_flags(uint64_t attributes)
{
	uint64_t flags = attributes & (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC); /* the same as MS_* */
	if ((attributes & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME) flags |= MS_NOATIME;
	if ((attributes & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME) flags |= MS_STRICTATIME;
	if (attributes & MOUNT_ATTR_NODIRATIME) flags |= MS_NODIRATIME;
	return flags;
}

/* One fsconfig option: `key=value` or `flag`. */
static bool set_option(int fs, const char *option)
{
	char key[256];
	const char *equals = strchr(option, '=');
	if (equals == NULL) return sys_fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0) == 0;
	if ((size_t)(equals - option) >= sizeof key) {
		errno = EINVAL;
		return false;
	}
	memcpy(key, option, (size_t)(equals - option));
	key[equals - option] = 0;
	return sys_fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0) == 0;
}

bool set_options(int fs, struct list options)
{
	bool ok = true;
	for (uint32_t i = 0; ok && i < options.count; i++) ok = set_option(fs, read_text(&options.strings));
	return ok;
}

/* The same for mount(2): one text with commas. @returns false with E2BIG when it has no room */
bool join_options(struct list options, char *into, size_t size, size_t length)
{
	for (uint32_t i = 0; i < options.count && length < size; i++)
		length += (size_t)snprintf(into + length, size - length, length == 0 ? "%s" : ",%s", read_text(&options.strings));
	errno = E2BIG;
	return length < size;
}

static int mount_detached(const char *type, const char *source, struct list options, unsigned attributes)
{
	int mounted = -1, fs = sys_fsopen(type);
	if (fs < 0) return -1;
	bool ok = *source == 0 || sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) == 0;
	if (ok && set_options(fs, options) && sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) mounted = sys_fsmount(fs, attributes);
	int error = errno;
	close(fs);
	errno = error;
	return mounted;
}

static bool attach_mount(int tree, int target)
{
	if (our.classic) return mount_by_name(NULL, tree, target, NULL, MS_MOVE, NULL);
	return sys_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
}

/*
 * Mounts a new file system on `target`. @param fill called before anybody sees the mount, with what it covers and the
 * mount's root; may be NULL. @param look finds what is mounted on the target: mount(2) gives no descriptor of it
 */
bool mount_on(const struct new_mount *mount, int target, bool (*fill)(int covered, int root))
{
	char data[4096] = "";
	if (!our.classic) {
		int tree = mount_detached(mount->type, mount->source, mount->options, mount->attributes);
		bool ok = tree >= 0 && (fill == NULL || fill(target, tree)) && attach_mount(tree, target);
		int error = errno;
		if (tree >= 0) close(tree);
		errno = error;
		return ok;
	}
	if (!join_options(mount->options, data, sizeof data, 0)) return false;
	uint64_t flags = mount_flags(mount->attributes);
	if (!mount_by_name(*mount->source == 0 ? mount->type : mount->source, -1, target, mount->type, flags, data)) return false;
	if (fill == NULL) return true;
	int root = open_inside(mount->root, mount->path, O_PATH, 0);
	bool ok = root >= 0 && fill(target, root);
	int error = errno;
	if (root >= 0) close(root);
	errno = error;
	return ok;
}

/* Before mount_setattr (Linux 5.12): a remount, which works on attached mounts only and on one mount at a time. */
static bool remount(int fd, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct statvfs now;
	if (set != 0 || clear != 0) {
		if (fstatvfs(fd, &now) != 0) return false;
		uint64_t flags = now.f_flag & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME);
		if (clear & MOUNT_ATTR__ATIME) flags &= ~(uint64_t)MS_NOATIME;
		flags &= ~(clear & (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
		if (!mount_by_name(NULL, -1, fd, NULL, MS_REMOUNT | MS_BIND | flags | mount_flags(set), NULL)) return false;
	}
	return propagation == 0 || mount_by_name(NULL, -1, fd, NULL, propagation, NULL);
}

/* @returns false with ENOSYS when the kernel can do this only with remount */
static bool set_attributes(int fd, uint64_t set, uint64_t clear, bool recursive, uint64_t propagation)
{
	struct mount_attributes attributes = { .set = set, .clear = clear, .propagation = propagation & ~(uint64_t)MS_REC };
	bool deep = (propagation & MS_REC) != 0;
	if (set == 0 && clear == 0 && propagation == 0) return true;
	if (our.classic) {
		errno = ENOSYS;
		return false;
	}
	if (propagation != 0 && deep != recursive && (set != 0 || clear != 0))
		return set_attributes(fd, set, clear, recursive, 0) && set_attributes(fd, 0, 0, deep, propagation);
	if (set == 0 && clear == 0) recursive = deep;
	return sys_mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes) == 0;
}

/* Changes the mount whose root `fd` is, and which is attached. */
bool change_mount(int fd, uint64_t set, uint64_t clear, bool recursive, uint64_t propagation)
{
	if (set_attributes(fd, set, clear, recursive, propagation)) return true;
	if (errno != ENOSYS) return false;
	/* A promise for a whole tree is not kept for its top alone. */
	if (recursive && (set != 0 || clear != 0)) return false;
	return remount(fd, set, clear, propagation);
}

/* Changes a detached tree and attaches it; where the kernel wants the other order, the other way round. */
bool change_and_attach(int tree, int target, uint64_t set, uint64_t clear, bool recursive, uint64_t propagation)
{
	bool changed = set_attributes(tree, set, clear, recursive, propagation);
	if (!changed && errno != ENOSYS) return false;
	return attach_mount(tree, target) && (changed || change_mount(tree, set, clear, recursive, propagation));
}

/* Shows what `source` is at `target` as well. */
bool bind_mount(int source, int target)
{
	if (our.classic) return mount_by_name(NULL, source, target, NULL, MS_BIND, NULL);
	int tree = sys_open_tree(source, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	bool ok = tree >= 0 && attach_mount(tree, target);
	int error = errno;
	if (tree >= 0) close(tree);
	errno = error;
	return ok;
}

/* Binds `path` on itself, with what is mounted below, and makes that read-only. */
bool bind_read_only(int root, const char *path, int target)
{
	if (!our.classic) {
		int tree = sys_open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
		bool ok = tree >= 0 && change_and_attach(tree, target, MOUNT_ATTR_RDONLY, 0, false, 0);
		int error = errno;
		if (tree >= 0) close(tree);
		errno = error;
		return ok;
	}
	if (!mount_by_name(NULL, target, target, NULL, MS_BIND | MS_REC, NULL)) return false;
	int top = open_inside(root, path, O_PATH, 0);
	bool ok = top >= 0 && remount(top, MOUNT_ATTR_RDONLY, 0, 0);
	int error = errno;
	if (top >= 0) close(top);
	errno = error;
	return ok;
}

/* Places the detached root where it can be pivoted to. */
bool place_root_at(int tree, const char *path)
{
	int place = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool ok = place >= 0 && attach_mount(tree, place);
	int error = errno;
	if (place >= 0) close(place);
	errno = error;
	return ok;
}
