/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors, as a fluid: sessions of a second are dispatched by shares in sequence mode, by the
 * sticky tables behind resolvers and dialects, never past a budget; what has none left goes to the
 * others by their shares. Counts what the daemon's workers would count.
 */
#include "sim/policy_int.h"

#include <math.h>

enum { STEPS = 4 }; /* of a second: groups spend a budget side by side */

struct doors {
	struct policy *p;
	struct plant *w;
	struct policy_trace *t;
};

/* What a session is held to: DNS has no way to say it. */
static double rate(const struct policy *p, enum plant_door door, uint32_t g)
{
	return door == PLANT_DNS ? 1 : p->out.row[g].lowered;
}

/* Sessions that the budgets of a vendor in a group still allow. */
static double allowed(const struct policy *p, uint32_t g, uint32_t v)
{
	uint32_t r = policy_region_cell(p, g, v);
	double left = p->out.ceiling[v] - p->tally.spent_kbps[v];

	if (r != SIM_NONE)
		left = fmin(left, p->out.ceiling[r] - p->tally.spent_kbps[r]);
	return left > 0 ? left / (p->kbps * p->out.row[g].lowered) : 0;
}

static void spend(struct policy *p, enum plant_door door, uint32_t g, uint32_t v, double sessions)
{
	uint32_t r = policy_region_cell(p, g, v);
	double full = sessions * p->kbps, kbps = full * rate(p, door, g);
	enum loop_door to = policy_door(door);

	p->tally.spent_kbps[v] += kbps;
	p->tally.door_kbps[to][v] += kbps;
	if (r != SIM_NONE) {
		p->tally.spent_kbps[r] += kbps;
		p->tally.door_kbps[to][r] += kbps;
	}
	if (door == PLANT_HTTP)
		p->tally.group[g].sequence_kbps += full;
	else
		p->tally.group[g].sticky_kbps += full;
}

/* Part of the shares that a mask of vendors has; `none` counted. */
static double mask_sum(const struct policy_row *r, uint32_t n, uint32_t mask)
{
	double sum = r->share[SCORE_NONE];

	for (uint32_t v = 0; v < n; v++)
		sum += mask >> v & 1 ? r->share[v] : 0;
	return sum;
}

/* What is refused is demand all the same: shares that forget it would open for it each time. */
static void refuse(struct doors *d, enum plant_door door, uint32_t g, double sessions)
{
	d->t->refused += sessions;
	if (door == PLANT_HTTP)
		d->p->tally.group[g].sequence_kbps += sessions * d->p->kbps;
	plant_refuse(d->w, door, g, sessions);
}

/* Sequence mode: by shares among who may, again for what passes a budget. */
static void route(struct doors *d, uint32_t g, double sessions, uint32_t avoid)
{
	const struct policy_row *r = &d->p->out.row[g];
	uint32_t n = d->w->n_vendors, open = r->usable;
	double left = sessions;

	for (uint32_t round = 0; round <= n && left > 1e-9; round++) {
		uint32_t mask = open & ~avoid ? open & ~avoid : open;
		double sum = mask_sum(r, n, mask), now = left;

		if (!(sum > 0))
			break;
		for (uint32_t v = 0; v < n; v++) {
			double want = mask >> v & 1 ? now * r->share[v] / sum : 0;
			double may = fmin(want, allowed(d->p, g, v));

			if (may < want)
				open &= ~(1u << v);
			if (!(may > 0))
				continue;
			spend(d->p, PLANT_HTTP, g, v, may);
			plant_seat(d->w, PLANT_HTTP, g, v, may, r->lowered);
			d->t->dispatched[g][v] += may;
			left -= may;
		}
		left -= now * r->share[SCORE_NONE] / sum;
		refuse(d, PLANT_HTTP, g, now * r->share[SCORE_NONE] / sum);
	}
	if (left > 1e-9)
		refuse(d, PLANT_HTTP, g, left);
}

/* Seated sessions of vendors that may not keep them, when they ask again. */
static void move_seated(struct doors *d, uint32_t g)
{
	const struct policy_row *r = &d->p->out.row[g];
	double part = 1 / d->w->s->f.audience.refresh_s;

	for (uint32_t v = 0; v < d->w->n_vendors; v++) {
		double n = r->seated >> v & 1 ? 0 : plant_unseat(d->w, g, v, part);

		if (!(n > 0))
			continue;
		route(d, g, n, 1u << v);
		d->t->moved += n;
		if (plant_faulty(d->w, g, v) || d->w->drained[v])
			d->t->moved_with_cause += n;
	}
}

static void http(struct doors *d, uint32_t g)
{
	for (uint32_t i = 0; i < STEPS; i++)
		route(d, g, d->w->fresh[g][PLANT_HTTP] / STEPS, 0);
	d->t->asked += d->w->fresh[g][PLANT_HTTP];
	for (uint32_t v = 0; v < d->w->n_vendors; v++) {
		if (!(d->w->retry[g][v] > 0))
			continue;
		route(d, g, d->w->retry[g][v], 1u << v);
		d->t->moved += d->w->retry[g][v];
		d->t->moved_with_cause += d->w->retry[g][v];
	}
	move_seated(d, g);
}

/* Sticky mode for one block; SIM_NONE: refused. */
static uint32_t pick(const struct doors *d, uint32_t g, uint32_t hash)
{
	const struct policy_row *r = &d->p->out.row[g];
	uint32_t slot = sticky_lookup(r->sticky.entry, r->sticky.n, hash), mask = 0;
	double sum = 0, at;

	if (slot == SCORE_NONE)
		return SIM_NONE;
	for (uint32_t v = 0; v < d->w->n_vendors; v++)
		if (r->usable >> v & 1 && allowed(d->p, g, v) >= 1)
			mask |= 1u << v;
	if (mask >> slot & 1)
		return slot;
	for (uint32_t v = 0; v < d->w->n_vendors; v++)
		sum += mask >> v & 1 ? r->share[v] : 0;
	if (!(sum > 0))
		return mask ? (uint32_t)__builtin_ctz(mask) : SIM_NONE;
	at = (double)(hash * 2654435761u) / 0x1p32 * sum;
	for (uint32_t v = 0; v < d->w->n_vendors; v++) {
		at -= mask >> v & 1 ? r->share[v] : 0;
		if (at < 0)
			return v;
	}
	return (uint32_t)__builtin_ctz(mask);
}

/* A dialect's block asks again: its seated sessions go where the answer points. */
static void move_block(struct doors *d, uint32_t g, struct plant_block *b, uint32_t to)
{
	uint32_t from = b->vendor;
	double n;

	for (uint32_t k = 0; k < PLANT_PHASES; k++)
		d->p->tally.group[g].refresh += b->live[k];
	if (from == to || to == SIM_NONE)
		return;
	n = plant_move_block(d->w, g, b, to);
	d->t->moved += n;
	if (from != SIM_NONE && (plant_faulty(d->w, g, from) || d->w->drained[from]))
		d->t->moved_with_cause += n;
}

static void block(struct doors *d, uint32_t g, enum plant_door door, struct plant_block *b)
{
	const struct scenario_audience *a = &d->w->s->f.audience;
	double n = d->w->fresh[g][door] * b->weight;

	if (plant_block_asks(d->w, b, n)) {
		uint32_t to = pick(d, g, b->hash);

		b->expires_s = d->w->now_s + (door == PLANT_DNS ? a->ttl_s : a->refresh_s);
		if (door == PLANT_DIALECT)
			move_block(d, g, b, to);
		if (door == PLANT_DNS || to != SIM_NONE)
			b->vendor = to;
		d->p->tally.group[g].fresh += door == PLANT_DNS ? 1 : n;
		if (door == PLANT_DNS && to != SIM_NONE)
			spend(d->p, door, g, to, d->w->s->f.scheduler.dns_viewers);
	}
	if (!(n > 0))
		return;
	if (b->vendor == SIM_NONE) {
		refuse(d, door, g, n);
		return;
	}
	if (door == PLANT_DIALECT) {
		spend(d->p, door, g, b->vendor, n);
		for (uint32_t k = 0; k < PLANT_PHASES; k++)
			b->live[k] += n * d->w->phase_part[k] * d->w->truth[g][b->vendor].success;
	}
	plant_seat(d->w, door, g, b->vendor, n, rate(d->p, door, g));
	d->t->dispatched[g][b->vendor] += n;
}

void policy_doors(struct policy *p, struct plant *world, struct policy_trace *ret_trace)
{
	struct doors d = {.p = p, .w = world, .t = ret_trace};

	if (p->answer) {
		policy_answer_doors(p, world, ret_trace);
		return;
	}
	*ret_trace = (struct policy_trace){.moved = 0};
	for (uint32_t g = 0; g < world->n_groups; g++) {
		http(&d, g);
		for (enum plant_door door = PLANT_DIALECT; door < PLANT_DOORS; door++) {
			struct plant_block *b = plant_blocks(world, g, door);

			if (!(world->fresh[g][door] > 0))
				continue;
			d.t->asked += world->fresh[g][door];
			for (uint32_t i = 0; i < world->s->f.audience.resolvers; i++)
				block(&d, g, door, &b[i]);
		}
	}
}
