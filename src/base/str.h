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
