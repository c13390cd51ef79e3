/* The monitor's side of relayed ports. Until somebody comes there is no process, and one descriptor to be watched. */
#include "port-relay.h"
#include "kernel-calls.h"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

enum { ANSWER_MS = 1000 };

static struct source arrivals = { .fd = -1 }; /* an epoll of all relayed ports, while there is no process */
static struct source channel = { .fd = -1 };  /* to the process */
static pid_t process;
static uint32_t count;

static bool wait_for_arrivals(void);

static void reap_process(void)
{
	unwatch(&channel);
	if (process > 0) {
		kill(process, SIGKILL);
		while (waitpid(process, NULL, 0) < 0 && errno == EINTR) continue;
	}
	process = 0;
}

/* The process never says anything unasked: it has died. The next connection makes another. */
static void process_gone(struct source *source, uint32_t events)
{
	(void)source;
	(void)events;
	reap_process();
	(void)wait_for_arrivals();
}

static bool tell(const struct held_port *held, bool add)
{
	struct relay_order order = { .add = add, .port = *held };
	return send_descriptor(channel.fd, &order, sizeof order, add ? held->fd : -1);
}

static void somebody_came(struct source *source, uint32_t events)
{
	int ends[2];
	pid_t own = getpid();
	(void)events;
	unwatch(source);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return;
	process = fork();
	if (process == 0) run_relay(ends[1], own);
	close(ends[1]);
	channel = (struct source){ .fd = ends[0], .ready = process_gone };
	if (process > 0) watch(&channel, EPOLLIN);
	else reap_process();
}

static bool wait_at(const struct held_port *held)
{
	struct epoll_event event = { .events = EPOLLIN };
	return epoll_ctl(arrivals.fd, EPOLL_CTL_ADD, held->fd, &event) == 0;
}

static bool wait_for_arrivals(void)
{
	arrivals = (struct source){ .fd = epoll_create1(EPOLL_CLOEXEC), .ready = somebody_came };
	if (arrivals.fd < 0) return false;
	for (uint32_t i = 0; i < monitor.prepared.port_count; i++)
		if (monitor.prepared.ports[i].relayed) (void)wait_at(&monitor.prepared.ports[i]);
	watch(&arrivals, EPOLLIN);
	return true;
}

bool add_to_relay(const struct held_port *held)
{
	if (count >= RELAYED_PORTS) {
		errno = E2BIG;
		return false;
	}
	if (process > 0 ? !tell(held, true) : !((arrivals.fd >= 0 || wait_for_arrivals()) && wait_at(held))) return false;
	count++;
	return true;
}

/* When this returns, the process has let go of the port. */
void remove_from_relay(const struct held_port *held)
{
	count--;
	if (process == 0) {
		if (arrivals.fd >= 0) (void)epoll_ctl(arrivals.fd, EPOLL_CTL_DEL, held->fd, NULL);
		return;
	}
	struct pollfd answer = { .fd = channel.fd, .events = POLLIN };
	char byte;
	if (tell(held, false) && poll(&answer, 1, ANSWER_MS) == 1 && recv(channel.fd, &byte, 1, MSG_DONTWAIT) == 1) return;
	reap_process();
	(void)wait_for_arrivals();
}

void end_relay(void)
{
	unwatch(&arrivals);
	reap_process();
}
