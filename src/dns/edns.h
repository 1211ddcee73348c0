/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EDNS (RFC 6891) and the options we know: client subnet (RFC 7871), cookies (RFC 7873), name
 * server id (RFC 5001), extended errors (RFC 8914). Of an option that comes twice the first counts;
 * what is unknown is passed over. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/ip.h"

enum dns_option {
	DNS_OPT_NSID = 3,
	DNS_OPT_ECS = 8,
	DNS_OPT_COOKIE = 10,
	DNS_OPT_EDE = 15,
};

enum dns_ede { /* RFC 8914 section 4, RFC 9824 for the last */
	DNS_EDE_NONE = -1,
	DNS_EDE_OTHER = 0,
	DNS_EDE_NOT_READY = 14,
	DNS_EDE_PROHIBITED = 18,
	DNS_EDE_NOT_AUTHORITATIVE = 20,
	DNS_EDE_NOT_SUPPORTED = 21,
	DNS_EDE_INVALID_TYPE = 30,
};

enum {
	DNS_OPT_HEAD = 11, /* root, type, class, TTL, length */
	DNS_COOKIE_CLIENT = 8,
	DNS_COOKIE_MIN = 16, /* with the shortest server part */
	DNS_COOKIE_MAX = 40,
	DNS_COOKIE_OURS = 24, /* client part and a server part of RFC 9018 */
	DNS_NSID_MAX = 64,
	DNS_EDE_TEXT_MAX = 64,
};

struct dns_opt {
	bool there, dnssec_ok, nsid;
	bool has_ecs;
	uint8_t version;
	uint8_t cookie_n; /* 0: none */
	uint8_t ecs_octets;
	uint8_t ecs_source;  /* prefix length */
	uint16_t ecs_family; /* as on the wire: 0, 1, 2 */
	uint16_t udp_size;
	struct ip ecs; /* of the client; IP_NONE with source 0 of family 0 */
	uint8_t cookie[DNS_COOKIE_MAX];
};

/* What the answer's OPT says besides echoing. */
struct dns_opt_out {
	uint8_t scope;       /* of the client subnet */
	uint8_t rcode_high;  /* upper 8 bits of the code */
	bool cookie;         /* cookie[] holds DNS_COOKIE_OURS octets */
	int16_t ede;         /* enum dns_ede */
	struct str ede_text; /* static text, at most DNS_EDE_TEXT_MAX are sent */
	struct str nsid;     /* sent where asked for; at most DNS_NSID_MAX */
	uint8_t cookie_octets[DNS_COOKIE_OURS];
};

/* Reads the options of an OPT record, n octets at p, into *opt. false: FORMERR. */
bool dns_opt_parse(struct dns_opt *opt, const uint8_t *p, size_t n) SL_NONNULL_ALL;

/* Octets that the answer's OPT takes without an extended error; 0 when the query had none. */
size_t dns_opt_size(const struct dns_opt *in, const struct dns_opt_out *out) SL_NONNULL_ALL;

/* Appends the OPT record; an extended error only where it fits. */
void dns_opt_put(
	struct buf *b, const struct dns_opt *in, const struct dns_opt_out *out) SL_NONNULL_ALL;
