/* Whole reads and writes, and frames in both directions. Buffers come from mmap, so that they go back whole. */
#include "kernel-calls.h"
#include "native.h"
#include "protocol.h"
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

uint8_t scratch[SCRATCH];

void *new_pages(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return pages == MAP_FAILED ? NULL : pages;
}

void free_pages(void *pages, size_t size) { munmap(pages, size); }

int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool write_all(int fd, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	while (length > 0) {
		ssize_t n = write(fd, at, length);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd ready = { .fd = fd, .events = POLLOUT };
			if (poll(&ready, 1, -1) < 0 && errno != EINTR) return false;
			continue;
		}
		if (n <= 0) return false;
		at += n;
		length -= (size_t)n;
	}
	return true;
}

/* Into a file that exists, in one write: what kernel files need. */
bool write_file(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) return false;
	ssize_t n = write(fd, bytes, length);
	int error = errno;
	close(fd);
	errno = n < 0 ? error : EIO;
	return n == (ssize_t)length;
}

/* The start of a small file as text. */
ssize_t read_file(const char *path, char *into, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) return -1;
	ssize_t n = read(fd, into, size - 1);
	close(fd);
	if (n >= 0) into[n] = 0;
	return n;
}

void copy_text(char *into, size_t size, const char *text)
{
	size_t length = strnlen(text, size - 1);
	memcpy(into, text, length);
	into[length] = 0;
}

/*
 * Opens the directory of `path` and writes a short path to the same file, for interfaces with a limit (107 bytes of a
 * socket's name, 255 of a mount option). The descriptor must stay open as long as the short path is used.
 */
int open_long_path(const char *path, int flags, char *short_path, size_t size)
{
	char directory[4096];
	const char *slash = strrchr(path, '/');
	if (slash == NULL || (size_t)(slash - path) >= sizeof directory) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = 0;
	int fd = open(slash == path ? "/" : directory, flags | O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && (size_t)snprintf(short_path, size, "/proc/self/fd/%d/%s", fd, slash + 1) >= size) {
		close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	return fd;
}

void put_number(struct writer *to, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++, to->length++)
		if (to->length < to->size) to->bytes[to->length] = (uint8_t)(value >> (8 * i));
}

void put_blob(struct writer *to, const void *bytes, size_t length)
{
	put_number(to, length, 4);
	if (to->length + length + 1 <= to->size) {
		memcpy(to->bytes + to->length, bytes, length);
		to->bytes[to->length + length] = 0;
	}
	to->length += length + 1;
}

void put_text(struct writer *to, const char *text) { put_blob(to, text, strlen(text)); }

void begin_frame(struct writer *to, uint8_t *bytes, size_t size, uint32_t id, uint16_t type)
{
	*to = (struct writer){ .bytes = bytes, .size = size };
	put_number(to, 0, 4);
	put_number(to, id, 4);
	put_number(to, type, 2);
}

/* Fills in the length. What did not fit is cut off, which the other side sees as a malformed payload, never as another. */
void end_frame(struct writer *to)
{
	if (to->length > to->size) to->length = to->size;
	struct writer length = { .bytes = to->bytes, .size = 4 };
	put_number(&length, to->length - FRAME_HEADER, 4);
}

void put_failure(struct writer *to, const struct failure *failure)
{
	put_text(to, failure->stage);
	put_number(to, (uint32_t)failure->error, 4);
	put_text(to, failure->message);
}

static bool reserve(struct inbox *inbox, size_t size)
{
	if (inbox->size >= size) return true;
	size = (size + 0xffff) & ~(size_t)0xffff;
	void *bytes = inbox->bytes == NULL ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
	                                   : mremap(inbox->bytes, inbox->size, size, MREMAP_MAYMOVE);
	if (bytes == MAP_FAILED) return false;
	inbox->bytes = bytes;
	inbox->size = size;
	return true;
}

/* A whole frame that is there already, with nothing read. */
enum frame_result parse_frame(struct inbox *inbox, struct frame *frame)
{
	if (inbox->length < FRAME_HEADER) return FRAME_NONE;
	struct reader header = { inbox->bytes + inbox->start, inbox->bytes + inbox->start + FRAME_HEADER, false };
	size_t length = read_number(&header, 4);
	frame->id = (uint32_t)read_number(&header, 4);
	frame->type = (uint16_t)read_number(&header, 2);
	if (length > FRAME_MAX) return FRAME_BAD;
	if (!reserve(inbox, inbox->start + length + FRAME_HEADER)) return FRAME_BAD;
	if (inbox->length < length + FRAME_HEADER) return FRAME_NONE;
	uint8_t *payload = inbox->bytes + inbox->start + FRAME_HEADER;
	frame->payload = (struct reader){ payload, payload + length, false };
	return FRAME_WHOLE;
}

/* Reads what is there without waiting. FRAME_NONE: not yet whole. */
enum frame_result read_frame(int fd, struct inbox *inbox, struct frame *frame)
{
	enum frame_result result = parse_frame(inbox, frame);
	while (result == FRAME_NONE) {
		/* Once for many frames, as there are many in one piece. */
		if (inbox->start > 0) memmove(inbox->bytes, inbox->bytes + inbox->start, inbox->length);
		inbox->start = 0;
		if (!reserve(inbox, inbox->length + 4096)) return FRAME_BAD;
		ssize_t n = recv(fd, inbox->bytes + inbox->length, inbox->size - inbox->length, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) return FRAME_NONE;
		if (n <= 0) return FRAME_CLOSED;
		inbox->length += (size_t)n;
		result = parse_frame(inbox, frame);
	}
	return result;
}

/* Forgets the frame that was last parsed; what follows it stays. */
void drop_frame(struct inbox *inbox, const struct frame *frame)
{
	size_t end = (size_t)(frame->payload.end - inbox->bytes);
	inbox->length -= end - inbox->start;
	inbox->start = inbox->length == 0 ? 0 : end;
	if (inbox->length == 0 && inbox->size > 0x10000) free_inbox(inbox);
}

void free_inbox(struct inbox *inbox)
{
	if (inbox->bytes != NULL) munmap(inbox->bytes, inbox->size);
	*inbox = (struct inbox){ 0 };
}
