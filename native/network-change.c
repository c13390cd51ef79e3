/* The network of a container that runs: changed in the order of a change plan, and taken back at the end. */
#include "kernel-calls.h"
#include "monitor.h"
#include <stdlib.h>

/* What is run at the end: the launch plan's list, or a copy of the last change's. */
static struct ops cleanup;
static size_t copied;

static bool run_inside(struct ops ops, struct failure *failure)
{
	struct init_context context = { .channel = -1, .root = -1 };
	struct op op;
	bool ok = true;
	if (ops.count == 0) return true;
	/* Our own, of before we enter anything; what is below sys/net in it is of the namespace that its user is in. */
	context.proc = open_proc();
	if (context.proc < 0) return fail(failure, "proc", errno, "/proc");
	if (enter_network(monitor.network)) {
		while (ok && next_op(&ops, &op))
			ok = op.code == OP_SYSCTL ? write_sysctl(&context, &op, failure) : run_netlink_op(&op, -1, false, failure);
		leave_network();
	} else {
		ok = fail(failure, "join", errno, "the container's network namespace");
	}
	close(context.proc);
	return ok;
}

/* The request's memory is not ours to keep. */
static bool replace_cleanup(struct ops ops, struct failure *failure)
{
	size_t size = (size_t)(ops.at.end - ops.at.at);
	uint8_t *bytes = size == 0 ? NULL : new_pages(size);
	if (size > 0 && bytes == NULL) return fail(failure, "plan", ENOMEM, "clean-up");
	if (size > 0) memcpy(bytes, ops.at.at, size);
	if (copied > 0) free_pages(cleanup.at.at, copied);
	cleanup = (struct ops){ .at = { bytes, bytes + size, false }, .count = ops.count };
	copied = size;
	return true;
}

/* Where a step fails, the earlier ones stay. */
bool change_network(struct reader *from, struct failure *failure)
{
	struct network_change change;
	if (!read_network_change(from, &change)) return fail(failure, "plan", EINVAL, "malformed change of the network");
	if (monitor.state != STATE_RUNNING) return fail(failure, "network", ESRCH, "the container is not running");
	if (monitor.network < 0) return fail(failure, "network", EINVAL, "the container has no network of its own");
	/* First, since a port may be wanted again for something else. */
	for (uint32_t i = 0; i < change.release_count; i++) {
		uint64_t protocol = read_number(&change.releases, 1);
		const char *address = read_text(&change.releases);
		if (!release_port(&monitor.prepared, protocol, address, read_number(&change.releases, 2))) return fail(failure, "release", EINVAL, "%s", address);
	}
	monitor.prepared.network = monitor.network;
	bool ok = run_host_ops(change.prepare, &monitor.prepared, false, failure);
	failpoint("change.held");
	ok = ok && run_host_ops(change.host_network, &monitor.prepared, false, failure);
	failpoint("change.linked");
	monitor.prepared.network = -1;
	if (!ok || !run_inside(change.container_network, failure) || !open_dns(&change.dns, failure)) return false;
	failpoint("change.inside");
	return replace_cleanup(change.cleanup, failure);
}

void begin_network(const struct launch_plan *plan)
{
	monitor.network = -1;
	cleanup = plan->network_cleanup;
}

/* The namespace, and with it the container's links, goes with its last user. */
void leave_container_network(void)
{
	close_dns();
	if (monitor.network >= 0) close(monitor.network);
	monitor.network = -1;
}

void clean_network(void)
{
	struct failure ignored;
	(void)run_host_ops(cleanup, &monitor.prepared, true, &ignored);
}
