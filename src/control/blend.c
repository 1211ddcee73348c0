/* SPDX-License-Identifier: Apache-2.0 */
#include "control/blend.h"

#include "base/glob.h"
#include "base/hash.h"
#include "world/catalogue.h"

#include <stdlib.h>
#include <string.h>

struct blend {
	const struct conf_catalog *old, *next;
	double done;
	const struct cat_view *groups;
	struct arena *arena;
	struct conf_catalog *to;
};

static double line(const struct blend *b, double from, double to)
{
	return from + (to - from) * b->done;
}

/* Whether a name is in the part that has changed; the part only grows. */
static bool changed(const struct blend *b, const char *name, size_t n)
{
	return (double)(hash64(name, n, 7) >> 11) * 0x1p-53 < b->done;
}

static void *room(struct blend *b, size_t n, size_t size)
{
	return arena_alloc(b->arena, (n ? n : 1) * size);
}

/* --- vendors --------------------------------------------------------------------------------- */

static bool blend_regions(struct blend *b, const struct conf_vendor *was, struct conf_vendor *v)
{
	struct conf_region *list = room(b, v->regions_count, sizeof(*list));

	for (uint32_t i = 0; list && i < v->regions_count; i++) {
		list[i] = v->regions[i];
		for (uint32_t k = 0; k < was->regions_count; k++) {
			const struct conf_region *r = &was->regions[k];

			if (strcmp(r->name, list[i].name) != 0)
				continue;
			/* below 0: no such figure, which no line leads to */
			if (r->guaranteed_mbps >= 0 && list[i].guaranteed_mbps >= 0)
				list[i].guaranteed_mbps =
					line(b, r->guaranteed_mbps, list[i].guaranteed_mbps);
			if (r->max_mbps >= 0 && list[i].max_mbps >= 0)
				list[i].max_mbps = line(b, r->max_mbps, list[i].max_mbps);
		}
	}
	v->regions = list;
	return list != NULL;
}

static bool same_hours(const struct conf_window *a, const struct conf_window *b)
{
	return a->days == b->days && a->from_min == b->from_min && a->to_min == b->to_min &&
	       a->utc_offset_min == b->utc_offset_min;
}

static bool blend_windows(struct blend *b, const struct conf_vendor *was, struct conf_vendor *v)
{
	struct conf_window *list = room(b, v->windows_count, sizeof(*list));

	for (uint32_t i = 0; list && i < v->windows_count; i++) {
		list[i] = v->windows[i];
		if (i >= was->windows_count || !same_hours(&was->windows[i], &list[i]))
			continue;
		if (was->windows[i].guaranteed_mbps >= 0 && list[i].guaranteed_mbps >= 0)
			list[i].guaranteed_mbps =
				line(b, was->windows[i].guaranteed_mbps, list[i].guaranteed_mbps);
		if (was->windows[i].max_mbps >= 0 && list[i].max_mbps >= 0)
			list[i].max_mbps = line(b, was->windows[i].max_mbps, list[i].max_mbps);
	}
	v->windows = list;
	return list != NULL;
}

static bool any_of(const char *const *pattern, uint32_t n, struct str name)
{
	for (uint32_t i = 0; i < n; i++)
		if (glob_group_match(str_from(pattern[i]), name))
			return true;
	return false;
}

static bool may(const struct conf_vendor *v, struct str group)
{
	return (v->allow_groups_count == 0 ||
		       any_of(v->allow_groups, v->allow_groups_count, group)) &&
	       !any_of(v->deny_groups, v->deny_groups_count, group);
}

static bool may_now(const struct blend *b, const struct conf_vendor *was,
	const struct conf_vendor *is, struct str group)
{
	return may(changed(b, group.p, group.n) ? is : was, group);
}

/* Whether it may serve a group that lies within this one. */
static bool may_below(const struct blend *b, const struct conf_vendor *was,
	const struct conf_vendor *is, struct str group)
{
	const struct cat_view *c = b->groups;

	for (uint32_t g = 0; g < c->n_groups; g++) {
		struct str name = cat_text(c, c->groups[g].name);

		if (name.n > group.n && name.p[group.n] == '/' &&
			memcmp(name.p, group.p, group.n) == 0 && may_now(b, was, is, name))
			return true;
	}
	return false;
}

/*
 * The groups by name, where the two do not agree on all of them. A name as a pattern also holds
 * what lies below it, so those that may not be served are named too; one between a group above
 * that may and one below that may cannot be told apart, and may.
 */
static bool blend_groups(struct blend *b, const struct conf_vendor *was, struct conf_vendor *v)
{
	const struct conf_vendor is = *v;
	const struct cat_view *c = b->groups;
	const char **allow, **deny;
	uint32_t differ = 0;

	for (uint32_t g = 0; c && g < c->n_groups; g++) {
		struct str name = cat_text(c, c->groups[g].name);

		differ += may(was, name) != may(v, name);
	}
	if (!differ)
		return true;
	allow = room(b, c->n_groups, sizeof(*allow));
	deny = room(b, c->n_groups, sizeof(*deny));
	if (!allow || !deny)
		return false;
	v->allow_groups_count = v->deny_groups_count = 0;
	for (uint32_t g = 0; g < c->n_groups; g++) {
		struct str name = cat_text(c, c->groups[g].name);
		const char *text = arena_strndup(b->arena, name.p, name.n);

		if (!text)
			return false;
		if (may_now(b, was, &is, name))
			allow[v->allow_groups_count++] = text;
		else if (!may_below(b, was, &is, name))
			deny[v->deny_groups_count++] = text;
	}
	v->allow_groups = allow;
	v->deny_groups = deny;
	return true;
}

static bool blend_vendors(struct blend *b)
{
	const struct conf_catalog *old = b->old, *next = b->next;
	struct conf_vendor *list =
		room(b, (size_t)old->vendors_count + next->vendors_count, sizeof(*list));
	uint32_t n = next->vendors_count;

	for (uint32_t i = 0; list && i < next->vendors_count; i++) {
		int at = conf_find_vendor(old, next->vendors[i].name);
		const struct conf_vendor *was = at < 0 ? NULL : &old->vendors[at];

		list[i] = next->vendors[i];
		if (!was)
			continue;
		list[i].guaranteed_mbps = line(b, was->guaranteed_mbps, list[i].guaranteed_mbps);
		list[i].max_mbps = line(b, was->max_mbps, list[i].max_mbps);
		if (!blend_regions(b, was, &list[i]) || !blend_windows(b, was, &list[i]) ||
			!blend_groups(b, was, &list[i]))
			return false;
	}
	for (uint32_t i = 0; list && i < old->vendors_count && n < SL_MAX_VENDORS; i++)
		if (conf_find_vendor(next, old->vendors[i].name) < 0)
			list[n++] = old->vendors[i];
	b->to->vendors = list;
	b->to->vendors_count = n;
	return list != NULL;
}

/* --- services -------------------------------------------------------------------------------- */

static const struct conf_service_vendor *vendor_in(const struct conf_service *s, const char *name)
{
	for (uint32_t i = 0; s && i < s->vendors_count; i++)
		if (strcmp(s->vendors[i].vendor, name) == 0)
			return &s->vendors[i];
	return NULL;
}

/* The weight of a vendor in a service; 0 where it is not of it. */
static double weight_in(
	const struct conf_catalog *c, const struct conf_service *s, const char *vendor)
{
	const struct conf_service_vendor *v = vendor_in(s, vendor);
	int at = conf_find_vendor(c, vendor);

	if (!v || at < 0)
		return 0;
	return v->weight >= 0 ? v->weight : c->vendors[at].weight;
}

static bool blend_service(struct blend *b, const struct conf_service *was, struct conf_service *s)
{
	struct conf_service_vendor *list = room(b, SL_MAX_SLOTS, sizeof(*list));
	const struct conf_service *is = s;
	uint32_t n = 0;

	for (uint32_t i = 0; list && i < is->vendors_count; i++)
		list[n++] = is->vendors[i];
	for (uint32_t i = 0; list && i < was->vendors_count && n < SL_MAX_SLOTS; i++)
		if (!vendor_in(is, was->vendors[i].vendor) &&
			conf_find_vendor(b->to, was->vendors[i].vendor) >= 0)
			list[n++] = was->vendors[i];
	for (uint32_t i = 0; i < n; i++)
		list[i].weight = line(b, weight_in(b->old, was, list[i].vendor),
			weight_in(b->next, is, list[i].vendor));
	s->vendors = list;
	s->vendors_count = n;
	return list != NULL;
}

static bool blend_services(struct blend *b)
{
	uint32_t n = b->next->services_count;
	struct conf_service *list = room(b, n, sizeof(*list));

	for (uint32_t i = 0; list && i < n; i++) {
		struct conf_service s = b->next->services[i];
		int at = conf_find_service(b->old, s.name);

		if (at >= 0 && !blend_service(b, &b->old->services[at], &s))
			return false;
		list[i] = s;
	}
	b->to->services = list;
	return list != NULL;
}

/* --- nodes and streams ----------------------------------------------------------------------- */

static int by_node(const void *a, const void *b)
{
	return strcmp((*(const struct conf_node *const *)a)->name,
		(*(const struct conf_node *const *)b)->name);
}

static int by_stream(const void *a, const void *b)
{
	const struct conf_stream *x = *(const struct conf_stream *const *)a;
	const struct conf_stream *y = *(const struct conf_stream *const *)b;
	int service = strcmp(x->service, y->service);

	return service ? service : strcmp(x->name, y->name);
}

/* Pointers to the elements of a list, in order. */
static const void **sorted(struct blend *b, const void *list, uint32_t n, size_t size,
	int (*by)(const void *, const void *))
{
	const void **p = room(b, n, sizeof(*p));

	for (uint32_t i = 0; p && i < n; i++)
		p[i] = (const char *)list + i * size;
	if (p && n)
		qsort(p, n, sizeof(*p), by);
	return p;
}

static const void *find(
	const void **p, uint32_t n, const void *what, int (*by)(const void *, const void *))
{
	const void **found = n ? bsearch(&what, p, n, sizeof(*p), by) : NULL;

	return found ? *found : NULL;
}

static bool blend_nodes(struct blend *b)
{
	const struct conf_catalog *old = b->old, *next = b->next;
	const void **o = sorted(b, old->nodes, old->nodes_count, sizeof(*old->nodes), by_node);
	const void **t = sorted(b, next->nodes, next->nodes_count, sizeof(*next->nodes), by_node);
	struct conf_node *list =
		room(b, (size_t)old->nodes_count + next->nodes_count, sizeof(*list));
	uint32_t n = 0;

	if (!o || !t || !list)
		return false;
	for (uint32_t i = 0; i < next->nodes_count; i++) {
		const struct conf_node *is = &next->nodes[i];
		const struct conf_node *was = find(o, old->nodes_count, is, by_node);

		if (!was && !changed(b, is->name, strlen(is->name)))
			continue;
		list[n] = *is;
		if (was)
			list[n].capacity_mbps = line(b, was->capacity_mbps, is->capacity_mbps);
		n++;
	}
	for (uint32_t i = 0; i < old->nodes_count && n < SL_MAX_NODES; i++) {
		const struct conf_node *was = &old->nodes[i];

		if (!find(t, next->nodes_count, was, by_node) &&
			!changed(b, was->name, strlen(was->name)) &&
			conf_find_vendor(b->to, was->vendor) >= 0)
			list[n++] = *was;
	}
	b->to->nodes = list;
	b->to->nodes_count = n;
	return true;
}

/* Whether the service that is to be can carry it: its vendors and ingest are there. */
static bool can_carry(const struct blend *b, const struct conf_stream *s)
{
	int at = conf_find_service(b->to, s->service);
	bool ingest = !s->ingest;

	for (uint32_t i = 0; at >= 0 && i < s->vendors_count; i++)
		if (!vendor_in(&b->to->services[at], s->vendors[i]))
			return false;
	for (uint32_t i = 0; at >= 0 && !ingest && i < b->to->services[at].ingest_count; i++)
		ingest = strcmp(b->to->services[at].ingest[i].name, s->ingest) == 0;
	return at >= 0 && ingest;
}

static bool blend_streams(struct blend *b)
{
	const struct conf_catalog *old = b->old, *next = b->next;
	const void **o =
		sorted(b, old->streams, old->streams_count, sizeof(*old->streams), by_stream);
	const void **t =
		sorted(b, next->streams, next->streams_count, sizeof(*next->streams), by_stream);
	struct conf_stream *list =
		room(b, (size_t)old->streams_count + next->streams_count, sizeof(*list));
	uint32_t n = 0;

	if (!o || !t || !list)
		return false;
	for (uint32_t i = 0; i < next->streams_count; i++) {
		const struct conf_stream *is = &next->streams[i];
		const struct conf_stream *was = find(o, old->streams_count, is, by_stream);

		if (changed(b, is->name, strlen(is->name)))
			list[n++] = *is;
		else if (was)
			list[n++] = can_carry(b, was) ? *was : *is;
	}
	for (uint32_t i = 0; i < old->streams_count && n < SL_MAX_STREAMS; i++) {
		const struct conf_stream *was = &old->streams[i];

		if (!find(t, next->streams_count, was, by_stream) &&
			!changed(b, was->name, strlen(was->name)) && can_carry(b, was))
			list[n++] = *was;
	}
	b->to->streams = list;
	b->to->streams_count = n;
	return true;
}

int control_blend(const struct conf_catalog *old, const struct conf_catalog *next, double done,
	const struct cat_view *groups, struct arena *arena, struct conf_catalog *to)
{
	struct conf_catalog made = *next;
	struct blend b = {old, next, done, groups, arena, &made};

	if (!blend_vendors(&b) || !blend_services(&b) || !blend_nodes(&b) || !blend_streams(&b))
		return SL_ENOMEM;
	*to = made;
	return 0;
}
