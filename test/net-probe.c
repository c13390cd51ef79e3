/*
 * What the tests of networks run in containers and in other hosts: a server that says who has asked, its client, a stream
 * that notices interruptions, and a source of DNS questions. Static, so that it runs in any image.
 *
 *   net-probe serve PORT|FROM-TO…          TCP, UDP and, where the kernel has it, SCTP, on all addresses of both families
 *   net-probe ask PROTOCOL ADDRESS PORT [MS]   prints the server's answer: `HOSTNAME CLIENT OWN`; 1 when there is none
 *   net-probe stream-serve PORT            sends a line every 5 ms to whoever connects, for ever
 *   net-probe stream ADDRESS PORT          prints, every 100 ms: LINES LONGEST-GAP-MS
 *   net-probe dns-serve                    answers each question on port 53 with 192.0.2.77 and prints its name
 *   net-probe dns SERVER RATE SECONDS NAME…    RATE questions a second (0: as fast as 32 at a time are answered)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* An address as people write it: IPv4 without the prefix that a socket of both families gives it. */
static void print_address(const struct sockaddr_storage *from, char *text, size_t size)
{
	char whole[NI_MAXHOST];
	if (getnameinfo((const void *)from, sizeof *from, whole, sizeof whole, NULL, 0, NI_NUMERICHOST) != 0) snprintf(whole, sizeof whole, "?");
	snprintf(text, size, "%s", strncmp(whole, "::ffff:", 7) == 0 ? whole + 7 : whole);
}

static int open_port(int type, int protocol, uint16_t port)
{
	int fd = socket(AF_INET6, type, protocol), on = 1, off = 0;
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	} else {
		fd = socket(AF_INET, type, protocol);
		if (fd < 0) return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (void *)&address, sizeof address) != 0 && bind(fd, (void *)&address4, sizeof address4) != 0) die("bind %u: %s", port, strerror(errno));
	if (type == SOCK_STREAM && listen(fd, 256) != 0) die("listen %u: %s", port, strerror(errno));
	return fd;
}

struct port {
	int fd;
	bool is_datagram;
};

/* The own address of a datagram's socket is not asked for: it is bound to all of them. */
static void answer_one(struct port port, const char *host)
{
	struct sockaddr_storage peer = {0}, own = {0};
	socklen_t size = sizeof peer, own_size = sizeof own;
	char from[NI_MAXHOST], here[NI_MAXHOST] = "-", line[3 * NI_MAXHOST], question[512];
	if (port.is_datagram) {
		if (recvfrom(port.fd, question, sizeof question, 0, (void *)&peer, &size) < 0) return;
		print_address(&peer, from, sizeof from);
		int length = snprintf(line, sizeof line, "%s %s %s\n", host, from, here);
		sendto(port.fd, line, (size_t)length, 0, (void *)&peer, size);
		return;
	}
	int fd = accept(port.fd, (void *)&peer, &size);
	if (fd < 0) return;
	getsockname(fd, (void *)&own, &own_size);
	print_address(&peer, from, sizeof from);
	print_address(&own, here, sizeof here);
	int length = snprintf(line, sizeof line, "%s %s %s\n", host, from, here);
	send(fd, line, (size_t)length, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	close(fd);
}

static _Noreturn void serve(char **ranges)
{
	static struct port ports[8192];
	static struct pollfd waits[8192];
	size_t count = 0;
	char host[256] = "";
	gethostname(host, sizeof host - 1);
	for (; *ranges != NULL; ranges++) {
		unsigned from = 0, to = 0;
		if (sscanf(*ranges, "%u-%u", &from, &to) < 2) to = from;
		for (unsigned port = from; port <= to && count + 3 < 8192; port++) {
			ports[count++] = (struct port){open_port(SOCK_STREAM, 0, (uint16_t)port), false};
			ports[count++] = (struct port){open_port(SOCK_DGRAM, 0, (uint16_t)port), true};
			int sctp = open_port(SOCK_STREAM, IPPROTO_SCTP, (uint16_t)port);
			if (sctp >= 0) ports[count++] = (struct port){sctp, false};
		}
	}
	for (size_t i = 0; i < count; i++) waits[i] = (struct pollfd){ports[i].fd, POLLIN, 0};
	puts("serving");
	fflush(stdout);
	for (;;) {
		if (poll(waits, count, -1) < 0) continue;
		for (size_t i = 0; i < count; i++)
			if (waits[i].revents != 0) answer_one(ports[i], host);
	}
}

static struct sockaddr_storage parse_address(const char *text, const char *port, int type, socklen_t *size)
{
	struct addrinfo hints = {.ai_socktype = type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found = NULL;
	struct sockaddr_storage address = {0};
	int failed = getaddrinfo(text, port, &hints, &found);
	if (failed != 0) die("%s: %s", text, gai_strerror(failed));
	memcpy(&address, found->ai_addr, found->ai_addrlen);
	*size = found->ai_addrlen;
	freeaddrinfo(found);
	return address;
}

static int connect_to(const char *text, const char *port, int type, int protocol, int timeout_ms)
{
	socklen_t size = 0;
	struct sockaddr_storage address = parse_address(text, port, SOCK_STREAM, &size);
	int fd = socket(address.ss_family, type | SOCK_NONBLOCK, protocol);
	if (fd < 0) die("socket: %s", strerror(errno));
	if (connect(fd, (void *)&address, size) != 0) {
		if (errno != EINPROGRESS) die("connect: %s", strerror(errno));
		struct pollfd wait = {fd, POLLOUT, 0};
		if (poll(&wait, 1, timeout_ms) != 1) die("connect: timed out");
		int failed = 0;
		socklen_t length = sizeof failed;
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &length);
		if (failed != 0) die("connect: %s", strerror(failed));
	}
	return fd;
}

static int ask(const char *protocol, const char *address, const char *port, int timeout_ms)
{
	bool udp = strcmp(protocol, "udp") == 0;
	int fd = connect_to(address, port, udp ? SOCK_DGRAM : SOCK_STREAM, strcmp(protocol, "sctp") == 0 ? IPPROTO_SCTP : 0, timeout_ms);
	if (udp && send(fd, "?", 1, 0) != 1) die("send: %s", strerror(errno));
	char line[1024];
	struct pollfd wait = {fd, POLLIN, 0};
	if (poll(&wait, 1, timeout_ms) != 1) die("no answer");
	ssize_t length = recv(fd, line, sizeof line - 1, 0);
	if (length < 0) die("receive: %s", strerror(errno));
	if (length == 0) die("closed without an answer");
	line[length] = '\0';
	fputs(line, stdout);
	return 0;
}

static _Noreturn void stream_serve(const char *port)
{
	int listener = open_port(SOCK_STREAM, 0, (uint16_t)atoi(port));
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	puts("serving");
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0) continue;
		if (fork() == 0) {
			while (send(fd, "0123456789abcde\n", 16, 0) == 16) usleep(5000);
			exit(0);
		}
		close(fd);
	}
}

static _Noreturn void stream(const char *address, const char *port)
{
	int fd = connect_to(address, port, SOCK_STREAM, 0, 5000);
	char data[4096];
	unsigned long bytes = 0;
	double last = now_ms(), longest = 0, said = last;
	for (;;) {
		struct pollfd wait = {fd, POLLIN, 0};
		int ready = poll(&wait, 1, 50);
		double now = now_ms();
		if (now - last > longest) longest = now - last;
		if (ready == 1) {
			ssize_t length = recv(fd, data, sizeof data, MSG_DONTWAIT);
			if (length <= 0) die("the stream ended after %lu lines: %s", bytes / 16, length < 0 ? strerror(errno) : "closed");
			bytes += (unsigned long)length;
			last = now;
		}
		if (now - said >= 100) {
			printf("%lu %.0f\n", bytes / 16, longest);
			fflush(stdout);
			said = now;
		}
	}
}

/* The name of a question as people write it. */
static void print_name(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at != 0 && at + 1 + *at <= end) {
		printf("%.*s.", *at, (const char *)at + 1);
		at += 1 + *at;
	}
	putchar('\n');
	fflush(stdout);
}

/* Any question of type A gets one record, any other none. */
static _Noreturn void dns_serve(void)
{
	static const uint8_t record[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 77};
	int fd = open_port(SOCK_DGRAM, 0, 53), on = 1;
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	puts("serving");
	fflush(stdout);
	for (;;) {
		uint8_t message[4096], control[256];
		struct sockaddr_storage peer;
		struct iovec data = {message, sizeof message - sizeof record};
		struct msghdr header = {&peer, sizeof peer, &data, 1, control, sizeof control, 0};
		ssize_t length = recvmsg(fd, &header, 0);
		if (length < 17) continue;
		print_name(message + 12, message + length);
		size_t question = 12;
		while (question < (size_t)length && message[question] != 0) question += 1u + message[question];
		question += 5;
		if (question > (size_t)length) continue;
		bool is_a = message[question - 3] == 1;
		message[2] |= 0x80;
		message[3] = 0x80;
		message[7] = is_a;
		memset(message + 8, 0, 4);
		if (is_a) memcpy(message + question, record, sizeof record);
		data.iov_len = question + (is_a ? sizeof record : 0);
		/* The control data goes back as it came: the answer comes from the address that was asked. */
		sendmsg(fd, &header, 0);
	}
}

static size_t write_question(uint8_t *message, uint16_t id, const char *name, bool six)
{
	uint8_t head[12] = {(uint8_t)(id >> 8), (uint8_t)id, 1, 0, 0, 1};
	memcpy(message, head, 12);
	size_t at = 12;
	while (*name != '\0') {
		size_t length = strcspn(name, ".");
		message[at++] = (uint8_t)length;
		memcpy(message + at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	uint8_t tail[5] = {0, 0, six ? 28 : 1, 0, 1};
	memcpy(message + at, tail, 5);
	return at + 5;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct flood {
	int fd;
	double sent_at[65536];
	double *latencies;
	size_t sent, answered, good;
	size_t waiting;
};

static void take_answers(struct flood *flood)
{
	uint8_t answer[65536];
	ssize_t length;
	while ((length = recv(flood->fd, answer, sizeof answer, MSG_DONTWAIT)) >= 12) {
		uint16_t id = (uint16_t)(answer[0] << 8 | answer[1]);
		if (flood->sent_at[id] == 0) continue;
		flood->latencies[flood->answered++] = now_ms() - flood->sent_at[id];
		flood->sent_at[id] = 0;
		flood->waiting--;
		if ((answer[3] & 15) == 0 && (answer[6] | answer[7]) != 0) flood->good++;
	}
}

static int dns(const char *server, int rate, int seconds, char **names, int name_count)
{
	static struct flood flood;
	flood.fd = connect_to(server, "53", SOCK_DGRAM, 0, 1000);
	int space = 4 << 20;
	setsockopt(flood.fd, SOL_SOCKET, SO_RCVBUF, &space, sizeof space);
	size_t most = rate > 0 ? (size_t)rate * (size_t)seconds : (size_t)seconds * 400000;
	flood.latencies = calloc(most + 1, sizeof *flood.latencies);
	double start = now_ms(), end = start + seconds * 1e3;
	uint8_t message[512];
	while (flood.sent < most && now_ms() < end + 1000) {
		double now = now_ms();
		if (rate == 0 && now >= end) break;
		size_t due = rate > 0 ? (size_t)((now - start) * rate / 1e3) : flood.sent + (flood.waiting < 32 ? 32 - flood.waiting : 0);
		for (; flood.sent < due && flood.sent < most; flood.sent++) {
			uint16_t id = (uint16_t)flood.sent;
			size_t length = write_question(message, id, names[flood.sent % (size_t)name_count], false);
			if (flood.sent_at[id] == 0) flood.waiting++;
			flood.sent_at[id] = now_ms();
			if (send(flood.fd, message, length, 0) < 0 && errno != ENOBUFS && errno != ECONNREFUSED) die("send: %s", strerror(errno));
		}
		struct pollfd wait = {flood.fd, POLLIN, 0};
		poll(&wait, 1, 1);
		take_answers(&flood);
	}
	double took = now_ms() - start;
	for (double until = now_ms() + 3000; flood.waiting > 0 && now_ms() < until;) {
		struct pollfd wait = {flood.fd, POLLIN, 0};
		poll(&wait, 1, 10);
		take_answers(&flood);
	}
	qsort(flood.latencies, flood.answered, sizeof *flood.latencies, compare);
#define AT(share) (flood.answered == 0 ? -1.0 : flood.latencies[(size_t)((double)(flood.answered - 1) * (share))])
	printf("{\"sent\":%zu,\"answered\":%zu,\"good\":%zu,\"tookMs\":%.0f,\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f}\n", flood.sent,
	       flood.answered, flood.good, took, AT(0.5), AT(0.99), AT(1.0));
	return 0;
}

int main(int count, char **words)
{
	const char *verb = count > 1 ? words[1] : "";
	if (strcmp(verb, "serve") == 0 && count > 2) serve(words + 2);
	if (strcmp(verb, "ask") == 0 && count > 4) return ask(words[2], words[3], words[4], count > 5 ? atoi(words[5]) : 1500);
	if (strcmp(verb, "stream-serve") == 0 && count > 2) stream_serve(words[2]);
	if (strcmp(verb, "stream") == 0 && count > 3) stream(words[2], words[3]);
	if (strcmp(verb, "dns-serve") == 0) dns_serve();
	if (strcmp(verb, "dns") == 0 && count > 5) return dns(words[2], atoi(words[3]), atoi(words[4]), words + 5, count - 5);
	die("net-probe: unknown verb");
}
