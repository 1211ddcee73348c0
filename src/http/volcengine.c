/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volcengine HTTPDNS: GET /resolve?domain=. A signature is the md5 of the secret and five
 * parameters, sorted as texts and joined with '_'; its time is in milliseconds. The path is also
 * that of DNS as JSON, which asks for a `name`.
 */
#include "http/cipher.h"
#include "http/dialect.h"
#include "http/sign.h"
#include "http/write.h"

enum { HOSTS = 5, PARTS = 6, MD5_DIGITS = 32, SECONDS_DIGITS = 10, MS_DIGITS = 13 };

static bool goes_before(struct str a, struct str b)
{
	size_t n = SL_MIN(a.n, b.n);
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c < 0 || (c == 0 && a.n < b.n);
}

static bool fits(struct str secret, const struct httpd_request *rq)
{
	static const char *const names[] = {"timestamp", "account_id", "domain", "ip", "type"};
	struct str value[PARTS], text[2 * PARTS - 1], sign = http_param(rq, STR_LIT("sign"));
	char hex[MD5_DIGITS];

	if (secret.n == 0 || sign.n != sizeof(hex))
		return false;
	for (uint32_t i = 0; i < PARTS; i++) {
		struct str one = i ? http_param(rq, str_from(names[i - 1])) : secret;
		uint32_t at = i;

		for (; at && goes_before(one, value[at - 1]); at--)
			value[at] = value[at - 1];
		value[at] = one;
	}
	for (uint32_t i = 0; i < PARTS; i++) {
		text[2 * i] = value[i];
		if (i + 1 < PARTS)
			text[2 * i + 1] = STR_LIT("_");
	}
	http_md5_parts(text, SL_COUNT(text), hex);
	return http_sign_equal(hex, sign.p, sizeof(hex));
}

/* Milliseconds, or seconds as some clients send them. They are given as the time of the request or
 * as the end of the signature: so what lies within the window is taken, and what is ahead by a day
 * at most. */
static bool in_time(const struct http_worker *w, struct str t)
{
	uint64_t now_s = w->worker.now_ms / 1000, s;

	if (t.n == MS_DIGITS)
		t.n = SECONDS_DIGITS;
	return t.n == SECONDS_DIGITS && str_parse_u64(t, SECONDS_DIGITS, &s) &&
	       s + w->worker.keys->meta->window_s >= now_s && s <= now_s + HTTP_SIGNED_AHEAD_S;
}

/* NULL, or what is wrong. */
static const char *read_asked(
	struct http_worker *w, const struct httpd_request *rq, struct http_query *query)
{
	struct str ip = http_param(rq, STR_LIT("ip")), type = http_param(rq, STR_LIT("type"));
	struct http_asker who = http_asker_named(w, http_param(rq, STR_LIT("account_id")));
	const struct keys_view *k = w->worker.keys;

	if (!who.account)
		return "unknown account_id";
	if (!fits(keys_secret_at(k, who.account->key), rq) &&
		!fits(keys_secret_at(k, who.account->backup), rq))
		return "sign does not fit";
	if (!in_time(w, http_param(rq, STR_LIT("timestamp"))))
		return "timestamp is too far from the time here";
	if (!http_asker_passes(w, rq, who.account))
		return "too many requests of this account";
	if (ip.n && !ip_parse(ip, &query->ip))
		return "ip must be an address";
	if (type.n && http_query_set(query, STR_LIT("type"), type))
		return "type must be A, AAAA or both";
	return NULL;
}

static void put_host(struct buf *b, struct http_worker *w, const struct http_query *query)
{
	struct http_addrs addrs;
	bool first = true;

	(void)http_addrs_decide(w, query, &addrs);
	BUF_PUT_LIT(b, "{\"cip\":\"");
	ip_put(b, query->ip);
	BUF_PUT_LIT(b, "\",\"host\":");
	http_write_text(b, query->host);
	BUF_PUT_LIT(b, ",\"ips\":[");
	http_write_more_ips(b, addrs.aaaa, addrs.n_aaaa, true, &first);
	http_write_more_ips(b, addrs.a, addrs.n_a, false, &first);
	BUF_PUT_LIT(b, "],\"ttl\":");
	buf_put_u64_dec(b, addrs.ttl_s);
	buf_put_u8(b, '}');
}

static void refuse(struct httpd_reply *rp, unsigned status, const char *why)
{
	rp->status = status;
	BUF_PUT_LIT(&rp->body, "{\"message\":\"");
	buf_put_str(&rp->body, str_from(why));
	BUF_PUT_LIT(&rp->body, "\"}");
}

/* One object for one host, a list of them for several. */
static void answer(
	struct http_worker *w, struct http_query *query, struct str hosts, struct httpd_reply *rp)
{
	struct str left = hosts;
	uint32_t n = http_count_hosts(hosts);

	if (n == 0 || n > HOSTS) {
		refuse(rp, 403, "domain must be 1 to 5 host names");
		return;
	}
	if (n > 1)
		buf_put_u8(&rp->body, '[');
	while (left.n) {
		query->host = str_cut(&left, ',');
		put_host(&rp->body, w, query);
		if (left.n)
			buf_put_u8(&rp->body, ',');
	}
	if (n > 1)
		buf_put_u8(&rp->body, ']');
}

void http_door_volcengine(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct http_query query = http_query_of(rq->client);
	struct str hosts = http_param(rq, STR_LIT("domain"));
	const char *wrong;

	if (!(rq->method & (HTTPD_GET | HTTPD_HEAD))) {
		refuse(rp, 405, "only GET is served");
		httpd_reply_header(rp, "Allow", "GET, HEAD");
		return;
	}
	if (hosts.n == 0 && http_param(rq, STR_LIT("name")).n) {
		http_door_doh(w, rq, rp);
		return;
	}
	wrong = read_asked(w, rq, &query);
	if (wrong)
		refuse(rp, 403, wrong);
	else
		answer(w, &query, hosts, rp);
}
