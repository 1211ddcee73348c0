/* SPDX-License-Identifier: Apache-2.0 */
/* The fleet of a dry run: what the last tick knew, under other rules or another catalogue. */
#include "base/glob.h"
#include "control/impact_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool impact_names(const char *pattern, struct str name)
{
	return !pattern[0] || glob_match(str_from(pattern), name, false);
}

bool impact_by_rule(uint8_t reason)
{
	return reason == SCORE_DRAINED || reason == SCORE_EVACUATED ||
	       reason == SCORE_BLACKLISTED || reason == SCORE_RESTRICTED;
}

/* Whether the breakers of the last tick say nothing of a vendor in a group. */
static bool breaker_closed(const struct world *w, uint32_t group, uint32_t vendor)
{
	uint32_t cell = world_cell(w, group, vendor);
	uint8_t state = TICK_CLOSED;

	if (vendor < w->cat.n_vendors && cell < w->tick.n_breakers)
		state = w->tick.breakers[cell].v;
	return state == TICK_CLOSED || state == TICK_MANUAL;
}

/* Capacities and services as the catalogue has them, loads as the last tick knew them. */
static void set_cells(struct sim *s, const struct alloc_fleet *f, uint64_t now_ms)
{
	const struct cat_view *c = s->cat;

	for (uint32_t v = 0; v < c->n_vendors; v++) {
		struct alloc_vendor *to = &s->vendor[v];

		*to = (struct alloc_vendor){
			.forecast_mbps = -1, .headroom = engine_headroom(c, v), .known = true};
		if (v < f->n_vendors)
			*to = f->vendor[v];
		engine_capacity(c, v, now_ms, &to->guaranteed_mbps, &to->max_mbps);
		to->guaranteed_mbps = SL_MIN(to->guaranteed_mbps, to->max_mbps);
	}
	for (uint32_t r = 0; r < c->n_regions; r++) {
		struct alloc_region *to = &s->region[r];

		*to = (struct alloc_region){.forecast_mbps = -1};
		if (r < f->n_regions)
			*to = f->region[r];
		to->vendor = (uint16_t)c->regions[r].vendor;
		engine_region_capacity(c, r, &to->guaranteed_mbps, &to->max_mbps);
	}
	for (uint32_t i = 0; i < c->n_services; i++)
		engine_service(c, i, &s->service[i]);
}

/* The slot of a vendor in a service; SL_MAX_SLOTS: it has none. */
static uint32_t slot_of(const struct alloc_service *svc, uint32_t vendor)
{
	for (uint32_t k = 0; k < svc->n_slots; k++)
		if (svc->slot[k].vendor == vendor)
			return k;
	return SL_MAX_SLOTS;
}

/* A row of the last tick as the service is now: what is known of a vendor goes to its slot. */
static void carry_over(struct sim *s, const struct alloc_fleet *f, const struct alloc_row *from,
	struct alloc_row *to)
{
	const struct alloc_service *was = &f->service[from->service];
	const struct alloc_service *is = &s->service[from->service];
	uint32_t sticky = 0;

	to->demand_mbps = from->demand_mbps;
	to->sticky_mbps = from->sticky_mbps;
	to->trickle_ppm = from->trickle_ppm;
	for (uint32_t k = 0; k < is->n_slots; k++) {
		uint32_t had = slot_of(was, is->slot[k].vendor);

		if (had == SL_MAX_SLOTS)
			continue;
		to->quality[k] = from->quality[had];
		to->withheld_ppm[k] = from->withheld_ppm[had];
		to->sticky_ppm[k] = from->sticky_ppm[had];
		sticky += to->sticky_ppm[k];
		to->block[k] = from->block[had];
		if (impact_by_rule(to->block[k]) &&
			breaker_closed(s->world, to->group, is->slot[k].vendor))
			to->block[k] = 0;
		else if (to->block[k] == SCORE_NO_CAPACITY)
			to->block[k] = 0;
	}
	to->sticky_ppm[SCORE_NONE] = from->sticky_ppm[SCORE_NONE];
	if (sticky + to->sticky_ppm[SCORE_NONE] == SCORE_PPM || from->sticky_mbps == 0)
		return;
	/* the table is cut from who has left: those clients go by the shares */
	to->demand_mbps += to->sticky_mbps;
	to->sticky_mbps = 0;
	memset(to->sticky_ppm, 0, sizeof(to->sticky_ppm));
}

static void set_row(struct sim *s, const struct engine_view *view, struct alloc_row *to)
{
	const struct cat_view *c = s->cat;
	const struct alloc_service *svc = &s->service[to->service];
	uint32_t first =
		to->service < view->fleet->n_services ? view->first_row[to->service] : BLOB_NONE;

	to->trickle_ppm = UINT32_MAX;
	for (uint32_t k = 0; k < SL_MAX_SLOTS; k++)
		to->quality[k] = 1;
	if (first != BLOB_NONE && to->group < view->fleet->n_groups)
		carry_over(s, view->fleet, &view->fleet->row[first + to->group], to);
	for (uint32_t k = 0; k < svc->n_slots; k++) {
		uint32_t v = svc->slot[k].vendor;

		if (!c->allowed[to->group * c->n_vendors + v].v)
			to->block[k] = SCORE_RESTRICTED;
		else if (!c->vendors[v].active)
			to->block[k] = SCORE_NO_CAPACITY;
	}
}

static uint32_t set_rows(struct sim *s, const struct engine_view *view)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->cat->n_services; i++) {
		s->first_row[i] = s->cat->services[i].active ? n : BLOB_NONE;
		for (uint32_t g = 0; s->cat->services[i].active && g < s->cat->n_groups; g++, n++) {
			memset(&s->row[n], 0, sizeof(s->row[n]));
			s->row[n].service = (uint16_t)i;
			s->row[n].group = (uint16_t)g;
			set_row(s, view, &s->row[n]);
		}
	}
	return n;
}

static void block(struct sim *s, const struct engine_rule *r, uint8_t reason)
{
	const struct cat_view *c = s->cat;

	for (uint32_t i = 0; i < s->fleet.n_rows; i++) {
		struct alloc_row *row = &s->row[i];
		const struct alloc_service *svc = &s->service[row->service];

		if (!impact_names(r->service, cat_text(c, c->services[row->service].name)) ||
			(r->groups[0] && !glob_group_match(str_from(r->groups),
						 cat_text(c, c->groups[row->group].name))))
			continue;
		for (uint32_t k = 0; k < svc->n_slots; k++)
			if (impact_names(
				    r->vendor, cat_text(c, c->vendors[svc->slot[k].vendor].name)) &&
				(!row->block[k] || row->block[k] == SCORE_DRAINED))
				row->block[k] = reason;
	}
}

static void set_weights(struct sim *s, const struct engine_rule *r)
{
	const struct cat_view *c = s->cat;

	for (uint32_t i = 0; i < c->n_services; i++)
		for (uint32_t k = 0; k < s->service[i].n_slots; k++) {
			struct alloc_slot *slot = &s->service[i].slot[k];

			if (impact_names(r->service, cat_text(c, c->services[i].name)) &&
				impact_names(r->vendor, cat_text(c, c->vendors[slot->vendor].name)))
				slot->weight = r->value;
		}
}

static void apply(struct sim *s, const struct engine_rule *r)
{
	static const uint8_t reason[RULE_KINDS] = {[RULE_DRAIN] = SCORE_DRAINED,
		[RULE_EVACUATE] = SCORE_EVACUATED,
		[RULE_BLACKLIST] = SCORE_BLACKLISTED,
		[RULE_RESTRICT] = SCORE_RESTRICTED};
	const struct cat_view *c = s->cat;

	if (reason[r->kind]) {
		block(s, r, reason[r->kind]);
		return;
	}
	for (uint32_t i = 0; r->kind == RULE_STATIC && i < c->n_services; i++)
		if (impact_names(r->service, cat_text(c, c->services[i].name)))
			s->service[i].by_guarantee = true;
	s->denies |= r->kind == RULE_DENY;
	for (uint32_t v = 0; r->kind == RULE_CAP && v < c->n_vendors; v++)
		if (impact_names(r->vendor, cat_text(c, c->vendors[v].name))) {
			s->vendor[v].max_mbps = SL_MIN(s->vendor[v].max_mbps, r->value);
			s->vendor[v].guaranteed_mbps =
				SL_MIN(s->vendor[v].guaranteed_mbps, r->value);
		}
	if (r->kind == RULE_WEIGHT)
		set_weights(s, r);
}

void impact_sim_free(struct sim *s)
{
	if (!s)
		return;
	free(s->denied);
	free(s->may_deny);
	free(s->row);
	free(s->out);
	free(s);
}

static int allocate(struct sim *s)
{
	size_t size = alloc_work_size(s->fleet.n_rows);
	void *work = malloc(size);
	struct alloc_stats stats;
	int rc = work ? alloc_run(&s->fleet, &s->state, work, size, s->out, s->vendor_out, &stats)
		      : SL_ENOMEM;

	free(work);
	return rc;
}

int impact_sim_new(const struct engine_view *view, const struct cat_view *cat,
	const struct impact_side *side, uint64_t now_ms, struct sim **ret_sim)
{
	struct sim *s = calloc(1, sizeof(*s));
	size_t rows;
	int rc;

	if (!s)
		return SL_ENOMEM;
	s->world = view->world;
	s->cat = cat ? cat : &view->world->cat;
	s->rule = side->rule;
	s->n_rules = side->n;
	s->node = view->nodes;
	s->n_nodes = view->n_nodes;
	rows = (size_t)s->cat->n_services * s->cat->n_groups;
	s->row = malloc(SL_MAX(rows, (size_t)1) * sizeof(*s->row));
	s->out = calloc(SL_MAX(rows, (size_t)1), sizeof(*s->out));
	if (!s->row || !s->out) {
		impact_sim_free(s);
		return SL_ENOMEM;
	}
	set_cells(s, view->fleet, now_ms);
	s->fleet = (struct alloc_fleet){.vendor = s->vendor,
		.region = s->region,
		.service = s->service,
		.row = s->row,
		.region_of = s->cat->n_regions ? &s->cat->region_of->v : NULL,
		.n_vendors = s->cat->n_vendors,
		.n_regions = s->cat->n_regions,
		.n_services = s->cat->n_services,
		.n_groups = s->cat->n_groups};
	s->fleet.n_rows = set_rows(s, view);
	if (side->feature)
		impact_feature_apply(s, view, side->feature);
	for (uint32_t i = 0; i < side->n; i++)
		apply(s, &side->rule[i]);
	rc = allocate(s);
	if (rc)
		impact_sim_free(s);
	else
		*ret_sim = s;
	return rc;
}
