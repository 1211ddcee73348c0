/* SPDX-License-Identifier: Apache-2.0 */
/* What a tick hands to the doors: sticky tables that follow the shares, and budgets. */
#include "scoring/loop_int.h"

#include <math.h>
#include <string.h>

#define FOLLOW_S      180.0 /* a table follows the mean of the shares over so long */
#define SEQUENCE_PART 0.1   /* of the sticky demand: enough to make up for a table */
#define NEAR_PPM      20000 /* that may be off then */

bool loop_row_barred(const struct loop *l, uint32_t row)
{
	const struct alloc_row *r = &l->row[row];
	uint32_t n = l->service[r->service].n_slots, barred = 0;

	for (uint32_t i = 0; i < n; i++)
		barred += r->block[i] != 0;
	return n && barred == n;
}

/*
 * How much of the hash space may change hands in one tick: the fraction that new clients are of the
 * audience. The audience of a sticky door is who asks again, once a TTL; where nobody does, nobody
 * can be re-seated and the table may move at once.
 */
static uint32_t max_move_ppm(
	const struct loop_in *in, const struct loop_seat *seat, const struct loop_service *s)
{
	double ticks_per_ttl = fmax(1.0, s->ttl_s * 1000.0 / in->tick_ms);
	double audience = seat->refresh_rate * ticks_per_ttl;
	double least = loop_dt_s(in) / s->session_s;
	double part = audience < 1 ? 1 : seat->fresh_rate / audience;

	return (uint32_t)(SCORE_PPM * fmin(1.0, fmax(part, least)));
}

/* Slots that must fall to their share at once: caps, drains and breakers; `none` when it is over.
 */
static uint32_t cut_of(const struct alloc_row_out *out, uint32_t n_slots)
{
	uint32_t cut = out->capped;

	for (uint32_t i = 0; i < n_slots; i++)
		if (!score_reason_usable(out->reason[i]))
			cut |= UINT32_C(1) << i;
	return cut | (out->share_ppm[SCORE_NONE] == 0 ? UINT32_C(1) << SCORE_NONE : 0);
}

static void first_mean(struct loop_seat *seat, const struct alloc_row_out *out)
{
	uint32_t ppm[SCORE_ROW];

	sticky_shares(&seat->sticky, ppm);
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		seat->mean[i] = (seat->sticky.n ? ppm[i] : out->share_ppm[i]);
}

/* keep: of the mean of before. The mean of the shares; what must fall is not above its share now,
 * and the others take that in the ratio of their means. */
static void follow(struct loop_seat *seat, const struct alloc_row_out *out, uint32_t cut,
	double keep, uint32_t *ret_target)
{
	double part[SCORE_ROW], fixed = 0, rest = 0;
	double known = 0;

	for (uint32_t i = 0; i < SCORE_ROW; i++)
		known += seat->mean[i];
	if (!(known > 0)) /* a table of before a restart, or none yet */
		first_mean(seat, out);
	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		double share = out->share_ppm[i], mean = seat->mean[i];

		mean = share + (mean - share) * keep;
		if (cut >> i & 1)
			mean = fmin(mean, share);
		seat->mean[i] = mean;
		part[i] = seat->mean[i];
		if (cut >> i & 1)
			fixed += part[i];
		else
			rest += part[i];
	}
	for (uint32_t i = 0; i < SCORE_ROW && rest > 0; i++)
		if (!(cut >> i & 1))
			part[i] *= (SCORE_PPM - fixed) / rest;
	if (rest > 0)
		score_to_ppm(part, SCORE_ROW, SCORE_NONE, SCORE_PPM, ret_target);
	else
		memcpy(ret_target, out->share_ppm, SCORE_ROW * sizeof(*ret_target));
}

/* Whether a table is near enough to stay as it is: where sessions in sequence can make up for what
 * it is off, people need not move for it. What must fall is not let off. */
static bool near_enough(
	const struct loop_seat *seat, const uint32_t *now, const uint32_t *target, uint32_t cut)
{
	uint32_t off = 0;

	if (seat->sticky.n == 0 || !(seat->sequence_mbps > seat->sticky_mbps * SEQUENCE_PART))
		return false;
	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		if (now[i] <= target[i])
			continue;
		if (cut >> i & 1)
			return false;
		off += now[i] - target[i];
	}
	return off < NEAR_PPM;
}

void loop_seats(struct loop *l, const struct loop_in *in)
{
	double keep = exp(-loop_dt_s(in) / FOLLOW_S);

	for (uint32_t i = 0; i < in->n_rows; i++) {
		const struct loop_row *r = &in->row[i];
		const struct alloc_row_out *out = &l->row_out[i];
		struct loop_seat *seat = &l->seat[r->service * SL_MAX_GROUPS + r->group];
		uint32_t cut = cut_of(out, l->service[r->service].n_slots), target[SCORE_ROW];
		uint32_t move = max_move_ppm(in, seat, &in->service[r->service]);
		bool empty = move == SCORE_PPM; /* nobody sits there: the shares of now */

		seat->lowered = out->lowered;
		if (loop_row_barred(l, i))
			continue;
		follow(seat, out, cut, empty ? 0 : keep, target);
		if (empty || !near_enough(seat, l->row[i].sticky_ppm, target, cut))
			sticky_update(&seat->sticky, target, cut, move, NULL);
	}
}

/* --- budgets --------------------------------------------------------------------------------- */

/* The factor by which what is dispatched in a cell turns into load: of its doors, by their parts.
 */
static double factor_of_cell(const struct loop *l, uint32_t c)
{
	double all = 0, load = 0;

	for (uint32_t d = 0; d < LOOP_DOORS; d++) {
		double one = ledger_load(l->ledger, d * LOOP_CELLS + c) +
			     ledger_pending(l->ledger, d * LOOP_CELLS + c);

		all += one;
		load += one * loop_factor(l, d);
	}
	return all > 0 ? load / all : loop_factor(l, LOOP_HTTP);
}

/* Where nobody knows the load there is what is paid for, and the maximum where that is nothing. */
static double room_of(double guaranteed_mbps, double max_mbps, double headroom,
	const struct learn_forecast *f, double load_mbps)
{
	struct score_room r =
		score_room(&(struct score_figures){guaranteed_mbps, max_mbps, load_mbps, headroom});

	return f->known || !(guaranteed_mbps > 0) ? r.total_mbps : r.guaranteed_mbps;
}

/* The room there is, and what will have left by the tick after next, in kbps as doors count. */
static double budget(
	const struct loop *l, const struct loop_in *in, uint32_t cell, double room_mbps)
{
	double leaving = 0;

	if (!(room_mbps < HUGE_VAL))
		return HUGE_VAL;
	for (uint32_t d = 0; d < LOOP_DOORS; d++)
		leaving += learn_factor(&l->kept->doors, d) * ledger_departing(l->ledger,
								      d * LOOP_CELLS + cell,
								      UINT64_C(2) * in->tick_ms);
	return room_mbps > 0 ? (room_mbps + leaving) / factor_of_cell(l, cell) * 1000 : 0;
}

/* Vendors that a service may fill over their maxima now have no budget. */
static uint64_t spreading(const struct loop *l)
{
	uint64_t mask = 0;

	for (uint32_t i = 0; i < l->fleet.n_rows; i++) {
		const struct alloc_service *s = &l->service[l->row[i].service];

		if (s->overload != ALLOC_SPREAD)
			continue;
		for (uint32_t k = 0; k < s->n_slots; k++)
			mask |= UINT64_C(1) << s->slot[k].vendor;
	}
	return mask;
}

void loop_budgets(struct loop *l, const struct loop_in *in)
{
	uint64_t open = l->stats.spread_mbps > 0 ? spreading(l) : 0;

	for (uint32_t v = 0; v < in->n_vendors; v++) {
		const struct alloc_vendor *a = &l->vendor[v];

		l->budget_kbps[v] = budget(l, in, v,
			open >> v & 1 ? HUGE_VAL
				      : room_of(a->guaranteed_mbps, a->max_mbps, a->headroom,
						&l->forecast[v],
						fmax(a->current_mbps, a->forecast_mbps)));
	}
	for (uint32_t r = 0; r < in->n_regions; r++) {
		const struct alloc_region *a = &l->region[r];
		uint32_t cell = SL_MAX_VENDORS + r;

		l->budget_kbps[cell] = budget(l, in, cell,
			open >> a->vendor & 1
				? HUGE_VAL
				: room_of(a->guaranteed_mbps, a->max_mbps,
					  l->vendor[a->vendor].headroom, &l->forecast[cell],
					  fmax(a->current_mbps, a->forecast_mbps)));
	}
}
