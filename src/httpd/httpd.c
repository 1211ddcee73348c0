/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: made, given listeners, run in rounds, drained, freed. */
#include "httpd/httpd.h"

#include "base/os.h"
#include "httpd/httpd_int.h"
#include "httpd/httpd_query.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* What an event of our epoll set is about: a kind in the upper half, an index in the lower. A
 * lingering socket is kind 1 with its descriptor. */
enum { EV_LISTENER, EV_LINGERING, EV_LIBRARY, EV_WAKE };

/* While requests come in, so many rounds go straight to the library before we look at the other
 * descriptors again. */
enum { BUSY_ROUNDS = 8, RATE_ROWS = 65536, SEND_BUFFER = 128 << 10, ACCEPT_PASSES = 8 };

/* Of rounds in which the library wants more at once. */
enum { STUCK_ROUNDS = 16, STUCK_SLEEP_MS = 5, STUCK_MS = 200, STUCK_MOVING_MS = 1000 };

#define DEFAULT(field, value)                                                                      \
	do {                                                                                       \
		if (!(field))                                                                      \
			(field) = (value);                                                         \
	} while (0)

static void set_defaults(struct httpd_limits *m)
{
	DEFAULT(m->connections, 16384);
	DEFAULT(m->per_address, 256);
	DEFAULT(m->head_ms, 10000);
	DEFAULT(m->body_ms, 20000);
	DEFAULT(m->send_ms, 20000);
	DEFAULT(m->idle_ms, 60000);
	DEFAULT(m->url_octets, 4096);
	DEFAULT(m->head_octets, 8192);
	DEFAULT(m->headers, 48);
	DEFAULT(m->reply_octets, 65536);
	DEFAULT(m->body_octets, (size_t)64 << 20);
	DEFAULT(m->rate_burst, m->rate_per_s * 2);
	m->headers = SL_MIN(m->headers, (uint32_t)HTTPD_MAX_HEADERS);
	m->head_octets = SL_MIN(m->head_octets, 65536u);
}

static int watch(struct httpd *h, int fd, uint64_t kind, uint32_t index)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = kind << 32 | index};

	if (kind == EV_LISTENER)
		ev.events |= EPOLLET;
	return epoll_ctl(h->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int watch_daemon(struct httpd *h, struct MHD_Daemon *d, uint32_t index)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD);

	return info ? watch(h, info->epoll_fd, EV_LIBRARY, index) : SL_EIO;
}

static int start_library(struct httpd *h, struct errbuf *err)
{
	const struct MHD_OptionItem common[] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)httpd_reply_log, h},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)httpd_conn_notify, h},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)httpd_dispatch_completed, h},
		{MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)httpd_dispatch_uri, h},
		{MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)httpd_dispatch_unescape, h},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)httpd_fence_pool(&h->conf.limits),
			NULL},
		{MHD_OPTION_CONNECTION_LIMIT,
			(intptr_t)h->conf.limits.connections + HTTPD_SPARE_CONNS, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, 0, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
		{MHD_OPTION_END, 0, NULL},
	};

	h->plain = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
					    MHD_USE_SUPPRESS_DATE_NO_CLOCK | MHD_USE_TURBO |
					    MHD_USE_ERROR_LOG,
		0, NULL, NULL, httpd_dispatch_request, h, MHD_OPTION_ARRAY, common, MHD_OPTION_END);
	if (!h->plain || watch_daemon(h, h->plain, 0))
		return err_set(err, SL_EIO, "libmicrohttpd does not start");
	if (!h->conf.tls_cert)
		return 0;
	if (httpd_tls_new(h->conf.tls_cert, h->conf.tls_key, &h->tls, err))
		return SL_EIO;
	h->secure = httpd_tls_daemon(h, common);
	if (!h->secure || watch_daemon(h, h->secure, 1))
		return err_set(err, SL_EIO, "libmicrohttpd does not start with TLS");
	return 0;
}

static int make_buffers(struct httpd *h, struct errbuf *err)
{
	const struct httpd_limits *m = &h->conf.limits;

	h->reply_buf = malloc(m->reply_octets);
	h->decode_buf = malloc((size_t)m->url_octets + 1);
	h->target_buf = malloc((size_t)m->url_octets + 1);
	if (!h->reply_buf || !h->decode_buf || !h->target_buf)
		return err_set(err, SL_ENOMEM, "buffers of a loop");
	if (m->rate_per_s && httpd_buckets_init(&h->buckets, RATE_ROWS, m->rate_per_s,
				     m->rate_burst, os_random64()))
		return err_set(err, SL_ENOMEM, "token buckets");
	return httpd_conn_table_init(h, err);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7), made anew each second. */
static void refresh_clock(struct httpd *h)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	uint64_t now_s = os_now_ms() / 1000;
	time_t t = (time_t)now_s;
	struct tm tm;

	h->now_ms = os_mono_ms();
	if (now_s == h->unix_s)
		return;
	h->unix_s = now_s;
	(void)gmtime_r(&t, &tm);
	(void)snprintf(h->date, sizeof(h->date), "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon,
		(unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
		(unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

int httpd_new(const struct httpd_config *conf, struct httpd **ret_httpd, struct errbuf *err)
{
	struct httpd *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return err_set(err, SL_ENOMEM, "loop");
	h->conf = *conf;
	set_defaults(&h->conf.limits);
	h->joins = httpd_reply_can_join();
	h->epfd = epoll_create1(EPOLL_CLOEXEC);
	h->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->sparefd = dup(h->epfd);
	refresh_clock(h);
	rc = h->epfd < 0 || h->wakefd < 0 || h->sparefd < 0 ? err_set_errno(err, "descriptors") : 0;
	if (!rc)
		rc = watch(h, h->wakefd, EV_WAKE, 0);
	if (!rc)
		rc = make_buffers(h, err);
	if (!rc)
		rc = start_library(h, err);
	if (rc) {
		httpd_free(h);
		return rc;
	}
	*ret_httpd = h;
	return 0;
}

static void close_listeners(struct httpd *h)
{
	for (uint32_t i = 0; i < h->n_listeners; i++)
		(void)close(h->listeners[i].fd);
	h->n_listeners = 0;
	h->accept_ready = 0;
}

void httpd_free(struct httpd *h)
{
	if (!h)
		return;
	close_listeners(h);
	if (h->plain)
		MHD_stop_daemon(h->plain);
	if (h->secure)
		MHD_stop_daemon(h->secure);
	httpd_tls_free(h->tls);
	httpd_conn_table_done(h);
	httpd_buckets_done(&h->buckets);
	free(h->reply_buf);
	free(h->decode_buf);
	free(h->target_buf);
	(void)close(h->sparefd);
	(void)close(h->wakefd);
	(void)close(h->epfd);
	free(h);
}

int httpd_listen(struct httpd *h, int fd, bool tls, struct errbuf *err)
{
	struct listener l = {.fd = fd, .tls = tls};
	struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(ss);
	int rc = 0, sndbuf = SEND_BUFFER;

	if (h->n_listeners == HTTPD_MAX_LISTENERS)
		rc = err_set(err, SL_ELIMIT, "over %d listeners", HTTPD_MAX_LISTENERS);
	else if (tls && !h->secure)
		rc = err_set(err, SL_EINVAL, "no certificate for a TLS listener");
	else if (getsockname(fd, (void *)&ss, &len) < 0)
		rc = err_set_errno(err, "listener");
	else if ((rc = watch(h, fd, EV_LISTENER, h->n_listeners)))
		rc = err_set(err, rc, "listener: %s", sl_strerror(rc));
	if (rc) {
		(void)close(fd);
		return rc;
	}
	/* Inherited by what is accepted: a client that does not read holds so much and no more. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	l.local = ss.ss_family == AF_UNIX;
	l.port = os_addr_port((void *)&ss);
	h->listeners[h->n_listeners++] = l;
	return 0;
}

static void handle_event(struct httpd *h, uint64_t data)
{
	uint32_t index = (uint32_t)data;
	uint64_t n;

	switch (data >> 32) {
	case EV_LISTENER:
		h->accept_ready |= 1u << index;
		break;
	case EV_LINGERING:
		httpd_conn_linger_read(h, index);
		break;
	case EV_WAKE:
		(void)!read(h->wakefd, &n, sizeof(n));
		break;
	default:
		break;
	}
}

static bool library_pending(struct MHD_Daemon *d)
{
	MHD_UNSIGNED_LONG_LONG ms;

	return d && MHD_get_timeout(d, &ms) == MHD_YES && ms == 0;
}

/*
 * How long to sleep when the library wants to run again at once. It also wants that, for ever, for
 * a connection whose chunk extension outgrew its buffer. So when this lasts, the chunked bodies
 * that stand still are ended; and while nothing moves at all, we slow down. 0, or a few
 * milliseconds.
 */
static int pending_sleep(struct httpd *h)
{
	bool moves = h->progress || h->answered;

	if (!h->stuck_since_ms)
		h->stuck_since_ms = h->now_ms;
	if (h->now_ms - h->stuck_since_ms >= STUCK_MS)
		httpd_conn_end_blocked(h, moves ? STUCK_MOVING_MS : STUCK_MS);
	h->stuck_rounds = moves ? 0 : h->stuck_rounds + 1;
	return h->stuck_rounds > STUCK_ROUNDS ? STUCK_SLEEP_MS : 0;
}

/* How long the next sleep may be. */
static int sleep_ms(struct httpd *h, int most)
{
	if (library_pending(h->plain) || library_pending(h->secure))
		return pending_sleep(h);
	h->stuck_since_ms = 0;
	h->stuck_rounds = 0;
	return h->answered ? 0 : httpd_conn_next_deadline(h, most);
}

void httpd_wait(struct httpd *h, int timeout_ms)
{
	struct epoll_event ev[32];
	int n;

	/* A round that found requests most likely finds the next ones: one system call less. */
	if (h->answered && h->busy_rounds < BUSY_ROUNDS) {
		h->busy_rounds++;
		return;
	}
	h->busy_rounds = 0;
	timeout_ms = sleep_ms(h, timeout_ms);
	h->progress = false;
	n = epoll_wait(h->epfd, ev, SL_COUNT(ev), timeout_ms);
	for (int i = 0; i < n; i++)
		handle_event(h, ev[i].data.u64);
}

/* Listeners are edge-triggered: a bit stays until its queue was seen empty. */
static void accept_all(struct httpd *h)
{
	if (h->now_ms < h->accept_after_ms)
		return;
	for (uint32_t i = 0; i < h->n_listeners; i++) {
		if (h->accept_ready & 1u << i && httpd_conn_accept(h, &h->listeners[i]))
			h->accept_ready &= ~(1u << i);
	}
}

static void run_library(struct httpd *h)
{
	(void)MHD_run(h->plain);
	if (h->secure)
		(void)MHD_run(h->secure);
}

unsigned httpd_run(struct httpd *h)
{
	h->answered = 0;
	refresh_clock(h);
	/* What has come is read before new clients are let in: those may cost the place of one that
	 * has not asked yet. A full loop takes as many as the library lets go of evicted ones. */
	run_library(h);
	for (int i = 0; h->accept_ready && i < ACCEPT_PASSES; i++) {
		bool full;

		accept_all(h);
		full = h->accept_ready && !h->free;
		run_library(h);
		if (!full)
			break;
	}
	if (h->draining)
		httpd_conn_shut_idle(h);
	httpd_conn_sweep(h);
	return h->answered;
}

unsigned httpd_round(struct httpd *h, int timeout_ms)
{
	httpd_wait(h, timeout_ms);
	return httpd_run(h);
}

void httpd_wake(struct httpd *h)
{
	const uint64_t one = 1;

	(void)!write(h->wakefd, &one, sizeof(one));
}

void httpd_drain(struct httpd *h)
{
	h->draining = true;
	close_listeners(h);
}

uint32_t httpd_connections(const struct httpd *h)
{
	return h->n_conns;
}

int httpd_tls_reload(struct httpd *h, struct errbuf *err)
{
	return h->tls ? httpd_cert_reload(h->tls, err) : 0;
}

const struct httpd_stats *httpd_stats(const struct httpd *h)
{
	return &h->stats;
}

int httpd_param(const struct httpd_request *rq, const char *name, struct str *ret_value)
{
	const struct httpd_field *found = NULL;
	size_t n = strlen(name);

	for (uint16_t i = 0; i < rq->n_params; i++) {
		const struct httpd_field *f = &rq->params[i];

		if (f->name.n != n || memcmp(f->name.p, name, n) != 0)
			continue;
		if (found)
			return SL_EEXIST;
		found = f;
	}
	if (!found)
		return SL_ENOENT;
	*ret_value = found->value;
	return 0;
}

struct str httpd_header(const struct httpd_request *rq, const char *name)
{
	struct str want = str_from(name);

	for (uint16_t i = 0; i < rq->n_headers; i++) {
		if (str_eq_ci(rq->headers[i].name, want))
			return rq->headers[i].value;
	}
	return (struct str){NULL, 0};
}

struct str httpd_target(const struct httpd_request *rq)
{
	return rq->target.n ? rq->target : httpd_fence_target(rq->httpd);
}
