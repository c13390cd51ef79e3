/* Starting processes: the container's first one, and those of exec sessions. */
#include "kernel-calls.h"
#include "monitor.h"
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

enum { JOINS = 16, CGROUPS = 32 };

static void close_all(int *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (fds[i] >= 0) close(fds[i]);
}

/* Opens `tasks` of each directory: the process writes its own 0 there, which takes no lock over all processes. */
static bool open_cgroups(struct list paths, int *fds, uint32_t *count, struct failure *failure)
{
	for (*count = 0; *count < paths.count; (*count)++) {
		char path[4096];
		const char *directory = read_text(&paths.strings);
		if (*count == CGROUPS) return fail(failure, "cgroup", E2BIG, "too many cgroups");
		if ((size_t)snprintf(path, sizeof path, "%s/tasks", directory) >= sizeof path) return fail(failure, "cgroup", ENAMETOOLONG, "%s", directory);
		fds[*count] = open(path, O_WRONLY | O_CLOEXEC);
		if (fds[*count] < 0) return fail(failure, "cgroup", errno, "%s", directory);
	}
	return true;
}

static bool open_cgroup2(const char *path, int *cgroup, struct failure *failure)
{
	*cgroup = -1;
	if (*path == 0) return true;
	*cgroup = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *cgroup >= 0 || fail(failure, "cgroup", errno, "%s", path);
}

/* clone3 with a pidfd, born in the v2 cgroup if there is one. @returns pid, 0 in the child, -1 */
static pid_t clone_into(uint64_t flags, int cgroup, int *pidfd)
{
	struct clone3_arguments arguments = { .flags = flags | CLONE_PIDFD, .pidfd = (uintptr_t)pidfd, .exit_signal = SIGCHLD };
	if (cgroup >= 0) {
		arguments.flags |= CLONE_INTO_CGROUP;
		arguments.cgroup = (uint64_t)cgroup;
	}
	return sys_clone3(&arguments);
}

void set_window(int terminal, uint16_t rows, uint16_t columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };
	if (rows != 0 || columns != 0) (void)ioctl(terminal, TIOCSWINSZ, &size);
}

static bool make_pipe(int *ours, int *theirs, bool we_read)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0) return false;
	*ours = ends[we_read ? 0 : 1];
	*theirs = ends[we_read ? 1 : 0];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

/* Pipes for the streams that somebody may want, /dev/null for the others; with a terminal none: it comes from inside. */
bool open_streams(struct session *session, bool open_stdin, bool want_stdout, bool want_stderr, int standard[3], struct failure *failure)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	session->input.fd = session->output.fd = session->errors.fd = session->process.fd = session->channel.fd = session->pidfd = -1;
	standard[0] = standard[1] = standard[2] = null;
	bool ok = null >= 0;
	if (ok && !session->tty) {
		if (open_stdin) ok = make_pipe(&session->input.fd, &standard[0], false);
		if (ok && want_stdout) ok = make_pipe(&session->output.fd, &standard[1], true);
		if (ok && want_stderr) ok = make_pipe(&session->errors.fd, &standard[2], true);
	}
	return ok || fail(failure, "stdio", errno, "cannot make pipes");
}

static void close_standard(int standard[3])
{
	for (int i = 0; i < 3; i++) {
		int fd = standard[i];
		if (fd < 0) continue;
		close(fd);
		for (int j = i; j < 3; j++)
			if (standard[j] == fd) standard[j] = -1;
	}
}

/* The master side, for reading and, as a second descriptor, for writing: epoll watches a descriptor once. */
static bool take_console(struct session *session, int master)
{
	if (!session->tty || session->output.fd >= 0 || fcntl(master, F_SETFL, O_NONBLOCK) != 0) {
		close(master);
		return false;
	}
	set_window(master, session->rows, session->columns);
	session->output.fd = master;
	session->input.fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
	return session->input.fd >= 0;
}

static bool write_maps(const struct launch_plan *plan, pid_t pid, struct failure *failure)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
	if (!write_file(path, plan->uid_map, strlen(plan->uid_map))) return fail(failure, "uid-map", errno, "%s", plan->uid_map);
	snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
	return write_file(path, plan->gid_map, strlen(plan->gid_map)) || fail(failure, "gid-map", errno, "%s", plan->gid_map);
}

/* What init has died of, when it said nothing itself. */
static bool fail_by_death(struct session *session, struct failure *failure)
{
	siginfo_t info = { 0 };
	(void)waitid(BY_PIDFD, (id_t)session->pidfd, &info, WEXITED | WNOWAIT);
	return fail(failure, "init", 0, info.si_code == CLD_EXITED ? "ended with status %d" : "killed by signal %d", info.si_status);
}

/* Handles one message of the process that is being started. @returns 'L', 'C', 0 at the end, 'F' with the failure filled in */
static char hear(struct session *session, int flags, struct failure *failure)
{
	static char stage[sizeof(((struct channel_message *)0)->stage)];
	struct channel_message message;
	int descriptor;
	ssize_t n = receive_channel(session->channel.fd, &message, &descriptor, flags);
	if (n < 0 && errno == EAGAIN) return 'L';
	if (n == 0) return 0;
	if (n > 0 && message.kind == 'C' && descriptor >= 0) {
		if (take_console(session, descriptor)) return 'C';
		fail(failure, "console", errno, "cannot use the terminal");
		return 'F';
	}
	if (descriptor >= 0) close(descriptor);
	if (n > 0 && message.kind == 'F') {
		copy_text(stage, sizeof stage, message.stage);
		fail(failure, stage, message.error, "%s", message.message);
		return 'F';
	}
	if (n > 0 && message.kind == 'L') return 'L';
	fail(failure, "init", n < 0 ? errno : EPROTO, "unexpected message");
	return 'F';
}

struct openings { /* what is opened before the clone and closed after it */
	int standard[3], joins[JOINS], ends[2];
	uint32_t join_count;
};

/* The container's cgroups, kept open: exec sessions enter the same ones. */
static struct {
	int tasks[CGROUPS], cgroup2;
	uint32_t count;
} cgroups = { .cgroup2 = -1 };

static bool open_all(const struct launch_plan *plan, struct openings *openings, struct failure *failure)
{
	struct session *session = &monitor.container;
	struct reader joins = plan->joins;
	openings->join_count = 0;
	openings->ends[0] = openings->ends[1] = -1;
	if (!open_streams(session, plan->open_stdin, true, true, openings->standard, failure)) return false;
	for (uint32_t i = 0; i < plan->join_count; i++) {
		const char *path = read_text(&joins);
		int flag = (int)read_number(&joins, 4);
		if (i == JOINS) return fail(failure, "join", E2BIG, "too many namespaces");
		openings->joins[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (openings->joins[i] < 0) return fail(failure, "join", errno, "%s", path);
		openings->join_count++;
		if (flag == CLONE_NEWNET) monitor.prepared.network = openings->joins[i];
		if (flag == CLONE_NEWPID && setns(openings->joins[i], CLONE_NEWPID) != 0) return fail(failure, "join", errno, "%s", path);
	}
	if (!open_cgroups(plan->cgroup1, cgroups.tasks, &cgroups.count, failure)) return false;
	if (!open_cgroup2(plan->cgroup2, &cgroups.cgroup2, failure)) return false;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, openings->ends) == 0 || fail(failure, "clone", errno, "cannot make the channel");
}

static bool clone_init(const struct launch_plan *plan, struct openings *openings, struct failure *failure)
{
	struct session *session = &monitor.container;
	const uint64_t later = CLONE_NEWCGROUP | CLONE_NEWTIME;
	if (!(plan->namespaces & CLONE_NEWNS)) return fail(failure, "clone", EINVAL, "a container has a mount namespace of its own");
	/* The new mount namespace is a copy of the bare stem, not of the host's mounts. */
	if (!our.classic && setns(our.stem_namespace, CLONE_NEWNS) != 0) return fail(failure, "clone", errno, "cannot enter the stem");
	session->pid = clone_into(plan->namespaces & ~later, cgroups.cgroup2, &session->pidfd);
	if (session->pid == 0) {
		/*
		 * The monitor's death must be seen even where it comes before init has asked to die with it: by init, as the end of
		 * the channel, and by whoever connects to a socket that nobody will accept from.
		 */
		close(openings->ends[0]);
		close(monitor.listener.fd);
		/* So that a limit of descriptors leaves room for the operations that come behind it. */
		release_ports(&monitor.prepared);
		struct init_start start = { .plan = plan, .prepared = &monitor.prepared, .channel = openings->ends[1],
			.cgroups = cgroups.tasks, .cgroup_count = cgroups.count, .joins = openings->joins };
		memcpy(start.standard, openings->standard, sizeof start.standard);
		run_init(&start);
	}
	int error = errno;
	if (!our.classic && setns(our.layers_namespace, CLONE_NEWNS) != 0) abort();
	(void)setns(monitor.own_pid_namespace, CLONE_NEWPID);
	return session->pid > 0 || fail(failure, "clone", error, "cannot make the namespaces");
}

static bool set_up_network(const struct launch_plan *plan, struct failure *failure)
{
	char path[64];
	if (plan->namespaces & CLONE_NEWNET) {
		snprintf(path, sizeof path, "/proc/%d/ns/net", (int)monitor.container.pid);
		monitor.prepared.network = monitor.network = open(path, O_RDONLY | O_CLOEXEC);
		if (monitor.network < 0) return fail(failure, "network", errno, "%s", path);
	}
	return run_host_ops(plan->host_network, &monitor.prepared, false, failure) && open_dns(&plan->dns, failure);
}

static bool bring_up(const struct launch_plan *plan, struct openings *openings, struct failure *failure)
{
	struct session *session = &monitor.container;
	session->tty = plan->tty;
	session->rows = plan->rows;
	session->columns = plan->columns;
	session->close_stdin_at_end = plan->stdin_once && !plan->tty;
	if (!open_all(plan, openings, failure) || !clone_init(plan, openings, failure)) return false;
	failpoint("launch.cloned");
	session->channel.fd = openings->ends[0];
	openings->ends[0] = -1;
	close(openings->ends[1]);
	openings->ends[1] = -1;
	close_standard(openings->standard);
	if (plan->namespaces & CLONE_NEWUSER)
		if (!write_maps(plan, session->pid, failure) || !send_channel(session->channel.fd, 'M', -1)) return false;
	if (!set_up_network(plan, failure)) {
		/* Where init has failed meanwhile, that is the reason, and its namespace being gone the consequence. */
		struct failure earlier;
		char heard;
		do heard = hear(session, MSG_DONTWAIT, &earlier);
		while (heard == 'C');
		if (heard == 'F') *failure = earlier;
		return false;
	}
	failpoint("launch.network");
	(void)send_channel(session->channel.fd, 'N', -1);
	for (;;) {
		char heard = hear(session, 0, failure);
		if (heard == 'L') return true;
		if (heard == 0) return fail_by_death(session, failure);
		if (heard == 'F') return false;
	}
}

/* Everything up to the point where init only waits for `go`. What it has made is undone by the caller's cleanup. */
bool launch_container(struct failure *failure)
{
	const struct launch_plan *plan = monitor.plan;
	struct openings openings = { .standard = { -1, -1, -1 }, .ends = { -1, -1 } };
	bool ok = open_stage(failure) && run_host_ops(plan->prepare, &monitor.prepared, false, failure) && (!plan->has_log || log_open(&plan->log, failure));
	failpoint("launch.prepared");
	if (ok) {
		monitor.oom_count = read_oom_count(&monitor.prepared);
		ok = bring_up(plan, &openings, failure);
	}
	(void)setns(monitor.own_pid_namespace, CLONE_NEWPID);
	close_standard(openings.standard);
	close_all(openings.joins, openings.join_count);
	close_all(openings.ends, 2);
	monitor.prepared.network = -1;
	if (monitor.prepared.root >= 0) close(monitor.prepared.root);
	monitor.prepared.root = -1;
	close_all(monitor.prepared.slots, SLOTS);
	close_stage();
	return ok;
}

/* The outcome of execve in an exec session, or its terminal, which comes before. */
static void exec_heard(struct source *source, uint32_t events)
{
	struct session *session = source->owner;
	struct failure failure;
	(void)events;
	char heard = hear(session, MSG_DONTWAIT, &failure);
	if (heard == 0) (void)finish_exec_start(session, NULL);
	else if (heard == 'F') (void)finish_exec_start(session, &failure);
}

/* @returns false when it failed at once; otherwise finish_exec_start is called later */
bool start_exec(struct session *session, const struct exec_plan *plan, struct failure *failure)
{
	const struct launch_plan *container = monitor.plan;
	int standard[3], ends[2] = { -1, -1 };
	session->tty = plan->tty;
	session->rows = plan->rows;
	session->columns = plan->columns;
	session->close_stdin_at_end = !plan->tty;
	copy_text(session->id, sizeof session->id, plan->id);
	bool ok = open_streams(session, plan->open_stdin, plan->attach_stdout, plan->attach_stderr, standard, failure);
	if (ok && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) ok = fail(failure, "clone", errno, "cannot make the channel");
	if (ok && setns(monitor.container.pidfd, CLONE_NEWPID) != 0) ok = fail(failure, "join", errno, "the container's pid namespace");
	if (ok) {
		session->pid = clone_into(0, cgroups.cgroup2, &session->pidfd);
		if (session->pid == 0) {
			release_ports(&monitor.prepared);
			struct exec_start start = { .plan = plan, .channel = ends[1], .pidfd = monitor.container.pidfd, .cgroups = cgroups.tasks,
				.cgroup_count = cgroups.count, .oom_score_adj = monitor.oom_score_adj,
				.namespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP |
				              (container->namespaces & (CLONE_NEWUSER | CLONE_NEWTIME)) };
			memcpy(start.standard, standard, sizeof standard);
			run_exec_child(&start);
		}
		if (session->pid < 0) ok = fail(failure, "clone", errno, "cannot start a process in the container");
		(void)setns(monitor.own_pid_namespace, CLONE_NEWPID);
	}
	close_standard(standard);
	if (ends[1] >= 0) close(ends[1]);
	session->channel = (struct source){ .fd = ends[0], .ready = exec_heard, .owner = session };
	if (ok) watch(&session->channel, EPOLLIN);
	return ok;
}
