/* SPDX-License-Identifier: Apache-2.0 */
#include "control/impact.h"

#include "base/glob.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A fleet of our own under some rules, and what the allocator makes of it. */
struct sim {
	struct alloc_vendor vendor[SL_MAX_VENDORS];
	struct alloc_service service[SL_MAX_SERVICES];
	struct alloc_vendor_out vendor_out[SL_MAX_VENDORS];
	struct alloc_state state;
	struct alloc_fleet fleet;
	struct alloc_row *row;
	struct alloc_row_out *out;
};

static bool in(const char *pattern, struct str name)
{
	return !pattern[0] || glob_match(str_from(pattern), name, false);
}

static bool by_rule(uint8_t reason)
{
	return reason == SCORE_DRAINED || reason == SCORE_EVACUATED ||
	       reason == SCORE_BLACKLISTED || reason == SCORE_RESTRICTED;
}

/* Takes the operators' rules of the last tick out of the copy; what configuration and breakers say
 * stays. */
static void strip(struct sim *s, const struct world *w)
{
	const struct cat_view *c = &w->cat;

	for (uint32_t v = 0; v < c->n_vendors; v++)
		if (c->vendors[v].active)
			s->vendor[v].max_mbps =
				SL_MAX(s->vendor[v].max_mbps, c->vendors[v].max_mbps);
	for (uint32_t i = 0; i < c->n_services; i++)
		for (uint32_t k = 0; k < c->services[i].slots.count; k++)
			s->service[i].slot[k].weight =
				c->slots[c->services[i].slots.first + k].weight;
	for (uint32_t r = 0; r < s->fleet.n_rows; r++) {
		struct alloc_row *row = &s->row[r];
		const struct cat_service *svc = &c->services[row->service];

		for (uint32_t k = 0; k < svc->slots.count; k++) {
			uint32_t cell =
				world_cell(w, row->group, c->slots[svc->slots.first + k].vendor);
			uint8_t breaker =
				cell < w->tick.n_breakers ? w->tick.breakers[cell].v : TICK_CLOSED;

			if (by_rule(row->block[k]) && c->allowed[cell].v &&
				(breaker == TICK_CLOSED || breaker == TICK_MANUAL))
				row->block[k] = 0;
		}
	}
}

static void block(struct sim *s, const struct world *w, const struct engine_rule *r, uint8_t reason)
{
	const struct cat_view *c = &w->cat;

	for (uint32_t i = 0; i < s->fleet.n_rows; i++) {
		struct alloc_row *row = &s->row[i];
		const struct cat_service *svc = &c->services[row->service];

		if (!in(r->service, cat_text(c, svc->name)) ||
			(r->groups[0] && !glob_group_match(str_from(r->groups),
						 cat_text(c, c->groups[row->group].name))))
			continue;
		for (uint32_t k = 0; k < svc->slots.count; k++) {
			uint32_t v = c->slots[svc->slots.first + k].vendor;

			if (in(r->vendor, cat_text(c, c->vendors[v].name)) &&
				(!row->block[k] || row->block[k] == SCORE_DRAINED))
				row->block[k] = reason;
		}
	}
}

static void apply(struct sim *s, const struct world *w, const struct engine_rule *r)
{
	static const uint8_t reason[RULE_KINDS] = {[RULE_DRAIN] = SCORE_DRAINED,
		[RULE_EVACUATE] = SCORE_EVACUATED,
		[RULE_BLACKLIST] = SCORE_BLACKLISTED,
		[RULE_RESTRICT] = SCORE_RESTRICTED};
	const struct cat_view *c = &w->cat;

	if (reason[r->kind]) {
		block(s, w, r, reason[r->kind]);
		return;
	}
	for (uint32_t v = 0; r->kind == RULE_CAP && v < c->n_vendors; v++)
		if (in(r->vendor, cat_text(c, c->vendors[v].name))) {
			s->vendor[v].max_mbps = SL_MIN(s->vendor[v].max_mbps, r->value);
			s->vendor[v].guaranteed_mbps =
				SL_MIN(s->vendor[v].guaranteed_mbps, r->value);
		}
	for (uint32_t i = 0; r->kind == RULE_WEIGHT && i < c->n_services; i++)
		for (uint32_t k = 0; k < c->services[i].slots.count; k++)
			if (in(r->service, cat_text(c, c->services[i].name)) &&
				in(r->vendor,
					cat_text(c, c->vendors[s->service[i].slot[k].vendor].name)))
				s->service[i].slot[k].weight = r->value;
}

static void sim_free(struct sim *s)
{
	if (!s)
		return;
	free(s->row);
	free(s->out);
	free(s);
}

static struct sim *sim_new(
	const struct engine_view *view, const struct engine_rule *rules, uint32_t n)
{
	const struct alloc_fleet *f = view->fleet;
	struct sim *s = calloc(1, sizeof(*s));
	void *work = malloc(alloc_work_size(f->n_rows));
	struct alloc_stats stats;
	int rc = SL_ENOMEM;

	if (s && work) {
		s->row = malloc(f->n_rows * sizeof(*s->row));
		s->out = malloc(f->n_rows * sizeof(*s->out));
	}
	if (s && s->row && s->out) {
		memcpy(s->vendor, f->vendor, f->n_vendors * sizeof(*f->vendor));
		memcpy(s->service, f->service, f->n_services * sizeof(*f->service));
		memcpy(s->row, f->row, f->n_rows * sizeof(*f->row));
		s->fleet = *f;
		s->fleet.vendor = s->vendor;
		s->fleet.service = s->service;
		s->fleet.row = s->row;
		strip(s, view->world);
		for (uint32_t i = 0; i < n; i++)
			apply(s, view->world, &rules[i]);
		rc = alloc_run(&s->fleet, &s->state, work, alloc_work_size(f->n_rows), s->out,
			s->vendor_out, &stats);
	}
	free(work);
	if (rc) {
		sim_free(s);
		return NULL;
	}
	return s;
}

/* The first two components of a group's name. */
static struct str region_name(const struct world *w, uint32_t group)
{
	struct str all = cat_text(&w->cat, w->cat.groups[group].name), rest = all;
	struct str country = str_cut(&rest, '/'), province = str_cut(&rest, '/');

	return (struct str){
		all.p, province.n ? (size_t)(province.p - all.p) + province.n : country.n};
}

static struct impact_region *region_of(struct impact *m, const struct world *w, uint32_t group)
{
	struct str name = region_name(w, group);

	for (uint32_t i = 0; i < m->n_regions; i++)
		if (str_eq_z(name, m->region[i].name))
			return &m->region[i];
	if (m->n_regions == IMPACT_MAX_REGIONS)
		return &m->region[IMPACT_MAX_REGIONS - 1];
	(void)snprintf(
		m->region[m->n_regions].name, sizeof(m->region[0].name), STR_FMT, STR_ARG(name));
	return &m->region[m->n_regions++];
}

/* Part of a row's audience that changes its vendor: new sessions by the difference of the shares;
 * seated ones where a vendor may not keep them any more. */
static double row_moves(const struct sim *a, const struct sim *b, uint32_t r, uint32_t n_slots)
{
	double differ = 0, seated = 0;

	for (uint32_t k = 0; k < n_slots; k++) {
		double was = a->out[r].share_ppm[k] / 1e6;
		uint8_t now = b->row[r].block[k], before = a->row[r].block[k];

		differ += fabs(b->out[r].share_ppm[k] / 1e6 - was);
		if (by_rule(now) && now != SCORE_DRAINED &&
			(!by_rule(before) || before == SCORE_DRAINED))
			seated += was;
	}
	differ += fabs((double)b->out[r].share_ppm[SCORE_NONE] -
			  (double)a->out[r].share_ppm[SCORE_NONE]) /
		  1e6;
	return SL_MAX(differ / 2, seated);
}

static void add_row(struct impact_region *to, const struct world *w, const struct sim *a,
	const struct sim *b, uint32_t r, double weight)
{
	const struct cat_service *svc = &w->cat.services[a->row[r].service];

	to->weight += weight;
	to->moves += weight * row_moves(a, b, r, svc->slots.count);
	for (uint32_t k = 0; k < svc->slots.count; k++) {
		uint32_t v = w->cat.slots[svc->slots.first + k].vendor;

		to->before[v] += weight * a->out[r].share_ppm[k] / 1e6;
		to->after[v] += weight * b->out[r].share_ppm[k] / 1e6;
	}
	to->before[SL_MAX_VENDORS] += weight * a->out[r].share_ppm[SCORE_NONE] / 1e6;
	to->after[SL_MAX_VENDORS] += weight * b->out[r].share_ppm[SCORE_NONE] / 1e6;
}

static void normalise(struct impact_region *r)
{
	double by = r->weight > 0 ? r->weight : 1;

	r->moves /= by;
	for (uint32_t v = 0; v <= SL_MAX_VENDORS; v++) {
		r->before[v] /= by;
		r->after[v] /= by;
	}
}

static void compare(
	struct impact *m, const struct world *w, const struct sim *a, const struct sim *b)
{
	double demand = 0;

	for (uint32_t r = 0; r < a->fleet.n_rows; r++)
		demand += a->row[r].demand_mbps + a->row[r].sticky_mbps;
	for (uint32_t r = 0; r < a->fleet.n_rows; r++) {
		const struct cat_service *svc = &w->cat.services[a->row[r].service];
		double weight = demand > 0 ? a->row[r].demand_mbps + a->row[r].sticky_mbps : 1;

		if (svc->test)
			continue;
		add_row(region_of(m, w, a->row[r].group), w, a, b, r, weight);
		add_row(&m->all, w, a, b, r, weight);
		m->narrowed += b->out[r].n_order == 1 && a->out[r].n_order > 1;
		m->emptied += b->out[r].n_order == 0 && a->out[r].n_order > 0;
	}
	normalise(&m->all);
	for (uint32_t i = 0; i < m->n_regions; i++) {
		normalise(&m->region[i]);
		if (m->region[i].moves <= m->worst)
			continue;
		m->worst = m->region[i].moves;
		memcpy(m->worst_region, m->region[i].name, sizeof(m->worst_region));
	}
}

int control_impact(const struct engine_view *view, const struct engine_rule *now, uint32_t n_now,
	const struct engine_rule *then, uint32_t n_then, struct impact **ret_impact,
	struct errbuf *err)
{
	struct sim *a = sim_new(view, now, n_now), *b = sim_new(view, then, n_then);
	struct impact *m = calloc(1, sizeof(*m));
	int rc = a && b && m ? 0 : err_set(err, SL_ENOMEM, "the dry run failed: out of memory");

	if (!rc) {
		compare(m, view->world, a, b);
		*ret_impact = m;
		m = NULL;
	}
	free(m);
	sim_free(a);
	sim_free(b);
	return rc;
}

bool control_impact_grave(const struct impact *i)
{
	return i->worst * 100 > IMPACT_LIMIT_PERCENT + 1.0 / 3 || i->narrowed || i->emptied;
}
