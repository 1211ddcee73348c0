/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vendors and viewers of a record, as they would have answered other shares. What came is as
 * recorded: viewers by group, their bitrates, and how good each vendor was. Where they went is not:
 * of what was dispatched, metered and reported, what the recorded shares put there is taken off
 * and what the changed ones put there is added, both as the ledger ages it.
 */
#include "sim/replay_int.h"

#include <math.h>
#include <string.h>

/* What the shares of the last tick make of what came since, kbps by cell. False when they are of
 * other rows: before the first tick, or after the catalogue changed. */
static bool expect(const struct replay_rig *r, double ret_kbps[static LOOP_CELLS])
{
	memset(ret_kbps, 0, LOOP_CELLS * sizeof(*ret_kbps));
	if (r->loop.fleet.n_rows != r->in.n_rows || r->loop.fleet.n_services != r->in.n_services ||
		r->loop.fleet.n_vendors != r->in.n_vendors)
		return false;
	for (uint32_t i = 0; i < r->in.n_rows; i++) {
		const struct loop_row *row = &r->row[i];
		const struct alloc_row_out *out = &r->loop.row_out[i];
		const struct alloc_service *s = &r->loop.service[row->service];
		uint32_t sticky[SCORE_ROW];

		sticky_shares(&r->seat[row->service * SL_MAX_GROUPS + row->group].sticky, sticky);
		for (uint32_t k = 0; k < s->n_slots; k++) {
			uint32_t v = s->slot[k].vendor, region = ALLOC_NO_REGION;
			double kbps = (row->sequence_kbps * out->lowered * out->share_ppm[k] +
					      row->sticky_kbps * sticky[k]) /
				      SCORE_PPM;

			if (r->in.n_regions)
				region = r->region_of[row->group * r->in.n_vendors + v];
			ret_kbps[v] += kbps;
			if (region != ALLOC_NO_REGION)
				ret_kbps[SL_MAX_VENDORS + region] += kbps;
		}
	}
	return true;
}

/* Less goes down to nothing in proportion, so that a drained vendor gets nothing; more is added,
 * behind the doors by which this tick's sessions came. */
static void dispatch(struct replay_rig *r, const double *was, const double *now)
{
	double door[LOOP_DOORS] = {0}, all = 0;

	for (uint32_t d = 0; d < LOOP_DOORS; d++)
		for (uint32_t v = 0; v < r->in.n_vendors; v++) {
			door[d] += r->door_kbps[d][v];
			all += r->door_kbps[d][v];
		}
	for (uint32_t c = 0; all > 0 && c < LOOP_CELLS; c++)
		for (uint32_t d = 0; d < LOOP_DOORS; d++) {
			if (now[c] < was[c])
				r->door_kbps[d][c] *= now[c] / was[c];
			else
				r->door_kbps[d][c] += (now[c] - was[c]) * door[d] / all;
		}
}

/* What the ledger of l says of a cell over a time, by the factors that were learned of the record.
 */
static double carried(const struct replay_rig *was, const struct loop *l, uint32_t cell,
	uint64_t start_ms, uint64_t end_ms)
{
	double mbps = 0;

	for (uint32_t d = 0; d < LOOP_DOORS; d++)
		mbps += learn_factor(&was->kept.doors, d) *
			ledger_mean(l->ledger, d * LOOP_CELLS + cell, start_ms, end_ms, NULL);
	return mbps;
}

static void meter(struct replay_rig *r, const struct replay_rig *was)
{
	for (uint32_t i = 0; i < r->n_meters; i++) {
		struct record_meter *m = &r->meter[i];
		double more = carried(was, &r->loop, m->cell, m->start_ms, m->end_ms) -
			      carried(was, &was->loop, m->cell, m->start_ms, m->end_ms);

		m->mbps = fmax(0, m->mbps + more);
	}
}

/* Sessions that report follow the load of their vendor, alike in all groups. */
static void report(struct replay_rig *r, const struct replay_rig *was)
{
	double scale[SL_MAX_VENDORS];

	for (uint32_t v = 0; v < r->in.n_vendors; v++) {
		double before = carried(was, &was->loop, v, was->in.now_ms, was->in.now_ms);

		scale[v] = before > 0
				   ? carried(was, &r->loop, v, r->in.now_ms, r->in.now_ms) / before
				   : 1;
	}
	for (uint32_t i = 0; i < r->in.n_facts; i++) {
		r->fact[i].sessions *= scale[r->fact[i].vendor];
		r->fact[i].mbps *= scale[r->fact[i].vendor];
	}
}

void replay_answer(struct replay_rig *r, const struct replay_rig *was)
{
	double sent[LOOP_CELLS], instead[LOOP_CELLS];

	if (expect(was, sent) && expect(r, instead))
		dispatch(r, sent, instead);
	meter(r, was);
	report(r, was);
}
