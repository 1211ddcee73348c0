/* SPDX-License-Identifier: Apache-2.0 */
/* An answer under construction; shared by answer.c, lookup.c and steer.c. */
#pragma once

#include "dns/answer.h"

struct reply {
	struct buf b; /* ends where the answer's OPT must begin at the latest */
	const struct dnsd_job *job;
	const struct dns_query *q; /* of the job */
	uint16_t n_answer, n_authority, n_additional;
	uint8_t rcode;
	uint8_t cookie; /* enum dns_cookie */
	bool aa;
	bool truncated;
	struct dns_opt_out opt;
	/* What is looked up: the question's name, or where a CNAME has led. */
	uint16_t owner; /* octet of the message where it stands */
	uint8_t name_n, labels;
	bool follow; /* the answer so far ends in a CNAME to it */
};

enum { REPLY_CNAME_HEAD = 12, REPLY_POINTER = 0xc000 };

/* n octets that hold `count` ready records; where there is no room the answer is cut. */
static inline void reply_put(
	struct reply *r, const uint8_t *records, size_t n, unsigned count, uint16_t *section)
{
	buf_put(&r->b, records, n);
	if (r->b.overflow)
		r->truncated = true;
	else
		*section = (uint16_t)(*section + count);
}

static inline void reply_ede(struct reply *r, enum dns_ede code, struct str text)
{
	r->opt.ede = (int16_t)code;
	r->opt.ede_text = text;
}

/* Ready records say that the question's name is theirs; behind a CNAME it is another. */
static inline void reply_own(const struct reply *r, uint8_t *p, unsigned count)
{
	if (r->owner == DNS_HEADER)
		return;
	for (; count; count--, p += REPLY_CNAME_HEAD + dns_be16(p + 10))
		dns_put_be16(p, REPLY_POINTER | r->owner);
}

/* Owner (a pointer to the name), type, class IN, TTL and length of data; NULL without room. */
static inline uint8_t *reply_put_head(struct reply *r, unsigned type, uint32_t ttl_s, size_t rdlen)
{
	uint8_t *p = buf_take(&r->b, REPLY_CNAME_HEAD + rdlen);

	if (!p) {
		r->truncated = true;
		return NULL;
	}
	dns_put_be16(p, REPLY_POINTER | r->owner);
	dns_put_be16(p + 2, type);
	dns_put_be16(p + 4, DNS_CLASS_IN);
	dns_put_be32(p + 6, ttl_s);
	dns_put_be16(p + 10, (unsigned)rdlen);
	r->n_answer++;
	return p + REPLY_CNAME_HEAD;
}

/* Finds the name and answers from the zones (lookup.c). */
void reply_lookup(struct reply *r, struct dnsd_worker *d) SL_NONNULL_ALL;

/* The records of a type at a name, or NULL. */
const struct cat_rrset *reply_rrset(
	const struct world *w, const struct cat_dname *name, unsigned type) SL_NONNULL_ALL SL_PURE;

/* The zone's SVCB or HTTPS records of a host with the addresses of the target as hints (svcb.c). */
void reply_svcb(struct reply *r, const struct world *w, const struct cat_rrset *set,
	const struct target *t, uint32_t n_addresses, uint32_t ttl_s) SL_NONNULL_ALL;

/* No such data, or no such name, with the zone's SOA; ttl_s caps the negative TTL. */
void reply_negative(struct reply *r, const struct world *w, const struct cat_zone *zone,
	uint32_t ttl_s) SL_NONNULL_ALL;

/* The least that says that the name exists (RFC 8482 section 4.2). */
void reply_any(struct reply *r) SL_NONNULL_ALL;

/* The place and sticky key of the job's client for a service. */
void reply_locate(const struct world *w, struct dnsd_job *job, uint32_t service) SL_NONNULL_ALL;

/* The slot that the sticky key of a located job gives, and where that is remembered. */
void reply_seat(struct dnsd_worker *d, struct dnsd_job *job, uint32_t service) SL_NONNULL_ALL;

/* A scheduled host, or what explains one (steer.c). */
void reply_steer(
	struct reply *r, struct dnsd_worker *d, const struct cat_dname *name) SL_NONNULL_ALL;
void reply_explain(
	struct reply *r, struct dnsd_worker *d, const struct cat_dname *name) SL_NONNULL_ALL;
