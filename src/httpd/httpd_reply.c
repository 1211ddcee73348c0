/* SPDX-License-Identifier: Apache-2.0 */
/* From a filled reply to a response of the library; refusals; the headers browsers need. */
#include "httpd/httpd_int.h"

#include <sys/socket.h>

static const struct {
	uint16_t status;
	const char *name;
} refusals[] = {
#define X(name, status, text) [HTTPD_REFUSED_##name] = {status, text},
	HTTPD_REFUSALS(X)
#undef X
};

static const char *refusal_message(enum httpd_refusal r)
{
	switch (r) {
	case HTTPD_REFUSED_FRAMING:
		return "the head is ambiguous";
	case HTTPD_REFUSED_MALFORMED:
		return "the request target is malformed";
	case HTTPD_REFUSED_CHUNKED:
		return "a body needs Content-Length at this moment";
	case HTTPD_REFUSED_BODY_SIZE:
		return "the body is too large";
	case HTTPD_REFUSED_URL_SIZE:
		return "the request target is too long";
	case HTTPD_REFUSED_HEAD_SIZE:
		return "the head is too large";
	case HTTPD_REFUSED_METHOD:
		return "this method is not served here";
	case HTTPD_REFUSED_PATH:
		return "nothing is served at this path";
	case HTTPD_REFUSED_VERSION:
		return "HTTP/1.0 and 1.1 are served here";
	case HTTPD_REFUSED_EXPECT:
		return "this expectation cannot be met";
	case HTTPD_REFUSED_ADMIT:
		return "this address is not served";
	case HTTPD_REFUSED_RATE:
		return "too many requests from this address";
	case HTTPD_REFUSED_MEMORY:
		return "too many bodies are being received";
	default:
		return "internal error";
	}
}

const char *httpd_refusal_name(enum httpd_refusal r)
{
	return refusals[r].name;
}

void httpd_reply_init(struct httpd *h, struct httpd_reply *rp)
{
	*rp = (struct httpd_reply){
		.status = 200,
		.type = "application/json",
		.cache_control = "no-store",
		.body = buf_over(h->reply_buf, h->conf.limits.reply_octets),
		.close = h->draining,
	};
}

void httpd_reply_header(struct httpd_reply *rp, const char *name, const char *value)
{
	sl_assert(rp->n_extra < HTTPD_MAX_EXTRA);
	rp->extra[rp->n_extra++] = (struct httpd_header_out){name, value};
}

void httpd_reply_error(
	struct httpd_reply *rp, unsigned status, const char *code, const char *message)
{
	free(rp->owned);
	rp->owned = NULL;
	rp->owned_n = 0;
	rp->status = status;
	rp->type = "application/json";
	rp->body.p = rp->body.base;
	rp->body.overflow = false;
	BUF_PUT_LIT(&rp->body, "{\"error\":{\"code\":");
	buf_put_json_str(&rp->body, str_from(code));
	BUF_PUT_LIT(&rp->body, ",\"message\":");
	buf_put_json_str(&rp->body, str_from(message));
	BUF_PUT_LIT(&rp->body, "}}");
}

void httpd_reply_refusal(struct httpd_reply *rp, enum httpd_refusal r)
{
	httpd_reply_error(rp, refusals[r].status, refusals[r].name, refusal_message(r));
	if (r == HTTPD_REFUSED_RATE || r == HTTPD_REFUSED_MEMORY)
		rp->retry_after_s = 1;
}

void httpd_reply_cors(struct httpd_reply *rp)
{
	if (rp->n_extra + 2 > HTTPD_MAX_EXTRA)
		return;
	httpd_reply_header(rp, "Access-Control-Allow-Origin", "*");
	httpd_reply_header(
		rp, "Access-Control-Expose-Headers", "Retry-After, ETag, X-Sluice-Signature");
}

void httpd_reply_preflight(const struct httpd_route *route, struct httpd_reply *rp)
{
	bool post = route->methods & HTTPD_POST;

	rp->status = 204;
	rp->type = NULL;
	httpd_reply_header(rp, "Allow", post ? "GET, HEAD, POST, OPTIONS" : "GET, HEAD, OPTIONS");
	httpd_reply_header(
		rp, "Access-Control-Allow-Methods", post ? "GET, HEAD, POST" : "GET, HEAD");
	httpd_reply_header(rp, "Access-Control-Allow-Headers",
		"Content-Type, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status, "
		"X-Sluice-Signature, X-Sluice-Test");
	httpd_reply_header(rp, "Access-Control-Max-Age", "86400");
}

/*
 * Several headers in the place of one. Each one that is added costs the library three allocations
 * and a dozen passes over its octets, a tenth of what a whole request costs in user time; it takes
 * no line breaks in a value, but hands out the place where it keeps it. So what is added has other
 * octets there, and gets its line breaks in that place. httpd_reply_can_join says whether the
 * library still is of that kind.
 */
static bool join_headers(struct joined *j, const struct httpd_header_out *more, size_t n)
{
	struct buf b = buf_over(j->text, sizeof(j->text) - 1);

	buf_put_str(&b, str_from(more[0].value));
	for (size_t i = 1; i < n; i++) {
		j->at[i - 1] = (uint16_t)buf_len(&b);
		BUF_PUT_LIT(&b, "  ");
		buf_put_str(&b, str_from(more[i].name));
		BUF_PUT_LIT(&b, ": ");
		j->last = (const char *)b.p;
		buf_put_str(&b, str_from(more[i].value));
	}
	*b.p = '\0';
	j->name = more[0].name;
	j->n = n - 1;
	return !b.overflow;
}

static bool add_joined(const struct joined *j, struct MHD_Response *r)
{
	char *kept;

	if (MHD_add_response_header(r, j->name, j->text) != MHD_YES)
		return false;
	kept = (char *)(uintptr_t)MHD_get_response_header(r, j->name);
	for (size_t i = 0; i < j->n; i++)
		memcpy(kept + j->at[i], "\r\n", 2);
	return true;
}

bool httpd_reply_can_join(void)
{
	static const struct httpd_header_out two[] = {{"A", "b"}, {"C", "d"}};
	struct MHD_Response *r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	struct joined j;
	const char *seen;
	bool can;

	if (!r)
		return false;
	can = join_headers(&j, two, 2) && add_joined(&j, r) &&
	      (seen = MHD_get_response_header(r, "A")) && strcmp(seen, "b\r\nC: d") == 0;
	MHD_destroy_response(r);
	return can;
}

/* Date, Content-Type and Cache-Control, as far as they are there. */
static size_t usual_headers(const struct httpd *h, const struct httpd_reply *rp,
	struct httpd_header_out ret_usual[static HTTPD_JOINED_N])
{
	size_t n = 1;

	ret_usual[0] = (struct httpd_header_out){"Date", h->date};
	if (rp->type)
		ret_usual[n++] = (struct httpd_header_out){"Content-Type", rp->type};
	if (rp->cache_control)
		ret_usual[n++] = (struct httpd_header_out){"Cache-Control", rp->cache_control};
	return n;
}

/* Whether what was joined last is what this reply has, too: nearly all of a second are alike. */
static bool joined_fits(const struct httpd *h, const struct httpd_reply *rp)
{
	const struct joined *j = &h->joined;

	if (j->unix_s != h->unix_s || j->type != rp->type || !j->last != !rp->cache_control)
		return false;
	return !j->last || strcmp(j->last, rp->cache_control) == 0;
}

static bool join_usual(struct httpd *h, const struct httpd_reply *rp)
{
	struct httpd_header_out usual[HTTPD_JOINED_N];
	struct joined *j = &h->joined;

	if (joined_fits(h, rp))
		return true;
	j->unix_s = 0;
	if (!join_headers(j, usual, usual_headers(h, rp, usual)))
		return false;
	j->unix_s = h->unix_s;
	j->type = rp->type;
	if (!rp->cache_control)
		j->last = NULL;
	return true;
}

static void add_usual_headers(struct httpd *h, const struct httpd_reply *rp, struct MHD_Response *r)
{
	struct httpd_header_out usual[HTTPD_JOINED_N];
	size_t n;

	if (h->joins && join_usual(h, rp) && add_joined(&h->joined, r))
		return;
	n = usual_headers(h, rp, usual);
	for (size_t i = 0; i < n; i++)
		(void)MHD_add_response_header(r, usual[i].name, usual[i].value);
}

static void add_headers(struct httpd *h, const struct httpd_reply *rp, struct MHD_Response *r)
{
	char retry[12];

	add_usual_headers(h, rp, r);
	if (rp->retry_after_s) {
		(void)snprintf(retry, sizeof(retry), "%u", rp->retry_after_s);
		(void)MHD_add_response_header(r, "Retry-After", retry);
	}
	for (uint8_t i = 0; i < rp->n_extra; i++)
		(void)MHD_add_response_header(r, rp->extra[i].name, rp->extra[i].value);
	if (rp->close)
		(void)MHD_add_response_header(r, "Connection", "close");
}

/* Whether the library will find room for the head. */
static bool head_fits(const struct conn *c, const struct httpd_reply *rp)
{
	size_t n = 0;

	for (uint8_t i = 0; i < rp->n_extra; i++)
		n += strlen(rp->extra[i].name) + strlen(rp->extra[i].value) + 4;
	return n <= SL_MAX(c->room, (size_t)HTTPD_REPLY_EXTRA);
}

static void count(struct httpd *h, unsigned status)
{
	stat_add(&h->stats.requests, 1);
	stat_add(&h->stats.status[SL_MIN(status / 100, 5u)], 1);
	h->answered++;
}

bool httpd_reply_queue(struct conn *c, struct MHD_Connection *mc, struct httpd_reply *rp)
{
	struct httpd *h = c->h;
	struct MHD_Response *r;
	bool ok, owned;

	if (!rp->owned && rp->body.overflow) {
		stat_refused(h, HTTPD_REFUSED_REPLY_SIZE);
		httpd_reply_refusal(rp, HTTPD_REFUSED_REPLY_SIZE);
	}
	if (rp->n_extra && !head_fits(c, rp)) {
		stat_refused(h, HTTPD_REFUSED_HEAD_SIZE);
		httpd_reply_refusal(rp, HTTPD_REFUSED_HEAD_SIZE);
		rp->n_extra = 0;
		rp->close = true;
	}
	owned = rp->owned != NULL;
	r = owned ? MHD_create_response_from_buffer_with_free_callback(rp->owned_n, rp->owned, free)
		  : MHD_create_response_from_buffer(
			    buf_len(&rp->body), rp->body.base, MHD_RESPMEM_MUST_COPY);
	if (!r) {
		free(rp->owned);
		return false;
	}
	add_headers(h, rp, r);
	count(h, rp->status);
	httpd_conn_enter(c, owned ? CONN_SEND_LONG : CONN_SEND);
	ok = MHD_queue_response(mc, rp->status, r) == MHD_YES;
	MHD_destroy_response(r);
	return ok;
}

void httpd_reply_raw(struct conn *c, unsigned status)
{
	static const struct {
		unsigned status;
		const char *phrase, *code, *message;
	} replies[] = {
		{408, "408 Request Timeout", "timeout", "the request was too slow"},
		{414, "414 URI Too Long", "url_size", "the request target is too long"},
		{431, "431 Request Header Fields Too Large", "head_size", "the head is too large"},
		{400, "400 Bad Request", "malformed", "the request is malformed"},
	};
	char body[128], text[512];
	struct httpd_reply rp = {.body = buf_over(body, sizeof(body))};
	size_t i = 0;
	int n;

	while (i + 1 < SL_COUNT(replies) && replies[i].status != status)
		i++;
	httpd_reply_error(&rp, status, replies[i].code, replies[i].message);
	n = snprintf(text, sizeof(text),
		"HTTP/1.1 %s\r\nDate: %s\r\nContent-Type: application/json\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%.*s",
		replies[i].phrase, c->h->date, buf_len(&rp.body), (int)buf_len(&rp.body), body);
	c->linger = true;
	if (c->tls) {
		httpd_tls_send_last(c, (struct str){text, (size_t)n});
		return;
	}
	(void)send(c->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(c->fd, SHUT_WR);
}

bool httpd_reply_refused_raw(struct conn *c, struct MHD_Connection *mc, enum httpd_refusal r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mc, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	int fields = MHD_get_connection_values_n(
		mc, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, NULL, NULL);

	if (!info || httpd_fence_leaves(&c->h->conf.limits, info->header_size, (size_t)fields))
		return false;
	count(c->h, refusals[r].status);
	httpd_reply_raw(c, refusals[r].status);
	return true;
}

/*
 * Of whom the library speaks when it refuses a head: of the only connection with a complete head
 * that we were not shown (a Content-Length it cannot read), else of one whose head is not complete.
 * Of those it may be any, so one is named only where there is no other, and no body whose trailers
 * may be meant.
 */
static struct conn *refused_by_library(struct httpd *h)
{
	struct conn *end = &h->lists[CONN_HEAD].head, *one = NULL;
	bool others = h->lists[CONN_BODY].head.next != &h->lists[CONN_BODY].head;

	for (struct conn *c = end->prev; c != end; c = c->prev) {
		if (!c->uri_seen || c->head_seen)
			continue;
		if (MHD_get_connection_info(c->mc, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE))
			return c;
		others |= one != NULL;
		one = c;
	}
	return others ? NULL : one;
}

unsigned httpd_reply_overfull(const struct conn *c)
{
	return c->uri_n > c->h->conf.limits.url_octets ? 414 : 431;
}

/*
 * Of the library's own refusals some come with two heads, and some never, for want of room in its
 * pool. Where it is known whom they are for we answer in its place, and what it sends then comes
 * too late. Else a connection over TLS ends without a word; a plain one is answered when it closes.
 * 414 it says before there is a request line, and always finds room.
 */
static void answer_instead(struct httpd *h, unsigned status)
{
	struct conn *c = status == 414 ? NULL : refused_by_library(h);
	bool overfull = status == 431;

	if (!c || (overfull && !c->tls)) {
		stat_refused(h, HTTPD_REFUSED_LIBRARY);
		return;
	}
	stat_refused(h, overfull ? HTTPD_REFUSED_LIBRARY : HTTPD_REFUSED_FRAMING);
	httpd_reply_raw(c, overfull ? httpd_reply_overfull(c) : 400);
}

void httpd_reply_log(void *cls, const char *fmt, va_list ap)
{
	static const char start[] = "Error processing request (HTTP response code is %u";
	struct httpd *h = cls;
	unsigned status;

	if (strncmp(fmt, start, sizeof(start) - 1) != 0)
		return;
	status = va_arg(ap, unsigned);
	answer_instead(h, status);
	count(h, status);
}
