/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a request head is one that every parser would read the same way.
 *
 * The library parses in place: it writes NULs over colons and line ends and hands out pointers
 * into its read buffer. Of a well-formed head the pieces therefore lie one behind the other,
 * exactly two octets (CRLF) apart, from the method to the empty line. A bare LF, a folded line, a
 * NUL, a second blank in the request line all leave a gap of another size, or move the line: that
 * is how they are seen, without the raw octets. What cannot be seen so is a bare LF whose
 * missing octet is made up for by a NUL, or by a colon as the only octet of the last line: they
 * leave the same NULs. Both would have to pass a proxy first, and proxies refuse either.
 */
#include "httpd/httpd_int.h"

#include "httpd/httpd_query.h"

/* State of one pass over the fields, in the order they came. */
struct pass {
	struct httpd *h;
	struct head *head;
	const char *next; /* where the next header line must begin */
	int refused;
	unsigned n_host, n_length, n_coding;
	bool chunked, expect_other, escapes;
};

enum { LENGTH_DIGITS = 18 }; /* of Content-Length, below 2^63 (RFC 9112 section 6.3) */

static const struct {
	const char *name;
	enum httpd_method method;
} methods[] = {
	{"GET", HTTPD_GET},
	{"POST", HTTPD_POST},
	{"HEAD", HTTPD_HEAD},
	{"OPTIONS", HTTPD_OPTIONS},
	{"PUT", HTTPD_PUT},
	{"DELETE", HTTPD_DELETE},
	{"PATCH", HTTPD_PATCH},
};

/* What no route serves becomes 0, and 405 once the rest of the head has been looked at. */
static enum httpd_method parse_method(struct str s)
{
	for (size_t i = 0; i < SL_COUNT(methods); i++) {
		if (str_eq_z(s, methods[i].name))
			return methods[i].method;
	}
	return (enum httpd_method)0;
}

static enum MHD_Result refuse(struct pass *p, enum httpd_refusal r)
{
	p->refused = (int)r;
	return MHD_NO;
}

static enum MHD_Result take_param(struct pass *p, struct str name, struct str value)
{
	struct head *hd = p->head;
	struct httpd_field *f = &hd->params[hd->n_params];

	if (hd->n_params == HTTPD_MAX_PARAMS)
		return refuse(p, HTTPD_REFUSED_MALFORMED);
	*f = (struct httpd_field){name, value};
	if (p->escapes && (!httpd_unescape(name, &hd->decoded, &f->name) ||
				  !httpd_unescape(value, &hd->decoded, &f->value)))
		return refuse(p, HTTPD_REFUSED_MALFORMED);
	hd->n_params++;
	return MHD_YES;
}

/* Headers that decide framing or the client's address. */
static enum MHD_Result look_at(struct pass *p, struct httpd_field *f)
{
	switch (f->name.n) {
	case 4:
		if (!str_eq_ci(f->name, STR_LIT("host")))
			break;
		p->n_host++;
		if (p->head->authority.n) /* which counts instead (RFC 9112 section 3.2.2) */
			f->value = p->head->authority;
		break;
	case 6:
		p->head->origin |= str_eq_ci(f->name, STR_LIT("origin"));
		if (str_eq_ci(f->name, STR_LIT("expect")))
			p->expect_other |= !str_eq_ci(f->value, STR_LIT("100-continue"));
		break;
	case 14:
		if (!str_eq_ci(f->name, STR_LIT("content-length")))
			break;
		if (p->n_length++ ||
			!str_parse_u64(f->value, LENGTH_DIGITS, &p->head->content_length))
			return refuse(p, HTTPD_REFUSED_FRAMING);
		p->head->has_length = true;
		break;
	case 15:
		p->head->forwarded |= str_eq_ci(f->name, STR_LIT("x-forwarded-for"));
		break;
	case 17:
		if (!str_eq_ci(f->name, STR_LIT("transfer-encoding")))
			break;
		p->n_coding++;
		p->chunked = str_eq_ci(f->value, STR_LIT("chunked"));
		break;
	default:
		break;
	}
	return MHD_YES;
}

static enum MHD_Result take_header(struct pass *p, struct str name, struct str value)
{
	struct head *hd = p->head;
	struct httpd_field *f = &hd->headers[hd->n_headers];

	if (name.p != p->next || value.p[value.n + 1] != '\0' || !httpd_is_token(name) ||
		!httpd_is_field_value(value))
		return refuse(p, HTTPD_REFUSED_FRAMING);
	if (hd->n_headers == p->h->conf.limits.headers)
		return refuse(p, HTTPD_REFUSED_HEAD_SIZE);
	p->next = value.p + value.n + 2;
	*f = (struct httpd_field){name, httpd_trim(value)};
	hd->n_headers++;
	return look_at(p, f);
}

static enum MHD_Result take_field(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_n,
	const char *value, size_t value_n)
{
	struct str k = {key, key_n}, v = {value ? value : "", value ? value_n : 0};

	if (kind == MHD_GET_ARGUMENT_KIND)
		return take_param(cls, k, v);
	return take_header(cls, k, v);
}

/* "http://host/path" (RFC 9112 section 3.2.2) to "/path" and "host"; false for what is no path. */
static bool path_of(struct str target, struct str *ret, struct str *ret_authority)
{
	struct str s = target;

	*ret_authority = (struct str){NULL, 0};
	if (s.n && s.p[0] == '/')
		; /* as nearly all are */
	else if (s.n > 7 && strncasecmp(s.p, "http://", 7) == 0)
		s = (struct str){s.p + 7, s.n - 7};
	else if (s.n > 8 && strncasecmp(s.p, "https://", 8) == 0)
		s = (struct str){s.p + 8, s.n - 8};
	if (s.p != target.p) {
		const char *slash = memchr(s.p, '/', s.n);

		if (!slash || slash == s.p)
			return false;
		*ret_authority = (struct str){s.p, (size_t)(slash - s.p)};
		s = (struct str){slash, s.n - (size_t)(slash - s.p)};
	}
	*ret = s;
	return s.n && (s.p[0] == '/' || str_eq_z(s, "*"));
}

static bool escapes_ok(struct httpd *h, struct str s)
{
	char *at = h->target_buf;
	struct buf b = buf_over(at, h->conf.limits.url_octets);
	struct str out;

	return httpd_unescape(s, &b, &out);
}

/* Request line: METHOD SP TARGET SP VERSION, each exactly where the one before ends. */
static int check_line(
	struct conn *c, struct head *hd, const char *url, const char *method, const char *version)
{
	struct str m = str_from(method), target;

	if (url != method + m.n + 1 || version != url + c->uri_n + 1 || !httpd_is_token(m))
		return HTTPD_REFUSED_FRAMING;
	if (c->uri_n > c->h->conf.limits.url_octets)
		return HTTPD_REFUSED_URL_SIZE;
	target = str_from(url);
	if (!c->target_ok || !path_of(target, &hd->path, &hd->authority) ||
		(c->escapes && !escapes_ok(c->h, hd->path)))
		return HTTPD_REFUSED_MALFORMED;
	hd->target_n = c->uri_n - (size_t)(hd->path.p - url);
	hd->method = parse_method(m);
	return -1;
}

static int check_framing(const struct pass *p, bool http11)
{
	struct head *hd = p->head;

	if (p->n_host > 1 || (http11 && p->n_host == 0))
		return HTTPD_REFUSED_FRAMING;
	if (p->n_coding) {
		if (p->n_coding > 1 || hd->has_length || !http11 || !p->chunked)
			return HTTPD_REFUSED_FRAMING;
		hd->chunked = true;
	}
	if ((hd->content_length || hd->chunked) &&
		(hd->method & (HTTPD_GET | HTTPD_HEAD | HTTPD_OPTIONS)))
		return HTTPD_REFUSED_FRAMING;
	return p->expect_other ? HTTPD_REFUSED_EXPECT : -1;
}

/*
 * The library zeroes the whole pool after each request and half of it before the reply, which costs
 * more than all it does else: so it is no larger than the limits need. Half of it is read buffer,
 * which grows into the rest.
 */
size_t httpd_fence_pool(const struct httpd_limits *m)
{
	size_t n = (size_t)m->head_octets + HTTPD_POOL_FIELDS * HTTPD_FIELD_OCTETS +
		   HTTPD_REPLY_HEAD + HTTPD_REPLY_EXTRA;

	return (n + 15) & ~(size_t)15;
}

size_t httpd_fence_leaves(const struct httpd_limits *m, size_t head_n, size_t fields)
{
	size_t used = head_n + fields * HTTPD_FIELD_OCTETS + HTTPD_REPLY_HEAD;
	size_t all = httpd_fence_pool(m);

	return used + HTTPD_REPLY_EXTRA > all ? 0 : all - used;
}

int httpd_fence_head(struct conn *c, struct MHD_Connection *mc, const char *url, const char *method,
	const char *version)
{
	struct httpd *h = c->h;
	struct head *hd = &h->head;
	struct pass p = {
		.h = h, .head = hd, .next = version + 10, .refused = -1, .escapes = c->escapes};
	const union MHD_ConnectionInfo *info;
	int line;

	c->room = 0;
	hd->owner = c;
	hd->n_params = hd->n_headers = 0;
	hd->content_length = 0;
	hd->chunked = hd->has_length = hd->origin = hd->forwarded = false;
	hd->decoded = buf_over(h->decode_buf, h->conf.limits.url_octets + 1);
	line = check_line(c, hd, url, method, version);
	if (line >= 0)
		return line;
	info = MHD_get_connection_info(mc, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	if (!info || info->header_size > h->conf.limits.head_octets)
		return HTTPD_REFUSED_HEAD_SIZE;
	(void)MHD_get_connection_values_n(
		mc, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, take_field, &p);
	if (p.refused >= 0)
		return p.refused;
	c->room = httpd_fence_leaves(
		&h->conf.limits, info->header_size, (size_t)hd->n_params + hd->n_headers);
	if (!c->room)
		return HTTPD_REFUSED_HEAD_SIZE;
	if (p.next + 2 != method + info->header_size || p.next[0] || p.next[1] || version[9])
		return HTTPD_REFUSED_FRAMING;
	if (version[7] > '1')
		return HTTPD_REFUSED_VERSION;
	return check_framing(&p, version[7] == '1');
}

struct rebuild {
	struct buf b;
	bool first;
};

static void put_query_part(struct buf *b, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_put_u8(b, p[i] == ' ' ? '+' : (uint8_t)p[i]);
}

static enum MHD_Result put_argument(void *cls, enum MHD_ValueKind kind, const char *key,
	size_t key_n, const char *value, size_t value_n)
{
	struct rebuild *r = cls;

	(void)kind;
	buf_put_u8(&r->b, r->first ? '?' : '&');
	r->first = false;
	put_query_part(&r->b, key, key_n);
	if (value) {
		buf_put_u8(&r->b, '=');
		put_query_part(&r->b, value, value_n);
	}
	return MHD_YES;
}

struct str httpd_fence_target(struct httpd *h)
{
	const struct conn *c = h->head.owner;
	struct rebuild r = {buf_over(h->target_buf, h->head.target_n), true};

	/* The library splits the query in place: '&' and '=' became NULs, '+' a blank. A '&' at the
	 * very end, or a '?' without a query, is what the length shows to be missing. */
	buf_put_str(&r.b, h->head.path);
	(void)MHD_get_connection_values_n(c->mc, MHD_GET_ARGUMENT_KIND, put_argument, &r);
	if (buf_len(&r.b) < h->head.target_n)
		buf_put_u8(&r.b, r.first ? '?' : '&');
	return (struct str){h->target_buf, buf_len(&r.b)};
}
