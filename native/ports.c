/*
 * Ports of the host that a container has, each held by a socket that is bound: what comes in is redirected before it gets
 * here, and nobody else can have the port. A descriptor stays open until the container has ended, or gives the port up.
 */
#include "kernel-calls.h"
#include "native.h"
#include "port-relay.h"
#include "protocol.h"
#include <arpa/inet.h>
#include <sys/mman.h>

enum { PORTS_AT_FIRST = 4096 / sizeof(struct held_port) };

static bool make_room(struct prepared *prepared)
{
	size_t size = prepared->port_room * sizeof(struct held_port), first = PORTS_AT_FIRST * sizeof(struct held_port);
	if (prepared->port_count < prepared->port_room) return true;
	void *memory = size == 0 ? mmap(NULL, first, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
	                         : mremap(prepared->ports, size, size * 2, MREMAP_MAYMOVE);
	if (memory == MAP_FAILED) return false;
	prepared->ports = memory;
	prepared->port_room = size == 0 ? PORTS_AT_FIRST : prepared->port_room * 2;
	return true;
}

static bool parse_endpoint(struct endpoint *endpoint, const char *address, uint64_t port)
{
	*endpoint = (struct endpoint){ .is_v6 = strchr(address, ':') != NULL, .port = (uint16_t)port };
	return inet_pton(endpoint->is_v6 ? AF_INET6 : AF_INET, address, endpoint->address) == 1;
}

socklen_t socket_address(const struct endpoint *endpoint, union address *address)
{
	memset(address, 0, sizeof *address);
	if (endpoint->is_v6) {
		address->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(endpoint->port) };
		memcpy(&address->v6.sin6_addr, endpoint->address, 16);
		return sizeof address->v6;
	}
	address->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(endpoint->port) };
	memcpy(&address->v4.sin_addr, endpoint->address, 4);
	return sizeof address->v4;
}

bool same_port(const struct held_port *one, const struct held_port *other)
{
	return one->protocol == other->protocol && one->at.port == other->at.port && one->at.is_v6 == other->at.is_v6 &&
	       memcmp(one->at.address, other->at.address, sizeof one->at.address) == 0;
}

/*
 * TCP also listens: so a connection of before that lingers (TIME_WAIT) does not hold the port, and a second socket does
 * not get it.
 */
static bool bind_socket(const struct held_port *held)
{
	int on = 1, small = 1;
	union address address;
	socklen_t size = socket_address(&held->at, &address);
	if (held->at.is_v6) (void)setsockopt(held->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (held->protocol != IPPROTO_TCP) {
		/* What nobody will read is not to be kept. */
		if (!held->relayed) (void)setsockopt(held->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
		return bind(held->fd, &address.any, size) == 0;
	}
	(void)setsockopt(held->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	return bind(held->fd, &address.any, size) == 0 && listen(held->fd, held->relayed ? RELAY_BACKLOG : 1) == 0;
}

bool bind_port(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	struct held_port held = { .fd = -1, .protocol = (uint8_t)op->number[0] };
	const char *protocol = held.protocol == IPPROTO_TCP ? "tcp" : held.protocol == IPPROTO_UDP ? "udp" : "sctp";
	const char *form = strchr(op->text[0], ':') != NULL ? "[%s]:%u/%s" : "%s:%u/%s";
	unsigned port = (unsigned)op->number[1];
	if (!parse_endpoint(&held.at, op->text[0], port)) return fail(failure, op->name, EINVAL, "%s", op->text[0]);
	/* Streams of SCTP are only held. */
	held.relayed = *op->text[1] != 0 && held.protocol != IPPROTO_SCTP;
	if (held.relayed && !parse_endpoint(&held.to, op->text[1], op->number[2])) return fail(failure, op->name, EINVAL, "%s", op->text[1]);
	if (!make_room(prepared)) return fail(failure, op->name, ENOMEM, form, op->text[0], port, protocol);
	int type = held.protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
	held.fd = socket(held.at.is_v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | (held.relayed ? SOCK_NONBLOCK : 0), held.protocol);
	/* Without SCTP in the kernel nobody can have the port either. */
	if (held.fd < 0 && held.protocol == IPPROTO_SCTP && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT)) return true;
	if (held.fd >= 0 && bind_socket(&held) && (!held.relayed || add_to_relay(&held))) {
		prepared->ports[prepared->port_count++] = held;
		return true;
	}
	int error = errno;
	if (held.fd >= 0) close(held.fd);
	return fail(failure, op->name, error, form, op->text[0], port, protocol);
}

/* One that is not held is passed over. @returns false for what is no address */
bool release_port(struct prepared *prepared, uint64_t protocol, const char *address, uint64_t port)
{
	struct held_port wanted = { .protocol = (uint8_t)protocol };
	if (!parse_endpoint(&wanted.at, address, port)) return false;
	for (uint32_t i = 0; i < prepared->port_count; i++) {
		struct held_port *held = &prepared->ports[i];
		if (!same_port(held, &wanted)) continue;
		if (held->relayed) remove_from_relay(held);
		close(held->fd);
		*held = prepared->ports[--prepared->port_count];
		return true;
	}
	return true;
}

/* Before anybody is told of the end: who hears of it may want the same ports at once. */
void release_ports(struct prepared *prepared)
{
	while (prepared->port_count > 0) close(prepared->ports[--prepared->port_count].fd);
}
