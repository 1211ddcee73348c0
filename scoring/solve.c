/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts nearest to those proposed (Kullback-Leibler, weighted by demand) that keep every cap:
 * proportional fitting with one factor per constraint, x = p * factor(vendor) * factor(region) / Z.
 * A little of `none` takes part, so that a demand above all caps has a solution too. What is left
 * after the last round is clipped to room, and refilled where there is room, in order of id.
 */
#include "scoring/allocate_int.h"

#include <math.h>
#include <string.h>

enum { MAX_ROUNDS = 60 };
#define CLOSE       1e-4  /* the solver stops here: relative change of the factors */
#define LEAST       1e-12 /* factors stay above, or a warm start could never rise again */
#define NONE_WEIGHT 1e-7  /* what `none` weighs in the fit; refilled after */

static bool binds(const struct alloc_work_row *r)
{
	return r->in->demand_mbps > 0;
}

/* Loads of the leaf cells when each row splits by part * leaf factor. */
static void sweep(struct alloc_work *w, const double *leaf)
{
	memset(w->load, 0, sizeof(w->load));
	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		const struct alloc_work_row *r = &w->row[i];
		double x[SL_MAX_SLOTS], z = r->part[SCORE_NONE] + NONE_WEIGHT;

		if (!binds(r))
			continue;
		for (uint32_t j = 0; j < r->n; j++) {
			x[j] = r->part[j] * leaf[r->cell[j]];
			z += x[j];
		}
		z = r->in->demand_mbps / z;
		for (uint32_t j = 0; j < r->n; j++)
			w->load[r->cell[j]] += x[j] * z;
	}
}

/* Factors of leaves: vendor's times region's. */
static void leaves(const struct alloc_work *w, const double *factor, double *leaf)
{
	for (uint32_t c = 0; c < w->n_cells; c++)
		leaf[c] = c < SL_MAX_VENDORS ? factor[c] : factor[c] * factor[w->vendor_of[c]];
	leaf[ALLOC_SHUT] = 0;
}

/* Fits one factor; returns by how much it changed, relative. It aims below the cap by what the
 * solver leaves open, so that a row with no other vendor is not clipped for its neighbours. */
static double fit(double *factor, double load, double cap)
{
	double was = *factor, now = 1;

	if (load > 0 && isfinite(cap))
		now = was * (cap * (1 - CLOSE) / load);
	now = now > 1 ? 1 : now < LEAST ? LEAST : now;
	*factor = now;
	return fabs(now / was - 1);
}

/* One round: regions to their caps, then totals, counting what the regions gave back. */
static double fit_all(struct alloc_work *w)
{
	double total[SL_MAX_VENDORS], worst = 0;

	memcpy(total, w->load, sizeof(total));
	for (uint32_t c = SL_MAX_VENDORS; c < w->n_cells; c++) {
		double was = w->factor[c];

		worst = fmax(worst, fit(&w->factor[c], w->load[c], w->cap[c]));
		total[w->vendor_of[c]] += w->load[c] * (w->factor[c] / was);
	}
	for (uint32_t v = 0; v < w->fleet->n_vendors; v++)
		worst = fmax(worst, fit(&w->factor[v], total[v], w->cap[v]));
	return worst;
}

static void apply(struct alloc_work *w, const double *leaf)
{
	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		struct alloc_work_row *r = &w->row[i];
		double z = r->part[SCORE_NONE] + NONE_WEIGHT, sum = 0;

		if (!binds(r))
			continue;
		for (uint32_t j = 0; j < r->n; j++)
			z += r->part[j] * leaf[r->cell[j]];
		for (uint32_t j = 0; j < r->n; j++) {
			r->part[j] *= leaf[r->cell[j]] / z;
			sum += r->part[j];
		}
		r->part[SCORE_NONE] = sum < 1 ? 1 - sum : 0;
	}
}

/* Loads by cell, totals with their regions, of the parts as they are. */
static void total_loads(struct alloc_work *w)
{
	memset(w->load, 0, sizeof(w->load));
	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		const struct alloc_work_row *r = &w->row[i];

		for (uint32_t j = 0; binds(r) && j < r->n; j++)
			w->load[r->cell[j]] += r->part[j] * r->in->demand_mbps;
	}
	for (uint32_t c = SL_MAX_VENDORS; c < w->n_cells; c++)
		w->load[w->vendor_of[c]] += w->load[c];
}

static double scale_to(double load, double cap)
{
	return load > cap ? cap / load : 1;
}

/* Scales of the leaves that bring every load under its cap; returns the largest excess. */
static double clip_scales(struct alloc_work *w)
{
	double worst = 0, total[SL_MAX_VENDORS];

	total_loads(w);
	memcpy(total, w->load, sizeof(total));
	for (uint32_t c = SL_MAX_VENDORS; c < w->n_cells; c++) {
		w->scale[c] = scale_to(w->load[c], w->cap[c]);
		total[w->vendor_of[c]] -= w->load[c] * (1 - w->scale[c]);
	}
	for (uint32_t v = 0; v < w->fleet->n_vendors; v++)
		w->scale[v] = scale_to(total[v], w->cap[v]);
	for (uint32_t c = 0; c < w->n_cells; c++) {
		if (w->load[c] > w->cap[c])
			worst = fmax(worst, w->cap[c] > 0 ? w->load[c] / w->cap[c] - 1 : 1);
		if (c >= SL_MAX_VENDORS)
			w->scale[c] *= w->scale[w->vendor_of[c]];
	}
	w->scale[ALLOC_SHUT] = 0;
	return worst;
}

static void clip(struct alloc_work *w)
{
	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		struct alloc_work_row *r = &w->row[i];
		double sum = 0;

		if (!binds(r))
			continue;
		for (uint32_t j = 0; j < r->n; j++) {
			r->part[j] *= w->scale[r->cell[j]];
			sum += r->part[j];
		}
		r->part[SCORE_NONE] = sum < 1 ? 1 - sum : 0;
	}
}

static double slack(const struct alloc_work *w, uint32_t cell)
{
	uint32_t v = w->vendor_of[cell];
	double s = w->cap[v] - w->load[v], region = w->cap[cell] - w->load[cell];

	return cell != v && region < s ? region : s;
}

/* Gives what is left of a row to whoever has room, in order of id. */
static void refill_row(struct alloc_work *w, struct alloc_work_row *r)
{
	for (uint32_t j = 0; j < r->n && r->part[SCORE_NONE] > 0; j++) {
		uint32_t cell = r->cell[j];
		double need = r->part[SCORE_NONE] * r->in->demand_mbps, room, take;

		if (cell == ALLOC_SHUT || !(r->first[j] > 0) || !((room = slack(w, cell)) > 0))
			continue;
		take = need <= room ? r->part[SCORE_NONE] : room / r->in->demand_mbps;
		r->part[j] += take;
		r->part[SCORE_NONE] = need <= room ? 0 : r->part[SCORE_NONE] - take;
		w->load[cell] += take * r->in->demand_mbps;
		if (cell != w->vendor_of[cell])
			w->load[w->vendor_of[cell]] += take * r->in->demand_mbps;
	}
}

static void refill(struct alloc_work *w, struct alloc_stats *stats)
{
	total_loads(w);
	for (uint32_t i = 0; i < w->fleet->n_rows; i++) {
		struct alloc_work_row *r = &w->row[i];

		if (!binds(r))
			continue;
		refill_row(w, r);
		stats->none_mbps += r->part[SCORE_NONE] * r->in->demand_mbps;
	}
}

static void load_state(struct alloc_work *w, const struct alloc_state *state)
{
	for (uint32_t c = 0; c < ALLOC_CELLS; c++) {
		double f = state->factor[c];

		w->factor[c] = f >= LEAST && f <= 1 ? f : 1;
	}
}

void alloc_solve(struct alloc_work *w, struct alloc_state *state, struct alloc_stats *stats)
{
	double leaf[ALLOC_ALL];

	load_state(w, state);
	do {
		leaves(w, w->factor, leaf);
		sweep(w, leaf);
		stats->rounds++;
	} while (fit_all(w) > CLOSE && stats->rounds < MAX_ROUNDS);
	leaves(w, w->factor, leaf);
	apply(w, leaf);
	stats->worst = clip_scales(w);
	clip(w);
	refill(w, stats);
	memcpy(state->factor, w->factor, sizeof(state->factor));
}
