/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where denied addresses are: which part of each group's addresses a vendor may not serve. How
 * clients lie in them nobody knows: evenly is the guess, and for prefixes that hold more than one
 * client block, all of the group at most.
 */
#include "control/impact_int.h"
#include "world/deny.h"

#include <stdlib.h>
#include <string.h>

enum { SIX_TO_FOUR_BITS = 16, TEREDO_BITS = 32 };
enum { BLOCK_V4 = 24, BLOCK_V6 = 56 }; /* the widest that answers take for one client block */

/* Where the addresses of groups are, and which of them vendors may not serve. */
struct survey {
	const struct world *w;
	struct tick_denied *range;
	uint32_t n;
	struct {
		double all, denied[SL_MAX_VENDORS + 1];
	} * group;
};

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

static uint64_t vendors_of(const struct cat_view *c, const char *pattern)
{
	uint64_t mask = 0;

	for (uint32_t v = 0; v < c->n_vendors; v++)
		if (impact_names(pattern, cat_text(c, c->vendors[v].name)))
			mask |= UINT64_C(1) << v;
	return strcmp(pattern, "*") == 0 ? UINT64_MAX : mask;
}

/* The ranges of the rules; wide: only of those that deny more than one client block. */
static uint32_t ranges_of(const struct sim *s, bool wide, struct tick_denied *ret_range)
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
		if (wide && !p->allow && p->len >= (p->ip.family == IP_V4 ? BLOCK_V4 : BLOCK_V6))
			continue;
		p->vendors = vendors_of(s->cat, r->vendor);
		n++;
	}
	n = prefix ? deny_build(prefix, n, ret_range) : 0;
	free(prefix);
	return n;
}

/* The larger part of the two families: how clients divide over them nobody knows. */
static void add_up(struct sim *s, struct survey *v, bool wide)
{
	uint32_t n_groups = s->cat->n_groups;

	v->n = ranges_of(s, wide, v->range);
	for (int family = 0; v->n && family < 2; family++) {
		memset(v->group, 0, n_groups * sizeof(*v->group));
		survey_family(v, family ? IP_V6 : IP_V4);
		for (uint32_t g = 0; g < n_groups; g++)
			for (uint32_t k = 0; k <= SL_MAX_VENDORS && v->group[g].all > 0; k++) {
				float part = (float)(v->group[g].denied[k] / v->group[g].all);

				if (wide)
					s->may_deny[g][k] = part > 0 ? 1 : s->may_deny[g][k];
				else
					s->denied[g][k] = SL_MAX(s->denied[g][k], part);
			}
	}
}

int impact_survey(struct sim *s)
{
	struct survey v = {
		.w = s->world, .range = calloc(2 * (size_t)s->n_rules + 1, sizeof(*v.range))};
	int rc = SL_ENOMEM;

	v.group = calloc(s->cat->n_groups, sizeof(*v.group));
	s->denied = calloc(s->cat->n_groups, sizeof(*s->denied));
	s->may_deny = calloc(s->cat->n_groups, sizeof(*s->may_deny));
	if (v.range && v.group && s->denied && s->may_deny) {
		add_up(s, &v, false);
		add_up(s, &v, true);
		for (uint32_t g = 0; g < s->cat->n_groups; g++)
			for (uint32_t k = 0; k <= SL_MAX_VENDORS; k++)
				s->may_deny[g][k] = SL_MAX(s->may_deny[g][k], s->denied[g][k]);
		rc = 0;
	}
	free(v.range);
	free(v.group);
	return rc;
}
