/*
 * Entry: makes sure that the program runs from a sealed copy of itself in memory, so that nothing a container reaches
 * through /proc/<pid>/exe is a file of the host (CVE-2019-5736), then becomes the broker.
 */
#include "kernel-calls.h"
#include "native.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

static char *title_start;
static size_t title_size;

/* What ps shows: the name, and the arguments replaced, so that a container's PID 1 of ours tells nothing of the host. */
void set_title(const char *name, const char *detail)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
	if (title_size == 0) return;
	memset(title_start, 0, title_size);
	snprintf(title_start, title_size, detail == NULL ? "%s" : "%s %s", name, detail);
}

bool fail(struct failure *failure, const char *stage, int error, const char *format, ...)
{
	va_list arguments;
	failure->stage = stage;
	failure->error = error;
	va_start(arguments, format);
	vsnprintf(failure->message, sizeof failure->message, format, arguments);
	va_end(arguments);
	return false;
}

static const int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

static bool is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & all_seals) == all_seals;
}

static bool execute_sealed_copy(int self, char **argv)
{
	struct stat status;
	extern char **environ;
	int copy = memfd_create("berth", MFD_ALLOW_SEALING | MFD_CLOEXEC | MFD_EXEC);
	if (copy < 0 && errno == EINVAL) copy = memfd_create("berth", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (copy < 0 || fstat(self, &status) != 0) return false;
	for (off_t done = 0; done < status.st_size;)
		if (sendfile(copy, self, &done, (size_t)(status.st_size - done)) <= 0) return false;
	if (fchmod(copy, 0500) != 0 || fcntl(copy, F_ADD_SEALS, all_seals) != 0 || !is_sealed(copy)) return false;
	fexecve(copy, argv, environ);
	return false;
}

int main(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "broker") != 0) {
		fprintf(stderr, "usage: %s broker EXEC-ROOT [MONITOR-SOCKET...]\nThis program is started by berthd.\n", argv[0]);
		return 2;
	}
	/* Whatever else whoever started the daemon has left open: it must not live on in monitors. */
	(void)sys_close_range(4, ~0U);
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self < 0 || (!is_sealed(self) && !execute_sealed_copy(self, argv))) {
		fprintf(stderr, "%s: cannot run from sealed memory: %s\n", argv[0], strerror(errno));
		return 1;
	}
	close(self);
	title_start = argv[0];
	title_size = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
	return run_broker(argc, argv);
}
