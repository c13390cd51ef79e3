/*
 * A container's monitor: starts it, serves its streams, and at the end writes how it ended. One loop, one thread; no
 * memory but static buffers and, per client or session, a few pages that go back to the kernel.
 */
#include "kernel-calls.h"
#include "monitor.h"
#include "port-relay.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

struct monitor monitor;
static int poller = -1;

/* How long to wait for the daemon after a launch, and for clients that do not take their last output. */
enum { DAEMON_PATIENCE_MS = 10000, CLIENT_PATIENCE_MS = 60000 };

void watch(struct source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };
	if (source->fd < 0) return;
	if (epoll_ctl(poller, EPOLL_CTL_MOD, source->fd, &event) != 0 && errno == ENOENT)
		(void)epoll_ctl(poller, EPOLL_CTL_ADD, source->fd, &event);
	source->events = events;
}

void unwatch(struct source *source)
{
	if (source->fd < 0) return;
	(void)epoll_ctl(poller, EPOLL_CTL_DEL, source->fd, NULL);
	close(source->fd);
	source->fd = -1;
}

/* Not looked at until it is watched again: epoll tells of a broken connection even when nothing is asked for. */
void rest(struct source *source)
{
	(void)epoll_ctl(poller, EPOLL_CTL_DEL, source->fd, NULL);
	source->events = 0;
}

/* In a fork: its own events from now on. */
bool renew_poller(void)
{
	poller = epoll_create1(EPOLL_CLOEXEC);
	return poller >= 0;
}

/* Handles one event. @returns false when there was none in that time */
bool turn(int timeout_ms)
{
	struct epoll_event event;
	int n;
	do n = epoll_wait(poller, &event, 1, timeout_ms);
	while (n < 0 && errno == EINTR && timeout_ms < 0);
	if (n != 1) return false;
	struct source *source = event.data.ptr;
	source->ready(source, event.events);
	return true;
}

/* Collects the exit of a process that has ended. */
static void reap(struct session *session, int options)
{
	siginfo_t info = { 0 };
	if (session->ended || session->pidfd < 0) return;
	if (waitid(BY_PIDFD, (id_t)session->pidfd, &info, WEXITED | options) != 0 || info.si_pid == 0) return;
	session->ended = true;
	session->exit_signal = info.si_code == CLD_EXITED ? 0 : (uint8_t)info.si_status;
	session->exit_code = (uint8_t)(info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status);
}

static void kill_and_reap(struct session *session)
{
	if (session->pidfd < 0 || session->ended) return;
	(void)sys_pidfd_send_signal(session->pidfd, SIGKILL);
	reap(session, 0);
}

static void clean_up(void)
{
	struct failure ignored;
	clean_network();
	(void)run_host_ops(monitor.plan->cleanup, &monitor.prepared, true, &ignored);
	end_relay();
	release_ports(&monitor.prepared);
}

static void close_listener(void)
{
	unwatch(&monitor.listener);
	(void)unlink(monitor.plan->socket_path);
}

/* Lets clients have what is kept for them; one that takes nothing for a minute is left. */
static void linger(void)
{
	uint32_t before;
	do before = monitor.lingering;
	while (monitor.lingering > 0 && (turn(CLIENT_PATIENCE_MS) || monitor.lingering < before));
}

static _Noreturn void end(void)
{
	if (monitor.control != NULL) client_end(monitor.control);
	linger();
	_exit(0);
}

/* From here on nothing of the container is listened to but what is said in clients' connections. */
static void forget_container(void)
{
	unwatch(&monitor.container.channel);
	if (monitor.container.process.fd >= 0) unwatch(&monitor.container.process);
	else if (monitor.container.pidfd >= 0) close(monitor.container.pidfd);
	monitor.container.pidfd = -1;
	unwatch(&monitor.container.output);
	unwatch(&monitor.container.errors);
	leave_container_network();
}

/* The launch did not come about: everything is taken back, and the daemon told, if it comes. */
static _Noreturn void end_failed(const struct failure *failure)
{
	int64_t deadline = now_ms() + DAEMON_PATIENCE_MS;
	kill_and_reap(&monitor.container);
	forget_container();
	monitor.state = STATE_FAILED;
	monitor.failure = *failure;
	clean_up();
	if (monitor.control != NULL) report_failed();
	while (monitor.control == NULL && now_ms() < deadline)
		if (!turn((int)(deadline - now_ms()))) break;
	/* Those who have connected meanwhile are told too. */
	while (turn(0)) continue;
	close_listener();
	session_end_clients(&monitor.container);
	end();
}

/* The daemon has gone before it said `go`: the container must not start. */
_Noreturn void undo_launch(void)
{
	kill_and_reap(&monitor.container);
	forget_container();
	clean_up();
	close_listener();
	session_end_clients(&monitor.container);
	end();
}

static void report_exec_end(const struct session *session)
{
	uint8_t bytes[256];
	struct writer frame;
	begin_frame(&frame, bytes, sizeof bytes, 0, MSG_EXEC_EXIT);
	put_text(&frame, session->id);
	put_number(&frame, session->exit_code, 1);
	end_frame(&frame);
	send_event(&frame);
}

/* The program of an exec session has ended; orphans of it may go on printing, to nobody. */
void exec_ended(struct session *session)
{
	session_drain(session);
	/* First, so that whoever sees the stream's end knows the exit code. */
	report_exec_end(session);
	session_end_clients(session);
	unwatch(&session->process);
	unwatch(&session->input);
	if (session->tty || (session->output.fd < 0 && session->errors.fd < 0)) session_close(session);
}

static void exec_process_ready(struct source *source, uint32_t events)
{
	struct session *session = source->owner;
	(void)events;
	reap(session, WNOHANG);
	if (!session->ended) return;
	session->pidfd = -1;
	exec_ended(session);
}

/* execve has succeeded (no failure), or the start has failed. */
bool finish_exec_start(struct session *session, const struct failure *failure)
{
	struct client *starter = session->starter;
	session->starter = NULL;
	unwatch(&session->channel);
	if (failure != NULL) {
		kill_and_reap(session);
		if (session->pidfd >= 0) close(session->pidfd);
		session->pidfd = -1;
		if (starter != NULL) answer_client(starter, session->starter_request, failure, 0);
		session_close(session);
		return false;
	}
	session->started = true;
	if (starter != NULL) answer_client(starter, session->starter_request, NULL, (uint32_t)session->pid);
	for (struct client *client = session->clients; client != NULL; client = client->next) {
		client->reading = true;
		watch(&client->source, EPOLLIN | (client->backlog != NULL ? EPOLLOUT : 0));
	}
	session->process = (struct source){ .fd = session->pidfd, .ready = exec_process_ready, .owner = session };
	session_begin(session);
	watch(&session->process, EPOLLIN);
	return true;
}

/* {"exitCode":…} under a temporary name, then renamed: whoever reads it reads all of it. @returns descriptor, to be synced */
static int write_exit_record(bool oom_killed, const char *finished_at)
{
	char temporary[4096 + 8], text[256];
	const struct session *session = &monitor.container;
	int length = snprintf(text, sizeof text, "{\"exitCode\":%u,\"signal\":%u,\"oomKilled\":%s,\"finishedAt\":\"%s\"}\n", session->exit_code,
		session->exit_signal, oom_killed ? "true" : "false", finished_at);
	if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", monitor.plan->exit_path) >= sizeof temporary) return -1;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && write_all(fd, text, (size_t)length) && rename(temporary, monitor.plan->exit_path) == 0) return fd;
	if (fd >= 0) close(fd);
	return -1;
}

static _Noreturn void end_container(void)
{
	struct timespec now;
	char finished_at[32];
	uint8_t bytes[256];
	struct writer frame;
	clock_gettime(CLOCK_REALTIME, &now);
	session_drain(&monitor.container);
	forget_container();
	log_end();
	(void)format_time(finished_at, &now);
	bool oom_killed = read_oom_count(&monitor.prepared) > monitor.oom_count;
	while (monitor.sessions != NULL) {
		struct session *session = monitor.sessions;
		kill_and_reap(session);
		session_drain(session);
		if (session->started) report_exec_end(session);
		session_close(session);
	}
	failpoint("exit.unrecorded");
	int record = write_exit_record(oom_killed, finished_at);
	failpoint("exit.recorded");
	session_end_clients(&monitor.container);
	monitor.state = STATE_EXITED;
	clean_up();
	close_listener();
	failpoint("exit.cleaned");
	begin_frame(&frame, bytes, sizeof bytes, 0, MSG_EXIT);
	put_number(&frame, monitor.container.exit_code, 1);
	put_number(&frame, monitor.container.exit_signal, 1);
	put_number(&frame, oom_killed, 1);
	put_text(&frame, finished_at);
	end_frame(&frame);
	send_event(&frame);
	/* Nobody waits for the disk; the record is whole in any case, and this makes it last. */
	if (record >= 0) (void)fsync(record);
	end();
}

static void container_process_ready(struct source *source, uint32_t events)
{
	(void)source;
	(void)events;
	reap(&monitor.container, WNOHANG);
	if (!monitor.container.ended) return;
	if (monitor.state == STATE_RUNNING) end_container();
	if (monitor.state != STATE_LAUNCHED) return;
	struct failure failure;
	fail(&failure, "init", 0, "ended before it was let go");
	end_failed(&failure);
}

void container_started(void)
{
	failpoint("launch.started");
	monitor.state = STATE_RUNNING;
	unwatch(&monitor.container.channel);
	session_begin(&monitor.container);
	if (monitor.control != NULL && monitor.go_request != 0) answer_client(monitor.control, monitor.go_request, NULL, 0);
	monitor.go_request = 0;
}

/* After `go`: end of file is a successful execve, a message is why not. */
static void init_heard(struct source *source, uint32_t events)
{
	struct channel_message message;
	struct failure failure;
	int descriptor;
	(void)events;
	ssize_t n = receive_channel(source->fd, &message, &descriptor, MSG_DONTWAIT);
	if (descriptor >= 0) close(descriptor);
	if (n < 0 && errno == EAGAIN) return;
	if (n == 0 && monitor.go_request == 0) return; /* died before `go`: its pidfd says so */
	if (n == 0) {
		container_started();
		return;
	}
	fail(&failure, message.stage, message.error, "%s", message.message);
	if (monitor.control != NULL && monitor.go_request != 0) answer_client(monitor.control, monitor.go_request, &failure, 0);
	end_failed(&failure);
}

void begin_go(uint32_t request)
{
	if (monitor.state != STATE_LAUNCHED || monitor.go_request != 0) {
		struct failure failure;
		if (monitor.state == STATE_RUNNING) {
			answer_client(monitor.control, request, NULL, 0);
		} else {
			fail(&failure, "go", EBUSY, "not launched");
			answer_client(monitor.control, request, &failure, 0);
		}
		return;
	}
	monitor.go_request = request;
	if (!send_channel(monitor.container.channel.fd, 'G', -1)) {
		struct failure failure;
		fail(&failure, "go", errno, "init has gone");
		answer_client(monitor.control, request, &failure, 0);
		end_failed(&failure);
	}
}

static void detach_from_daemon(const struct launch_plan *plan)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	char title[16];
	setsid();
	sigaction(SIGCHLD, &standard, NULL);
	copy_text(title, 13, plan->id);
	set_title("berth-monitor", title);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3; i++) (void)dup2(null, i);
	close(null);
}

static void prepare_monitor(const struct launch_plan *plan, int listener, struct failure *failure)
{
	const char *slash = strrchr(plan->exit_path, '/');
	monitor.plan = plan;
	monitor.prepared.root = monitor.prepared.network = -1;
	begin_network(plan);
	for (int i = 0; i < SLOTS; i++) monitor.prepared.slots[i] = -1;
	monitor.container.is_container = true;
	monitor.container.pidfd = monitor.container.process.fd = monitor.container.channel.fd = -1;
	monitor.container.input.fd = monitor.container.output.fd = monitor.container.errors.fd = -1;
	copy_text(monitor.oom_score_adj, sizeof monitor.oom_score_adj, our.oom_score_adj);
	poller = epoll_create1(EPOLL_CLOEXEC);
	monitor.own_pid_namespace = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	monitor.listener = (struct source){ .fd = listener, .ready = accept_clients };
	watch(&monitor.listener, EPOLLIN);
	if (poller < 0 || monitor.own_pid_namespace < 0) fail(failure, "monitor", errno, "cannot set up");
	if (slash == NULL || slash == plan->exit_path || strlen(plan->exit_path) >= sizeof monitor.exit_directory) fail(failure, "monitor", EINVAL, "exit path: %s", plan->exit_path);
	else copy_text(monitor.exit_directory, (size_t)(slash - plan->exit_path) + 1, plan->exit_path);
}

/* The plan stays where it is, in the frame's memory: cleanup is part of it. */
_Noreturn void run_monitor(const struct launch_plan *borrowed, int listener)
{
	static struct launch_plan plan;
	struct failure failure = { 0 };
	struct op op;
	plan = *borrowed;
	detach_from_daemon(&plan);
	prepare_monitor(&plan, listener, &failure);
	if (failure.stage != NULL || !launch_container(&failure)) end_failed(&failure);
	/* Only now: init has kept the value that the daemon has, or what the plan says. */
	for (struct ops ops = plan.init; next_op(&ops, &op);)
		if (op.code == OP_OOM_SCORE_ADJ) snprintf(monitor.oom_score_adj, sizeof monitor.oom_score_adj, "%d", (int32_t)(uint32_t)op.number[0]);
	(void)write_file("/proc/self/oom_score_adj", "-999", 4);
	monitor.state = STATE_LAUNCHED;
	failpoint("launch.ready");
	monitor.container.process = (struct source){ .fd = monitor.container.pidfd, .ready = container_process_ready };
	monitor.container.channel.ready = init_heard;
	watch(&monitor.container.process, EPOLLIN);
	watch(&monitor.container.channel, EPOLLIN);
	int64_t deadline = now_ms() + DAEMON_PATIENCE_MS;
	while (monitor.control == NULL) {
		if (now_ms() >= deadline || !turn((int)(deadline - now_ms()))) undo_launch();
	}
	for (;;) (void)turn(-1);
}
