/* SPDX-License-Identifier: Apache-2.0 */
/* Two fleets compared: who would be elsewhere under the second. */
#include "control/impact.h"

#include "control/impact_int.h"
#include "world/cat_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NOBODY = SL_MAX_VENDORS }; /* beside the vendors' ids */

/* The first two components of a group's name. */
static struct str region_name(const struct cat_view *c, uint32_t group)
{
	struct str all = cat_text(c, c->groups[group].name), rest = all;
	struct str country = str_cut(&rest, '/'), province = str_cut(&rest, '/');

	return (struct str){
		all.p, province.n ? (size_t)(province.p - all.p) + province.n : country.n};
}

struct impact_region *impact_region_of(struct impact *m, const struct cat_view *c, uint32_t group)
{
	struct str name = region_name(c, group);

	for (uint32_t i = 0; i < m->n_regions; i++)
		if (str_eq_z(name, m->region[i].name))
			return &m->region[i];
	if (m->n_regions == IMPACT_MAX_REGIONS)
		return &m->region[IMPACT_MAX_REGIONS - 1];
	(void)snprintf(
		m->region[m->n_regions].name, sizeof(m->region[0].name), STR_FMT, STR_ARG(name));
	return &m->region[m->n_regions++];
}

/* Two fleets, and which own nodes of the first are up in the one and not in the other. */
struct pair {
	const struct sim *a, *b;
	bool denials; /* they differ in the addresses that are denied */
	bool up[SL_MAX_NODES], lost[SL_MAX_NODES], back[SL_MAX_NODES];
};

/* Whether a node of this name is there, and up: by probes and under the rules. */
static bool node_up(const struct sim *s, struct str name)
{
	bool there = false;

	if (engine_node_down(s->node, s->n_nodes, name))
		return false;
	for (uint32_t i = 0; i < s->n_rules; i++)
		if (s->rule[i].kind == RULE_NODE && impact_names(s->rule[i].vendor, name))
			return false;
	for (uint32_t i = 0; !there && i < s->cat->n_nodes; i++)
		there = str_eq(name, cat_text(s->cat, s->cat->nodes[i].name));
	return there;
}

static void compare_nodes(struct pair *p)
{
	for (uint32_t i = 0; i < p->a->cat->n_nodes; i++) {
		struct str name = cat_text(p->a->cat, p->a->cat->nodes[i].name);
		bool then = node_up(p->b, name);

		p->up[i] = node_up(p->a, name);
		p->lost[i] = p->up[i] && !then;
		p->back[i] = then && !p->up[i];
	}
}

/* Part of those a vendor's own nodes serve in a group that change their node: they were on nodes
 * which go out of service, or go to such as come back. The nearest tier that has one up serves, by
 * capacity. */
static double nodes_moved(const struct pair *p, uint32_t group, uint32_t vendor)
{
	const struct cat_view *c = p->a->cat;
	uint32_t list = c->vendor_nodes[group * c->n_vendors + vendor].v;
	struct blob_span tiers;

	if (list == BLOB_NONE)
		return 0;
	tiers = c->node_lists[list].tiers;
	for (uint32_t t = 0; t < tiers.count; t++) {
		struct blob_span refs = c->node_tiers[tiers.first + t].nodes;
		double had = 0, lost = 0, back = 0;

		for (uint32_t i = 0; i < refs.count; i++) {
			uint32_t node = c->node_refs[refs.first + i].v;

			had += p->up[node] ? c->nodes[node].capacity_mbps : 0;
			lost += p->lost[node] ? c->nodes[node].capacity_mbps : 0;
			back += p->back[node] ? c->nodes[node].capacity_mbps : 0;
		}
		if (had > 0 || back > 0)
			return SL_MAX(had > 0 ? lost / had : 0,
				back > 0 ? back / (had + back - lost) : 0);
	}
	return 0;
}

/* What becomes of the audience of a service in a group: parts by vendor, the last for none. most:
 * as if all clients that may have a denied address had one. */
static void parts(
	const struct sim *s, uint32_t service, uint32_t group, bool most, double *ret_part)
{
	float(*by)[SL_MAX_VENDORS + 1] = most ? s->may_deny : s->denied;
	const struct alloc_service *svc = &s->service[service];
	uint32_t r = service < s->cat->n_services ? s->first_row[service] : BLOB_NONE;
	double nobody, lost = 0, left = 0;

	for (uint32_t v = 0; v <= NOBODY; v++)
		ret_part[v] = 0;
	ret_part[NOBODY] = r == BLOB_NONE;
	if (r == BLOB_NONE)
		return;
	r += group;
	ret_part[NOBODY] = s->out[r].share_ppm[SCORE_NONE] / 1e6;
	nobody = by ? (double)by[group][NOBODY] : 0;
	for (uint32_t k = 0; k < svc->n_slots; k++) {
		uint32_t v = svc->slot[k].vendor;
		double share = s->out[r].share_ppm[k] / 1e6;
		double goes = by ? share * (double)by[group][v] : 0;

		lost += goes;
		ret_part[v] = share - goes;
		left += share - goes;
	}
	nobody = left > 0 ? SL_MIN(nobody, lost) : lost; /* others take the rest, as they share */
	for (uint32_t k = 0; k < svc->n_slots && left > 0; k++)
		ret_part[svc->slot[k].vendor] *= 1 + (lost - nobody) / left;
	ret_part[NOBODY] += nobody;
}

/* Why a vendor may not serve a service in a group; 0: it may. One that has left the service, or
 * the catalogue, is restricted everywhere. */
static uint8_t barred(const struct sim *s, uint32_t service, uint32_t group, uint32_t vendor)
{
	const struct alloc_service *svc = &s->service[service];

	if (service >= s->cat->n_services || s->first_row[service] == BLOB_NONE)
		return SCORE_RESTRICTED;
	for (uint32_t k = 0; k < svc->n_slots; k++)
		if (svc->slot[k].vendor == vendor)
			return s->cat->vendors[vendor].active
				       ? s->row[s->first_row[service] + group].block[k]
				       : SCORE_RESTRICTED;
	return SCORE_RESTRICTED;
}

/* Part of a row's audience that changes its vendor: new sessions by the difference of the shares;
 * seated ones where a vendor may not keep them any more, or their node goes or gives way. */
static double row_moves(const struct pair *p, uint32_t service, uint32_t group, const double *was,
	const double *then)
{
	const struct alloc_service *svc = &p->a->service[service];
	double differ = 0, seated = 0;

	for (uint32_t v = 0; v <= NOBODY; v++)
		differ += fabs(then[v] - was[v]);
	for (uint32_t k = 0; k < svc->n_slots; k++) {
		uint32_t v = svc->slot[k].vendor;
		uint8_t now = barred(p->b, service, group, v);
		uint8_t before = barred(p->a, service, group, v);

		if (impact_by_rule(now) && now != SCORE_DRAINED &&
			(!impact_by_rule(before) || before == SCORE_DRAINED))
			seated += was[v];
		else
			seated += was[v] * nodes_moved(p, group, v);
	}
	return SL_MAX(differ / 2, seated);
}

static void add_row(
	struct impact_region *to, const struct pair *p, const struct alloc_row *row, double weight)
{
	double was[NOBODY + 1], then[NOBODY + 1];

	parts(p->a, row->service, row->group, p->denials, was);
	parts(p->b, row->service, row->group, p->denials, then);
	to->moves_most += weight * row_moves(p, row->service, row->group, was, then);
	parts(p->a, row->service, row->group, false, was);
	parts(p->b, row->service, row->group, false, then);
	to->moves += weight * row_moves(p, row->service, row->group, was, then);
	to->weight += weight;
	for (uint32_t v = 0; v <= NOBODY; v++) {
		to->before[v] += weight * was[v];
		to->after[v] += weight * then[v];
	}
}

static void normalise(struct impact_region *r)
{
	double by = r->weight > 0 ? r->weight : 1;

	r->moves /= by;
	r->moves_most = SL_MAX(r->moves_most / by, r->moves);
	for (uint32_t v = 0; v <= NOBODY; v++) {
		r->before[v] /= by;
		r->after[v] /= by;
	}
}

void impact_finish(struct impact *m, const struct cat_view *c)
{
	m->n_vendors = c->n_vendors;
	for (uint32_t v = 0; v < c->n_vendors; v++)
		(void)snprintf(m->vendor[v], sizeof(m->vendor[v]), STR_FMT,
			STR_ARG(cat_text(c, c->vendors[v].name)));
	normalise(&m->all);
	for (uint32_t i = 0; i < m->n_regions; i++) {
		normalise(&m->region[i]);
		if (m->region[i].moves_most <= m->worst)
			continue;
		m->worst = m->region[i].moves_most;
		memcpy(m->worst_region, m->region[i].name, sizeof(m->worst_region));
	}
}

/* How many vendors can serve a row; of a service that is gone, none. */
static uint32_t choice(const struct sim *s, const struct alloc_row *row)
{
	uint32_t first = row->service < s->cat->n_services ? s->first_row[row->service] : BLOB_NONE;

	return first == BLOB_NONE ? 0 : s->out[first + row->group].n_order;
}

/* Expected demand of a row. */
static double demand_of(const struct alloc_row *row)
{
	return row->demand_mbps + row->sticky_mbps;
}

/* Audiences are weighed by their demand; in a region that has none now, and where nothing is known
 * at all, groups count alike. */
static void compare(struct impact *m, const struct pair *p)
{
	const struct sim *a = p->a;
	double demand = 0, of_region[IMPACT_MAX_REGIONS] = {0};

	for (uint32_t r = 0; r < a->fleet.n_rows; r++) {
		if (a->cat->services[a->row[r].service].test)
			continue;
		demand += demand_of(&a->row[r]);
		of_region[impact_region_of(m, a->cat, a->row[r].group) - m->region] +=
			demand_of(&a->row[r]);
	}
	for (uint32_t r = 0; r < a->fleet.n_rows; r++) {
		const struct alloc_row *row = &a->row[r];
		struct impact_region *to;

		if (a->cat->services[row->service].test)
			continue;
		to = impact_region_of(m, a->cat, row->group);
		add_row(to, p, row, of_region[to - m->region] > 0 ? demand_of(row) : 1);
		add_row(&m->all, p, row, demand > 0 ? demand_of(row) : 1);
		m->narrowed += choice(p->b, row) == 1 && choice(a, row) > 1;
		m->emptied += choice(p->b, row) == 0 && choice(a, row) > 0;
	}
	impact_finish(m, p->b->cat);
}

static bool denial_in(const struct impact_side *side, const struct engine_rule *r)
{
	for (uint32_t i = 0; i < side->n; i++)
		if (side->rule[i].kind == r->kind && !strcmp(side->rule[i].vendor, r->vendor) &&
			!strcmp(side->rule[i].groups, r->groups))
			return true;
	return false;
}

/* Whether one side has a denial, or what is allowed within one, that the other has not. */
static bool denials_differ(const struct impact_side *a, const struct impact_side *b)
{
	for (uint32_t i = 0; i < a->n; i++)
		if ((a->rule[i].kind == RULE_DENY || a->rule[i].kind == RULE_ALLOW) &&
			!denial_in(b, &a->rule[i]))
			return true;
	return false;
}

/* The catalogue that a configuration gives, with the ids of the one in use. */
static int build(const struct engine_view *view, const struct conf *conf, void **ret_blob,
	struct cat_view *ret_cat, struct errbuf *err)
{
	struct dict *dict = dict_new(&view->world->cat);
	size_t size;
	int rc = dict ? cat_build(conf, dict, (struct blob_stamp){0}, ret_blob, &size, err)
		      : SL_ENOMEM;

	dict_free(dict);
	if (!rc)
		cat_view_init(ret_cat, *ret_blob);
	return rc;
}

int control_impact(const struct engine_view *view, const struct impact_side *now,
	const struct impact_side *then, uint64_t now_ms, struct impact **ret_impact,
	struct errbuf *err)
{
	struct pair *p = calloc(1, sizeof(*p));
	struct impact *m = calloc(1, sizeof(*m));
	struct sim *a = NULL, *b = NULL;
	struct cat_view cat;
	void *blob = NULL;
	int rc = p && m ? 0 : SL_ENOMEM;

	if (!rc && then->conf)
		rc = build(view, then->conf, &blob, &cat, err);
	if (!rc) {
		rc = impact_sim_new(view, NULL, now, now_ms, &a);
		if (!rc)
			rc = impact_sim_new(view, blob ? &cat : NULL, then, now_ms, &b);
	}
	if (!rc && a->denies)
		rc = impact_survey(a);
	if (!rc && b->denies)
		rc = impact_survey(b);
	if (rc && (!err || !err->s[0]))
		(void)err_set(err, rc, "the dry run failed: %s", sl_strerror(rc));
	if (!rc) {
		p->a = a;
		p->b = b;
		m->denies = p->denials = denials_differ(now, then) || denials_differ(then, now);
		compare_nodes(p);
		compare(m, p);
		*ret_impact = m;
		m = NULL;
	}
	free(m);
	free(p);
	impact_sim_free(a);
	impact_sim_free(b);
	free(blob);
	return rc;
}

bool control_impact_grave(const struct impact *i)
{
	return i->worst * 100 > IMPACT_LIMIT_PERCENT + 1.0 / 3 || i->narrowed || i->emptied;
}
