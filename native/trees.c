/*
 * One connection, one piece of work. The request is a frame MSG_TREE; its answer is OK or FAILURE. What follows an OK:
 *
 *   stat      nothing
 *   read, export, layer   a tar
 *   changes   records (tree-changes.c)
 *   write     records from the daemon (tree-write.c), and at their end a second answer
 *
 * A stream begins when the daemon has sent a byte. Behind it follows a second one, which is taken on success only: who
 * ends without it leaves it unread, which resets the connection, so that half a tar is never taken for a whole one.
 *
 * With a client (`i32 pid, i32 descriptor` of the daemon; -1: none) a tar goes to that connection of the daemon's itself,
 * as chunks of HTTP, all but the last one; a layer so goes into a file of the daemon's, as it is. The answer begins with
 * whether it does: u8.
 */
#include "kernel-calls.h"
#include "protocol.h"
#include "trees.h"
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum tree_work { TREE_STAT = 1, TREE_READ, TREE_EXPORT, TREE_WRITE, TREE_CHANGES, TREE_LAYER };

static struct output output;

static void begin_answer(struct writer *to, uint8_t *bytes, size_t size, const struct frame *request)
{
	begin_frame(to, bytes, size, request->id, MSG_OK);
}

static bool send_answer(struct writer *answer)
{
	end_frame(answer);
	return write_all(output.control, answer->bytes, answer->length);
}

/* Ends this process. */
_Noreturn static void refuse(const struct frame *request, const struct failure *failure)
{
	uint8_t bytes[2048];
	struct writer answer;
	begin_frame(&answer, bytes, sizeof bytes, request->id, MSG_FAILURE);
	put_failure(&answer, failure);
	if (send_answer(&answer)) {
		shutdown(output.control, SHUT_WR);
		/* What the daemon still sends is taken, lest the connection be reset before it has read why. */
		while (read(output.control, output.bytes, sizeof output.bytes) > 0) continue;
	}
	_exit(1);
}

static void await_byte(void)
{
	uint8_t byte;
	if (read(output.control, &byte, 1) != 1) _exit(0);
}

_Noreturn static void finish_stream(bool ok)
{
	struct pollfd ready = { .fd = output.control, .events = POLLIN };
	if (flush_output(&output) && ok) await_byte();
	else (void)poll(&ready, 1, 10000);
	_exit(0);
}

/* Takes the client's connection, if there is one and it can be had. Where it cannot, the daemon passes the bytes on. */
static bool take_client(struct reader *from)
{
	pid_t pid = (pid_t)read_number(from, 4);
	int descriptor = (int)read_number(from, 4);
	int process = from->bad || descriptor < 0 ? -1 : sys_pidfd_open(pid);
	int client = process < 0 ? -1 : sys_pidfd_getfd(process, descriptor);
	if (process >= 0) close(process);
	if (client < 0) return false;
	output.fd = client;
	output.framed = true;
	return true;
}

static void put_status(struct writer *to, const struct view *view, const char *path, const struct stat *status)
{
	char target[TREE_PATH] = "";
	if (S_ISLNK(status->st_mode) && !follow_links(view, path, target, sizeof target)) target[0] = 0;
	put_number(to, status->st_mode, 4);
	put_number(to, (uint64_t)status->st_size, 8);
	put_number(to, (uint64_t)status->st_mtim.tv_sec, 8);
	put_number(to, (uint64_t)status->st_mtim.tv_nsec, 4);
	put_text(to, target);
}

_Noreturn static void read_path(const struct frame *request, struct reader *from, bool with_tar)
{
	uint8_t bytes[TREE_PATH + 128];
	struct writer answer;
	struct failure failure;
	struct stat status;
	struct view view;
	bool direct = with_tar && take_client(from);
	if (!open_view(from, &view, &failure)) refuse(request, &failure);
	const char *path = read_text(from), *base = with_tar ? read_text(from) : "";
	static struct reading reading;
	reading = (struct reading){ .to = &output, .proc = view.proc, .failure = &failure };
	int fd = open_view_path(&view, path, &status);
	if (from->bad || fd < 0 || strlen(base) > NAME_MAX) {
		fail(&failure, "path", from->bad ? EINVAL : errno, "%s", path);
		refuse(request, &failure);
	}
	begin_answer(&answer, bytes, sizeof bytes, request);
	put_number(&answer, direct, 1);
	put_status(&answer, &view, path, &status);
	if (!send_answer(&answer) || !with_tar) _exit(0);
	await_byte();
	copy_text(reading.name, sizeof reading.name, base);
	bool ok = read_tree(&reading, fd, "");
	if (ok) put_tar_end(&output);
	finish_stream(ok);
}

_Noreturn static void read_all(const struct frame *request, struct reader *from, bool upper)
{
	uint8_t bytes[64];
	struct writer answer;
	struct failure failure;
	struct view view;
	static struct reading reading;
	bool direct = take_client(from);
	/* A layer goes into a file. */
	if (upper) output.framed = false;
	int root;
	if (upper) {
		const char *path = read_text(from);
		root = from->bad ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		view.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root < 0) {
			fail(&failure, "layer", from->bad ? EINVAL : errno, "%s", path);
			refuse(request, &failure);
		}
	} else {
		if (!open_view(from, &view, &failure)) refuse(request, &failure);
		root = view.root;
	}
	reading = (struct reading){ .to = &output, .proc = view.proc, .whiteouts = upper, .strict = upper, .failure = &failure };
	begin_answer(&answer, bytes, sizeof bytes, request);
	put_number(&answer, direct, 1);
	if (!send_answer(&answer)) _exit(0);
	await_byte();
	bool ok = read_tree_below(&reading, root);
	if (ok) put_tar_end(&output);
	finish_stream(ok);
}

_Noreturn static void write_path(const struct frame *request, struct reader *from)
{
	uint8_t bytes[TREE_PATH + 128];
	char resolved[TREE_PATH];
	struct writer answer;
	struct failure failure;
	struct stat status;
	struct view view;
	if (!open_view(from, &view, &failure)) refuse(request, &failure);
	const char *path = read_text(from);
	bool keep_kinds = read_number(from, 1) != 0;
	if (from->bad || !resolve_view_path(&view, path, resolved, sizeof resolved) || stat(resolved, &status) != 0) {
		fail(&failure, "path", from->bad ? EINVAL : errno, "%s", path);
		refuse(request, &failure);
	}
	begin_answer(&answer, bytes, sizeof bytes, request);
	put_text(&answer, resolved);
	put_number(&answer, S_ISDIR(status.st_mode), 1);
	if (!send_answer(&answer)) _exit(0);
	if (!write_tree(&view, output.control, keep_kinds, &failure)) refuse(request, &failure);
	begin_answer(&answer, bytes, sizeof bytes, request);
	(void)send_answer(&answer);
	_exit(0);
}

_Noreturn static void send_changes(const struct frame *request, struct reader *from)
{
	uint8_t bytes[64];
	struct writer answer;
	struct failure failure;
	char place[DIRECTORY_ROOM];
	struct list layers = read_list(from);
	const char *path = read_text(from);
	int lower = open_lower(layers, place, sizeof place, &failure);
	if (lower < 0) refuse(request, &failure);
	close_lower(place); /* the descriptor keeps it */
	int upper = from->bad ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0) {
		fail(&failure, "changes", from->bad ? EINVAL : errno, "%s", path);
		refuse(request, &failure);
	}
	begin_answer(&answer, bytes, sizeof bytes, request);
	put_number(&answer, false, 1);
	if (!send_answer(&answer)) _exit(0);
	await_byte();
	finish_stream(list_changes(upper, lower, &output, &failure));
}

/* Never returns. */
static void work(int connection)
{
	struct inbox inbox = { 0 };
	struct frame frame;
	struct failure failure;
	struct pollfd ready = { .fd = connection, .events = POLLIN };
	enum frame_result result;
	set_title("berth-files", NULL);
	output.fd = output.control = connection;
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max; /* one descriptor for each directory above */
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	while ((result = read_frame(connection, &inbox, &frame)) == FRAME_NONE)
		if (poll(&ready, 1, 10000) <= 0) _exit(1);
	if (result != FRAME_WHOLE || frame.type != MSG_TREE) _exit(1);
	struct reader from = frame.payload;
	switch (read_number(&from, 1)) {
	case TREE_STAT: read_path(&frame, &from, false);
	case TREE_READ: read_path(&frame, &from, true);
	case TREE_EXPORT: read_all(&frame, &from, false);
	case TREE_WRITE: write_path(&frame, &from);
	case TREE_CHANGES: send_changes(&frame, &from);
	case TREE_LAYER: read_all(&frame, &from, true);
	default:
		fail(&failure, "request", EINVAL, "unknown work on a tree");
		refuse(&frame, &failure);
	}
}

/* @param close_own what the broker has open and its workers must not keep */
void accept_tree_request(int listener, void (*close_own)(void))
{
	int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0) return;
	if (fork() == 0) {
		close_own();
		work(connection);
	}
	close(connection);
}
