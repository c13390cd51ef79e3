/* Writing tar: POSIX.1-2001, with an extended header only where a field of the plain one has no room. */
#include "trees.h"
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { BLOCK = 512, NAME_ROOM = 100, PAX_ROOM = 128 << 10, XATTR_MAX = 64 << 10 };

struct block {
	char name[NAME_ROOM], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[NAME_ROOM], magic[8];
	char user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct block) == BLOCK, "a tar header");

static uint8_t pax[PAX_ROOM];
static size_t pax_length;

/* Octal, or zeros when it has no room, in which case the extended header says it. */
static bool put_octal(char *field, size_t size, uint64_t value)
{
	bool fits = value >> (3 * (size - 1)) == 0;
	if (!fits) value = 0;
	field[size - 1] = 0;
	for (size_t i = size - 1; i > 0; i--, value >>= 3) field[i - 1] = (char)('0' + (value & 7));
	return fits;
}

/* `length key=value\n`, where the length counts its own digits. */
static void add_record(const char *key, const void *value, size_t length)
{
	char head[320];
	size_t key_length = strlen(key), total = key_length + length + 3, before;
	do {
		before = total;
		total = key_length + length + 3 + (size_t)snprintf(NULL, 0, "%zu", total);
	} while (total != before);
	int n = snprintf(head, sizeof head, "%zu %s=", total, key);
	if (n < 0 || (size_t)n >= sizeof head || total > sizeof pax - pax_length) return;
	memcpy(pax + pax_length, head, (size_t)n);
	memcpy(pax + pax_length + n, value, length);
	pax[pax_length + total - 1] = '\n';
	pax_length += total;
}

static void add_number(const char *key, int64_t value)
{
	char text[24];
	add_record(key, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)value));
}

static bool is_kept(const char *name)
{
	return strcmp(name, "security.capability") == 0 || strncmp(name, "system.posix_acl_", 17) == 0 ||
	       (strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0);
}

/* In the order of their names, which is not that in which the file system tells them. */
static void add_xattrs(int fd)
{
	static char names[XATTR_MAX], value[XATTR_MAX];
	char key[280];
	const char *last = "";
	ssize_t length = flistxattr(fd, names, sizeof names);
	for (;;) {
		const char *next = NULL;
		for (const char *name = names; length > 0 && name < names + length; name += strlen(name) + 1)
			if (strcmp(name, last) > 0 && (next == NULL || strcmp(name, next) < 0)) next = name;
		if (next == NULL) return;
		last = next;
		ssize_t n = is_kept(next) ? fgetxattr(fd, next, value, sizeof value) : -1;
		if (n < 0 || (size_t)snprintf(key, sizeof key, "SCHILY.xattr.%s", next) >= sizeof key) continue;
		add_record(key, value, (size_t)n);
	}
}

static void put_block(struct output *to, struct block *block)
{
	unsigned sum = 0;
	memcpy(block->magic, "ustar\00000", sizeof block->magic);
	memset(block->checksum, ' ', sizeof block->checksum);
	for (size_t i = 0; i < BLOCK; i++) sum += ((const uint8_t *)block)[i];
	put_octal(block->checksum, 7, sum);
	put_output(to, block, BLOCK);
}

static void put_extended(struct output *to)
{
	struct block block = { .type = 'x' };
	memcpy(block.name, "././@PaxHeader", 14);
	put_octal(block.mode, sizeof block.mode, 0644);
	put_octal(block.uid, sizeof block.uid, 0);
	put_octal(block.gid, sizeof block.gid, 0);
	put_octal(block.size, sizeof block.size, pax_length);
	put_octal(block.mtime, sizeof block.mtime, 0);
	put_block(to, &block);
	put_output(to, pax, pax_length);
	put_tar_padding(to, pax_length);
}

static void put_name(char *field, const char *key, const char *name)
{
	size_t length = strlen(name);
	if (length > NAME_ROOM) add_record(key, name, length);
	memcpy(field, name, length < NAME_ROOM ? length : NAME_ROOM);
}

void put_tar_header(struct output *to, const struct tar_entry *entry)
{
	struct block block = { .type = entry->type };
	const struct stat *status = entry->status;
	bool device = entry->type == '3' || entry->type == '4';
	pax_length = 0;
	put_name(block.name, "path", entry->name);
	put_name(block.link, "linkpath", entry->link == NULL ? "" : entry->link);
	put_octal(block.mode, sizeof block.mode, status->st_mode & 07777);
	if (!put_octal(block.uid, sizeof block.uid, status->st_uid)) add_number("uid", status->st_uid);
	if (!put_octal(block.gid, sizeof block.gid, status->st_gid)) add_number("gid", status->st_gid);
	if (!put_octal(block.size, sizeof block.size, entry->size)) add_number("size", (int64_t)entry->size);
	if (!put_octal(block.mtime, sizeof block.mtime, (uint64_t)status->st_mtim.tv_sec)) add_number("mtime", status->st_mtim.tv_sec);
	put_octal(block.major, sizeof block.major, device ? major(status->st_rdev) : 0);
	put_octal(block.minor, sizeof block.minor, device ? minor(status->st_rdev) : 0);
	if (entry->xattrs_of >= 0) add_xattrs(entry->xattrs_of);
	if (pax_length > 0) put_extended(to);
	put_block(to, &block);
}

/* What fills up the last block of `size` bytes. */
void put_tar_padding(struct output *to, uint64_t size)
{
	static const uint8_t zeros[BLOCK];
	put_output(to, zeros, (size_t)(-size & (BLOCK - 1)));
}

void put_tar_end(struct output *to)
{
	static const uint8_t zeros[2 * BLOCK];
	put_output(to, zeros, sizeof zeros);
}
