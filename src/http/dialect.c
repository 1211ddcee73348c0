/* SPDX-License-Identifier: Apache-2.0 */
#include "http/dialect.h"

#include "http/cipher.h"
#include "http/sign.h"
#include "http/write.h"

enum { TIME_DIGITS = 12, MD5_DIGITS = 32, UNKNOWN_TTL_S = 60 };

struct str http_param(const struct httpd_request *rq, struct str name)
{
	for (uint16_t i = 0; i < rq->n_params; i++)
		if (str_eq(rq->params[i].name, name))
			return rq->params[i].value;
	return (struct str){NULL, 0};
}

static bool is_host(struct str name)
{
	uint8_t wire[SL_DNS_NAME_MAX];
	bool good = cat_wire_name(name, wire) > 1;

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i], low = (char)(c | 0x20);

		good &= (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			c == '_' || c == '.';
	}
	return good;
}

uint32_t http_count_hosts(struct str list)
{
	uint32_t n = 0;

	for (; list.n; n++)
		if (!is_host(str_cut(&list, ',')))
			return 0;
	return n;
}

struct http_asker http_asker_named(const struct http_worker *w, struct str name)
{
	const struct keys_view *k = w->worker.keys;
	struct http_asker who = {.account = keys_find_account(k, name)};

	who.admitted = who.account || !k || k->n_accounts == 0;
	return who;
}

struct http_asker http_asker_by_token(const struct http_worker *w, struct str token)
{
	const struct keys_view *k = w->worker.keys;
	struct http_asker who = {NULL, !k || k->n_accounts == 0};

	for (uint32_t i = 0; k && i < k->n_accounts; i++) {
		struct str own = keys_secret_at(k, k->accounts[i].token);

		if (own.n && own.n == token.n && http_sign_equal(own.p, token.p, own.n))
			who = (struct http_asker){&k->accounts[i], true};
	}
	return who;
}

bool http_asker_passes(
	struct http_worker *w, const struct httpd_request *rq, const struct keys_account *account)
{
	w->over_rate = account && !ip_is_loopback(rq->client) &&
		       !http_access_account(&w->access, w->worker.keys, account, rq->now_ms);
	return !w->over_rate;
}

bool http_signed_only(const struct http_worker *w)
{
	return w->worker.keys && w->worker.keys->meta->require_signature;
}

static bool md5_fits(struct str secret, struct str what, struct str t, struct str sign)
{
	struct str part[] = {what, STR_LIT("-"), secret, STR_LIT("-"), t};
	char hex[MD5_DIGITS];

	if (secret.n == 0 || sign.n != sizeof(hex))
		return false;
	http_md5_parts(part, SL_COUNT(part), hex);
	return http_sign_equal(hex, sign.p, sizeof(hex));
}

bool http_md5_signed(const struct http_worker *w, const struct keys_account *account,
	struct str what, struct str t, struct str sign)
{
	const struct keys_view *k = w->worker.keys;

	return account && (md5_fits(keys_secret_at(k, account->key), what, t, sign) ||
				  md5_fits(keys_secret_at(k, account->backup), what, t, sign));
}

enum http_until http_until(const struct http_worker *w, struct str t)
{
	uint64_t now_s = w->worker.now_ms / 1000, until_s;

	if (!str_parse_u64(t, TIME_DIGITS, &until_s))
		return HTTP_UNTIL_NO_TIME;
	if (until_s < now_s)
		return HTTP_UNTIL_PAST;
	return until_s - now_s > HTTP_SIGNED_AHEAD_S ? HTTP_UNTIL_TOO_FAR : HTTP_UNTIL_GOOD;
}

/* What the vendor of a slot has for the families asked for; false: nothing. */
static bool take(const struct http_worker *w, const struct http_query *query,
	const struct http_decision *d, uint8_t slot, struct http_addrs *addrs)
{
	const struct world *world = w->worker.world;
	uint32_t want = SL_MAX(d->service->n_addresses, 1u);
	struct target t;

	answer_target(world, &d->q, slot, d->stream, SL_MIN(want, (uint32_t)SL_HTTP_NODES_MAX), &t);
	addrs->n_a = query->a ? answer_records(world, &t, false, want, addrs->a) : 0;
	addrs->n_aaaa = query->aaaa ? answer_records(world, &t, true, want, addrs->aaaa) : 0;
	if (addrs->n_a + addrs->n_aaaa == 0)
		return false;
	addrs->vendor = cat_text(&world->cat, world->cat.vendors[t.vendor].name);
	return true;
}

/* Gives the first ranked vendor with addresses. */
static void find(const struct http_worker *w, const struct http_query *query,
	struct http_decision *d, struct http_addrs *addrs)
{
	uint32_t i = 0;

	while (i < d->a.n && !take(w, query, d, d->a.slot[i], addrs))
		i++;
	http_give(d, i);
}

int http_addrs_decide(
	struct http_worker *w, const struct http_query *query, struct http_addrs *ret_addrs)
{
	struct http_decision d;

	ret_addrs->n_a = ret_addrs->n_aaaa = 0;
	ret_addrs->vendor = (struct str){NULL, 0};
	ret_addrs->ttl_s = UNKNOWN_TTL_S;
	if (http_decide(w, query, &d))
		return SL_ENOENT;
	find(w, query, &d, ret_addrs);
	http_record(w, query, &d);
	ret_addrs->ttl_s =
		d.a.n ? answer_ttl_s(d.service, d.a.row) : SL_MAX(d.service->negative_ttl_s, 1u);
	return 0;
}

/* The address in a Host header, without brackets and port. */
static bool asked_at(const struct httpd_request *rq, struct ip *ret_ip)
{
	struct str host = httpd_header(rq, "Host");

	if (host.n && host.p[0] == '[') {
		host = (struct str){host.p + 1, host.n - 1};
		return ip_parse(str_cut(&host, ']'), ret_ip);
	}
	return ip_parse(str_cut(&host, ':'), ret_ip);
}

uint32_t http_servers(const struct http_worker *w, const struct httpd_request *rq, bool v6,
	struct ip *ret_ips, uint32_t max)
{
	uint8_t family = v6 ? IP_V6 : IP_V4;
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->n_servers; i++)
		if (w->servers[i].family == family && n < max)
			ret_ips[n++] = w->servers[i];
	if (w->n_servers == 0 && max && asked_at(rq, ret_ips) && ret_ips->family == family)
		n = 1;
	return n;
}

void http_write_servers(
	struct buf *b, const struct http_worker *w, const struct httpd_request *rq, bool v6)
{
	struct ip ips[HTTP_MAX_SERVERS];
	uint32_t n = http_servers(w, rq, v6, ips, SL_COUNT(ips));

	buf_put_u8(b, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_put_u8(b, ',');
		buf_put_u8(b, '"');
		ip_put(b, ips[i]);
		buf_put_u8(b, '"');
	}
	buf_put_u8(b, ']');
}
