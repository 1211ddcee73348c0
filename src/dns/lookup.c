/* SPDX-License-Identifier: Apache-2.0 */
/* From the question's name to static data, delegations, wildcards and negative answers. */
#include "dns/reply.h"

enum { ANY_TTL_S = 3600, SOA_TTL = 6 };

void reply_negative(
	struct reply *r, const struct world *w, const struct cat_zone *zone, uint32_t ttl_s)
{
	uint8_t *p = r->b.p;

	reply_put(r, cat_wire(&w->cat, zone->soa), zone->soa.count, 1, &r->n_authority);
	if (r->truncated)
		return;
	/* the owner is the apex, which ends the question's name */
	dns_put_be16(p, 0xc000u | (DNS_HEADER + r->q->name_n - zone->apex.count));
	dns_put_be32(p + SOA_TTL, SL_MIN(ttl_s, zone->negative_ttl_s));
}

void reply_any(struct reply *r)
{
	static const uint8_t rdata[] = {7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
	uint8_t *p = reply_put_head(r, DNS_HINFO, ANY_TTL_S, sizeof(rdata));

	if (p)
		memcpy(p, rdata, sizeof(rdata));
}

const struct cat_rrset *reply_rrset(
	const struct world *w, const struct cat_dname *name, unsigned type)
{
	const struct cat_rrset *s = w->cat.rrsets + name->rrsets.first;

	for (uint32_t i = 0; i < name->rrsets.count; i++)
		if (s[i].type == type)
			return &s[i];
	return NULL;
}

static void put_rrset(
	struct reply *r, const struct world *w, const struct cat_rrset *s, uint16_t *section)
{
	reply_put(r, cat_wire(&w->cat, s->rrs), s->rrs.count, s->n_rrs, section);
}

/* Addresses beside an NS set that is the answer: only where they fit. */
static void put_extra(struct reply *r, const struct world *w, const struct cat_rrset *s)
{
	if (s->n_glue && (size_t)(r->b.end - r->b.p) >= s->glue.count)
		reply_put(
			r, cat_wire(&w->cat, s->glue), s->glue.count, s->n_glue, &r->n_additional);
}

static void answer_static(struct reply *r, const struct world *w, const struct cat_dname *name)
{
	const struct cat_rrset *s = reply_rrset(w, name, DNS_CNAME);

	if (!s)
		s = reply_rrset(w, name, r->q->type);
	if (s) {
		put_rrset(r, w, s, &r->n_answer);
		put_extra(r, w, s);
	} else if (r->q->type == DNS_ANY && name->kind != CAT_DNAME_EMPTY) {
		reply_any(r);
	} else {
		reply_negative(r, w, &w->cat.zones[name->zone], UINT32_MAX);
	}
}

/* A referral, unless the parent's own data of the cut is asked for (RFC 4035 section 3.1.4.1). The
 * question's name ends with the cut's, so the NS records' owner is a pointer into it. */
static void answer_cut(struct reply *r, const struct world *w, const struct cat_dname *cut)
{
	const struct cat_rrset *ns = reply_rrset(w, cut, DNS_NS);
	unsigned owner = 0xc000u | (DNS_HEADER + r->q->name_n - cut->name.count);
	uint8_t *p = r->b.p;

	if (r->q->type == DNS_DS && r->q->name_n == cut->name.count) {
		answer_static(r, w, cut);
		return;
	}
	r->aa = false;
	if (!ns)
		return;
	put_rrset(r, w, ns, &r->n_authority);
	if (ns->n_glue)
		reply_put(r, cat_wire(&w->cat, ns->glue), ns->glue.count, ns->n_glue,
			&r->n_additional);
	for (unsigned i = 0; !r->truncated && i < ns->n_rrs; i++) {
		dns_put_be16(p, owner);
		p += REPLY_CNAME_HEAD + dns_be16(p + 10);
	}
}

/* RFC 6672 section 3: the DNAME, and the CNAME that it makes of the question. */
static void answer_dname(struct reply *r, const struct world *w, const struct cat_dname *name,
	const struct cat_rrset *s)
{
	unsigned prefix = r->q->name_n - name->name.count; /* octets before the owner */
	const uint8_t *target = cat_wire(&w->cat, s->rrs) + REPLY_CNAME_HEAD;
	size_t target_n = s->rrs.count - REPLY_CNAME_HEAD;
	uint8_t *p = r->b.p;

	put_rrset(r, w, s, &r->n_answer);
	if (r->truncated)
		return;
	dns_put_be16(p, 0xc000u | (DNS_HEADER + prefix));
	if (prefix + target_n > SL_DNS_NAME_MAX) {
		r->rcode = DNS_YXDOMAIN;
		return;
	}
	p = reply_put_head(r, DNS_CNAME, s->ttl_s, prefix + target_n);
	if (!p)
		return;
	memcpy(p, dns_name(r->q), prefix);
	memcpy(p + prefix, target, target_n);
}

/* What a host has besides the steering; SVCB and HTTPS go with the decision. */
static bool is_static(unsigned type)
{
	return type != DNS_SVCB && type != DNS_HTTPS;
}

static void answer_name(struct reply *r, struct dnsd_worker *d, const struct cat_dname *name)
{
	const struct world *w = d->w.world;

	switch (name->kind) {
	case CAT_DNAME_DELEGATION:
		answer_cut(r, w, name);
		break;
	case CAT_DNAME_SERVICE:
		if (is_static(r->q->type) && reply_rrset(w, name, r->q->type))
			answer_static(r, w, name);
		else
			reply_steer(r, d, name);
		break;
	case CAT_DNAME_EXPLAIN:
		if (r->q->type == DNS_TXT)
			reply_explain(r, d, name);
		else
			answer_static(r, w, name);
		break;
	default:
		answer_static(r, w, name);
	}
}

/* The name is not there; above is what is nearest to it (RFC 4592 section 3.3.1). */
static void answer_below(struct reply *r, struct dnsd_worker *d, const struct cat_dname *above)
{
	const struct world *w = d->w.world;
	const struct cat_rrset *dname = reply_rrset(w, above, DNS_DNAME);

	if (above->kind == CAT_DNAME_DELEGATION) {
		answer_cut(r, w, above);
	} else if (dname) {
		answer_dname(r, w, above, dname);
	} else if (above->wildcard != BLOB_NONE) {
		answer_name(r, d, &w->cat.dnames[above->wildcard]);
	} else {
		r->rcode = DNS_NXDOMAIN;
		reply_negative(r, w, &w->cat.zones[above->zone], UINT32_MAX);
	}
}

void reply_lookup(struct reply *r, struct dnsd_worker *d)
{
	const struct cat_view *c = &d->w.world->cat;
	uint8_t name[SL_DNS_NAME_MAX];
	const uint8_t *p = name;
	size_t n = r->q->name_n;

	r->aa = true;
	if (r->job->name) {
		answer_name(r, d, r->job->name);
		return;
	}
	dns_name_lower(r->q, name);
	for (unsigned labels = r->q->labels; labels-- > 0;) {
		const struct cat_dname *above = NULL;

		n -= 1u + *p;
		p += 1 + *p;
		if (labels <= c->meta->max_labels) /* none longer is there: no need to look */
			above = cat_find_dname(c, p, n);
		if (above) {
			answer_below(r, d, above);
			return;
		}
	}
	r->aa = false;
	r->rcode = DNS_REFUSED;
	reply_ede(r, DNS_EDE_NOT_AUTHORITATIVE, (struct str){0});
}
