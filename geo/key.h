/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of an address, packed in 64 bits for covers: country (2 letters), province (up to
 * 3 letters or digits) and carrier (row of the table + 1). 0 = not known. GEO_NONE = a source says
 * that there is none, which the sources behind it cannot overrule.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum { GEO_NONE = '-', GEO_ISP_NONE = 0xff };

/* A value no place has: stretches of v6 that stand for v4 addresses. Never merged with others. */
#define GEO_KEY_EMBEDDED UINT64_MAX

struct geo_key {
	uint16_t country;
	uint32_t province; /* 24 bits */
	uint8_t isp;
};

static inline uint64_t geo_key_pack(struct geo_key k)
{
	return (uint64_t)k.country << 32 | (uint64_t)k.province << 8 | k.isp;
}

static inline struct geo_key geo_key_unpack(uint64_t v)
{
	return (struct geo_key){(uint16_t)(v >> 32), (uint32_t)(v >> 8) & 0xffffff, (uint8_t)v};
}

/* Upper-case letters and digits of s, at most max, as a number, the first octet lowest; 0 when s
 * has other octets or is too long. */
static inline uint32_t geo_code(struct str s, size_t max, bool digits)
{
	uint32_t v = 0;

	if (s.n == 0 || s.n > max)
		return 0;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (c >= 'a' && c <= 'z')
			c = (uint8_t)(c - ('a' - 'A'));
		if (!(c >= 'A' && c <= 'Z') && !(digits && c >= '0' && c <= '9'))
			return 0;
		v |= (uint32_t)c << (8 * i);
	}
	return v;
}

static inline uint16_t geo_code_country(struct str s)
{
	return s.n == 2 ? (uint16_t)geo_code(s, 2, false) : 0;
}

static inline uint32_t geo_code_province(struct str s)
{
	return geo_code(s, 3, true);
}

/* The text of a code at z, which holds 4 octets. */
static inline struct str geo_code_text(uint32_t code, char *z)
{
	size_t n = 0;

	for (; n < 3 && code; code >>= 8)
		z[n++] = (char)(code & 0xff);
	z[n] = '\0';
	return (struct str){z, n};
}
