/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What probes cost: TARGETS addresses of loopback, each looked at every 10 s, against a server in a
 * process of its own. Prints looks per second and the share of a core that the probing process
 * took. usage: bench_sense [TARGETS [SECONDS]]
 */
#include "base/os.h"
#include "conf/conf.h"
#include "sense/sense.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EVENTS = 256, EVERY_S = 10, BACKLOG = 4096 };

/* Answers whatever comes with one reply; the client closes. */
static void serve(int listener)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, event[EVENTS];
	int ep = epoll_create1(0);
	char octets[4096];

	(void)epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(ep, event, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = event[i].data.fd;

			if (fd == listener) {
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					e.data.fd = fd;
					(void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
				}
			} else if (read(fd, octets, sizeof(octets)) <= 0 ||
				   write(fd, reply, sizeof(reply) - 1) < 0) {
				(void)close(fd);
			}
		}
	}
}

static struct conf *conf_of(const char *kind, unsigned port, unsigned targets)
{
	static const char machine[] = "{}";
	struct errbuf err = {""};
	struct conf *conf = NULL;
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)fprintf(f, "vendors: [{name: v, max_mbps: 1}]\n"
			 "services: [{name: s, hosts: [h.x.example], vendors: [{vendor: v, cname: "
			 "c.y.example}]}]\n"
			 "zones: [{name: x.example, file: /dev/null}]\nprobes:\n");
	for (unsigned from = 0; from < targets; from += 10000) {
		(void)fprintf(f, "  - {name: p%u, kind: %s, every_s: %d, targets: [", from, kind,
			EVERY_S);
		for (unsigned i = from; i < targets && i < from + 10000; i++)
			(void)fprintf(f, "%s\"127.%u.%u.%u:%u\"", i > from ? ", " : "",
				1 + i / 65536, i / 256 % 256, i % 256, port);
		(void)fprintf(f, "]}\n");
	}
	(void)fclose(f);
	if (conf_load_mem(machine, sizeof(machine) - 1, text, n, &conf, &err))
		(void)fprintf(stderr, "%s\n", err.s);
	free(text);
	return conf;
}

struct count {
	uint64_t looks, bad, up;
};

static struct count count(struct sense *s)
{
	struct count c = {0, 0, 0};
	uint32_t n;
	struct sense_probe *p = sense_probes(s, &n);

	for (uint32_t i = 0; i < n; i++) {
		c.looks += p[i].looks;
		c.up += p[i].n[SENSE_UP];
		for (uint32_t r = 0; r < SENSE_REFUSALS; r++)
			c.bad += p[i].refused[r];
	}
	free(p);
	return c;
}

/* Until there were so many looks; what there is then. */
static struct count wait_for(struct sense *s, uint64_t looks)
{
	struct count c = count(s);

	while (c.looks < looks) {
		(void)poll(NULL, 0, 50);
		c = count(s);
	}
	return c;
}

static double cpu_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int measure(const char *kind, unsigned port, unsigned targets, unsigned seconds)
{
	struct sense *s;
	struct conf *conf = conf_of(kind, port, targets);
	struct count a, b;
	uint64_t from_ns;
	double cpu, span;

	if (!conf || sense_new(&s, NULL))
		return 1;
	sense_load(s, conf, NULL);
	a = wait_for(s, targets); /* about once each */
	cpu = cpu_s();
	from_ns = os_mono_ns();
	b = wait_for(s, a.looks + (uint64_t)targets * seconds / EVERY_S);
	span = (double)(os_mono_ns() - from_ns) / 1e9;
	cpu = cpu_s() - cpu;
	(void)printf(
		"%-5s %6u targets every %d s: %6.0f looks/s, %5.1f %% of a core, %.0f us a look, "
		"%llu up, %llu bad\n",
		kind, targets, EVERY_S, (double)(b.looks - a.looks) / span, cpu / span * 100,
		cpu / (double)(b.looks - a.looks) * 1e6, (unsigned long long)b.up,
		(unsigned long long)b.bad);
	sense_free(s);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned targets = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
	unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 20;
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t n = sizeof(any);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), rc;
	pid_t server;

	if (bind(listener, (struct sockaddr *)&any, n) || listen(listener, BACKLOG) ||
		getsockname(listener, (struct sockaddr *)&any, &n)) {
		perror("bench_sense");
		return 1;
	}
	server = fork();
	if (server == 0)
		serve(listener);
	rc = measure("tcp", ntohs(any.sin_port), targets, seconds);
	if (!rc)
		rc = measure("http", ntohs(any.sin_port), targets, seconds);
	(void)kill(server, SIGTERM);
	(void)waitpid(server, NULL, 0);
	return rc;
}
