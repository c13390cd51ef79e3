/*
 * For tests: kills a process at a named place, as an accident would. Only in the build with FAILPOINTS.
 * BERTH_FAILPOINT is PLACE:WHO:FILE; it strikes once, when FILE is there to be removed.
 */
#ifdef FAILPOINTS
#include "native.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t broker, daemon_process;

void failpoint_start(void)
{
	broker = getpid();
	daemon_process = getppid();
}

void failpoint(const char *place)
{
	char wanted[64], who[16], file[512];
	const char *text = getenv("BERTH_FAILPOINT");
	if (text == NULL || sscanf(text, "%63[^:]:%15[^:]:%511s", wanted, who, file) != 3) return;
	if (strcmp(wanted, place) != 0 || unlink(file) != 0) return;
	kill(strcmp(who, "daemon") == 0 ? daemon_process : strcmp(who, "broker") == 0 ? broker : getpid(), SIGKILL);
}
#else
typedef int nothing_here;
#endif
