/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduled hosts: the decision of answer/ as records. */
#include "base/hash.h"
#include "dns/reply.h"

enum { RR_TTL = 6, EXPLAIN_LABEL = sizeof("_sluice") };

struct steering {
	const struct cat_service *service;
	struct place place;
	struct question q;
	struct answer a;
	struct target target;
};

/* The client is whom the resolver asks for, when it says so (RFC 7871 section 7.2.1). */
static void decide(struct steering *s, struct reply *r, struct dnsd_worker *d, uint32_t service)
{
	const struct dns_opt *o = &r->q->opt;
	bool told = o->has_ecs && o->ecs_source;
	struct ip client = told ? o->ecs : r->client;

	s->service = &d->w.world->cat.services[service];
	s->place = answer_locate(d->w.world, client, told ? o->ecs_source : ip_bits(client));
	s->q = (struct question){.service = service,
		.group = s->place.group,
		.key = answer_key(client, s->place, service),
		.cur = SCORE_NONE,
		.stale = d->w.stale};
	worker_decide(&d->w, &s->q, &s->a);
	if (told)
		r->opt.scope = s->place.scope;
}

/* Whether this answer can use the target. At an apex a CNAME cannot stand beside the SOA. */
static bool fits(const struct target *t, uint8_t mode, bool apex)
{
	if (t->kind == TARGET_CNAME)
		return mode != CAT_DNS_ADDRESS && !apex;
	return t->kind != TARGET_NOTHING;
}

/* Puts the first ranked vendor that this door can name at the head; false when there is none. */
static bool find_target(struct steering *s, const struct dnsd_worker *d, bool apex)
{
	uint8_t mode = apex ? CAT_DNS_ADDRESS : s->service->dns_mode;

	for (uint32_t i = 0; i < s->a.n; i++) {
		uint8_t slot = s->a.slot[i];
		struct target *t = &s->target;

		if (mode == CAT_DNS_CNAME) {
			t->slot = &d->w.world->cat.slots[s->service->slots.first + slot];
			t->kind = t->slot->cname.count ? TARGET_CNAME : TARGET_NOTHING;
		} else {
			answer_target(
				d->w.world, &s->q, slot, 0, SL_MAX(s->service->n_addresses, 1), t);
		}
		if (fits(t, mode, apex)) {
			memmove(s->a.slot + 1, s->a.slot, i);
			s->a.slot[0] = slot;
			return true;
		}
	}
	return false;
}

static void put_cname(struct reply *r, const struct world *w, const struct steering *s)
{
	struct blob_span cname = s->target.slot->cname;
	uint8_t *p = reply_put_head(r, DNS_CNAME, s->service->ttl_s, cname.count);

	if (p)
		memcpy(p, cat_wire(&w->cat, cname), cname.count);
}

/* As many as the service wants and the answer holds. false: there are none of this family. */
static bool put_addresses(struct reply *r, const struct world *w, const struct steering *s)
{
	bool v6 = r->q->type == DNS_AAAA;
	size_t size = v6 ? CAT_AAAA_RR_SIZE : CAT_A_RR_SIZE;
	size_t room = (size_t)(r->b.end - r->b.p) / size;
	uint32_t want = SL_MAX(s->service->n_addresses, 1), n;

	n = answer_records(w, &s->target, v6, (uint32_t)SL_MIN(want, room), r->b.p);
	for (uint32_t i = 0; i < n; i++, r->b.p += size)
		dns_put_be32(r->b.p + RR_TTL, s->service->ttl_s);
	r->n_answer = (uint16_t)(r->n_answer + n);
	return n > 0;
}

static void put_target(struct reply *r, const struct world *w, const struct steering *s,
	const struct cat_zone *zone)
{
	unsigned type = r->q->type;

	if (s->target.kind == TARGET_CNAME) {
		put_cname(r, w, s);
	} else if (type == DNS_A || type == DNS_AAAA) {
		if (put_addresses(r, w, s))
			return;
		r->opt.scope = 0; /* RFC 7871 section 7.4: negative answers are for everybody */
		reply_negative(r, w, zone, s->service->ttl_s);
	} else if (type == DNS_ANY) {
		r->opt.scope = 0;
		reply_any(r);
	} else {
		r->opt.scope = 0;
		reply_negative(r, w, zone, UINT32_MAX);
	}
}

void reply_steer(struct reply *r, struct dnsd_worker *d, const struct cat_dname *name)
{
	const struct world *w = d->w.world;
	const struct cat_zone *zone = &w->cat.zones[name->zone];
	struct steering s;

	decide(&s, r, d, name->service);
	if (!find_target(&s, d, name->name.count == zone->apex.count)) {
		const char *why = s.a.n ? "no vendor has what this door can give"
					: answer_reason_text(s.a.reason);

		s.a.n = 0;
		r->opt.scope = 0;
		reply_ede(r, DNS_EDE_OTHER, str_from(why));
		reply_negative(r, w, zone, s.service->negative_ttl_s);
	} else {
		put_target(r, w, &s, zone);
	}
	worker_record(&d->w, &s.q, &s.a, s.service->dns_viewers,
		seen_before(d->w.all->seen, hash_mix(s.q.key, s.q.service)));
}

static struct str vendor_name(const struct world *w, const struct steering *s)
{
	uint32_t slot = s->service->slots.first + s->a.slot[0];

	return s->a.n ? cat_text(&w->cat, w->cat.vendors[w->cat.slots[slot].vendor].name)
		      : STR_LIT("none");
}

void reply_explain(struct reply *r, struct dnsd_worker *d, const struct cat_dname *name)
{
	const struct world *w = d->w.world;
	uint32_t apex = w->cat.zones[name->zone].apex.count;
	struct steering s;
	uint8_t text[255], *p;
	struct buf b = buf_over(text, sizeof(text));

	decide(&s, r, d, name->service);
	if (!find_target(&s, d, name->name.count - EXPLAIN_LABEL == apex))
		s.a.n = 0;
	BUF_PUT_LIT(&b, "group=");
	buf_put_str(&b, cat_text(&w->cat, w->cat.groups[s.q.group].name));
	BUF_PUT_LIT(&b, " scope=");
	buf_put_u64_dec(&b, s.place.scope);
	BUF_PUT_LIT(&b, " vendor=");
	buf_put_str(&b, vendor_name(w, &s));
	BUF_PUT_LIT(&b, " view=");
	buf_put_u64_dec(&b, w->tick.head->epoch);
	BUF_PUT_LIT(&b, ".");
	buf_put_u64_dec(&b, w->tick.head->generation);
	p = reply_put_head(r, DNS_TXT, s.service->ttl_s, 1 + buf_len(&b));
	if (!p)
		return;
	p[0] = (uint8_t)buf_len(&b);
	memcpy(p + 1, text, buf_len(&b));
}
