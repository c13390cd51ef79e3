/*
 * The container's root file system and its bind sources, as detached mount trees: descriptors without a path, which the
 * monitor hands to init and which vanish with the last process that uses them.
 */
#include "kernel-calls.h"
#include "native.h"
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

enum { LOWER_MAX = 512 };

/* Descriptors of the overlay's directories, by whose names the kernel is told of them: a mount option has 255 bytes. */
struct directories {
	int fds[LOWER_MAX + 2];
	unsigned count;
};

static bool open_directory(struct directories *directories, const char *path, const char *name, struct failure *failure)
{
	if (directories->count >= LOWER_MAX + 2) return fail(failure, "overlay", E2BIG, "too many lower directories");
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return fail(failure, "overlay", errno, "%s %s", name, path);
	directories->fds[directories->count++] = fd;
	return true;
}

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

static bool set_directory(int fs, const char *key, int directory)
{
	char name[64];
	snprintf(name, sizeof name, "/proc/self/fd/%d", directory);
	return sys_fsconfig(fs, FSCONFIG_SET_STRING, key, name, 0) == 0;
}

/* fds: upper, work, lower directories topmost first. */
static int overlay_by_context(const struct directories *directories, struct list options)
{
	int mounted = -1, fs = sys_fsopen("overlay");
	if (fs < 0) return -1;
	bool ok = sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) == 0;
	for (unsigned i = 2; ok && i < directories->count; i++) ok = set_directory(fs, "lowerdir+", directories->fds[i]);
	ok = ok && set_directory(fs, "upperdir", directories->fds[0]) && set_directory(fs, "workdir", directories->fds[1]);
	for (uint32_t i = 0; ok && i < options.count; i++) ok = set_option(fs, read_text(&options.strings));
	if (ok && sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) mounted = sys_fsmount(fs, 0);
	int error = errno;
	close(fs);
	errno = error;
	return mounted;
}

/* Before `lowerdir+` (Linux 6.8): mount(2) at a place of the layers namespace, then taken off there as a detached tree. */
static int overlay_by_mount(const struct directories *directories, struct list options)
{
	char text[4096], place[DIRECTORY_ROOM];
	size_t length = 0;
	for (unsigned i = 2; i < directories->count && length < sizeof text; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "%s/proc/self/fd/%d", i == 2 ? "lowerdir=" : ":", directories->fds[i]);
	if (length < sizeof text)
		length += (size_t)snprintf(text + length, sizeof text - length, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d",
			directories->fds[0], directories->fds[1]);
	for (uint32_t i = 0; i < options.count && length < sizeof text; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, ",%s", read_text(&options.strings));
	if (length >= sizeof text || (size_t)snprintf(place, sizeof place, "%s/.root-%d", our.layers, (int)getpid()) >= sizeof place) {
		errno = E2BIG;
		return -1;
	}
	if (mkdir(place, 0700) != 0 && errno != EEXIST) return -1;
	int tree = -1;
	if (mount("overlay", place, "overlay", 0, text) == 0) {
		tree = sys_open_tree(AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		int error = errno;
		umount2(place, MNT_DETACH);
		errno = error;
	}
	int error = errno;
	rmdir(place);
	errno = error;
	return tree;
}

bool make_overlay(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	struct directories directories = { .count = 0 };
	struct list lower = op->list[0];
	const char *upper = op->text[0], *work = op->text[1];
	bool ok = lower.count > 0 || fail(failure, op->name, EINVAL, "no lower directory");
	ok = ok && open_directory(&directories, upper, "upper directory", failure) && open_directory(&directories, work, "work directory", failure);
	for (uint32_t i = 0; ok && i < lower.count; i++) ok = open_directory(&directories, read_text(&lower.strings), "lower directory", failure);
	if (ok) {
		prepared->root = our.classic ? -1 : overlay_by_context(&directories, op->list[1]);
		if (prepared->root < 0) prepared->root = overlay_by_mount(&directories, op->list[1]);
		ok = prepared->root >= 0 || fail(failure, op->name, errno, "%s", upper);
	}
	for (unsigned i = 0; i < directories.count; i++) close(directories.fds[i]);
	return ok;
}

/* Clones a mount tree as the host sees it, so that propagation is that of the host's mounts and not of our slaves. */
bool clone_host_tree(const char *source, bool recursive, int *tree, struct failure *failure)
{
	if (setns(our.host_namespace, CLONE_NEWNS) != 0) return fail(failure, "open-tree", errno, "cannot look into the host's mounts");
	*tree = sys_open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
	int error = errno;
	if (setns(our.layers_namespace, CLONE_NEWNS) != 0) return fail(failure, "open-tree", errno, "cannot return to our mounts");
	return *tree >= 0 || fail(failure, "open-tree", error, "%s", source);
}

bool make_root_directory(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	struct stat status;
	const char *path = op->text[0];
	if (stat(path, &status) != 0) return fail(failure, op->name, errno, "%s", path);
	if (!S_ISDIR(status.st_mode)) return fail(failure, op->name, ENOTDIR, "%s", path);
	if (clone_host_tree(path, true, &prepared->root, failure)) return true;
	failure->stage = op->name;
	return false;
}
