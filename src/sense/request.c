/* SPDX-License-Identifier: Apache-2.0 */
#include "sense/request.h"

#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct sense_api ready[] = {
#define API(...) API_ROW(__VA_ARGS__)
#define API_ROW(params_, url_, headers_, body_, auth_, sign_key_, sign_canonical_, sign_input_,    \
	series_, value_, time_, next_, cursor_, pages_, error_, unit_, utc_offset_min_, step_s_,   \
	window_s_, delay_s_, rate_per_s_)                                                          \
	{.params = params_,                                                                        \
		.url = url_,                                                                       \
		.headers = headers_,                                                               \
		.body = body_,                                                                     \
		.auth = auth_,                                                                     \
		.sign_key = sign_key_,                                                             \
		.sign_canonical = sign_canonical_,                                                 \
		.sign_input = sign_input_,                                                         \
		.series = series_,                                                                 \
		.value = value_,                                                                   \
		.time = time_,                                                                     \
		.next = next_,                                                                     \
		.cursor = cursor_,                                                                 \
		.pages = pages_,                                                                   \
		.error = error_,                                                                   \
		.unit = unit_,                                                                     \
		.utc_offset_min = utc_offset_min_,                                                 \
		.step_s = step_s_,                                                                 \
		.window_s = window_s_,                                                             \
		.delay_s = delay_s_,                                                               \
		.rate_per_s = rate_per_s_},
#include "sense/meter.def"
#undef API
#undef API_ROW
};

struct sense_api sense_api_of(const struct conf_meter *m)
{
	struct sense_api a = ready[m->api];

#define TAKE(f) a.f = m->f ? m->f : a.f
	TAKE(url);
	TAKE(body);
	TAKE(sign_key);
	TAKE(sign_canonical);
	TAKE(sign_input);
	TAKE(series);
	TAKE(value);
	TAKE(time);
	TAKE(next);
	TAKE(cursor);
	TAKE(pages);
	TAKE(error);
#undef TAKE
	a.user = m->user ? m->user : "";
	a.more_headers = m->headers;
	a.n_more_headers = m->headers_count;
	a.more_params = m->params;
	a.n_more_params = m->params_count;
	a.auth = m->auth != CONF_AUTH_API ? m->auth : a.auth;
	a.unit = m->unit != CONF_UNIT_API ? m->unit : a.unit;
	a.post = m->method == CONF_METHOD_POST || (m->method == CONF_METHOD_AUTO && a.body[0]);
	a.utc_offset_min = m->utc_offset_min ? m->utc_offset_min : a.utc_offset_min;
	a.window_s = m->window_s ? m->window_s : a.window_s;
	a.step_s = m->step_s ? m->step_s : SL_MIN(a.step_s, a.window_s);
	a.delay_s = m->delay_s >= 0 ? (uint32_t)m->delay_s : a.delay_s;
	a.every_s = m->every_s ? m->every_s : a.window_s;
	a.rate_per_s = m->rate_per_s > 0 ? m->rate_per_s : a.rate_per_s;
	return a;
}

enum { VARS_MAX = 2 * CONF_MAX_PARAMS + 32, VARS_TEXT = 24 * 1024 };

struct vars {
	struct {
		struct str name, value;
	} v[VARS_MAX];
	uint32_t n;
	char text[VARS_TEXT]; /* of values that are made */
	size_t used;
	bool full;
};

/* A later one of the same name wins. */
static void set(struct vars *v, struct str name, struct str value)
{
	if (v->n == VARS_MAX) {
		v->full = true;
		return;
	}
	v->v[v->n].name = name;
	v->v[v->n++].value = value;
}

static void set_z(struct vars *v, const char *name, struct str value)
{
	set(v, str_from(name), value);
}

static char *keep(struct vars *v, const char *p, size_t n)
{
	char *to = v->text + v->used;

	if (VARS_TEXT - v->used < n) {
		v->full = true;
		return v->text;
	}
	memcpy(to, p, n);
	v->used += n;
	return to;
}

static void set_copy(struct vars *v, const char *name, const char *p, size_t n)
{
	set_z(v, name, (struct str){keep(v, p, n), n});
}

static void set_number(struct vars *v, const char *name, uint64_t n)
{
	char t[24];
	struct buf b = buf_over(t, sizeof(t));

	buf_put_u64_dec(&b, n);
	set_copy(v, name, t, buf_len(&b));
}

enum time_form { FORM_ISO, FORM_LOCAL, FORM_DATE };

static void set_time(
	struct vars *v, const char *name, enum time_form form, uint64_t unix_ms, int32_t offset_min)
{
	time_t t = (time_t)(unix_ms / 1000) + offset_min * 60;
	char text[40];
	struct tm tm;
	size_t n;

	(void)gmtime_r(&t, &tm);
	if (form == FORM_ISO)
		n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	else if (form == FORM_LOCAL)
		n = strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	else
		n = strftime(text, sizeof(text), "%Y-%m-%d", &tm);
	set_copy(v, name, text, n);
}

static void put_escaped(struct buf *b, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			(c && strchr("-._~", c))) {
			buf_put_u8(b, c);
		} else {
			buf_put_u8(b, '%');
			buf_put_u8(b, (uint8_t)digits[c >> 4]);
			buf_put_u8(b, (uint8_t)digits[c & 15]);
		}
	}
}

static struct str name_at(const char *p)
{
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return p[n] == '}' ? (struct str){p, n} : (struct str){p, 0};
}

/* Text with each {NAME} replaced; escape: for a URL, but for a name at its very begin. What is in
 * braces and no name (JSON) stays. */
static int expand(struct buf *b, const char *text, size_t n, const struct vars *v, bool escape,
	struct errbuf *err)
{
	for (const char *p = text; p < text + n; p++) {
		struct str name = *p == '{' ? name_at(p + 1) : (struct str){p, 0};
		uint32_t i = v->n;

		if (name.n == 0) {
			buf_put_u8(b, (uint8_t)*p);
			continue;
		}
		while (i && !str_eq(v->v[i - 1].name, name))
			i--;
		if (i == 0)
			return err_set(
				err, SL_EINVAL, "nothing is known of {" STR_FMT "}", STR_ARG(name));
		if (escape && p > text)
			put_escaped(b, v->v[i - 1].value);
		else
			buf_put_str(b, v->v[i - 1].value);
		p = name.p + name.n;
	}
	if (b->overflow || v->full)
		return err_set(err, SL_ELIMIT, "a template grows too long");
	return 0;
}

static int expand_z(char *to, size_t size, const char *text, size_t n, const struct vars *v,
	bool escape, struct errbuf *err)
{
	struct buf b = buf_over(to, size - 1);
	int rc = expand(&b, text, n, v, escape, err);

	*b.p = '\0';
	return rc;
}

static void params_of(struct vars *v, const struct sense_api *a)
{
	struct str rest = str_from(a->params);

	while (rest.n) {
		struct str value = str_cut(&rest, '\n'), name = str_cut(&value, '=');

		set(v, name, value);
	}
	for (uint32_t i = 0; i < a->n_more_params; i++) {
		struct str value = str_from(a->more_params[i]), name = str_cut(&value, '=');

		set(v, name, value);
	}
}

static void vars_of(struct vars *v, const struct sense_api *a, const struct sense_ask *ask)
{
	const struct {
		const char *name, *ms_name, *iso, *local;
		uint64_t ms;
	} times[] = {{"now", "now_ms", "now_iso", "now_local", ask->now_ms},
		{"start", "start_ms", "start_iso", "start_local", ask->start_ms},
		{"end", "end_ms", "end_iso", "end_local", ask->end_ms}};
	char nonce[24];

	v->n = 0;
	v->used = 0;
	v->full = false;
	params_of(v, a);
	for (size_t i = 0; i < SL_COUNT(times); i++) {
		set_number(v, times[i].name, times[i].ms / 1000);
		set_number(v, times[i].ms_name, times[i].ms);
		set_time(v, times[i].iso, FORM_ISO, times[i].ms, 0);
		set_time(v, times[i].local, FORM_LOCAL, times[i].ms, a->utc_offset_min);
	}
	set_time(v, "date", FORM_DATE, ask->now_ms, 0);
	(void)snprintf(nonce, sizeof(nonce), "%016llx", (unsigned long long)ask->nonce);
	set_copy(v, "nonce", nonce, 16);
	set_number(v, "page", ask->page);
	set_z(v, "next", ask->next);
	set_z(v, "cursor", ask->cursor);
	set_z(v, "node", ask->node);
	set_z(v, "address", ask->address);
	set_z(v, "user", str_from(a->user));
	set_z(v, "secret", ask->secret);
	set_z(v, "method", a->post ? STR_LIT("POST") : STR_LIT("GET"));
}

static void set_hex(struct vars *v, const char *name, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * SHA256_DIGEST_SIZE];

	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digits[p[i] >> 4];
		hex[2 * i + 1] = digits[p[i] & 15];
	}
	set_copy(v, name, hex, 2 * n);
}

static void set_sha256(struct vars *v, const char *name, const char *p, size_t n)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx h;

	sha256_init(&h);
	sha256_update(&h, n, (const uint8_t *)p);
	sha256_digest(&h, sizeof(digest), digest);
	set_hex(v, name, digest, sizeof(digest));
}

static size_t hmac(bool sha1, struct str key, struct str text, uint8_t *ret)
{
	if (sha1) {
		struct hmac_sha1_ctx h;

		hmac_sha1_set_key(&h, key.n, (const uint8_t *)key.p);
		hmac_sha1_update(&h, text.n, (const uint8_t *)text.p);
		hmac_sha1_digest(&h, SHA1_DIGEST_SIZE, ret);
		return SHA1_DIGEST_SIZE;
	}
	struct hmac_sha256_ctx h;

	hmac_sha256_set_key(&h, key.n, (const uint8_t *)key.p);
	hmac_sha256_update(&h, text.n, (const uint8_t *)text.p);
	hmac_sha256_digest(&h, SHA256_DIGEST_SIZE, ret);
	return SHA256_DIGEST_SIZE;
}

/* The part of the URL's template before the parameter that holds the signature. */
static size_t unsigned_part(const char *url)
{
	const char *s = strstr(url, "{signature}");

	while (s && s > url && *s != '&' && *s != '?')
		s--;
	return s ? (size_t)(s - url) : strlen(url);
}

/* host, path, query and query_pct of the URL in rq. */
static int url_parts(struct vars *v, struct sense_request *rq, struct errbuf *err)
{
	const char *host = strstr(rq->url, "://"), *path, *query;
	char pct[SENSE_URL_MAX * 3];
	struct buf b = buf_over(pct, sizeof(pct));

	if (!host || (strncmp(rq->url, "http://", 7) != 0 && strncmp(rq->url, "https://", 8) != 0))
		return err_set(err, SL_EINVAL, "want a URL of http or https");
	host += 3;
	path = host + strcspn(host, "/?");
	query = strchr(host, '?');
	query = query ? query + 1 : host + strlen(host);
	if ((size_t)(path - host) >= sizeof(rq->host) || path == host)
		return err_set(err, SL_EINVAL, "want a host in the URL");
	memcpy(rq->host, host, (size_t)(path - host));
	rq->host[path - host] = '\0';
	set_copy(v, "host", host, (size_t)(path - host));
	set_copy(v, "path", path, strcspn(path, "?"));
	set_copy(v, "query", query, strlen(query));
	put_escaped(&b, str_from(query));
	set_copy(v, "query_pct", pct, buf_len(&b));
	return 0;
}

/* The key of parts divided by spaces: the first as it stands, each other hashed under it. */
static int sign(const struct sense_api *a, struct vars *v, struct errbuf *err)
{
	bool sha1 = a->auth == CONF_AUTH_HMAC_SHA1_BASE64;
	char text[SENSE_URL_MAX * 4], key[SL_MAX_SECRET + SENSE_HEADER_MAX];
	char b64[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE)];
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct str part, rest = str_from(a->sign_key);
	size_t n = 0, n_key;
	int rc;

	rc = expand_z(
		text, sizeof(text), a->sign_canonical, strlen(a->sign_canonical), v, false, err);
	if (rc)
		return rc;
	set_sha256(v, "canonical_sha256", text, strlen(text));
	part = str_cut(&rest, ' ');
	rc = expand_z(key, sizeof(key), part.p, part.n, v, false, err);
	n_key = strlen(key);
	while (!rc && rest.n) {
		part = str_cut(&rest, ' ');
		rc = expand_z(text, sizeof(text), part.p, part.n, v, false, err);
		n_key = hmac(sha1, (struct str){key, n_key}, str_from(text), digest);
		memcpy(key, digest, n_key);
	}
	if (!rc)
		rc = expand_z(
			text, sizeof(text), a->sign_input, strlen(a->sign_input), v, false, err);
	if (!rc)
		n = hmac(sha1, (struct str){key, n_key}, str_from(text), digest);
	explicit_bzero(key, sizeof(key));
	if (rc)
		return rc;
	if (a->auth == CONF_AUTH_HMAC_SHA256_HEX) {
		set_hex(v, "signature", digest, n);
	} else {
		base64_encode_raw(b64, n, digest);
		set_copy(v, "signature", b64, BASE64_ENCODE_RAW_LENGTH(n));
	}
	return 0;
}

static int put_header(struct sense_request *rq, const char *text, size_t n, const struct vars *v,
	struct errbuf *err)
{
	if (rq->n_headers == SENSE_HEADERS_MAX)
		return err_set(err, SL_ELIMIT, "too many headers");
	return expand_z(rq->header[rq->n_headers++], SENSE_HEADER_MAX, text, n, v, false, err);
}

static int headers(const struct sense_api *a, struct sense_request *rq, const struct vars *v,
	struct errbuf *err)
{
	struct str rest = str_from(a->headers);
	int rc = 0;

	while (rest.n && !rc) {
		struct str line = str_cut(&rest, '\n');

		rc = put_header(rq, line.p, line.n, v, err);
	}
	if (!rc && a->auth == CONF_AUTH_BEARER)
		rc = put_header(rq, "Authorization: Bearer {secret}", 30, v, err);
	for (uint32_t i = 0; i < a->n_more_headers && !rc; i++)
		rc = put_header(rq, a->more_headers[i], strlen(a->more_headers[i]), v, err);
	for (uint32_t i = 0; i < rq->n_headers && !rc; i++)
		if (strpbrk(rq->header[i], "\r\n"))
			rc = err_set(err, SL_EINVAL, "a header would hold a line end");
	return rc;
}

int sense_request_build(const struct sense_api *a, const struct sense_ask *ask,
	struct sense_request *rq, struct errbuf *err)
{
	bool hmac_auth = a->auth >= CONF_AUTH_HMAC_SHA1_BASE64;
	struct vars v;
	int rc;

	vars_of(&v, a, ask);
	rq->n_headers = 0;
	rq->post = a->post;
	rc = expand_z(rq->url, sizeof(rq->url), a->url,
		hmac_auth ? unsigned_part(a->url) : strlen(a->url), &v, true, err);
	if (!rc)
		rc = url_parts(&v, rq, err);
	if (!rc)
		rc = expand_z(rq->body, sizeof(rq->body), a->body, strlen(a->body), &v, false, err);
	if (!rc)
		set_sha256(&v, "body_sha256", rq->body, strlen(rq->body));
	if (!rc && hmac_auth)
		rc = sign(a, &v, err);
	if (!rc && hmac_auth)
		rc = expand_z(rq->url, sizeof(rq->url), a->url, strlen(a->url), &v, true, err);
	if (!rc)
		rc = headers(a, rq, &v, err);
	explicit_bzero(&v, sizeof(v));
	return rc;
}

int sense_request_check(const struct sense_api *a, struct errbuf *err)
{
	struct sense_ask ask = {.secret = STR_LIT("x"),
		.cursor = STR_LIT("0"),
		.node = STR_LIT("n"),
		.address = STR_LIT("192.0.2.1")};
	struct sense_request rq;

	if (!a->url[0])
		return err_set(err, SL_EINVAL, "no url");
	if (!a->series[0] && !a->value[0])
		return err_set(err, SL_EINVAL, "neither series nor value");
	return sense_request_build(a, &ask, &rq, err);
}
