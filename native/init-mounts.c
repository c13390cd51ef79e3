/* The mounts, nodes and masks of the plan, made inside the container's root by init. */
#include "kernel-calls.h"
#include "native.h"
#include "protocol.h"
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum create { CREATE_NONE, CREATE_DIRECTORY, CREATE_FILE };

static bool is_one_of(const char *text, const char *a, const char *b) { return strcmp(text, a) == 0 || strcmp(text, b) == 0; }

/* What a new file system gets of the directory that it covers, by the plan. */
enum { FILL_NOTHING, FILL_COPY, FILL_MODE };

/* A copy of what the image has at the target, for tmpfs mounts that ask for it. */
static bool copy_up(int target, int tree)
{
	int from = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int to = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = from >= 0 && to >= 0 && copy_tree(from, to);
	int error = errno;
	if (from >= 0) close(from);
	if (to >= 0) close(to);
	errno = error;
	return ok;
}

/* A tmpfs without a mode of its own has that of the directory it covers. */
static bool keep_mode(int target, int tree)
{
	struct stat status;
	return fstat(target, &status) == 0 && fchmodat(tree, ".", status.st_mode & 07777, 0) == 0;
}

/* A link to the root, as a target: what is mounted there would be the root of nothing, and be seen by nobody. */
static bool is_root(const struct init_context *context, int target)
{
	struct stat root, status;
	return fstat(context->root, &root) == 0 && fstat(target, &status) == 0 && root.st_dev == status.st_dev && root.st_ino == status.st_ino;
}

static bool mount_new(struct init_context *context, const struct op *op, struct failure *failure)
{
	const char *type = op->text[0], *source = op->text[1], *target_path = op->text[2];
	bool optional = op->number[3] != 0;
	/*
	 * procfs and sysfs go where they are named or nowhere: a link there would make the masks and read-only paths of the
	 * plan protect another place than the one that programs use (CVE-2023-27561).
	 */
	bool strict = is_one_of(type, "proc", "sysfs");
	int target;
	if (strict) {
		target = open_inside(context->root, target_path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
		if (target < 0 && errno != ENOENT) return fail(failure, op->name, errno, "%s", target_path);
		if (target >= 0) close(target);
	}
	bool (*fill)(int covered, int root) = op->number[1] == FILL_COPY ? copy_up : op->number[1] == FILL_MODE ? keep_mode : NULL;
	target = op->number[2] == CREATE_NONE || fill == keep_mode ? open_inside(context->root, target_path, O_PATH, 0) : -1;
	if (target < 0 && op->number[2] != CREATE_NONE) {
		if (fill == keep_mode) fill = NULL; /* there is nothing that it covers */
		target = make_inside(context->root, target_path, op->number[2] == CREATE_DIRECTORY, 0755);
	}
	if (target < 0) return fail(failure, op->name, errno, "%s", target_path);
	if (is_root(context, target)) {
		close(target);
		return fail(failure, op->name, EBUSY, "%s on %s", type, target_path);
	}
	struct new_mount new = { type, source, op->list[0], (unsigned)op->number[0], context->root, target_path };
	bool ok = mount_on(&new, target, fill);
	int error = errno;
	close(target);
	if (!ok && optional && (error == EPERM || error == ENODEV || error == EINVAL)) return true;
	return ok || fail(failure, op->name, error, "%s on %s", type, target_path);
}

static bool attach_slot(struct init_context *context, const struct op *op, struct failure *failure)
{
	const char *source = op->text[0], *path = op->text[1];
	uint64_t slot = op->number[0];
	struct stat status, place;
	int tree = slot < SLOTS ? context->prepared->slots[slot] : -1;
	if (tree < 0 || fstat(tree, &status) != 0) return fail(failure, op->name, EINVAL, "slot %u is empty", (unsigned)slot);
	int target = op->number[1] == 0 ? open_inside(context->root, path, O_PATH, 0)
	                                : make_inside(context->root, path, S_ISDIR(status.st_mode), S_ISDIR(status.st_mode) ? 0755 : 0644);
	if (target < 0) return fail(failure, op->name, errno, "%s\n%s", source, path);
	if (is_root(context, target)) {
		close(target);
		return fail(failure, op->name, EBUSY, "%s\n%s", source, path);
	}
	/* move_mount says EINVAL for this; mount(2), which messages are written for, says what it is. */
	if (fstat(target, &place) == 0 && S_ISDIR(place.st_mode) != S_ISDIR(status.st_mode)) return fail(failure, op->name, ENOTDIR, "%s\n%s", source, path);
	bool ok = change_and_attach(tree, target, op->number[2], op->number[3], op->number[4] != 0, op->number[5]);
	int error = errno;
	close(target);
	close(tree);
	context->prepared->slots[slot] = -1;
	return ok || fail(failure, op->name, error, "%s\n%s", source, path);
}

static bool change_at(struct init_context *context, const struct op *op, struct failure *failure)
{
	int fd = open_inside(context->root, op->text[0], O_PATH, 0);
	if (fd < 0) return fail(failure, op->name, errno, "%s", op->text[0]);
	bool ok = change_mount(fd, op->number[0], op->number[1], op->number[2] != 0, 0);
	int error = errno;
	close(fd);
	return ok || fail(failure, op->name, error, "%s", op->text[0]);
}

static bool make_read_only(struct init_context *context, const struct op *op, struct failure *failure)
{
	int target = open_inside(context->root, op->text[0], O_PATH, 0);
	if (target < 0) return errno == ENOENT || fail(failure, op->name, errno, "%s", op->text[0]);
	bool ok = bind_read_only(context->root, op->text[0], target);
	int error = errno;
	close(target);
	return ok || fail(failure, op->name, error, "%s", op->text[0]);
}

/* The first masked directory gets a new tmpfs, the others show that one. */
static bool mask_directory(struct init_context *context, const char *path, int target)
{
	struct new_mount new = { "tmpfs", "tmpfs", { .count = 0 }, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, context->root, path };
	if (context->mask >= 0) return bind_mount(context->mask, target);
	if (!mount_on(&new, target, NULL)) return false;
	context->mask = open_inside(context->root, path, O_PATH | O_DIRECTORY, 0);
	return context->mask >= 0;
}

/* By the container's own /dev/null, which is believed for its device number and not for its name (CVE-2025-31133). */
static bool mask_file(struct init_context *context, int target)
{
	int null = open_inside(context->root, "/dev/null", O_PATH, 0);
	if (null < 0) return false;
	bool ok = is_null_device(null);
	if (!ok) errno = ENODEV;
	ok = ok && bind_mount(null, target);
	int error = errno;
	close(null);
	errno = error;
	return ok;
}

static bool mask(struct init_context *context, const struct op *op, struct failure *failure)
{
	struct stat status;
	int target = open_inside(context->root, op->text[0], O_PATH, 0);
	if (target < 0) return errno == ENOENT || fail(failure, op->name, errno, "%s", op->text[0]);
	bool ok = fstat(target, &status) == 0 && (S_ISDIR(status.st_mode) ? mask_directory(context, op->text[0], target) : mask_file(context, target));
	int error = errno;
	close(target);
	return ok || fail(failure, op->name, error, "%s", op->text[0]);
}

static bool make_link(struct init_context *context, const struct op *op, struct failure *failure)
{
	char name[256], there[4096];
	int parent = open_parent_inside(context->root, op->text[0], name, sizeof name);
	if (parent < 0) return fail(failure, op->name, errno, "%s", op->text[0]);
	bool ok = symlinkat(op->text[1], parent, name) == 0;
	if (!ok && errno == EEXIST) {
		ssize_t n = readlinkat(parent, name, there, sizeof there);
		ok = n == (ssize_t)strlen(op->text[1]) && memcmp(there, op->text[1], (size_t)n) == 0;
		errno = EEXIST;
	}
	int error = errno;
	close(parent);
	return ok || fail(failure, op->name, error, "%s", op->text[0]);
}

static bool make_device(struct init_context *context, const struct op *op, struct failure *failure)
{
	char name[256];
	struct stat status;
	const char *path = op->text[0], *slash = strrchr(path, '/');
	mode_t mode = (mode_t)op->number[0];
	dev_t device = makedev((unsigned)op->number[1], (unsigned)op->number[2]);
	char above[4096];
	if (slash != NULL && (size_t)(slash - path) < sizeof above) {
		memcpy(above, path, (size_t)(slash - path));
		above[slash - path] = 0;
		if (!make_directories_inside(context->root, above, 0755)) return fail(failure, op->name, errno, "%s", path);
	}
	int parent = open_parent_inside(context->root, path, name, sizeof name);
	if (parent < 0) return fail(failure, op->name, errno, "%s", path);
	bool ok = mknodat(parent, name, mode, device) == 0;
	if (!ok && errno == EEXIST) {
		ok = fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && (status.st_mode & S_IFMT) == (mode & S_IFMT) && status.st_rdev == device;
		errno = EEXIST;
	}
	ok = ok && fchownat(parent, name, (uid_t)op->number[3], (gid_t)op->number[4], AT_SYMLINK_NOFOLLOW) == 0;
	int error = errno;
	close(parent);
	return ok || fail(failure, op->name, error, "%s", path);
}

static bool pivot(struct init_context *context, const struct op *op, struct failure *failure)
{
	/* The old root ends up on top of the new one at the same place, where umount finds it (pivot_root(2), NOTES). */
	bool ok = fchdir(context->root) == 0 && sys_pivot_root(".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
	return ok || fail(failure, op->name, errno, "cannot change to the new root");
}

bool run_mount_op(struct init_context *context, const struct op *op, struct failure *failure)
{
	const char *path = op->text[0];
	switch (op->code) {
	case OP_MOUNT: return mount_new(context, op, failure);
	case OP_ATTACH_TREE: return attach_slot(context, op, failure);
	case OP_MOUNT_ATTRIBUTES: return change_at(context, op, failure);
	case OP_READONLY_PATH: return make_read_only(context, op, failure);
	case OP_MASKED_PATH: return mask(context, op, failure);
	case OP_MAKE_DIRECTORY:
		return make_directories_inside(context->root, path, (mode_t)op->number[0]) || fail(failure, op->name, errno, "%s", path);
	case OP_SYMLINK: return make_link(context, op, failure);
	case OP_DEVICE: return make_device(context, op, failure);
	case OP_ROOT_PROPAGATION:
		return mount(NULL, "/", NULL, op->number[0], NULL) == 0 || fail(failure, op->name, errno, "/");
	case OP_PIVOT_ROOT: return pivot(context, op, failure);
	case OP_ROOT_READONLY:
		return change_mount(context->root, MOUNT_ATTR_RDONLY, 0, false, 0) || fail(failure, op->name, errno, "/");
	default: return fail(failure, op->name, ENOSYS, "not an operation of init");
	}
}
