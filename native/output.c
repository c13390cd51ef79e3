/*
 * What a worker sends: to the daemon, or to the daemon's client itself, whose connection it then has besides the daemon.
 * That one does not wait, so this does; should the daemon's own connection end meanwhile, so does the work.
 */
#include "kernel-calls.h"
#include "trees.h"
#include <poll.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

/* Until there is room. @returns false when the work is to end */
static bool wait_for_room(struct output *to)
{
	struct pollfd both[2] = { { .fd = to->fd, .events = POLLOUT }, { .fd = to->control, .events = POLLRDHUP } };
	while (poll(both, 2, -1) < 0)
		if (errno != EINTR) return false;
	return (both[1].revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0 && (both[0].revents & POLLERR) == 0;
}

static bool is_temporary(struct output *to) { return errno == EINTR || (errno == EAGAIN && wait_for_room(to)); }

static void send_parts(struct output *to, struct iovec *parts, int count)
{
	while (count > 0 && !to->broken) {
		ssize_t n = writev(to->fd, parts, count);
		if (n < 0) {
			to->broken = !is_temporary(to);
			continue;
		}
		for (; count > 0 && (size_t)n >= parts->iov_len; parts++, count--) n -= (ssize_t)parts->iov_len;
		if (count > 0) *parts = (struct iovec){ (uint8_t *)parts->iov_base + n, parts->iov_len - (size_t)n };
	}
}

static struct iovec chunk_head(char *into, size_t size, uint64_t length)
{
	return (struct iovec){ into, (size_t)snprintf(into, size, "%llx\r\n", (unsigned long long)length) };
}

bool flush_output(struct output *to)
{
	char head[24], tail[] = "\r\n";
	struct iovec parts[] = { chunk_head(head, sizeof head, to->length), { to->bytes, to->length }, { tail, 2 } };
	if (to->length > 0 && to->framed) send_parts(to, parts, 3);
	else if (to->length > 0) send_parts(to, parts + 1, 1);
	to->length = 0;
	return !to->broken;
}

/* Room for `length` bytes in one piece; they count when `to->length` is raised. */
uint8_t *reserve_output(struct output *to, size_t length)
{
	if (sizeof to->bytes - to->length < length) flush_output(to);
	return to->bytes + to->length;
}

void put_output(struct output *to, const void *bytes, size_t length)
{
	const uint8_t *from = bytes;
	while (length > 0 && !to->broken) {
		size_t part = length < sizeof to->bytes ? length : sizeof to->bytes;
		memcpy(reserve_output(to, part), from, part);
		to->length += part;
		from += part;
		length -= part;
	}
}

/* Through memory. A file that has become shorter is filled up with zeros. */
static bool copy_contents(struct output *to, int file, uint64_t size)
{
	for (uint64_t left = size; left > 0 && !to->broken;) {
		uint8_t *into = reserve_output(to, left < TREE_BUFFER / 4 ? (size_t)left : TREE_BUFFER / 4);
		size_t room = sizeof to->bytes - to->length;
		ssize_t n = read(file, into, left < room ? (size_t)left : room);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return false;
		if (n == 0) {
			n = (ssize_t)(left < room ? left : room);
			memset(into, 0, (size_t)n);
		}
		to->length += (size_t)n;
		left -= (uint64_t)n;
	}
	return true;
}

/* @returns bytes sent without passing through memory of ours; fewer than asked for where that does not go on */
static uint64_t send_directly(struct output *to, int file, uint64_t length)
{
	uint64_t sent = 0;
	while (sent < length && !to->broken) {
		uint64_t part = length - sent < (1 << 20) ? length - sent : 1 << 20;
		ssize_t n = sendfile(to->fd, file, NULL, (size_t)part);
		if (n > 0) sent += (uint64_t)n;
		else if (n == 0 || errno == EINVAL || errno == ENOSYS || errno == EIO) break;
		else to->broken = !is_temporary(to);
	}
	return sent;
}

/* @returns false with errno when the file cannot be read */
bool send_file_contents(struct output *to, int file, uint64_t size)
{
	char head[24], tail[] = "\r\n";
	struct iovec before = chunk_head(head, sizeof head, size), after = { tail, 2 };
	/* For little, sending what is gathered costs more than copying. */
	if (size < TREE_BUFFER / 2) return copy_contents(to, file, size);
	if (!flush_output(to)) return true;
	if (to->framed) send_parts(to, &before, 1);
	uint64_t sent = send_directly(to, file, size);
	if (to->broken) return true;
	/* The chunk has been told its length: what is missing is no chunk of its own. */
	bool framed = to->framed;
	to->framed = false;
	bool ok = copy_contents(to, file, size - sent);
	flush_output(to);
	to->framed = framed;
	if (framed) send_parts(to, &after, 1);
	return ok;
}
