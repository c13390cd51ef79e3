/* Connections to the monitor's socket: the daemon's control connection, attached clients, exec sessions. */
#include "kernel-calls.h"
#include "monitor.h"
#include <sys/epoll.h>
#include <sys/socket.h>

/* To the daemon, if one is connected. */
void send_event(const struct writer *frame)
{
	if (monitor.control != NULL) client_send(monitor.control, 0, frame->bytes, frame->length);
}

/* @param failure NULL: it went well; @param pid only where the answer has one. May free the client. */
void answer_client(struct client *client, uint32_t id, const struct failure *failure, uint32_t pid)
{
	uint8_t bytes[1024];
	struct writer frame;
	begin_frame(&frame, bytes, sizeof bytes, id, failure == NULL ? MSG_OK : MSG_FAILURE);
	if (failure != NULL) put_failure(&frame, failure);
	else if (pid != 0) put_number(&frame, pid, 4);
	end_frame(&frame);
	client_send(client, 0, frame.bytes, frame.length);
}

void report_failed(void)
{
	uint8_t bytes[1024];
	struct writer frame;
	begin_frame(&frame, bytes, sizeof bytes, 0, MSG_FAILED);
	put_failure(&frame, &monitor.failure);
	end_frame(&frame);
	send_event(&frame);
}

void report_rotation(void)
{
	uint8_t bytes[64];
	struct writer frame;
	begin_frame(&frame, bytes, sizeof bytes, 0, MSG_LOG_ROTATED);
	end_frame(&frame);
	send_event(&frame);
}

static void join_session(struct client *client, struct session *session)
{
	client->session = session;
	client->next = session->clients;
	session->clients = client;
}

static void take_control(struct client *client, uint32_t id)
{
	uint8_t bytes[64];
	struct writer frame;
	/* The newest daemon is the daemon. */
	if (monitor.control != NULL) client_drop(monitor.control);
	monitor.control = client;
	begin_frame(&frame, bytes, sizeof bytes, id, MSG_OK);
	put_number(&frame, monitor.state, 1);
	put_number(&frame, (uint32_t)monitor.container.pid, 4);
	end_frame(&frame);
	send_event(&frame);
	if (monitor.state == STATE_FAILED) report_failed();
}

static bool still_there(const struct client *client, const struct session *session)
{
	if (client == monitor.control) return true;
	for (const struct client *at = session->clients; at != NULL; at = at->next)
		if (at == client) return true;
	return false;
}

/* The answer says where the log ends and the stream begins; with ATTACH_LOG not even half a line is between the two. */
static void begin_stream(struct client *client, uint32_t id, bool with_log)
{
	uint8_t bytes[64];
	struct writer frame;
	uint64_t inode, size;
	log_position(&inode, &size);
	begin_frame(&frame, bytes, sizeof bytes, id, MSG_OK);
	put_number(&frame, inode, 8);
	put_number(&frame, size, 8);
	end_frame(&frame);
	client_send(client, 0, frame.bytes, frame.length);
	for (uint8_t stream = 1; stream <= 2; stream++) {
		const uint8_t *begun;
		size_t length = log_unfinished(stream == 2, &begun);
		if (!still_there(client, &monitor.container)) return;
		if (with_log && length > 0 && (stream == 1 ? client->wants_stdout : client->wants_stderr)) client_send(client, stream, begun, length);
	}
}

static void attach(struct client *client, const struct frame *frame)
{
	struct reader from = frame->payload;
	if (monitor.state == STATE_FAILED) {
		client->wants_stdout = true;
		join_session(client, &monitor.container);
		answer_client(client, frame->id, &monitor.failure, 0);
		session_end_clients(&monitor.container);
		return;
	}
	uint64_t flags = read_number(&from, 1);
	client->raw = monitor.plan->tty;
	client->wants_stdin = client->reading = flags & ATTACH_STDIN;
	client->wants_stdout = flags & ATTACH_STDOUT;
	client->wants_stderr = flags & ATTACH_STDERR;
	join_session(client, &monitor.container);
	watch(&client->source, client->reading ? EPOLLIN : 0);
	begin_stream(client, frame->id, flags & ATTACH_LOG);
}

static void start_session(struct client *client, const struct frame *frame)
{
	struct reader from = frame->payload;
	struct exec_plan plan;
	struct failure failure;
	struct session *session = new_pages(sizeof *session);
	bool ok = read_exec_plan(&from, &plan) || fail(&failure, "plan", EINVAL, "malformed exec plan");
	client->reading = false;
	watch(&client->source, 0);
	if (ok && monitor.state != STATE_RUNNING) ok = fail(&failure, "exec", ESRCH, "the container is not running");
	if (ok && session == NULL) ok = fail(&failure, "exec", ENOMEM, "session");
	if (ok) {
		client->raw = plan.tty;
		client->wants_stdin = plan.open_stdin;
		client->wants_stdout = plan.attach_stdout;
		client->wants_stderr = plan.attach_stderr;
		session->starter = client;
		session->starter_request = frame->id;
		session->next = monitor.sessions;
		monitor.sessions = session;
		join_session(client, session);
		ok = start_exec(session, &plan, &failure);
	}
	if (ok) return;
	if (session != NULL && session->starter == client) (void)finish_exec_start(session, &failure);
	else {
		if (session != NULL) free_pages(session, sizeof *session);
		answer_client(client, frame->id, &failure, 0);
	}
}

static struct session *find_session(const char *id)
{
	for (struct session *session = monitor.sessions; session != NULL; session = session->next)
		if (session->started && !session->ended && strcmp(session->id, id) == 0) return session;
	return NULL;
}

static bool control_request(const struct frame *frame, struct failure *failure)
{
	struct reader from = frame->payload;
	struct session *session = &monitor.container;
	switch (frame->type) {
	case MSG_SIGNAL:
		if (session->ended) return fail(failure, "signal", ESRCH, "the container has ended");
		return sys_pidfd_send_signal(session->pidfd, (int)read_number(&from, 4)) == 0 || fail(failure, "signal", errno, "signal");
	case MSG_EXEC_SIGNAL:
		session = find_session(read_text(&from));
		if (session == NULL) return fail(failure, "signal", ESRCH, "no such exec session");
		return sys_pidfd_send_signal(session->pidfd, (int)read_number(&from, 4)) == 0 || fail(failure, "signal", errno, "signal");
	case MSG_EXEC_RESIZE:
		session = find_session(read_text(&from));
		if (session == NULL) return fail(failure, "resize", ESRCH, "no such exec session");
		/* fall through */
	case MSG_RESIZE: {
		uint16_t rows = (uint16_t)read_number(&from, 2), columns = (uint16_t)read_number(&from, 2);
		if (!session->tty || session->input.fd < 0) return fail(failure, "resize", ENOTTY, "no terminal");
		set_window(session->input.fd, rows, columns);
		return true;
	}
	case MSG_LOG_REPLACE: {
		uint64_t inode = read_number(&from, 8);
		const char *packed = read_text(&from);
		return from.bad ? fail(failure, "log", EINVAL, "malformed request") : log_replace(inode, packed, failure);
	}
	case MSG_CHANGE_NETWORK: return change_network(&from, failure);
	default: return fail(failure, "request", EINVAL, "unknown request %u", frame->type);
	}
}

static void serve_control(struct client *client, const struct frame *frame)
{
	struct failure failure;
	struct reader from = frame->payload;
	if (frame->type == MSG_DNS_ANSWER) answer_question(&from);
	else if (frame->type == MSG_DNS_LISTEN) {
		client->wants_questions = true;
		regulate_dns();
	}
	else if (frame->type == MSG_GO) begin_go(frame->id);
	else if (control_request(frame, &failure)) answer_client(client, frame->id, NULL, 0);
	else answer_client(client, frame->id, &failure, 0);
}

static void answer_descriptor(struct client *client, uint32_t id, int descriptor)
{
	uint8_t bytes[64];
	struct writer frame;
	begin_frame(&frame, bytes, sizeof bytes, id, MSG_OK);
	end_frame(&frame);
	(void)send_descriptor(client->source.fd, frame.bytes, frame.length, descriptor);
	client_drop(client);
}

static void serve_new(struct client *client, const struct frame *frame)
{
	switch (frame->type) {
	case MSG_CONTROL: take_control(client, frame->id); break;
	case MSG_ATTACH: attach(client, frame); break;
	case MSG_EXEC: start_session(client, frame); break;
	case MSG_NAMESPACE: answer_descriptor(client, frame->id, our.layers_namespace); break;
	case MSG_PROCESS: answer_descriptor(client, frame->id, monitor.container.pidfd); break;
	default: client_drop(client);
	}
}

static void read_requests(struct client *client)
{
	struct frame frame;
	for (;;) {
		enum frame_result result = read_frame(client->source.fd, &client->inbox, &frame);
		if (result == FRAME_NONE) return;
		if (result != FRAME_WHOLE) {
			bool was_control = client == monitor.control;
			client_drop(client);
			if (was_control && monitor.state == STATE_LAUNCHED) undo_launch();
			return;
		}
		if (client == monitor.control) {
			serve_control(client, &frame);
			if (client != monitor.control) return;
			drop_frame(&client->inbox, &frame);
			continue;
		}
		bool is_control = frame.type == MSG_CONTROL;
		/* Who wants a stream waits for the answer before sending: there is nothing behind the frame. */
		bool extra = client->inbox.bytes + client->inbox.start + client->inbox.length != frame.payload.end;
		struct inbox inbox = client->inbox;
		if (extra && !is_control) {
			client_drop(client);
			return;
		}
		if (!is_control) client->inbox = (struct inbox){ 0 };
		serve_new(client, &frame);
		if (!is_control) {
			free_inbox(&inbox);
			return;
		}
		if (client != monitor.control) return;
		drop_frame(&client->inbox, &frame);
	}
}

static void client_ready(struct source *source, uint32_t events)
{
	struct client *client = source->owner;
	struct session *session = client->session;
	if ((events & EPOLLOUT) && client->backlog != NULL) {
		client_flush(client);
		if (session == NULL || !still_there(client, session)) return;
	}
	if ((events & EPOLLIN) && client->reading) {
		if (session == NULL) read_requests(client);
		else session_input(client);
		return;
	}
	if (!(events & (EPOLLHUP | EPOLLERR))) return;
	bool was_control = client == monitor.control;
	client_drop(client);
	if (was_control && monitor.state == STATE_LAUNCHED) undo_launch();
}

static bool is_our_user(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

void accept_clients(struct source *source, uint32_t events)
{
	(void)events;
	for (;;) {
		int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno == EINTR) continue;
		if (fd < 0) return;
		struct client *client = is_our_user(fd) ? new_pages(sizeof *client) : NULL;
		if (client == NULL) {
			close(fd);
			continue;
		}
		client->spill = -1;
		client->reading = true;
		client->source = (struct source){ .fd = fd, .ready = client_ready, .owner = client };
		watch(&client->source, EPOLLIN);
	}
}
