/* SPDX-License-Identifier: Apache-2.0 */
/* What caches may hold of a row's DNS answers: for how much of the net, and for how long. */
#include "engine/engine_int.h"

#include <math.h>

/* Free room of a vendor in a group: the smaller of its own and its region's. */
static double room_of(const struct engine *e, uint32_t group, uint32_t vendor)
{
	const struct alloc_fleet *f = &e->loop.fleet;
	struct score_room room = {0, e->loop.vendor_out[vendor].room_total_mbps}, part;
	uint32_t region =
		f->region_of ? f->region_of[group * f->n_vendors + vendor] : ALLOC_NO_REGION;
	struct score_figures at;

	if (region == ALLOC_NO_REGION)
		return room.total_mbps;
	at = (struct score_figures){f->region[region].guaranteed_mbps, f->region[region].max_mbps,
		fmax(f->region[region].current_mbps, f->region[region].forecast_mbps),
		f->vendor[vendor].headroom};
	part = score_room(&at);
	return fmin(room.total_mbps, part.total_mbps);
}

/* What one answer is expected to bring that is kept for a /24. */
static double answer_mbps(const struct engine *e, const struct cat_service *s)
{
	return s->dns_viewers * (s->bitrate_kbps / 1000.0) * loop_factor(&e->loop, LOOP_DNS);
}

static void put_lengths(const struct engine *e, const struct alloc_row *r,
	const struct alloc_row_out *out, struct engine_hold *hold, struct tick_row *to)
{
	const struct cat_service *s = &e->cat.services[r->service];
	double brings = answer_mbps(e, s);
	uint8_t longest = 0;

	for (uint32_t i = 0; i < s->slots.count; i++) {
		uint32_t vendor = e->cat.slots[s->slots.first + i].vendor;
		uint8_t length;

		if (!score_reason_usable(out->reason[i]) || out->share_ppm[i] == 0)
			continue;
		length = hold_length(brings, s->dns_answer_part * room_of(e, r->group, vendor));
		if (length > TICK_HOLD_BASE)
			to->hold_slots |= (uint64_t)(length - TICK_HOLD_BASE) << (4 * i);
		if (out->share_ppm[i] >= HOLD_SHARE_PPM)
			longest = SL_MAX(longest, length);
	}
	hold->length = hold_steady(hold->length, longest);
	to->hold_length = hold->length;
}

static bool reason_moves(uint8_t reason)
{
	return reason == SCORE_DRAINED || reason == SCORE_EVACUATED ||
	       reason == SCORE_BLACKLISTED || reason == SCORE_DOWN || reason == SCORE_AT_MAX ||
	       reason == SCORE_AT_REGION_MAX;
}

/* Somebody leaves, is on trial or full, or the shares run away from what caches hold. */
static bool moves(const struct engine *e, const struct alloc_row *r,
	const struct alloc_row_out *out, struct engine_hold *hold)
{
	const struct cat_service *s = &e->cat.services[r->service];
	double off = hold_follow(&hold->trail, out->share_ppm, e->conf->sluice.tick_ms / 1000.0,
		SL_MAX(s->ttl_s, 1U));

	if (off > HOLD_MOVING_PPM || out->capped || out->overload != ALLOC_FITS)
		return true;
	for (uint32_t i = 0; i < s->slots.count; i++)
		if (reason_moves(out->reason[i]) || r->withheld_ppm[i])
			return true;
	return false;
}

void engine_hold_put(struct engine *e, uint32_t row, struct tick_row *to)
{
	const struct alloc_row *r = &e->loop.row[row];
	const struct alloc_row_out *out = &e->loop.row_out[row];
	struct engine_hold *hold = &e->hold[r->service * SL_MAX_GROUPS + r->group];

	put_lengths(e, r, out, hold, to);
	to->hold_shift = moves(e, r, out, hold) ? HOLD_SHIFT : 0;
}
