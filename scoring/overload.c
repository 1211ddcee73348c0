/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where demand meets too little room: priority tiers that open as the room of those before them
 * runs out, and what becomes of demand that nobody has room for.
 */
#include "scoring/allocate_int.h"

/* A tier begins to open when those before it have room for so many ticks of the service's demand
 * only, and is open when they have none. */
#define TIER_TICKS 30.0

/* Less that nobody has room for is a rounding error. */
#define NOTICEABLE_PPM 0.5

void alloc_open_tiers(struct alloc_work *w, struct alloc_work_row *r)
{
	const struct alloc_service_work *sw = &w->service[r->in->service];
	double room = 0, wanted = sw->demand_mbps * TIER_TICKS;

	for (uint32_t t = 1; t <= ALLOC_TIERS; t++)
		r->open[t] = 0;
	r->open[0] = 1;
	if (sw->n_tiers == 1)
		return;
	for (uint32_t t = 1; t < sw->n_tiers; t++) {
		for (uint32_t j = 0; j < r->n; j++)
			if (sw->tier[j] == t - 1 && r->cell[j] != ALLOC_SHUT)
				room += w->room[r->cell[j]].total_mbps;
		if (!(room >= wanted && room > 0))
			r->open[t] = room > 0 ? 1 - room / wanted : 1;
	}
	for (uint32_t j = 0; j < r->n; j++) {
		if (r->open[sw->tier[j]] > 0 || r->cell[j] == ALLOC_SHUT)
			continue;
		r->cell[j] = ALLOC_SHUT;
		r->reason[j] = SCORE_TIER_CLOSED;
		r->first[j] = 0;
	}
}

/* The rungs that bring a session's load down to `wanted` of the first rung's, lowering as few as
 * possible: all on one rung, or split between two neighbours. Returns what they come to. */
static double lower(const struct alloc_service *s, double wanted, uint32_t *ret_ppm)
{
	double part[ALLOC_RUNGS] = {0}, above = 1, below = 1;
	uint32_t k = 0;

	while (k + 1 < s->n_ladder && below > wanted) {
		above = below;
		below = s->ladder_kbps[++k] / s->ladder_kbps[0];
	}
	if (below > wanted || k == 0) {
		part[k] = 1;
	} else {
		part[k] = (above - wanted) / (above - below);
		part[k - 1] = 1 - part[k];
	}
	score_to_ppm(part, ALLOC_RUNGS, k, SCORE_PPM, ret_ppm);
	return below > wanted ? below : wanted;
}

/* Sessions on lower rungs: the same load carries more of them. */
static void lower_row(
	const struct alloc_service *s, struct alloc_work_row *r, struct alloc_row_out *out)
{
	double served = 1 - r->part[SCORE_NONE], sum = 0;

	r->lowered = lower(s, served, out->rung_ppm);
	for (uint32_t j = 0; j < r->n; j++) {
		r->part[j] /= r->lowered;
		sum += r->part[j];
	}
	r->part[SCORE_NONE] = sum < 1 ? 1 - sum : 0;
}

/* Over the maxima, in proportion to them, of all that are not blocked. */
static void spread_row(
	const struct alloc_work *w, struct alloc_work_row *r, struct alloc_stats *stats)
{
	const struct alloc_service *s = &w->fleet->service[r->in->service];
	const struct alloc_service_work *sw = &w->service[r->in->service];
	double weight[SL_MAX_SLOTS], sum = 0;

	for (uint32_t j = 0; j < r->n; j++) {
		bool open = !r->in->block[sw->slot[j]];

		weight[j] =
			open ? w->cell[sw->vendor[j]].max_mbps * s->slot[sw->slot[j]].weight : 0;
		sum += weight[j];
	}
	if (!(sum > 0))
		return;
	for (uint32_t j = 0; j < r->n; j++)
		r->part[j] += r->part[SCORE_NONE] * weight[j] / sum;
	stats->spread_mbps += r->part[SCORE_NONE] * r->in->demand_mbps;
	r->part[SCORE_NONE] = 0;
}

void alloc_overload(struct alloc_work *w, struct alloc_row_out *out, struct alloc_stats *stats)
{
	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		struct alloc_work_row *r = &w->row[i];
		const struct alloc_service *s = &w->fleet->service[r->in->service];

		r->lowered = 1;
		out[i].rung_ppm[0] = SCORE_PPM;
		out[i].overload = ALLOC_FITS;
		if (!(r->part[SCORE_NONE] * SCORE_PPM > NOTICEABLE_PPM))
			continue;
		out[i].overload = ALLOC_REFUSE;
		if (s->overload == ALLOC_SPREAD) {
			spread_row(w, r, stats);
			out[i].overload = ALLOC_SPREAD;
		} else if (s->overload == ALLOC_LOWER && s->n_ladder > 1 &&
			   r->in->demand_mbps > 0) {
			lower_row(s, r, &out[i]);
			out[i].overload = ALLOC_LOWER;
		}
	}
}
