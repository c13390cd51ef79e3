/* Datagrams to a unix socket, which Node cannot send: journald and a local syslog take nothing else. */
#include "kernel-calls.h"
#include "native.h"
#include <sys/socket.h>
#include <sys/un.h>

/*
 * Sends in order until the receiver takes no more. @returns how many it has taken; too long ones, which it would never
 * take, count as taken. Nothing taken at all and a receiver that is not there is a failure.
 */
bool send_datagrams(const char *path, uint32_t count, struct reader *from, uint32_t *taken, struct failure *failure)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	*taken = 0;
	if (strlen(path) >= sizeof address.sun_path) return fail(failure, "dial", ENAMETOOLONG, "%s", path);
	copy_text(address.sun_path, sizeof address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		fail(failure, "dial", errno, "%s", path);
		if (fd >= 0) close(fd);
		return false;
	}
	for (; *taken < count; ++*taken) {
		struct blob datagram = read_blob(from);
		if (from->bad) break;
		ssize_t n = send(fd, datagram.bytes, datagram.length, MSG_NOSIGNAL);
		if (n < 0 && errno != EMSGSIZE) break;
	}
	int error = errno;
	close(fd);
	if (from->bad) return fail(failure, "dial", EINVAL, "malformed request");
	return *taken == count || *taken > 0 || error == EAGAIN || error == ENOBUFS || fail(failure, "dial", error, "%s", path);
}
