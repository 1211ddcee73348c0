/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of a fleet: checks what comes in, runs pour and solver, writes integers out. */
#include "scoring/allocate.h"

#include "base/err.h"
#include "scoring/allocate_int.h"

#include <math.h>
#include <string.h>

#define MAX_MBPS     1e12
#define MAX_WEIGHT   1e6
#define MAX_HEADROOM 0.9

static bool sound(double x, double max)
{
	return x >= 0 && x <= max; /* false for NaN */
}

static bool vendors_sound(const struct alloc_fleet *f)
{
	for (uint32_t v = 0; v < f->n_vendors; v++) {
		const struct alloc_vendor *in = &f->vendor[v];

		if (!sound(in->guaranteed_mbps, MAX_MBPS) || !sound(in->max_mbps, MAX_MBPS) ||
			!sound(in->current_mbps, MAX_MBPS) || !(in->forecast_mbps <= MAX_MBPS) ||
			!sound(in->headroom, MAX_HEADROOM))
			return false;
	}
	for (uint32_t r = 0; r < f->n_regions; r++) {
		const struct alloc_region *in = &f->region[r];

		if (in->vendor >= f->n_vendors || !sound(in->guaranteed_mbps, HUGE_VAL) ||
			!sound(in->max_mbps, HUGE_VAL) || !sound(in->current_mbps, MAX_MBPS) ||
			!(in->forecast_mbps <= MAX_MBPS))
			return false;
	}
	return true;
}

static bool service_sound(const struct alloc_fleet *f, const struct alloc_service *s)
{
	const struct score_params *p = &s->params;
	uint64_t seen = 0;

	if (s->n_slots > SL_MAX_SLOTS || !sound(p->guarantee_gain, 1e9) ||
		!sound(p->guarantee_blend, 1) || !sound(p->quality_exponent, 1000) ||
		p->slices < 1 || p->slices > SCORE_MAX_SLICES ||
		p->trickle_ppm > SL_MAX_TRICKLE_PPM)
		return false;
	if (s->n_ladder > ALLOC_RUNGS || s->overload > ALLOC_SPREAD)
		return false;
	for (uint32_t i = 0; i < s->n_ladder; i++)
		if (!(s->ladder_kbps[i] > 0) || (i && !(s->ladder_kbps[i] < s->ladder_kbps[i - 1])))
			return false;
	for (uint32_t i = 0; i < s->n_slots; i++) {
		uint32_t v = s->slot[i].vendor;

		if (v >= f->n_vendors || seen >> v & 1 || s->slot[i].tier >= ALLOC_TIERS ||
			!sound(s->slot[i].weight, MAX_WEIGHT))
			return false;
		seen |= UINT64_C(1) << v;
	}
	return true;
}

static bool row_sound(const struct alloc_fleet *f, const struct alloc_row *r)
{
	const struct alloc_service *s = &f->service[r->service];
	uint64_t sticky = 0;

	if (!sound(r->demand_mbps, MAX_MBPS) || !sound(r->sticky_mbps, MAX_MBPS))
		return false;
	for (uint32_t i = 0; i < s->n_slots; i++)
		if (!(r->quality[i] > 0 && r->quality[i] <= 1) || r->block[i] >= SCORE_REASONS ||
			r->withheld_ppm[i] > SCORE_PPM)
			return false;
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		sticky += r->sticky_ppm[i];
	return sticky <= SCORE_PPM;
}

static bool fleet_sound(const struct alloc_fleet *f)
{
	if (f->n_vendors > SL_MAX_VENDORS || f->n_regions > SL_MAX_REGIONS ||
		f->n_services > SL_MAX_SERVICES || f->n_groups > SL_MAX_GROUPS || !vendors_sound(f))
		return false;
	for (uint32_t s = 0; s < f->n_services; s++)
		if (!service_sound(f, &f->service[s]))
			return false;
	for (uint32_t i = 0; f->n_regions && i < f->n_groups * f->n_vendors; i++) {
		uint32_t r = f->region_of[i];

		if (r != ALLOC_NO_REGION &&
			(r >= f->n_regions || f->region[r].vendor != i % f->n_vendors))
			return false;
	}
	for (uint32_t i = 0; i < f->n_rows; i++) {
		const struct alloc_row *r = &f->row[i], *before = i ? r - 1 : NULL;

		if (r->service >= f->n_services || r->group >= f->n_groups || !row_sound(f, r) ||
			(before && (before->service > r->service ||
					   (before->service == r->service &&
						   before->group >= r->group))))
			return false;
	}
	return true;
}

static double load_of(double current, double forecast)
{
	return forecast > current ? forecast : current;
}

static void fill_cells(struct alloc_work *w)
{
	const struct alloc_fleet *f = w->fleet;

	w->n_cells = SL_MAX_VENDORS + f->n_regions;
	for (uint32_t v = 0; v < SL_MAX_VENDORS; v++) {
		w->vendor_of[v] = (uint16_t)v;
		w->cell[v] = (struct score_figures){0};
		if (v < f->n_vendors) {
			const struct alloc_vendor *in = &f->vendor[v];

			w->cell[v] = (struct score_figures){in->guaranteed_mbps, in->max_mbps,
				load_of(in->current_mbps, in->forecast_mbps), in->headroom};
		}
	}
	for (uint32_t r = 0; r < f->n_regions; r++) {
		const struct alloc_region *in = &f->region[r];
		uint32_t c = alloc_cell_of_region(r);

		w->vendor_of[c] = in->vendor;
		w->cell[c] = (struct score_figures){in->guaranteed_mbps, in->max_mbps,
			load_of(in->current_mbps, in->forecast_mbps),
			f->vendor[in->vendor].headroom};
	}
	for (uint32_t c = 0; c < w->n_cells; c++) {
		w->base[c] = w->cell[c].load_mbps;
		w->room[c] = score_room(&w->cell[c]);
		if (c >= SL_MAX_VENDORS)
			w->room[c] = score_room_min(w->room[w->vendor_of[c]], w->room[c]);
	}
}

/* Slots in order of vendor id, so that the order in the service does not matter. */
static void slots_by_id(const struct alloc_service *s, uint8_t *ret_slot)
{
	for (uint32_t i = 0; i < s->n_slots; i++) {
		uint32_t j = i;

		for (; j > 0 && s->slot[ret_slot[j - 1]].vendor > s->slot[i].vendor; j--)
			ret_slot[j] = ret_slot[j - 1];
		ret_slot[j] = (uint8_t)i;
	}
}

static bool paid_for(const struct alloc_fleet *f, const struct alloc_slot *at)
{
	return at->weight * f->vendor[at->vendor].guaranteed_mbps > 0;
}

/* The first tier that has anybody. */
static uint32_t least_tier(const struct alloc_service *s)
{
	uint32_t least = ALLOC_TIERS;

	for (uint32_t i = 0; i < s->n_slots; i++)
		if (s->slot[i].weight > 0)
			least = SL_MIN(least, s->slot[i].tier);
	return least;
}

/* Whether shares by guarantee bring a vendor sessions in any of the rows: else its load would stay
 * unknown for as long as they are followed. */
static bool fed_by_guarantee(
	const struct alloc_fleet *f, uint32_t service, uint32_t first_row, uint32_t slot)
{
	const struct alloc_service *s = &f->service[service];
	const struct alloc_slot *at = &s->slot[slot];

	if (!(at->weight * f->vendor[at->vendor].max_mbps > 0) || at->tier != least_tier(s))
		return false;
	for (uint32_t i = first_row; i < f->n_rows && f->row[i].service == service; i++) {
		bool other = false;

		for (uint32_t k = 0; k < s->n_slots; k++)
			other |= f->row[i].block[k] == 0 && paid_for(f, &s->slot[k]);
		if (f->row[i].block[slot] == 0 && (paid_for(f, at) || !other))
			return true;
	}
	return false;
}

/* Slots in order of vendor id; sums in that order. */
static void fill_service(struct alloc_work *w, uint32_t service, uint32_t first_row)
{
	const struct alloc_service *s = &w->fleet->service[service];
	struct alloc_service_work *sw = &w->service[service];

	sw->sums = (struct score_sums){0, 0};
	sw->known = !s->by_guarantee;
	sw->n_tiers = 1;
	sw->demand_mbps = 0;
	slots_by_id(s, sw->slot);
	for (uint32_t j = 0; j < s->n_slots; j++) {
		uint32_t id = s->slot[sw->slot[j]].vendor;
		const struct alloc_vendor *v = &w->fleet->vendor[id];

		sw->vendor[j] = (uint16_t)id;
		sw->tier[j] = (uint8_t)s->slot[sw->slot[j]].tier;
		sw->n_tiers = SL_MAX(sw->n_tiers, sw->tier[j] + 1U);
		sw->sums.guaranteed_mbps += v->guaranteed_mbps;
		sw->sums.max_mbps += v->max_mbps;
		sw->known = sw->known && (v->known || !fed_by_guarantee(w->fleet, service,
							      first_row, sw->slot[j]));
	}
}

/* Why a slot stands where it stands, before anything is poured. */
static uint8_t reason_of(const struct alloc_work *w, const struct alloc_row *in,
	const struct alloc_slot *slot, uint32_t i, uint32_t cell)
{
	uint32_t v = slot->vendor;

	if (in->block[i])
		return in->block[i];
	if (!(w->cell[v].max_mbps > 0))
		return SCORE_NO_CAPACITY;
	if (!(slot->weight > 0))
		return SCORE_NO_WEIGHT;
	if (!(w->room[v].total_mbps > 0))
		return SCORE_AT_MAX;
	if (!(w->room[cell].total_mbps > 0))
		return SCORE_AT_REGION_MAX;
	if (!w->service[in->service].known)
		return SCORE_UNKNOWN;
	return w->room[cell].guaranteed_mbps > 0 ? SCORE_UNDER : SCORE_OVER;
}

static uint32_t cell_of(const struct alloc_fleet *f, uint32_t group, uint32_t vendor)
{
	uint32_t region = ALLOC_NO_REGION;

	if (f->n_regions)
		region = f->region_of[group * f->n_vendors + vendor];
	return region == ALLOC_NO_REGION ? vendor : alloc_cell_of_region(region);
}

/* Guarantee ratio among the slots that are open; the maxima where none of them has a guarantee. */
static void first_by_guarantee(const struct alloc_work *w, struct alloc_work_row *r)
{
	const struct alloc_service *s = &w->fleet->service[r->in->service];
	const struct alloc_service_work *sw = &w->service[r->in->service];
	double sum = 0;

	for (uint32_t pass = 0; pass < 2 && !(sum > 0); pass++) {
		for (uint32_t j = 0; j < r->n; j++) {
			const struct alloc_vendor *v = &w->fleet->vendor[sw->vendor[j]];
			double figure = pass ? v->max_mbps : v->guaranteed_mbps;

			r->first[j] =
				r->cell[j] == ALLOC_SHUT ? 0 : figure * s->slot[sw->slot[j]].weight;
			sum += r->first[j];
		}
	}
}

static void fill_row(struct alloc_work *w, struct alloc_work_row *r, const struct alloc_row *in)
{
	const struct alloc_service *s = &w->fleet->service[in->service];
	const struct alloc_service_work *sw = &w->service[in->service];

	r->in = in;
	r->n = s->n_slots;
	for (uint32_t j = 0; j < r->n; j++) {
		uint32_t i = sw->slot[j], cell = cell_of(w->fleet, in->group, sw->vendor[j]);
		const struct alloc_term *t = &sw->term[cell];

		r->reason[j] = reason_of(w, in, &s->slot[i], i, cell);
		r->cell[j] = (uint16_t)(score_reason_usable(r->reason[j]) ? cell : ALLOC_SHUT);
		r->gain[j] = score_pow(in->quality[i], s->params.quality_exponent);
		r->first[j] = r->cell[j] == ALLOC_SHUT ? 0 : t->plain + t->by_quality * r->gain[j];
		w->sticky[cell] += in->sticky_mbps * in->sticky_ppm[i] / SCORE_PPM;
		if (cell != sw->vendor[j])
			w->sticky[sw->vendor[j]] += in->sticky_mbps * in->sticky_ppm[i] / SCORE_PPM;
	}
	if (!sw->known)
		first_by_guarantee(w, r);
	alloc_open_tiers(w, r);
}

static void fill(struct alloc_work *w, const struct alloc_fleet *f)
{
	w->fleet = f;
	fill_cells(w);
	memset(w->sticky, 0, sizeof(w->sticky));
	for (uint32_t s = 0, i = 0; s < f->n_services; s++) {
		fill_service(w, s, i);
		alloc_terms(w, s);
		w->service[s].first_row = i;
		for (uint32_t k = i; k < f->n_rows && f->row[k].service == s; k++)
			w->service[s].demand_mbps += f->row[k].demand_mbps;
		for (; i < f->n_rows && f->row[i].service == s; i++)
			fill_row(w, &w->row[i], &f->row[i]);
		w->service[s].end_row = i;
	}
	for (uint32_t c = 0; c < w->n_cells; c++) {
		struct score_figures after = w->cell[c];

		after.load_mbps += w->sticky[c];
		w->cap[c] = score_room(&after).total_mbps;
	}
}

/* Parts, in order of position, to integers in order of slot. */
static void round_row(const struct alloc_work *w, const struct alloc_work_row *r, uint32_t *ret_ppm)
{
	const struct alloc_service_work *sw = &w->service[r->in->service];
	double part[SCORE_ROW];
	uint32_t ppm[SCORE_ROW];

	memcpy(part, r->part, r->n * sizeof(part[0]));
	part[r->n] = r->part[SCORE_NONE];
	score_to_ppm(part, r->n + 1, r->n, SCORE_PPM, ppm);
	memset(ret_ppm, 0, SCORE_ROW * sizeof(*ret_ppm));
	for (uint32_t j = 0; j < r->n; j++)
		ret_ppm[sw->slot[j]] = ppm[j];
	ret_ppm[SCORE_NONE] = ppm[r->n];
}

static void order_row(const struct alloc_work_row *r, const struct alloc_service_work *sw,
	struct alloc_row_out *ret)
{
	uint8_t pos[SL_MAX_SLOTS];
	uint32_t n = 0;

	for (uint32_t j = 0; j < r->n; j++) {
		uint32_t at = n;

		if (!(r->first[j] > 0))
			continue;
		for (; at > 0 && r->first[pos[at - 1]] < r->first[j]; at--)
			pos[at] = pos[at - 1];
		pos[at] = (uint8_t)j;
		n++;
	}
	for (uint32_t k = 0; k < n; k++)
		ret->order[k] = sw->slot[pos[k]];
	ret->n_order = (uint8_t)n;
}

static void write_proposal(
	const struct alloc_work *w, const struct alloc_work_row *r, struct alloc_row_out *ret)
{
	const struct alloc_service_work *sw = &w->service[r->in->service];

	memset(ret, 0, sizeof(*ret));
	for (uint32_t j = 0; j < r->n; j++) {
		ret->score[sw->slot[j]] = r->first[j];
		ret->reason[sw->slot[j]] = r->reason[j];
	}
	order_row(r, sw, ret);
	round_row(w, r, ret->poured_ppm);
}

static bool cell_binds(const struct alloc_work *w, uint32_t cell)
{
	uint32_t v = w->vendor_of[cell];

	return w->factor[v] < 1 || w->factor[cell] < 1 || w->scale[v] < 1 || w->scale[cell] < 1;
}

static void write_row(
	const struct alloc_work *w, const struct alloc_work_row *r, struct alloc_row_out *ret)
{
	const struct alloc_service_work *sw = &w->service[r->in->service];

	round_row(w, r, ret->share_ppm);
	ret->lowered = r->lowered;
	for (uint32_t j = 0; j < r->n; j++) {
		uint32_t i = sw->slot[j];

		if (r->cell[j] != ALLOC_SHUT && ret->share_ppm[i] < ret->poured_ppm[i] &&
			cell_binds(w, r->cell[j]))
			ret->capped |= (uint16_t)(1U << i);
	}
}

static void write_vendors(
	const struct alloc_work *w, const struct alloc_row_out *row, struct alloc_vendor_out *ret)
{
	const struct alloc_fleet *f = w->fleet;

	for (uint32_t v = 0; v < f->n_vendors; v++) {
		struct score_figures at = w->cell[v];
		struct score_room room;

		at.load_mbps = w->base[v];
		room = score_room(&at);
		ret[v] = (struct alloc_vendor_out){room.guaranteed_mbps, room.total_mbps,
			w->base[v] + w->sticky[v],
			w->factor[v] < 1 || w->scale[v] < 1 ||
				(at.max_mbps > 0 && !(room.total_mbps > 0))};
	}
	for (uint32_t c = SL_MAX_VENDORS; c < w->n_cells; c++)
		if (w->factor[c] < 1)
			ret[w->vendor_of[c]].capped = true;
	for (uint32_t i = 0; i < f->n_rows; i++) {
		const struct alloc_service_work *sw = &w->service[f->row[i].service];

		for (uint32_t j = 0; j < w->row[i].n; j++)
			ret[sw->vendor[j]].expected_mbps += f->row[i].demand_mbps * row[i].lowered *
							    row[i].share_ppm[sw->slot[j]] /
							    SCORE_PPM;
	}
}

size_t alloc_work_size(uint32_t n_rows)
{
	return sizeof(struct alloc_work) + n_rows * sizeof(struct alloc_work_row);
}

int alloc_run(const struct alloc_fleet *fleet, struct alloc_state *state, void *work,
	size_t work_size, struct alloc_row_out *ret_row, struct alloc_vendor_out *ret_vendor,
	struct alloc_stats *ret_stats)
{
	struct alloc_work *w = work;

	if (!fleet_sound(fleet))
		return SL_EINVAL;
	if (work_size < alloc_work_size(fleet->n_rows))
		return SL_ELIMIT;
	*ret_stats = (struct alloc_stats){0};
	fill(w, fleet);
	alloc_pour(w);
	for (uint32_t i = 0; i < fleet->n_rows; i++)
		write_proposal(w, &w->row[i], &ret_row[i]);
	alloc_withhold(w);
	alloc_trickle(w);
	alloc_solve(w, state, ret_stats);
	alloc_overload(w, ret_row, ret_stats);
	for (uint32_t i = 0; i < fleet->n_rows; i++)
		write_row(w, &w->row[i], &ret_row[i]);
	write_vendors(w, ret_row, ret_vendor);
	return 0;
}

void alloc_fallback(const struct alloc_fleet *fleet, const struct alloc_row *row,
	uint32_t ret_ppm[static SCORE_ROW])
{
	const struct alloc_service *s = &fleet->service[row->service];
	double part[SCORE_ROW] = {0}, sum = 0;
	uint32_t ppm[SCORE_ROW];
	uint8_t slot[SL_MAX_SLOTS];

	slots_by_id(s, slot);
	for (uint32_t pass = 0; pass < 2 && !(sum > 0); pass++) {
		for (uint32_t j = 0; j < s->n_slots; j++) {
			const struct alloc_slot *at = &s->slot[slot[j]];
			const struct alloc_vendor *v = &fleet->vendor[at->vendor];
			double figure = pass ? v->max_mbps : v->guaranteed_mbps;

			part[j] = row->block[slot[j]] ? 0 : figure * at->weight;
			sum += part[j];
		}
	}
	score_to_ppm(part, SCORE_ROW, SCORE_NONE, SCORE_PPM, ppm);
	memset(ret_ppm, 0, SCORE_ROW * sizeof(*ret_ppm));
	for (uint32_t j = 0; j < s->n_slots; j++)
		ret_ppm[slot[j]] = ppm[j];
	ret_ppm[SCORE_NONE] = ppm[SCORE_NONE];
}
