/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http.h"

#include "http/doors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A head of 4 KiB is ample for what comes here, and the library zeroes a pool of nearly twice that
 * size for every request. */
enum {
	BACKLOG = 4096,
	ROUND_MS = 1000,
	TELL_MS = 1000,
	REPLY_OCTETS = 1 << 20,
	HEAD_OCTETS = 4096
};

/* One loop; owned by its thread once that runs, but for stop and the wake. */
struct http_thread {
	struct http_worker w;
	struct httpd *httpd;
	pthread_t id;
	bool running;
	_Atomic uint32_t *reload; /* the server's; relaxed, one writer */
	uint32_t reloaded;        /* what of it has been done; owned by the thread */
	uint64_t told_ms;         /* when the tally got the loop's counters; owned by the thread */
	_Atomic uint32_t failed;  /* relaxed counter with one writer, the thread */
	_Atomic uint32_t stop;    /* relaxed flag with one writer: http_stop; 1 + patience in ms */
} SL_ALIGNED(64);

struct http_server {
	uint32_t n_threads, n_listen, first_tls;
	struct httpd_route *routes; /* immutable after http_open */
	size_t n_routes;
	_Atomic uint32_t reload; /* relaxed counter with one writer: http_tls_reload */
	struct os_addr bound[HTTPD_MAX_LISTENERS]; /* immutable after http_open */
	struct http_thread threads[];
};

static bool ready(void *ctx)
{
	const struct http_worker *w = ctx;

	return w->worker.world != NULL;
}

static bool admits(void *ctx, struct ip client)
{
	const struct http_worker *w = ctx;

	return http_access_admits(w->worker.keys, client);
}

_Static_assert(HTTPD_N_REFUSALS <= (int)TALLY_HTTP_REFUSALS, "the tally has room for every reason");

/* What the loop itself counts, for control. */
static void tell(struct http_thread *t)
{
	const struct httpd_stats *s = httpd_stats(t->httpd);
	struct tally *to = t->w.worker.tally;

	if (t->w.worker.now_ms < t->told_ms + TELL_MS)
		return;
	t->told_ms = t->w.worker.now_ms;
	atomic_store_explicit(&to->http_open, httpd_connections(t->httpd), memory_order_relaxed);
	for (unsigned i = 0; i < HTTPD_N_REFUSALS; i++)
		atomic_store_explicit(&to->http_refused[i],
			atomic_load_explicit(&s->refused[i], memory_order_relaxed),
			memory_order_relaxed);
}

/* One round. Offline while it may sleep, so that a grace period never waits for a request. */
static void round_once(struct http_thread *t, int timeout_ms)
{
	publish_offline();
	httpd_wait(t->httpd, timeout_ms);
	publish_online();
	worker_round(&t->w.worker);
	(void)httpd_run(t->httpd);
	tell(t);
	publish_quiescent();
}

static void reload_tls(struct http_thread *t)
{
	uint32_t want = atomic_load_explicit(t->reload, memory_order_relaxed);

	if (want == t->reloaded)
		return;
	t->reloaded = want;
	if (httpd_tls_reload(t->httpd, NULL))
		atomic_fetch_add_explicit(&t->failed, 1, memory_order_relaxed);
}

static void drain(struct http_thread *t, uint32_t patience_ms)
{
	uint64_t end_ms = os_mono_ms() + patience_ms;

	httpd_drain(t->httpd);
	while (httpd_connections(t->httpd) && os_mono_ms() < end_ms)
		round_once(t, 20);
}

static void *loop(void *arg)
{
	struct http_thread *t = arg;
	uint32_t stop;

	publish_reader_start();
	do {
		round_once(t, ROUND_MS);
		reload_tls(t);
		stop = atomic_load_explicit(&t->stop, memory_order_relaxed);
	} while (!stop);
	drain(t, stop - 1);
	publish_reader_stop();
	return NULL;
}

/* A socket per thread and address. The first thread's tells which port a zero has become. */
static int listen_all(struct http_server *s, struct http_thread *t, bool first, struct errbuf *err)
{
	for (uint32_t i = 0; i < s->n_listen; i++) {
		int fd = os_tcp_listen(&s->bound[i], BACKLOG, err), rc;

		if (fd < 0)
			return fd;
		if (first) {
			s->bound[i].len = sizeof(s->bound[i].ss);
			(void)getsockname(fd, (struct sockaddr *)&s->bound[i].ss, &s->bound[i].len);
		}
		rc = httpd_listen(t->httpd, fd, i >= s->first_tls, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int open_thread(
	struct http_server *s, const struct http_options *o, uint32_t index, struct errbuf *err)
{
	struct http_thread *t = &s->threads[index];
	struct httpd_config conf = {.ctx = &t->w,
		.ready = ready,
		.admit = admits,
		.trusted = o->trusted,
		.n_trusted = o->n_trusted,
		.tls_cert = o->tls_cert,
		.tls_key = o->tls_key,
		.limits = o->limits};
	int rc = worker_init(&t->w.worker, o->workers, o->first_worker + index);

	t->w.worker.door = TALLY_DOOR_HTTP;
	t->w.dns_settings.nsid = o->nsid;
	t->w.servers = o->servers;
	t->w.n_servers = SL_MIN(o->n_servers, (uint32_t)HTTP_MAX_SERVERS);

	if (!rc)
		rc = dnsd_guest_init(&t->w.dns, &t->w.dns_settings);
	if (rc)
		return err_set(err, rc, "http: no memory for a worker");
	t->reload = &s->reload;
	conf.routes = s->routes;
	conf.n_routes = s->n_routes;
	if (!conf.limits.reply_octets)
		conf.limits.reply_octets = REPLY_OCTETS; /* of a whole batch */
	if (!conf.limits.head_octets)
		conf.limits.head_octets = HEAD_OCTETS;
	rc = httpd_new(&conf, &t->httpd, err);
	return rc ? rc : listen_all(s, t, index == 0, err);
}

static void free_thread(struct http_thread *t)
{
	httpd_free(t->httpd);
	dnsd_guest_done(&t->w.dns);
	worker_done(&t->w.worker);
}

/* The table, with the batches' own limit. */
static int take_routes(struct http_server *s, const struct http_options *o)
{
	const struct httpd_route *routes = http_routes(&s->n_routes);

	s->routes = calloc(s->n_routes, sizeof(*s->routes));
	if (!s->routes)
		return SL_ENOMEM;
	memcpy(s->routes, routes, s->n_routes * sizeof(*s->routes));
	for (size_t i = 0; i < s->n_routes; i++)
		if (s->routes[i].max_body == SL_HTTP_BATCH_OCTETS && o->batch_octets)
			s->routes[i].max_body = o->batch_octets;
	return 0;
}

int http_open(const struct http_options *o, struct http_server **ret_server, struct errbuf *err)
{
	struct http_server *s;
	size_t size = sizeof(*s) + o->threads * sizeof(s->threads[0]);
	int rc = 0;

	if (!o->n_listen || o->n_listen > HTTPD_MAX_LISTENERS)
		return err_set(err, SL_ELIMIT, "http: got %u addresses to listen on, want 1 to %d",
			o->n_listen, HTTPD_MAX_LISTENERS);
	sl_assert(o->threads && o->first_worker + o->threads <= o->workers->n);
	s = aligned_alloc(64, (size + 63) & ~(size_t)63);
	if (!s)
		return err_set(err, SL_ENOMEM, "http: no memory for %u threads", o->threads);
	memset(s, 0, size);
	s->n_threads = o->threads;
	s->n_listen = o->n_listen;
	s->first_tls = o->tls_cert ? o->first_tls : o->n_listen;
	memcpy(s->bound, o->listen, o->n_listen * sizeof(s->bound[0]));
	rc = take_routes(s, o);
	for (uint32_t i = 0; i < s->n_threads && !rc; i++)
		rc = open_thread(s, o, i, err);
	if (rc)
		http_stop(s, 0);
	else
		*ret_server = s;
	return rc;
}

int http_run(struct http_server *s, struct errbuf *err)
{
	for (uint32_t i = 0; i < s->n_threads; i++) {
		struct http_thread *t = &s->threads[i];
		int rc = pthread_create(&t->id, NULL, loop, t);

		if (rc)
			return err_set(err, -rc, "http: cannot start thread %u", i);
		t->running = true;
	}
	return 0;
}

void http_stop(struct http_server *s, uint32_t patience_ms)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n_threads; i++) {
		atomic_store_explicit(&s->threads[i].stop, patience_ms + 1, memory_order_relaxed);
		if (s->threads[i].running)
			httpd_wake(s->threads[i].httpd);
	}
	for (uint32_t i = 0; i < s->n_threads; i++) {
		if (s->threads[i].running)
			(void)pthread_join(s->threads[i].id, NULL);
		free_thread(&s->threads[i]);
	}
	free(s->routes);
	free(s);
}

void http_tls_reload(struct http_server *s)
{
	atomic_fetch_add_explicit(&s->reload, 1, memory_order_relaxed);
	for (uint32_t i = 0; i < s->n_threads; i++)
		httpd_wake(s->threads[i].httpd);
}

uint32_t http_tls_failed(const struct http_server *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_threads; i++)
		n += atomic_load_explicit(&s->threads[i].failed, memory_order_relaxed);
	return n;
}

uint16_t http_port(const struct http_server *s, uint32_t index)
{
	return os_addr_port((const struct sockaddr *)&s->bound[index].ss);
}
