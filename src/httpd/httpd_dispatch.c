/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's callbacks: request line, head, body, end of a request; and the choice of a route.
 *
 * The library calls the request handler first at the end of the head, then for each piece of body,
 * then once more to have it answered. A reply queued in the first call closes the connection, so
 * there only what must not go on is refused; the rest waits for the last call.
 */
#include "httpd/httpd_int.h"

#include "httpd/httpd_query.h"

enum { BODY_FIRST = 4096, BODY_WASTE = 1 << 20 };

size_t httpd_dispatch_unescape(void *cls, struct MHD_Connection *mc, char *s)
{
	(void)cls;
	(void)mc;
	return strlen(s); /* the fence wants the octets as sent, and decodes itself */
}

void *httpd_dispatch_uri(void *cls, const char *uri, struct MHD_Connection *mc)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mc, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct conn *c = info->socket_context;
	struct str target = str_from(uri);

	(void)cls;
	c->uri_n = target.n;
	c->target_ok = httpd_is_target(target);
	c->escapes = memchr(target.p, '%', target.n) != NULL;
	c->uri_seen = true;
	c->head_seen = false;
	c->refused = -1;
	c->route = NULL;
	c->linger = false;
	c->h->progress = true;
	if (c->state == CONN_IDLE)
		httpd_conn_enter(c, CONN_HEAD);
	return c;
}

static void serve_health(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	(void)ctx;
	(void)rq;
	rp->type = "text/plain";
	BUF_PUT_LIT(&rp->body, "ok\n");
}

static void serve_ready(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	const struct httpd_config *conf = &rq->httpd->conf;

	if (!conf->ready || conf->ready(conf->ctx)) {
		serve_health(ctx, rq, rp);
		return;
	}
	httpd_reply_error(rp, 503, "not_ready", "no world to answer from yet");
	rp->retry_after_s = 1;
}

static const struct httpd_route built_in[] = {
	{.path = "/healthz", .methods = HTTPD_GET, .fn = serve_health},
	{.path = "/readyz", .methods = HTTPD_GET, .fn = serve_ready},
};

bool httpd_route_fits(const struct httpd_route *r, struct str path)
{
	const char *want = r->path;
	size_t len;

	if (want[0] == '/' && want[1] == '*') {
		const char *slash = path.n > 1 ? memchr(path.p + 1, '/', path.n - 1) : NULL;

		if (!slash || slash == path.p + 1)
			return false;
		path = (struct str){slash, path.n - (size_t)(slash - path.p)};
		want += 2;
	}
	len = strlen(want);
	return (path.n == len || (path.n > len && r->prefix)) && memcmp(path.p, want, len) == 0;
}

static const struct httpd_route *match(const struct httpd_route *routes, size_t n, struct str path)
{
	for (size_t i = 0; i < n; i++)
		if (httpd_route_fits(&routes[i], path))
			return &routes[i];
	return NULL;
}

static const struct httpd_route *find_route(const struct httpd *h, struct str path)
{
	struct str file = path;
	const char *q = memchr(path.p, '?', path.n);
	const struct httpd_route *r;

	if (q)
		file.n = (size_t)(q - path.p);
	r = match(built_in, SL_COUNT(built_in), file);
	return r ? r : match(h->conf.routes, h->conf.n_routes, file);
}

static unsigned allowed(const struct httpd_route *r)
{
	return r->methods | (r->methods & HTTPD_GET ? HTTPD_HEAD : 0) |
	       (r->flags & HTTPD_CORS ? HTTPD_OPTIONS : 0);
}

static size_t body_limit(const struct httpd_route *r)
{
	return r->max_body ? r->max_body : HTTPD_BODY_DEFAULT;
}

static int check_route(struct conn *c)
{
	struct head *hd = &c->h->head;

	c->route = find_route(c->h, hd->path);
	if (!c->route)
		return HTTPD_REFUSED_PATH;
	if (!(allowed(c->route) & hd->method))
		return HTTPD_REFUSED_METHOD;
	/* One with an endless extension holds its place for a second or more. */
	if (hd->chunked && c->h->n_conns > c->h->conf.limits.connections / 2)
		return HTTPD_REFUSED_CHUNKED;
	if (hd->content_length > body_limit(c->route))
		return HTTPD_REFUSED_BODY_SIZE;
	if (c->h->bodies + hd->content_length > c->h->conf.limits.body_octets)
		return HTTPD_REFUSED_MEMORY;
	return -1;
}

static bool must_close(int refused)
{
	switch (refused) {
	case HTTPD_REFUSED_PATH:
	case HTTPD_REFUSED_METHOD:
	case HTTPD_REFUSED_ADMIT:
	case HTTPD_REFUSED_RATE:
		return false;
	default:
		return true;
	}
}

static void put_allow(struct httpd_reply *rp, unsigned methods, char *text, size_t size)
{
	static const struct {
		unsigned method;
		const char *name;
	} names[] = {
		{HTTPD_GET, "GET"},
		{HTTPD_HEAD, "HEAD"},
		{HTTPD_POST, "POST"},
		{HTTPD_PUT, "PUT"},
		{HTTPD_DELETE, "DELETE"},
		{HTTPD_PATCH, "PATCH"},
		{HTTPD_OPTIONS, "OPTIONS"},
	};
	struct buf b = buf_over(text, size - 1);

	for (size_t i = 0; i < SL_COUNT(names); i++) {
		if (!(methods & names[i].method))
			continue;
		if (buf_len(&b))
			BUF_PUT_LIT(&b, ", ");
		buf_put_str(&b, str_from(names[i].name));
	}
	*b.p = '\0';
	httpd_reply_header(rp, "Allow", text);
}

static enum MHD_Result answer_refusal(
	struct conn *c, struct MHD_Connection *mc, enum httpd_refusal r, bool early)
{
	struct httpd_reply rp;
	char allow[64];

	stat_refused(c->h, r);
	if (early && httpd_reply_refused_raw(c, mc, r))
		return MHD_NO;
	httpd_reply_init(c->h, &rp);
	httpd_reply_refusal(&rp, r);
	if (r == HTTPD_REFUSED_METHOD && c->route)
		put_allow(&rp, allowed(c->route), allow, sizeof(allow));
	if (c->h->head.owner == c && c->h->head.origin && c->route && c->route->flags & HTTPD_CORS)
		httpd_reply_cors(&rp);
	rp.close |= early;
	c->linger = early;
	return httpd_reply_queue(c, mc, &rp) ? MHD_YES : MHD_NO;
}

/* The end of the head. Without a body the last call follows at once. */
static enum MHD_Result begin(struct conn *c, struct MHD_Connection *mc, const char *url,
	const char *method, const char *version)
{
	const struct head *hd = &c->h->head;
	int refused = httpd_fence_head(c, mc, url, method, version);
	bool body;

	c->head_seen = true;
	if (refused < 0)
		refused = check_route(c);
	c->refused = (int8_t)refused;
	body = hd->content_length || hd->chunked;
	if (refused >= 0 && (must_close(refused) || body))
		return answer_refusal(c, mc, (enum httpd_refusal)refused, true);
	c->chunked = hd->chunked;
	if (!body)
		return MHD_YES;
	c->body_ms = c->h->now_ms;
	c->body_want = hd->chunked ? body_limit(c->route) : hd->content_length;
	httpd_conn_enter(c, CONN_BODY);
	return MHD_YES;
}

/* Room for n octets more: all at once when the length is known, else by doubling. -1, or the
 * refusal. */
static int grow_body(struct conn *c, size_t n)
{
	struct httpd *h = c->h;
	size_t cap = c->chunked ? SL_MAX((size_t)BODY_FIRST, 2 * c->body_cap) : c->body_want;
	char *more;

	if (n > c->body_want - c->body_n)
		return HTTPD_REFUSED_BODY_SIZE;
	if (n <= c->body_cap - c->body_n)
		return -1;
	cap = SL_MIN(SL_MAX(cap, c->body_n + n), c->body_want);
	if (h->bodies - c->body_cap + cap > h->conf.limits.body_octets)
		return HTTPD_REFUSED_MEMORY;
	more = realloc(c->body, cap);
	if (!more)
		return HTTPD_REFUSED_MEMORY;
	h->bodies += cap - c->body_cap;
	c->body = more;
	c->body_cap = cap;
	return -1;
}

/* A piece of body. The library takes no reply here: what grew too large is read on to its end, or
 * for so long, and refused then. */
static enum MHD_Result add_body(struct conn *c, const char *data, size_t *data_n)
{
	size_t n = *data_n;

	*data_n = 0;
	c->h->progress = true;
	c->body_ms = c->h->now_ms;
	if (c->refused < 0)
		c->refused = (int8_t)grow_body(c, n);
	if (c->refused < 0)
		memcpy(c->body + c->body_n, data, n);
	c->body_n += n;
	return c->body_n <= c->body_want + BODY_WASTE ? MHD_YES : MHD_NO;
}

/* A v4 address that a proxy wrote as a v6 one, as itself. */
static struct ip unmapped(struct ip a)
{
	struct ip key = httpd_peer_key(a);

	return key.family == IP_V4 ? key : a;
}

static struct ip client_of(const struct conn *c)
{
	const struct httpd *h = c->h;
	const struct head *hd = &h->head;
	struct str values[HTTPD_MAX_HEADERS];
	size_t n = 0;

	if (!hd->forwarded)
		return c->ip;
	for (size_t i = 0; i < hd->n_headers; i++) {
		if (str_eq_ci(hd->headers[i].name, STR_LIT("x-forwarded-for")))
			values[n++] = hd->headers[i].value;
	}
	return unmapped(
		httpd_forwarded_client(c->ip, values, n, h->conf.trusted, h->conf.n_trusted));
}

static int check_client(struct conn *c, struct ip client)
{
	struct httpd *h = c->h;

	if (h->conf.admit && !h->conf.admit(h->conf.ctx, client))
		return HTTPD_REFUSED_ADMIT;
	if (!(c->route->flags & HTTPD_RATED) || !h->buckets.rows || client.family == IP_NONE)
		return -1;
	if (httpd_buckets_take(&h->buckets, httpd_peer_key(client), h->now_ms))
		return -1;
	if (!ip_is_loopback(client))
		return HTTPD_REFUSED_RATE;
	stat_add(&h->stats.over_rate_loopback, 1);
	return -1;
}

static void call_route(struct conn *c, struct ip client, struct httpd_reply *rp)
{
	struct httpd *h = c->h;
	const struct head *hd = &h->head;
	struct httpd_request rq = {
		.method = hd->method,
		.path = hd->path,
		.body = {c->body, c->body_n},
		.peer = c->ip,
		.client = client,
		.peer_uid = c->uid,
		.local_port = c->port,
		.tls = c->tls,
		.now_ms = h->now_ms,
		.params = hd->params,
		.headers = hd->headers,
		.n_params = hd->n_params,
		.n_headers = hd->n_headers,
		.httpd = h,
	};

	if (hd->method == HTTPD_OPTIONS && !(c->route->methods & HTTPD_OPTIONS))
		httpd_reply_preflight(c->route, rp);
	else
		c->route->fn(h->conf.ctx, &rq, rp);
	if (c->route->flags & HTTPD_CORS && hd->origin)
		httpd_reply_cors(rp);
}

/* The request is whole. */
static enum MHD_Result finish(struct conn *c, struct MHD_Connection *mc, const char *url,
	const char *method, const char *version)
{
	struct httpd *h = c->h;
	struct httpd_reply rp;
	struct ip client;

	/* With a body in between, other heads may have come; this one was good before. */
	if (h->head.owner != c && c->refused < 0)
		c->refused = (int8_t)httpd_fence_head(c, mc, url, method, version);
	client = c->refused < 0 ? client_of(c) : c->ip;
	if (c->refused < 0)
		c->refused = (int8_t)check_client(c, client);
	if (c->refused >= 0)
		return answer_refusal(c, mc, (enum httpd_refusal)c->refused, c->chunked);
	httpd_reply_init(h, &rp);
	/* How the library finds the end of chunks is not strict: nothing is read behind them. */
	rp.close |= c->chunked;
	c->linger = c->chunked;
	call_route(c, client, &rp);
	return httpd_reply_queue(c, mc, &rp) ? MHD_YES : MHD_NO;
}

enum MHD_Result httpd_dispatch_request(void *cls, struct MHD_Connection *mc, const char *url,
	const char *method, const char *version, const char *data, size_t *data_n, void **con_cls)
{
	struct conn *c = *con_cls;

	(void)cls;
	if (!c->head_seen)
		return begin(c, mc, url, method, version);
	if (*data_n)
		return add_body(c, data, data_n);
	return finish(c, mc, url, method, version);
}

void httpd_dispatch_completed(
	void *cls, struct MHD_Connection *mc, void **con_cls, enum MHD_RequestTerminationCode toe)
{
	struct conn *c = *con_cls;

	(void)cls;
	(void)mc;
	(void)toe;
	if (!c)
		return;
	c->h->progress = true;
	c->uri_seen = c->head_seen = false;
	httpd_conn_release_body(c);
	if (c->h->head.owner == c)
		c->h->head.owner = NULL;
	if (c->state != CONN_DYING)
		httpd_conn_enter(c, CONN_IDLE);
}
