/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DNS query as it comes off the wire: header, one question, EDNS. Hand-written because it runs
 * for every packet; bounded by the message's length, no recursion, never follows a compression
 * pointer. Pure.
 */
#pragma once

#include "base/limits.h"
#include "dns/edns.h"

enum { DNS_HEADER = 12 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_YXDOMAIN = 6,
	DNS_BADVERS = 16,
	DNS_BADCOOKIE = 23,
	DNS_DROP = -1, /* no answer at all */
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_HINFO = 13,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_DNAME = 39,
	DNS_OPT = 41,
	DNS_DS = 43,
	DNS_SVCB = 64,
	DNS_HTTPS = 65,
	DNS_NXNAME = 128, /* RFC 9824: never asked for */
	DNS_TKEY = 249,
	DNS_TSIG = 250,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_MAILB = 253,
	DNS_MAILA = 254,
	DNS_ANY = 255,
};

enum { DNS_CLASS_IN = 1 };

enum { /* the two octets of flags, host order */
	DNS_QR = 0x8000,
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_OPCODE_SHIFT = 11,
};

/* A name that came in a question before. */
struct dns_known {
	uint8_t n; /* octets; 0: none */
	uint8_t labels;
	uint8_t octets[SL_DNS_NAME_MAX];
};

struct dns_query {
	const uint8_t *msg;  /* borrowed: the answer takes id and the case of the name from it */
	uint16_t question_n; /* octets of the question; 0: none that can be echoed */
	uint16_t type, class;
	uint16_t flags;
	uint8_t name_n;
	uint8_t labels; /* without the root */
	bool is_known;  /* the name is the one that dns_parse was told of */
	struct dns_opt opt;
};

static inline uint16_t dns_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void dns_put_be16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void dns_put_be32(uint8_t *p, uint32_t v)
{
	dns_put_be16(p, v >> 16);
	dns_put_be16(p + 2, v & 0xffff);
}

static inline unsigned dns_opcode(const struct dns_query *q)
{
	return q->flags >> DNS_OPCODE_SHIFT & 15;
}

/* The question's name as it came, name_n octets; none where question_n is 0. */
static inline const uint8_t *dns_name(const struct dns_query *q)
{
	return q->msg + DNS_HEADER;
}

/* The same in lower case, name_n octets. */
void dns_name_lower(
	const struct dns_query *q, uint8_t ret_name[static SL_DNS_NAME_MAX]) SL_NONNULL_ALL;

/*
 * Reads a message of n octets. Returns DNS_NOERROR for a query to be answered, DNS_DROP for what
 * gets no answer (short, or itself a response), else the code to answer with. What was read before
 * a mistake stands in *q. A query without a question comes through with question_n = 0 when it
 * carries a cookie (RFC 7873 section 5.4). A name that is `known`, octet for octet, is not read
 * label by label; NULL: none is.
 */
int dns_parse(const uint8_t *msg, size_t n, const struct dns_known *known, struct dns_query *q)
	SL_NONNULL(1, 4);
