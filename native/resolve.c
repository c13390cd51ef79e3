/*
 * Paths inside a root that somebody else may have filled with links. Every path is resolved by openat2 with
 * RESOLVE_IN_ROOT and without magic links, and used by the descriptor that this gave; none is looked up twice.
 */
#include "kernel-calls.h"
#include "native.h"
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { LINKS_MAX = 16 };

int open_inside(int root, const char *path, uint64_t flags, uint64_t more_resolve)
{
	return sys_openat2(root, *path == 0 ? "." : path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more_resolve);
}

/* The directory that `path` lies in, and the last component, which is not looked at. */
int open_parent_inside(int root, const char *path, char *name, size_t size)
{
	char above[4096];
	size_t end = strlen(path), start;
	while (end > 0 && path[end - 1] == '/') end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--) continue;
	size_t length = end - start;
	if (length == 0 || length >= size || start >= sizeof above || (length <= 2 && memcmp(path + start, "..", length) == 0)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(name, path + start, length);
	name[length] = 0;
	memcpy(above, path, start);
	above[start] = 0;
	return open_inside(root, above, O_PATH | O_DIRECTORY, 0);
}

static bool make_directories(int root, const char *path, mode_t mode, unsigned links);

/* `path` has no target: a directory is made, or what the dangling link there names, still inside the root. */
static bool make_one(int root, const char *path, bool directory, mode_t mode, unsigned links)
{
	char name[256], target[4096], joined[4096];
	int parent = open_parent_inside(root, path, name, sizeof name);
	if (parent < 0) return false;
	int made = directory ? mkdirat(parent, name, mode) : mknodat(parent, name, S_IFREG | mode, 0);
	ssize_t n = made != 0 && errno == EEXIST ? readlinkat(parent, name, target, sizeof target - 1) : -1;
	int error = errno;
	close(parent);
	if (made == 0) return true;
	errno = error == EINVAL ? ENOTDIR : error;
	if (n < 0) return false;
	target[n] = 0;
	const char *slash = strrchr(path, '/');
	size_t above = slash == NULL || target[0] == '/' ? 0 : (size_t)(slash - path);
	errno = ELOOP;
	if (links == LINKS_MAX || above + (size_t)n + 2 > sizeof joined) return false;
	memcpy(joined, path, above);
	joined[above] = '/';
	memcpy(joined + above + 1, target, (size_t)n + 1);
	if (directory) return make_directories(root, joined, mode, links + 1);
	slash = strrchr(joined, '/');
	memcpy(target, joined, (size_t)(slash - joined));
	target[slash - joined] = 0;
	return make_directories(root, target, 0755, links + 1) && make_one(root, joined, false, mode, links + 1);
}

static bool make_directories(int root, const char *path, mode_t mode, unsigned links)
{
	char prefix[4096];
	size_t length = strlen(path);
	if (length >= sizeof prefix) {
		errno = ENAMETOOLONG;
		return false;
	}
	for (size_t end = 1; end <= length; end++) {
		if ((end < length && path[end] != '/') || path[end - 1] == '/') continue;
		memcpy(prefix, path, end);
		prefix[end] = 0;
		int fd = open_inside(root, prefix, O_PATH | O_DIRECTORY, 0);
		if (fd >= 0) close(fd);
		else if (errno != ENOENT || !make_one(root, prefix, true, mode, links)) return false;
	}
	return true;
}

bool make_directories_inside(int root, const char *path, mode_t mode)
{
	int fd = open_inside(root, path, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0) return close(fd) == 0;
	return errno == ENOENT && make_directories(root, path, mode, 0);
}

/* Opens `path` as a mount target (O_PATH), after making it and the directories above it if it is missing. */
int make_inside(int root, const char *path, bool directory, mode_t mode)
{
	char above[4096];
	int fd = open_inside(root, path, O_PATH, 0);
	if (fd >= 0 || errno != ENOENT) return fd;
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - path);
	if (length >= sizeof above) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(above, path, length);
	above[length] = 0;
	if (directory ? !make_directories(root, path, mode, 0)
	              : !make_directories(root, above, 0755, 0) || !make_one(root, path, false, mode, 0)) return -1;
	return open_inside(root, path, O_PATH, 0);
}

/* The descriptor is a /dev/null, whatever the path it was opened by promised. */
bool is_null_device(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}
