/* What tree-write.c shares with file-operations.c: single entries below a root. */
#pragma once
#include "native.h"
#include <time.h>

/* Codes of a file operation, and of its fields: path first, then what it has of its own, then its metadata. */
enum { FILE_DIRECTORY = 1, FILE_REGULAR, FILE_SYMLINK, FILE_LINK, FILE_NODE, FILE_META, FILE_REMOVE, FILE_STREAMED, FILE_OPENED };

struct meta {
	uint32_t mode, uid, gid, xattr_count;
	struct timespec time;
	struct reader xattrs;
};
struct meta read_meta(struct reader *from);
bool apply_file_meta(int fd, struct meta meta);
int create_file(int parent, const char *name);

/* What to put before a descriptor's number to name it: where there is no /proc, "" in the working directory /proc/self/fd. */
extern const char *descriptor_names;

/* Operations come directory by directory: the last one stays open. */
struct place {
	int root, parent;
	char above[4096];
};
bool find_place(struct place *place, const char *path, char *name, size_t size);
bool do_file_operation(uint8_t code, struct place *place, const char *name, struct reader *from);
