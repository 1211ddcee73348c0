/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The yardstick of HTTP benches: an epoll loop that answers every request head with one fixed
 * reply of 560 octets and keeps the connection. It reads nothing of what it is sent.
 * usage: bare_http [PORT]   prints "ready PORT", serves until SIGTERM, then prints the requests
 * answered and its CPU time.
 */
#include "base/os.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EVENTS = 256, MAX_FD = 65536, HEAD_MAX = 4096 };

static volatile sig_atomic_t stopping;
static uint64_t answered;

/* What is left of an unfinished head, by descriptor. */
static struct rest {
	uint16_t n;
	char *octets;
} rests[MAX_FD];

static char reply[560];

static void on_signal(int sig)
{
	(void)sig;
	stopping = 1;
}

static void make_reply(void)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\n"
				   "Content-Type: application/json\r\nCache-Control: no-store\r\n"
				   "Content-Length: ";
	size_t n = sizeof(head) - 1 + 7; /* three digits, two line ends */

	(void)snprintf(reply, sizeof(reply), "%s%zu\r\n\r\n", head, sizeof(reply) - n);
	memset(reply + n, 'x', sizeof(reply) - n);
}

static void drop(int fd)
{
	free(rests[fd].octets);
	rests[fd] = (struct rest){0, NULL};
	(void)close(fd);
}

static void accept_all(int epfd, int listen_fd)
{
	int fd, on = 1;

	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		rests[fd < MAX_FD ? fd : 0].octets = malloc(HEAD_MAX);
		if (fd >= MAX_FD || !rests[fd].octets ||
			epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
			(void)close(fd);
	}
}

/* Answers each whole head in what came; false when the connection is over. */
static bool answer(int fd)
{
	struct rest *r = &rests[fd];
	ssize_t got = recv(fd, r->octets + r->n, (size_t)(HEAD_MAX - r->n), 0);
	const char *at = r->octets, *end;
	size_t n;

	if (got <= 0)
		return got < 0 && errno == EAGAIN;
	n = r->n + (size_t)got;
	while ((end = memmem(at, n, "\r\n\r\n", 4))) {
		n -= (size_t)(end + 4 - at);
		at = end + 4;
		if (send(fd, reply, sizeof(reply), MSG_NOSIGNAL) != (ssize_t)sizeof(reply))
			return false;
		answered++;
	}
	memmove(r->octets, at, n);
	r->n = (uint16_t)n;
	return n < HEAD_MAX;
}

static void serve(int epfd, int listen_fd)
{
	struct epoll_event ev[EVENTS];

	while (!stopping) {
		int n = epoll_wait(epfd, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd == listen_fd)
				accept_all(epfd, listen_fd);
			else if (!answer(ev[i].data.fd))
				drop(ev[i].data.fd);
		}
	}
}

static int make_listener(const char *port, struct errbuf *err)
{
	struct os_addr addr;
	char text[32];

	(void)snprintf(text, sizeof(text), "127.0.0.1:%s", port);
	return os_addr_parse(text, &addr, err) ? -1 : os_tcp_listen(&addr, 4096, err);
}

static void report(void)
{
	struct rusage ru;

	(void)getrusage(RUSAGE_SELF, &ru);
	(void)printf("answered %llu user_us %lld system_us %lld\n", (unsigned long long)answered,
		(long long)ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec,
		(long long)ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct errbuf err = {{0}};
	int fd = make_listener(argc > 1 ? argv[1] : "0", &err), epfd = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0 || epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ||
		getsockname(fd, (void *)&ss, &len) < 0) {
		(void)fprintf(stderr, "bare_http: %s\n", err.s);
		return 1;
	}
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGINT, &act, NULL);
	make_reply();
	(void)printf("ready %u\n", os_addr_port((void *)&ss));
	(void)fflush(stdout);
	serve(epfd, fd);
	report();
	return 0;
}
