/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors, one who asks at a time: workers as the daemon has them decide by answer/ and count in
 * tallies, and where the answer points is where the session goes. What a door adds to the decision
 * (its key, the filter of who was seen, a resolver's cache) is as in src/http and src/dns.
 */
#include "base/hash.h"
#include "sim/plant_viewers.h"
#include "sim/policy_int.h"
#include "sim/policy_ratio.h"
#include "sim/policy_world.h"
#include "tally/worker.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 64, SERVICE = 0 }; /* dispatches of a worker between two looks at the others */

struct policy_answer {
	struct policy_world world;
	struct workers all;
	struct worker worker[POLICY_WORKERS];
	struct policy_ratio ratio;
};

struct asked {
	struct policy *p;
	struct plant *plant;
	struct policy_trace *trace;
	struct worker *w;
	uint32_t worker; /* its number */
	const struct plant_ask *ask;
};

int policy_answer_init(struct policy *p)
{
	struct policy_answer *a = calloc(1, sizeof(*a));
	struct errbuf err;
	int rc = a ? 0 : SL_ENOMEM;

	p->answer = a;
	if (rc == 0)
		rc = policy_world_init(&a->world, p->world, (uint32_t)lround(p->kbps), &err);
	if (rc == 0)
		rc = (a->all.seen = seen_new()) ? 0 : SL_ENOMEM;
	for (uint32_t i = 0; rc == 0 && i < POLICY_WORKERS; i++) {
		a->all.tally[i] = calloc(1, sizeof(struct tally)); /* large and sparse */
		a->all.n++;
		rc = a->all.tally[i] ? worker_init(&a->worker[i], &a->all, i) : SL_ENOMEM;
	}
	return rc;
}

void policy_answer_done(struct policy_answer *a)
{
	if (!a)
		return;
	for (uint32_t i = 0; i < a->all.n; i++) {
		worker_done(&a->worker[i]);
		free(a->all.tally[i]);
	}
	free(a->all.seen);
	policy_world_done(&a->world);
	free(a);
}

void policy_answer_take(struct policy *p)
{
	struct policy_answer *a = p->answer;
	uint32_t fallback[SCORE_ROW];
	struct errbuf err;
	int rc;

	policy_fixed_shares(p, fallback);
	rc = policy_world_take(&a->world, p->world, &p->out, fallback, p->now_ms, &err);
	sl_assert(rc == 0);
}

const struct policy_ratio *policy_ratio(const struct policy *p)
{
	return p->answer ? &p->answer->ratio : NULL;
}

/* --- what came of it ------------------------------------------------------------------------- */

static bool has_cause(const struct plant *p, const struct plant_ask *ask)
{
	return plant_faulty(p, ask->group, ask->cur) || p->drained[ask->cur];
}

/* Tells the viewer, and notes it for the figures. vendor: SIM_NONE where it was refused. */
static void tell(struct asked *d, uint32_t vendor, double scale)
{
	const struct plant_ask *ask = d->ask;
	bool seated = ask->cur != SIM_NONE;

	if (seated && vendor != ask->cur) {
		d->trace->moved++;
		d->trace->moved_with_cause += has_cause(d->plant, ask);
	}
	d->trace->asked += !seated;
	if (vendor == SIM_NONE)
		d->trace->refused++;
	else if (vendor != ask->cur)
		d->trace->dispatched[ask->group][vendor]++;
	plant_tell(d->plant, ask, vendor, scale);
}

/* Slots that the row and the budgets leave open. */
static uint32_t open_slots(const struct worker *w, const struct question *q, uint32_t usable)
{
	uint32_t open = 0;

	for (uint32_t v = 0; v < w->world->cat.n_vendors; v++) {
		uint16_t r = w->world->cat.region_of[world_cell(w->world, q->group, v)].v;
		bool spent = w->full.vendors >> v & 1 ||
			     (r != UINT16_MAX && w->full.regions[r / 64] >> (r % 64) & 1);

		open |= (uint32_t)!spent << v;
	}
	return open & usable;
}

/* A dispatch in sequence against the shares it was to follow. */
static void note_ratio(struct asked *d, const struct question *q, const struct answer *a)
{
	const struct worker *w = d->w;
	struct policy_ratio_row row;
	uint32_t open;

	if (!q->by_sequence || a->kind == ANSWER_REFRESH || a->stale)
		return;
	open = open_slots(w, q, a->row->usable);
	policy_ratio_row(w->world->tick.shares[a->row->shares].ppm.v,
		open & ~q->avoid ? open & ~q->avoid : open, &row);
	policy_ratio_add(
		&d->p->answer->ratio, d->worker, q->group, &row, a->n ? a->slot[0] : SCORE_NONE);
}

/* --- the doors ------------------------------------------------------------------------------- */

/* The vendor that the first of the ranked sends to; SIM_NONE where there is none. */
static uint32_t target_of(const struct worker *w, const struct question *q, const struct answer *a)
{
	struct target t;

	if (a->n == 0)
		return SIM_NONE;
	answer_target(w->world, q, a->slot[0], 0, 1, &t);
	return t.kind == TARGET_NOTHING ? SIM_NONE : t.vendor;
}

static void http(struct asked *d)
{
	const struct plant_ask *ask = d->ask;
	struct worker *w = d->w;
	struct ip ip = plant_client_ip(ask);
	struct place place = answer_locate(w->world, ip, ip_bits(ip));
	bool known = ask->door == PLANT_HTTP, seen = false;
	struct question q = {.service = SERVICE,
		.group = place.group,
		.key = known ? hash64(&ask->id, sizeof(ask->id), SERVICE)
			     : answer_key(ip, place, SERVICE),
		.cur = known && ask->cur != SIM_NONE ? ask->cur : SCORE_NONE,
		.avoid = ask->avoid != SIM_NONE ? 1u << ask->avoid : 0,
		.denied = place.denied,
		.by_sequence = known,
		.stale = w->stale,
		.now_ms = w->now_ms};
	struct answer a;
	uint32_t vendor;

	w->door = TALLY_DOOR_HTTP;
	worker_decide(w, &q, &a);
	answer_lower(w->world, &q, (uint32_t)(hash_mix(q.key, known ? 0 : w->now_ms) >> 32), &a);
	note_ratio(d, &q, &a);
	if (!known)
		seen = seen_before(w->all->seen, hash_mix(hash64(&ip, sizeof(ip), 0), SERVICE));
	worker_record(w, &q, &a, 1, seen);
	vendor = target_of(w, &q, &a);
	if (vendor == SIM_NONE && !known && ask->cur != SIM_NONE)
		return; /* it plays on where it is */
	tell(d, vendor, a.kbps ? (double)a.kbps / w->world->cat.rungs[0].kbps : 1);
}

/* A resolver asks for its clients and keeps what it is told. */
static void resolve(struct asked *d, struct plant_block *b)
{
	struct worker *w = d->w;
	const struct cat_service *s = &w->world->cat.services[SERVICE];
	struct ip ip = plant_resolver_ip(d->ask);
	struct place place = answer_locate(w->world, ip, ip_bits(ip));
	struct question q = {.service = SERVICE,
		.group = place.group,
		.key = answer_key(ip, place, SERVICE),
		.cur = SCORE_NONE,
		.denied = place.denied,
		.stale = w->stale,
		.now_ms = w->now_ms};
	struct answer a;

	w->door = TALLY_DOOR_DNS;
	worker_decide(w, &q, &a);
	worker_record(w, &q, &a, s->dns_viewers, seen_before(w->all->seen, q.key));
	b->vendor = target_of(w, &q, &a);
	b->expires_s = d->plant->now_s +
		       (b->vendor == SIM_NONE ? s->negative_ttl_s : answer_ttl_s(s, a.row));
}

static void dns(struct asked *d)
{
	struct plant_block *b = &plant_blocks(d->plant, d->ask->group, PLANT_DNS)[d->ask->block];

	if (d->plant->now_s >= b->expires_s)
		resolve(d, b);
	tell(d, b->vendor, 1);
}

/* --- a second -------------------------------------------------------------------------------- */

static void round_of(struct policy *p)
{
	struct policy_answer *a = p->answer;
	const struct world *world = world_of(a->world.file);

	for (uint32_t i = 0; i < POLICY_WORKERS; i++)
		worker_round_at(
			&a->worker[i], world, PLANT_EPOCH_MS + (uint64_t)p->world->now_s * 1000);
}

static void count_row(struct policy *p, const struct tally *t, uint32_t g)
{
	const struct tally_row *r = &t->row[SERVICE][g];
	uint64_t sequence = tally_get(&r->none) *
			    world_of(p->answer->world.file)->cat.services[SERVICE].bitrate_kbps;

	for (uint32_t v = 0; v < p->world->n_vendors; v++) {
		uint64_t sticky = tally_get(&r->slot[v].sticky_kbps);

		sequence += tally_get(&r->slot[v].kbps) - sticky;
		p->tally.group[g].sticky_kbps += (double)sticky;
		p->tally.group[g].fresh += (double)tally_get(&r->slot[v].fresh);
		p->tally.group[g].refresh += (double)tally_get(&r->slot[v].refresh);
	}
	p->tally.group[g].sequence_kbps += (double)sequence;
}

/* The tallies of all workers, as the engine adds them up. */
static void count(struct policy *p)
{
	_Static_assert((int)TALLY_DOOR_DNS == LOOP_DNS && (int)TALLY_DOORS == LOOP_DOORS &&
			       (int)TALLY_CELLS == LOOP_CELLS,
		"the loop's doors and cells");
	p->tally = (struct policy_tally){.spent_kbps = {0}};
	for (uint32_t i = 0; i < POLICY_WORKERS; i++) {
		const struct tally *t = p->answer->all.tally[i];

		for (uint32_t c = 0; c < LOOP_CELLS; c++) {
			p->tally.spent_kbps[c] += (double)tally_get(&t->spent_kbps[c]);
			for (uint32_t d = 0; d < LOOP_DOORS; d++)
				p->tally.door_kbps[d][c] += (double)tally_get(&t->door_kbps[d][c]);
		}
		for (uint32_t g = 0; g < p->world->n_groups; g++)
			count_row(p, t, g);
	}
}

void policy_answer_doors(struct policy *p, struct plant *world, struct policy_trace *ret_trace)
{
	struct policy_answer *a = p->answer;
	struct plant_ask ask;
	struct asked d = {.p = p, .plant = world, .trace = ret_trace, .ask = &ask};

	*ret_trace = (struct policy_trace){.moved = 0};
	seen_rotate(a->all.seen, PLANT_EPOCH_MS + (uint64_t)world->now_s * 1000,
		(uint32_t)(world->s->f.audience.ttl_s * 1000));
	for (uint64_t n = 0; plant_next_ask(world, &ask); n++) {
		if (n % (BATCH * POLICY_WORKERS) == 0)
			round_of(p);
		d.worker = (uint32_t)(n % POLICY_WORKERS);
		d.w = &a->worker[d.worker];
		if (ask.door == PLANT_DNS)
			dns(&d);
		else
			http(&d);
	}
	policy_ratio_look(&a->ratio, world->n_groups);
	count(p);
}
