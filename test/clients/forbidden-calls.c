/*
 * Asks the kernel for what a container is not to have, one call after the other, and prints what it says: the call's name
 * and its errno, 0 when it was done. The arguments are wrong, so that a call that gets past every guard does nothing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <unistd.h>

static void say(const char *name, long result) { printf("%s %d\n", name, result < 0 ? errno : 0); }

#define TRY(name, ...) say(#name, syscall(SYS_##name, __VA_ARGS__))

#ifdef __x86_64__
static sigjmp_buf no_such_gate;

static void leave(int signal)
{
	(void)signal;
	siglongjmp(no_such_gate, 1);
}

/* The 32-bit door, which a filter has to guard as well. Kernels without it answer with a fault. */
static void old_call(const char *name, int number, int a, int b, int c)
{
	long result;
	signal(SIGSEGV, leave);
	if (sigsetjmp(no_such_gate, 1) != 0) {
		errno = ENOSYS;
		say(name, -1);
		return;
	}
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	errno = (int)-result;
	say(name, (int)result);
}
#endif

int main(void)
{
	void *nowhere = (void *)1;
	struct timex time = { .modes = 0 };
	struct timeval now;

	TRY(add_key, nowhere, nowhere, 0, 0, -1);
	TRY(request_key, nowhere, nowhere, 0, 0);
	TRY(keyctl, 0, -3, 0, 0, 0);
	TRY(bpf, 0, nowhere, 0);
	TRY(unshare, CLONE_NEWUSER);
	TRY(setns, -1, 0);
	TRY(mount, nowhere, nowhere, nowhere, 0, 0);
	TRY(umount2, nowhere, 0);
	TRY(pivot_root, nowhere, nowhere);
	TRY(open_tree, -1, nowhere, 0);
	TRY(move_mount, -1, nowhere, -1, nowhere, 0);
	TRY(fsopen, nowhere, 0);
	TRY(mount_setattr, -1, nowhere, 0, 0, 0);
	TRY(init_module, nowhere, 0, nowhere);
	TRY(finit_module, -1, nowhere, 0);
	TRY(delete_module, nowhere, 0);
	TRY(kexec_load, 0, 0, 0, -1);
	TRY(reboot, 0, 0, 0, 0);
	TRY(swapon, nowhere, 0);
	TRY(swapoff, nowhere);
	TRY(acct, nowhere);
	TRY(quotactl, -1, nowhere, 0, 0);
	TRY(open_by_handle_at, -1, nowhere, 0);
	TRY(perf_event_open, nowhere, 0, 0, -1, 0);
	TRY(userfaultfd, 0);
	TRY(io_uring_setup, 0, nowhere);
	TRY(fanotify_init, 0, 0);
	TRY(pidfd_getfd, -1, 0, 0);
	TRY(process_madvise, -1, nowhere, 0, 0, 0);
	TRY(kcmp, 0, 0, 0, 0, 0);
	TRY(syslog, 10, nowhere, 0);
	TRY(vhangup, 0);
	TRY(sethostname, nowhere, 1);
	TRY(settimeofday, nowhere, 0);
	TRY(clock_settime, 0, nowhere);
	TRY(personality, 0x40000);
	TRY(clone3, nowhere, 0);
	say("socket-AF_ALG", socket(38, SOCK_SEQPACKET, 0));
	say("socket-AF_VSOCK", socket(40, SOCK_STREAM, 0));
	say("socket-AF_ALG-high-bits", syscall(SYS_socket, 0x100000026L, SOCK_SEQPACKET, 0));

	/* These the filter cannot judge: to look at the clock is allowed. */
	say("adjtimex-look", adjtimex(&time) < 0 ? -1 : 0);
	time.modes = ADJ_STATUS;
	say("adjtimex", adjtimex(&time) < 0 ? -1 : 0);
	gettimeofday(&now, NULL);
	say("settimeofday-now", settimeofday(&now, NULL));
#ifdef __x86_64__
	TRY(iopl, 3);
	TRY(ioperm, 0, 0, 1);
	say("x32-keyctl", syscall(0x40000000 | SYS_keyctl, 0, -3, 0, 0, 0));
	old_call("i386-keyctl", 288, 0, -3, 0);
	old_call("i386-socket-AF_ALG", 359, 38, SOCK_SEQPACKET, 0);
	int *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (arguments != MAP_FAILED) {
		memcpy(arguments, (int[]){ 38, SOCK_SEQPACKET, 0 }, 3 * sizeof *arguments);
		old_call("i386-socketcall-AF_ALG", 102, 1, (int)(long)arguments, 0);
	}
#endif
	return 0;
}
