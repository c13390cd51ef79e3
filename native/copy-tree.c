/*
 * Copies of directories: what volumes and tmpfs mounts get of an image. Everything that a file has is copied: contents
 * with their holes, owner, mode, times, extended attributes, and which names are one file.
 */
#include "kernel-calls.h"
#include "native.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* A file with several names, and the first of them in the copy. */
struct first_name {
	dev_t device;
	ino_t inode;
	char *path;
	size_t next; /* with the same hash: index + 1, 0 at the end */
};

enum { BUCKETS = 8192 };

struct copy {
	int top; /* the directory that is copied to */
	char path[4096]; /* of the directory at hand, below the top */
	struct first_name *names;
	size_t count, room;
	size_t buckets[BUCKETS]; /* as `next` */
};

/* Copies a range: shared where the file system can, else inside the kernel, else through memory. */
bool copy_range(int from, off_t from_at, int to, off_t to_at, uint64_t length)
{
	/* For little, reading and writing costs less than asking the file systems what they can do for each other. */
	bool in_kernel = length > sizeof scratch;
	while (length > 0) {
		size_t part = length > (1 << 30) ? 1 << 30 : (size_t)length;
		ssize_t n;
		if (in_kernel) {
			n = copy_file_range(from, &from_at, to, &to_at, part, 0);
			if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
				in_kernel = false;
				continue;
			}
		} else {
			n = pread(from, scratch, part < sizeof scratch ? part : sizeof scratch, from_at);
			if (n > 0 && pwrite(to, scratch, (size_t)n, to_at) != n) return false;
			from_at += n;
			to_at += n;
		}
		if (n < 0 && errno == EINTR) continue;
		if (n == 0) errno = ENODATA;
		if (n <= 0) return false;
		length -= (uint64_t)n;
	}
	return true;
}

/* Data is copied, holes are skipped; where the file system does not tell them apart, all is data. */
static bool copy_contents(int from, int to, off_t size)
{
	off_t at = 0;
	while (at < size) {
		off_t data = lseek(from, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO) break;
		off_t hole = data < 0 ? size : lseek(from, data, SEEK_HOLE);
		if (data < 0) data = at;
		if (hole < 0 || hole > size) hole = size;
		if (!copy_range(from, data, to, data, (uint64_t)(hole - data))) return false;
		at = hole;
	}
	return ftruncate(to, size) == 0;
}

static bool copy_attribute(const char *from, const char *to, const char *name)
{
	static char value[XATTR_SIZE_MAX];
	ssize_t length = lgetxattr(from, name, value, sizeof value);
	if (length < 0) return errno == ENODATA || errno == EOPNOTSUPP;
	/* A file system that has no attributes of this kind goes without. */
	return lsetxattr(to, name, value, (size_t)length, 0) == 0 || errno == EOPNOTSUPP;
}

/* By names below directories that are open: nobody else writes there, and the last component is not followed. */
static bool copy_attributes(const char *from, const char *to)
{
	char names[16384];
	ssize_t length = llistxattr(from, names, sizeof names);
	if (length < 0) return errno == EOPNOTSUPP;
	for (const char *name = names; name < names + length; name += strlen(name) + 1)
		if (!copy_attribute(from, to, name)) return false;
	return true;
}

/* Owner before mode: a change of owner takes setuid bits away. Times last: all else changes them. */
static bool copy_metadata(int from, int to, const char *name, const struct stat *status)
{
	struct timespec times[2] = { status->st_atim, status->st_mtim };
	char source[320], target[320];
	snprintf(source, sizeof source, "/proc/self/fd/%d/%s", from, name);
	snprintf(target, sizeof target, "/proc/self/fd/%d/%s", to, name);
	return fchownat(to, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) == 0 && copy_attributes(source, target) &&
	       (S_ISLNK(status->st_mode) || fchmodat(to, name, status->st_mode & 07777, 0) == 0) &&
	       utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool copy_directory(struct copy *copy, int from, int to);

/* @param fd of the new directory; goes below it and comes back */
static bool copy_below(struct copy *copy, int from, int to, const char *name)
{
	size_t length = strlen(copy->path);
	if (mkdirat(to, name, 0700) != 0) return false;
	int in = sys_openat2(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
	int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool fits = (size_t)snprintf(copy->path + length, sizeof copy->path - length, "/%s", name) < sizeof copy->path - length;
	if (!fits) errno = ENAMETOOLONG;
	bool ok = in < 0 ? errno == EXDEV : fits && out >= 0 && copy_directory(copy, in, out);
	int error = errno;
	copy->path[length] = 0;
	if (in >= 0) close(in);
	if (out >= 0) close(out);
	errno = error;
	return ok;
}

static bool copy_file(int from, int to, const char *name, off_t size)
{
	int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = in >= 0 && out >= 0 && copy_contents(in, out, size);
	int error = errno;
	if (in >= 0) close(in);
	if (out >= 0) close(out);
	errno = error;
	return ok;
}

static const char *first_name_of(const struct copy *copy, const struct stat *status)
{
	for (size_t i = copy->buckets[status->st_ino % BUCKETS]; i > 0; i = copy->names[i - 1].next)
		if (copy->names[i - 1].inode == status->st_ino && copy->names[i - 1].device == status->st_dev) return copy->names[i - 1].path;
	return NULL;
}

static bool remember_name(struct copy *copy, const struct stat *status, const char *name)
{
	if (copy->count == copy->room) {
		size_t room = copy->room == 0 ? 64 : copy->room * 2;
		struct first_name *names = realloc(copy->names, room * sizeof *names);
		if (names == NULL) return false;
		copy->names = names;
		copy->room = room;
	}
	char *path = NULL;
	if (asprintf(&path, ".%s/%s", copy->path, name) < 0) return false;
	size_t *bucket = &copy->buckets[status->st_ino % BUCKETS];
	copy->names[copy->count++] = (struct first_name){ status->st_dev, status->st_ino, path, *bucket };
	*bucket = copy->count;
	return true;
}

static bool copy_entry(struct copy *copy, int from, int to, const char *name)
{
	struct stat status;
	char target[4096];
	bool ok;
	if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
	bool linked = !S_ISDIR(status.st_mode) && status.st_nlink > 1;
	const char *first = linked ? first_name_of(copy, &status) : NULL;
	if (first != NULL) return linkat(copy->top, first, to, name, 0) == 0;
	if (S_ISDIR(status.st_mode)) {
		ok = copy_below(copy, from, to, name);
	} else if (S_ISREG(status.st_mode)) {
		ok = copy_file(from, to, name, status.st_size);
	} else if (S_ISLNK(status.st_mode)) {
		ssize_t n = readlinkat(from, name, target, sizeof target - 1);
		if (n >= 0) target[n] = 0;
		ok = n >= 0 && symlinkat(target, to, name) == 0;
	} else {
		ok = mknodat(to, name, status.st_mode, status.st_rdev) == 0;
	}
	return ok && copy_metadata(from, to, name, &status) && (!linked || remember_name(copy, &status, name));
}

static bool copy_directory(struct copy *copy, int from, int to)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	bool ok = directory != NULL;
	for (struct dirent *entry; ok && (entry = readdir(directory)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) ok = copy_entry(copy, from, to, entry->d_name);
	int error = errno;
	if (directory != NULL) closedir(directory);
	else if (fd >= 0) close(fd);
	errno = error;
	return ok;
}

/* Makes the directory `to` like `from`, without crossing mounts: what lies below, and what it is itself. */
bool copy_tree(int from, int to)
{
	struct copy copy = { .top = to };
	struct stat status;
	bool ok = fstat(from, &status) == 0 && copy_directory(&copy, from, to) && copy_metadata(from, to, ".", &status);
	int error = errno;
	for (size_t i = 0; i < copy.count; i++) free(copy.names[i].path);
	free(copy.names);
	errno = error;
	return ok;
}
