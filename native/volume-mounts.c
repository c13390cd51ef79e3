/* What volumes need in the engine's own mount namespace: their mounts, and what they get of an image. Run by the broker. */
#include "kernel-calls.h"
#include "native.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

/* Is something mounted at `place` itself? Only the kernel knows: a bind has the device of what is around it. */
static bool is_mounted(const char *place)
{
	struct statx status;
	return statx(AT_FDCWD, place, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) == 0 && (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

bool mount_at(const struct op *op, struct failure *failure)
{
	const char *place = op->text[0], *device = op->text[1], *type = op->text[2], *data = op->text[3];
	if (is_mounted(place)) return true;
	return mount(device, place, type, op->number[0], data) == 0 || fail(failure, op->name, errno, "%s", strerror(errno));
}

bool unmount_at(const struct op *op, struct failure *failure)
{
	const char *place = op->text[0];
	if (umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT) return true;
	return fail(failure, op->name, errno, "%s", place);
}

static bool is_empty(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	bool empty = list != NULL;
	for (struct dirent *entry; empty && (entry = readdir(list)) != NULL;)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (list != NULL) closedir(list);
	else if (fd >= 0) close(fd);
	return empty;
}

static bool copy_into(int from, const char *target, const struct op *op, struct failure *failure)
{
	if (*target == 0) return true;
	int to = open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0) return fail(failure, op->name, errno == ENOENT || errno == ENOTDIR ? EIO : errno, "%s", target);
	bool ok = !is_empty(to) || copy_tree(from, to);
	int error = errno;
	close(to);
	return ok || fail(failure, op->name, error == ENOENT || error == ENOTDIR ? EIO : error, "%s", target);
}

bool copy_image_directory(const struct op *op, struct failure *failure)
{
	char place[DIRECTORY_ROOM];
	int root = open_lower(op->list[0], place, sizeof place, failure);
	if (root < 0) return false;
	close_lower(place); /* the descriptor holds on to what was mounted there */
	int from = open_inside(root, op->text[0], O_RDONLY | O_DIRECTORY, 0);
	bool ok = from >= 0 ? copy_into(from, op->text[1], op, failure) : fail(failure, op->name, errno, "%s", op->text[0]);
	if (from >= 0) close(from);
	close(root);
	return ok;
}
