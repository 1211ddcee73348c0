/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server over src/httpd for the tests of its fence: routes that show what arrived.
 * usage: httpd_server [KEY=VALUE]...   the limits of struct httpd_limits by name, and unix=PATH,
 * cert=PEM, key=PEM, trusted=PREFIX. Prints "ready PORT TLSPORT plain|sanitized" and serves until
 * SIGTERM; SIGHUP reads the certificate again.
 */
#include "httpd/httpd.h"

#include "base/os.h"
#include "httpd/httpd_query.h"

#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>

#ifdef SL_SANITIZE
#define SANITIZED "sanitized"
#else
#define SANITIZED "plain"
#endif

static volatile sig_atomic_t stopping, reloading;
static struct httpd *server;

static void on_signal(int sig)
{
	if (sig == SIGHUP)
		reloading = 1;
	else
		stopping = 1;
	if (server)
		httpd_wake(server);
}

static void put_field(struct buf *b, const char *name, struct str value)
{
	if (b->p[-1] != '{')
		buf_put_u8(b, ',');
	buf_put_json_str(b, str_from(name));
	buf_put_u8(b, ':');
	buf_put_json_str(b, value);
}

/* Everything a handler sees, as JSON. */
static void serve_echo(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	char text[IP_TEXT_MAX], number[24];
	struct str v;

	(void)ctx;
	BUF_PUT_LIT(&rp->body, "{");
	put_field(&rp->body, "path", rq->path);
	put_field(&rp->body, "target", httpd_target(rq));
	ip_format(rq->client, text);
	put_field(&rp->body, "client", rq->client.family ? str_from(text) : STR_LIT(""));
	(void)snprintf(number, sizeof(number), "%zu", rq->body.n);
	put_field(&rp->body, "body", str_from(number));
	(void)snprintf(number, sizeof(number), "%lld", (long long)rq->peer_uid);
	put_field(&rp->body, "uid", str_from(number));
	put_field(&rp->body, "agent", httpd_header(rq, "User-Agent"));
	put_field(&rp->body, "host", httpd_header(rq, "Host"));
	put_field(&rp->body, "tls", rq->tls ? STR_LIT("yes") : STR_LIT("no"));
	(void)snprintf(number, sizeof(number), "%d", httpd_param(rq, "q", &v));
	put_field(&rp->body, "q_found", str_from(number));
	if (httpd_param(rq, "q", &v) == 0)
		put_field(&rp->body, "q", v);
	BUF_PUT_LIT(&rp->body, "}");
}

/* Cache-Control as it is asked for, always from the same place, or none; and another type, or none.
 */
static void serve_cached(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	static char text[512];
	struct str v;

	(void)ctx;
	if (httpd_param(rq, "cache", &v) == 0) {
		(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(v));
		rp->cache_control = v.n ? text : NULL;
	}
	if (httpd_param(rq, "type", &v) == 0)
		rp->type = str_eq_z(v, "text") ? "text/plain" : NULL;
}

/* About what a resolve answers: 560 octets with the head. */
static void serve_null(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	(void)ctx;
	(void)rq;
	for (int i = 0; i < 40; i++)
		BUF_PUT_LIT(&rp->body, "0123456789");
}

static void serve_full(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	size_t n = (size_t)(rp->body.end - rp->body.p);

	(void)ctx;
	memset(buf_take(&rp->body, n), 'x', n);
	rp->body.overflow = rq->path.n > 5;
}

static void serve_large(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	enum { OCTETS = 64 << 20 };

	(void)ctx;
	(void)rq;
	rp->owned = malloc(OCTETS);
	if (!rp->owned) {
		httpd_reply_error(rp, 503, "memory", "no memory");
		return;
	}
	memset(rp->owned, 'x', OCTETS);
	rp->owned_n = OCTETS;
	rp->type = "application/octet-stream";
}

/* To the same path elsewhere: the head of the reply is as long as that of the request. */
static void serve_move(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	static char location[65536];
	struct buf b = buf_over(location, sizeof(location) - 1);

	(void)ctx;
	BUF_PUT_LIT(&b, "http://elsewhere.example");
	buf_put_str(&b, httpd_target(rq));
	*b.p = '\0';
	rp->status = 302;
	httpd_reply_header(rp, "Location", location);
}

static void serve_counters(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	const struct httpd_stats *s = httpd_stats(rq->httpd);
	struct mallinfo2 heap = mallinfo2();

	(void)ctx;
	BUF_PUT_LIT(&rp->body, "{\"heap\":");
	buf_put_u64_dec(&rp->body, heap.uordblks + heap.hblkhd);
	BUF_PUT_LIT(&rp->body, ",\"open\":");
	buf_put_u64_dec(&rp->body, atomic_load(&s->open));
	BUF_PUT_LIT(&rp->body, ",\"requests\":");
	buf_put_u64_dec(&rp->body, atomic_load(&s->requests));
	BUF_PUT_LIT(&rp->body, ",\"over_rate_loopback\":");
	buf_put_u64_dec(&rp->body, atomic_load(&s->over_rate_loopback));
	for (unsigned i = 0; i < HTTPD_N_REFUSALS; i++) {
		buf_put_u8(&rp->body, ',');
		buf_put_json_str(&rp->body, str_from(httpd_refusal_name((enum httpd_refusal)i)));
		buf_put_u8(&rp->body, ':');
		buf_put_u64_dec(&rp->body, atomic_load(&s->refused[i]));
	}
	BUF_PUT_LIT(&rp->body, "}");
}

static const struct httpd_route routes[] = {
	{.path = "/echo", .methods = HTTPD_GET | HTTPD_POST | HTTPD_DELETE, .fn = serve_echo},
	{.path = "/null", .methods = HTTPD_GET, .fn = serve_null},
	{.path = "/cached", .methods = HTTPD_GET, .fn = serve_cached},
	{.path = "/small", .methods = HTTPD_POST, .max_body = 10, .fn = serve_echo},
	{.path = "/big", .methods = HTTPD_POST, .max_body = 32 << 20, .fn = serve_echo},
	{.path = "/full", .methods = HTTPD_GET, .fn = serve_full},
	{.path = "/fuller", .methods = HTTPD_GET, .fn = serve_full},
	{.path = "/large", .methods = HTTPD_GET, .fn = serve_large},
	{.path = "/counters", .methods = HTTPD_GET, .fn = serve_counters},
	{.path = "/cors", .methods = HTTPD_GET | HTTPD_POST, .fn = serve_echo, .flags = HTTPD_CORS},
	{.path = "/rated", .methods = HTTPD_GET, .fn = serve_null, .flags = HTTPD_RATED},
	{.path = "/move/", .prefix = true, .methods = HTTPD_GET, .fn = serve_move},
	{.path = "/under/", .prefix = true, .methods = HTTPD_GET, .fn = serve_echo},
};

static bool admit(void *ctx, struct ip client)
{
	(void)ctx;
	return !(client.family == IP_V4 && client.b[0] == 203);
}

static const struct {
	const char *name;
	size_t offset;
} limits[] = {
#define X(name)                                                                                    \
	{                                                                                          \
#name, offsetof(struct httpd_limits, name)                                         \
	}
	X(connections),
	X(per_address),
	X(head_ms),
	X(body_ms),
	X(send_ms),
	X(idle_ms),
	X(url_octets),
	X(head_octets),
	X(headers),
	X(reply_octets),
	X(rate_per_s),
	X(rate_burst),
#undef X
};

struct setup {
	struct httpd_config conf;
	struct httpd_prefix trusted;
	const char *path;
};

static bool set(struct setup *s, const char *arg)
{
	const char *eq = strchr(arg, '=');
	size_t n = eq ? (size_t)(eq - arg) : 0;

	for (size_t i = 0; i < SL_COUNT(limits); i++) {
		if (strlen(limits[i].name) == n && memcmp(limits[i].name, arg, n) == 0) {
			uint32_t v = (uint32_t)strtoul(eq + 1, NULL, 10);

			memcpy((char *)&s->conf.limits + limits[i].offset, &v, sizeof(v));
			return true;
		}
	}
	if (n == 4 && memcmp(arg, "unix", n) == 0)
		s->path = eq + 1;
	else if (n == 4 && memcmp(arg, "cert", n) == 0)
		s->conf.tls_cert = eq + 1;
	else if (n == 3 && memcmp(arg, "key", n) == 0)
		s->conf.tls_key = eq + 1;
	else if (n == 11 && memcmp(arg, "body_octets", n) == 0)
		s->conf.limits.body_octets = strtoul(eq + 1, NULL, 10);
	else if (n == 7 && memcmp(arg, "trusted", n) == 0 &&
		 ip_parse_prefix(str_from(eq + 1), &s->trusted.ip, &s->trusted.len)) {
		s->conf.trusted = &s->trusted;
		s->conf.n_trusted = 1;
	} else
		return false;
	return true;
}

/* A listener on a free port of loopback; its port, or 0. */
static uint16_t listen_on(struct httpd *h, bool tls, struct errbuf *err)
{
	struct os_addr addr;
	socklen_t len = sizeof(addr.ss);
	int fd;

	if (os_addr_parse("[::]:0", &addr, err))
		return 0;
	fd = os_tcp_listen(&addr, 4096, err);
	if (fd < 0 || getsockname(fd, (void *)&addr.ss, &len) < 0 || httpd_listen(h, fd, tls, err))
		return 0;
	return os_addr_port((void *)&addr.ss);
}

static int serve(struct httpd *h, const struct setup *s, struct errbuf *err)
{
	uint16_t port = listen_on(h, false, err);
	uint16_t tls_port = s->conf.tls_cert ? listen_on(h, true, err) : 0;
	int fd = s->path ? os_unix_listen(s->path, 0600, err) : 0;

	if (!port || fd < 0 || (s->path && httpd_listen(h, fd, false, err)))
		return 1;
	(void)printf("ready %u %u %s\n", port, tls_port, SANITIZED);
	(void)fflush(stdout);
	while (!stopping) {
		/* No clock of ours wakes it: what it oversleeps it sleeps until somebody notices.
		 */
		(void)httpd_round(h, -1);
		if (reloading) {
			reloading = 0;
			if (httpd_tls_reload(h, err))
				(void)fprintf(stderr, "%s\n", err->s);
		}
	}
	httpd_drain(h);
	for (int i = 0; i < 500 && httpd_connections(h); i++)
		(void)httpd_round(h, 20);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct rlimit files;
	struct setup s = {.conf = {.routes = routes, .n_routes = SL_COUNT(routes), .admit = admit}};
	struct errbuf err = {{0}};
	struct httpd *h;
	int rc;

	for (int i = 1; i < argc; i++) {
		if (!set(&s, argv[i])) {
			(void)fprintf(stderr, "httpd_server: unknown %s\n", argv[i]);
			return 2;
		}
	}
	(void)sigaction(SIGTERM, &act, NULL);
	(void)sigaction(SIGINT, &act, NULL);
	(void)sigaction(SIGHUP, &act, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	rc = httpd_new(&s.conf, &h, &err);
	if (!rc) {
		server = h;
		rc = serve(h, &s, &err);
		server = NULL;
		httpd_free(h);
	}
	if (rc)
		(void)fprintf(stderr, "httpd_server: %s\n", err.s);
	return rc ? 1 : 0;
}
