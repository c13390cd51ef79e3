/*
 * Datagrams that are passed on: for each client that has sent one there is a socket that is connected to the container, so
 * that what comes back there is the client's. Who has been silent for a while is forgotten, and in need who was for longest.
 */
#include "port-relay.h"
#include "kernel-calls.h"
#include <sys/epoll.h>

enum { AT_ONCE = 32, BUCKETS = 1024 };

/* What is told with a datagram: by which of our addresses it came or is to go. */
union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct flow {
	struct source source;         /* fd 0: none */
	const struct relayed *relayed;
	struct flow *next;            /* of the bucket */
	union address client;
	socklen_t client_size;
	union control control;
	size_t control_length;
	int64_t active_ms;
};

static struct flow flows[FLOWS], *buckets[BUCKETS];

void prepare_datagrams(const struct relayed *relayed)
{
	const int on = 1;
	if (relayed->port.at.is_v6) (void)setsockopt(relayed->source.fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
	else (void)setsockopt(relayed->source.fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
}

static struct flow **bucket_of(const struct relayed *relayed, const union address *client)
{
	const uint8_t *bytes = client->any.sa_family == AF_INET6 ? (const uint8_t *)&client->v6.sin6_addr : (const uint8_t *)&client->v4.sin_addr;
	uint32_t hash = 2166136261U ^ (uint32_t)relayed->source.fd ^ (uint32_t)client->v4.sin_port << 8;
	for (int i = 0; i < (client->any.sa_family == AF_INET6 ? 16 : 4); i++) hash = (hash ^ bytes[i]) * 16777619U;
	return &buckets[(hash ^ hash >> 16) % BUCKETS];
}

static void close_flow(struct flow *flow)
{
	struct flow **at = bucket_of(flow->relayed, &flow->client);
	while (*at != NULL && *at != flow) at = &(*at)->next;
	if (*at == flow) *at = flow->next;
	unwatch(&flow->source);
	flow->source.fd = 0;
}

void forget_flows(const struct relayed *relayed)
{
	for (uint32_t i = 0; i < FLOWS; i++)
		if (flows[i].source.fd > 0 && flows[i].relayed == relayed) close_flow(&flows[i]);
}

void sweep_flows(void)
{
	int64_t now = now_ms();
	for (uint32_t i = 0; i < FLOWS; i++)
		if (flows[i].source.fd > 0 && now - flows[i].active_ms > FLOW_IDLE_MS) close_flow(&flows[i]);
}

/* What the container answers, on to the client, from the address that the client has asked. */
static void answer_came(struct source *source, uint32_t events)
{
	struct flow *flow = source->owner;
	(void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		ssize_t n = recv(source->fd, scratch, sizeof scratch, MSG_DONTWAIT);
		if (n < 0) return; /* an error is the container's port being closed at the moment: told once */
		struct iovec part = { scratch, (size_t)n };
		struct msghdr message = { .msg_name = &flow->client, .msg_namelen = flow->client_size, .msg_iov = &part, .msg_iovlen = 1,
			.msg_control = flow->control_length > 0 ? &flow->control : NULL, .msg_controllen = flow->control_length };
		flow->active_ms = now_ms();
		(void)sendmsg(flow->relayed->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

static struct flow *quietest_flow(void)
{
	struct flow *quietest = &flows[0];
	for (uint32_t i = 0; i < FLOWS; i++) {
		if (flows[i].source.fd <= 0) return &flows[i];
		if (flows[i].active_ms < quietest->active_ms) quietest = &flows[i];
	}
	close_flow(quietest);
	return quietest;
}

static struct flow *new_flow(const struct relayed *relayed, const struct msghdr *message)
{
	union address to;
	socklen_t size = socket_address(&relayed->port.to, &to);
	int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return NULL;
	if (connect(fd, &to.any, size) != 0) {
		close(fd);
		return NULL;
	}
	struct flow *flow = quietest_flow();
	*flow = (struct flow){ .source = { .fd = fd, .ready = answer_came, .owner = flow }, .relayed = relayed, .client_size = message->msg_namelen };
	memcpy(&flow->client, message->msg_name, message->msg_namelen);
	struct flow **bucket = bucket_of(relayed, &flow->client);
	flow->next = *bucket;
	*bucket = flow;
	watch(&flow->source, EPOLLIN);
	return flow;
}

/* Our address that the datagram came to, so that the answer comes from there; which interface it goes out by is for the routes. */
static void keep_address(struct flow *flow, struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	flow->control_length = 0;
	if (header == NULL || message->msg_controllen > sizeof flow->control) return;
	memcpy(&flow->control, header, message->msg_controllen);
	flow->control_length = message->msg_controllen;
	if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo info;
		memcpy(&info, CMSG_DATA(header), sizeof info);
		info = (struct in_pktinfo){ .ipi_spec_dst = info.ipi_addr };
		memcpy(CMSG_DATA(&flow->control.header), &info, sizeof info);
	} else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
		struct in6_pktinfo info;
		memcpy(&info, CMSG_DATA(header), sizeof info);
		if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = 0;
		memcpy(CMSG_DATA(&flow->control.header), &info, sizeof info);
	}
}

static struct flow *flow_of(const struct relayed *relayed, struct msghdr *message)
{
	const union address *client = message->msg_name;
	struct flow *flow = *bucket_of(relayed, client);
	while (flow != NULL && (flow->relayed != relayed || flow->client_size != message->msg_namelen || memcmp(&flow->client, client, flow->client_size) != 0))
		flow = flow->next;
	if (flow == NULL) flow = new_flow(relayed, message);
	if (flow == NULL) return NULL;
	keep_address(flow, message);
	flow->active_ms = now_ms();
	return flow;
}

void datagrams_in(struct source *source, uint32_t events)
{
	const struct relayed *relayed = source->owner;
	(void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		union address client;
		union control control;
		struct iovec part = { scratch, sizeof scratch };
		struct msghdr message = { .msg_name = &client, .msg_namelen = sizeof client, .msg_iov = &part, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = sizeof control };
		memset(&client, 0, sizeof client);
		ssize_t n = recvmsg(source->fd, &message, MSG_DONTWAIT);
		if (n < 0) return;
		struct flow *flow = flow_of(relayed, &message);
		if (flow == NULL) continue;
		/* An error that is told here is of an earlier datagram. */
		if (send(flow->source.fd, scratch, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED)
			(void)send(flow->source.fd, scratch, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}
