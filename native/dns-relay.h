/* What dns-relay.c and dns-streams.c share. */
#pragma once
#include "monitor.h"
#include <netinet/in.h>
#include <sys/socket.h>

/* Of UDP what those who know EDNS take as well (RFC 6891); of TCP all that its length of two bytes can say. */
enum { QUESTIONS = 1024, DATAGRAM_MAX = 4096, QUESTION_MAX = UINT16_MAX, BATCH = 15, STREAMS = 64, FRAME_AROUND = FRAME_HEADER + 4 + 1 + 4 + 1 };

/* One that the daemon has not answered yet. */
struct question {
	uint32_t id;                  /* its place in the table, and above that how often that has been used */
	bool asked;
	struct sockaddr_in from;
	struct stream *stream;        /* NULL: UDP */
};

/* A connection: questions and answers with their length before them (RFC 7766). */
struct stream {
	struct source source;
	struct relay *relay;
	struct stream *next;
	uint32_t asked;               /* questions that are not answered yet */
	bool ended;                   /* no more questions will come */
	int64_t active_ms;
	uint32_t length;
	uint8_t bytes[2 + QUESTION_MAX];
};

struct relay {
	struct source datagrams, listener, clock;
	struct stream *streams;
	uint32_t stream_count;
	bool flowing;                 /* questions are read */
	uint32_t free_count;
	uint16_t free[QUESTIONS];
	struct question questions[QUESTIONS];
	uint8_t received[BATCH][DATAGRAM_MAX];
	size_t frames_length;
	uint8_t frames[QUESTION_MAX + FRAME_AROUND];
};
/* A batch that the daemon does not take at once is kept for it in memory. */
_Static_assert(sizeof((struct relay *)0)->frames <= BACKLOG, "a batch of questions fits");
_Static_assert(BATCH * (DATAGRAM_MAX + FRAME_AROUND) <= sizeof((struct relay *)0)->frames, "a batch of datagrams fits");

/* dns-relay.c */
struct question *keep_question(void);
bool has_room(size_t length);
void put_question(const struct question *question, const uint8_t *bytes, size_t length);
void send_questions(void);
void forget_questions_of(const struct stream *stream);

/* dns-streams.c */
void prepare_streams(struct relay *relay);
void regulate_streams(struct relay *relay);
void answer_stream(struct relay *relay, struct stream *stream, struct blob answer);
void close_streams(struct relay *relay);
