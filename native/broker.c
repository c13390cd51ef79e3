/*
 * The broker: serves the daemon's requests on the socket it was started with (descriptor 3), one after the other. What
 * may take long (files, directories that wait for members to die) runs in a forked worker that hands its answer back
 * through a pipe. It ends with the daemon's socket, and with it nothing else.
 */
#include "kernel-calls.h"
#include "native.h"
#include "protocol.h"
#include "trees.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { DAEMON = 3, WORKERS = 16, ANSWER_MAX = 4 << 20 };

struct surroundings our = { -1, -1, -1, -1, "", "", "0", false };
enum { AT_DAEMON, AT_TREES, AT_FIREWALL, WORKERS_FROM };
static struct pollfd waiting[WORKERS_FROM + WORKERS];
static nfds_t worker_count;
static int64_t firewall_from; /* when the firewall's socket is to be looked at again; 0: it is */

/* In a child: what the broker has open for itself. */
static void close_own(void)
{
	close(DAEMON);
	close(waiting[AT_TREES].fd);
	if (waiting[AT_FIREWALL].fd >= 0) close(waiting[AT_FIREWALL].fd);
	for (nfds_t i = 0; i < worker_count; i++) close(waiting[WORKERS_FROM + i].fd);
}

static void answer(int to, uint32_t id, bool ok, const struct failure *failure)
{
	uint8_t bytes[1024];
	struct writer frame;
	begin_frame(&frame, bytes, sizeof bytes, id, ok ? MSG_OK : MSG_FAILURE);
	if (!ok) put_failure(&frame, failure);
	end_frame(&frame);
	(void)write_all(to, frame.bytes, frame.length);
}

static void answer_netlink(const struct frame *frame, struct reader *from)
{
	struct failure failure;
	struct writer reply, answers;
	pid_t pid = (pid_t)read_number(from, 4);
	int protocol = (int)read_number(from, 2);
	struct blob message = read_blob(from);
	uint8_t *memory = mmap(NULL, ANSWER_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || from->bad) {
		fail(&failure, "netlink", from->bad ? EINVAL : errno, "request");
		answer(DAEMON, frame->id, false, &failure);
		return;
	}
	begin_frame(&reply, memory, ANSWER_MAX, frame->id, MSG_OK);
	answers = (struct writer){ memory + reply.length, ANSWER_MAX - reply.length, 0 };
	if (netlink_in(pid, protocol, message.bytes, message.length, &answers, &failure)) {
		reply.length += answers.length;
		end_frame(&reply);
		(void)write_all(DAEMON, reply.bytes, reply.length);
	} else {
		answer(DAEMON, frame->id, false, &failure);
	}
	munmap(memory, ANSWER_MAX);
}

/* A monitor that was killed has left its socket behind: nobody accepts there any more. */
static bool bind_over(int fd, const struct sockaddr_un *address)
{
	if (bind(fd, (const struct sockaddr *)address, sizeof *address) == 0) return true;
	if (errno != EADDRINUSE) return false;
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool dead = probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
	if (probe >= 0) close(probe);
	errno = EADDRINUSE;
	return dead && unlink(address->sun_path) == 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0;
}

static int listen_at(const char *path, struct failure *failure)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int directory = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (strlen(path) < sizeof address.sun_path) copy_text(address.sun_path, sizeof address.sun_path, path);
	else directory = open_long_path(path, 0, address.sun_path, sizeof address.sun_path);
	bool ok = fd >= 0 && address.sun_path[0] == '/' && fchmod(fd, 0600) == 0 &&
	          bind_over(fd, &address) && chmod(address.sun_path, 0600) == 0 && listen(fd, 512) == 0;
	int error = errno;
	if (directory >= 0) close(directory);
	if (ok) return fd;
	if (fd >= 0) close(fd);
	fail(failure, "listen", error, "%s", path);
	return -1;
}

/* Checks the plan, makes its socket and forks its monitor, which keeps the frame that the plan lies in. */
static void launch(const struct frame *frame)
{
	struct launch_plan plan;
	struct failure failure;
	struct reader from = frame->payload;
	if (!read_launch_plan(&from, &plan)) {
		fail(&failure, "plan", EINVAL, "malformed launch plan");
		answer(DAEMON, frame->id, false, &failure);
		return;
	}
	int listener = listen_at(plan.socket_path, &failure);
	if (listener < 0) {
		answer(DAEMON, frame->id, false, &failure);
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close_own();
		run_monitor(&plan, listener);
	}
	int error = errno;
	close(listener);
	if (pid > 0) {
		failpoint("launch.forked");
		uint8_t bytes[64];
		struct writer reply;
		begin_frame(&reply, bytes, sizeof bytes, frame->id, MSG_OK);
		put_number(&reply, (uint32_t)pid, 4);
		end_frame(&reply);
		(void)write_all(DAEMON, reply.bytes, reply.length);
		return;
	}
	unlink(plan.socket_path);
	fail(&failure, "fork", error, "cannot fork a monitor");
	answer(DAEMON, frame->id, false, &failure);
}

static void work(const struct frame *frame, int to)
{
	struct failure failure;
	struct reader from = frame->payload;
	bool ok;
	set_title("berth-worker", NULL);
	if (frame->type == MSG_FILES) {
		ok = run_file_operations(&from, &failure);
	} else {
		struct ops ops = read_ops(&from, is_host_op);
		ok = !from.bad ? run_host_ops(ops, NULL, false, &failure) : fail(&failure, "plan", EINVAL, "malformed operations");
	}
	answer(to, frame->id, ok, &failure);
	_exit(0);
}

static void start_worker(const struct frame *frame)
{
	struct failure failure;
	int ends[2] = { -1, -1 };
	if (worker_count == WORKERS) fail(&failure, "fork", EAGAIN, "too many requests at a time");
	else if (pipe2(ends, O_CLOEXEC) != 0) fail(&failure, "fork", errno, "pipe");
	else {
		pid_t pid = fork();
		if (pid == 0) {
			close_own();
			work(frame, ends[1]);
		}
		if (pid < 0) fail(&failure, "fork", errno, "cannot fork a worker");
		close(ends[1]);
		if (pid > 0) {
			waiting[WORKERS_FROM + worker_count++] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
			return;
		}
		close(ends[0]);
	}
	answer(DAEMON, frame->id, false, &failure);
}

/* A worker's answer, a whole frame, is passed on as it is; none means that it has died. */
static void finish_worker(nfds_t index)
{
	uint8_t bytes[1024];
	ssize_t n = read(waiting[index].fd, bytes, sizeof bytes);
	if (n > 0 && !write_all(DAEMON, bytes, (size_t)n)) n = 0;
	close(waiting[index].fd);
	waiting[index] = waiting[WORKERS_FROM + --worker_count];
}

static void answer_layers(const struct frame *frame, struct reader *from)
{
	struct failure failure = { 0 };
	static uint8_t bytes[64 << 10];
	struct writer reply;
	bool ok;
	begin_frame(&reply, bytes, sizeof bytes, frame->id, MSG_OK);
	if (frame->type == MSG_MOUNTED) {
		struct writer count = reply;
		put_number(&reply, 0, 4);
		put_number(&count, list_layers(&reply), 4);
		ok = reply.length <= reply.size || fail(&failure, "mounted", EMSGSIZE, "too many layers");
	} else {
		char directory[DIRECTORY_ROOM] = "";
		const char *key = read_text(from);
		if (frame->type == MSG_UNMOUNT) {
			ok = !from->bad && unmount_layer(key, &failure);
		} else {
			const char *index = read_text(from);
			struct list devices = read_list(from);
			ok = !from->bad && mount_erofs(key, index, devices, directory, sizeof directory, &failure);
			put_text(&reply, directory);
		}
		if (from->bad) fail(&failure, "plan", EINVAL, "malformed request");
	}
	end_frame(&reply);
	if (ok) (void)write_all(DAEMON, reply.bytes, reply.length);
	else answer(DAEMON, frame->id, false, &failure);
}

static void answer_datagrams(const struct frame *frame, struct reader *from)
{
	struct failure failure;
	struct writer reply;
	uint8_t bytes[64];
	uint32_t taken;
	const char *path = read_text(from);
	uint32_t count = (uint32_t)read_number(from, 4);
	if (!send_datagrams(path, count, from, &taken, &failure)) {
		answer(DAEMON, frame->id, false, &failure);
		return;
	}
	begin_frame(&reply, bytes, sizeof bytes, frame->id, MSG_OK);
	put_number(&reply, taken, 4);
	end_frame(&reply);
	(void)write_all(DAEMON, reply.bytes, reply.length);
}

static void answer_watch(const struct frame *frame)
{
	struct failure failure;
	if (waiting[AT_FIREWALL].fd < 0) waiting[AT_FIREWALL] = (struct pollfd){ .fd = watch_firewall(&failure), .events = POLLIN };
	answer(DAEMON, frame->id, waiting[AT_FIREWALL].fd >= 0, &failure);
}

/* @returns how long to wait for anything else */
static int regulate_firewall(void)
{
	int64_t rest = firewall_from == 0 ? 0 : firewall_from - now_ms();
	waiting[AT_FIREWALL].events = rest > 0 ? 0 : POLLIN;
	return rest > 0 ? (int)rest : -1;
}

static void serve(const struct frame *frame)
{
	struct failure failure;
	struct reader from = frame->payload;
	switch (frame->type) {
	case MSG_RUN:
	case MSG_FILES: start_worker(frame); break;
	case MSG_NETLINK: answer_netlink(frame, &from); break;
	case MSG_LAUNCH: launch(frame); break;
	case MSG_DATAGRAMS: answer_datagrams(frame, &from); break;
	case MSG_WATCH_FIREWALL: answer_watch(frame); break;
	case MSG_MOUNT_EROFS:
	case MSG_UNMOUNT:
	case MSG_MOUNTED: answer_layers(frame, &from); break;
	default:
		fail(&failure, "request", EINVAL, "unknown request %u", frame->type);
		answer(DAEMON, frame->id, false, &failure);
	}
}

/* Asks the first monitor that answers for a descriptor of the namespace that it shares with the broker that made it. */
static int adopt_mounts(int count, char **sockets)
{
	for (int i = 0; i < count; i++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		struct timeval patience = { .tv_sec = 2 };
		int directory = -1, found = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (strlen(sockets[i]) < sizeof address.sun_path) copy_text(address.sun_path, sizeof address.sun_path, sockets[i]);
		else directory = open_long_path(sockets[i], 0, address.sun_path, sizeof address.sun_path);
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		uint8_t bytes[64];
		struct writer request;
		begin_frame(&request, bytes, sizeof bytes, 1, MSG_NAMESPACE);
		end_frame(&request);
		if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && write_all(fd, request.bytes, request.length))
			found = receive_descriptor(fd);
		close(fd);
		if (directory >= 0) close(directory);
		if (found >= 0) return found;
	}
	return -1;
}

static char trees_path[DIRECTORY_ROOM];
static struct stat trees_status;

static bool listen_for_trees(struct failure *failure)
{
	snprintf(trees_path, sizeof trees_path, "%s/files.sock", our.exec_root);
	(void)unlink(trees_path); /* an earlier broker's */
	waiting[AT_TREES] = (struct pollfd){ .fd = listen_at(trees_path, failure), .events = POLLIN };
	return waiting[AT_TREES].fd >= 0 && stat(trees_path, &trees_status) == 0;
}

/* A next broker may have put its own there already. */
static void remove_trees_socket(void)
{
	struct stat status;
	if (stat(trees_path, &status) == 0 && status.st_ino == trees_status.st_ino && status.st_dev == trees_status.st_dev) (void)unlink(trees_path);
}

static bool prepare_broker(int argc, char **argv, struct failure *failure)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGCHLD };
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) sigaction(ignored[i], &ignore, NULL);
	setsid();
	umask(0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	fcntl(DAEMON, F_SETFD, FD_CLOEXEC);
	failpoint_start();
	our.classic = getenv("BERTH_CLASSIC_MOUNT") != NULL;
	if (argv[2][0] != '/' || strlen(argv[2]) >= sizeof our.exec_root) return fail(failure, "start", EINVAL, "exec root: %s", argv[2]);
	copy_text(our.exec_root, sizeof our.exec_root, argv[2]);
	snprintf(our.layers, sizeof our.layers, "%s/layers", our.exec_root);
	(void)read_file("/proc/self/oom_score_adj", our.oom_score_adj, sizeof our.oom_score_adj);
	if (mkdir(our.exec_root, 0711) != 0 && errno != EEXIST) return fail(failure, "start", errno, "%s", our.exec_root);
	int adopted = adopt_mounts(argc - 3, argv + 3);
	set_title("berth-broker", NULL);
	if (!open_mount_space(adopted, failure) || !listen_for_trees(failure)) return false;
	uint8_t bytes[64];
	struct writer ready;
	begin_frame(&ready, bytes, sizeof bytes, 0, MSG_READY);
	put_number(&ready, adopted >= 0, 1);
	end_frame(&ready);
	return write_all(DAEMON, ready.bytes, ready.length) || fail(failure, "start", errno, "no daemon");
}

int run_broker(int argc, char **argv)
{
	struct inbox inbox = { 0 };
	struct frame frame;
	struct failure failure;
	if (!prepare_broker(argc, argv, &failure)) {
		fprintf(stderr, "berth-broker: %s: %s: %s\n", failure.stage, failure.message, strerror(failure.error));
		return 1;
	}
	waiting[AT_DAEMON] = (struct pollfd){ .fd = DAEMON, .events = POLLIN };
	waiting[AT_FIREWALL].fd = -1;
	for (;;) {
		if (poll(waiting, WORKERS_FROM + worker_count, regulate_firewall()) < 0 && errno != EINTR) return 1;
		for (nfds_t i = WORKERS_FROM + worker_count; i > WORKERS_FROM; i--)
			if (waiting[i - 1].revents != 0) finish_worker(i - 1);
		if (waiting[AT_TREES].revents != 0) accept_tree_request(waiting[AT_TREES].fd, close_own);
		if (waiting[AT_FIREWALL].revents != 0 && waiting[AT_FIREWALL].events != 0) firewall_from = report_firewall(waiting[AT_FIREWALL].fd, DAEMON);
		if (waiting[AT_DAEMON].revents == 0) continue;
		enum frame_result result;
		while ((result = read_frame(DAEMON, &inbox, &frame)) == FRAME_WHOLE) {
			serve(&frame);
			drop_frame(&inbox, &frame);
		}
		if (result == FRAME_NONE) continue;
		remove_trees_socket();
		return result == FRAME_CLOSED ? 0 : 1;
	}
}
