/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler on the simulated world: the loop that the daemon's engine drives, fed with what the
 * doors of this world counted, its meters and its reports.
 */
#include "sim/policy_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000, HISTORY_STEP_S = 5 };

static void place_regions(struct policy *p)
{
	const struct plant *w = p->world;

	for (uint32_t g = 0; g < w->n_groups; g++)
		for (uint32_t v = 0; v < w->n_vendors; v++)
			p->l->region_of[g * w->n_vendors + v] = w->region_of[g][v] == SIM_NONE
									? ALLOC_NO_REGION
									: w->region_of[g][v];
}

static void set_service(struct policy *p)
{
	const struct scenario_scheduler *s = &p->world->s->f.scheduler;
	const struct scenario_audience *a = &p->world->s->f.audience;
	static const enum alloc_overload overload[] = {ALLOC_REFUSE, ALLOC_LOWER, ALLOC_SPREAD};
	struct alloc_service *to = &p->l->service.alloc;

	p->l->service.active = true;
	p->l->service.bitrate_kbps = p->kbps;
	p->l->service.session_s = s->session_s;
	p->l->service.ttl_s = a->ttl_s;
	to->n_slots = p->world->n_vendors;
	for (uint32_t v = 0; v < p->world->n_vendors; v++)
		to->slot[v].vendor = (uint16_t)v;
	to->params = (struct score_params){.guarantee_gain = s->guarantee_gain,
		.guarantee_blend = s->guarantee_blend,
		.quality_exponent = s->quality_exponent,
		.slices = s->slices,
		.trickle_ppm = s->trickle_ppm};
	to->overload = overload[s->overload];
	for (uint32_t i = 0; i < a->ladder_count && i < ALLOC_RUNGS; i++)
		to->ladder_kbps[i] = a->ladder[i].kbps;
	to->n_ladder = SL_MIN(a->ladder_count, (uint32_t)ALLOC_RUNGS);
}

/* The ledger of a scheduler that has run for a while: it dispatched those who are seated at the
 * start, at their expected bitrate. */
static void remember(struct policy *p)
{
	const struct plant *w = p->world;
	const struct scenario_file *f = &w->s->f;
	const struct scenario_doors *d = &f->audience.doors;
	const double part[PLANT_DOORS] = {d->http, d->dialect, d->dns};
	double all = d->http + d->dialect + d->dns;
	double per_s = f->audience.seated / f->scheduler.session_s;

	for (uint32_t ago = f->scheduler.history_s; ago > 0;) {
		uint32_t step = SL_MIN(ago, (uint32_t)HISTORY_STEP_S);

		ago -= step;
		ledger_advance(p->l->loop.ledger, PLANT_EPOCH_MS - ago * UINT64_C(1000),
			f->scheduler.session_s);
		for (uint32_t i = 0; i < PLANT_DOORS * w->n_vendors; i++) {
			uint32_t door = i / w->n_vendors, v = i % w->n_vendors;

			ledger_add(p->l->loop.ledger, policy_door(door) * LOOP_CELLS + v,
				per_s * step * part[door] / all *
					scenario_seated_at(w->s, v, w->mean_kbps),
				p->kbps);
		}
	}
}

/* Gives the loop its memory. */
static int give_memory(struct policy_loop *l, const struct plant *w, uint64_t now_ms)
{
	size_t size = ledger_size(LOOP_LEDGER_CELLS), live = ledger_size(LOOP_CELLS);
	void *a = malloc(size), *b = malloc(live);

	l->loop.kept = &l->kept;
	l->loop.seat = l->seat;
	l->loop.cell = l->cell;
	for (uint32_t i = 0; i < LOOP_LEVELS; i++)
		l->loop.coarse[i] = l->coarse[i];
	l->loop.row = l->alloc_row;
	l->loop.row_out = l->row_out;
	l->loop.max_rows = w->n_groups;
	l->loop.work = malloc(alloc_work_size(w->n_groups));
	l->loop.ledger = a ? ledger_init(a, size, LOOP_LEDGER_CELLS, now_ms) : NULL;
	l->loop.live = b ? ledger_init(b, live, LOOP_CELLS, now_ms) : NULL;
	if (!l->loop.ledger)
		free(a);
	if (!l->loop.live)
		free(b);
	return l->loop.work && l->loop.ledger && l->loop.live ? 0 : SL_ENOMEM;
}

int policy_sluice_init(struct policy *p)
{
	p->l = calloc(1, sizeof(*p->l)); /* large and sparse */
	if (!p->l)
		return SL_ENOMEM;
	if (give_memory(p->l, p->world,
		    PLANT_EPOCH_MS - p->world->s->f.scheduler.history_s * UINT64_C(1000)))
		return SL_ENOMEM;
	place_regions(p);
	set_service(p);
	policy_sense_init(p);
	remember(p);
	return 0;
}

void policy_sluice_done(struct policy *p)
{
	if (!p->l)
		return;
	free(p->l->loop.ledger);
	free(p->l->loop.live);
	free(p->l->loop.work);
	free(p->l);
}

/* The ledger, meters, what was learned and the sticky tables are kept; the rest begins anew. */
void policy_sluice_restart(struct policy *p)
{
	struct policy_loop *l = p->l;

	memset(l->cell, 0, sizeof(l->cell));
	memset(&l->sense, 0, sizeof(l->sense));
	policy_sense_init(p);
	for (uint32_t g = 0; g < p->world->n_groups; g++) {
		struct sticky_row table = l->seat[g].sticky;

		l->seat[g] = (struct loop_seat){.sticky = table};
		l->last[g] = (struct policy_last){p->tally.group[g].sequence_kbps,
			p->tally.group[g].sticky_kbps, p->tally.group[g].fresh,
			p->tally.group[g].refresh};
	}
	l->loop.heard_s = 0;
}

static double grown(double *last, double now)
{
	double more = now - *last;

	*last = now;
	return more;
}

static void set_vendors(struct policy *p)
{
	const struct plant *w = p->world;

	for (uint32_t v = 0; v < w->n_vendors; v++) {
		p->l->vendor[v] = (struct loop_vendor){.guaranteed_mbps = w->guaranteed[v],
			.max_mbps = w->maximum[v],
			.headroom = w->s->f.scheduler.headroom,
			.session_s = w->s->f.scheduler.session_s};
		p->l->service.alloc.slot[v].weight = w->weight[v];
	}
	for (uint32_t v = 0, r = 0; v < w->n_vendors; v++)
		for (uint32_t i = 0; i < w->s->f.vendors[v].regions_count; i++, r++)
			p->l->region[r] = (struct loop_region){.vendor = (uint16_t)v,
				.guaranteed_mbps = w->region_guaranteed[r],
				.max_mbps = w->region_maximum[r]};
}

static void set_row(struct policy *p, uint32_t g)
{
	struct loop_row *r = &p->l->row[g];
	struct policy_last *last = &p->l->last[g];

	*r = (struct loop_row){.group = (uint16_t)g,
		.sequence_kbps = grown(&last->sequence, p->tally.group[g].sequence_kbps),
		.sticky_kbps = grown(&last->sticky, p->tally.group[g].sticky_kbps),
		.fresh = grown(&last->fresh, p->tally.group[g].fresh),
		.refresh = grown(&last->refresh, p->tally.group[g].refresh)};
	for (uint32_t v = 0; v < p->world->n_vendors; v++)
		r->block[v] = p->world->drained[v] ? SCORE_DRAINED : 0;
}

static void read_doors(struct policy *p)
{
	for (uint32_t d = 0; d < LOOP_DOORS; d++)
		for (uint32_t c = 0; c < LOOP_CELLS; c++)
			p->l->door_kbps[d][c] =
				grown(&p->l->last_kbps[d][c], p->tally.door_kbps[d][c]);
}

static void take_meters(struct policy *p)
{
	const struct plant *w = p->world;

	for (uint32_t i = 0; i < w->n_meters; i++) {
		const struct plant_meter *m = &w->meter[i];
		bool total = m->region == SIM_NONE;

		(void)loop_push_meter(&p->l->loop, total ? m->vendor : SL_MAX_VENDORS + m->region,
			w->n_vendors, m->mbps, m->start_ms, m->end_ms, p->now_ms,
			total ? w->maximum[m->vendor] : w->region_maximum[m->region]);
	}
}

static void set_in(struct policy *p)
{
	const struct plant *w = p->world;
	struct policy_loop *l = p->l;

	l->in = (struct loop_in){.now_ms = p->now_ms,
		.tick_ms = TICK_MS,
		.n_vendors = w->n_vendors,
		.n_regions = w->n_regions,
		.n_services = 1,
		.n_groups = w->n_groups,
		.n_rows = w->n_groups,
		.vendor = l->vendor,
		.region = l->region,
		.service = &l->service,
		.row = l->row,
		.region_of = w->n_regions ? l->region_of : NULL,
		.door_kbps = l->door_kbps};
	for (uint32_t g = 0; g < w->n_groups; g++)
		set_row(p, g);
}

void policy_put_row(
	struct policy *p, uint32_t g, const struct alloc_row_out *from, const struct sticky_row *s)
{
	struct policy_row *to = &p->out.row[g];

	memcpy(to->share, from->share_ppm, sizeof(to->share));
	to->sticky = *s;
	to->usable = to->seated = 0;
	to->lowered = from->lowered > 0 ? from->lowered : 1;
	to->n_order = from->n_order;
	memcpy(to->order, from->order, sizeof(to->order));
	memcpy(to->rung_ppm, from->rung_ppm, sizeof(to->rung_ppm));
	for (uint32_t v = 0; v < p->world->n_vendors; v++) {
		to->usable |= (uint16_t)(score_reason_usable(from->reason[v]) << v);
		to->seated |= (uint16_t)(score_reason_keeps_seated(from->reason[v]) << v);
	}
}

void policy_sluice_tick(struct policy *p)
{
	struct policy_loop *l = p->l;
	int rc;

	take_meters(p);
	set_vendors(p);
	set_in(p);
	read_doors(p);
	policy_sense_tick(p);
	rc = loop_tick(&l->loop, &l->in);
	sl_assert(rc == 0);
	for (uint32_t g = 0; g < p->world->n_groups; g++)
		policy_put_row(p, g, &l->row_out[g], &l->seat[g].sticky);
	for (uint32_t c = 0; c < LOOP_CELLS; c++)
		p->out.ceiling[c] = p->tally.spent_kbps[c] + l->loop.budget_kbps[c];
}
