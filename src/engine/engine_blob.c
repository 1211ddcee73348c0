/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "engine/engine_int.h"
#include "scoring/hot.h"

#include <math.h>

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

/* Who of the new sessions takes which rung; nothing where all take the first. Of those that may
 * stay there, asked_ppm go one lower because an operator said so. */
static void put_rungs(struct blob_writer *w, const struct alloc_row_out *out, uint32_t asked_ppm,
	struct tick_row *row)
{
	uint32_t asked = (uint32_t)((uint64_t)out->rung_ppm[0] * asked_ppm / SCORE_PPM);
	struct tick_rung *to;

	row->lower_ppm = SCORE_PPM - out->rung_ppm[0] + asked;
	if (row->lower_ppm == 0)
		return;
	to = blob_add(w, TICK_rungs, 1, &row->rungs);
	if (!to)
		return;
	memcpy(to->ppm.v, out->rung_ppm, sizeof(to->ppm.v));
	to->ppm.v[0] -= asked;
	to->ppm.v[1] += asked;
}

static void put_row(struct engine *e, struct blob_writer *w, struct share_index *seen,
	uint32_t i_row, uint64_t now_ms)
{
	const struct alloc_row *r = &e->loop.row[i_row];
	const struct alloc_row_out *out = &e->loop.row_out[i_row];
	uint32_t index = r->service * e->cat.n_groups + r->group;
	struct tick_row row = {0};
	uint32_t fallback[SCORE_ROW];
	const struct sticky_row *sticky =
		&e->loop.seat[r->service * SL_MAX_GROUPS + r->group].sticky;

	alloc_fallback(&e->loop.fleet, r, fallback);
	row.shares = put_shares(w, seen, out->share_ppm);
	row.fallback = put_shares(w, seen, fallback);
	row.sticky = put_sticky(w, sticky->entry, sticky->n);
	put_rungs(w, out, engine_rules_lower_ppm(e, r->service, r->group, now_ms), &row);
	row.n_order = out->n_order;
	for (uint32_t i = 0; i < out->n_order; i++)
		row.order |= (uint64_t)out->order[i] << (4 * i);
	for (uint32_t i = 0; i < e->loop.service[r->service].n_slots; i++) {
		row.usable |= (uint16_t)(score_reason_usable(out->reason[i]) << i);
		row.seated |= (uint16_t)(score_reason_keeps_seated(out->reason[i]) << i);
		row.reasons |= (uint64_t)(out->reason[i] & 15) << (4 * i);
	}
	engine_hold_put(e, i_row, &row);
	*(struct tick_row *)blob_at(w, TICK_rows, index) = row;
}

/* Where each slot of the last tick's catalogue stands now; false: a vendor has left. */
static bool find_slots(const struct cat_view *now, const struct cat_view *then, uint32_t service,
	uint8_t ret_to[static SCORE_ROW])
{
	struct blob_span a = now->services[service].slots, b = then->services[service].slots;

	for (uint8_t i = 0; i < SCORE_ROW; i++)
		ret_to[i] = i;
	for (uint32_t i = 0; i < b.count; i++) {
		uint8_t k = 0;

		while (k < a.count &&
			now->slots[a.first + k].vendor != then->slots[b.first + i].vendor)
			k++;
		if (k == a.count)
			return false;
		ret_to[i] = k;
	}
	return true;
}

static uint32_t move_shares(struct blob_writer *w, struct share_index *seen,
	const struct tick_share *from, const uint8_t to[static SCORE_ROW])
{
	uint32_t ppm[SCORE_ROW] = {0};

	for (uint32_t i = 0; i < SCORE_ROW; i++)
		ppm[to[i]] += from->ppm.v[i];
	return put_shares(w, seen, ppm);
}

/* A field of so many bits for each slot. */
static uint64_t move_fields(uint64_t from, unsigned bits, const uint8_t to[static SCORE_ROW])
{
	uint64_t moved = 0;

	for (unsigned i = 0; i < SL_MAX_SLOTS; i++)
		moved |= (from >> (bits * i) & ((1u << bits) - 1)) << (bits * to[i]);
	return moved;
}

/* The row as the last tick had it, by the slots of now; false where there was none. */
static bool keep_row(const struct engine *e, struct blob_writer *w, struct share_index *seen,
	uint32_t service, uint32_t group)
{
	const struct world *old = e->world ? world_of(e->world) : NULL;
	const struct sticky_row *sticky = &e->loop.seat[service * SL_MAX_GROUPS + group].sticky;
	const struct tick_row *from;
	uint8_t to[SCORE_ROW];
	struct tick_row row;

	if (!old || service >= old->cat.n_services || group >= old->cat.n_groups ||
		!find_slots(&e->cat, &old->cat, service, to))
		return false;
	from = world_row(old, service, group);
	if (from->shares == BLOB_NONE)
		return false;
	row = *from;
	row.lower_ppm = 0; /* nobody new is sent there */
	row.shares = move_shares(w, seen, &old->tick.shares[from->shares], to);
	row.fallback = move_shares(w, seen, &old->tick.shares[from->fallback], to);
	row.sticky = put_sticky(w, sticky->entry, sticky->n);
	row.order = 0;
	for (uint32_t i = 0; i < from->n_order; i++)
		row.order |= (uint64_t)to[from->order >> (4 * i) & 15] << (4 * i);
	row.usable = (uint16_t)move_fields(from->usable, 1, to);
	row.seated = (uint16_t)move_fields(from->seated, 1, to);
	row.reasons = move_fields(from->reasons, 4, to);
	row.hold_slots = move_fields(from->hold_slots, 4, to);
	*(struct tick_row *)blob_at(w, TICK_rows, service * e->cat.n_groups + group) = row;
	return true;
}

/* Ceiling of a cell in kbps of the cumulative tally, as it was read for this tick. */
static uint64_t ceiling(const struct engine *e, uint32_t cell)
{
	double budget = e->loop.budget_kbps[cell];

	return budget < 1e15 ? e->spent_kbps[cell] + (uint64_t)budget : UINT64_MAX;
}

static void put_cells(struct engine *e, struct blob_writer *w)
{
	uint32_t n = e->cat.n_vendors + e->cat.n_regions;
	struct tick_budget *budget = blob_add(w, TICK_budgets, n, NULL);
	struct tick_figure *figure = blob_add(w, TICK_figures, n, NULL);

	for (uint32_t v = 0; budget && figure && v < e->cat.n_vendors; v++) {
		const struct alloc_vendor *from = &e->loop.vendor[v];

		budget[v].v = ceiling(e, v);
		figure[v] = (struct tick_figure){.guaranteed_mbps = from->guaranteed_mbps,
			.max_mbps = from->max_mbps,
			.current_mbps = from->current_mbps,
			.forecast_mbps = SL_MAX(0.0, from->forecast_mbps),
			.expected_mbps = e->loop.vendor_out[v].expected_mbps};
	}
	for (uint32_t r = 0; budget && figure && r < e->cat.n_regions; r++) {
		const struct alloc_region *from = &e->loop.region[r];

		budget[e->cat.n_vendors + r].v = ceiling(e, SL_MAX_VENDORS + r);
		figure[e->cat.n_vendors + r] = (struct tick_figure){
			.guaranteed_mbps =
				isfinite(from->guaranteed_mbps) ? from->guaranteed_mbps : 0,
			.max_mbps = isfinite(from->max_mbps) ? from->max_mbps : 0,
			.current_mbps = from->current_mbps,
			.forecast_mbps = SL_MAX(0.0, from->forecast_mbps)};
	}
}

static void put_breakers(const struct engine *e, struct tick_breaker *to)
{
	static const uint8_t word[BREAKER_STATES] = {
		TICK_CLOSED, TICK_OPEN, TICK_HALF_OPEN, TICK_HALF_OPEN, TICK_HALF_OPEN};

	for (uint32_t g = 0; to && g < e->cat.n_groups; g++)
		for (uint32_t v = 0; v < e->cat.n_vendors; v++)
			to[g * e->cat.n_vendors + v].v = word[e->loop.cell[g][v].breaker.state];
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

static uint32_t put_rows(struct engine *e, struct blob_writer *w, uint64_t now_ms)
{
	struct share_index seen = {{0}};
	uint32_t alarms = 0, n = e->cat.n_services * e->cat.n_groups;
	struct tick_row *rows = blob_add(w, TICK_rows, n, NULL);

	for (uint32_t i = 0; rows && i < n; i++)
		rows[i].shares = rows[i].fallback = BLOB_NONE;
	for (uint32_t i = 0; rows && i < e->loop.fleet.n_rows; i++) {
		const struct alloc_row *r = &e->loop.row[i];

		if (loop_row_barred(&e->loop, i)) {
			alarms++;
			if (keep_row(e, w, &seen, r->service, r->group))
				continue;
		}
		put_row(e, w, &seen, i, now_ms);
	}
	return alarms;
}

/* Room for as much as the rows of this catalogue can ever need, so that no later tick asks. */
static void reserve(const struct engine *e, struct blob_writer *w)
{
	uint32_t n = e->cat.n_services * e->cat.n_groups;

	blob_reserve(w, TICK_shares, 2 * n);
	blob_reserve(w, TICK_sticky, n * STICKY_MAX);
	blob_reserve(w, TICK_rungs, n);
	blob_reserve(w, TICK_denied, 2 * e->n_prefixes + 1);
	blob_reserve(w, TICK_edges, e->n_edges);
	blob_reserve(w, TICK_hot, HOT_KEYS);
	blob_reserve(w, TICK_ingests, SL_MIN(e->cat.n_groups * e->cat.n_ingests, 1u << 20));
}

int engine_blob_build(struct engine *e, uint64_t now_ms, struct engine_made *to,
	uint32_t *ret_alarms, struct errbuf *err)
{
	struct blob_stamp stamp = {e->kept->epoch, e->kept->generation + 1, now_ms};
	struct blob_writer *w = e->writer ? e->writer : blob_writer_new(&tick_def);
	struct tick_node_load *load;
	int rc;

	if (!w)
		return err_set(err, SL_ENOMEM, "tick: out of memory");
	e->writer = w;
	blob_writer_clear(w);
	reserve(e, w);
	put_meta(e, w);
	*ret_alarms = put_rows(e, w, now_ms);
	put_cells(e, w);
	put_breakers(e, blob_add(w, TICK_breakers, e->cat.n_groups * e->cat.n_vendors, NULL));
	load = blob_add(w, TICK_node_loads, e->cat.n_nodes, NULL);
	engine_nodes_put(e, load);
	engine_rules_nodes(e, load, now_ms);
	engine_edges_put(e, w, now_ms);
	rc = engine_ingest_put(e, w, now_ms);
	if (rc)
		return err_set(err, rc, "tick: out of memory");
	engine_rules_denied(e, w, now_ms);
	engine_hot_put(e, w);
	return blob_writer_finish_in(w, stamp, &to->blob, &to->room, &to->size, err);
}
