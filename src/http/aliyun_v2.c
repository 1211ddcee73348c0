/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aliyun HTTPDNS, version 2: GET /v2/d, plain (m=0), AES-CBC (1) or AES-GCM (2). The signature is
 * over all that is sent, so a sealed request that was signed is checked before it is opened; one
 * that was not signed and does not open gets the same word whatever is wrong with it.
 */
#include "http/aliyun.h"
#include "http/cipher.h"
#include "http/json.h"
#include "http/sign.h"
#include "http/write.h"

enum { MAC_DIGITS = 64, OPENED = 8192, ANSWER = 24576 };

struct asked {
	struct http_query query;
	struct str hosts, families;
	size_t custom;
	uint8_t mode; /* 0 plain, or 1 + enum http_cipher */
	struct str key;
	uint8_t key_octets[HTTP_AES_KEY];
};

/* Parts of the signature: what is sent, but for what the SDK adds for itself. */
static bool is_signed_param(struct str name)
{
	static const char *const names[] = {"id", "m", "dn", "cip", "q", "enc", "exp", "tags", "v"};

	for (size_t i = 0; i < SL_COUNT(names); i++)
		if (str_eq_z(name, names[i]))
			return true;
	return http_aliyun_is_custom(name);
}

static bool goes_before(const struct httpd_field *a, const struct httpd_field *b)
{
	int c = memcmp(a->name.p, b->name.p, SL_MIN(a->name.n, b->name.n));

	return c < 0 || (c == 0 && a->name.n < b->name.n);
}

/* The parameters of the signature, those with a value, by name. */
static uint32_t sorted(const struct httpd_request *rq, const struct httpd_field **ret)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < rq->n_params; i++) {
		const struct httpd_field *f = &rq->params[i];
		uint32_t at = n;

		if (f->value.n == 0 || !is_signed_param(f->name))
			continue;
		for (; at && goes_before(f, ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = f;
		n++;
	}
	return n;
}

/* s = hex(HMAC-SHA256(secret, "a=1&b=2...")); the secret is given in hexadecimal digits. */
static bool fits(struct str secret, const struct httpd_request *rq, struct str s)
{
	const struct httpd_field *field[HTTPD_MAX_PARAMS];
	struct str part[4 * HTTPD_MAX_PARAMS];
	uint32_t n = sorted(rq, field), k = 0;
	uint8_t octets[SL_MAX_NAME];
	struct buf b = buf_over(octets, sizeof(octets));
	char hex[MAC_DIGITS];

	if (secret.n == 0 || s.n != sizeof(hex) || !http_unhex(secret, &b, &secret))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			part[k++] = STR_LIT("&");
		part[k++] = field[i]->name;
		part[k++] = STR_LIT("=");
		part[k++] = field[i]->value;
	}
	http_sign_hmac_parts(secret, part, k, hex);
	return http_sign_equal(hex, s.p, sizeof(hex));
}

static enum http_aliyun check(const struct http_worker *w, const struct httpd_request *rq,
	const struct keys_account *account)
{
	const struct keys_view *k = w->worker.keys;
	struct str s = http_param(rq, STR_LIT("s"));

	if (s.n == 0)
		return http_signed_only(w) ? HTTP_ALIYUN_UNSIGNED : HTTP_ALIYUN_GOOD;
	if (!account || (!fits(keys_secret_at(k, account->key), rq, s) &&
				!fits(keys_secret_at(k, account->backup), rq, s)))
		return HTTP_ALIYUN_INVALID_SIGNATURE;
	return http_aliyun_until(w, http_param(rq, STR_LIT("exp")));
}

static bool read_members(struct asked *a, struct http_json *j)
{
	bool first = true, good = true;
	struct str name;

	if (!http_json_enter(j, '{'))
		return false;
	while (http_json_member(j, &first, &name)) {
		char c = http_json_peek(j);
		struct str value;

		if (c == '{') {
			http_json_skip(j);
			continue;
		}
		value = http_json_text(j);
		if (str_eq(name, STR_LIT("dn")))
			a->hosts = value;
		else if (str_eq(name, STR_LIT("q")))
			a->families = value;
		else if (http_aliyun_is_custom(name))
			good &= http_aliyun_custom(&a->query, name, value, &a->custom);
	}
	return http_json_done(j) && good;
}

/* The sealed parameters, opened into the worker's scratch. */
static bool open_sealed(
	struct http_worker *w, struct asked *a, const struct keys_account *account, struct str enc)
{
	struct buf b = buf_over(w->scratch, OPENED);
	struct buf key = buf_over(a->key_octets, sizeof(a->key_octets));
	struct str secret =
		account ? keys_secret_at(w->worker.keys, account->aes) : (struct str){NULL, 0};
	struct str sealed, plain;
	struct http_json j;

	if (!http_unhex(secret, &key, &a->key) || !http_unhex(enc, &b, &sealed) ||
		!http_cipher_open((enum http_cipher)(a->mode - 1), a->key, sealed, &b, &plain))
		return false;
	j = http_json_over(plain, b);
	return read_members(a, &j);
}

static enum http_aliyun read_plain(const struct httpd_request *rq, struct asked *a)
{
	a->hosts = http_param(rq, STR_LIT("dn"));
	a->families = http_param(rq, STR_LIT("q"));
	for (uint16_t i = 0; i < rq->n_params; i++)
		if (http_aliyun_is_custom(rq->params[i].name) &&
			!http_aliyun_custom(
				&a->query, rq->params[i].name, rq->params[i].value, &a->custom))
			return HTTP_ALIYUN_MISSING_ARGUMENT;
	return HTTP_ALIYUN_GOOD;
}

static enum http_aliyun read_asked(
	struct http_worker *w, const struct httpd_request *rq, struct asked *a)
{
	struct str id = http_param(rq, STR_LIT("id")), m = http_param(rq, STR_LIT("m"));
	struct str cip = http_param(rq, STR_LIT("cip"));
	struct http_asker who = http_asker_named(w, id);
	enum http_aliyun why;

	if (id.n == 0 || m.n > 1 || (m.n && (m.p[0] < '0' || m.p[0] > '2')))
		return HTTP_ALIYUN_MISSING_ARGUMENT;
	if (!who.admitted)
		return HTTP_ALIYUN_INVALID_ACCOUNT;
	why = check(w, rq, who.account);
	if (why)
		return why;
	a->mode = m.n ? (uint8_t)(m.p[0] - '0') : 0;
	if (a->mode && !open_sealed(w, a, who.account, http_param(rq, STR_LIT("enc"))))
		return HTTP_ALIYUN_INVALID_SIGNATURE;
	if ((a->mode || http_param(rq, STR_LIT("s")).n) && !http_asker_passes(w, rq, who.account))
		return HTTP_ALIYUN_INVALID_ACCOUNT;
	if (!a->mode)
		why = read_plain(rq, a);
	if (why || a->hosts.n == 0 || !http_aliyun_families(&a->query, a->families) ||
		(cip.n && !ip_parse(cip, &a->query.ip)))
		return HTTP_ALIYUN_MISSING_ARGUMENT;
	return HTTP_ALIYUN_GOOD;
}

static void put_family(
	struct buf *b, const struct asked *a, const struct http_addrs *addrs, bool v6, bool known)
{
	uint32_t n = v6 ? addrs->n_aaaa : addrs->n_a;

	BUF_PUT_LIT(b, "{\"ips\":");
	http_write_ips(b, v6 ? addrs->aaaa : addrs->a, n, v6);
	BUF_PUT_LIT(b, ",\"ttl\":");
	buf_put_u64_dec(b, addrs->ttl_s);
	if (a->custom)
		http_aliyun_put_extra(b, addrs);
	if (n == 0 && known)
		BUF_PUT_LIT(b, ",\"no_ip_code\":\"RRNotExist\"");
	else if (n == 0)
		BUF_PUT_LIT(b, ",\"no_ip_code\":\"DomainNotExist\"");
	buf_put_u8(b, '}');
}

static void put_answer(struct buf *b, struct http_worker *w, struct asked *a)
{
	struct http_addrs addrs;
	bool known = http_addrs_decide(w, &a->query, &addrs) == 0;

	BUF_PUT_LIT(b, "{\"dn\":");
	http_write_text(b, a->query.host);
	if (a->query.a) {
		BUF_PUT_LIT(b, ",\"v4\":");
		put_family(b, a, &addrs, false, known);
	}
	if (a->query.aaaa) {
		BUF_PUT_LIT(b, ",\"v6\":");
		put_family(b, a, &addrs, true, known);
	}
	buf_put_u8(b, '}');
}

/* {"cip","answers"}; the request is checked before anything is counted. */
static enum http_aliyun put_data(struct buf *b, struct http_worker *w, struct asked *a)
{
	struct str hosts = a->hosts;
	uint32_t n = http_count_hosts(hosts);

	if (n == 0)
		return HTTP_ALIYUN_INVALID_HOST;
	if (n > HTTP_ALIYUN_HOSTS)
		return HTTP_ALIYUN_TOO_MANY_HOSTS;
	BUF_PUT_LIT(b, "{\"cip\":\"");
	ip_put(b, a->query.ip);
	BUF_PUT_LIT(b, "\",\"answers\":[");
	while (hosts.n) {
		a->query.host = str_cut(&hosts, ',');
		put_answer(b, w, a);
		if (hosts.n)
			buf_put_u8(b, ',');
	}
	BUF_PUT_LIT(b, "]}");
	return HTTP_ALIYUN_GOOD;
}

/* The answer in base64, IV and tag with it. */
static enum http_aliyun put_sealed(struct buf *b, struct http_worker *w, struct asked *a)
{
	struct buf plain = buf_over(w->scratch + OPENED, ANSWER);
	struct buf sealed =
		buf_over(w->scratch + OPENED + ANSWER, sizeof(w->scratch) - OPENED - ANSWER);
	enum http_aliyun why = put_data(&plain, w, a);

	if (why)
		return why;
	if (plain.overflow ||
		!http_cipher_seal((enum http_cipher)(a->mode - 1), a->key,
			(struct str){(char *)plain.base, buf_len(&plain)}, &sealed) ||
		sealed.overflow)
		return HTTP_ALIYUN_INTERNAL;
	buf_put_u8(b, '"');
	http_put_base64(b, (struct str){(char *)sealed.base, buf_len(&sealed)});
	buf_put_u8(b, '"');
	return HTTP_ALIYUN_GOOD;
}

void http_door_aliyun_v2(
	struct http_worker *w, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct asked a = {.query = http_query_of(rq->client)};
	enum http_aliyun why = HTTP_ALIYUN_METHOD;

	if (rq->method & (HTTPD_GET | HTTPD_HEAD))
		why = read_asked(w, rq, &a);
	if (!why) {
		BUF_PUT_LIT(&rp->body, "{\"code\":\"success\",\"mode\":");
		buf_put_u8(&rp->body, (uint8_t)('0' + a.mode));
		BUF_PUT_LIT(&rp->body, ",\"data\":");
		why = a.mode ? put_sealed(&rp->body, w, &a) : put_data(&rp->body, w, &a);
		buf_put_u8(&rp->body, '}');
	}
	if (why)
		http_aliyun_refuse(rp, why);
	explicit_bzero(a.key_octets, sizeof(a.key_octets));
}
