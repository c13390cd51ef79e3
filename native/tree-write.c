/*
 * Makes entries in a view. They come as records, `u32 length` and a file operation (file-operations.c), or a file whose
 * contents follow its record: FILE_STREAMED, path, u64 size, metadata. A record of length 0 is the last. The tar that
 * they are of has been read by the daemon; what it names is still no more trusted than the tree: each path is resolved
 * inside the root, and what is in the way is removed, not written through.
 *
 * Of a large file the daemon writes the contents itself, which saves their way through the socket: FILE_OPENED, with the
 * same fields, is answered with `u32 pid, u32 descriptor, u64 device, u64 inode` of the new file; a byte says that all
 * is in it.
 */
#include "file-operations.h"
#include "kernel-calls.h"
#include "protocol.h"
#include "trees.h"
#include <stdio.h>

struct input {
	int fd;
	size_t at, end;
	uint8_t bytes[TREE_BUFFER];
};

static struct input input;
static struct place place;

/* Waits until `length` bytes are there in one piece. */
static bool fill(size_t length)
{
	if (sizeof input.bytes - input.at < length) {
		memmove(input.bytes, input.bytes + input.at, input.end - input.at);
		input.end -= input.at;
		input.at = 0;
	}
	while (input.end - input.at < length) {
		ssize_t n = read(input.fd, input.bytes + input.end, sizeof input.bytes - input.end);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return false;
		input.end += (size_t)n;
	}
	return true;
}

static bool receive_contents(int fd, uint64_t size)
{
	for (uint64_t left = size; left > 0;) {
		if (input.at == input.end) input.at = input.end = 0;
		if (!fill(1)) {
			errno = EPIPE;
			return false;
		}
		size_t part = input.end - input.at;
		if (part > left) part = (size_t)left;
		if (!write_all(fd, input.bytes + input.at, part)) return false;
		input.at += part;
		left -= part;
	}
	return true;
}

/* Lets the daemon write into the file. */
static bool lend(int fd)
{
	uint8_t bytes[64];
	struct writer answer;
	struct stat status;
	if (fstat(fd, &status) != 0) return false;
	begin_frame(&answer, bytes, sizeof bytes, 1, MSG_OK);
	put_number(&answer, (uint32_t)getpid(), 4);
	put_number(&answer, (uint32_t)fd, 4);
	put_number(&answer, status.st_dev, 8);
	put_number(&answer, status.st_ino, 8);
	end_frame(&answer);
	bool ok = write_all(input.fd, answer.bytes, answer.length) && fill(1);
	input.at += ok ? 1 : 0;
	errno = EPIPE;
	return ok;
}

static bool make_streamed(uint8_t code, const char *name, struct reader *from)
{
	uint64_t size = read_number(from, 8);
	struct meta meta = read_meta(from);
	int fd = from->bad ? -1 : create_file(place.parent, name);
	bool ok = fd >= 0 && (code == FILE_OPENED ? lend(fd) : receive_contents(fd, size)) && apply_file_meta(fd, meta);
	int error = errno;
	if (fd >= 0) close(fd);
	errno = error;
	return ok;
}

/* The directories above are made when they are missing. */
static bool find_or_make_place(const char *path, char *name, size_t size)
{
	char above[TREE_PATH];
	if (find_place(&place, path, name, size)) return true;
	const char *slash = strrchr(path, '/');
	if (errno != ENOENT || slash == NULL || (size_t)(slash - path) >= sizeof above) return false;
	memcpy(above, path, (size_t)(slash - path));
	above[slash - path] = 0;
	return make_directories_inside(place.root, above, 0755) && find_place(&place, path, name, size);
}

/* A directory stays where a directory is to be made; anything else that is there goes. */
static bool clear_the_way(uint8_t code, const char *path, const char *name, bool keep_kinds, struct failure *failure)
{
	struct stat status;
	bool directory = code == FILE_DIRECTORY;
	if (fstatat(place.parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || fail(failure, "stat", errno, "%s", path);
	if (S_ISDIR(status.st_mode) && directory) return true;
	if (keep_kinds && S_ISDIR(status.st_mode)) return fail(failure, "over-directory", EEXIST, "%s", path);
	if (keep_kinds && directory) return fail(failure, "over-file", EEXIST, "%s", path);
	place.above[0] = 0; /* it may be what is removed, or lead there */
	return remove_tree(place.parent, name) || fail(failure, "remove", errno, "%s", path);
}

static bool make_entry(struct reader record, bool keep_kinds, struct failure *failure)
{
	char name[256];
	uint8_t code = (uint8_t)read_number(&record, 1);
	const char *path = read_text(&record);
	if (record.bad || code == FILE_REGULAR || code == FILE_REMOVE) return fail(failure, "files", EINVAL, "malformed record");
	if (!find_or_make_place(path, name, sizeof name)) return fail(failure, "find", errno, "%s", path);
	if (code != FILE_META && !clear_the_way(code, path, name, keep_kinds, failure)) return false;
	bool ok = code == FILE_STREAMED || code == FILE_OPENED ? make_streamed(code, name, &record) : do_file_operation(code, &place, name, &record);
	if (record.bad) return fail(failure, "files", EINVAL, "malformed record");
	/* A directory that has gone again needs no time. */
	if (!ok && code == FILE_META && errno == ENOENT) return true;
	return ok || fail(failure, code == FILE_LINK ? "link" : "make", errno, "%s", path);
}

/* @param keep_kinds a directory is not replaced by something else, nor something else by a directory */
bool write_tree(const struct view *view, int from, bool keep_kinds, struct failure *failure)
{
	static uint8_t record[TREE_RECORD];
	int names = openat(view->proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (names < 0 || fchdir(names) != 0) return fail(failure, "files", errno, "/proc/self/fd");
	descriptor_names = "";
	input.fd = from;
	place = (struct place){ .root = view->root, .parent = -1 };
	for (;;) {
		if (!fill(4)) return fail(failure, "files", EPIPE, "unexpected EOF");
		struct reader head = { input.bytes + input.at, input.bytes + input.at + 4, false };
		size_t length = read_number(&head, 4);
		input.at += 4;
		if (length == 0) return true;
		if (length > sizeof record) return fail(failure, "files", E2BIG, "record");
		if (!fill(length)) return fail(failure, "files", EPIPE, "unexpected EOF");
		/* Set aside: contents that follow come through the same buffer. */
		memcpy(record, input.bytes + input.at, length);
		input.at += length;
		if (!make_entry((struct reader){ record, record + length, false }, keep_kinds, failure)) return false;
	}
}
