/*
 * Ports of the host that a container has, each held by a socket that is bound: what comes in is redirected before it gets
 * here, and nobody else can have the port. A descriptor stays open until the container has ended, or gives the port up.
 */
#include "kernel-calls.h"
#include "native.h"
#include "protocol.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { PORTS_AT_FIRST = 4096 / sizeof(struct held_port) };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

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

static bool parse_port(struct held_port *held, uint64_t protocol, const char *address, uint64_t port)
{
	*held = (struct held_port){ .fd = -1, .protocol = (uint8_t)protocol, .is_v6 = strchr(address, ':') != NULL, .port = (uint16_t)port };
	return inet_pton(held->is_v6 ? AF_INET6 : AF_INET, address, held->address) == 1;
}

static socklen_t socket_address(const struct held_port *held, union address *address)
{
	memset(address, 0, sizeof *address);
	if (held->is_v6) {
		address->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(held->port) };
		memcpy(&address->v6.sin6_addr, held->address, 16);
		return sizeof address->v6;
	}
	address->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(held->port) };
	memcpy(&address->v4.sin_addr, held->address, 4);
	return sizeof address->v4;
}

/*
 * TCP also listens: so a connection of before that lingers (TIME_WAIT) does not hold the port, and a second socket does
 * not get it.
 */
static bool bind_socket(const struct held_port *held)
{
	int on = 1, small = 1;
	union address address;
	socklen_t size = socket_address(held, &address);
	if (held->is_v6) (void)setsockopt(held->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	(void)setsockopt(held->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (held->protocol != IPPROTO_TCP) return bind(held->fd, &address.any, size) == 0;
	(void)setsockopt(held->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	return bind(held->fd, &address.any, size) == 0 && listen(held->fd, 1) == 0;
}

bool bind_port(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	struct held_port held;
	const char *form = strchr(op->text[0], ':') != NULL ? "[%s]:%u/%s" : "%s:%u/%s";
	const char *protocol = op->number[0] == IPPROTO_TCP ? "tcp" : op->number[0] == IPPROTO_UDP ? "udp" : "sctp";
	if (!parse_port(&held, op->number[0], op->text[0], op->number[1])) return fail(failure, op->name, EINVAL, "%s", op->text[0]);
	if (!make_room(prepared)) return fail(failure, op->name, ENOMEM, form, op->text[0], held.port, protocol);
	held.fd = socket(held.is_v6 ? AF_INET6 : AF_INET, (held.protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, held.protocol);
	/* Without SCTP in the kernel nobody can have the port either. */
	if (held.fd < 0 && held.protocol == IPPROTO_SCTP && (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT)) return true;
	if (held.fd >= 0 && bind_socket(&held)) {
		prepared->ports[prepared->port_count++] = held;
		return true;
	}
	int error = errno;
	if (held.fd >= 0) close(held.fd);
	return fail(failure, op->name, error, form, op->text[0], held.port, protocol);
}

/* One that is not held is passed over. @returns false for what is no address */
bool release_port(struct prepared *prepared, uint64_t protocol, const char *address, uint64_t port)
{
	struct held_port wanted;
	if (!parse_port(&wanted, protocol, address, port)) return false;
	for (uint32_t i = 0; i < prepared->port_count; i++) {
		struct held_port *held = &prepared->ports[i];
		if (held->port != wanted.port || held->protocol != wanted.protocol || held->is_v6 != wanted.is_v6 ||
		    memcmp(held->address, wanted.address, sizeof held->address) != 0)
			continue;
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
