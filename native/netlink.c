/*
 * Netlink: sends finished messages and collects what comes back. A socket belongs to the network namespace it was made
 * in, so a request in another namespace is a visit of one system call, not a process.
 */
#include "kernel-calls.h"
#include "native.h"
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

static bool is_ignored(const struct words *ignore, int error)
{
	for (uint32_t i = 0; ignore != NULL && i < ignore->count; i++)
		if (word_at(ignore, i) == (uint32_t)error) return true;
	return false;
}

/* The kernel's own words for a refusal: NLMSGERR_ATTR_MSG behind the error, if it gave them. */
static const char *kernel_words(const struct nlmsghdr *message, size_t size)
{
	size_t at = NLMSG_HDRLEN + sizeof(struct nlmsgerr);
	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS)) return "";
	if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
		struct nlmsgerr refused;
		memcpy(&refused, (const uint8_t *)message + NLMSG_HDRLEN, sizeof refused);
		if (refused.msg.nlmsg_len < sizeof refused.msg) return "";
		at += NLMSG_ALIGN(refused.msg.nlmsg_len) - sizeof refused.msg;
	}
	while (at + sizeof(struct nlattr) <= size) {
		struct nlattr attribute;
		memcpy(&attribute, (const uint8_t *)message + at, sizeof attribute);
		if (attribute.nla_len < NLA_HDRLEN || at + attribute.nla_len > size) return "";
		const char *text = (const char *)message + at + NLA_HDRLEN;
		if (attribute.nla_type == NLMSGERR_ATTR_MSG && memchr(text, 0, attribute.nla_len - NLA_HDRLEN) != NULL) return text;
		at += NLMSG_ALIGN(attribute.nla_len);
	}
	return "";
}

/* One datagram of answers. @returns false at the first error that is not ignored */
static bool check_answers(const uint8_t *bytes, size_t length, const struct words *ignore, struct failure *failure)
{
	for (size_t at = 0; at + NLMSG_HDRLEN <= length;) {
		struct nlmsghdr header;
		memcpy(&header, bytes + at, sizeof header);
		if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > length - at) return fail(failure, "netlink", EPROTO, "malformed answer");
		if (header.nlmsg_type == NLMSG_ERROR && header.nlmsg_len >= NLMSG_HDRLEN + sizeof(struct nlmsgerr)) {
			int32_t error;
			memcpy(&error, bytes + at + NLMSG_HDRLEN, sizeof error);
			if (error != 0 && !is_ignored(ignore, -error))
				return fail(failure, "netlink", -error, "%s", kernel_words((const struct nlmsghdr *)(const void *)(bytes + at), header.nlmsg_len));
		}
		at += NLMSG_ALIGN(header.nlmsg_len);
	}
	return true;
}

static bool exchange(int fd, const uint8_t *message, size_t length, const struct words *ignore, struct writer *answers, struct failure *failure)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	if (sendto(fd, message, length, 0, (const struct sockaddr *)&kernel, sizeof kernel) != (ssize_t)length)
		return fail(failure, "netlink", errno, "cannot send");
	/* Answers are queued before send returns, and the next part of a dump as soon as one has been read: nothing to wait for. */
	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_size = sizeof from;
		ssize_t n = recvfrom(fd, scratch, sizeof scratch, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &from_size);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) return true;
		if (n < 0) return fail(failure, "netlink", errno, "cannot receive");
		if (from.nl_pid != 0) continue;
		if ((size_t)n > sizeof scratch) return fail(failure, "netlink", EMSGSIZE, "answer too long");
		if (!check_answers(scratch, (size_t)n, ignore, failure)) return false;
		if (answers == NULL) continue;
		if (answers->length + (size_t)n > answers->size) return fail(failure, "netlink", EMSGSIZE, "answers too long");
		memcpy(answers->bytes + answers->length, scratch, (size_t)n);
		answers->length += (size_t)n;
	}
}

static int open_netlink(int protocol)
{
	int on = 1, room = 1 << 20;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (fd < 0) return -1;
	/* A long batch is refused without room for it; these three may fail on old kernels. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	return fd;
}

/*
 * @param keep the process stays in the network namespace that it is in: a socket of nf_tables is then kept, since
 *             closing one after a deletion waits 7 to 20 ms for the kernel (RCU)
 */
bool send_netlink(int protocol, bool keep, uint8_t *message, size_t length, const struct words *ignore, struct writer *answers, struct failure *failure)
{
	static int kept = -1;
	static pid_t kept_by;
	/* A fork has its parent's: it may be another namespace's by now. */
	keep = keep && protocol == NETLINK_NETFILTER;
	bool known = keep && kept >= 0 && kept_by == getpid();
	int fd = known ? kept : open_netlink(protocol);
	if (fd < 0) return fail(failure, "netlink", errno, "cannot open a socket");
	bool ok = exchange(fd, message, length, ignore, answers, failure);
	if (keep && ok) {
		kept = fd;
		kept_by = getpid();
	} else {
		if (known) kept = -1;
		close(fd);
	}
	return ok;
}

/* Sends an operation's message, with `network_namespace` written where the message wants a descriptor of it. `keep`: see send_netlink. */
bool run_netlink_op(const struct op *op, int network_namespace, bool keep, struct failure *failure)
{
	for (uint32_t i = 0; i < op->words[0].count; i++) {
		uint32_t at = word_at(&op->words[0], i);
		int32_t descriptor = network_namespace;
		if (op->data.length < sizeof descriptor || at > op->data.length - sizeof descriptor || descriptor < 0)
			return fail(failure, op->name, EINVAL, "no place or no namespace for a descriptor at %u", at);
		memcpy(op->data.bytes + at, &descriptor, sizeof descriptor);
	}
	return send_netlink((int)op->number[0], keep, op->data.bytes, op->data.length, &op->words[1], NULL, failure);
}

/* For the sockets and the /proc/sys/net of another network namespace; what is open stays in its own. */
bool enter_network(int namespace) { return setns(namespace, CLONE_NEWNET) == 0; }

/* To serve the next request in somebody else's namespace would be worse than to end. */
void leave_network(void)
{
	if (setns(our.host_network, CLONE_NEWNET) != 0) abort();
}

/* In the network namespace of `pid`, 0: ours. */
bool netlink_in(pid_t pid, int protocol, uint8_t *message, size_t length, struct writer *answers, struct failure *failure)
{
	char path[64];
	if (pid == 0) return send_netlink(protocol, true, message, length, NULL, answers, failure);
	snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
	int there = open(path, O_RDONLY | O_CLOEXEC);
	if (there < 0 || !enter_network(there)) {
		int error = errno;
		if (there >= 0) close(there);
		return fail(failure, "netlink", error, "%s", path);
	}
	close(there);
	bool ok = send_netlink(protocol, false, message, length, NULL, answers, failure);
	leave_network();
	return ok;
}
