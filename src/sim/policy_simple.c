/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Baselines: the last meter in place of a forecast, weights that never change, and least loaded by
 * the last meter.
 */
#include "sim/policy_int.h"

#include <math.h>
#include <string.h>

static const struct meter_limits meter_limits = METER_LIMITS_DEFAULT;

static uint16_t open_vendors(const struct policy *p)
{
	uint16_t open = 0;

	for (uint32_t v = 0; v < p->world->n_vendors; v++)
		if (!p->world->drained[v] && p->world->maximum[v] > 0)
			open |= (uint16_t)(1u << v);
	return open;
}

/* Open vendors by falling weight; returns how many. */
static uint32_t by_share(
	const struct policy *p, const double *weight, uint16_t open, uint8_t *ret_order)
{
	uint32_t n = 0;

	for (uint32_t v = 0; v < p->world->n_vendors; v++) {
		uint32_t at = n;

		if (!(open >> v & 1))
			continue;
		for (; at > 0 && weight[ret_order[at - 1]] < weight[v]; at--)
			ret_order[at] = ret_order[at - 1];
		ret_order[at] = (uint8_t)v;
		n++;
	}
	return n;
}

/* One row of shares for all groups. */
static void put_all(struct policy *p, const double weight[static SCORE_ROW])
{
	uint32_t ppm[SCORE_ROW];
	uint16_t open = open_vendors(p), all = (uint16_t)((1u << p->world->n_vendors) - 1);
	uint8_t order[SL_MAX_SLOTS] = {0};
	uint32_t n_order = by_share(p, weight, open, order);

	score_to_ppm(weight, SCORE_ROW, SCORE_NONE, SCORE_PPM, ppm);
	for (uint32_t g = 0; g < p->world->n_groups; g++) {
		struct policy_row *r = &p->out.row[g];

		for (uint32_t i = 0; i < SCORE_ROW; i++)
			r->share[i] = ppm[i];
		r->usable = open;
		r->seated = all;
		r->n_order = n_order;
		memcpy(r->order, order, sizeof(order));
		sticky_update(&r->sticky, ppm, UINT32_MAX, SCORE_PPM, NULL);
	}
}

static void fixed_weights(const struct policy *p, double ret_weight[static SCORE_ROW])
{
	double sum = 0;

	for (uint32_t pass = 0; pass < 2 && !(sum > 0); pass++)
		for (uint32_t v = 0; v < p->world->n_vendors; v++) {
			const struct scenario_vendor *from = &p->world->s->f.vendors[v];
			double figure = pass ? from->max_mbps : from->guaranteed_mbps;

			ret_weight[v] = p->world->drained[v] ? 0 : figure * p->world->weight[v];
			sum += ret_weight[v];
		}
}

void policy_fixed_tick(struct policy *p)
{
	double weight[SCORE_ROW] = {0};

	fixed_weights(p, weight);
	put_all(p, weight);
}

void policy_fixed_shares(const struct policy *p, uint32_t ret_ppm[static SCORE_ROW])
{
	double weight[SCORE_ROW] = {0};

	fixed_weights(p, weight);
	score_to_ppm(weight, SCORE_ROW, SCORE_NONE, SCORE_PPM, ret_ppm);
}

static void take_meters(struct policy *p)
{
	const struct plant *w = p->world;

	for (uint32_t i = 0; i < w->n_meters; i++)
		if (w->meter[i].region == SIM_NONE)
			(void)meter_push(&p->meter[w->meter[i].vendor], &meter_limits,
				w->meter[i].mbps, w->meter[i].start_ms, w->meter[i].end_ms,
				p->now_ms, w->maximum[w->meter[i].vendor]);
	for (uint32_t v = 0; v < w->n_vendors; v++)
		meter_tick(&p->meter[v], &meter_limits, p->now_ms);
}

/* The rows that the loop made, without what only a forecast or a breaker knows. */
static void plain_row(struct policy *p, uint32_t g)
{
	struct alloc_row *r = &p->l->alloc_row[g];
	const struct loop_seat *seat = &p->l->seat[g];

	r->demand_mbps = seat->sequence_mbps;
	r->sticky_mbps = seat->sticky_mbps;
	sticky_shares(&p->l->table[g], r->sticky_ppm);
	memcpy(r->block, p->l->row[g].block, sizeof(r->block));
	memset(r->withheld_ppm, 0, sizeof(r->withheld_ppm));
}

static void plain_fleet(struct policy *p)
{
	struct loop *l = &p->l->loop;

	for (uint32_t v = 0; v < p->world->n_vendors; v++) {
		l->vendor[v].headroom = p->world->s->f.scheduler.headroom;
		l->vendor[v].known = l->kept->meter[v].present;
		l->vendor[v].current_mbps = l->vendor[v].forecast_mbps = l->kept->meter[v].mbps;
	}
	for (uint32_t r = 0; r < p->world->n_regions; r++)
		l->region[r].current_mbps = l->region[r].forecast_mbps =
			l->kept->meter[SL_MAX_VENDORS + r].mbps;
	for (uint32_t g = 0; g < p->world->n_groups; g++)
		plain_row(p, g);
}

/* The same scores and the same solver on the last meter: no forecast, no budget, no breaker. */
void policy_current_tick(struct policy *p)
{
	struct policy_loop *l = p->l;
	struct alloc_stats stats;
	uint32_t move = (uint32_t)(SCORE_PPM / p->world->s->f.scheduler.session_s);
	int rc;

	policy_sluice_tick(p);
	plain_fleet(p);
	rc = alloc_run(&l->loop.fleet, &l->state, l->loop.work, alloc_work_size(l->loop.max_rows),
		l->row_out, l->vendor_out, &stats);
	sl_assert(rc == 0);
	for (uint32_t g = 0; g < p->world->n_groups; g++) {
		struct sticky_row table = l->table[g];
		uint32_t cut = l->row_out[g].capped;

		sticky_update(&table, l->row_out[g].share_ppm, cut, move, NULL);
		l->table[g] = table;
		policy_put_row(p, g, &l->row_out[g], &table);
	}
	for (uint32_t c = 0; c < LOOP_CELLS; c++)
		p->out.ceiling[c] = HUGE_VAL;
}

void policy_least_tick(struct policy *p)
{
	double weight[SCORE_ROW] = {0}, least = 1e30;
	uint32_t best = SCORE_NONE;

	take_meters(p);
	for (uint32_t v = 0; v < p->world->n_vendors; v++) {
		double used = p->meter[v].mbps / p->world->maximum[v];

		if (p->world->drained[v] || !(p->world->maximum[v] > 0) || used >= least)
			continue;
		least = used;
		best = v;
	}
	weight[best] = 1;
	put_all(p, weight);
}
