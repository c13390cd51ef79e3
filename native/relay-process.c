/*
 * The process that passes on what comes to a container's relayed ports. It has the ports' sockets and nothing else: no
 * other descriptor, no capability. It ends with the monitor.
 */
#include "port-relay.h"
#include "kernel-calls.h"
#include <linux/capability.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>

enum { ROUNDS = 4, PART = 64 << 10 };

struct connection;
/* One of a connection's two sockets. */
struct side {
	struct source source;
	struct connection *connection;
	struct side *other;
	uint8_t *pending;             /* what is to be sent here and was not taken yet; PART bytes while there is some */
	size_t pending_at, pending_length;
	bool read_ended;              /* its end has been read */
};
struct connection {
	struct side client, server;
	bool connecting;
	struct connection *next_free;
};

static struct relayed ports[RELAYED_PORTS];
static struct connection connections[CONNECTIONS], *free_connections;
static uint32_t never_used;
static bool full; /* nobody is let in until somebody has gone, or a while has passed */
static struct source orders, ticks;

static void let_in(bool yes)
{
	if (full == !yes) return;
	full = !yes;
	for (uint32_t i = 0; i < RELAYED_PORTS; i++)
		if (ports[i].source.fd > 0 && ports[i].port.protocol == IPPROTO_TCP) watch(&ports[i].source, yes ? EPOLLIN : 0);
}

static void close_side(struct side *side)
{
	unwatch(&side->source);
	if (side->pending != NULL) free_pages(side->pending, PART);
	side->pending = NULL;
}

static void close_connection(struct connection *connection)
{
	close_side(&connection->client);
	close_side(&connection->server);
	connection->next_free = free_connections;
	free_connections = connection;
	let_in(true);
}

static struct connection *new_connection(void)
{
	struct connection *connection = free_connections;
	if (connection != NULL) free_connections = connection->next_free;
	else if (never_used < CONNECTIONS) connection = &connections[never_used++];
	return connection;
}

/* What a side is watched for: input while the other one has taken all, room while it has something to take. */
static void regulate(struct side *side)
{
	uint32_t events = (!side->read_ended && side->other->pending == NULL ? EPOLLIN : 0) | (side->pending != NULL ? EPOLLOUT : 0);
	if (events == side->source.events) return;
	if (events == 0) rest(&side->source);
	else watch(&side->source, events);
}

/* @returns false when the connection is of no use any more */
static bool flush(struct side *side)
{
	while (side->pending != NULL) {
		ssize_t n = send(side->source.fd, side->pending + side->pending_at, side->pending_length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0) return errno == EAGAIN || errno == EINTR;
		side->pending_at += (size_t)n;
		side->pending_length -= (size_t)n;
		if (side->pending_length > 0) continue;
		free_pages(side->pending, PART);
		side->pending = NULL;
	}
	return true;
}

static bool pass_on(struct side *to, const uint8_t *bytes, size_t length)
{
	ssize_t n = send(to->source.fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
	if (n < 0) n = 0;
	if ((size_t)n == length) return true;
	if ((to->pending = new_pages(PART)) == NULL) return false;
	to->pending_at = 0;
	to->pending_length = length - (size_t)n;
	memcpy(to->pending, bytes + n, to->pending_length);
	return true;
}

static bool take_in(struct side *side)
{
	for (int round = 0; round < ROUNDS && side->other->pending == NULL; round++) {
		ssize_t n = recv(side->source.fd, scratch, PART, MSG_DONTWAIT);
		if (n < 0) return errno == EAGAIN || errno == EINTR;
		if (n == 0) {
			side->read_ended = true;
			return shutdown(side->other->source.fd, SHUT_WR) == 0;
		}
		if (!pass_on(side->other, scratch, (size_t)n)) return false;
	}
	return true;
}

static void side_ready(struct source *source, uint32_t events)
{
	struct side *side = source->owner;
	struct connection *connection = side->connection;
	bool ok = true;
	if (connection->connecting) {
		int error = 0;
		socklen_t size = sizeof error;
		connection->connecting = false;
		ok = getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
	}
	if (ok && (events & EPOLLOUT)) ok = flush(side);
	if (ok && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !side->read_ended && side->other->pending == NULL) ok = take_in(side);
	/* Both have ended and have all that there was. */
	if (ok && side->read_ended && side->other->read_ended && side->pending == NULL && side->other->pending == NULL) ok = false;
	if (!ok) {
		close_connection(connection);
		return;
	}
	regulate(side);
	regulate(side->other);
}

/* As between the two themselves: nothing waits for more, and who has vanished is noticed. */
static void set_up(int fd)
{
	const int on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void client_came(struct source *source, uint32_t events)
{
	const struct relayed *relayed = source->owner;
	union address address;
	socklen_t size = socket_address(&relayed->port.to, &address);
	(void)events;
	struct connection *connection = new_connection();
	if (connection == NULL) {
		let_in(false);
		return;
	}
	*connection = (struct connection){ .connecting = true };
	struct side *client = &connection->client, *server = &connection->server;
	*client = (struct side){ .source = { .fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), .ready = side_ready, .owner = client },
		.connection = connection, .other = server };
	/* Without a descriptor to spare there is no use in trying at once again. */
	bool short_of = client->source.fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS);
	*server = (struct side){ .source = { .fd = client->source.fd < 0 ? -1 : socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
		.ready = side_ready, .owner = server }, .connection = connection, .other = client };
	if (server->source.fd >= 0 && (connect(server->source.fd, &address.any, size) == 0 || errno == EINPROGRESS)) {
		set_up(client->source.fd);
		set_up(server->source.fd);
		watch(&server->source, EPOLLOUT);
		return;
	}
	close_connection(connection);
	if (short_of) let_in(false);
}

static void add_port(const struct held_port *port, int fd)
{
	uint32_t place = 0;
	while (place < RELAYED_PORTS && ports[place].source.fd > 0) place++;
	if (place == RELAYED_PORTS || fd < 0) return;
	struct relayed *relayed = &ports[place];
	bool tcp = port->protocol == IPPROTO_TCP;
	relayed->port = *port;
	relayed->source = (struct source){ .fd = fd, .ready = tcp ? client_came : datagrams_in, .owner = relayed };
	if (!tcp) prepare_datagrams(relayed);
	if (!tcp || !full) watch(&relayed->source, EPOLLIN);
}

static void remove_port(const struct held_port *port)
{
	for (uint32_t i = 0; i < RELAYED_PORTS; i++) {
		if (ports[i].source.fd <= 0 || !same_port(&ports[i].port, port)) continue;
		if (port->protocol == IPPROTO_UDP) forget_flows(&ports[i]);
		unwatch(&ports[i].source);
		return;
	}
}

static void order_came(struct source *source, uint32_t events)
{
	struct relay_order order;
	int descriptor;
	(void)events;
	if (receive_with_descriptor(source->fd, &order, sizeof order, &descriptor, MSG_DONTWAIT) != (ssize_t)sizeof order) _exit(0);
	if (order.add) {
		add_port(&order.port, descriptor);
		return;
	}
	remove_port(&order.port);
	if (send(source->fd, "", 1, MSG_NOSIGNAL) != 1) _exit(0);
}

static void tick(struct source *source, uint32_t events)
{
	uint64_t count;
	(void)events;
	if (read(source->fd, &count, sizeof count) < 0) return;
	sweep_flows();
	let_in(true);
}

static int ascending(const void *one, const void *other) { return *(const int *)one - *(const int *)other; }

/* All that the monitor has open but the channel and the relayed ports. */
static void close_others(int channel)
{
	static int kept[RELAYED_PORTS + 1];
	size_t count = 0;
	kept[count++] = channel;
	for (uint32_t i = 0; i < monitor.prepared.port_count && count <= RELAYED_PORTS; i++)
		if (monitor.prepared.ports[i].relayed) kept[count++] = monitor.prepared.ports[i].fd;
	qsort(kept, count, sizeof *kept, ascending);
	unsigned from = 3;
	for (size_t i = 0; i < count; i++) {
		if ((unsigned)kept[i] > from) (void)sys_close_range(from, (unsigned)kept[i] - 1);
		from = (unsigned)kept[i] + 1;
	}
	(void)sys_close_range(from, ~0U);
}

static bool drop_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_capset, &header, none) == 0;
}

_Noreturn void run_relay(int channel, pid_t monitor_pid)
{
	const struct itimerspec every = { .it_interval.tv_sec = RELAY_TICK_S, .it_value.tv_sec = RELAY_TICK_S };
	char title[16];
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != monitor_pid) _exit(0);
	copy_text(title, 13, monitor.plan->id);
	set_title("berth-relay", title);
	close_others(channel);
	if (!drop_privileges() || !renew_poller()) _exit(1);
	orders = (struct source){ .fd = channel, .ready = order_came };
	ticks = (struct source){ .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), .ready = tick };
	if (ticks.fd < 0 || timerfd_settime(ticks.fd, 0, &every, NULL) != 0) _exit(1);
	watch(&orders, EPOLLIN);
	watch(&ticks, EPOLLIN);
	for (uint32_t i = 0; i < monitor.prepared.port_count; i++)
		if (monitor.prepared.ports[i].relayed) add_port(&monitor.prepared.ports[i], monitor.prepared.ports[i].fd);
	for (;;) (void)turn(-1);
}
