/* SPDX-License-Identifier: Apache-2.0 */
/* The operators' rules that are not about a vendor's weight or room: what a tick carries of them.
 */
#include "base/glob.h"
#include "engine/engine_int.h"

bool engine_rule_holds(const struct engine_rule *r, uint64_t now_ms)
{
	return r->until_ms == 0 || now_ms < r->until_ms;
}

bool engine_rule_names(const char *pattern, struct str name)
{
	return pattern[0] == '\0' || glob_match(str_from(pattern), name, false);
}

/* The last rule of a kind that bears on a service (and group, unless BLOB_NONE); NULL: none. */
static const struct engine_rule *rule_on(const struct engine *e, enum engine_rule_kind kind,
	uint32_t service, uint32_t group, uint64_t now_ms)
{
	if (!(e->rule_kinds >> kind & 1))
		return NULL;
	for (uint32_t i = e->n_rules; i-- > 0;) {
		const struct engine_rule *r = &e->rules[i];

		if (r->kind != kind || !engine_rule_holds(r, now_ms) ||
			!engine_rule_names(
				r->service, cat_text(&e->cat, e->cat.services[service].name)))
			continue;
		if (!r->groups[0] || group == BLOB_NONE ||
			glob_group_match(
				str_from(r->groups), cat_text(&e->cat, e->cat.groups[group].name)))
			return r;
	}
	return NULL;
}

bool engine_rules_static(const struct engine *e, uint32_t service, uint64_t now_ms)
{
	return rule_on(e, RULE_STATIC, service, BLOB_NONE, now_ms) != NULL;
}

uint32_t engine_rules_lower_ppm(
	const struct engine *e, uint32_t service, uint32_t group, uint64_t now_ms)
{
	const struct engine_rule *r = rule_on(e, RULE_LOWER, service, group, now_ms);

	return r ? (uint32_t)(r->value * (SCORE_PPM / 100.0)) : 0;
}

/* The largest permille that a node can have means that it is down. */
void engine_rules_nodes(const struct engine *e, struct tick_node_load *load, uint64_t now_ms)
{
	for (uint32_t i = 0; load && i < e->n_rules; i++) {
		const struct engine_rule *r = &e->rules[i];

		if (r->kind != RULE_NODE || !engine_rule_holds(r, now_ms))
			continue;
		for (uint32_t k = 0; k < e->cat.n_nodes; k++)
			if (engine_rule_names(r->vendor, cat_text(&e->cat, e->cat.nodes[k].name)))
				load[k].v = TICK_NODE_DOWN;
	}
}

static uint64_t vendors_of(const struct engine *e, const char *pattern)
{
	uint64_t mask = 0;

	for (uint32_t v = 0; v < e->cat.n_vendors; v++)
		if (engine_rule_names(pattern, cat_text(&e->cat, e->cat.vendors[v].name)))
			mask |= UINT64_C(1) << v;
	/* with every vendor denied nobody is left, also of those that come later */
	return strcmp(pattern, "*") == 0 ? UINT64_MAX : mask;
}

/* Sorting takes memory, a tick must not: it is done when the rules change. Until then `vendors` of
 * a prefix is the number of its rule. */
void engine_rules_sort(struct engine *e)
{
	e->n_prefixes = 0;
	for (uint32_t i = 0; i < e->n_rules; i++) {
		const struct engine_rule *r = &e->rules[i];
		struct deny_prefix p = {.allow = r->kind == RULE_ALLOW, .vendors = i};

		if ((r->kind == RULE_DENY || r->kind == RULE_ALLOW) &&
			ip_parse_prefix(str_from(r->groups), &p.ip, &p.len))
			e->prefix[e->n_prefixes++] = p;
	}
	deny_sort(e->prefix, e->n_prefixes);
	for (uint32_t i = 0; i < e->n_prefixes; i++)
		e->prefix_rule[i] = (uint32_t)e->prefix[i].vendors;
}

void engine_rules_denied(struct engine *e, struct blob_writer *w, uint64_t now_ms)
{
	uint32_t n = 0;
	struct tick_denied *to;

	for (uint32_t i = 0; i < e->n_prefixes; i++) {
		const struct engine_rule *r = &e->rules[e->prefix_rule[i]];

		if (!engine_rule_holds(r, now_ms))
			continue;
		e->held[n] = e->prefix[i];
		e->held[n++].vendors = vendors_of(e, r->vendor);
	}
	n = deny_ranges(e->held, n, e->denied);
	to = blob_add(w, TICK_denied, n, NULL);
	if (to && n)
		memcpy(to, e->denied, n * sizeof(*to));
}
