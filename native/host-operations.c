/* Operations on the host: cgroups, files of the kernel, the container's root. Run by the monitor, or by the broker. */
#include "kernel-calls.h"
#include "native.h"
#include "protocol.h"
#include <dirent.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static void pause_ms(long ms)
{
	struct timespec time = { ms / 1000, (ms % 1000) * 1000000 };
	nanosleep(&time, NULL);
}

static bool file_in(int directory, const char *name, const char *text)
{
	int fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return false;
	bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* cgroup.kill where there is one (v2, Linux 5.14); otherwise each member, thawed first so that it can die. */
static void kill_members(int cgroup)
{
	char list[4096];
	file_in(cgroup, "freezer.state", "THAWED");
	file_in(cgroup, "cgroup.freeze", "0");
	if (file_in(cgroup, "cgroup.kill", "1")) return;
	int fd = openat(cgroup, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	if (fd < 0) return;
	ssize_t n = read(fd, list, sizeof list - 1);
	close(fd);
	if (n <= 0) return;
	list[n] = 0;
	for (char *at = list, *end; *at != 0; at = end) {
		long pid = strtol(at, &end, 10);
		if (end == at) break;
		/* The last number may have been cut off in the middle: then it is in the next reading. */
		if (*end == '\n' && pid > 0) kill((pid_t)pid, SIGKILL);
		else if (*end == 0) break;
	}
}

/* Removes a cgroup with the ones that the container has made below it. */
static bool remove_cgroup(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return errno == ENOENT;
	kill_members(fd);
	DIR *directory = fdopendir(fd);
	for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			(void)remove_cgroup(fd, entry->d_name);
	if (directory != NULL) closedir(directory);
	else close(fd);
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

static bool remove_directory(const struct op *op, struct failure *failure)
{
	const char *path = op->text[0];
	bool kill_first = op->number[0] != 0;
	if (rmdir(path) == 0 || errno == ENOENT) return true;
	/* Members take a moment to die, and a cgroup to notice: up to five seconds, at first every millisecond. */
	for (int round = 0; round < 120; round++) {
		if (kill_first ? remove_cgroup(AT_FDCWD, path) : rmdir(path) == 0 || errno == ENOENT) return true;
		if (errno != EBUSY && errno != ENOTEMPTY && errno != EINTR) break;
		pause_ms(round < 20 ? 1 : 50);
	}
	return fail(failure, op->name, errno, "%s", path);
}

static bool write_value(const struct op *op, struct failure *failure)
{
	if (write_file(op->text[0], op->data.bytes, op->data.length)) return true;
	if (op->number[0] != 0 && (errno == ENOENT || errno == EACCES)) return true;
	return fail(failure, op->name, errno, "%s", op->text[0]);
}

static bool attach_device_program(const struct op *op, struct failure *failure)
{
	union bpf_attr attributes;
	const char *cgroup_path = op->text[0];
	memset(&attributes, 0, sizeof attributes);
	attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attributes.insns = (uintptr_t)op->data.bytes;
	attributes.insn_cnt = op->data.length / sizeof(struct bpf_insn);
	attributes.license = (uintptr_t)"Apache-2.0";
	int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
	if (program < 0) return fail(failure, op->name, errno, "the kernel refused the program");
	int cgroup = open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(&attributes, 0, sizeof attributes);
	attributes.target_fd = (uint32_t)cgroup;
	attributes.attach_bpf_fd = (uint32_t)program;
	attributes.attach_type = BPF_CGROUP_DEVICE;
	attributes.attach_flags = BPF_F_ALLOW_MULTI;
	bool ok = cgroup >= 0 && syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes) == 0;
	int error = errno;
	if (cgroup >= 0) close(cgroup);
	close(program);
	return ok || fail(failure, op->name, error, "%s", cgroup_path);
}

static bool open_slot(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	uint64_t slot = op->number[0];
	if (slot >= SLOTS || prepared->slots[slot] >= 0) return fail(failure, op->name, EINVAL, "slot %u", (unsigned)slot);
	return op->code == OP_IMAGE_TREE ? make_image_tree(op, prepared, failure) : make_bind_source(op, prepared, failure);
}

static bool remember_oom_counter(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	if (strlen(op->text[0]) >= sizeof prepared->oom_path || strlen(op->text[1]) >= sizeof prepared->oom_key)
		return fail(failure, op->name, ENAMETOOLONG, "%s", op->text[0]);
	copy_text(prepared->oom_path, sizeof prepared->oom_path, op->text[0]);
	copy_text(prepared->oom_key, sizeof prepared->oom_key, op->text[1]);
	return true;
}

/* The number after the key, on a line of its own: memory.events (v2) and memory.oom_control (v1). 0 where there is none. */
uint64_t read_oom_count(const struct prepared *prepared)
{
	char text[1024];
	size_t length = strlen(prepared->oom_key);
	if (length == 0 || read_file(prepared->oom_path, text, sizeof text) <= 0) return 0;
	for (char *line = text; line != NULL; line = strchr(line, '\n')) {
		if (*line == '\n') line++;
		if (strncmp(line, prepared->oom_key, length) == 0 && line[length] == ' ') return strtoull(line + length + 1, NULL, 10);
	}
	return 0;
}

static bool run_container_op(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	if (prepared == NULL) return fail(failure, op->name, EINVAL, "only a launch can do this");
	switch (op->code) {
	case OP_OVERLAY: return make_overlay(op, prepared, failure);
	case OP_ROOT_DIRECTORY: return make_root_directory(op, prepared, failure);
	case OP_OPEN_TREE:
	case OP_IMAGE_TREE: return open_slot(op, prepared, failure);
	case OP_OOM_COUNTER: return remember_oom_counter(op, prepared, failure);
	case OP_BIND_PORT: return bind_port(op, prepared, failure);
	default: return fail(failure, op->name, ENOSYS, "not an operation on the host");
	}
}

/* @param prepared of the container that is launched; NULL in the broker, for operations that leave nothing in this process */
bool run_host_op(const struct op *op, struct prepared *prepared, struct failure *failure)
{
	const char *path = op->text[0];
	switch (op->code) {
	case OP_MKDIR:
		if (mkdir(path, (mode_t)op->number[0]) == 0 || errno == EEXIST) return true;
		return fail(failure, op->name, errno, "%s", path);
	case OP_WRITE: return write_value(op, failure);
	case OP_RMDIR: return remove_directory(op, failure);
	case OP_UNLINK: return unlink(path) == 0 || errno == ENOENT || fail(failure, op->name, errno, "%s", path);
	case OP_DEVICE_PROGRAM: return attach_device_program(op, failure);
	case OP_MOUNT_AT: return mount_at(op, failure);
	case OP_UNMOUNT_AT: return unmount_at(op, failure);
	case OP_COPY_UP: return copy_image_directory(op, failure);
	case OP_NETLINK: return run_netlink_op(op, prepared == NULL ? -1 : prepared->network, true, failure);
	default: return run_container_op(op, prepared, failure);
	}
}

/* @param all go on after a failure (cleanup) and report the first one */
bool run_host_ops(struct ops ops, struct prepared *prepared, bool all, struct failure *failure)
{
	struct op op;
	struct failure this;
	bool ok = true;
	while (next_op(&ops, &op)) {
		if (run_host_op(&op, prepared, &this)) continue;
		if (ok) *failure = this;
		ok = false;
		if (!all) return false;
	}
	return ok;
}
