/* Reads frames in place. A reader that has met an error stays at its end and reads zeros; look at `bad` once, at the end. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
	uint8_t *at, *end;
	bool bad;
};

struct blob {
	uint8_t *bytes;
	uint32_t length;
};

/* `count` strings that have been checked; walk them with a copy of `strings`. */
struct list {
	struct reader strings;
	uint32_t count;
};

struct words {
	const uint8_t *bytes;
	uint32_t count;
};

enum { OP_TEXTS = 4, OP_NUMBERS = 6, OP_LISTS = 2, OP_WORDS = 2 };

/* One decoded operation; which fields it has, and in which order, is its signature. */
struct op {
	uint8_t code;
	const char *name;
	const char *text[OP_TEXTS];
	struct blob data;
	uint64_t number[OP_NUMBERS];
	struct list list[OP_LISTS];
	struct words words[OP_WORDS];
};

struct ops {
	struct reader at;
	uint32_t count;
};

struct log_plan {
	const char *path, *attrs;
	uint64_t max_bytes;
	uint32_t max_files;
	bool raw;             /* bytes that are no UTF-8 stay as they are */
};

struct dns_plan {
	uint16_t port;        /* of 127.0.0.11 in the container's network namespace; 0: none */
	struct blob rules;    /* nf_tables there that put it in the place of port 53, or none */
};

struct launch_plan {
	const char *id, *socket_path, *exit_path;
	bool tty, open_stdin, stdin_once, has_log;
	uint16_t rows, columns;
	struct log_plan log;
	struct ops prepare, host_network, init, cleanup, network_cleanup;
	struct dns_plan dns;
	uint64_t namespaces;
	struct reader joins;
	uint32_t join_count;
	const char *uid_map, *gid_map, *time_offsets, *cgroup2;
	struct list cgroup1;
};

struct network_change {
	struct ops prepare, host_network, container_network, cleanup;
	struct dns_plan dns;
	struct reader releases; /* each u8 IPPROTO_*, str address, u16 port */
	uint32_t release_count;
};

struct exec_plan {
	const char *id;
	bool tty, open_stdin, attach_stdout, attach_stderr;
	uint16_t rows, columns;
	struct ops process;
};

uint64_t read_number(struct reader *from, unsigned bytes);
const char *read_text(struct reader *from);
struct blob read_blob(struct reader *from);
struct list read_list(struct reader *from);
struct words read_words(struct reader *from);
uint32_t word_at(const struct words *words, uint32_t index);

bool read_op(struct reader *from, struct op *op);
struct ops read_ops(struct reader *from, bool (*allowed)(uint8_t code));
bool next_op(struct ops *ops, struct op *op);
const char *op_name(uint8_t code);

bool is_host_op(uint8_t code);
bool is_init_op(uint8_t code);
bool is_process_op(uint8_t code);
bool is_netlink_op(uint8_t code);
bool is_network_op(uint8_t code);

/* These check the whole plan, so that what executes it meets no malformed byte. */
bool read_launch_plan(struct reader *from, struct launch_plan *plan);
bool read_exec_plan(struct reader *from, struct exec_plan *plan);
bool read_network_change(struct reader *from, struct network_change *change);
