/* SPDX-License-Identifier: Apache-2.0 */
/* Client addresses: one type for both families, parsed and printed the standard way. */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum ip_family { IP_NONE = 0, IP_V4 = 4, IP_V6 = 6 };

/* Network order; a v4 address uses b[0..3] and the rest is zero. Plain value, compared whole. */
struct ip {
	uint8_t b[16];
	uint8_t family; /* enum ip_family */
};

enum { IP_TEXT_MAX = 46 };

/* Parses a textual address (no prefix length, no zone). false when it is none. */
bool ip_parse(struct str s, struct ip *ret_ip) SL_NONNULL(2);

/* Parses "ADDR/LEN"; a missing /LEN means the whole address. Host bits must be zero. */
bool ip_parse_prefix(struct str s, struct ip *ret_ip, uint8_t *ret_len) SL_NONNULL(2, 3);

/* Address of a socket peer; IP_NONE for other families. */
struct ip ip_from_sockaddr(const struct sockaddr *sa) SL_NONNULL(1);

/* v4-mapped (::ffff:0:0/96), 6to4 (2002::/16) and Teredo (2001::/32, RFC 4380: the client's
 * address, inverted) become the v4 address they stand for; all else stays. */
struct ip ip_embedded_v4(struct ip a) SL_PURE;

/* Bits of an address of this family: 32 or 128. */
static inline uint8_t ip_bits(struct ip a)
{
	return a.family == IP_V4 ? 32 : 128;
}

/* The upper n bits of 64, n of 0 to 64, in network order. */
static inline uint64_t ip_upper_bits(unsigned n)
{
	return htobe64(n ? UINT64_MAX << (64 - n) : 0);
}

/* The address with all bits past len zeroed. */
static inline struct ip ip_mask(struct ip a, uint8_t len)
{
	uint64_t half[2];

	memcpy(half, a.b, sizeof(half));
	half[0] &= ip_upper_bits(SL_MIN(len, 64U));
	half[1] &= ip_upper_bits(SL_MIN(SL_MAX(len, 64U), 128U) - 64U);
	memcpy(a.b, half, sizeof(half));
	return a;
}

static inline bool ip_eq(struct ip a, struct ip b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

/* true for 127.0.0.0/8 and ::1. */
bool ip_is_loopback(struct ip a) SL_PURE;

/* Canonical text (RFC 5952), NUL-terminated. */
void ip_format(struct ip a, char ret_text[static IP_TEXT_MAX]);

/* Canonical text at the cursor, no NUL. No allocation, no system call: for the query path. */
void ip_put(struct buf *b, struct ip a) SL_NONNULL(1);
