/* What makes a process the container's: session, limits, labels, user, capabilities, filter, directory, program. */
#include "kernel-calls.h"
#include "native.h"
#include "protocol.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/*
 * Writes below the host's procfs, whose descriptor was opened before the container's root was: nothing that an image or
 * another container puts at /proc is ever written through (CVE-2019-16884, CVE-2025-52881). What is below `self` and
 * `sys` is ours and our namespaces', as the kernel goes by the calling process. It is checked nevertheless.
 */
bool write_process_file(const struct init_context *context, const char *path, uint64_t more_resolve, const char *text)
{
	struct statfs where;
	int fd = sys_openat2(context->proc, path, O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV | more_resolve);
	if (fd < 0) return false;
	bool ok = fstatfs(fd, &where) == 0 && where.f_type == PROC_SUPER_MAGIC;
	if (!ok) errno = EXDEV;
	ok = ok && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int error = errno;
	close(fd);
	errno = error;
	return ok;
}

static void take_terminal(struct init_context *context)
{
	if (context->terminal >= 0 && context->leads_session) (void)ioctl(context->terminal, TIOCSCTTY, 0);
}

/*
 * A pty in the container's own devpts. The slave is opened from the master and not by its name, so no link that was put
 * at /dev/pts/N is followed (CVE-2025-52565).
 */
bool open_console(struct init_context *context, bool bind, struct failure *failure)
{
	struct statfs where;
	int unlock = 0, slave = -1;
	int master = open_inside(context->root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, RESOLVE_NO_SYMLINKS);
	if (master < 0) return fail(failure, "console", errno, "/dev/pts/ptmx");
	if (fstatfs(master, &where) != 0 || where.f_type != DEVPTS_SUPER_MAGIC) return fail(failure, "console", EXDEV, "/dev/pts is not devpts");
	if (ioctl(master, TIOCSPTLCK, &unlock) == 0) slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0) return fail(failure, "console", errno, "cannot open the pty's other side");
	if (bind) {
		int target = open_inside(context->root, "/dev/console", O_PATH, RESOLVE_NO_SYMLINKS);
		if (target < 0 && errno == ENOENT) target = make_inside(context->root, "/dev/console", false, 0600);
		if (target < 0 || !bind_mount(slave, target)) return fail(failure, "console", errno, "/dev/console");
		close(target);
	}
	if (!send_channel(context->channel, 'C', master)) return fail(failure, "console", errno, "cannot hand over the terminal");
	close(master);
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0) return fail(failure, "console", errno, "cannot use the terminal");
	close(slave);
	context->terminal = 0;
	take_terminal(context);
	return true;
}

static uint64_t last_capability(void)
{
	uint64_t last = 0;
	while (last < 63 && prctl(PR_CAPBSET_READ, last + 1, 0, 0, 0) >= 0) last++;
	return last;
}

static bool set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	for (unsigned i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	return syscall(SYS_capset, &header, data) == 0;
}

static bool get_permitted(uint64_t *permitted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) != 0) return false;
	*permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return true;
}

static bool apply_capabilities(const struct op *op, struct failure *failure)
{
	uint64_t bounding = op->number[0], ambient = op->number[4], last = last_capability();
	uint64_t known = last == 63 ? ~0ULL : (1ULL << (last + 1)) - 1;
	for (uint64_t i = 0; i <= last; i++)
		if (!(bounding >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0) return fail(failure, op->name, errno, "bounding set");
	if (!set_capabilities(op->number[1] & known, op->number[2] & known, op->number[3] & known)) return fail(failure, op->name, errno, "capset");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return fail(failure, op->name, errno, "ambient set");
	for (uint64_t i = 0; i <= last; i++)
		if ((ambient >> i & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) != 0)
			return fail(failure, op->name, errno, "ambient set");
	return true;
}

/* Pipes and the terminal are made by root; a program that runs as somebody else must be able to open /dev/stdout again. */
static void own_standard_files(uid_t uid)
{
	struct stat status;
	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &status) == 0 && status.st_uid != uid && !is_null_device(fd) && fchown(fd, uid, (gid_t)-1) != 0) continue;
}

static bool change_user(const struct op *op, struct failure *failure)
{
	uid_t uid = (uid_t)op->number[0];
	gid_t gid = (gid_t)op->number[1];
	uint64_t permitted;
	own_standard_files(uid);
	/* Capabilities are kept over the change, as operations that follow need them; the plan drops them itself. */
	if (!get_permitted(&permitted) || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return fail(failure, op->name, errno, "capabilities");
	if (setresgid(gid, gid, gid) != 0) return fail(failure, op->name, errno, "gid %u", gid);
	if (setresuid(uid, uid, uid) != 0) return fail(failure, op->name, errno, "uid %u", uid);
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0 || !set_capabilities(permitted, permitted, 0)) return fail(failure, op->name, errno, "capabilities");
	return true;
}

static bool set_groups(const struct op *op, struct failure *failure)
{
	static gid_t groups[65536];
	uint32_t count = op->words[0].count;
	if (count > sizeof groups / sizeof *groups) return fail(failure, op->name, EINVAL, "%u groups", count);
	for (uint32_t i = 0; i < count; i++) groups[i] = word_at(&op->words[0], i);
	return setgroups(count, groups) == 0 || fail(failure, op->name, errno, "%u groups", count);
}

static bool install_filter(const struct op *op, struct failure *failure)
{
	struct sock_fprog program = { .len = (unsigned short)(op->data.length / sizeof(struct sock_filter)), .filter = (void *)op->data.bytes };
	if (op->data.length % sizeof(struct sock_filter) != 0 || op->data.length / sizeof(struct sock_filter) > 4096)
		return fail(failure, op->name, EINVAL, "%u bytes of filter", op->data.length);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, op->number[0], &program) == 0 || fail(failure, op->name, errno, "cannot install the filter");
}

/* chdir by descriptor, and proof that the result is inside the root (CVE-2024-21626: WORKDIR /proc/self/fd/7). */
static bool change_directory(struct init_context *context, const struct op *op, struct failure *failure)
{
	const char *path = op->text[0];
	char reached[4096];
	int fd = open_inside(context->root, path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT && op->number[0] != 0) {
		if (!make_directories_inside(context->root, path, 0755)) return fail(failure, op->name, errno, "%s", path);
		fd = open_inside(context->root, path, O_PATH | O_DIRECTORY, 0);
		if (fd >= 0 && fchownat(fd, "", (uid_t)op->number[1], (gid_t)op->number[2], AT_EMPTY_PATH) != 0) return fail(failure, op->name, errno, "%s", path);
	}
	if (fd < 0 || fchdir(fd) != 0) return fail(failure, op->name, errno, "%s", path);
	close(fd);
	if (syscall(SYS_getcwd, reached, sizeof reached) < 0 || reached[0] != '/') return fail(failure, op->name, EXDEV, "%s is outside the container", path);
	return true;
}

static bool set_apparmor(const struct init_context *context, const struct op *op, struct failure *failure)
{
	char text[512];
	if ((size_t)snprintf(text, sizeof text, "exec %s", op->text[0]) >= sizeof text) return fail(failure, op->name, ENAMETOOLONG, "%s", op->text[0]);
	if (write_process_file(context, "self/attr/apparmor/exec", 0, text)) return true;
	if (errno == ENOENT && write_process_file(context, "self/attr/exec", 0, text)) return true;
	return fail(failure, op->name, errno, "%s", op->text[0]);
}

bool run_process_op(struct init_context *context, const struct op *op, struct failure *failure)
{
	struct rlimit limit = { .rlim_cur = op->number[1], .rlim_max = op->number[2] };
	switch (op->code) {
	case OP_NEW_SESSION:
		if (setsid() < 0 && getsid(0) != getpid()) return fail(failure, op->name, errno, "setsid");
		context->leads_session = true;
		take_terminal(context);
		return true;
	case OP_RLIMIT:
		return setrlimit((int)op->number[0], &limit) == 0 || fail(failure, op->name, errno, "resource %u", (unsigned)op->number[0]);
	case OP_APPARMOR: return set_apparmor(context, op, failure);
	case OP_SELINUX:
		return write_process_file(context, "self/attr/exec", 0, op->text[0]) || fail(failure, op->name, errno, "%s", op->text[0]);
	case OP_NO_NEW_PRIVILEGES: return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || fail(failure, op->name, errno, "prctl");
	case OP_SECCOMP: return install_filter(op, failure);
	case OP_GROUPS: return set_groups(op, failure);
	case OP_USER: return change_user(op, failure);
	case OP_UMASK: context->umask = (mode_t)(op->number[0] & 0777); return true;
	case OP_CAPABILITIES: return apply_capabilities(op, failure);
	case OP_CWD: return change_directory(context, op, failure);
	default: return fail(failure, op->name, ENOSYS, "not an operation on a process");
	}
}

/* As Go's exec.LookPath judges a file, which Docker's messages come from. @returns 0 or errno */
static int why_not_executable(const char *path)
{
	struct stat status;
	if (stat(path, &status) != 0) return errno;
	if (S_ISDIR(status.st_mode)) return EISDIR;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0) return errno;
	return (status.st_mode & 0111) != 0 ? 0 : EACCES;
}

static int find_program(const char *name, const char *search, char *path, size_t size)
{
	if (strchr(name, '/') != NULL) {
		copy_text(path, size, name);
		return strlen(name) < size ? why_not_executable(name) : ENAMETOOLONG;
	}
	while (*name != 0 && search != NULL && *search != 0) {
		size_t length = strcspn(search, ":");
		int n = snprintf(path, size, "%.*s/%s", length == 0 ? 1 : (int)length, length == 0 ? "." : search, name);
		if (n > 0 && (size_t)n < size && why_not_executable(path) == 0) return 0;
		search += length + (search[length] == ':');
	}
	return ENOENT;
}

static char **pointers_to(struct list list)
{
	char **array = mmap(NULL, ((size_t)list.count + 1) * sizeof *array, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (array == MAP_FAILED) return NULL;
	for (uint32_t i = 0; i < list.count; i++) array[i] = (char *)(uintptr_t)read_text(&list.strings);
	return array;
}

/* @returns errno: only when the program could not be executed */
int execute(struct init_context *context, const struct op *op)
{
	char path[4096];
	const char *search = NULL;
	char **argv = pointers_to(op->list[0]), **env = pointers_to(op->list[1]);
	if (argv == NULL || env == NULL) return ENOMEM;
	if (argv[0] == NULL) return ENOENT;
	for (char **at = env; *at != NULL; at++)
		if (strncmp(*at, "PATH=", 5) == 0) search = *at + 5;
	umask(context->umask);
	int error = find_program(argv[0], search, path, sizeof path);
	if (error != 0) return error;
	execve(path, argv, env);
	return errno;
}
