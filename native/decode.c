/* The decoder: bytes of a frame to plans and operations. Nothing here allocates, copies or executes. */
#include "decode.h"
#include "protocol.h"
#include <string.h>

static uint8_t *take(struct reader *from, size_t length)
{
	if (from->bad || (size_t)(from->end - from->at) < length) {
		from->bad = true;
		from->at = from->end;
		return NULL;
	}
	uint8_t *bytes = from->at;
	from->at += length;
	return bytes;
}

uint64_t read_number(struct reader *from, unsigned bytes)
{
	const uint8_t *at = take(from, bytes);
	uint64_t value = 0;
	if (at == NULL) return 0;
	for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
	return value;
}

struct blob read_blob(struct reader *from)
{
	static uint8_t nothing[1];
	uint32_t length = (uint32_t)read_number(from, 4);
	uint8_t *bytes = take(from, (size_t)length + 1);
	if (bytes == NULL || bytes[length] != 0) {
		from->bad = true;
		return (struct blob){ nothing, 0 };
	}
	return (struct blob){ bytes, length };
}

const char *read_text(struct reader *from)
{
	struct blob blob = read_blob(from);
	if (memchr(blob.bytes, 0, blob.length) != NULL) {
		from->bad = true;
		return "";
	}
	return (const char *)blob.bytes;
}

struct list read_list(struct reader *from)
{
	struct list list = { .count = (uint32_t)read_number(from, 4) };
	list.strings = *from;
	for (uint32_t i = 0; i < list.count && !from->bad; i++) (void)read_text(from);
	if (from->bad) list.count = 0;
	return list;
}

struct words read_words(struct reader *from)
{
	uint32_t count = (uint32_t)read_number(from, 4);
	const uint8_t *bytes = take(from, (size_t)count * 4);
	return (struct words){ bytes, bytes == NULL ? 0 : count };
}

uint32_t word_at(const struct words *words, uint32_t index)
{
	const uint8_t *at = words->bytes + (size_t)index * 4;
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/*
 * The operations: code, name as errors give it, and the fields in order.
 * s: str, b: blob, l: list, w: words, 1 2 4 8: a number of that many bytes.
 */
static const struct signature {
	const char *name, *fields;
} signatures[] = {
	[OP_MKDIR] = { "mkdir", "s4" },                       /* path, mode */
	[OP_WRITE] = { "write", "sb1" },                      /* path, data, optional */
	[OP_RMDIR] = { "rmdir", "s1" },                       /* path, kill members */
	[OP_UNLINK] = { "unlink", "s" },                      /* path */
	[OP_DEVICE_PROGRAM] = { "device-program", "sb" },     /* cgroup, instructions */
	[OP_BIND_PORT] = { "bind-port", "1s2s2" },            /* IPPROTO_*, address, port, address or "" and port to pass on to */
	[OP_OVERLAY] = { "overlay", "lssl" },                 /* lower, upper, work, options */
	[OP_ROOT_DIRECTORY] = { "root-directory", "s" },      /* path */
	[OP_OPEN_TREE] = { "open-tree", "4ss11" },            /* slot, source, subpath, recursive, engine only */
	[OP_OOM_COUNTER] = { "oom-counter", "ss" },           /* path, key */
	[OP_NETLINK] = { "netlink", "2bww" },                 /* protocol, message, offsets of namespace fds, errnos to ignore */
	[OP_IMAGE_TREE] = { "image-tree", "4ls" },            /* slot, lower, subpath */
	[OP_MOUNT_AT] = { "mount-at", "sss4s" },              /* place, device, type, MS_*, data */
	[OP_UNMOUNT_AT] = { "unmount-at", "s" },              /* place */
	[OP_COPY_UP] = { "copy-up", "lss" },                  /* lower, path, target */
	[OP_MOUNT] = { "mount", "sss4l111" },                 /* type, source, target, MOUNT_ATTR_*, options, FILL_*, create, optional */
	[OP_ATTACH_TREE] = { "attach-tree", "4ss14414" },     /* slot, source, target, create, set, clear, recursive, propagation */
	[OP_MOUNT_ATTRIBUTES] = { "mount-attributes", "s441" }, /* target, set, clear, recursive */
	[OP_READONLY_PATH] = { "readonly-path", "s" },
	[OP_MASKED_PATH] = { "masked-path", "s" },
	[OP_MAKE_DIRECTORY] = { "mkdir", "s4" },              /* target, mode */
	[OP_SYMLINK] = { "symlink", "ss" },                   /* target, link to */
	[OP_DEVICE] = { "device", "s44444" },                 /* target, mode, major, minor, uid, gid */
	[OP_CONSOLE] = { "console", "" },
	[OP_ROOT_PROPAGATION] = { "root-propagation", "4" },
	[OP_PIVOT_ROOT] = { "pivot-root", "" },
	[OP_ROOT_READONLY] = { "root-readonly", "" },
	[OP_SYSCTL] = { "sysctl", "ss" },                     /* key, value */
	[OP_HOSTNAME] = { "hostname", "s" },
	[OP_DOMAINNAME] = { "domainname", "s" },
	[OP_OOM_SCORE_ADJ] = { "oom-score-adj", "4" },        /* as two's complement */
	[OP_INIT_PROCESS] = { "init-process", "" },
	[OP_NEW_SESSION] = { "new-session", "" },
	[OP_RLIMIT] = { "rlimit", "488" },                    /* resource, soft, hard */
	[OP_APPARMOR] = { "apparmor", "s" },
	[OP_SELINUX] = { "selinux", "s" },
	[OP_NO_NEW_PRIVILEGES] = { "no-new-privileges", "" },
	[OP_SECCOMP] = { "seccomp", "b4" },                   /* struct sock_filter[], flags */
	[OP_GROUPS] = { "groups", "w" },
	[OP_USER] = { "user", "44" },                         /* uid, gid */
	[OP_UMASK] = { "umask", "4" },
	[OP_CAPABILITIES] = { "capabilities", "88888" },      /* bounding, effective, permitted, inheritable, ambient */
	[OP_CWD] = { "cwd", "s144" },                         /* path, create, uid, gid */
	[OP_EXEC] = { "exec", "ll" },                         /* argv, env */
};

static const struct signature *signature_of(uint8_t code)
{
	return code < sizeof signatures / sizeof *signatures && signatures[code].name != NULL ? &signatures[code] : NULL;
}

const char *op_name(uint8_t code)
{
	const struct signature *signature = signature_of(code);
	return signature == NULL ? "plan" : signature->name;
}

bool read_op(struct reader *from, struct op *op)
{
	memset(op, 0, sizeof *op);
	op->code = (uint8_t)read_number(from, 1);
	const struct signature *signature = signature_of(op->code);
	if (signature == NULL) {
		from->bad = true;
		return false;
	}
	op->name = signature->name;
	unsigned texts = 0, numbers = 0, lists = 0, words = 0;
	for (const char *field = signature->fields; *field != 0; field++) {
		if (*field == 's') op->text[texts++] = read_text(from);
		else if (*field == 'b') op->data = read_blob(from);
		else if (*field == 'l') op->list[lists++] = read_list(from);
		else if (*field == 'w') op->words[words++] = read_words(from);
		else op->number[numbers++] = read_number(from, (unsigned)(*field - '0'));
	}
	return !from->bad;
}

struct ops read_ops(struct reader *from, bool (*allowed)(uint8_t code))
{
	struct ops ops = { .count = (uint32_t)read_number(from, 4) };
	struct op op;
	ops.at = *from;
	for (uint32_t i = 0; i < ops.count && !from->bad; i++)
		if (!read_op(from, &op) || !allowed(op.code)) from->bad = true;
	ops.at.end = from->at;
	if (from->bad) ops.count = 0;
	return ops;
}

bool next_op(struct ops *ops, struct op *op)
{
	if (ops->count == 0) return false;
	ops->count--;
	return read_op(&ops->at, op);
}

bool is_netlink_op(uint8_t code) { return code == OP_NETLINK; }
bool is_network_op(uint8_t code) { return code == OP_NETLINK || code == OP_SYSCTL; }
bool is_host_op(uint8_t code) { return code < OP_MOUNT; }
bool is_process_op(uint8_t code) { return code >= OP_NEW_SESSION; }
bool is_init_op(uint8_t code) { return code == OP_NETLINK || code >= OP_MOUNT; }

static struct dns_plan read_dns_plan(struct reader *from)
{
	struct dns_plan plan = { .port = (uint16_t)read_number(from, 2) };
	plan.rules = read_blob(from);
	return plan;
}

bool read_launch_plan(struct reader *from, struct launch_plan *plan)
{
	memset(plan, 0, sizeof *plan);
	plan->id = read_text(from);
	plan->socket_path = read_text(from);
	plan->exit_path = read_text(from);
	plan->tty = read_number(from, 1) != 0;
	plan->open_stdin = read_number(from, 1) != 0;
	plan->stdin_once = read_number(from, 1) != 0;
	plan->rows = (uint16_t)read_number(from, 2);
	plan->columns = (uint16_t)read_number(from, 2);
	plan->has_log = read_number(from, 1) != 0;
	plan->log.path = read_text(from);
	plan->log.max_bytes = read_number(from, 8);
	plan->log.max_files = (uint32_t)read_number(from, 4);
	plan->log.attrs = read_text(from);
	plan->log.raw = read_number(from, 1) != 0;
	plan->prepare = read_ops(from, is_host_op);
	plan->namespaces = read_number(from, 8);
	plan->join_count = (uint32_t)read_number(from, 4);
	plan->joins = *from;
	for (uint32_t i = 0; i < plan->join_count && !from->bad; i++) {
		(void)read_text(from);
		(void)read_number(from, 4);
	}
	plan->uid_map = read_text(from);
	plan->gid_map = read_text(from);
	plan->time_offsets = read_text(from);
	plan->cgroup2 = read_text(from);
	plan->cgroup1 = read_list(from);
	plan->host_network = read_ops(from, is_netlink_op);
	plan->dns = read_dns_plan(from);
	plan->init = read_ops(from, is_init_op);
	plan->cleanup = read_ops(from, is_host_op);
	plan->network_cleanup = read_ops(from, is_host_op);
	return !from->bad && from->at == from->end;
}

bool read_exec_plan(struct reader *from, struct exec_plan *plan)
{
	memset(plan, 0, sizeof *plan);
	plan->id = read_text(from);
	plan->tty = read_number(from, 1) != 0;
	plan->open_stdin = read_number(from, 1) != 0;
	plan->attach_stdout = read_number(from, 1) != 0;
	plan->attach_stderr = read_number(from, 1) != 0;
	plan->rows = (uint16_t)read_number(from, 2);
	plan->columns = (uint16_t)read_number(from, 2);
	plan->process = read_ops(from, is_process_op);
	return !from->bad && from->at == from->end;
}

bool read_network_change(struct reader *from, struct network_change *change)
{
	memset(change, 0, sizeof *change);
	change->prepare = read_ops(from, is_host_op);
	change->host_network = read_ops(from, is_netlink_op);
	change->container_network = read_ops(from, is_network_op);
	change->dns = read_dns_plan(from);
	change->release_count = (uint32_t)read_number(from, 4);
	change->releases = *from;
	for (uint32_t i = 0; i < change->release_count && !from->bad; i++) {
		(void)read_number(from, 1);
		(void)read_text(from);
		(void)read_number(from, 2);
	}
	change->cleanup = read_ops(from, is_host_op);
	return !from->bad && from->at == from->end;
}
