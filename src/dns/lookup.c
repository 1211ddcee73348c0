/* SPDX-License-Identifier: Apache-2.0 */
/* From a name to static data, delegations, wildcards and negative answers, and along CNAMEs. */
#include "dns/reply.h"

enum { ANY_TTL_S = 3600, SOA_TTL = 6 };

/* What the tail of the name that is n octets long is pointed to by. */
static unsigned pointer_to_tail(const struct reply *r, unsigned n)
{
	return REPLY_POINTER | (r->owner + r->name_n - n);
}

void reply_negative(
	struct reply *r, const struct world *w, const struct cat_zone *zone, uint32_t ttl_s)
{
	uint8_t *p = r->b.p;

	reply_put(r, cat_wire(&w->cat, zone->soa), zone->soa.count, 1, &r->n_authority);
	if (r->truncated)
		return;
	dns_put_be16(p, pointer_to_tail(r, zone->apex.count)); /* the owner is the apex */
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
	uint8_t *p = r->b.p;

	reply_put(r, cat_wire(&w->cat, s->rrs), s->rrs.count, s->n_rrs, section);
	if (!r->truncated)
		reply_own(r, p, s->n_rrs);
}

static uint8_t lower(uint8_t c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* The name that is looked up, as it stands in the message. */
static const uint8_t *name_of(const struct reply *r)
{
	return r->b.base + r->owner;
}

static bool is_name_of(const struct reply *r, const uint8_t *name, size_t n)
{
	if (n != r->name_n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(name[i]) != lower(name_of(r)[i]))
			return false;
	return true;
}

/* RFC 1034 section 4.3.2, 3a: the search goes on at the CNAME's target, the n octets that end the
 * answer so far; not where it leads back to itself. */
static void follow(struct reply *r, size_t n)
{
	const uint8_t *target = r->b.p - n;
	uint8_t labels = 0;
	size_t at = 0;

	for (; at < n && target[at]; at += 1u + target[at])
		labels++;
	if (n > SL_DNS_NAME_MAX || at + 1 != n || is_name_of(r, target, n))
		return;
	r->name_n = (uint8_t)n;
	r->labels = labels;
	r->owner = (uint16_t)(target - r->b.base);
	r->follow = true;
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
	const struct cat_rrset *cname = reply_rrset(w, name, DNS_CNAME);
	const struct cat_rrset *s = cname ? cname : reply_rrset(w, name, r->q->type);

	if (s) {
		put_rrset(r, w, s, &r->n_answer);
		put_extra(r, w, s);
		if (cname && !r->truncated && r->q->type != DNS_CNAME && r->q->type != DNS_ANY)
			follow(r, s->rrs.count - REPLY_CNAME_HEAD);
	} else if (r->q->type == DNS_ANY && name->kind != CAT_DNAME_EMPTY) {
		reply_any(r);
	} else {
		reply_negative(r, w, &w->cat.zones[name->zone], UINT32_MAX);
	}
}

/* A referral, unless the parent's own data of the cut is asked for (RFC 4035 section 3.1.4.1). The
 * name ends with the cut's, so the NS records' owner is a pointer into it. Behind a CNAME the first
 * owner still is ours (RFC 1035 section 4.1.1). */
static void answer_cut(struct reply *r, const struct world *w, const struct cat_dname *cut)
{
	const struct cat_rrset *ns = reply_rrset(w, cut, DNS_NS);
	unsigned owner = pointer_to_tail(r, cut->name.count);
	uint8_t *p = r->b.p;

	if (r->q->type == DNS_DS && r->name_n == cut->name.count) {
		answer_static(r, w, cut);
		return;
	}
	r->aa = r->n_answer > 0;
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
	unsigned prefix = r->name_n - name->name.count; /* octets before the owner */
	const uint8_t *target = cat_wire(&w->cat, s->rrs) + REPLY_CNAME_HEAD;
	size_t target_n = s->rrs.count - REPLY_CNAME_HEAD;
	uint8_t *p = r->b.p;

	put_rrset(r, w, s, &r->n_answer);
	if (r->truncated)
		return;
	dns_put_be16(p, pointer_to_tail(r, name->name.count));
	if (prefix + target_n > SL_DNS_NAME_MAX) {
		r->rcode = DNS_YXDOMAIN;
		return;
	}
	p = reply_put_head(r, DNS_CNAME, s->ttl_s, prefix + target_n);
	if (!p)
		return;
	memcpy(p, name_of(r), prefix);
	memcpy(p + prefix, target, target_n);
	if (r->q->type != DNS_CNAME && r->q->type != DNS_ANY)
		follow(r, prefix + target_n);
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

/* Answers at a name that is not there as a whole; false where it is in no zone of ours. */
static bool answer_under(struct reply *r, struct dnsd_worker *d, const uint8_t *name)
{
	const struct cat_view *c = &d->w.world->cat;
	const uint8_t *p = name;
	size_t n = r->name_n;

	for (unsigned labels = r->labels; labels-- > 0;) {
		const struct cat_dname *above = NULL;

		n -= 1u + *p;
		p += 1 + *p;
		if (labels <= c->meta->max_labels) /* none longer is there: no need to look */
			above = cat_find_dname(c, p, n);
		if (above) {
			answer_below(r, d, above);
			return true;
		}
	}
	return false;
}

static void answer_behind(struct reply *r, struct dnsd_worker *d)
{
	const struct cat_dname *whole;
	uint8_t name[SL_DNS_NAME_MAX];

	for (size_t i = 0; i < r->name_n; i++)
		name[i] = lower(name_of(r)[i]);
	whole = cat_find_dname(&d->w.world->cat, name, r->name_n);
	if (whole)
		answer_name(r, d, whole);
	else
		(void)answer_under(r, d, name);
}

static void answer_unknown(struct reply *r, struct dnsd_worker *d)
{
	uint8_t name[SL_DNS_NAME_MAX];

	dns_name_lower(r->q, name);
	if (answer_under(r, d, name))
		return;
	r->aa = false;
	r->rcode = DNS_REFUSED;
	reply_ede(r, DNS_EDE_NOT_AUTHORITATIVE, (struct str){0});
}

void reply_lookup(struct reply *r, struct dnsd_worker *d)
{
	r->aa = true;
	if (r->job->name)
		answer_name(r, d, r->job->name);
	else
		answer_unknown(r, d);
	for (unsigned left = CAT_MAX_CNAMES; r->follow && left; left--) {
		r->follow = false;
		answer_behind(r, d);
	}
}
