/* The program of the hello-world image. */
static const char text[] =
	"\n"
	"Ahoy! Berth works on this machine.\n"
	"\n"
	"What happened to bring you these lines:\n"
	" 1. The command line asked the Berth daemon for a container of the image \"hello-world\".\n"
	" 2. The daemon had no such image and put the one it carries into its store.\n"
	" 3. It wrote a launch plan: namespaces, a root file system, limits, a network.\n"
	" 4. A small C program executed that plan and then this program inside it.\n"
	" 5. What this program printed went through the container's monitor to its log and to your terminal.\n"
	"\n"
	"What to try next:\n"
	"   berth run -it --rm busybox sh\n"
	"   berth run -d --name web -p 8080:80 busybox httpd -f && curl 127.0.0.1:8080\n"
	"   export DOCKER_HOST=unix:///run/berth/berth.sock && docker ps -a\n"
	"\n";

static long call(long number, long a, long b, long c)
{
	long result;
#if defined(__x86_64__)
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	result = x0;
#else
#error "no system calls known for this processor"
#endif
	return result;
}

#if defined(__x86_64__)
enum { WRITE = 1, EXIT = 231 };
#else
enum { WRITE = 64, EXIT = 94 };
#endif

void _start(void)
{
	for (unsigned long at = 0; at < sizeof text - 1;) {
		long n = call(WRITE, 1, (long)(text + at), (long)(sizeof text - 1 - at));
		if (n <= 0) call(EXIT, 1, 0, 0);
		at += (unsigned long)n;
	}
	for (;;) call(EXIT, 0, 0, 0);
}
