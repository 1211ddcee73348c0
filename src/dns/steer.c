/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduled hosts: the decision of answer/ as records. */
#include "base/hash.h"
#include "dns/memo.h"
#include "dns/reply.h"

enum { RR_TTL = 6, EXPLAIN_LABEL = sizeof("_sluice") };

struct steering {
	const struct cat_service *service;
	const struct dnsd_job *job; /* located and seated for the service */
	struct question q;
	struct answer a;
	uint32_t ttl_s;
	bool found; /* target is that of a.slot[0] */
	struct target target;
};

/* The client is whom the resolver asks for, when it says so (RFC 7871 section 7.2.1). */
static const struct ip *client_of(const struct dnsd_job *job)
{
	return job->told ? &job->q.opt.ecs : &job->client;
}

void reply_locate(const struct world *w, struct dnsd_job *job, uint32_t service)
{
	const struct dns_opt *o = &job->q.opt;
	const struct ip *client;

	job->told = o->has_ecs && o->ecs_source;
	client = client_of(job);
	job->place = answer_locate(w, *client, job->told ? o->ecs_source : ip_bits(*client));
	job->key = answer_key(*client, job->place, service);
	job->row = world_row(w, service, job->place.group);
	job->located = true;
}

void reply_seat(struct dnsd_worker *d, struct dnsd_job *job, uint32_t service)
{
	if (job->row->hold_length > GEO_FLOOR_V4) /* rare */
		answer_narrow(job->row, *client_of(job), &job->place, &job->key);
	job->slot = answer_sticky_slot(d->w.world, job->row, job->key);
	job->memo = NULL;
	if (job->slot >= SL_MAX_SLOTS || !d->view || d->w.stale || job->place.denied)
		return;
	job->tag = memo_tag(service, job->place.group, job->slot);
	job->memo = memo_at(d->memo, job->tag);
}

/* own: room for a job that is not located yet: by a wildcard, or to be explained. */
static void begin(struct steering *s, struct reply *r, struct dnsd_worker *d, uint32_t service,
	struct dnsd_job *own)
{
	const struct dnsd_job *job = r->job;

	if (!job->located) {
		*own = *job;
		reply_locate(d->w.world, own, service);
		reply_seat(d, own, service);
		job = own;
	}
	s->service = &d->w.world->cat.services[service];
	s->job = job;
	s->q = (struct question){.service = service,
		.group = job->place.group,
		.key = job->key,
		.cur = SCORE_NONE,
		.denied = job->place.denied,
		.stale = d->w.stale,
		.now_ms = d->w.now_ms};
	s->found = false;
	if (job->told)
		r->opt.scope = job->place.scope;
}

/* Whether this answer can use the target. At an apex a CNAME cannot stand beside the SOA. */
static bool fits(const struct target *t, uint8_t mode, bool apex)
{
	if (t->kind == TARGET_CNAME)
		return mode != CAT_DNS_ADDRESS && !apex;
	return t->kind != TARGET_NOTHING;
}

/* Puts the first ranked vendor that this door can name at the head. */
static void find_target(struct steering *s, const struct dnsd_worker *d, bool apex)
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
			s->found = true;
			return;
		}
	}
	s->a.n = 0;
}

static void remember(const struct steering *s, const struct dnsd_worker *d)
{
	struct memo *m = s->job->memo;
	const struct cat_view *c = &d->w.world->cat;
	const struct target *t = &s->target;

	/* own nodes go by the client's key, what was spilled too, and edges end before the tick */
	if (!s->found || s->a.reason != ANSWER_STICKY || t->kind == TARGET_NODES ||
		t->kind == TARGET_EDGES)
		return;
	m->view = d->view;
	m->tag = s->job->tag;
	m->slot = (uint32_t)(t->slot - c->slots);
	m->addrs = t->kind == TARGET_ADDRESSES ? (uint32_t)(t->addrs - c->addrsets) : BLOB_NONE;
}

/* What DNS uses of the decision: the first vendor and its target. */
static void recall(struct steering *s, const struct dnsd_worker *d)
{
	const struct memo *m = s->job->memo;
	const struct cat_view *c = &d->w.world->cat;
	struct target *t = &s->target;

	s->a.n = 1;
	s->a.slot[0] = (uint8_t)(m->slot - s->service->slots.first);
	s->a.reason = ANSWER_STICKY;
	s->a.kind = ANSWER_NEW;
	s->a.stale = false;
	s->a.row = s->job->row;
	t->kind = m->addrs == BLOB_NONE ? TARGET_CNAME : TARGET_ADDRESSES;
	t->slot = &c->slots[m->slot];
	t->vendor = t->slot->vendor;
	t->addrs = m->addrs == BLOB_NONE ? NULL : &c->addrsets[m->addrs];
	t->n_nodes = 0;
	t->turn = answer_turn(s->service, s->job->key);
	s->found = true;
}

/* Bits of the client's address that the resolver keeps answers apart by; who does not say is taken
 * for a resolver of a /24 or /56. */
static unsigned kept_apart(const struct dnsd_job *job)
{
	if (job->told)
		return job->q.opt.ecs_source;
	return job->client.family == IP_V4 ? GEO_FLOOR_V4 : GEO_FLOOR_V6;
}

/* What is kept for a wider block than its vendor wants is kept for a shorter time. */
static void hold(struct steering *s)
{
	enum ip_family family = client_of(s->job)->family;
	unsigned wants = answer_hold_length(answer_slot_hold(s->job->row, s->a.slot[0]), family);
	unsigned has = kept_apart(s->job);

	if (wants > has)
		s->ttl_s = SL_MAX(s->ttl_s >> SL_MIN(wants - has, 31U), SL_MIN(s->ttl_s, 1U));
}

static void decide(struct steering *s, struct reply *r, struct dnsd_worker *d, uint32_t service,
	bool apex, struct dnsd_job *own)
{
	const struct memo *m;

	begin(s, r, d, service, own);
	m = apex ? NULL : s->job->memo;
	s->ttl_s = answer_ttl_s(s->service, s->job->row);
	if (m && m->view == d->view && m->tag == s->job->tag) {
		recall(s, d);
	} else {
		worker_decide(&d->w, &s->q, &s->a);
		find_target(s, d, apex);
		if (m)
			remember(s, d);
	}
	if (s->job->row->hold_slots && s->found)
		hold(s);
}

/* Sessions behind the answer: of those behind one for a /24 or /56, the part of its block. */
static uint32_t viewers(const struct steering *s)
{
	const struct dnsd_job *job = s->job;
	enum ip_family family = client_of(job)->family;
	unsigned apart, from;

	if (job->row->hold_length <= GEO_FLOOR_V4) /* nearly always */
		return s->service->dns_viewers;
	apart = SL_MIN(answer_hold_length(job->row->hold_length, family), kept_apart(job));
	from = SL_MAX(answer_hold_length(GEO_FLOOR_V4, family), job->place.block);
	return SL_MAX(s->service->dns_viewers >> (apart > from ? apart - from : 0), 1U);
}

static void put_cname(struct reply *r, const struct world *w, const struct steering *s)
{
	struct blob_span cname = s->target.slot->cname;
	uint8_t *p = reply_put_head(r, DNS_CNAME, s->ttl_s, cname.count);

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
	reply_own(r, r->b.p, n);
	for (uint32_t i = 0; i < n; i++, r->b.p += size)
		dns_put_be32(r->b.p + RR_TTL, s->ttl_s);
	r->n_answer = (uint16_t)(r->n_answer + n);
	return n > 0;
}

static void put_target(struct reply *r, const struct world *w, const struct steering *s,
	const struct cat_dname *name)
{
	const struct cat_zone *zone = &w->cat.zones[name->zone];
	unsigned type = r->q->type;
	const struct cat_rrset *set =
		type == DNS_HTTPS || type == DNS_SVCB ? reply_rrset(w, name, type) : NULL;

	if (s->target.kind == TARGET_CNAME) {
		put_cname(r, w, s);
	} else if (type == DNS_A || type == DNS_AAAA) {
		if (put_addresses(r, w, s))
			return;
		r->opt.scope = 0; /* RFC 7871 section 7.4: negative answers are for everybody */
		reply_negative(r, w, zone, s->ttl_s);
	} else if (set) {
		reply_svcb(r, w, set, &s->target, SL_MAX(s->service->n_addresses, 1), s->ttl_s);
	} else if (type == DNS_ANY) {
		r->opt.scope = 0;
		reply_any(r);
	} else {
		r->opt.scope = 0;
		reply_negative(r, w, zone, UINT32_MAX);
	}
}

SL_FLATTEN void reply_steer(struct reply *r, struct dnsd_worker *d, const struct cat_dname *name)
{
	const struct world *w = d->w.world;
	const struct cat_zone *zone = &w->cat.zones[name->zone];
	struct steering s;
	struct dnsd_job own;

	decide(&s, r, d, name->service, name->name.count == zone->apex.count, &own);
	if (s.found) {
		put_target(r, w, &s, name);
	} else {
		r->opt.scope = 0;
		reply_ede(r, s.a.reason == ANSWER_DENIED ? DNS_EDE_PROHIBITED : DNS_EDE_OTHER,
			s.a.reason >= ANSWER_NO_VENDOR
				? str_from(answer_reason_text(s.a.reason))
				: STR_LIT("no vendor has what this door can give"));
		reply_negative(r, w, zone, s.service->negative_ttl_s);
	}
	worker_record(&d->w, &s.q, &s.a, viewers(&s), seen_before(d->w.all->seen, s.job->key));
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
	struct dnsd_job own;
	uint8_t text[255], *p;
	struct buf b = buf_over(text, sizeof(text));

	decide(&s, r, d, name->service, name->name.count - EXPLAIN_LABEL == apex, &own);
	BUF_PUT_LIT(&b, "group=");
	buf_put_str(&b, cat_text(&w->cat, w->cat.groups[s.q.group].name));
	BUF_PUT_LIT(&b, " scope=");
	buf_put_u64_dec(&b, s.job->place.scope);
	BUF_PUT_LIT(&b, " vendor=");
	buf_put_str(&b, vendor_name(w, &s));
	BUF_PUT_LIT(&b, " view=");
	buf_put_u64_dec(&b, w->tick.head->epoch);
	BUF_PUT_LIT(&b, ".");
	buf_put_u64_dec(&b, w->tick.head->generation);
	p = reply_put_head(r, DNS_TXT, s.ttl_s, 1 + buf_len(&b));
	if (!p)
		return;
	p[0] = (uint8_t)buf_len(&b);
	memcpy(p + 1, text, buf_len(&b));
}
