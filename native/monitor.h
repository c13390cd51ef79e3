/*
 * The parts of a monitor: monitor.c life cycle, launch.c start, streams.c stdio, connections.c clients, log.c the log,
 * network-change.c the network, dns-relay.c questions for names, port-relay.c ports that are passed on.
 */
#pragma once
#include "native.h"
#include "protocol.h"

/* Something that epoll watches. `ready` may free its owner: events are taken one at a time. */
struct source {
	int fd;
	uint32_t events;
	void (*ready)(struct source *source, uint32_t events);
	void *owner;
};
void watch(struct source *source, uint32_t events);
void unwatch(struct source *source); /* and closes */
void rest(struct source *source);
bool renew_poller(void);
bool turn(int timeout_ms);

/* Log file, log.c. Everything taken is in the file when log_take has returned. */
bool log_open(const struct log_plan *plan, struct failure *failure);
void log_take(bool error_stream, const uint8_t *bytes, size_t length);
void log_end(void);
bool log_replace(uint64_t inode, const char *packed, struct failure *failure);
void log_position(uint64_t *inode, uint64_t *size);
size_t log_unfinished(bool error_stream, const uint8_t **bytes);
size_t format_time(char *into, const struct timespec *time);
struct timespec;

struct client;

/* One started program with its standard streams: the container's, or an exec session's. */
struct session {
	struct session *next;
	char id[72];
	bool is_container, tty, close_stdin_at_end, ended, started;
	uint16_t rows, columns;       /* of the terminal at first, 0: as it comes */
	int pidfd;
	pid_t pid;
	uint8_t exit_code, exit_signal;
	struct source process, output, errors, input, channel;
	struct client *clients;
	struct client *starter;       /* exec: whom to tell how the start went */
	uint32_t starter_request;
	uint8_t *pending;             /* stdin that the program has not taken yet; PENDING bytes while there is some */
	size_t pending_at, pending_length;
	bool stdin_ended;             /* close stdin when `pending` is empty */
};
enum { PENDING = 64 << 10, BACKLOG = 68 << 10 };

/* A connection to the monitor: new, the control connection, or a stream of a session. */
struct client {
	struct source source;
	struct client *next;          /* of the session */
	struct session *session;
	struct inbox inbox;
	bool wants_stdin, wants_stdout, wants_stderr, raw, ending, reading;
	bool wants_questions;         /* the control connection: the daemon answers questions for names */
	uint8_t *backlog;             /* output that the client has not taken yet; BACKLOG bytes while there is some */
	size_t backlog_at, backlog_length;
	int spill;                    /* what does not fit there, in an unlinked file */
	uint64_t spill_at, spill_length;
};

extern struct monitor {
	const struct launch_plan *plan;
	struct prepared prepared;
	struct session container;
	struct session *sessions;     /* exec sessions */
	struct client *control;
	struct source listener;
	enum state state;
	struct failure failure;
	uint32_t go_request;
	uint32_t lingering;           /* clients that are still being sent what they have not taken */
	uint64_t oom_count;
	int own_pid_namespace;
	int network;                  /* the container's network namespace, if it has one of its own, or -1 */
	char exit_directory[4096];
	char oom_score_adj[16];       /* of the container's processes */
} monitor;


/* launch.c */
bool launch_container(struct failure *failure);
void set_window(int terminal, uint16_t rows, uint16_t columns);
bool open_streams(struct session *session, bool open_stdin, bool want_stdout, bool want_stderr, int standard[3], struct failure *failure);
bool start_exec(struct session *session, const struct exec_plan *plan, struct failure *failure);

/* streams.c */
void session_begin(struct session *session);
void session_drain(struct session *session);
void session_end_clients(struct session *session);
void session_close(struct session *session);
void session_input(struct client *from);
void client_send(struct client *client, uint8_t stream, const uint8_t *bytes, size_t length);
void client_flush(struct client *client);
void client_drop(struct client *client);
void client_end(struct client *client);

/* connections.c */
void accept_clients(struct source *source, uint32_t events);
void send_event(const struct writer *frame);
void answer_client(struct client *client, uint32_t id, const struct failure *failure, uint32_t pid);
void report_failed(void);
void report_rotation(void);

/* dns-relay.c */
bool open_dns(const struct dns_plan *plan, struct failure *failure);
void regulate_dns(void);
void answer_question(struct reader *from);
void forget_questions(void);
void close_dns(void);

/* network-change.c */
void begin_network(const struct launch_plan *plan);
bool change_network(struct reader *from, struct failure *failure);
void leave_container_network(void);
void clean_network(void);

/* monitor.c */
void container_started(void);
void begin_go(uint32_t request);
void exec_ended(struct session *session);
bool finish_exec_start(struct session *session, const struct failure *failure);
_Noreturn void undo_launch(void);
