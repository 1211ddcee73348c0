/* SPDX-License-Identifier: Apache-2.0 */
/* Long because what rules, addresses, nodes and a new catalogue do is weighed on one copy. */
#include "control/impact.h"

#include "base/glob.h"
#include "world/deny.h"

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
	const struct engine_rule *rule; /* borrowed */
	uint32_t n_rules;
	bool denies; /* some of them deny addresses */
	/* part of a group's addresses that a vendor may not serve, the last for any vendor */
	float (*denied)[SL_MAX_VENDORS + 1];
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
	for (uint32_t i = 0; i < c->n_services; i++)
		s->service[i].by_guarantee = false;
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

static bool group_in(const char *const *pattern, uint32_t n, struct str name)
{
	for (uint32_t i = 0; i < n; i++)
		if (glob_group_match(str_from(pattern[i]), name))
			return true;
	return false;
}

/* The factor that a catalogue gives a vendor in a service; 0 where it is not of it any more. */
static double weight_in(const struct conf_catalog *c, struct str service, struct str vendor)
{
	for (uint32_t i = 0; i < c->services_count; i++)
		for (uint32_t k = 0; k < c->services[i].vendors_count; k++) {
			const struct conf_service_vendor *v = &c->services[i].vendors[k];
			int at = conf_find_vendor(c, v->vendor);

			if (str_eq_z(service, c->services[i].name) && str_eq_z(vendor, v->vendor))
				return v->weight >= 0 ? v->weight
				       : at >= 0      ? c->vendors[at].weight
						      : 0;
		}
	return 0;
}

/* Capacities, weights and allowed groups of another catalogue, of the vendors and services that
 * there are. What it has besides is not weighed: nobody is there yet. */
static void lay_over(struct sim *s, const struct world *w, const struct conf_catalog *c)
{
	const struct cat_view *cat = &w->cat;

	for (uint32_t v = 0; v < cat->n_vendors; v++) {
		char name[SL_MAX_NAME + 1];
		int at;

		(void)snprintf(
			name, sizeof(name), STR_FMT, STR_ARG(cat_text(cat, cat->vendors[v].name)));
		at = conf_find_vendor(c, name);
		s->vendor[v].max_mbps = at < 0 ? 0 : c->vendors[at].max_mbps;
		s->vendor[v].guaranteed_mbps =
			at < 0 ? 0
			       : SL_MIN(c->vendors[at].guaranteed_mbps, c->vendors[at].max_mbps);
		for (uint32_t r = 0; at >= 0 && r < s->fleet.n_rows; r++) {
			const struct cat_service *svc = &cat->services[s->row[r].service];
			struct str group = cat_text(cat, cat->groups[s->row[r].group].name);
			const struct conf_vendor *to = &c->vendors[at];
			bool may = (to->allow_groups_count == 0 ||
					   group_in(to->allow_groups, to->allow_groups_count,
						   group)) &&
				   !group_in(to->deny_groups, to->deny_groups_count, group);

			for (uint32_t k = 0; k < svc->slots.count; k++) {
				uint8_t *b = &s->row[r].block[k];

				if (cat->slots[svc->slots.first + k].vendor != v)
					continue;
				if (!may || *b == SCORE_RESTRICTED)
					*b = may ? 0 : SCORE_RESTRICTED;
			}
		}
	}
	for (uint32_t i = 0; i < cat->n_services; i++)
		for (uint32_t k = 0; k < cat->services[i].slots.count; k++)
			s->service[i].slot[k].weight = weight_in(c,
				cat_text(cat, cat->services[i].name),
				cat_text(cat, cat->vendors[s->service[i].slot[k].vendor].name));
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
	for (uint32_t i = 0; r->kind == RULE_STATIC && i < c->n_services; i++)
		if (in(r->service, cat_text(c, c->services[i].name)))
			s->service[i].by_guarantee = true;
	s->denies |= r->kind == RULE_DENY;
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
	free(s->denied);
	free(s->row);
	free(s->out);
	free(s);
}

static struct sim *sim_new(const struct engine_view *view, const struct engine_rule *rules,
	uint32_t n, const struct conf_catalog *catalogue)
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
		s->rule = rules;
		s->n_rules = n;
		strip(s, view->world);
		if (catalogue)
			lay_over(s, view->world, catalogue);
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

/* Whether a node is up under these rules. */
static bool node_up(const struct sim *s, const struct world *w, uint32_t node)
{
	struct str name = cat_text(&w->cat, w->cat.nodes[node].name);

	for (uint32_t i = 0; i < s->n_rules; i++)
		if (s->rule[i].kind == RULE_NODE && in(s->rule[i].vendor, name))
			return false;
	return true;
}

/* Part of those a vendor's own nodes serve in a group that were on nodes which go out of service;
 * the nearest tier that has one up serves, by capacity. */
static double nodes_lost(const struct sim *a, const struct sim *b, const struct world *w,
	uint32_t group, uint32_t vendor)
{
	uint32_t list = w->cat.vendor_nodes[world_cell(w, group, vendor)].v;
	struct blob_span tiers;

	if (list == BLOB_NONE)
		return 0;
	tiers = w->cat.node_lists[list].tiers;
	for (uint32_t t = 0; t < tiers.count; t++) {
		struct blob_span refs = w->cat.node_tiers[tiers.first + t].nodes;
		double had = 0, lost = 0;

		for (uint32_t i = 0; i < refs.count; i++) {
			uint32_t node = w->cat.node_refs[refs.first + i].v;

			if (!node_up(a, w, node))
				continue;
			had += w->cat.nodes[node].capacity_mbps;
			lost += node_up(b, w, node) ? 0 : w->cat.nodes[node].capacity_mbps;
		}
		if (had > 0)
			return lost / had;
	}
	return 0;
}

static double denied_part(const struct sim *s, uint32_t group, uint32_t vendor)
{
	return s->denied ? (double)s->denied[group][vendor] : 0;
}

/* What becomes of a row: parts of its audience by slot, the last for none. */
static void parts(const struct sim *s, const struct world *w, uint32_t r, double *ret_part)
{
	const struct cat_service *svc = &w->cat.services[s->row[r].service];
	uint32_t g = s->row[r].group;
	double nobody = denied_part(s, g, SL_MAX_VENDORS), lost = 0, left = 0;

	for (uint32_t k = 0; k < SCORE_ROW; k++)
		ret_part[k] = s->out[r].share_ppm[k] / 1e6;
	for (uint32_t k = 0; k < svc->slots.count; k++) {
		uint32_t v = w->cat.slots[svc->slots.first + k].vendor;
		double goes = ret_part[k] * denied_part(s, g, v);

		lost += goes;
		ret_part[k] -= goes;
		left += ret_part[k];
	}
	nobody = SL_MIN(nobody, lost); /* the others take the rest, as they share */
	if (!(left > 0))
		nobody = lost;
	for (uint32_t k = 0; k < svc->slots.count && left > 0; k++)
		ret_part[k] += (lost - nobody) * ret_part[k] / left;
	ret_part[SCORE_NONE] += nobody;
}

/* Part of a row's audience that changes its vendor: new sessions by the difference of the shares;
 * seated ones where a vendor may not keep them any more, or their node goes. */
static double row_moves(const struct world *w, const struct sim *a, const struct sim *b, uint32_t r,
	const double *was, const double *then)
{
	const struct cat_service *svc = &w->cat.services[a->row[r].service];
	double differ = 0, seated = 0;

	for (uint32_t k = 0; k < SCORE_ROW; k++)
		differ += fabs(then[k] - was[k]);
	for (uint32_t k = 0; k < svc->slots.count; k++) {
		uint8_t now = b->row[r].block[k], before = a->row[r].block[k];
		uint32_t v = w->cat.slots[svc->slots.first + k].vendor;

		if (by_rule(now) && now != SCORE_DRAINED &&
			(!by_rule(before) || before == SCORE_DRAINED))
			seated += was[k];
		else
			seated += was[k] * nodes_lost(a, b, w, a->row[r].group, v);
	}
	return SL_MAX(differ / 2, seated);
}

static void add_row(struct impact_region *to, const struct world *w, const struct sim *a,
	const struct sim *b, uint32_t r, double weight)
{
	const struct cat_service *svc = &w->cat.services[a->row[r].service];
	double was[SCORE_ROW], then[SCORE_ROW];

	parts(a, w, r, was);
	parts(b, w, r, then);
	to->weight += weight;
	to->moves += weight * row_moves(w, a, b, r, was, then);
	for (uint32_t k = 0; k < svc->slots.count; k++) {
		uint32_t v = w->cat.slots[svc->slots.first + k].vendor;

		to->before[v] += weight * was[k];
		to->after[v] += weight * then[k];
	}
	to->before[SL_MAX_VENDORS] += weight * was[SCORE_NONE];
	to->after[SL_MAX_VENDORS] += weight * then[SCORE_NONE];
}

/* Where the addresses of groups are, and which of them vendors may not serve. */
struct survey {
	const struct world *w;
	struct tick_denied *range;
	uint32_t n;
	struct {
		double all, denied[SL_MAX_VENDORS + 1];
	} * group;
};

enum { SIX_TO_FOUR_BITS = 16, TEREDO_BITS = 32 };

/* Walks the blocks of a family that geo and the rules leave whole; v6 to /64. */
static void survey_family(struct survey *s, uint8_t family)
{
	uint8_t bits = family == IP_V4 ? 32 : 64;
	uint64_t at = 0, end = (UINT64_MAX >> (64 - bits)), step;

	for (;; at += step) {
		struct ip ip = {.family = family};
		struct geo_hit hit;
		uint64_t vendors;
		uint8_t len;

		for (uint8_t i = 0; i < bits / 8; i++)
			ip.b[i] = (uint8_t)(at >> (bits - 8 - 8 * i));
		geo_lookup(s->w->geo, ip, &hit);
		vendors = deny_find(s->range, s->n, ip, &len);
		len = SL_MIN(SL_MAX(len, hit.len), bits);
		if (family == IP_V6 && ip_embedded_v4(ip).family == IP_V4) {
			len = ip.b[1] == 0x02 ? SIX_TO_FOUR_BITS : TEREDO_BITS;
			vendors = 0; /* counted as v4 */
		}
		step = len ? UINT64_C(1) << (bits - len) : end;
		s->group[hit.group].all += (double)step;
		for (uint32_t v = 0; vendors && v < SL_MAX_VENDORS; v++)
			if (vendors >> v & 1)
				s->group[hit.group].denied[v] += (double)step;
		if (vendors == UINT64_MAX)
			s->group[hit.group].denied[SL_MAX_VENDORS] += (double)step;
		if (at > end - step || step == end)
			return;
	}
}

static uint64_t vendors_of(const struct world *w, const char *pattern)
{
	uint64_t mask = 0;

	for (uint32_t v = 0; v < w->cat.n_vendors; v++)
		if (in(pattern, cat_text(&w->cat, w->cat.vendors[v].name)))
			mask |= UINT64_C(1) << v;
	return strcmp(pattern, "*") == 0 ? UINT64_MAX : mask;
}

static uint32_t ranges_of(const struct sim *s, const struct world *w, struct tick_denied *ret_range)
{
	struct deny_prefix *prefix = calloc(s->n_rules + (size_t)1, sizeof(*prefix));
	uint32_t n = 0;

	for (uint32_t i = 0; prefix && i < s->n_rules; i++) {
		const struct engine_rule *r = &s->rule[i];
		struct deny_prefix *p = &prefix[n];

		if ((r->kind != RULE_DENY && r->kind != RULE_ALLOW) ||
			!ip_parse_prefix(str_from(r->groups), &p->ip, &p->len))
			continue;
		p->allow = r->kind == RULE_ALLOW;
		p->vendors = vendors_of(w, r->vendor);
		n++;
	}
	n = prefix ? deny_build(prefix, n, ret_range) : 0;
	free(prefix);
	return n;
}

/* The larger part of the two families: how clients divide over them nobody knows. */
static int survey_denied(struct sim *s, const struct world *w)
{
	struct survey v = {.w = w, .range = calloc(2 * (size_t)s->n_rules + 1, sizeof(*v.range))};
	int rc = SL_ENOMEM;

	v.group = calloc(w->cat.n_groups, sizeof(*v.group));
	s->denied = calloc(w->cat.n_groups, sizeof(*s->denied));
	if (v.range && v.group && s->denied) {
		v.n = ranges_of(s, w, v.range);
		for (int family = 0; family < 2; family++) {
			memset(v.group, 0, w->cat.n_groups * sizeof(*v.group));
			survey_family(&v, family ? IP_V6 : IP_V4);
			for (uint32_t g = 0; g < w->cat.n_groups; g++)
				for (uint32_t k = 0; k <= SL_MAX_VENDORS && v.group[g].all > 0; k++)
					s->denied[g][k] = SL_MAX(s->denied[g][k],
						(float)(v.group[g].denied[k] / v.group[g].all));
		}
		rc = 0;
	}
	free(v.range);
	free(v.group);
	return rc;
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
	const struct engine_rule *then, uint32_t n_then, const struct conf_catalog *catalogue,
	struct impact **ret_impact, struct errbuf *err)
{
	struct sim *a = sim_new(view, now, n_now, NULL);
	struct sim *b = sim_new(view, then, n_then, catalogue);
	struct impact *m = calloc(1, sizeof(*m));
	int rc = a && b && m ? 0 : SL_ENOMEM;

	if (!rc && a->denies)
		rc = survey_denied(a, view->world);
	if (!rc && b->denies)
		rc = survey_denied(b, view->world);
	if (rc)
		(void)err_set(err, rc, "the dry run failed: out of memory");
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
