/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "engine/engine_int.h"

#include <math.h>

/* Seated sessions stay where new ones are not sent for want of room or by a drain. */
static bool keeps_seated(uint8_t reason)
{
	return reason != SCORE_EVACUATED && reason != SCORE_BLACKLISTED &&
	       reason != SCORE_RESTRICTED && reason != SCORE_DOWN && reason != SCORE_NO_CAPACITY;
}

/* Nobody may serve the row, and for want of capacity it is not. */
static bool all_barred(const struct engine *e, const struct alloc_row *r)
{
	uint32_t n = e->service[r->service].n_slots, barred = 0;

	for (uint32_t i = 0; i < n; i++)
		barred += r->block[i] != 0;
	return n && barred == n;
}

/*
 * How much of the hash space may change hands in one tick: the fraction that new clients are of the
 * audience. The audience of a sticky door is who asks again, once a TTL; where nobody does, nobody
 * can be re-seated and the table may move at once.
 */
static uint32_t max_move_ppm(const struct engine *e, const struct engine_row *row, uint32_t service)
{
	const struct cat_service *s = &e->cat.services[service];
	double ticks_per_ttl = SL_MAX(1.0, s->ttl_s * 1000.0 / e->conf->sluice.tick_ms);
	double audience = row->refresh_rate * ticks_per_ttl;
	double least = e->conf->sluice.tick_ms / 1000.0 / s->session_s;
	double part = audience < 1 ? 1 : row->fresh_rate / audience;

	return (uint32_t)(SCORE_PPM * SL_MIN(1.0, SL_MAX(part, least)));
}

static struct sticky_row *update_sticky(
	struct engine *e, const struct alloc_row *r, const struct alloc_row_out *out)
{
	struct engine_row *row = &e->row[r->service * SL_MAX_GROUPS + r->group];
	uint32_t cut = out->capped;

	for (uint32_t i = 0; i < e->service[r->service].n_slots; i++)
		if (!score_reason_usable(out->reason[i]))
			cut |= 1u << i;
	cut |= out->share_ppm[SCORE_NONE] == 0 ? 1u << SCORE_NONE : 0;
	sticky_update(&row->sticky, out->share_ppm, cut, max_move_ppm(e, row, r->service), NULL);
	return &row->sticky;
}

/* A row of shares, stored once per content. */
struct share_index {
	uint32_t slot[1 << 14]; /* index + 1 */
};

static uint32_t put_shares(
	struct blob_writer *w, struct share_index *seen, const uint32_t share[static SCORE_ROW])
{
	const uint32_t size = SL_COUNT(seen->slot);
	struct tick_share *s;
	uint32_t index;

	for (uint32_t at = (uint32_t)hash64(share, SCORE_ROW * sizeof(*share), 0) % size, tries = 0;
		tries < 64; at = (at + 1) % size, tries++) {
		if (!seen->slot[at]) {
			s = blob_add(w, TICK_shares, 1, &index);
			if (!s)
				return BLOB_NONE;
			memcpy(s->ppm.v, share, sizeof(s->ppm.v));
			seen->slot[at] = index + 1;
			return index;
		}
		s = blob_at(w, TICK_shares, seen->slot[at] - 1);
		if (memcmp(s->ppm.v, share, sizeof(s->ppm.v)) == 0)
			return seen->slot[at] - 1;
	}
	s = blob_add(w, TICK_shares, 1, &index);
	if (s)
		memcpy(s->ppm.v, share, sizeof(s->ppm.v));
	return s ? index : BLOB_NONE;
}

static struct blob_span put_sticky(struct blob_writer *w, const uint32_t *entry, uint32_t n)
{
	struct blob_span span = {0, 0};
	struct tick_sticky *to = blob_add(w, TICK_sticky, n, &span.first);

	if (to) {
		memcpy(to, entry, n * sizeof(*entry));
		span.count = n;
	}
	return span;
}

static void put_row(struct engine *e, struct blob_writer *w, struct share_index *seen,
	const struct alloc_row *r, const struct alloc_row_out *out)
{
	uint32_t index = r->service * e->cat.n_groups + r->group;
	struct tick_row row = {0};
	uint32_t fallback[SCORE_ROW];
	const struct sticky_row *sticky = update_sticky(e, r, out);

	alloc_fallback(&e->fleet, r, fallback);
	row.shares = put_shares(w, seen, out->share_ppm);
	row.fallback = put_shares(w, seen, fallback);
	row.sticky = put_sticky(w, sticky->entry, sticky->n);
	row.n_order = out->n_order;
	for (uint32_t i = 0; i < out->n_order; i++)
		row.order |= (uint64_t)out->order[i] << (4 * i);
	for (uint32_t i = 0; i < e->service[r->service].n_slots; i++) {
		row.usable |= (uint16_t)(score_reason_usable(out->reason[i]) << i);
		row.seated |= (uint16_t)(keeps_seated(out->reason[i]) << i);
		row.reasons |= (uint64_t)(out->reason[i] & 15) << (4 * i);
	}
	*(struct tick_row *)blob_at(w, TICK_rows, index) = row;
}

/* The row as the last tick had it; false where there was none. */
static bool keep_row(const struct engine *e, struct blob_writer *w, struct share_index *seen,
	uint32_t service, uint32_t group)
{
	const struct world *old = e->world ? world_of(e->world) : NULL;
	const struct tick_row *from;
	struct tick_row row;

	if (!old || service >= old->cat.n_services || group >= old->cat.n_groups)
		return false;
	if (old->cat.services[service].slots.count != e->cat.services[service].slots.count)
		return false;
	from = world_row(old, service, group);
	if (from->shares == BLOB_NONE)
		return false;
	row = *from;
	row.shares = put_shares(w, seen, old->tick.shares[from->shares].ppm.v);
	row.fallback = put_shares(w, seen, old->tick.shares[from->fallback].ppm.v);
	row.sticky = put_sticky(w, &old->tick.sticky[from->sticky.first].v, from->sticky.count);
	*(struct tick_row *)blob_at(w, TICK_rows, service * e->cat.n_groups + group) = row;
	return true;
}

/* Ceiling of a cell in kbps of the cumulative tally: spent so far, the room there is, and what will
 * have left by the tick after next. */
static uint64_t ceiling(const struct engine *e, uint32_t cell, double room_mbps)
{
	double leaving = 0;
	uint64_t spent = 0;

	for (uint32_t d = 0; d < TALLY_DOORS; d++)
		leaving += learn_factor(&e->kept->doors, d) *
			   ledger_departing(e->ledger, d * ENGINE_CELLS + cell,
				   2ull * e->conf->sluice.tick_ms);

	for (uint32_t i = 0; i < e->n_tallies; i++)
		if (e->tally[i].map)
			spent += tally_get(&e->tally[i].map->spent_kbps[cell]);
	if (!(room_mbps < 1e12))
		return UINT64_MAX;
	return spent + (room_mbps > 0 ? (uint64_t)((room_mbps + leaving) * 1000) : 0);
}

static double room_of(double max_mbps, double headroom, double load_mbps)
{
	return SL_MAX(0.0, (1 - headroom) * max_mbps - load_mbps);
}

static void put_cells(struct engine *e, struct blob_writer *w)
{
	uint32_t n = e->cat.n_vendors + e->cat.n_regions;
	struct tick_budget *budget = blob_add(w, TICK_budgets, n, NULL);
	struct tick_figure *figure = blob_add(w, TICK_figures, n, NULL);

	for (uint32_t v = 0; budget && figure && v < e->cat.n_vendors; v++) {
		const struct alloc_vendor *from = &e->vendor[v];
		double load = SL_MAX(from->current_mbps, from->forecast_mbps);

		budget[v].v = ceiling(e, v, room_of(from->max_mbps, from->headroom, load));
		figure[v] = (struct tick_figure){.guaranteed_mbps = from->guaranteed_mbps,
			.max_mbps = from->max_mbps,
			.current_mbps = from->current_mbps,
			.forecast_mbps = SL_MAX(0.0, from->forecast_mbps),
			.expected_mbps = e->vendor_out[v].expected_mbps};
	}
	for (uint32_t r = 0; budget && figure && r < e->cat.n_regions; r++) {
		const struct alloc_region *from = &e->region[r];
		double load = SL_MAX(from->current_mbps, from->forecast_mbps);
		double max = isfinite(from->max_mbps) ? from->max_mbps : 0;

		budget[e->cat.n_vendors + r].v =
			isfinite(from->max_mbps)
				? ceiling(e, SL_MAX_VENDORS + r,
					  room_of(max, e->vendor[from->vendor].headroom, load))
				: UINT64_MAX;
		figure[e->cat.n_vendors + r] = (struct tick_figure){
			.guaranteed_mbps =
				isfinite(from->guaranteed_mbps) ? from->guaranteed_mbps : 0,
			.max_mbps = max,
			.current_mbps = from->current_mbps,
			.forecast_mbps = SL_MAX(0.0, from->forecast_mbps)};
	}
}

static void put_meta(struct engine *e, struct blob_writer *w)
{
	struct tick_meta *m = blob_add(w, TICK_meta, 1, NULL);

	if (!m)
		return;
	m->catalogue = e->cat.head->checksum;
	m->geo = ((const struct blob_head *)e->geo)->checksum;
	m->number = e->kept->ticks;
	m->n_services = e->cat.n_services;
	m->n_groups = e->cat.n_groups;
	m->n_vendors = e->cat.n_vendors;
	m->n_regions = e->cat.n_regions;
	m->tick_ms = e->conf->sluice.tick_ms;
	m->stale_after_ms = e->conf->sluice.stale_after_s * 1000;
}

static uint32_t put_rows(struct engine *e, struct blob_writer *w)
{
	struct share_index seen = {{0}};
	uint32_t alarms = 0, n = e->cat.n_services * e->cat.n_groups;
	struct tick_row *rows = blob_add(w, TICK_rows, n, NULL);

	for (uint32_t i = 0; rows && i < n; i++)
		rows[i].shares = rows[i].fallback = BLOB_NONE;
	for (uint32_t i = 0; rows && i < e->fleet.n_rows; i++) {
		const struct alloc_row *r = &e->alloc_row[i];

		if (all_barred(e, r)) {
			alarms++;
			if (keep_row(e, w, &seen, r->service, r->group))
				continue;
		}
		put_row(e, w, &seen, r, &e->row_out[i]);
	}
	return alarms;
}

int engine_blob_build(struct engine *e, uint64_t now_ms, void **ret_blob, size_t *ret_size,
	uint32_t *ret_alarms, struct errbuf *err)
{
	struct blob_stamp stamp = {e->kept->epoch, e->kept->generation + 1, now_ms};
	struct blob_writer *w = blob_writer_new(&tick_def);
	int rc;

	if (!w)
		return err_set(err, SL_ENOMEM, "tick: out of memory");
	put_meta(e, w);
	*ret_alarms = put_rows(e, w);
	put_cells(e, w);
	engine_breaker_put(e, blob_add(w, TICK_breakers, e->cat.n_groups * e->cat.n_vendors, NULL));
	(void)blob_add(w, TICK_node_loads, e->cat.n_nodes, NULL);
	rc = blob_writer_finish(w, stamp, ret_blob, ret_size, err);
	blob_writer_free(w);
	return rc;
}
