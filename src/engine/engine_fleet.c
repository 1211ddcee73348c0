/* SPDX-License-Identifier: Apache-2.0 */
#include "base/glob.h"
#include "engine/engine_int.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

/* Whether a contract window holds at this time. */
static bool window_holds(const struct cat_window *w, uint64_t now_ms)
{
	int64_t local_min = (int64_t)(now_ms / 60000) + (int64_t)w->utc_offset_min - CAT_UTC_OFFSET;
	uint32_t minute = (uint32_t)(local_min % 1440);
	uint32_t day = (uint32_t)((local_min / 1440 + 3) % 7); /* 1970-01-01 was a Thursday */

	if (w->from_min < w->to_min)
		return (w->days >> day & 1) && minute >= w->from_min && minute < w->to_min;
	/* over midnight: the part after it belongs to the day before */
	if (minute >= w->from_min)
		return w->days >> day & 1;
	return minute < w->to_min && (w->days >> ((day + 6) % 7) & 1);
}

void engine_capacity(const struct cat_view *c, uint32_t vendor, uint64_t now_ms,
	double *ret_guaranteed_mbps, double *ret_max_mbps)
{
	const struct cat_vendor *v = &c->vendors[vendor];

	*ret_guaranteed_mbps = v->active ? v->guaranteed_mbps : 0;
	*ret_max_mbps = v->active ? v->max_mbps : 0;
	for (uint32_t i = 0; i < c->n_windows; i++) {
		const struct cat_window *w = &c->windows[i];

		if (w->vendor != vendor || !window_holds(w, now_ms))
			continue;
		*ret_guaranteed_mbps = w->guaranteed_mbps;
		*ret_max_mbps = w->max_mbps;
		break;
	}
}

/* Capacity of now, then the operator's caps. */
static void set_capacity(struct engine *e, uint32_t v, uint64_t now_ms)
{
	struct loop_vendor *to = &e->vendor[v];

	engine_capacity(&e->cat, v, now_ms, &to->guaranteed_mbps, &to->max_mbps);
	for (uint32_t i = 0; i < e->n_rules; i++)
		if (e->rules[i].kind == RULE_CAP && engine_rule_holds(&e->rules[i], now_ms) &&
			engine_rule_names(
				e->rules[i].vendor, cat_text(&e->cat, e->cat.vendors[v].name)))
			to->max_mbps = SL_MIN(to->max_mbps, e->rules[i].value);
	to->guaranteed_mbps = SL_MIN(to->guaranteed_mbps, to->max_mbps);
}

double engine_headroom(const struct cat_view *c, uint32_t vendor)
{
	double widest = 0;

	for (uint32_t i = 0; i < c->n_slots; i++) {
		const struct cat_service *s = &c->services[c->slots[i].service];

		if (c->slots[i].vendor == vendor && s->active)
			widest = SL_MAX(widest, s->headroom);
	}
	return widest;
}

/* Head-room and session length of a vendor: the widest and the longest of the services it is in. */
static void set_traits(struct engine *e, uint32_t v)
{
	struct loop_vendor *to = &e->vendor[v];

	to->headroom = engine_headroom(&e->cat, v);
	to->session_s = LEDGER_MIN_LENGTH_S;
	for (uint32_t i = 0; i < e->cat.n_slots; i++) {
		const struct cat_service *s = &e->cat.services[e->cat.slots[i].service];

		if (e->cat.slots[i].vendor == v && s->active)
			to->session_s = SL_MAX(to->session_s, s->session_s);
	}
}

void engine_region_capacity(const struct cat_view *c, uint32_t region, double *ret_guaranteed_mbps,
	double *ret_max_mbps)
{
	const struct cat_region *r = &c->regions[region];

	*ret_max_mbps = r->active && r->has_max ? r->max_mbps : HUGE_VAL;
	*ret_guaranteed_mbps = r->active && r->has_guaranteed ? r->guaranteed_mbps : HUGE_VAL;
	*ret_guaranteed_mbps = SL_MIN(*ret_guaranteed_mbps, *ret_max_mbps);
}

static void set_region(struct engine *e, uint32_t r)
{
	struct loop_region *to = &e->region[r];

	to->vendor = (uint16_t)e->cat.regions[r].vendor;
	engine_region_capacity(&e->cat, r, &to->guaranteed_mbps, &to->max_mbps);
}

static void set_vendors(struct engine *e, uint64_t now_ms)
{
	for (uint32_t v = 0; v < e->cat.n_vendors; v++) {
		set_capacity(e, v, now_ms);
		set_traits(e, v);
	}
	for (uint32_t r = 0; r < e->cat.n_regions; r++)
		set_region(e, r);
}

/* Weight of a slot: the operator's where there is a rule, the last one counting. */
static double weight_of(const struct engine *e, const struct cat_slot *slot, uint64_t now_ms)
{
	struct str vendor = cat_text(&e->cat, e->cat.vendors[slot->vendor].name);
	struct str service = cat_text(&e->cat, e->cat.services[slot->service].name);
	double weight = slot->weight;

	for (uint32_t i = 0; i < e->n_rules; i++)
		if (e->rules[i].kind == RULE_WEIGHT && engine_rule_holds(&e->rules[i], now_ms) &&
			engine_rule_names(e->rules[i].vendor, vendor) &&
			engine_rule_names(e->rules[i].service, service))
			weight = e->rules[i].value;
	return weight;
}

void engine_service(const struct cat_view *c, uint32_t service, struct alloc_service *ret)
{
	static const enum alloc_overload overload[] = {[CAT_OVERLOAD_NONE] = ALLOC_REFUSE,
		[CAT_OVERLOAD_LOWER] = ALLOC_LOWER,
		[CAT_OVERLOAD_SPREAD] = ALLOC_SPREAD};
	const struct cat_service *from = &c->services[service];

	memset(ret, 0, sizeof(*ret));
	ret->n_slots = from->slots.count;
	ret->params = (struct score_params){.guarantee_gain = from->guarantee_gain,
		.guarantee_blend = from->guarantee_blend,
		.quality_exponent = from->quality_exponent,
		.slices = SL_MAX(from->slices, UINT32_C(1)), /* 0: a service that is gone */
		.trickle_ppm = from->trickle_ppm};
	ret->overload = overload[from->overload];
	ret->n_ladder = from->ladder.count;
	for (uint32_t i = 0; i < ret->n_ladder; i++)
		ret->ladder_kbps[i] = c->rungs[from->ladder.first + i].kbps;
	for (uint32_t i = 0; i < ret->n_slots; i++) {
		const struct cat_slot *slot = &c->slots[from->slots.first + i];

		ret->slot[i].tier = slot->tier;
		ret->slot[i].vendor = (uint16_t)slot->vendor;
		ret->slot[i].weight = slot->weight;
	}
}

static void set_service(struct engine *e, uint32_t s, uint64_t now_ms)
{
	const struct cat_service *from = &e->cat.services[s];
	struct loop_service *to = &e->service[s];

	memset(to, 0, sizeof(*to));
	to->active = from->active;
	to->bitrate_kbps = from->bitrate_kbps;
	to->session_s = from->session_s;
	to->ttl_s = from->ttl_s;
	engine_service(&e->cat, s, &to->alloc);
	to->alloc.by_guarantee = engine_rules_static(e, s, now_ms);
	for (uint32_t i = 0; i < to->alloc.n_slots; i++)
		to->alloc.slot[i].weight =
			weight_of(e, &e->cat.slots[from->slots.first + i], now_ms);
}

/* The stronger of two reasons to keep a vendor out: one that moves seated sessions wins. */
static uint8_t stronger(uint8_t a, uint8_t b)
{
	static const uint8_t rank[SCORE_REASONS] = {[SCORE_DRAINED] = 1,
		[SCORE_EVACUATED] = 2,
		[SCORE_BLACKLISTED] = 3,
		[SCORE_RESTRICTED] = 4};

	return rank[b] > rank[a] ? b : a;
}

/* Rows stand by active service, then group. */
static uint32_t first_row(const struct engine *e, uint32_t service)
{
	uint32_t before = 0;

	for (uint32_t s = 0; s < service; s++)
		before += e->cat.services[s].active != 0;
	return before * e->cat.n_groups;
}

/* Applies one rule to the rows of a service. */
static void block_rows(struct engine *e, const struct engine_rule *r, uint32_t s, uint8_t reason)
{
	const struct cat_service *from = &e->cat.services[s];

	for (uint32_t i = 0; i < from->slots.count; i++) {
		uint32_t v = e->cat.slots[from->slots.first + i].vendor;
		struct loop_row *row = e->loop_row + first_row(e, s);

		if (!engine_rule_names(r->vendor, cat_text(&e->cat, e->cat.vendors[v].name)))
			continue;
		for (uint32_t g = 0; g < e->cat.n_groups; g++) {
			uint8_t *block = &row[g].block[i];

			if (r->groups[0] == '\0' ||
				glob_group_match(str_from(r->groups),
					cat_text(&e->cat, e->cat.groups[g].name)))
				*block = stronger(*block, reason);
		}
	}
}

static void apply_rules(struct engine *e, uint64_t now_ms)
{
	static const uint8_t reason[RULE_KINDS] = {[RULE_DRAIN] = SCORE_DRAINED,
		[RULE_EVACUATE] = SCORE_EVACUATED,
		[RULE_BLACKLIST] = SCORE_BLACKLISTED,
		[RULE_RESTRICT] = SCORE_RESTRICTED};

	for (uint32_t i = 0; i < e->n_rules; i++) {
		const struct engine_rule *r = &e->rules[i];

		if (!reason[r->kind] || !engine_rule_holds(r, now_ms))
			continue;
		for (uint32_t s = 0; s < e->cat.n_services; s++)
			if (e->cat.services[s].active &&
				engine_rule_names(
					r->service, cat_text(&e->cat, e->cat.services[s].name)))
				block_rows(e, r, s, reason[r->kind]);
	}
}

static void set_row(struct engine *e, struct loop_row *to, uint32_t s, uint32_t g)
{
	const struct cat_service *from = &e->cat.services[s];

	memset(to, 0, sizeof(*to));
	to->service = (uint16_t)s;
	to->group = (uint16_t)g;
	for (uint32_t i = 0; i < from->slots.count; i++) {
		uint32_t v = e->cat.slots[from->slots.first + i].vendor;

		if (!e->cat.allowed[g * e->cat.n_vendors + v].v)
			to->block[i] = SCORE_RESTRICTED;
		else if (!e->cat.vendors[v].active)
			to->block[i] = SCORE_NO_CAPACITY;
	}
}

static uint32_t set_rows(struct engine *e)
{
	uint32_t n = 0;

	for (uint32_t s = 0; s < e->cat.n_services; s++)
		for (uint32_t g = 0; e->cat.services[s].active && g < e->cat.n_groups; g++)
			set_row(e, &e->loop_row[n++], s, g);
	return n;
}

/* Room for the rows of this catalogue; grows with it and stays. The view goes with it, for this
 * tick may yet be refused. */
static int make_room(struct engine *e, struct errbuf *err)
{
	uint32_t n = e->cat.n_services * e->cat.n_groups;
	struct loop_row *loop_row;
	struct alloc_row *row;
	struct alloc_row_out *out;
	void *work;

	if (n <= e->loop.max_rows)
		return 0;
	loop_row = calloc(n, sizeof(*loop_row));
	row = calloc(n, sizeof(*row));
	out = calloc(n, sizeof(*out));
	work = malloc(alloc_work_size(n));
	if (!loop_row || !row || !out || !work) {
		free(loop_row);
		free(row);
		free(out);
		free(work);
		return err_set(err, SL_ENOMEM, "tick: out of memory for %u rows", n);
	}
	engine_fleet_free(e);
	e->loop_row = loop_row;
	e->loop.row = row;
	e->loop.row_out = out;
	e->loop.work = work;
	e->loop.max_rows = n;
	e->view.rows = out;
	return 0;
}

void engine_fleet_free(struct engine *e)
{
	free(e->loop_row);
	free(e->loop.row);
	free(e->loop.row_out);
	free(e->loop.work);
}

int engine_fleet_build(struct engine *e, uint64_t now_ms, struct errbuf *err)
{
	int rc = make_room(e, err);

	if (rc)
		return rc;
	set_vendors(e, now_ms);
	for (uint32_t s = 0; s < e->cat.n_services; s++)
		set_service(e, s, now_ms);
	e->in = (struct loop_in){.now_ms = now_ms,
		.tick_ms = e->conf->sluice.tick_ms,
		.n_vendors = e->cat.n_vendors,
		.n_regions = e->cat.n_regions,
		.n_services = e->cat.n_services,
		.n_groups = e->cat.n_groups,
		.n_rows = set_rows(e),
		.vendor = e->vendor,
		.region = e->region,
		.service = e->service,
		.row = e->loop_row,
		.region_of = e->cat.n_regions ? &e->cat.region_of->v : NULL,
		.door_kbps = e->door_kbps,
		.sampled = 1};
	apply_rules(e, now_ms);
	engine_nodes_block(e);
	engine_tally_read(e);
	engine_facts_read(e, now_ms);
	return 0;
}
