/* SPDX-License-Identifier: Apache-2.0 */
#include "http/sign.h"

#include "base/hash.h"
#include "base/limits.h"

#include <nettle/aes.h>
#include <nettle/base64.h>
#include <nettle/cbc.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

enum { KEPT_S = 60 }; /* times of signatures that are remembered are full minutes */

static const struct http_sign_scheme schemes[] = {
#define SIGN(name, digest, key, time, means, mac, input, url)                                      \
	{{#name, sizeof(#name) - 1}, SIGN_##digest, SIGN_KEY_##key, SIGN_T_##time, SIGN_##means,   \
		SIGN_MAC_##mac, {input, sizeof(input) - 1}, {url, sizeof(url) - 1}},
#include "http/sign.def"
#undef SIGN
};

const struct http_sign_scheme *http_sign_find(struct str name)
{
	for (size_t i = 0; i < SL_COUNT(schemes); i++)
		if (str_eq(schemes[i].name, name))
			return &schemes[i];
	return NULL;
}

bool http_sign_by_key(const struct http_sign_scheme *s)
{
	return s->digest == SIGN_ED25519 || s->digest == SIGN_RSA_SHA1;
}

bool http_sign_binds_host(const struct http_sign_scheme *s)
{
	static const char base[] = "{base}";

	return s->input.n && memmem(s->input.p, s->input.n, base, sizeof(base) - 1);
}

static void put_hex(struct buf *b, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		buf_put_u8(b, (uint8_t)digits[p[i] >> 4]);
		buf_put_u8(b, (uint8_t)digits[p[i] & 15]);
	}
}

static void put_number(struct buf *b, uint64_t v, const char *digits, unsigned base)
{
	char text[20];
	size_t at = sizeof(text);

	do {
		text[--at] = digits[v % base];
		v /= base;
	} while (v);
	buf_put(b, text + at, sizeof(text) - at);
}

static void put_two(struct buf *b, unsigned v)
{
	buf_put_u8(b, (uint8_t)('0' + v / 10 % 10));
	buf_put_u8(b, (uint8_t)('0' + v % 10));
}

/* YYYYMMDDHHMM. Days to civil date after H. Hinnant, chrono-compatible algorithms. */
static void put_minute(struct buf *b, uint64_t s)
{
	uint64_t z = s / 86400 + 719468, era = z / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	uint64_t year = yoe + era * 400 + (month <= 2);

	buf_put_u64_dec(b, year);
	put_two(b, month);
	put_two(b, doy - (153 * mp + 2) / 5 + 1);
	put_two(b, (unsigned)(s / 3600 % 24));
	put_two(b, (unsigned)(s / 60 % 60));
}

static void put_time(struct buf *b, uint8_t form, uint64_t unix_s)
{
	switch (form) {
	case SIGN_T_HEX:
		put_number(b, unix_s, "0123456789abcdef", 16);
		break;
	case SIGN_T_HEX_UPPER:
		put_number(b, unix_s, "0123456789ABCDEF", 16);
		break;
	case SIGN_T_MINUTE_CN:
		put_minute(b, unix_s + 8 * 3600);
		break;
	case SIGN_T_SECOND_UTC:
		put_minute(b, unix_s);
		put_two(b, (unsigned)(unix_s % 60));
		break;
	default:
		buf_put_u64_dec(b, unix_s);
	}
}

void http_sign_put_escaped(struct buf *b, struct str s, const char *also)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			     (c && strchr("-._~", c)) || (c && strchr(also, c));

		if (plain) {
			buf_put_u8(b, c);
		} else {
			buf_put_u8(b, '%');
			buf_put_u8(b, (uint8_t)digits[c >> 4]);
			buf_put_u8(b, (uint8_t)digits[c & 15]);
		}
	}
}

/* What stands for a name in braces. */
struct values {
	const struct http_sign_args *a;
	uint64_t t;
	uint8_t time;
	struct str key, stream, app, dir, mac;
	uint8_t iv[AES_BLOCK_SIZE]; /* {rand} */
};

/* /APP/STREAM.EXT: the last part without its extension, and what stands before it. */
static void split_path(struct values *v, struct str path)
{
	const char *slash = memrchr(path.p, '/', path.n), *dot;

	if (!slash)
		return;
	v->dir = (struct str){path.p, (size_t)(slash + 1 - path.p)};
	v->stream = (struct str){slash + 1, (size_t)(path.p + path.n - slash - 1)};
	dot = v->stream.n ? memrchr(v->stream.p, '.', v->stream.n) : NULL;
	if (dot)
		v->stream.n = (size_t)(dot - v->stream.p);
	v->app =
		v->dir.n > 2 ? (struct str){v->dir.p + 1, v->dir.n - 2} : (struct str){v->dir.p, 0};
}

static void make_iv(struct values *v, uint64_t nonce)
{
	uint64_t o[2] = {hash_mix(nonce, 1), hash_mix(nonce, 2)};

	memcpy(v->iv, o, sizeof(v->iv));
}

/* Appends a text, unless one of these octets is in it. */
static bool put_without(struct buf *b, struct str s, const char *odd)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr(odd, s.p[i]))
			return false;
	buf_put_str(b, s);
	return true;
}

static bool put_target(struct buf *b, const struct http_sign_args *a)
{
	if (!put_without(b, a->path, "\"\\*"))
		return false;
	if (a->query.n)
		buf_put_u8(b, '?');
	return put_without(b, a->query, "\"\\*");
}

static bool put_value(struct buf *b, const struct values *v, struct str name)
{
	if (str_eq(name, STR_LIT("path")))
		buf_put_str(b, v->a->path);
	else if (str_eq(name, STR_LIT("qpath")))
		http_sign_put_escaped(b, v->a->path, "/");
	else if (str_eq(name, STR_LIT("t")))
		put_time(b, v->time, v->t);
	else if (str_eq(name, STR_LIT("rand")))
		put_hex(b, v->iv, sizeof(v->iv));
	else if (str_eq(name, STR_LIT("key")))
		buf_put_str(b, v->key);
	else if (str_eq(name, STR_LIT("mac")))
		buf_put_str(b, v->mac);
	else if (str_eq(name, STR_LIT("stream")))
		buf_put_str(b, v->stream);
	else if (str_eq(name, STR_LIT("app")))
		buf_put_str(b, v->app);
	else if (str_eq(name, STR_LIT("dir")))
		return put_without(b, v->dir, "*?!~\"\\");
	else if (str_eq(name, STR_LIT("base")))
		buf_put_str(b, v->a->base);
	else if (str_eq(name, STR_LIT("target")))
		return put_target(b, v->a);
	else if (str_eq(name, STR_LIT("id")))
		buf_put_str(b, v->a->id);
	else
		return false;
	return true;
}

/* Fills a template. In a URL the first '?' brings the old query, which follows the path where the
 * template has none. */
static bool expand(struct buf *b, struct str template, const struct values *v, bool url)
{
	struct str query = url ? v->a->query : (struct str){NULL, 0};

	while (template.n) {
		char c = *template.p;

		template = (struct str){template.p + 1, template.n - 1};
		if (c == '{' && template.n && *template.p == '{') {
			template = (struct str){template.p + 1, template.n - 1};
		} else if (c == '{') {
			const char *end = template.n ? memchr(template.p, '}', template.n) : NULL;

			if (!end || !put_value(b, v, str_cut(&template, '}')))
				return false;
			continue;
		}
		buf_put_u8(b, (uint8_t)c);
		if (c == '?' && query.n) {
			buf_put_str(b, query);
			buf_put_u8(b, '&');
			query.n = 0;
		}
	}
	if (query.n) {
		buf_put_u8(b, '?');
		buf_put_str(b, query);
	}
	return true;
}

static int hex_value(char c)
{
	char low = (char)(c | 0x20);

	if (c >= '0' && c <= '9')
		return c - '0';
	return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* The key as octets. */
static int decode_key(uint8_t form, struct str key, uint8_t *to, struct str *ret_key)
{
	*ret_key = key;
	if (key.n > (form == SIGN_KEY_PEM ? (size_t)SL_MAX_SECRET : (size_t)HTTP_SIGN_KEY_MAX))
		return SL_ELIMIT;
	if (form == SIGN_KEY_HEX) {
		if (key.n % 2)
			return SL_EINVAL;
		for (size_t i = 0; i < key.n; i++) {
			int v = hex_value(key.p[i]);

			if (v < 0)
				return SL_EINVAL;
			to[i / 2] = (uint8_t)(i % 2 ? to[i / 2] | v : v << 4);
		}
		*ret_key = (struct str){(char *)to, key.n / 2};
	} else if (form == SIGN_KEY_BASE64) {
		struct base64_decode_ctx ctx;
		size_t n = HTTP_SIGN_KEY_MAX;

		/* of either alphabet (RFC 4648 sections 4 and 5) */
		if (key.n && (memchr(key.p, '-', key.n) || memchr(key.p, '_', key.n)))
			base64url_decode_init(&ctx);
		else
			base64_decode_init(&ctx);
		if (!base64_decode_update(&ctx, &n, to, key.n, key.p) || !base64_decode_final(&ctx))
			return SL_EINVAL;
		*ret_key = (struct str){(char *)to, n};
	}
	return 0;
}

#define HASH(name, NAME)                                                                           \
	do {                                                                                       \
		struct name##_ctx ctx;                                                             \
		name##_init(&ctx);                                                                 \
		name##_update(&ctx, text.n, (const uint8_t *)text.p);                              \
		name##_digest(&ctx, NAME##_DIGEST_SIZE, out);                                      \
		return NAME##_DIGEST_SIZE;                                                         \
	} while (0)

#define HMAC(name, NAME)                                                                           \
	do {                                                                                       \
		struct hmac_##name##_ctx ctx;                                                      \
		hmac_##name##_set_key(&ctx, key.n, (const uint8_t *)key.p);                        \
		hmac_##name##_update(&ctx, text.n, (const uint8_t *)text.p);                       \
		hmac_##name##_digest(&ctx, NAME##_DIGEST_SIZE, out);                               \
		return NAME##_DIGEST_SIZE;                                                         \
	} while (0)

static size_t digest(uint8_t which, struct str key, struct str text, uint8_t *out)
{
	switch (which) {
	case SIGN_SHA1:
		HASH(sha1, SHA1);
	case SIGN_SHA256:
		HASH(sha256, SHA256);
	case SIGN_HMAC_MD5:
		HMAC(md5, MD5);
	case SIGN_HMAC_SHA1:
		HMAC(sha1, SHA1);
	case SIGN_HMAC_SHA256:
		HMAC(sha256, SHA256);
	default:
		HASH(md5, MD5);
	}
}

/* The text in CBC with PKCS#7 padding, by a key of 16 or 32 octets. */
static int seal(const struct values *v, struct str text, struct http_signature *to)
{
	uint8_t padded[HTTP_SIGNATURE_MAX], iv[AES_BLOCK_SIZE];
	size_t pad = AES_BLOCK_SIZE - text.n % AES_BLOCK_SIZE, n = text.n + pad;
	struct aes256_ctx long_key;
	struct aes128_ctx short_key;

	if (v->key.n != AES128_KEY_SIZE && v->key.n != AES256_KEY_SIZE)
		return SL_EINVAL;
	if (n > sizeof(padded))
		return SL_ELIMIT;
	memcpy(padded, text.p, text.n);
	memset(padded + text.n, (int)pad, pad);
	memcpy(iv, v->iv, sizeof(iv));
	if (v->key.n == AES128_KEY_SIZE) {
		aes128_set_encrypt_key(&short_key, (const uint8_t *)v->key.p);
		cbc_encrypt(&short_key, (nettle_cipher_func *)aes128_encrypt, AES_BLOCK_SIZE, iv, n,
			to->octets, padded);
	} else {
		aes256_set_encrypt_key(&long_key, (const uint8_t *)v->key.p);
		cbc_encrypt(&long_key, (nettle_cipher_func *)aes256_encrypt, AES_BLOCK_SIZE, iv, n,
			to->octets, padded);
	}
	to->n = (uint16_t)n;
	return 0;
}

static int make_mac(
	uint8_t which, const struct values *v, struct str text, struct http_signature *to)
{
	const struct http_sign_args *a = v->a;

	switch (which) {
	case SIGN_AES_CBC:
		return seal(v, text, to);
	case SIGN_ED25519:
		return http_sign_ed25519(v->key, text, a->memo, a->now_s, to);
	case SIGN_RSA_SHA1:
		return http_sign_rsa_sha1(v->key, text, a->memo, a->now_s, to);
	default:
		to->n = (uint16_t)digest(which, v->key, text, to->octets);
		return 0;
	}
}

static void replace(char *text, size_t n, const char *what, const char *by)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; what[k]; k++)
			if (text[i] == what[k]) {
				text[i] = by[k];
				break;
			}
}

static void put_mac(struct buf *b, uint8_t form, const uint8_t *mac, size_t n)
{
	char text[BASE64_ENCODE_RAW_LENGTH(HTTP_SIGNATURE_MAX)];
	size_t len = BASE64_ENCODE_RAW_LENGTH(n);

	if (form == SIGN_MAC_HEX) {
		put_hex(b, mac, n);
		return;
	}
	if (form == SIGN_MAC_HEX_12_20) {
		put_hex(b, mac + 6, 4);
		return;
	}
	base64_encode_raw(text, n, mac);
	if (form == SIGN_MAC_BASE64URL) {
		replace(text, len, "+/", "-_");
		while (len && text[len - 1] == '=')
			len--;
	}
	if (form == SIGN_MAC_BASE64_CLOUDFRONT)
		replace(text, len, "+=/", "-_~");
	if (form == SIGN_MAC_BASE64_ESCAPED)
		http_sign_put_escaped(b, (struct str){text, len}, "");
	else
		buf_put(b, text, len);
}

int http_sign_url(const struct http_sign_scheme *s, const struct http_sign_args *a, struct buf *out)
{
	uint8_t key[HTTP_SIGN_KEY_MAX], input[HTTP_SIGN_INPUT_MAX];
	uint8_t mac_text[3 * BASE64_ENCODE_RAW_LENGTH(HTTP_SIGNATURE_MAX)];
	struct http_signature mac;
	struct values v = {.a = a,
		.time = s->time,
		.t = a->now_s + (s->means == SIGN_EXPIRY ? a->validity_s : 0)};
	struct buf in = buf_over(input, sizeof(input)), m = buf_over(mac_text, sizeof(mac_text));
	uint8_t *start = out->p;
	int rc = decode_key(s->key, a->key, key, &v.key);

	if (rc)
		return rc;
	if (http_sign_by_key(s))
		v.t = (v.t + KEPT_S - 1) / KEPT_S * KEPT_S;
	split_path(&v, a->path);
	make_iv(&v, a->nonce);
	if (!expand(&in, s->input, &v, false))
		return SL_EINVAL;
	if (in.overflow)
		return SL_ELIMIT;
	rc = make_mac(s->digest, &v, (struct str){(char *)input, buf_len(&in)}, &mac);
	if (rc)
		return rc;
	put_mac(&m, s->mac, mac.octets, mac.n);
	v.mac = (struct str){(char *)mac_text, buf_len(&m)};
	v.key = (struct str){NULL, 0}; /* no template may put it into a URL */
	if (!expand(out, s->url, &v, true)) {
		out->p = start;
		return SL_EINVAL;
	}
	return out->overflow ? SL_ELIMIT : 0;
}

void http_sign_hmac_parts(struct str key, const struct str *part, size_t n, char ret_hex[static 64])
{
	uint8_t mac[SHA256_DIGEST_SIZE];
	struct buf b = buf_over(ret_hex, 64);
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key.n, (const uint8_t *)key.p);
	for (size_t i = 0; i < n; i++)
		hmac_sha256_update(&ctx, part[i].n, (const uint8_t *)part[i].p);
	hmac_sha256_digest(&ctx, sizeof(mac), mac);
	put_hex(&b, mac, sizeof(mac));
}

bool http_sign_equal(const void *a, const void *b, size_t n)
{
	return memeql_sec(a, b, n);
}
