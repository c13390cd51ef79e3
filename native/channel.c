/* Messages between a monitor and what it cloned, and descriptors that travel with them. */
#include "kernel-calls.h"
#include "native.h"
#include <stddef.h>
#include <sys/socket.h>

/* Sends bytes with at most one descriptor. */
bool send_descriptor(int socket, const void *bytes, size_t length, int descriptor)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	if (descriptor >= 0) {
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
	}
	for (;;) {
		ssize_t n = sendmsg(socket, &message, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		return n == (ssize_t)length;
	}
}

ssize_t receive_with_descriptor(int socket, void *bytes, size_t size, int *descriptor, int flags)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t n;
	*descriptor = -1;
	/* Who ends without having read all that it was sent resets the connection; what it said before is still there to be read. */
	for (int resets = 0;;) {
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
		if (n >= 0 || (errno != EINTR && (errno != ECONNRESET || resets++ > 0))) break;
	}
	struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
	return n;
}

/* The descriptor that comes with the next bytes, or -1. */
int receive_descriptor(int socket)
{
	uint8_t bytes[64];
	int descriptor;
	return receive_with_descriptor(socket, bytes, sizeof bytes, &descriptor, 0) > 0 ? descriptor : -1;
}

bool send_channel(int channel, char kind, int descriptor) { return send_descriptor(channel, &kind, 1, descriptor); }

bool send_channel_failure(int channel, const struct failure *failure)
{
	struct channel_message message = { .kind = 'F', .error = failure->error };
	copy_text(message.stage, sizeof message.stage, failure->stage);
	copy_text(message.message, sizeof message.message, failure->message);
	return send_descriptor(channel, &message, sizeof message, -1);
}

ssize_t receive_channel(int channel, struct channel_message *message, int *descriptor, int flags)
{
	memset(message, 0, sizeof *message);
	ssize_t n = receive_with_descriptor(channel, message, sizeof *message, descriptor, flags);
	message->stage[sizeof message->stage - 1] = message->message[sizeof message->message - 1] = 0;
	return n;
}

/* @returns false when the other side has gone or says something else */
bool wait_for(int channel, char kind)
{
	struct channel_message message;
	int descriptor;
	ssize_t n = receive_channel(channel, &message, &descriptor, 0);
	if (descriptor >= 0) close(descriptor);
	return n > 0 && message.kind == kind;
}
