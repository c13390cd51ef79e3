/* What the files of the program offer each other, grouped by file. */
#pragma once
#include "decode.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Why something did not come about: goes to the daemon as {stage, errno, message}. */
struct failure {
	const char *stage;
	int error;
	char message[512];
};

/* Set up by the broker before it serves; its monitors inherit all of it. */
enum { PATH_ROOM = 2048, DIRECTORY_ROOM = PATH_ROOM + 256 };

struct surroundings {
	int host_namespace;   /* mount namespace that the daemon was started in: bind sources are taken from it */
	int layers_namespace; /* ours, a slave of it, with the layer mounts */
	int stem_namespace;   /* nearly empty: what init's own is copied from, so that a start costs the same on any host */
	int host_network;     /* network namespace */
	char exec_root[PATH_ROOM];
	char layers[PATH_ROOM + 16];    /* directory of the layer mounts */
	char oom_score_adj[16]; /* ours at start: given back to every process that becomes a container's */
	bool classic;         /* use mount(2) only, as if the kernel had no new mount API */
};
extern struct surroundings our;

/* main.c */
void set_title(const char *name, const char *detail);
bool fail(struct failure *failure, const char *stage, int error, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* failpoint.c */
#ifdef FAILPOINTS
void failpoint_start(void);
void failpoint(const char *place);
#else
#define failpoint_start() ((void)0)
#define failpoint(place) ((void)0)
#endif

/* bytes.c: whole reads and writes, files, answers */
enum { SCRATCH = 65536 };
extern uint8_t scratch[SCRATCH]; /* contents last until the next call of anything */
int64_t now_ms(void); /* of a clock that only goes on */
void *new_pages(size_t size);
void free_pages(void *pages, size_t size);
bool write_all(int fd, const void *bytes, size_t length);
bool write_file(const char *path, const void *bytes, size_t length);
ssize_t read_file(const char *path, char *into, size_t size);
void copy_text(char *into, size_t size, const char *text);
int open_long_path(const char *path, int flags, char *short_path, size_t size);

struct writer { /* a frame being written, into `bytes` of `size` */
	uint8_t *bytes;
	size_t size, length;
};
void put_number(struct writer *to, uint64_t value, unsigned bytes);
void put_blob(struct writer *to, const void *bytes, size_t length);
void put_text(struct writer *to, const char *text);
void begin_frame(struct writer *to, uint8_t *bytes, size_t size, uint32_t id, uint16_t type);
void end_frame(struct writer *to);
void put_failure(struct writer *to, const struct failure *failure);

/* Grows and holds one incoming frame; pages are given back when it is emptied. */
struct inbox {
	uint8_t *bytes;
	size_t size, start, length; /* `length` bytes from `start` on have not been taken */
};
enum frame_result { FRAME_NONE, FRAME_WHOLE, FRAME_BAD, FRAME_CLOSED };
struct frame {
	uint32_t id;
	uint16_t type;
	struct reader payload;
};
enum frame_result read_frame(int fd, struct inbox *inbox, struct frame *frame);
enum frame_result parse_frame(struct inbox *inbox, struct frame *frame);
void drop_frame(struct inbox *inbox, const struct frame *frame);
void free_inbox(struct inbox *inbox);

/* broker.c */
int run_broker(int argc, char **argv);

/* firewall-watch.c */
int watch_firewall(struct failure *failure);
int64_t report_firewall(int fd, int daemon);

/* datagrams.c */
bool send_datagrams(const char *path, uint32_t count, struct reader *from, uint32_t *taken, struct failure *failure);

/* mount-space.c: the broker's mount namespaces */
bool open_mount_space(int adopted, struct failure *failure);
bool mount_erofs(const char *key, const char *index, struct list devices, char *directory, size_t size, struct failure *failure);
bool unmount_layer(const char *key, struct failure *failure);
uint32_t list_layers(struct writer *to);

/* netlink.c */
bool send_netlink(int protocol, bool keep, uint8_t *message, size_t length, const struct words *ignore, struct writer *answers, struct failure *failure);
bool run_netlink_op(const struct op *op, int network_namespace, bool keep, struct failure *failure);
bool enter_network(int namespace);
void leave_network(void);
bool netlink_in(pid_t pid, int protocol, uint8_t *message, size_t length, struct writer *answers, struct failure *failure);

/* file-operations.c */
bool run_file_operations(struct reader *from, struct failure *failure);
bool remove_tree(int parent, const char *name);

/* copy-tree.c */
bool copy_range(int from, off_t from_at, int to, off_t to_at, uint64_t length);
bool copy_tree(int from, int to);

/* host-operations.c */
enum { SLOTS = 512, OOM_TEXT = 512 };
struct endpoint {
	bool is_v6;
	uint16_t port;
	uint8_t address[16];
};
struct held_port {
	int fd;
	uint8_t protocol;     /* IPPROTO_* */
	bool relayed;         /* what comes in is passed on to `to`: port-relay.c */
	struct endpoint at, to;
};
/* What `prepare` has made for a container and init or the end need. */
struct prepared {
	int root;             /* detached mount */
	int slots[SLOTS];     /* detached trees, -1 where none */
	int network;          /* the container's network namespace */
	struct held_port *ports;
	uint32_t port_count, port_room;
	char oom_path[OOM_TEXT], oom_key[64];
};
bool run_host_op(const struct op *op, struct prepared *prepared, struct failure *failure);
bool run_host_ops(struct ops ops, struct prepared *prepared, bool all, struct failure *failure);
uint64_t read_oom_count(const struct prepared *prepared);

/* ports.c */
bool bind_port(const struct op *op, struct prepared *prepared, struct failure *failure);
bool release_port(struct prepared *prepared, uint64_t protocol, const char *address, uint64_t port);
void release_ports(struct prepared *prepared);

/* root-mounts.c: detached trees for the container's root and its binds */
bool open_stage(struct failure *failure);
void close_stage(void);
bool reopen_stage(struct prepared *prepared);
bool make_overlay(const struct op *op, struct prepared *prepared, struct failure *failure);
bool make_root_directory(const struct op *op, struct prepared *prepared, struct failure *failure);
bool make_bind_source(const struct op *op, struct prepared *prepared, struct failure *failure);
bool make_image_tree(const struct op *op, struct prepared *prepared, struct failure *failure);
int open_lower(struct list lower, char *place, size_t size, struct failure *failure);
void close_lower(const char *place);

/* volume-mounts.c: what volumes need in the engine's own mount namespace */
bool mount_at(const struct op *op, struct failure *failure);
bool unmount_at(const struct op *op, struct failure *failure);
bool copy_image_directory(const struct op *op, struct failure *failure);

/* resolve.c: paths inside a root, never out of it */
int open_inside(int root, const char *path, uint64_t flags, uint64_t more_resolve);
int make_inside(int root, const char *path, bool directory, mode_t mode);
int open_parent_inside(int root, const char *path, char *name, size_t size);
bool make_directories_inside(int root, const char *path, mode_t mode);
bool is_null_device(int fd);

/* attach-mounts.c: mounting onto a descriptor, new API or mount(2) */
struct new_mount {
	const char *type, *source;
	struct list options;
	unsigned attributes;
	int root;             /* where `path` is the target: to look it up again with mount(2) */
	const char *path;
};
bool use_descriptor_names(int proc);
bool set_options(int fs, struct list options);
bool join_options(struct list options, char *into, size_t size, size_t length);
bool mount_on(const struct new_mount *mount, int target, bool (*fill)(int covered, int root));
bool change_mount(int fd, uint64_t set, uint64_t clear, bool recursive, uint64_t propagation);
bool change_and_attach(int tree, int target, uint64_t set, uint64_t clear, bool recursive, uint64_t propagation);
bool bind_mount(int source, int target);
bool bind_read_only(int root, const char *path, int target);
bool place_root_at(int tree, const char *path);

/* init.c: runs in the clone, and in the child of an exec session */
struct init_context {
	int channel;          /* to the monitor */
	int root;             /* directory of the container's root */
	int proc;             /* the host's procfs, opened before anything of the container is looked at */
	int terminal;         /* slave of the console, -1: none */
	int mask;             /* an empty directory of a read-only tmpfs, which masks others; -1: not made yet */
	bool network_ready;   /* the monitor has sent the host's part of the network */
	bool leads_session;
	mode_t umask;         /* what the program gets */
	struct prepared *prepared;
};
struct init_start {
	const struct launch_plan *plan;
	struct prepared *prepared;
	int channel, standard[3];
	const int *cgroups, *joins;
	uint32_t cgroup_count;
};
struct exec_start {
	const struct exec_plan *plan;
	int channel, standard[3], pidfd;
	uint64_t namespaces;
	const int *cgroups;
	uint32_t cgroup_count;
	const char *oom_score_adj;
};
_Noreturn void run_init(const struct init_start *start);
_Noreturn void run_exec_child(const struct exec_start *start);
_Noreturn void become_reaper(pid_t child);
int open_proc(void);
bool write_sysctl(const struct init_context *context, const struct op *op, struct failure *failure);

/* init-mounts.c */
bool run_mount_op(struct init_context *context, const struct op *op, struct failure *failure);

/* processes.c: what init and exec sessions share */
bool run_process_op(struct init_context *context, const struct op *op, struct failure *failure);
bool open_console(struct init_context *context, bool bind, struct failure *failure);
bool write_process_file(const struct init_context *context, const char *path, uint64_t more_resolve, const char *text);
int execute(struct init_context *context, const struct op *op);

/* channel.c: between monitor and clone. Kinds: see protocol.h */
struct channel_message {
	char kind;
	int32_t error;
	char stage[32], message[448];
};
bool send_channel(int channel, char kind, int descriptor);
bool send_channel_failure(int channel, const struct failure *failure);
/* @returns size, 0 at the end, -1; @param descriptor gets what came along, or -1 */
ssize_t receive_channel(int channel, struct channel_message *message, int *descriptor, int flags);
bool wait_for(int channel, char kind);
bool send_descriptor(int socket, const void *bytes, size_t length, int descriptor);
int receive_descriptor(int socket);
ssize_t receive_with_descriptor(int socket, void *bytes, size_t size, int *descriptor, int flags);

/* monitor.c */
_Noreturn void run_monitor(const struct launch_plan *plan, int listener);
