/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/cookie.h"

#include <endian.h>

enum { COOKIE_VERSION = 1, HASHED_MAX = 8 + 8 + 16, HASH_AT = 16, TIME_AT = 12 };

static uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void rounds(uint64_t v[4], unsigned n)
{
	while (n--) {
		v[0] += v[1];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[0] = rotl(v[0], 32);
		v[2] += v[3];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[2] = rotl(v[2], 32);
	}
}

static uint64_t le64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

uint64_t dns_siphash24(const uint8_t key[static 16], const void *p, size_t n)
{
	uint64_t k0 = le64(key), k1 = le64(key + 8), last = (uint64_t)n << 56;
	uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
	const uint8_t *in = p;

	for (; n >= 8; n -= 8, in += 8) {
		uint64_t m = le64(in);

		v[3] ^= m;
		rounds(v, 2);
		v[0] ^= m;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)in[i] << (8 * i);
	v[3] ^= last;
	rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Hash of cookie[0..15] (both parts without the hash) and the address. */
static uint64_t hash_of(const uint8_t *key, const uint8_t *cookie, struct ip client)
{
	uint8_t in[HASHED_MAX];
	size_t n = client.family == IP_V4 ? 4 : 16;

	memcpy(in, cookie, HASH_AT);
	memcpy(in + HASH_AT, client.b, n);
	return dns_siphash24(key, in, HASH_AT + n);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

enum dns_cookie dns_cookie_check(
	const struct dns_secrets *s, const struct dns_opt *opt, struct ip client, uint32_t now_s)
{
	const uint8_t *c = opt->cookie;
	int32_t age_s;

	if (opt->cookie_n == 0 || s->n == 0)
		return DNS_COOKIE_NONE;
	if (opt->cookie_n == DNS_COOKIE_CLIENT)
		return DNS_COOKIE_FRESH;
	if (opt->cookie_n != DNS_COOKIE_OURS || c[DNS_COOKIE_CLIENT] != COOKIE_VERSION)
		return DNS_COOKIE_BAD;
	age_s = (int32_t)(now_s -
			  be32(c + TIME_AT)); /* RFC 1982 arithmetic, RFC 9018 section 4.3 */
	if (age_s > DNS_COOKIE_PAST_S || age_s < -DNS_COOKIE_FUTURE_S)
		return DNS_COOKIE_BAD;
	for (uint32_t i = 0; i < s->n; i++)
		if (hash_of(s->key[i], c, client) == le64(c + HASH_AT))
			return DNS_COOKIE_GOOD;
	return DNS_COOKIE_BAD;
}

void dns_cookie_make(const struct dns_secrets *s, const struct dns_opt *opt, struct ip client,
	uint32_t now_s, uint8_t ret_cookie[static DNS_COOKIE_OURS])
{
	uint64_t hash;
	uint32_t when = htobe32(now_s);

	memcpy(ret_cookie, opt->cookie, DNS_COOKIE_CLIENT);
	memcpy(ret_cookie + DNS_COOKIE_CLIENT, (const uint8_t[4]){COOKIE_VERSION, 0, 0, 0}, 4);
	memcpy(ret_cookie + TIME_AT, &when, sizeof(when));
	hash = htole64(hash_of(s->key[0], ret_cookie, client));
	memcpy(ret_cookie + HASH_AT, &hash, sizeof(hash));
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_key(struct str line, uint8_t *key)
{
	for (size_t i = 0; i < DNS_COOKIE_SECRET; i++) {
		int high = digit(line.p[2 * i]), low = digit(line.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int dns_secrets_parse(struct str text, struct dns_secrets *ret_secrets, struct errbuf *err)
{
	struct dns_secrets s = {0};

	for (unsigned at = 1; text.n; at++) {
		struct str line = str_cut(&text, '\n');

		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (s.n == DNS_COOKIE_SECRETS)
			return err_set(
				err, SL_ELIMIT, "line %u: over %d secrets", at, DNS_COOKIE_SECRETS);
		if (line.n != 2 * DNS_COOKIE_SECRET || !parse_key(line, s.key[s.n]))
			return err_set(err, SL_EFORMAT, "line %u: want 32 hexadecimal digits", at);
		s.n++;
	}
	*ret_secrets = s;
	return 0;
}
