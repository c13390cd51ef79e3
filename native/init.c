/*
 * Init: the process that becomes the container's first one. Cloned by the monitor into the new namespaces, it executes
 * the plan's operations and then the program. Also the child of an exec session, and the built-in PID 1.
 */
#include "kernel-calls.h"
#include "native.h"
#include "protocol.h"
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static _Noreturn void give_up(const struct init_context *context, const struct failure *failure)
{
	(void)send_channel_failure(context->channel, failure);
	_exit(1);
}

static _Noreturn void give_up_at(const struct init_context *context, const char *stage, int error, const char *about)
{
	struct failure failure;
	fail(&failure, stage, error, "%s", about);
	give_up(context, &failure);
}

static void reset_signals(void)
{
	sigset_t none;
	struct sigaction standard = { .sa_handler = SIG_DFL };
	for (int i = 1; i < 65; i++) sigaction(i, &standard, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void enter_cgroups(const struct init_context *context, const int *cgroups, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (write(cgroups[i], "0", 1) != 1) give_up_at(context, "cgroup", errno, "cannot enter a cgroup");
}

static void use_standard_files(const struct init_context *context, const int standard[3])
{
	for (int i = 0; i < 3; i++)
		if (standard[i] >= 0 && dup2(standard[i], i) < 0) give_up_at(context, "stdio", errno, "cannot set up standard files");
}

/* @returns -1, with errno, where /proc is no procfs */
int open_proc(void)
{
	struct statfs where;
	int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (fstatfs(fd, &where) == 0 && where.f_type == PROC_SUPER_MAGIC)) return fd;
	close(fd);
	errno = EXDEV;
	return -1;
}

static void enter_namespaces(struct init_context *context, const struct init_start *start)
{
	const struct launch_plan *plan = start->plan;
	struct reader joins = plan->joins;
	for (uint32_t i = 0; i < plan->join_count; i++) {
		const char *path = read_text(&joins);
		int flag = (int)read_number(&joins, 4);
		/* A pid namespace has been joined by the monitor for us: it takes effect with a clone. */
		if (flag != CLONE_NEWPID && setns(start->joins[i], flag) != 0) give_up_at(context, "join", errno, path);
	}
	if (plan->namespaces & CLONE_NEWUSER) {
		if (!wait_for(context->channel, 'M')) _exit(1);
		if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) give_up_at(context, "user-namespace", errno, "cannot become its root");
	}
	/* Not made by the clone: a cgroup namespace's root is the cgroup of who makes it, and that is only now ours. */
	if ((plan->namespaces & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) != 0) give_up_at(context, "cgroup-namespace", errno, "unshare");
	if (plan->namespaces & CLONE_NEWTIME) {
		int time;
		if (unshare(CLONE_NEWTIME) != 0) give_up_at(context, "time-namespace", errno, "unshare");
		if (*plan->time_offsets != 0 && !write_process_file(context, "self/timens_offsets", 0, plan->time_offsets))
			give_up_at(context, "time-namespace", errno, "offsets");
		time = openat(context->proc, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
		if (time < 0 || setns(time, CLONE_NEWTIME) != 0) give_up_at(context, "time-namespace", errno, "cannot enter it");
		close(time);
	}
}

/* Moves the detached root into our mount namespace, to be reached by its descriptor and pivoted to later. */
static void place_root(struct init_context *context)
{
	if (!use_descriptor_names(context->proc)) give_up_at(context, "root", errno, "/proc/self/fd");
	if (our.classic && !reopen_stage(context->prepared)) give_up_at(context, "root", errno, "cannot find what has been prepared");
	context->root = context->prepared->root;
	if (context->root < 0) give_up_at(context, "root", EINVAL, "the plan has no root file system");
	if (!our.classic && !place_root_at(context->root, "/root")) give_up_at(context, "root", errno, "cannot attach the root file system");
}

bool write_sysctl(const struct init_context *context, const struct op *op, struct failure *failure)
{
	char path[512];
	size_t length = strlen(op->text[0]), first = strcspn(op->text[0], "./");
	if (length + 5 > sizeof path) return fail(failure, op->name, ENAMETOOLONG, "%s", op->text[0]);
	memcpy(path, "sys/", 4);
	memcpy(path + 4, op->text[0], length + 1);
	/* As sysctl(8): whichever separator comes first is the separator, the other one is part of names (net.ipv4.conf.eth0/1). */
	if (op->text[0][first] == '.')
		for (char *at = path + 4; *at != 0; at++) *at = *at == '.' ? '/' : *at == '/' ? '.' : *at;
	return write_process_file(context, path, RESOLVE_NO_SYMLINKS, op->text[1]) || fail(failure, op->name, errno, "%s", op->text[0]);
}

static bool set_oom_score(const struct init_context *context, const struct op *op, struct failure *failure)
{
	char text[16];
	snprintf(text, sizeof text, "%d", (int32_t)(uint32_t)op->number[0]);
	return write_process_file(context, "self/oom_score_adj", 0, text) || fail(failure, op->name, errno, "%s", text);
}

static void await_network(struct init_context *context)
{
	if (!context->network_ready && !wait_for(context->channel, 'N')) _exit(1);
	context->network_ready = true;
}

/* Forks: this process becomes PID 1, the child goes on with the plan. */
static bool split_off_reaper(struct failure *failure)
{
	pid_t child = fork();
	if (child < 0) return fail(failure, "init-process", errno, "fork");
	if (child > 0) become_reaper(child);
	setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN);
	(void)tcsetpgrp(0, getpid());
	signal(SIGTTOU, SIG_DFL);
	return true;
}

static bool run_init_op(struct init_context *context, const struct op *op, struct failure *failure)
{
	if (op->code >= OP_NEW_SESSION) return run_process_op(context, op, failure);
	switch (op->code) {
	case OP_NETLINK: await_network(context); return run_netlink_op(op, -1, true, failure);
	case OP_SYSCTL: await_network(context); return write_sysctl(context, op, failure);
	case OP_CONSOLE: return open_console(context, true, failure);
	case OP_HOSTNAME: return sethostname(op->text[0], strlen(op->text[0])) == 0 || fail(failure, op->name, errno, "%s", op->text[0]);
	case OP_DOMAINNAME: return setdomainname(op->text[0], strlen(op->text[0])) == 0 || fail(failure, op->name, errno, "%s", op->text[0]);
	case OP_OOM_SCORE_ADJ: return set_oom_score(context, op, failure);
	case OP_INIT_PROCESS: return split_off_reaper(failure);
	default: return run_mount_op(context, op, failure);
	}
}

/* All is done but execve: no descriptor of ours but the channel is left when the program's user can look at this process. */
static _Noreturn void finish(struct init_context *context, const struct op *op, bool wait)
{
	int null = is_null_device(0) ? open_inside(context->root, "/dev/null", O_PATH, 0) : -1;
	/* Descriptor 0 becomes the container's own /dev/null where it has one, so that it shows no mount of the host. */
	if (null >= 0 && is_null_device(null)) {
		char path[64];
		snprintf(path, sizeof path, "self/fd/%d", null);
		int own = openat(context->proc, path, O_RDWR | O_CLOEXEC);
		if (own >= 0) (void)dup2(own, 0);
	}
	int channel = context->channel;
	if (channel != 3) {
		if (dup3(channel, 3, O_CLOEXEC) < 0) give_up_at(context, "stdio", errno, "channel");
		context->channel = channel = 3;
	}
	if (sys_close_range(4, ~0U) != 0) give_up_at(context, "stdio", errno, "close_range");
	context->root = context->proc = context->mask = -1;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (!send_channel(channel, 'L', -1)) _exit(1);
	if (wait && !wait_for(channel, 'G')) _exit(1);
	const char *name = op->list[0].count == 0 ? "" : read_text(&(struct reader){ op->list[0].strings.at, op->list[0].strings.end, false });
	int error = execute(context, op);
	give_up_at(context, "exec", error, name);
}

/* What the container's first process and an exec session's child begin with. */
static struct init_context begin(int channel, const int standard[3], const int *cgroups, uint32_t cgroup_count)
{
	struct init_context context = { .channel = channel, .root = -1, .terminal = -1, .mask = -1, .umask = 022 };
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* The container's processes can see this one from now on: none may look into it or at its descriptors (CVE-2016-9962). */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	set_title("berth-init", NULL);
	reset_signals();
	umask(0);
	use_standard_files(&context, standard);
	enter_cgroups(&context, cgroups, cgroup_count);
	context.proc = open_proc();
	if (context.proc < 0) give_up_at(&context, "proc", errno, "/proc");
	return context;
}

_Noreturn void run_init(const struct init_start *start)
{
	struct init_context context = begin(start->channel, start->standard, start->cgroups, start->cgroup_count);
	struct ops ops = start->plan->init;
	struct failure failure;
	struct op op;
	context.prepared = start->prepared;
	enter_namespaces(&context, start);
	place_root(&context);
	while (next_op(&ops, &op)) {
		if (op.code == OP_EXEC) {
			await_network(&context);
			finish(&context, &op, true);
		}
		if (!run_init_op(&context, &op, &failure)) give_up(&context, &failure);
	}
	give_up_at(&context, "exec", EINVAL, "the plan executes nothing");
}

/* The child of an exec session, cloned in the container's pid namespace. */
_Noreturn void run_exec_child(const struct exec_start *start)
{
	struct init_context context = begin(start->channel, start->standard, start->cgroups, start->cgroup_count);
	struct ops ops = start->plan->process;
	struct failure failure;
	struct op op;
	if (!write_process_file(&context, "self/oom_score_adj", 0, start->oom_score_adj)) give_up_at(&context, "oom-score-adj", errno, start->oom_score_adj);
	if (setns(start->pidfd, (int)start->namespaces) != 0) give_up_at(&context, "join", errno, "the container's namespaces");
	if ((start->namespaces & CLONE_NEWUSER) && (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0))
		give_up_at(&context, "user-namespace", errno, "cannot become its root");
	if (!use_descriptor_names(context.proc)) give_up_at(&context, "root", errno, "/proc/self/fd");
	context.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (context.root < 0) give_up_at(&context, "root", errno, "/");
	if (start->plan->tty && !open_console(&context, false, &failure)) give_up(&context, &failure);
	while (next_op(&ops, &op)) {
		if (op.code == OP_EXEC) finish(&context, &op, false);
		if (!run_process_op(&context, &op, &failure)) give_up(&context, &failure);
	}
	give_up_at(&context, "exec", EINVAL, "the plan executes nothing");
}

static volatile sig_atomic_t reaper_child;

static void forward(int signal)
{
	if (reaper_child > 0) kill(reaper_child, signal);
}

/* PID 1 for programs that are not made to be it: forwards signals to the program, reaps orphans, ends as the program does. */
_Noreturn void become_reaper(pid_t child)
{
	struct sigaction forwarding = { .sa_handler = forward, .sa_flags = SA_RESTART };
	int status;
	reaper_child = child;
	sigfillset(&forwarding.sa_mask);
	for (int i = 1; i < 65; i++)
		if (i != SIGCHLD && i != SIGTTIN && i != SIGTTOU && i != SIGSEGV && i != SIGILL && i != SIGFPE && i != SIGBUS) sigaction(i, &forwarding, NULL);
	sys_close_range(0, ~0U);
	for (;;) {
		pid_t ended = wait(&status);
		if (ended < 0 && errno != EINTR) _exit(1);
		if (ended == child) _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
}
