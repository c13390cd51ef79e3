/*
 * Standard streams: from the program to the log and to any number of clients, and from clients to the program. Nothing
 * here waits: what a client does not take at once is kept for it, in memory and then in an unlinked file; what the
 * program does not take of its stdin holds back only who sent it.
 */
#include "kernel-calls.h"
#include "monitor.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { STDOUT = 1, STDERR = 2 };
static const uint64_t spill_max = 1ULL << 30;

void client_drop(struct client *client)
{
	struct client **at = client->session == NULL ? NULL : &client->session->clients;
	while (at != NULL && *at != NULL && *at != client) at = &(*at)->next;
	if (at != NULL && *at == client) *at = client->next;
	if (client->session != NULL && client->session->starter == client) client->session->starter = NULL;
	if (monitor.control == client) {
		monitor.control = NULL;
		forget_questions();
	}
	if (client->ending) monitor.lingering--;
	unwatch(&client->source);
	if (client->spill >= 0) close(client->spill);
	if (client->backlog != NULL) free_pages(client->backlog, BACKLOG);
	free_inbox(&client->inbox);
	free_pages(client, sizeof *client);
}

static void update_events(struct client *client)
{
	watch(&client->source, (client->reading ? EPOLLIN : 0) | (client->backlog != NULL ? EPOLLOUT : 0));
}

/* To memory as long as there is room, in order: once something has gone to the file, all goes there until it is read back. */
static bool keep(struct client *client, const uint8_t *bytes, size_t length)
{
	if (client->backlog == NULL && (client->backlog = new_pages(BACKLOG)) == NULL) return false;
	size_t used = client->backlog_at + client->backlog_length;
	size_t fits = client->spill_length > 0 ? 0 : BACKLOG - used < length ? BACKLOG - used : length;
	memcpy(client->backlog + used, bytes, fits);
	client->backlog_length += fits;
	if (fits == length) return true;
	bytes += fits;
	length -= fits;
	if (client->spill < 0) client->spill = open(monitor.exit_directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (client->spill < 0 || client->spill_at + client->spill_length + length > spill_max) return false;
	while (length > 0) {
		ssize_t n = pwrite(client->spill, bytes, length, (off_t)(client->spill_at + client->spill_length));
		if (n <= 0) return false;
		client->spill_length += (uint64_t)n;
		bytes += n;
		length -= (size_t)n;
	}
	return true;
}

/* Takes the next part of the file into memory. @returns false when there is none */
static bool take_back(struct client *client)
{
	if (client->spill_length == 0) return false;
	ssize_t n = pread(client->spill, client->backlog, BACKLOG, (off_t)client->spill_at);
	if (n <= 0) return false;
	client->spill_at += (uint64_t)n;
	client->spill_length -= (uint64_t)n;
	client->backlog_at = 0;
	client->backlog_length = (size_t)n;
	if (client->spill_length == 0 && ftruncate(client->spill, 0) == 0) client->spill_at = 0;
	return true;
}

/* Sends what is kept, as much as the client takes now. May free the client. */
void client_flush(struct client *client)
{
	while (client->backlog != NULL) {
		ssize_t n = send(client->source.fd, client->backlog + client->backlog_at, client->backlog_length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) break;
		if (n < 0) {
			client_drop(client);
			return;
		}
		client->backlog_at += (size_t)n;
		client->backlog_length -= (size_t)n;
		if (client->backlog_length > 0 || take_back(client)) continue;
		free_pages(client->backlog, BACKLOG);
		client->backlog = NULL;
		client->backlog_at = 0;
	}
	update_events(client);
	if (client == monitor.control) regulate_dns();
	if (client->ending && client->backlog == NULL) {
		/* What the client has sent and nobody will read is taken out, or closing would reset what is still under way to it. */
		shutdown(client->source.fd, SHUT_RDWR);
		while (recv(client->source.fd, scratch, sizeof scratch, MSG_DONTWAIT) > 0) continue;
		client_drop(client);
	}
}

/* @param stream 1 or 2: framed for clients without a terminal; 0: as it is. May free the client. */
void client_send(struct client *client, uint8_t stream, const uint8_t *bytes, size_t length)
{
	uint8_t header[8] = { stream, 0, 0, 0, (uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length };
	size_t header_length = stream == 0 || client->raw ? 0 : sizeof header, sent = 0;
	if (client->backlog == NULL) {
		struct iovec parts[2] = { { header, header_length }, { (void *)(uintptr_t)bytes, length } };
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
		ssize_t n = sendmsg(client->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			client_drop(client);
			return;
		}
		sent = n < 0 ? 0 : (size_t)n;
		if (sent == header_length + length) return;
	}
	bool kept = sent >= header_length || keep(client, header + sent, header_length - sent);
	size_t from = sent > header_length ? sent - header_length : 0;
	if (!kept || !keep(client, bytes + from, length - from)) client_drop(client);
	else update_events(client);
}

/* Closes the connection when all that is kept has been taken. May free the client. */
void client_end(struct client *client)
{
	if (client->ending) return;
	struct client **at = client->session == NULL ? NULL : &client->session->clients;
	while (at != NULL && *at != NULL && *at != client) at = &(*at)->next;
	if (at != NULL && *at == client) *at = client->next;
	client->session = NULL;
	client->ending = true;
	client->reading = false;
	monitor.lingering++;
	client_flush(client);
}

void session_end_clients(struct session *session)
{
	for (struct client *client = session->clients, *next; client != NULL; client = next) {
		next = client->next;
		client_end(client);
	}
}

/* Reads once. @returns false when there is nothing more at the moment, or ever */
static bool take_output(struct session *session, struct source *source)
{
	if (source->fd < 0) return false;
	bool is_errors = source == &session->errors;
	ssize_t n = read(source->fd, scratch, sizeof scratch);
	if (n < 0 && errno == EINTR) return true;
	if (n < 0 && errno == EAGAIN) return false;
	if (n <= 0) {
		unwatch(source); /* a pty says EIO when nobody has its other side open */
		return false;
	}
	if (session->is_container) log_take(is_errors, scratch, (size_t)n);
	for (struct client *client = session->clients, *next; client != NULL; client = next) {
		next = client->next;
		if (is_errors ? client->wants_stderr : client->wants_stdout) client_send(client, is_errors ? STDERR : STDOUT, scratch, (size_t)n);
	}
	return true;
}

static void output_ready(struct source *source, uint32_t events)
{
	struct session *session = source->owner;
	(void)events;
	(void)take_output(session, source);
	/* A session that has ended is kept only for what its orphans still print; then it can go. */
	if (session->ended && !session->is_container && session->output.fd < 0 && session->errors.fd < 0) session_close(session);
}

/* All that is in the pipes now: after the death of the program this is all that it has written. */
void session_drain(struct session *session)
{
	while (take_output(session, &session->output)) continue;
	while (take_output(session, &session->errors)) continue;
}

static void close_input(struct session *session)
{
	if (session->pending != NULL) free_pages(session->pending, PENDING);
	session->pending = NULL;
	session->pending_at = session->pending_length = 0;
	unwatch(&session->input);
}

/* Lets those read on that were held back. */
static void resume_senders(struct session *session)
{
	for (struct client *client = session->clients; client != NULL; client = client->next) {
		if (!client->wants_stdin || client->reading) continue;
		client->reading = true;
		update_events(client);
	}
}

static void input_ready(struct source *source, uint32_t events)
{
	struct session *session = source->owner;
	while (session->pending != NULL) {
		ssize_t n = write(source->fd, session->pending + session->pending_at, session->pending_length);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) return;
		if (n < 0) {
			close_input(session);
			resume_senders(session);
			return;
		}
		session->pending_at += (size_t)n;
		session->pending_length -= (size_t)n;
		if (session->pending_length > 0) continue;
		free_pages(session->pending, PENDING);
		session->pending = NULL;
		session->pending_at = 0;
	}
	if (session->stdin_ended || (events & EPOLLERR)) close_input(session);
	else watch(source, 0);
	resume_senders(session);
}

/* Bytes from a client for the program. May free the client. */
void session_input(struct client *from)
{
	struct session *session = from->session;
	if (session->pending != NULL) {
		from->reading = false;
		update_events(from);
		return;
	}
	ssize_t n = recv(from->source.fd, scratch, PENDING, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
	if (n < 0) {
		client_drop(from);
		return;
	}
	if (n == 0) {
		from->wants_stdin = from->reading = false;
		update_events(from);
		if (!session->close_stdin_at_end) return;
		session->stdin_ended = true;
		close_input(session);
		return;
	}
	if (session->input.fd < 0) return; /* the program has closed its stdin */
	ssize_t written = write(session->input.fd, scratch, (size_t)n);
	if (written < 0 && errno != EAGAIN && errno != EINTR) {
		close_input(session);
		return;
	}
	if (written < 0) written = 0;
	if (written == n || (session->pending = new_pages(PENDING)) == NULL) return;
	session->pending_length = (size_t)(n - written);
	memcpy(session->pending, scratch + written, session->pending_length);
	watch(&session->input, EPOLLOUT);
}

/* Starts reading. Descriptors have been put into the sources by whoever made them. */
void session_begin(struct session *session)
{
	struct source *sources[] = { &session->output, &session->errors, &session->input };
	for (int i = 0; i < 3; i++) {
		sources[i]->owner = session;
		sources[i]->ready = i == 2 ? input_ready : output_ready;
		/* Input that came before the program may wait for room in its pipe already. */
		if (sources[i]->fd >= 0) watch(sources[i], i != 2 ? EPOLLIN : session->pending != NULL ? EPOLLOUT : 0);
	}
}

/* Forgets an exec session. */
void session_close(struct session *session)
{
	struct session **at = &monitor.sessions;
	while (*at != NULL && *at != session) at = &(*at)->next;
	if (*at == session) *at = session->next;
	session_end_clients(session);
	close_input(session);
	unwatch(&session->output);
	unwatch(&session->errors);
	unwatch(&session->channel);
	unwatch(&session->process);
	free_pages(session, sizeof *session);
}
