/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aliyun HTTPDNS, version 1: GET /ACCOUNT/d, sign_d, resolve, sign_resolve, ss. Signatures are
 * md5(host-secret-t), which holds for any client and address until t.
 */
#include "http/aliyun.h"

#include "http/write.h"

static const char custom_prefix[] = "sdns-";

void http_aliyun_refuse(struct httpd_reply *rp, enum http_aliyun why)
{
	static const struct {
		unsigned status;
		const char *code;
	} rows[] = {
#define X(name, status, code) {status, code},
		HTTP_ALIYUN_MAP(X)
#undef X
	};

	rp->status = rows[why].status;
	rp->body.p = rp->body.base;
	rp->body.overflow = false;
	BUF_PUT_LIT(&rp->body, "{\"code\":\"");
	buf_put_str(&rp->body, str_from(rows[why].code));
	BUF_PUT_LIT(&rp->body, "\"}");
	if (why == HTTP_ALIYUN_METHOD)
		httpd_reply_header(rp, "Allow", "GET, HEAD");
}

bool http_aliyun_families(struct http_query *query, struct str text)
{
	query->a = text.n == 0;
	query->aaaa = false;
	while (text.n) {
		struct str one = str_cut(&text, ',');

		if (str_eq(one, STR_LIT("4")))
			query->a = true;
		else if (str_eq(one, STR_LIT("6")))
			query->aaaa = true;
		else
			return false;
	}
	return true;
}

enum http_aliyun http_aliyun_until(const struct http_worker *w, struct str t)
{
	switch (http_until(w, t)) {
	case HTTP_UNTIL_GOOD:
		return HTTP_ALIYUN_GOOD;
	case HTTP_UNTIL_PAST:
		return HTTP_ALIYUN_SIGNATURE_EXPIRED;
	case HTTP_UNTIL_TOO_FAR:
		return HTTP_ALIYUN_INVALID_DURATION;
	default:
		return HTTP_ALIYUN_INVALID_SIGNATURE;
	}
}

bool http_aliyun_is_custom(struct str name)
{
	return name.n > sizeof(custom_prefix) - 1 &&
	       memcmp(name.p, custom_prefix, sizeof(custom_prefix) - 1) == 0;
}

bool http_aliyun_custom(struct http_query *query, struct str name, struct str value, size_t *octets)
{
	static const char *const known[] = {"stream", "client", "cur", "avoid"};
	struct str key = {name.p + sizeof(custom_prefix) - 1, name.n - (sizeof(custom_prefix) - 1)};

	*octets += name.n + value.n;
	if (*octets > HTTP_ALIYUN_CUSTOM)
		return false;
	for (size_t i = 0; i < SL_COUNT(known); i++)
		if (str_eq_z(key, known[i]))
			return http_query_set(query, key, value) == NULL;
	return true;
}

void http_aliyun_put_extra(struct buf *b, const struct http_addrs *addrs)
{
	BUF_PUT_LIT(b, ",\"extra\":\"");
	if (addrs->vendor.n) { /* a name, so there is nothing in it to escape */
		BUF_PUT_LIT(b, "{&quot;vendor&quot;:&quot;");
		buf_put_str(b, addrs->vendor);
		BUF_PUT_LIT(b, "&quot;}");
	}
	buf_put_u8(b, '"');
}

struct asked {
	struct http_query query;
	struct str hosts, ips, t, s;
	uint32_t n_hosts, n_ips; /* hosts: 0 when one is malformed; ips: 1 at least */
	size_t custom;           /* octets */
};

static uint32_t count(struct str list)
{
	uint32_t n = 0;

	for (; list.n; n++)
		(void)str_cut(&list, ',');
	return SL_MAX(n, 1u);
}

static enum http_aliyun read_params(const struct httpd_request *rq, struct asked *a)
{
	for (uint16_t i = 0; i < rq->n_params; i++)
		if (http_aliyun_is_custom(rq->params[i].name) &&
			!http_aliyun_custom(
				&a->query, rq->params[i].name, rq->params[i].value, &a->custom))
			return HTTP_ALIYUN_MISSING_ARGUMENT;
	a->hosts = http_param(rq, STR_LIT("host"));
	a->ips = http_param(rq, STR_LIT("ip"));
	a->t = http_param(rq, STR_LIT("t"));
	a->s = http_param(rq, STR_LIT("s"));
	a->n_hosts = http_count_hosts(a->hosts);
	a->n_ips = count(a->ips);
	return a->hosts.n && http_aliyun_families(&a->query, http_param(rq, STR_LIT("query")))
		       ? HTTP_ALIYUN_GOOD
		       : HTTP_ALIYUN_MISSING_ARGUMENT;
}

/* GOOD: who asks may, and with this signature. what: the text that is signed. */
static enum http_aliyun check(struct http_worker *w, const struct httpd_request *rq, bool is_signed,
	struct str what, struct str t, struct str s)
{
	struct str rest = {rq->path.p + 1, rq->path.n - 1};
	struct http_asker who = http_asker_named(w, str_cut(&rest, '/'));
	enum http_aliyun why;

	if (!who.admitted)
		return HTTP_ALIYUN_INVALID_ACCOUNT;
	if (!is_signed)
		return http_signed_only(w) ? HTTP_ALIYUN_UNSIGNED : HTTP_ALIYUN_GOOD;
	if (t.n == 0 || s.n == 0)
		return HTTP_ALIYUN_MISSING_ARGUMENT;
	if (!http_md5_signed(w, who.account, what, t, s))
		return HTTP_ALIYUN_INVALID_SIGNATURE;
	why = http_aliyun_until(w, t);
	return why || http_asker_passes(w, rq, who.account) ? why : HTTP_ALIYUN_INVALID_ACCOUNT;
}

static void put_ttl(struct buf *b, const struct http_addrs *addrs)
{
	BUF_PUT_LIT(b, ",\"ttl\":");
	buf_put_u64_dec(b, addrs->ttl_s);
	BUF_PUT_LIT(b, ",\"origin_ttl\":");
	buf_put_u64_dec(b, addrs->ttl_s);
}

static void put_client(struct buf *b, const struct asked *a)
{
	BUF_PUT_LIT(b, ",\"client_ip\":\"");
	ip_put(b, a->query.ip);
	buf_put_u8(b, '"');
}

static enum http_aliyun answer_one(struct http_worker *w, struct asked *a, struct buf *b)
{
	struct http_addrs addrs;

	if (a->n_hosts > 1)
		return HTTP_ALIYUN_TOO_MANY_HOSTS;
	if (a->n_hosts == 0)
		return HTTP_ALIYUN_INVALID_HOST;
	if (a->ips.n && !ip_parse(a->ips, &a->query.ip))
		return HTTP_ALIYUN_MISSING_ARGUMENT;
	a->query.host = a->hosts;
	if (http_addrs_decide(w, &a->query, &addrs))
		return HTTP_ALIYUN_INVALID_HOST;
	BUF_PUT_LIT(b, "{\"host\":");
	http_write_text(b, a->query.host);
	BUF_PUT_LIT(b, ",\"ips\":");
	http_write_ips(b, addrs.a, addrs.n_a, false);
	if (a->query.aaaa) {
		BUF_PUT_LIT(b, ",\"ipsv6\":");
		http_write_ips(b, addrs.aaaa, addrs.n_aaaa, true);
	}
	put_ttl(b, &addrs);
	put_client(b, a);
	if (a->custom)
		http_aliyun_put_extra(b, &addrs);
	buf_put_u8(b, '}');
	return HTTP_ALIYUN_GOOD;
}

/* One entry; `type` is that of its ips. */
static void put_entry(struct buf *b, const struct asked *a, const struct http_addrs *addrs, bool v6)
{
	if (b->p[-1] == '}')
		buf_put_u8(b, ',');
	BUF_PUT_LIT(b, "{\"host\":");
	http_write_text(b, a->query.host);
	put_client(b, a);
	BUF_PUT_LIT(b, ",\"ips\":");
	if (v6)
		http_write_ips(b, addrs->aaaa, addrs->n_aaaa, true);
	else
		http_write_ips(b, addrs->a, addrs->n_a, false);
	if (!v6 && a->query.aaaa) {
		BUF_PUT_LIT(b, ",\"ipsv6\":");
		http_write_ips(b, addrs->aaaa, addrs->n_aaaa, true);
	}
	if (v6)
		BUF_PUT_LIT(b, ",\"type\":28");
	else
		BUF_PUT_LIT(b, ",\"type\":1");
	put_ttl(b, addrs);
	if (a->custom)
		http_aliyun_put_extra(b, addrs);
	buf_put_u8(b, '}');
}

/* Several hosts, or several addresses of one. A host that is not scheduled here has no addresses.
 */
static enum http_aliyun answer_many(struct http_worker *w, struct asked *a, struct buf *b)
{
	struct str hosts = a->hosts, ips = a->ips, ip = str_cut(&ips, ',');
	uint32_t known = 0;

	if (a->n_hosts == 0)
		return HTTP_ALIYUN_INVALID_HOST;
	if (a->n_hosts > HTTP_ALIYUN_HOSTS || a->n_ips > HTTP_ALIYUN_HOSTS ||
		(a->n_hosts > 1 && a->n_ips > 1))
		return HTTP_ALIYUN_TOO_MANY_HOSTS;
	a->query.host = str_cut(&hosts, ',');
	BUF_PUT_LIT(b, "{\"dns\":[");
	for (uint32_t i = 0, n = SL_MAX(a->n_hosts, a->n_ips); i < n; i++) {
		struct http_addrs addrs;

		if (ip.n && !ip_parse(ip, &a->query.ip))
			return HTTP_ALIYUN_MISSING_ARGUMENT;
		known += http_addrs_decide(w, &a->query, &addrs) == 0;
		if (a->query.a)
			put_entry(b, a, &addrs, false);
		if (a->query.aaaa)
			put_entry(b, a, &addrs, true);
		if (hosts.n)
			a->query.host = str_cut(&hosts, ',');
		if (ips.n)
			ip = str_cut(&ips, ',');
	}
	BUF_PUT_LIT(b, "]}");
	return known ? HTTP_ALIYUN_GOOD : HTTP_ALIYUN_INVALID_HOST;
}

static void door(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp,
	bool is_signed, bool many)
{
	struct asked a = {.query = http_query_of(rq->client)};
	enum http_aliyun why = HTTP_ALIYUN_METHOD;

	if (rq->method & (HTTPD_GET | HTTPD_HEAD))
		why = read_params(rq, &a);
	if (!why)
		why = check(w, rq, is_signed, a.hosts, a.t, a.s);
	if (!why)
		why = many ? answer_many(w, &a, &rp->body) : answer_one(w, &a, &rp->body);
	if (why)
		http_aliyun_refuse(rp, why);
}

void http_door_aliyun_d(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	door(w, rq, rp, false, false);
}

void http_door_aliyun_sign_d(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	door(w, rq, rp, true, false);
}

void http_door_aliyun_resolve(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	door(w, rq, rp, false, true);
}

void http_door_aliyun_sign_resolve(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	door(w, rq, rp, true, true);
}

/* The list of servers, which SDKs fetch at their start and every six hours; some of them never sign
 * it. */
void http_door_aliyun_ss(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct str s = http_param(rq, STR_LIT("s"));
	enum http_aliyun why = HTTP_ALIYUN_METHOD;

	if (rq->method & (HTTPD_GET | HTTPD_HEAD))
		why = check(w, rq, s.n != 0, http_param(rq, STR_LIT("n")),
			http_param(rq, STR_LIT("t")), s);
	if (why && why != HTTP_ALIYUN_UNSIGNED) {
		http_aliyun_refuse(rp, why);
		return;
	}
	BUF_PUT_LIT(&rp->body, "{\"service_ip\":");
	http_write_servers(&rp->body, w, rq, false);
	BUF_PUT_LIT(&rp->body, ",\"service_ipv6\":");
	http_write_servers(&rp->body, w, rq, true);
	buf_put_u8(&rp->body, '}');
}
