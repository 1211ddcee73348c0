/* SPDX-License-Identifier: Apache-2.0 */
/* Baselines: weights that never change, and least loaded by the last meter. */
#include "sim/policy_int.h"

static uint16_t open_vendors(const struct policy *p)
{
	uint16_t open = 0;

	for (uint32_t v = 0; v < p->world->n_vendors; v++)
		if (!p->world->drained[v] && p->world->maximum[v] > 0)
			open |= (uint16_t)(1u << v);
	return open;
}

/* One row of shares for all groups. */
static void put_all(struct policy *p, const double weight[static SCORE_ROW])
{
	uint32_t ppm[SCORE_ROW];
	uint16_t open = open_vendors(p), all = (uint16_t)((1u << p->world->n_vendors) - 1);

	score_to_ppm(weight, SCORE_ROW, SCORE_NONE, SCORE_PPM, ppm);
	for (uint32_t g = 0; g < p->world->n_groups; g++) {
		struct policy_row *r = &p->out.row[g];

		for (uint32_t i = 0; i < SCORE_ROW; i++)
			r->share[i] = ppm[i];
		r->usable = open;
		r->seated = all;
		sticky_update(&r->sticky, ppm, UINT32_MAX, SCORE_PPM, NULL);
	}
}

void policy_fixed_tick(struct policy *p)
{
	double weight[SCORE_ROW] = {0}, sum = 0;

	for (uint32_t pass = 0; pass < 2 && !(sum > 0); pass++)
		for (uint32_t v = 0; v < p->world->n_vendors; v++) {
			const struct scenario_vendor *from = &p->world->s->f.vendors[v];
			double figure = pass ? from->max_mbps : from->guaranteed_mbps;

			weight[v] = p->world->drained[v] ? 0 : figure * p->world->weight[v];
			sum += weight[v];
		}
	put_all(p, weight);
}

void policy_least_tick(struct policy *p)
{
	double weight[SCORE_ROW] = {0}, least = 1e30;
	uint32_t best = SCORE_NONE;

	policy_take_meters(p);
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
