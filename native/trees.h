/*
 * Looking at a container's files from outside, for cp, export, diff and commit. One connection to the broker's second
 * socket is one piece of work, done by a process of its own that ends with the connection:
 *
 *   trees.c         the connection: request, answer, and which work it is
 *   tree-view.c     the container's file system, in a mount namespace of the worker's own, and paths in it
 *   tree-read.c     a tree as a tar
 *   tree-write.c    entries that the daemon has read from a tar, made in the tree
 *   tree-changes.c  what the container's own directory has, compared with its image
 *
 * Nothing of the container is executed or loaded. What it runs may change the tree all the while: each path is resolved
 * inside the root and used by the descriptor that this gave.
 */
#pragma once
#include "native.h"
#include <dirent.h>
#include <sys/stat.h>

enum { TREE_BUFFER = 256 << 10, TREE_PATH = 4096, TREE_RECORD = 192 << 10 };

/* The view: its root is the process's root directory too, and nothing else is mounted in its namespace. */
struct view {
	int root, proc;
};
bool open_view(struct reader *from, struct view *view, struct failure *failure);
bool resolve_view_path(const struct view *view, const char *path, char *into, size_t size);
int open_view_path(const struct view *view, const char *path, struct stat *status);
bool follow_links(const struct view *view, const char *path, char *into, size_t size);

/* Output that is gathered into large writes: output.c. */
struct output {
	int fd;
	int control;  /* whose end ends the output; `fd` itself, or the daemon's connection when `fd` is the client's */
	bool framed;  /* in chunks of HTTP, all but the last, empty one */
	bool broken;
	size_t length;
	uint8_t bytes[TREE_BUFFER];
};
void put_output(struct output *to, const void *bytes, size_t length);
uint8_t *reserve_output(struct output *to, size_t length);
bool flush_output(struct output *to);
bool send_file_contents(struct output *to, int file, uint64_t size);

/* tar.c: headers */
struct tar_entry {
	char type;
	const char *name, *link;
	const struct stat *status;
	uint64_t size;
	int xattrs_of;        /* descriptor of the file whose extended attributes are told, or -1 */
};
void put_tar_header(struct output *to, const struct tar_entry *entry);
void put_tar_padding(struct output *to, uint64_t size);
void put_tar_end(struct output *to);

/* tree-read.c */
struct reading {
	struct output *to;
	int proc;
	bool whiteouts; /* an overlay's upper directory: translate them */
	bool strict;    /* what cannot be read is a failure, unless it has vanished */
	char name[TREE_PATH];
	struct failure *failure;
};
bool read_tree(struct reading *reading, int parent, const char *name);
bool read_tree_below(struct reading *reading, int directory);
int list_names(int directory, struct dirent ***names);
void free_names(struct dirent **names, int count);
bool is_whiteout(const struct stat *status);
bool is_opaque(int directory);

/* tree-write.c */
bool write_tree(const struct view *view, int from, bool keep_kinds, struct failure *failure);

/* tree-changes.c */
bool list_changes(int upper, int lower, struct output *to, struct failure *failure);

/* trees.c */
void accept_tree_request(int listener, void (*close_own)(void));
