/*
 * Ports of the host whose connections and datagrams are passed on from here, where the firewall cannot redirect them. All
 * of a container's are passed on by one process, which is there from the first connection on:
 *
 *   port-relay.c       the monitor's side: starts it, tells it of ports, ends it
 *   relay-process.c    that process, and connections
 *   relay-datagrams.c  datagrams
 */
#pragma once
#include "monitor.h"
#include <netinet/in.h>
#include <sys/socket.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

enum { RELAY_BACKLOG = 256, RELAYED_PORTS = 8192, CONNECTIONS = 1024, FLOWS = 1024, FLOW_IDLE_MS = 90000, RELAY_TICK_S = 5 };

/* To the process: a port, with its socket if it is to be passed on, without when not any more, which is answered with a byte. */
struct relay_order {
	bool add;
	struct held_port port;
};

/* ports.c */
socklen_t socket_address(const struct endpoint *endpoint, union address *address);
bool same_port(const struct held_port *one, const struct held_port *other);

/* port-relay.c */
bool add_to_relay(const struct held_port *held);
void remove_from_relay(const struct held_port *held);
void end_relay(void);

/* relay-process.c */
struct relayed {
	struct source source;
	struct held_port port;
};
_Noreturn void run_relay(int channel, pid_t monitor_pid);

/* relay-datagrams.c */
void datagrams_in(struct source *source, uint32_t events);
void prepare_datagrams(const struct relayed *relayed);
void forget_flows(const struct relayed *relayed);
void sweep_flows(void);
