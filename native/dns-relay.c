/*
 * Names for the container: UDP and TCP 127.0.0.11:53 inside its network namespace. Questions go to the daemon over its
 * control connection, and answers come back there. They are read only as fast as the daemon takes them; without one they
 * wait in the socket. dns-streams.c has what is of TCP.
 */
#include "dns-relay.h"
#include "kernel-calls.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <sys/epoll.h>

enum { RECEIVE_ROOM = 512 << 10, SEND_ROOM = 128 << 10, RESUME_AT = QUESTIONS / 8, HERE = 0x7f00000b };

static struct relay *relay; /* NULL: the container asks elsewhere */

static int bound_socket(int type, uint16_t port)
{
	const struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(HERE) };
	const int on = 1, receive = RECEIVE_ROOM, send = SEND_ROOM;
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return -1;
	/* The container's loopback may not be up yet. */
	(void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (type == SOCK_DGRAM) (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive, sizeof receive);
	else (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof send);
	if (bind(fd, (const struct sockaddr *)&here, sizeof here) == 0 && (type == SOCK_DGRAM || listen(fd, STREAMS) == 0)) return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Something has changed of what decides whether questions are read: the daemon, what it has not taken yet, room in the table. */
void regulate_dns(void)
{
	if (relay == NULL) return;
	bool flowing = monitor.control != NULL && monitor.control->wants_questions && monitor.control->backlog == NULL &&
	               relay->free_count > (relay->flowing ? 0 : RESUME_AT);
	if (flowing == relay->flowing) return;
	relay->flowing = flowing;
	watch(&relay->datagrams, flowing ? EPOLLIN : 0);
	regulate_streams(relay);
}

struct question *keep_question(void)
{
	if (!relay->flowing || relay->free_count == 0) return NULL;
	struct question *question = &relay->questions[relay->free[--relay->free_count]];
	/* Another number each time: an answer that comes late answers nobody. */
	question->id += QUESTIONS;
	question->asked = true;
	return question;
}

static void forget(struct question *question)
{
	question->asked = false;
	question->stream = NULL;
	relay->free[relay->free_count++] = (uint16_t)(question - relay->questions);
}

void forget_questions_of(const struct stream *stream)
{
	for (uint32_t i = 0; i < QUESTIONS; i++)
		if (relay->questions[i].asked && relay->questions[i].stream == stream) forget(&relay->questions[i]);
}

/* For a question of that length, behind those that have been put. */
bool has_room(size_t length) { return relay->frames_length + length + FRAME_AROUND <= sizeof relay->frames; }

void put_question(const struct question *question, const uint8_t *bytes, size_t length)
{
	struct writer frame;
	begin_frame(&frame, relay->frames + relay->frames_length, sizeof relay->frames - relay->frames_length, 0, MSG_DNS_QUERY);
	put_number(&frame, question->id, 4);
	put_number(&frame, question->stream != NULL, 1);
	put_blob(&frame, bytes, length);
	end_frame(&frame);
	relay->frames_length += frame.length;
}

/* All that has been put since the last time, in one piece. The daemon may be lost by it. */
void send_questions(void)
{
	struct writer frames = { .bytes = relay->frames, .length = relay->frames_length };
	relay->frames_length = 0;
	if (frames.length > 0) send_event(&frames);
	regulate_dns();
}

/* As many as there are, up to a batch: then it is the turn of others. */
static void datagrams_ready(struct source *source, uint32_t events)
{
	struct mmsghdr messages[BATCH];
	struct sockaddr_in from[BATCH];
	struct iovec parts[BATCH];
	unsigned room = relay->free_count < BATCH ? relay->free_count : BATCH;
	(void)events;
	regulate_dns();
	if (!relay->flowing) return;
	memset(messages, 0, sizeof messages);
	for (unsigned i = 0; i < room; i++) {
		parts[i] = (struct iovec){ relay->received[i], DATAGRAM_MAX };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	int count = recvmmsg(source->fd, messages, room, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		/* No question is that long, or has no bytes at all. */
		if (messages[i].msg_len == 0 || (messages[i].msg_hdr.msg_flags & MSG_TRUNC)) continue;
		struct question *question = keep_question();
		if (question == NULL) break;
		question->from = from[i];
		put_question(question, relay->received[i], messages[i].msg_len);
	}
	send_questions();
}

/* From the address that was asked: a socket that was bound before there were addresses would take the first one. */
static void answer_datagram(const struct sockaddr_in *to, struct blob answer)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO } };
	const struct in_pktinfo from = { .ipi_spec_dst.s_addr = htonl(HERE) };
	struct iovec part = { answer.bytes, answer.length };
	struct msghdr message = { .msg_name = (void *)(uintptr_t)to, .msg_namelen = sizeof *to, .msg_iov = &part, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof control };
	memcpy(CMSG_DATA(&control.header), &from, sizeof from);
	(void)sendmsg(relay->datagrams.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* u32 id, blob: empty where no answer is due. */
void answer_question(struct reader *from)
{
	uint32_t id = (uint32_t)read_number(from, 4);
	struct blob answer = read_blob(from);
	struct question *question = relay == NULL ? NULL : &relay->questions[id % QUESTIONS];
	if (from->bad || question == NULL || !question->asked || question->id != id) return;
	struct stream *stream = question->stream;
	struct sockaddr_in to = question->from;
	forget(question);
	if (stream != NULL) answer_stream(relay, stream, answer);
	else if (answer.length > 0) answer_datagram(&to, answer);
	if (!relay->flowing) regulate_dns();
}

/* The daemon has gone: who has asked asks again. */
void forget_questions(void)
{
	if (relay == NULL) return;
	close_streams(relay);
	for (uint32_t i = 0; i < QUESTIONS; i++)
		if (relay->questions[i].asked) forget(&relay->questions[i]);
	regulate_dns();
}

/* In the container's network namespace, which it has for itself. Open already is fine. */
bool open_dns(const struct dns_plan *plan, struct failure *failure)
{
	if (plan->port == 0 || relay != NULL) return true;
	if (monitor.network < 0) return fail(failure, "dns", EINVAL, "the container has no network of its own");
	struct relay *new = new_pages(sizeof *new);
	if (new == NULL) return fail(failure, "dns", ENOMEM, "127.0.0.11:53");
	new->datagrams = (struct source){ .fd = -1, .ready = datagrams_ready };
	prepare_streams(new);
	if (!enter_network(monitor.network)) return fail(failure, "dns", errno, "the container's network namespace");
	if ((new->datagrams.fd = bound_socket(SOCK_DGRAM, plan->port)) >= 0) new->listener.fd = bound_socket(SOCK_STREAM, plan->port);
	bool ok = new->listener.fd >= 0 || fail(failure, "dns", errno, "127.0.0.11:%u", plan->port);
	if (ok && plan->rules.length > 0) ok = send_netlink(NETLINK_NETFILTER, false, plan->rules.bytes, plan->rules.length, NULL, NULL, failure);
	leave_network();
	if (!ok) {
		if (new->datagrams.fd >= 0) close(new->datagrams.fd);
		if (new->listener.fd >= 0) close(new->listener.fd);
		free_pages(new, sizeof *new);
		return false;
	}
	for (uint32_t i = 0; i < QUESTIONS; i++) {
		new->questions[i].id = i;
		new->free[i] = (uint16_t)(QUESTIONS - 1 - i);
	}
	new->free_count = QUESTIONS;
	relay = new;
	regulate_dns();
	return true;
}

void close_dns(void)
{
	if (relay == NULL) return;
	close_streams(relay);
	unwatch(&relay->datagrams);
	unwatch(&relay->listener);
	unwatch(&relay->clock);
	free_pages(relay, sizeof *relay);
	relay = NULL;
}
