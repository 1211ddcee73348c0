/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed view of octets: into a packet, an arena or a blob. Not NUL-terminated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct str {
	const char *p;
	size_t n;
};

#define STR_LIT(s) ((struct str){(s), sizeof(s) - 1})
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p

static inline struct str str_from(const char *z)
{
	return (struct str){z, z ? strlen(z) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_eq_z(struct str a, const char *z)
{
	return str_eq(a, str_from(z));
}

/* ASCII case does not count. */
static inline bool str_eq_ci(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

/* Cuts the part before the first sep off *rest (all of it when there is none) and returns it. */
static inline struct str str_cut(struct str *rest, char sep)
{
	const char *e = rest->n ? memchr(rest->p, sep, rest->n) : NULL;
	struct str head = {rest->p, e ? (size_t)(e - rest->p) : rest->n};
	size_t used = head.n + (e != NULL);

	rest->p = rest->p ? rest->p + used : NULL;
	rest->n -= used;
	return head;
}

/* All of s as a decimal number: digits only, at most max_digits of them (1..19). *ret is written on
 * success. */
static inline bool str_parse_u64(struct str s, size_t max_digits, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > max_digits)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = v;
	return true;
}

/* Octets of the UTF-8 sequence that s (not empty) begins with (RFC 3629 section 4), 0 when it is
 * none or ASCII. */
static inline size_t str_utf8_len(struct str s)
{
	static const struct {
		uint8_t lo, hi, lo2, hi2, len;
	} rows[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
	const uint8_t *p = (const uint8_t *)s.p;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (p[0] < rows[i].lo || p[0] > rows[i].hi)
			continue;
		if (s.n < rows[i].len || p[1] < rows[i].lo2 || p[1] > rows[i].hi2)
			return 0;
		for (size_t k = 2; k < rows[i].len; k++)
			if (p[k] < 0x80 || p[k] > 0xbf)
				return 0;
		return rows[i].len;
	}
	return 0;
}
