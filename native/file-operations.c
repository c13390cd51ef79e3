/*
 * Files below a root, for copying into a container, unpacking layers and removing trees. Every path is resolved inside
 * the root by openat2, and its last component is never followed: an archive can name nothing outside.
 */
#include "file-operations.h"
#include "kernel-calls.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct meta read_meta(struct reader *from)
{
	struct meta meta = { .mode = (uint32_t)read_number(from, 4), .uid = (uint32_t)read_number(from, 4), .gid = (uint32_t)read_number(from, 4) };
	int64_t nanos = (int64_t)read_number(from, 8), seconds = nanos / 1000000000;
	nanos -= seconds * 1000000000;
	if (nanos < 0) nanos += 1000000000, seconds--;
	meta.time = (struct timespec){ .tv_sec = seconds, .tv_nsec = nanos };
	meta.xattr_count = (uint32_t)read_number(from, 4);
	meta.xattrs = *from;
	for (uint32_t i = 0; i < meta.xattr_count && !from->bad; i++) {
		(void)read_text(from);
		(void)read_blob(from);
	}
	if (from->bad) meta.xattr_count = 0;
	return meta;
}

/* Of a file that is open. Owner before mode: a change of owner takes setuid bits away. Time last: all else changes it. */
bool apply_file_meta(int fd, struct meta meta)
{
	struct timespec times[2] = { meta.time, meta.time };
	bool ok = fchown(fd, meta.uid, meta.gid) == 0;
	for (uint32_t i = 0; ok && i < meta.xattr_count; i++) {
		const char *key = read_text(&meta.xattrs);
		struct blob value = read_blob(&meta.xattrs);
		/* A file system that cannot keep it is no reason to refuse the file. */
		ok = fsetxattr(fd, key, value.bytes, value.length, 0) == 0 || errno == EOPNOTSUPP;
	}
	return ok && fchmod(fd, meta.mode & 07777) == 0 && futimens(fd, times) == 0;
}

const char *descriptor_names = "/proc/self/fd/";

/* Of anything, by name and without following a link there. */
static bool apply_meta(int parent, const char *name, struct meta meta)
{
	struct timespec times[2] = { meta.time, meta.time };
	struct stat status;
	char path[64];
	int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) return false;
	snprintf(path, sizeof path, "%s%d", descriptor_names, fd);
	bool ok = fstat(fd, &status) == 0 && fchownat(fd, "", meta.uid, meta.gid, AT_EMPTY_PATH) == 0;
	bool is_link = S_ISLNK(status.st_mode);
	for (uint32_t i = 0; ok && i < meta.xattr_count; i++) {
		const char *key = read_text(&meta.xattrs);
		struct blob value = read_blob(&meta.xattrs);
		ok = (is_link ? lsetxattr : setxattr)(path, key, value.bytes, value.length, 0) == 0;
		/* A link's own attributes cannot be named by descriptor, and only `trusted` and `security` ones exist. */
		if (is_link || (!ok && errno == EOPNOTSUPP)) ok = true;
	}
	if (ok && !is_link) ok = chmod(path, meta.mode & 07777) == 0;
	if (ok) ok = utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) == 0;
	int error = errno;
	close(fd);
	errno = error;
	return ok;
}

/* A new name takes the place of anything but a directory that is there. @returns false when there is nothing to be done */
static bool clear_place(int parent, const char *name)
{
	struct stat status;
	int error = errno;
	if (error == EEXIST && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(status.st_mode) &&
	    unlinkat(parent, name, 0) == 0) return true;
	errno = error;
	return false;
}

/* Source files come in runs: the last one stays open. */
static int open_source(const char *path)
{
	static char last[4096];
	static int fd = -1;
	if (fd >= 0 && strcmp(last, path) == 0) return fd;
	if (fd >= 0) close(fd);
	fd = strlen(path) < sizeof last ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	copy_text(last, sizeof last, fd >= 0 ? path : "");
	return fd;
}

int create_file(int parent, const char *name)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags, 0600);
	return fd < 0 && clear_place(parent, name) ? openat(parent, name, flags, 0600) : fd;
}

static bool make_file(int parent, const char *name, struct reader *from)
{
	const char *source = read_text(from);
	uint64_t size = read_number(from, 8), end = 0;
	uint32_t count = (uint32_t)read_number(from, 4);
	if (from->bad) return false;
	int in = count == 0 ? -1 : open_source(source);
	int out = count == 0 || in >= 0 ? create_file(parent, name) : -1;
	bool ok = out >= 0;
	int error = errno;
	for (uint32_t i = 0; i < count && !from->bad; i++) {
		uint64_t at = read_number(from, 8), source_at = read_number(from, 8), length = read_number(from, 8);
		if (!ok || from->bad) continue;
		ok = copy_range(in, (off_t)source_at, out, (off_t)at, length);
		error = errno;
		end = at + length;
	}
	struct meta meta = read_meta(from);
	if (ok && !from->bad && !((end == size || ftruncate(out, (off_t)size) == 0) && apply_file_meta(out, meta))) {
		ok = false;
		error = errno;
	}
	if (out >= 0) close(out);
	errno = error;
	return ok;
}

static bool make_directory(int parent, const char *name)
{
	struct stat status;
	if (mkdirat(parent, name, 0700) == 0) return true;
	if (clear_place(parent, name)) return mkdirat(parent, name, 0700) == 0;
	return errno == EEXIST && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

static bool make_link(int parent, const char *name, const char *target)
{
	return symlinkat(target, parent, name) == 0 || (clear_place(parent, name) && symlinkat(target, parent, name) == 0);
}

static bool make_node(int parent, const char *name, uint32_t mode, dev_t device)
{
	return mknodat(parent, name, mode, device) == 0 || (clear_place(parent, name) && mknodat(parent, name, mode, device) == 0);
}

static bool make_hard_link(int root, int parent, const char *name, const char *target)
{
	char last[256];
	int there = open_parent_inside(root, target, last, sizeof last);
	if (there < 0) return false;
	bool ok = linkat(there, last, parent, name, 0) == 0 || (clear_place(parent, name) && linkat(there, last, parent, name, 0) == 0);
	int error = errno;
	close(there);
	errno = error;
	return ok;
}

/* Deeper than this nothing is walked: no number of descriptors and no stack is enough for what a container may have made. */
enum { DEPTH_MAX = 64 };

struct removal {
	int top;          /* the directory that is removed */
	unsigned moved;   /* into it, in this pass */
	unsigned counter; /* for names */
};

/* What lies too deep goes to the top, where the next pass finds it. */
static bool bring_up(int parent, const char *name, struct removal *removal)
{
	char there[32];
	snprintf(there, sizeof there, ".removed-%u", removal->counter++);
	if (renameat2(parent, name, removal->top, there, RENAME_NOREPLACE) != 0) return false;
	removal->moved++;
	return true;
}

static bool remove_entry(int parent, const char *name, struct removal *removal, unsigned depth);

static bool empty_directory(DIR *directory, struct removal *removal, unsigned depth)
{
	bool ok = true;
	rewinddir(directory);
	for (struct dirent *entry; ok && (entry = readdir(directory)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) ok = remove_entry(dirfd(directory), entry->d_name, removal, depth);
	return ok;
}

static bool remove_entry(int parent, const char *name, struct removal *removal, unsigned depth)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return true;
	if (errno != EISDIR && errno != EPERM) return false;
	if (depth >= DEPTH_MAX && bring_up(parent, name, removal)) return true;
	int fd = sys_openat2(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (directory == NULL) {
		if (fd >= 0) close(fd);
		return false;
	}
	bool ok;
	if (depth == 0) removal->top = fd;
	do {
		if (depth == 0) removal->moved = 0;
		ok = empty_directory(directory, removal, depth + 1);
	} while (depth == 0 && ok && removal->moved > 0);
	int error = errno;
	closedir(directory);
	errno = error;
	return ok && (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

/* Removes what is there, and below it everything on the same mount. */
bool remove_tree(int parent, const char *name)
{
	struct removal removal = { .top = -1 };
	return remove_entry(parent, name, &removal, 0);
}

/* Found inside the root, a directory is as good as found again. */
bool find_place(struct place *place, const char *path, char *name, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash == NULL ? 0 : (size_t)(slash - path);
	bool known = place->parent >= 0 && length > 0 && length < sizeof place->above && place->above[length] == 0 &&
	             memcmp(place->above, path, length) == 0 && slash[1] != 0 && strcmp(slash + 1, ".") != 0 && strcmp(slash + 1, "..") != 0;
	if (known && strlen(slash + 1) < size) {
		copy_text(name, size, slash + 1);
		return true;
	}
	int parent = open_parent_inside(place->root, path, name, size);
	if (parent < 0) return false;
	if (place->parent >= 0) close(place->parent);
	place->parent = parent;
	place->above[0] = 0;
	if (length > 0 && length < sizeof place->above && slash[1] != 0) {
		memcpy(place->above, path, length);
		place->above[length] = 0;
	}
	return true;
}

/* Reads the fields that `code` has besides its path, and does it. @returns false with errno, or with from->bad */
bool do_file_operation(uint8_t code, struct place *place, const char *name, struct reader *from)
{
	uint32_t major = 0, minor = 0;
	const char *target;
	bool ok = true;
	switch (code) {
	case FILE_REGULAR: return make_file(place->parent, name, from);
	case FILE_LINK: target = read_text(from); return !from->bad && make_hard_link(place->root, place->parent, name, target);
	case FILE_REMOVE:
		place->above[0] = 0; /* it may be what is removed */
		return remove_tree(place->parent, name);
	case FILE_DIRECTORY: ok = make_directory(place->parent, name); break;
	case FILE_SYMLINK: target = read_text(from); ok = !from->bad && make_link(place->parent, name, target); break;
	case FILE_NODE: major = (uint32_t)read_number(from, 4); minor = (uint32_t)read_number(from, 4); break;
	case FILE_META: break;
	default: from->bad = true;
	}
	int error = errno;
	struct meta meta = read_meta(from);
	errno = error;
	if (!ok || from->bad) return false;
	if (code == FILE_NODE && !make_node(place->parent, name, meta.mode, makedev(major, minor))) return false;
	return apply_meta(place->parent, name, meta);
}

static bool run_one(struct place *place, struct reader *from, struct failure *failure)
{
	char name[256];
	uint8_t code = (uint8_t)read_number(from, 1);
	const char *path = read_text(from);
	bool ok, is_root = path[strspn(path, "/")] == 0 || strcmp(path, ".") == 0;
	if (is_root && code != FILE_META && code != FILE_DIRECTORY) return fail(failure, "files", EINVAL, "not the root: %s", path);
	if (is_root) {
		struct place root = { .root = place->root, .parent = place->root };
		ok = do_file_operation(FILE_META, &root, ".", from);
	} else if (find_place(place, path, name, sizeof name)) {
		ok = do_file_operation(code, place, name, from);
	} else {
		ok = code == FILE_REMOVE && errno == ENOENT;
	}
	if (from->bad) return fail(failure, "files", EINVAL, "malformed operation");
	return ok || fail(failure, "files", errno, "%s", path);
}

bool run_file_operations(struct reader *from, struct failure *failure)
{
	const char *path = read_text(from);
	uint32_t count = (uint32_t)read_number(from, 4);
	static struct place place = { .parent = -1 };
	place.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place.root < 0) return fail(failure, "files", errno, "%s", path);
	for (uint32_t i = 0; i < count; i++)
		if (!run_one(&place, from, failure)) return false;
	return true;
}
