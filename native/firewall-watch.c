/*
 * Tells the daemon that somebody has changed tables, chains, rules or sets of the firewall. The elements of sets and maps
 * are the daemon's daily work: a filter in the kernel keeps their news from waking anybody.
 */
#include "kernel-calls.h"
#include "native.h"
#include "protocol.h"
#include <linux/filter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

/* How long to stay silent after each event: what comes meanwhile is told in one. */
enum { PAUSE_MS = 250 };

/* @returns a socket that is readable after a change, or -1 */
int watch_firewall(struct failure *failure)
{
	/* The type of a datagram's first message: u16 of the host's order at 4, subsystem in its upper half. */
	const uint32_t type_at = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 4 : 5;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9 - type_at),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NFNL_SUBSYS_NFTABLES, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, type_at),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NFT_MSG_DELSET, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = { .len = sizeof code / sizeof *code, .filter = code };
	const struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1U << (NFNLGRP_NFTABLES - 1) };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0 &&
	    bind(fd, (const struct sockaddr *)&group, sizeof group) == 0)
		return fd;
	fail(failure, "watch-firewall", errno, "cannot listen for changes");
	if (fd >= 0) close(fd);
	return -1;
}

/* Takes all that has come. @returns whether it was anything: also what there was no room for */
static bool take_changes(int fd)
{
	bool any = false;
	for (;;) {
		ssize_t n = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && errno != EINTR && errno != ENOBUFS) return any;
		any = true;
	}
}

/* Takes what has come and tells of it. @returns when the socket is to be looked at again, in ms of `now_ms` */
int64_t report_firewall(int fd, int daemon)
{
	uint8_t bytes[64];
	struct writer event;
	if (!take_changes(fd)) return 0;
	begin_frame(&event, bytes, sizeof bytes, 0, MSG_FIREWALL_CHANGED);
	end_frame(&event);
	(void)write_all(daemon, event.bytes, event.length);
	return now_ms() + PAUSE_MS;
}
