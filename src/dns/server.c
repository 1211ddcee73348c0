/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/server.h"

#include "dns/server_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

enum { TCP_BACKLOG = 1024 };

uint32_t dnsd_workers(const struct dnsd_options *o)
{
	return o->n_listen * o->udp_threads + o->tcp_threads;
}

/* In place: to read an address right after it was written in parts is to wait. */
void dnsd_peer(const struct sockaddr_storage *ss, struct ip *ret_ip)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const struct sockaddr_in *v4 = (const void *)ss;
	const struct sockaddr_in6 *v6 = (const void *)ss;

	*ret_ip = (struct ip){.family = IP_V4};
	if (ss->ss_family == AF_INET)
		memcpy(ret_ip->b, &v4->sin_addr, 4);
	else if (ss->ss_family == AF_INET6 && memcmp(&v6->sin6_addr, mapped, sizeof(mapped)) == 0)
		memcpy(ret_ip->b, v6->sin6_addr.s6_addr + sizeof(mapped), 4);
	else
		*ret_ip = ip_from_sockaddr((const struct sockaddr *)ss);
}

static void set_port(struct os_addr *a, int fd)
{
	struct os_addr got = {.len = sizeof(got.ss)};

	if (getsockname(fd, (struct sockaddr *)&got.ss, &got.len) == 0)
		*a = got;
}

static int bind_thread(
	struct dnsd *s, struct dnsd_thread *t, uint32_t first, uint32_t n, struct errbuf *err)
{
	for (uint32_t i = first; i < first + n; i++) {
		struct os_addr *a = &s->listen[i];
		int fd = t->tcp ? os_tcp_listen(a, TCP_BACKLOG, err)
				: os_udp_bind(a, s->o.rcvbuf, err);

		if (fd < 0)
			return fd;
		t->fd[t->n_fd++] = fd;
		set_port(a, fd);
	}
	return 0;
}

static int init_thread(struct dnsd *s, uint32_t i, struct errbuf *err)
{
	struct dnsd_thread *t = &s->thread[i];
	uint32_t n_udp = s->o.n_listen * s->o.udp_threads;
	int rc = dnsd_worker_init(&t->d, s->o.workers, s->o.first_worker + i, &s->o.settings);

	t->server = s;
	t->tcp = i >= n_udp;
	if (!rc)
		rc = t->tcp ? dnsd_tcp_init(t) : dnsd_udp_init(t);
	if (rc)
		return err_set(err, rc, "DNS thread: %s", sl_strerror(rc));
	return t->tcp ? bind_thread(s, t, 0, s->o.n_listen, err)
		      : bind_thread(s, t, i / s->o.udp_threads, 1, err);
}

static int open_once(const struct dnsd_options *o, struct dnsd **ret_server, struct errbuf *err)
{
	uint32_t n = dnsd_workers(o);
	struct dnsd *s;

	if (o->n_listen == 0 || o->n_listen > DNSD_MAX_LISTEN || n > DNSD_MAX_THREADS ||
		o->udp_threads == 0 || o->first_worker + n > o->workers->n)
		return err_set(err, SL_ELIMIT,
			"DNS: %u addresses and %u threads, want 1 to %d addresses and at most %u "
			"threads in all",
			o->n_listen, n, DNSD_MAX_LISTEN, o->workers->n - o->first_worker);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, SL_ENOMEM, "DNS: out of memory");
	s->o = *o;
	memcpy(s->listen, o->listen, o->n_listen * sizeof(*o->listen));
	s->thread = calloc(n, sizeof(*s->thread));
	s->n_threads = s->thread ? n : 0;
	for (uint32_t i = 0; i < n; i++) {
		int rc = s->thread ? init_thread(s, i, err)
				   : err_set(err, SL_ENOMEM, "DNS: out of memory");
		if (rc) {
			dnsd_stop(s);
			return rc;
		}
	}
	*ret_server = s;
	return 0;
}

static bool any_port(const struct dnsd_options *o)
{
	for (uint32_t i = 0; i < o->n_listen; i++)
		if (os_addr_port((const struct sockaddr *)&o->listen[i].ss) == 0)
			return true;
	return false;
}

/* A port that is free for UDP may be taken for TCP: then another one is asked for. */
int dnsd_open(const struct dnsd_options *o, struct dnsd **ret_server, struct errbuf *err)
{
	int rc = open_once(o, ret_server, err);

	for (int again = 0; rc == -EADDRINUSE && any_port(o) && again < 20; again++)
		rc = open_once(o, ret_server, err);
	return rc;
}

static void *run(void *arg)
{
	struct dnsd_thread *t = arg;

	publish_reader_start();
	if (t->tcp)
		dnsd_tcp_loop(t);
	else
		dnsd_udp_loop(t);
	publish_reader_stop();
	return NULL;
}

int dnsd_run(struct dnsd *s, struct errbuf *err)
{
	for (uint32_t i = 0; i < s->n_threads; i++) {
		int rc = pthread_create(&s->thread[i].id, NULL, run, &s->thread[i]);

		if (rc)
			return err_set(err, -rc, "DNS thread: %s", sl_strerror(-rc));
		s->thread[i].runs = true;
	}
	return 0;
}

void dnsd_stop(struct dnsd *s)
{
	if (!s)
		return;
	atomic_store_explicit(&s->stop, true, memory_order_relaxed);
	for (uint32_t i = 0; i < s->n_threads; i++) {
		struct dnsd_thread *t = &s->thread[i];

		if (t->runs)
			(void)pthread_join(t->id, NULL);
		for (uint32_t k = 0; k < t->n_fd; k++)
			(void)close(t->fd[k]);
		if (t->tcp)
			dnsd_tcp_done(t);
		else
			dnsd_udp_done(t);
		dnsd_worker_done(&t->d);
	}
	free(s->thread);
	free(s);
}

uint16_t dnsd_port(const struct dnsd *s, uint32_t i)
{
	return os_addr_port((const struct sockaddr *)&s->listen[i].ss);
}
