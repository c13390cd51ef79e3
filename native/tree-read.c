/*
 * A tree as a tar, sorted by name, so that the same tree gives the same bytes. Names are looked up one by one below open
 * directories and never through a link; nothing but directories and regular files is opened. What vanishes meanwhile is
 * left out, a file that shrinks is filled up with zeros to the size that its header has told.
 */
#include "kernel-calls.h"
#include "trees.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>

static const char whiteout_prefix[] = ".wh.", opaque_name[] = ".wh..wh..opq";

/* Files with several names that have been sent once already: an open hash table. */
static struct linked {
	dev_t device;
	ino_t inode;
	char *name;
} *links;
static size_t links_size, links_count;

static struct linked *find_link(dev_t device, ino_t inode)
{
	size_t at = (size_t)((inode ^ ((uint64_t)device << 32)) * 0x9e3779b97f4a7c15ULL) & (links_size - 1);
	while (links[at].name != NULL && (links[at].device != device || links[at].inode != inode)) at = (at + 1) & (links_size - 1);
	return &links[at];
}

static bool grow_links(void)
{
	struct linked *old = links;
	size_t old_size = links_size;
	if (links_size > 0 && links_count * 2 < links_size) return true;
	links_size = old_size == 0 ? 1024 : old_size * 2;
	links = calloc(links_size, sizeof *links);
	if (links == NULL) return false;
	for (size_t i = 0; i < old_size; i++)
		if (old[i].name != NULL) *find_link(old[i].device, old[i].inode) = old[i];
	free(old);
	return true;
}

/* The name that the file was sent under first; NULL: it is the first time, and remembered. */
static const char *known_link(const struct stat *status, const char *name)
{
	if (!S_ISREG(status->st_mode) || status->st_nlink < 2 || !grow_links()) return NULL;
	struct linked *link = find_link(status->st_dev, status->st_ino);
	if (link->name != NULL) return link->name;
	*link = (struct linked){ status->st_dev, status->st_ino, strdup(name) };
	links_count++;
	return NULL;
}

bool is_whiteout(const struct stat *status) { return S_ISCHR(status->st_mode) && status->st_rdev == 0; }

bool is_opaque(int directory)
{
	char value[4];
	return fgetxattr(directory, "trusted.overlay.opaque", value, sizeof value) == 1 && value[0] == 'y';
}

static int is_entry(const struct dirent *entry) { return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0; }
static int by_bytes(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

/* Sorted. @returns their number, -1 */
int list_names(int directory, struct dirent ***names) { return scandirat(directory, ".", names, is_entry, by_bytes); }

void free_names(struct dirent **names, int count)
{
	for (int i = 0; i < count; i++) free(names[i]);
	if (count >= 0) free(names);
}

static bool cannot(struct reading *reading, const char *what)
{
	bool gone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ESTALE;
	return gone || !reading->strict || fail(reading->failure, what, errno, "%s", reading->name);
}

static void put_entry(struct reading *reading, const struct stat *status, char type, const char *link, uint64_t size, int xattrs_of)
{
	struct tar_entry entry = { .type = type, .name = reading->name, .link = link, .status = status, .size = size, .xattrs_of = xattrs_of };
	put_tar_header(reading->to, &entry);
}

static bool read_file_at(struct reading *reading, int parent, const char *name)
{
	char again[32];
	struct stat status;
	/* First by name, then, known to be a regular file, for reading: to open a device may be to act on it. */
	int found = *name == 0 ? parent : openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	snprintf(again, sizeof again, "self/fd/%d", found);
	bool regular = found >= 0 && fstat(found, &status) == 0 && S_ISREG(status.st_mode);
	const char *link = regular ? known_link(&status, reading->name) : NULL;
	int fd = regular && link == NULL ? openat(reading->proc, again, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
	int error = errno;
	if (found >= 0 && found != parent) close(found);
	errno = found >= 0 && !regular ? ENOENT : error;
	if (link != NULL) {
		put_entry(reading, &status, '1', link, 0, -1);
		return true;
	}
	if (fd < 0) return cannot(reading, "open");
	put_entry(reading, &status, '0', NULL, (uint64_t)status.st_size, fd);
	bool ok = send_file_contents(reading->to, fd, (uint64_t)status.st_size) || fail(reading->failure, "read", errno, "%s", reading->name);
	put_tar_padding(reading->to, (uint64_t)status.st_size);
	close(fd);
	return ok;
}

/* `reading->name` ends with a slash, or is empty. */
bool read_tree_below(struct reading *reading, int directory)
{
	struct dirent **names;
	size_t length = strlen(reading->name);
	int count = list_names(directory, &names);
	bool ok = count >= 0 || cannot(reading, "list");
	for (int i = 0; i < count && ok && !reading->to->broken; i++) {
		const char *name = names[i]->d_name;
		if (reading->whiteouts && strncmp(name, whiteout_prefix, sizeof whiteout_prefix - 1) == 0) continue;
		/* A slash and a prefix may come to it. Longer ones have no path that anybody could use. */
		if (length + strlen(name) + sizeof opaque_name >= sizeof reading->name) continue;
		strcpy(reading->name + length, name);
		ok = read_tree(reading, directory, name);
	}
	free_names(names, count);
	reading->name[length] = 0;
	return ok;
}

static bool read_directory(struct reading *reading, int parent, const char *name)
{
	struct stat status;
	int fd = openat(parent, *name == 0 ? "." : name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) != 0) {
		bool ok = cannot(reading, "open");
		if (fd >= 0) close(fd);
		return ok;
	}
	size_t length = strlen(reading->name);
	if (length == 0 || reading->name[length - 1] != '/') reading->name[length++] = '/';
	reading->name[length] = 0;
	put_entry(reading, &status, '5', NULL, 0, fd);
	if (reading->whiteouts && is_opaque(fd)) {
		strcpy(reading->name + length, opaque_name);
		put_entry(reading, &status, '0', NULL, 0, -1);
		reading->name[length] = 0;
	}
	bool ok = read_tree_below(reading, fd);
	close(fd);
	return ok;
}

static bool read_link(struct reading *reading, int parent, const char *name, const struct stat *status)
{
	char target[TREE_PATH];
	ssize_t n = readlinkat(parent, name, target, sizeof target - 1);
	if (n < 0) return errno == EINVAL || cannot(reading, "readlink");
	target[n] = 0;
	put_entry(reading, status, '2', target, 0, -1);
	return true;
}

static void put_whiteout(struct reading *reading, const char *name, const struct stat *status)
{
	size_t before = strlen(reading->name) - strlen(name);
	snprintf(reading->name + before, sizeof reading->name - before, "%s%s", whiteout_prefix, name);
	put_entry(reading, status, '0', NULL, 0, -1);
}

/* What `name` is in `parent`, or `parent` itself when it is empty, under the archive's name `reading->name`, which may be changed. */
bool read_tree(struct reading *reading, int parent, const char *name)
{
	struct stat status;
	if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) return cannot(reading, "stat");
	switch (status.st_mode & S_IFMT) {
	case S_IFDIR: return read_directory(reading, parent, name);
	case S_IFREG: return read_file_at(reading, parent, name);
	case S_IFLNK: return read_link(reading, parent, name, &status);
	case S_IFCHR:
		if (reading->whiteouts && is_whiteout(&status)) put_whiteout(reading, name, &status);
		else put_entry(reading, &status, '3', NULL, 0, -1);
		return true;
	case S_IFBLK: put_entry(reading, &status, '4', NULL, 0, -1); return true;
	case S_IFIFO: put_entry(reading, &status, '6', NULL, 0, -1); return true;
	default: return true; /* a socket is of no use without the program behind it */
	}
}
