/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proposed shares: the mean of the score ratio while the tick's demand is poured in thin slices.
 * At a guarantee the score jumps; pouring spreads the jump over the tick instead of flipping the
 * whole fleet. Rows without demand get the plain ratio.
 */
#include "scoring/allocate_int.h"

#include <string.h>

/* Room of a cell of this vendor, its total counted. */
static struct score_room room_of(const struct alloc_work *w, uint32_t cell)
{
	uint32_t v = w->vendor_of[cell];
	struct score_room r = score_room(&w->cell[v]);

	return cell == v ? r : score_room_min(r, score_room(&w->cell[cell]));
}

static struct alloc_term term_of(const struct alloc_service *s, const struct alloc_service_work *sw,
	struct score_room room, double weight)
{
	struct alloc_term t = {0, 0};

	if (room.guaranteed_mbps > 0)
		t.plain = score_of(&s->params, sw->sums, room, weight, 1);
	else
		t.by_quality = score_of(&s->params, sw->sums, room, weight, 1);
	return t;
}

void alloc_terms(struct alloc_work *w, uint32_t service)
{
	const struct alloc_service *s = &w->fleet->service[service];
	struct alloc_service_work *sw = &w->service[service];
	double weight[SL_MAX_VENDORS] = {0};
	bool mine[SL_MAX_VENDORS] = {false};

	for (uint32_t j = 0; j < s->n_slots; j++) {
		uint32_t v = sw->vendor[j];

		weight[v] = s->slot[sw->slot[j]].weight;
		mine[v] = true;
		sw->term[v] = term_of(s, sw, room_of(w, v), weight[v]);
	}
	for (uint32_t c = SL_MAX_VENDORS; c < w->n_cells; c++) {
		uint32_t v = w->vendor_of[c];

		if (mine[v])
			sw->term[c] = term_of(s, sw, room_of(w, c), weight[v]);
	}
	sw->term[ALLOC_SHUT] = (struct alloc_term){0, 0};
}

/* Scores of a row at the terms of now; returns their sum. */
static double scores(const struct alloc_work_row *r, const struct alloc_term *term, double *ret)
{
	double sum = 0;

	for (uint32_t j = 0; j < r->n; j++) {
		const struct alloc_term *t = &term[r->cell[j]];

		ret[j] = t->plain + t->by_quality * r->gain[j];
		sum += ret[j];
	}
	return sum;
}

/* The score ratio inside the open tiers, a tier's part as far as it is open. Tiers that have no
 * score hand their part on to the next. Returns what is left for nobody. */
static double tiered_ratio(const struct alloc_service_work *sw, const struct alloc_work_row *r,
	const double *s, double *ret)
{
	double part = 0;

	for (uint32_t j = 0; j < r->n; j++)
		ret[j] = 0;
	for (uint32_t t = 0; t < sw->n_tiers; t++) {
		double sum = 0;

		part += r->open[t] - r->open[t + 1];
		for (uint32_t j = 0; j < r->n; j++)
			sum += sw->tier[j] <= t ? s[j] : 0;
		if (!(sum > 0))
			continue;
		for (uint32_t j = 0; j < r->n; j++)
			ret[j] += sw->tier[j] <= t ? s[j] / sum * part : 0;
		part = 0;
	}
	return part;
}

static void propose_plain(const struct alloc_service_work *sw, struct alloc_work_row *r)
{
	r->part[SCORE_NONE] = tiered_ratio(sw, r, r->first, r->part);
}

/* One slice of one row: part of its parts, and load on the cells. */
static void pour_row(struct alloc_work *w, struct alloc_work_row *r,
	const struct alloc_service_work *sw, double slice)
{
	double s[SL_MAX_SLOTS], sum = scores(r, sw->term, s), one, mbps;

	if (!(sum > 0)) {
		r->part[SCORE_NONE] += slice;
		return;
	}
	if (sw->n_tiers > 1) { /* s becomes the ratio itself */
		double ratio[SL_MAX_SLOTS];

		r->part[SCORE_NONE] += tiered_ratio(sw, r, s, ratio) * slice;
		memcpy(s, ratio, sizeof(s));
		sum = 1;
	}
	one = slice / sum;
	mbps = one * r->in->demand_mbps;
	for (uint32_t j = 0; j < r->n; j++) {
		r->part[j] += s[j] * one;
		w->load[r->cell[j]] += s[j] * mbps;
	}
}

/* What a slice put on the leaves goes to regions and to totals, with its part of the sticky load.
 */
static void settle(struct alloc_work *w, double slice)
{
	for (uint32_t c = 0; c < w->n_cells; c++) {
		double add = w->load[c] + w->sticky[c] * slice;

		w->cell[c].load_mbps += add;
		if (c >= SL_MAX_VENDORS)
			w->cell[w->vendor_of[c]].load_mbps += w->load[c];
		w->load[c] = 0;
	}
}

static void pour_slice(struct alloc_work *w, double slice)
{
	for (uint32_t s = 0; s < w->fleet->n_services; s++) {
		struct alloc_service_work *sw = &w->service[s];

		if (!sw->known)
			continue;
		alloc_terms(w, s);
		for (uint32_t i = sw->first_row; i < sw->end_row; i++)
			if (w->row[i].in->demand_mbps > 0)
				pour_row(w, &w->row[i], sw, slice);
	}
	settle(w, slice);
}

/* The most slices that any service with demand asks for; 0: no demand at all. */
static uint32_t count_slices(const struct alloc_work *w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		const struct alloc_row *in = w->row[i].in;
		uint32_t asked = w->fleet->service[in->service].params.slices;

		if (in->demand_mbps > 0 && asked > n)
			n = asked;
	}
	return n;
}

/* Slices that found everybody full have no ratio: the mean is over the others. Whether the demand
 * fits is for the solver to find out, over all rows at once. */
static void mean_of_scored(struct alloc_work_row *r)
{
	double sum = 0;

	for (uint32_t j = 0; j < r->n; j++)
		sum += r->part[j];
	if (!(sum > 0))
		return;
	for (uint32_t j = 0; j < r->n; j++)
		r->part[j] /= sum;
	r->part[SCORE_NONE] = 0;
}

void alloc_withhold(struct alloc_work *w)
{
	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		struct alloc_work_row *r = &w->row[i];
		const struct alloc_service_work *sw = &w->service[r->in->service];
		double taken = 0, left = 0, part[SL_MAX_SLOTS];

		for (uint32_t j = 0; j < r->n; j++) {
			double ppm = r->in->withheld_ppm[sw->slot[j]];

			part[j] = r->part[j] * (1 - ppm / SCORE_PPM);
			taken += r->part[j] - part[j];
			left += ppm > 0 ? 0 : part[j];
		}
		if (!(taken > 0) || !(left > 0))
			continue;
		for (uint32_t j = 0; j < r->n; j++)
			r->part[j] = r->in->withheld_ppm[sw->slot[j]]
					     ? part[j]
					     : part[j] * (1 + taken / left);
	}
}

void alloc_pour(struct alloc_work *w)
{
	uint32_t n = count_slices(w);

	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		struct alloc_work_row *r = &w->row[i];

		if (!(r->in->demand_mbps > 0) || !w->service[r->in->service].known)
			propose_plain(&w->service[r->in->service], r);
		else
			for (uint32_t j = 0; j < SCORE_ROW; j++)
				r->part[j] = 0;
	}
	for (uint32_t c = 0; c < ALLOC_ALL; c++)
		w->load[c] = 0;
	for (uint32_t k = 0; k < n; k++)
		pour_slice(w, 1.0 / n);
	for (uint32_t i = 0; i < w->fleet->n_rows; i++)
		if (w->row[i].part[SCORE_NONE] > 0)
			mean_of_scored(&w->row[i]);
}

/* low: bit per position that stands at the trickle. One more round raises those that fell below it
 * because the others gave. */
static uint32_t raise(struct alloc_work_row *r, double t, uint32_t low)
{
	uint32_t more = low;
	double rest = r->part[SCORE_NONE], left = 1;

	for (uint32_t j = 0; j < r->n; j++) {
		if (r->first[j] > 0 && r->part[j] < t)
			more |= UINT32_C(1) << j;
		if (more >> j & 1)
			left -= t;
		else
			rest += r->part[j];
	}
	if (more == low)
		return low;
	for (uint32_t j = 0; j < r->n; j++)
		r->part[j] = more >> j & 1 ? t : rest > 0 ? r->part[j] / rest * left : 0;
	r->part[SCORE_NONE] = rest > 0 ? r->part[SCORE_NONE] / rest * left : 0;
	return more;
}

void alloc_trickle(struct alloc_work *w)
{
	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		struct alloc_work_row *r = &w->row[i];
		const struct alloc_row *in = r->in;
		uint32_t ppm = w->fleet->service[in->service].params.trickle_ppm, low = 0, was;

		if (in->trickle_ppm < ppm)
			ppm = in->trickle_ppm;
		if (!ppm)
			continue;
		do {
			was = low;
			low = raise(r, ppm / (double)SCORE_PPM, low);
		} while (low != was);
	}
}
