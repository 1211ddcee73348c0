/* SPDX-License-Identifier: Apache-2.0 */
/* A query and its reply, by ldns: one question, for a harvest with a client subnet (RFC 7871); the
 * addresses at the end of its chain of CNAMEs. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/ip.h"

enum { SENSE_MAX_EDGES = 8, SENSE_DNS_MAX = 4096 };

/* What is asked for. */
struct sense_dns_question {
	const char *host;
	bool v6;       /* AAAA */
	struct ip net; /* of the clients */
	uint8_t bits;  /* of it that are told, 1 to 32 (IPv6: 128); 0: nothing is told */
	uint16_t id;
};

/* Addresses in the server's order, and how long they hold. */
struct sense_dns_reply {
	struct ip ip[SENSE_MAX_EDGES];
	uint32_t n;
	uint32_t ttl_s; /* the smallest of the chain */
	bool cname;     /* there is one */
};

enum sense_dns_verdict {
	SENSE_DNS_GOOD,
	SENSE_DNS_OTHER, /* no reply to this question: to be ignored */
	SENSE_DNS_WIRE,  /* not readable */
	SENSE_DNS_CUT,   /* to be asked again over TCP */
	SENSE_DNS_RCODE, /* an error */
	SENSE_DNS_SCOPE, /* without the client subnet: not for these clients */
	SENSE_DNS_EMPTY, /* no address */
};

/* Octets of the query, 0 when it cannot be made. */
size_t sense_dns_query(const struct sense_dns_question *q, uint8_t *ret, size_t size)
	SL_NONNULL(1, 2);

enum sense_dns_verdict sense_dns_read(const struct sense_dns_question *q, const uint8_t *octets,
	size_t n, struct sense_dns_reply *ret_reply) SL_NONNULL(1, 2, 4);
