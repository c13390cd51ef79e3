/*
 * What a container has changed: its overlay's upper directory compared with what lies below. One record each, `u8 kind`
 * as Docker counts them and `blob path`; directories that differ in nothing but what they have in them are not told.
 */
#include "kernel-calls.h"
#include "trees.h"
#include <stdio.h>
#include <stdlib.h>

enum { CHANGED = 0, ADDED = 1, DELETED = 2 };

static char path[TREE_PATH];

static void tell(struct output *to, uint8_t kind)
{
	uint8_t bytes[TREE_PATH + 16];
	struct writer record = { .bytes = bytes, .size = sizeof bytes };
	put_number(&record, kind, 1);
	put_text(&record, path);
	put_output(to, bytes, record.length);
}

static bool is_same_directory(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int by_text(const void *name, const void *entry) { return strcmp(name, (*(struct dirent *const *)entry)->d_name); }

/* An opaque directory hides what lies below: all that it has not itself is gone. */
static bool tell_hidden(struct dirent **names, int count, int lower, size_t length, struct output *to)
{
	struct dirent **below;
	int below_count = list_names(lower, &below);
	for (int i = 0; i < below_count; i++) {
		const char *name = below[i]->d_name;
		if (bsearch(name, names, (size_t)count, sizeof *names, by_text) != NULL || length + strlen(name) + 2 > sizeof path) continue;
		snprintf(path + length, sizeof path - length, "/%s", name);
		tell(to, DELETED);
	}
	free_names(below, below_count);
	path[length] = 0;
	return below_count >= 0;
}

static bool compare(int upper, int lower, struct output *to, struct failure *failure);

static bool compare_entry(int upper, int lower, const char *name, struct output *to, struct failure *failure)
{
	struct stat now, before;
	if (fstatat(upper, name, &now, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT || fail(failure, "changes", errno, "%s", path);
	bool existed = lower >= 0 && fstatat(lower, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_whiteout(&now)) {
		if (existed) tell(to, DELETED);
		return true;
	}
	bool directory = S_ISDIR(now.st_mode), was_directory = existed && S_ISDIR(before.st_mode);
	if (!existed) tell(to, ADDED);
	else if (!directory || !was_directory || !is_same_directory(&now, &before)) tell(to, CHANGED);
	if (!directory) return true;
	int in_upper = openat(upper, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int in_lower = was_directory ? openat(lower, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	bool ok = in_upper >= 0 ? compare(in_upper, in_lower, to, failure) : errno == ENOENT || fail(failure, "changes", errno, "%s", path);
	if (in_upper >= 0) close(in_upper);
	if (in_lower >= 0) close(in_lower);
	return ok;
}

static bool compare(int upper, int lower, struct output *to, struct failure *failure)
{
	struct dirent **names;
	size_t length = strlen(path);
	int count = list_names(upper, &names);
	bool ok = count >= 0 || fail(failure, "changes", errno, "%s", path);
	for (int i = 0; i < count && ok && !to->broken; i++) {
		if (length + strlen(names[i]->d_name) + 2 > sizeof path) continue;
		snprintf(path + length, sizeof path - length, "/%s", names[i]->d_name);
		ok = compare_entry(upper, lower, names[i]->d_name, to, failure);
		path[length] = 0;
	}
	if (ok && lower >= 0 && is_opaque(upper)) ok = tell_hidden(names, count, lower, length, to) || fail(failure, "changes", errno, "%s", path);
	free_names(names, count);
	return ok;
}

bool list_changes(int upper, int lower, struct output *to, struct failure *failure)
{
	path[0] = 0;
	return compare(upper, lower, to, failure);
}
