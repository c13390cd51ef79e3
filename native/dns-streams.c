/* Names over TCP: few connections, each for a short while. Who does not take its answers is cut off. */
#include "dns-relay.h"
#include "kernel-calls.h"
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

enum { IDLE_MS = 10000, UNANSWERED_MS = 60000, SWEEP_S = 5 };

static void close_stream(struct relay *relay, struct stream *stream)
{
	struct stream **at = &relay->streams;
	while (*at != NULL && *at != stream) at = &(*at)->next;
	if (*at == stream) *at = stream->next;
	if (stream->asked > 0) forget_questions_of(stream);
	unwatch(&stream->source);
	free_pages(stream, sizeof *stream);
	/* The clock only runs while there is something for it to look at. */
	if (--relay->stream_count == 0) unwatch(&relay->clock);
}

void close_streams(struct relay *relay)
{
	while (relay->streams != NULL) close_stream(relay, relay->streams);
}

/* The whole questions that have been read, a batch of them. @returns false for what is none */
static bool ask_whole(struct stream *stream)
{
	uint32_t at = 0, count = 0;
	for (; stream->length - at >= 2 && count < BATCH; count++) {
		uint32_t length = (uint32_t)stream->bytes[at] << 8 | stream->bytes[at + 1];
		if (length == 0) return false;
		if (stream->length - at - 2 < length || !has_room(length)) break;
		struct question *question = keep_question();
		if (question == NULL) break;
		question->stream = stream;
		stream->asked++;
		put_question(question, stream->bytes + at + 2, length);
		at += 2 + length;
	}
	stream->length -= at;
	memmove(stream->bytes, stream->bytes + at, stream->length);
	return true;
}

static bool has_whole(const struct stream *stream)
{
	return stream->length >= 2 && stream->length - 2 >= ((uint32_t)stream->bytes[0] << 8 | stream->bytes[1]);
}

static void watch_stream(struct stream *stream)
{
	/* A connection can be written to at any time: that is how questions that have been read already get their turn. */
	uint32_t events = (stream->ended ? 0 : EPOLLIN) | (has_whole(stream) ? EPOLLOUT : 0);
	watch(&stream->source, stream->relay->flowing ? events : 0);
}

static void stream_ready(struct source *source, uint32_t events)
{
	struct stream *stream = source->owner;
	bool ok = !(events & (EPOLLERR | EPOLLHUP));
	if (ok && !has_whole(stream)) {
		ssize_t n = recv(source->fd, stream->bytes + stream->length, sizeof stream->bytes - stream->length, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
		ok = n >= 0;
		stream->ended = n == 0;
		stream->length += n > 0 ? (uint32_t)n : 0;
	}
	stream->active_ms = now_ms();
	ok = ok && ask_whole(stream) && !(stream->ended && stream->asked == 0);
	if (ok) watch_stream(stream);
	else close_stream(stream->relay, stream);
	send_questions();
}

/* Closes the connection when it takes no more, or has nothing more to ask. */
void answer_stream(struct relay *relay, struct stream *stream, struct blob answer)
{
	uint8_t length[2] = { (uint8_t)(answer.length >> 8), (uint8_t)answer.length };
	struct iovec parts[2] = { { length, sizeof length }, { answer.bytes, answer.length } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	bool ok = answer.length <= UINT16_MAX;
	stream->asked--;
	stream->active_ms = now_ms();
	if (ok && answer.length > 0)
		ok = sendmsg(stream->source.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)(sizeof length + answer.length);
	if (!ok || (stream->ended && stream->asked == 0 && !has_whole(stream))) close_stream(relay, stream);
}

void regulate_streams(struct relay *relay)
{
	watch(&relay->listener, relay->flowing ? EPOLLIN : 0);
	for (struct stream *stream = relay->streams; stream != NULL; stream = stream->next) watch_stream(stream);
}

static void sweep(struct source *source, uint32_t events)
{
	struct relay *relay = source->owner;
	uint64_t ticks;
	int64_t now = now_ms();
	(void)events;
	if (read(source->fd, &ticks, sizeof ticks) < 0) return;
	for (struct stream *stream = relay->streams, *next; stream != NULL; stream = next) {
		next = stream->next;
		if (now - stream->active_ms > (stream->asked > 0 ? UNANSWERED_MS : IDLE_MS)) close_stream(relay, stream);
	}
}

static void start_clock(struct relay *relay)
{
	const struct itimerspec every = { .it_interval.tv_sec = SWEEP_S, .it_value.tv_sec = SWEEP_S };
	relay->clock.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (relay->clock.fd < 0) return;
	(void)timerfd_settime(relay->clock.fd, 0, &every, NULL);
	watch(&relay->clock, EPOLLIN);
}

/* Makes room: of those without a question, or else of all, the one that has been quiet for longest; the newest come first. */
static void close_quietest(struct relay *relay)
{
	struct stream *quietest = relay->streams;
	for (struct stream *stream = relay->streams; stream != NULL; stream = stream->next) {
		bool idle = stream->asked == 0, other_idle = quietest->asked == 0;
		if (idle != other_idle ? idle : stream->active_ms <= quietest->active_ms) quietest = stream;
	}
	close_stream(relay, quietest);
}

/* One at a time: those who wait come when others have had their turn. */
static void connection_ready(struct source *source, uint32_t events)
{
	struct relay *relay = source->owner;
	(void)events;
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) return;
	if (relay->stream_count == STREAMS) close_quietest(relay);
	struct stream *stream = new_pages(sizeof *stream);
	if (stream == NULL) {
		close(fd);
		return;
	}
	stream->source = (struct source){ .fd = fd, .ready = stream_ready, .owner = stream };
	stream->relay = relay;
	stream->active_ms = now_ms();
	stream->next = relay->streams;
	relay->streams = stream;
	if (relay->stream_count++ == 0) start_clock(relay);
	watch_stream(stream);
}

void prepare_streams(struct relay *relay)
{
	relay->listener = (struct source){ .fd = -1, .ready = connection_ready, .owner = relay };
	relay->clock = (struct source){ .fd = -1, .ready = sweep, .owner = relay };
}
