/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Baidu HTTPDNS: GET /v4/resolve. A signature is md5(dn-secret-t), or of the tag that stands for a
 * set of hosts; a tag is the name of a service here. An SDK whose clock is wrong sets it by the
 * timestamp that comes with SignatureExpired.
 */
#include "http/dialect.h"
#include "http/write.h"

enum { HOSTS = 10 };

#define FAULTS(X)                                                                                  \
	X(GOOD, 200, "ok")                                                                         \
	X(MISSING, 400, "MissingParameter")                                                        \
	X(INVALID, 400, "InvalidParameter")                                                        \
	X(TOO_MANY, 400, "TooManyDomains")                                                         \
	X(ACCOUNT, 403, "InvalidAccount")                                                          \
	X(SIGNATURE, 403, "InvalidSignature")                                                      \
	X(EXPIRED, 403, "SignatureExpired")                                                        \
	X(METHOD, 405, "MethodNotAllowed")

enum fault {
#define X(name, status, msg) FAULT_##name,
	FAULTS(X)
#undef X
};

static const struct {
	unsigned status;
	const char *msg;
} faults[] = {
#define X(name, status, msg) {status, msg},
	FAULTS(X)
#undef X
};

struct asked {
	struct http_query query;
	struct str hosts, tag;
};

static enum fault check(struct http_worker *w, const struct httpd_request *rq, struct str what)
{
	struct http_asker who = http_asker_named(w, http_param(rq, STR_LIT("account_id")));
	struct str t = http_param(rq, STR_LIT("t")), sign = http_param(rq, STR_LIT("sign"));

	if (t.n == 0 || sign.n == 0)
		return FAULT_MISSING;
	if (!who.account)
		return FAULT_ACCOUNT;
	if (!http_md5_signed(w, who.account, what, t, sign))
		return FAULT_SIGNATURE;
	if (http_until(w, t) != HTTP_UNTIL_GOOD)
		return FAULT_EXPIRED;
	return http_asker_passes(w, rq, who.account) ? FAULT_GOOD : FAULT_ACCOUNT;
}

/* ipv4 is what is meant without a type. */
static bool take_type(struct asked *a, struct str type)
{
	bool both = str_eq(type, STR_LIT("dual_stack"));

	a->query.aaaa = both || str_eq(type, STR_LIT("ipv6"));
	a->query.a = both || !a->query.aaaa;
	return a->query.aaaa || type.n == 0 || str_eq(type, STR_LIT("ipv4"));
}

static enum fault read_asked(struct http_worker *w, const struct httpd_request *rq, struct asked *a)
{
	struct str ip = http_param(rq, STR_LIT("ip"));
	enum fault why;

	a->hosts = http_param(rq, STR_LIT("dn"));
	a->tag = http_param(rq, STR_LIT("tag"));
	if (!a->hosts.n == !a->tag.n)
		return FAULT_MISSING;
	why = check(w, rq, a->hosts.n ? a->hosts : a->tag);
	if (why)
		return why;
	if (!take_type(a, http_param(rq, STR_LIT("type"))) || (ip.n && !ip_parse(ip, &a->query.ip)))
		return FAULT_INVALID;
	return FAULT_GOOD;
}

static void put_family(struct buf *b, const struct http_addrs *addrs, bool v6)
{
	BUF_PUT_LIT(b, "{\"ip\":");
	http_write_ips(b, v6 ? addrs->aaaa : addrs->a, v6 ? addrs->n_aaaa : addrs->n_a, v6);
	BUF_PUT_LIT(b, ",\"ttl\":");
	buf_put_u64_dec(b, addrs->ttl_s);
	BUF_PUT_LIT(b, ",\"msg\":\"ok\"}");
}

/* "HOST":{...}; families without an address are left out, so an unknown host is empty. */
static void put_host(struct buf *b, struct http_worker *w, struct asked *a)
{
	struct http_addrs addrs;

	(void)http_addrs_decide(w, &a->query, &addrs);
	http_write_text(b, a->query.host);
	BUF_PUT_LIT(b, ":{");
	if (addrs.n_a) {
		BUF_PUT_LIT(b, "\"ipv4\":");
		put_family(b, &addrs, false);
	}
	if (addrs.n_aaaa) {
		if (addrs.n_a)
			buf_put_u8(b, ',');
		BUF_PUT_LIT(b, "\"ipv6\":");
		put_family(b, &addrs, true);
	}
	buf_put_u8(b, '}');
}

static enum fault put_names(struct buf *b, struct http_worker *w, struct asked *a)
{
	struct str hosts = a->hosts;
	uint32_t n = http_count_hosts(hosts);

	if (n == 0)
		return FAULT_INVALID;
	if (n > HOSTS)
		return FAULT_TOO_MANY;
	while (hosts.n) {
		a->query.host = str_cut(&hosts, ',');
		put_host(b, w, a);
		if (hosts.n)
			buf_put_u8(b, ',');
	}
	return FAULT_GOOD;
}

/* The hosts of the service that the tag names. */
static void put_tag(struct buf *b, struct http_worker *w, struct asked *a)
{
	const struct cat_view *c = &w->worker.world->cat;
	uint32_t service = cat_find_service(c, a->tag);
	const struct cat_service *s = &c->services[service];

	if (service == BLOB_NONE)
		return;
	for (uint32_t i = 0; i < s->hosts.count; i++) {
		if (i)
			buf_put_u8(b, ',');
		a->query.host = cat_text(c, c->hosts[s->hosts.first + i].name);
		put_host(b, w, a);
	}
}

static void put_end(struct buf *b, const struct http_worker *w, const struct httpd_request *rq,
	struct ip client)
{
	BUF_PUT_LIT(b, ",\"clientip\":\"");
	ip_put(b, client);
	BUF_PUT_LIT(b, "\",\"timestamp\":");
	buf_put_u64_dec(b, w->worker.now_ms / 1000);
	if (str_eq(http_param(rq, STR_LIT("alt_server_ip")), STR_LIT("true"))) {
		BUF_PUT_LIT(b, ",\"serverip\":{\"ipv4\":");
		http_write_servers(b, w, rq, false);
		BUF_PUT_LIT(b, ",\"ipv6\":");
		http_write_servers(b, w, rq, true);
		buf_put_u8(b, '}');
	}
	buf_put_u8(b, '}');
}

void http_door_baidu(struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct asked a = {.query = http_query_of(rq->client)};
	enum fault why = FAULT_METHOD;

	if (rq->method & (HTTPD_GET | HTTPD_HEAD))
		why = read_asked(w, rq, &a);
	if (!why) {
		BUF_PUT_LIT(&rp->body, "{\"msg\":\"ok\",\"data\":{");
		if (a.tag.n)
			put_tag(&rp->body, w, &a);
		else
			why = put_names(&rp->body, w, &a);
		buf_put_u8(&rp->body, '}');
	}
	if (why) {
		rp->body.p = rp->body.base;
		rp->status = faults[why].status;
		BUF_PUT_LIT(&rp->body, "{\"msg\":\"");
		buf_put_str(&rp->body, str_from(faults[why].msg));
		buf_put_u8(&rp->body, '"');
	}
	if (why == FAULT_METHOD)
		httpd_reply_header(rp, "Allow", "GET, HEAD");
	put_end(&rp->body, w, rq, a.query.ip);
}
