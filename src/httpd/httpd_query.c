/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/httpd_query.h"

#include "httpd/httpd.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octet that the escape at p stands for, or -1. */
static int escape_at(const char *p, size_t left)
{
	int hi, lo;

	if (left < 3)
		return -1;
	hi = hex_digit(p[1]);
	lo = hex_digit(p[2]);
	if (hi < 0 || lo < 0 || (hi | lo) == 0)
		return -1;
	return hi << 4 | lo;
}

bool httpd_unescape(struct str raw, struct buf *out, struct str *ret)
{
	const char *at = raw.p, *end = raw.p + raw.n;
	uint8_t *start = out->p;

	if (raw.n == 0 || !memchr(raw.p, '%', raw.n)) {
		*ret = raw;
		return true;
	}
	for (; at < end; at++) {
		int c = *at == '%' ? escape_at(at, (size_t)(end - at)) : (uint8_t)*at;

		if (c < 0)
			return false;
		if (*at == '%')
			at += 2;
		buf_put_u8(out, (uint8_t)c);
	}
	*ret = (struct str){(char *)start, (size_t)(out->p - start)};
	return !out->overflow;
}

struct str httpd_trim(struct str s)
{
	while (s.n && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* RFC 9110 section 5.6.2: tchar, as bits of 32 octets each. */
static const uint32_t token_bits[8] = {0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff};

bool httpd_is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (!(token_bits[c >> 5] >> (c & 31) & 1))
			return false;
	}
	return s.n > 0;
}

/* Sixteen octets at once. What is said of one is all ones where it is so, else zero. */
typedef uint8_t octets __attribute__((vector_size(16)));

/* What a header's value may not have, but for a tab, which may be there. */
static octets odd_in_value(octets v)
{
	return (octets)((v < 0x20) | (v == 0x7f));
}

/* What a request target may not have: blanks, control octets, '#', octets past ASCII. */
static octets odd_in_target(octets v)
{
	return (octets)((v < 0x21) | (v > 0x7e) | (v == '#'));
}

#define ANY_OCTET(s, odd)                                                                          \
	do {                                                                                       \
		octets v, found = {0};                                                             \
		uint64_t half[2];                                                                  \
		for (; (s).n >= sizeof(v); (s).p += sizeof(v), (s).n -= sizeof(v)) {               \
			memcpy(&v, (s).p, sizeof(v));                                              \
			found |= odd(v);                                                           \
		}                                                                                  \
		memset(&v, 'a', sizeof(v));                                                        \
		memcpy(&v, (s).p, (s).n);                                                          \
		found |= odd(v);                                                                   \
		memcpy(half, &found, sizeof(half));                                                \
		return half[0] | half[1];                                                          \
	} while (0)

static bool value_is_odd(struct str s)
{
	ANY_OCTET(s, odd_in_value);
}

static bool target_is_odd(struct str s)
{
	ANY_OCTET(s, odd_in_target);
}

bool httpd_is_field_value(struct str s)
{
	if (s.n == 0 || !value_is_odd(s))
		return true;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

bool httpd_is_target(struct str s)
{
	return s.n && !target_is_odd(s);
}

bool httpd_is_trusted(struct ip a, const struct httpd_prefix *trusted, size_t n)
{
	if (a.family == IP_NONE)
		return true;
	if (!trusted)
		return ip_is_loopback(a);
	for (size_t i = 0; i < n; i++) {
		if (trusted[i].ip.family == a.family &&
			ip_eq(ip_mask(a, trusted[i].len), trusted[i].ip))
			return true;
	}
	return false;
}

/* One element of the list: an address, "v4:port" or "[v6]" with or without port. */
static bool parse_hop(struct str s, struct ip *ret)
{
	struct str rest = s, head;

	if (s.n && s.p[0] == '[') {
		rest = (struct str){s.p + 1, s.n - 1};
		return ip_parse(str_cut(&rest, ']'), ret);
	}
	if (ip_parse(s, ret))
		return true;
	head = str_cut(&rest, ':');
	return ip_parse(head, ret) && ret->family == IP_V4;
}

static struct str cut_last(struct str *rest)
{
	const char *comma = rest->n ? memrchr(rest->p, ',', rest->n) : NULL;
	struct str last = *rest;

	if (!comma) {
		*rest = (struct str){NULL, 0};
		return httpd_trim(last);
	}
	last.p = comma + 1;
	last.n = (size_t)(rest->p + rest->n - last.p);
	rest->n = (size_t)(comma - rest->p);
	return httpd_trim(last);
}

struct ip httpd_forwarded_client(struct ip peer, const struct str *values, size_t n_values,
	const struct httpd_prefix *trusted, size_t n_trusted)
{
	struct ip client = peer, hop;

	while (n_values > 0) {
		struct str rest = values[--n_values];

		while (rest.n) {
			if (!httpd_is_trusted(client, trusted, n_trusted))
				return client;
			if (!parse_hop(cut_last(&rest), &hop))
				return client;
			client = hop;
		}
	}
	return client;
}
