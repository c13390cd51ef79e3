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
	int fds[LOWER_MAX + 2]; /* upper and work, if there are such, then the lower ones, topmost first */
	unsigned count, lower; /* index of the first lower one */
};

static bool open_directory(struct directories *directories, const char *path, const char *name, struct failure *failure)
{
	if (directories->count >= LOWER_MAX + 2) return fail(failure, "overlay", E2BIG, "too many lower directories");
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return fail(failure, "overlay", errno, "%s %s", name, path);
	directories->fds[directories->count++] = fd;
	return true;
}

static bool set_directory(int fs, const char *key, int directory)
{
	char name[64];
	snprintf(name, sizeof name, "/proc/self/fd/%d", directory);
	return sys_fsconfig(fs, FSCONFIG_SET_STRING, key, name, 0) == 0;
}

static int overlay_by_context(const struct directories *directories, struct list options)
{
	int mounted = -1, fs = sys_fsopen("overlay");
	if (fs < 0) return -1;
	bool ok = sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) == 0;
	for (unsigned i = directories->lower; ok && i < directories->count; i++) ok = set_directory(fs, "lowerdir+", directories->fds[i]);
	if (directories->lower > 0) ok = ok && set_directory(fs, "upperdir", directories->fds[0]) && set_directory(fs, "workdir", directories->fds[1]);
	if (ok && set_options(fs, options) && sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) mounted = sys_fsmount(fs, 0);
	int error = errno;
	close(fs);
	errno = error;
	return mounted;
}

/* All of it in the one text that mount(2) takes, of at most a page. */
static bool mount_overlay(const struct directories *directories, struct list options, const char *place)
{
	char text[4096];
	size_t length = 0;
	for (unsigned i = directories->lower; i < directories->count && length < sizeof text; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "%s/proc/self/fd/%d", i == directories->lower ? "lowerdir=" : ":", directories->fds[i]);
	if (directories->lower > 0 && length < sizeof text)
		length += (size_t)snprintf(text + length, sizeof text - length, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d",
			directories->fds[0], directories->fds[1]);
	return join_options(options, text, sizeof text, length) && mount("overlay", place, "overlay", 0, text) == 0;
}

/* Before `lowerdir+` (Linux 6.8): mounted at a place of the layers namespace, then taken off there as a detached tree. */
static int overlay_by_mount(const struct directories *directories, struct list options)
{
	char place[DIRECTORY_ROOM];
	int tree = -1;
	snprintf(place, sizeof place, "%s/.root-%d", our.layers, (int)getpid());
	if (mkdir(place, 0700) != 0 && errno != EEXIST) return -1;
	if (mount_overlay(directories, options, place)) {
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

/*
 * Without open_tree there are no detached trees. Instead the monitor has a mount namespace of its own with a stage, a
 * tmpfs that has what it prepares as `root` and by slot number; init's namespace is a copy of that one, and moves each
 * tree from there. What is bound so has the propagation of our slave and not of the host's mount.
 */
static char stage[DIRECTORY_ROOM];

bool open_stage(struct failure *failure)
{
	if (!our.classic) return true;
	snprintf(stage, sizeof stage, "%s/.stage-%d", our.layers, (int)getpid());
	bool ok = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) == 0 &&
	          (mkdir(stage, 0700) == 0 || errno == EEXIST) && mount("berth-stage", stage, "tmpfs", 0, "mode=0700") == 0;
	return ok || fail(failure, "root", errno, "%s", stage);
}

void close_stage(void)
{
	if (!our.classic) return;
	(void)umount2(stage, MNT_DETACH);
	(void)rmdir(stage);
}

static bool on_stage(char *path, size_t size, const char *name, bool directory)
{
	if ((size_t)snprintf(path, size, "%s/%s", stage, name) >= size) return false;
	return (directory ? mkdir(path, 0700) : mknod(path, S_IFREG | 0600, 0)) == 0;
}

/* In init: the same mounts, as they are in its copy of the namespace. */
bool reopen_stage(struct prepared *prepared)
{
	int directory = open(stage, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0) return false;
	prepared->root = prepared->root < 0 ? -1 : openat(directory, "root", O_PATH | O_CLOEXEC);
	for (int i = 0; i < SLOTS; i++) {
		char name[16];
		snprintf(name, sizeof name, "%d", i);
		if (prepared->slots[i] >= 0 && (prepared->slots[i] = openat(directory, name, O_PATH | O_CLOEXEC)) < 0) return false;
	}
	close(directory);
	return true;
}

static int overlay_on_stage(const struct directories *directories, struct list options)
{
	char place[DIRECTORY_ROOM + 16];
	if (!on_stage(place, sizeof place, "root", true) || !mount_overlay(directories, options, place)) return -1;
	return open(place, O_PATH | O_CLOEXEC);
}

static bool bind_on_stage(const char *source, bool recursive, const char *name, int *tree)
{
	char place[DIRECTORY_ROOM + 16];
	struct stat status;
	bool ok = stat(source, &status) == 0 && on_stage(place, sizeof place, name, S_ISDIR(status.st_mode)) &&
	          mount(source, place, NULL, recursive ? MS_BIND | MS_REC : MS_BIND, NULL) == 0;
	*tree = ok ? open(place, O_PATH | O_CLOEXEC) : -1;
	return *tree >= 0;
}

static bool open_lower_directories(struct directories *directories, struct list lower, struct failure *failure)
{
	bool ok = lower.count > 0 || fail(failure, "overlay", EINVAL, "no lower directory");
	for (uint32_t i = 0; ok && i < lower.count; i++) ok = open_directory(directories, read_text(&lower.strings), "lower directory", failure);
	return ok;
}

bool make_overlay(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	struct directories directories = { .lower = 2 };
	struct list lower = op->list[0];
	const char *upper = op->text[0], *work = op->text[1];
	bool ok = open_directory(&directories, upper, "upper directory", failure) && open_directory(&directories, work, "work directory", failure) &&
	          open_lower_directories(&directories, lower, failure);
	if (ok) {
		prepared->root = our.classic ? overlay_on_stage(&directories, op->list[1]) : overlay_by_context(&directories, op->list[1]);
		if (prepared->root < 0 && errno == EINVAL && !our.classic) prepared->root = overlay_by_mount(&directories, op->list[1]);
		ok = prepared->root >= 0 || fail(failure, op->name, errno, "%s", upper);
	}
	for (unsigned i = 0; i < directories.count; i++) close(directories.fds[i]);
	return ok;
}

/* Mounts the file system of layers at a place of the engine's own, for a moment. */
static bool mount_lower_at(const struct directories *directories, const char *place)
{
	const struct list none = { .count = 0 };
	int tree = our.classic ? -1 : overlay_by_context(directories, none);
	if (tree < 0) return mount_overlay(directories, none, place);
	bool ok = sys_move_mount(tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) == 0;
	int error = errno;
	close(tree);
	errno = error;
	return ok;
}

/*
 * Opens the root of the file system of layers, topmost first; of a single one its own directory. @param place gets where
 * it is mounted until close_lower, "" where that was not needed
 */
int open_lower(struct list lower, char *place, size_t size, struct failure *failure)
{
	struct directories directories = { .count = 0 };
	int root = -1;
	*place = 0;
	bool ok = open_lower_directories(&directories, lower, failure);
	if (ok && directories.count == 1) return directories.fds[0];
	if (ok) {
		snprintf(place, size, "%s/.lower-%d", our.layers, (int)getpid());
		ok = (mkdir(place, 0700) == 0 || errno == EEXIST) && mount_lower_at(&directories, place);
		if (ok) root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root < 0) fail(failure, "overlay", errno, "%s", place);
	}
	for (unsigned i = 0; i < directories.count; i++) close(directories.fds[i]);
	if (root < 0) close_lower(place);
	return root;
}

void close_lower(const char *place)
{
	if (*place == 0) return;
	(void)umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW);
	(void)rmdir(place);
}

/* A detached tree of what is below `directory`, which is mounted somewhere in our namespace, not led out of it by links. */
static int clone_below(int directory, const char *subpath, bool recursive, const char *name)
{
	char path[64];
	int tree = -1, below = *subpath == 0 ? directory : sys_openat2(directory, subpath, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	if (below < 0) return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", below);
	if (our.classic) (void)bind_on_stage(path, recursive, name, &tree);
	else tree = sys_open_tree(below, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
	int error = errno;
	if (below != directory) close(below);
	errno = error;
	return tree;
}

/* An image as a bind source. */
bool make_image_tree(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	char place[DIRECTORY_ROOM], name[16];
	uint32_t slot = (uint32_t)op->number[0];
	int root = open_lower(op->list[0], place, sizeof place, failure);
	if (root < 0) return false;
	snprintf(name, sizeof name, "%u", slot);
	prepared->slots[slot] = clone_below(root, op->text[0], false, name);
	int error = errno;
	close(root);
	close_lower(place);
	return prepared->slots[slot] >= 0 || fail(failure, *op->text[0] == 0 ? op->name : "subpath", error, "%s", op->text[0]);
}

/* Clones a mount tree as the host sees it, so that propagation is that of the host's mounts and not of our slaves. */
static bool clone_host_tree(const char *source, bool recursive, const char *name, int *tree, struct failure *failure)
{
	if (our.classic) return bind_on_stage(source, recursive, name, tree) || fail(failure, "open-tree", errno, "%s", source);
	if (setns(our.host_namespace, CLONE_NEWNS) != 0) return fail(failure, "open-tree", errno, "cannot look into the host's mounts");
	*tree = sys_open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
	int error = errno;
	if (setns(our.layers_namespace, CLONE_NEWNS) != 0) return fail(failure, "open-tree", errno, "cannot return to our mounts");
	return *tree >= 0 || fail(failure, "open-tree", error, "%s", source);
}

/* A directory of a volume, or a volume that is mounted for us alone. */
static bool clone_volume(const struct op *op, bool here, const char *name, int *tree, struct failure *failure)
{
	const char *source = op->text[0], *subpath = op->text[1];
	bool enters = !here && !our.classic;
	if (enters && setns(our.host_namespace, CLONE_NEWNS) != 0) return fail(failure, op->name, errno, "cannot look into the host's mounts");
	int directory = open(source, O_PATH | O_CLOEXEC);
	*tree = directory < 0 ? -1 : clone_below(directory, subpath, op->number[1] != 0, name);
	int error = errno;
	if (directory >= 0) close(directory);
	if (enters && setns(our.layers_namespace, CLONE_NEWNS) != 0) return fail(failure, op->name, errno, "cannot return to our mounts");
	if (*tree >= 0) return true;
	if (directory < 0 || *subpath == 0) return fail(failure, op->name, error, "%s", source);
	return fail(failure, "subpath", error, "%s/%s", source, subpath);
}

bool make_bind_source(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	char name[16];
	uint64_t slot = op->number[0];
	bool here = op->number[2] != 0;
	snprintf(name, sizeof name, "%u", (unsigned)slot);
	if (here || *op->text[1] != 0) return clone_volume(op, here, name, &prepared->slots[slot], failure);
	return clone_host_tree(op->text[0], op->number[1] != 0, name, &prepared->slots[slot], failure);
}

bool make_root_directory(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	struct stat status;
	const char *path = op->text[0];
	if (stat(path, &status) != 0) return fail(failure, op->name, errno, "%s", path);
	if (!S_ISDIR(status.st_mode)) return fail(failure, op->name, ENOTDIR, "%s", path);
	if (clone_host_tree(path, true, "root", &prepared->root, failure)) return true;
	failure->stage = op->name;
	return false;
}
