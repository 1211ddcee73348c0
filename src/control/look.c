/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into the last tick and the tallies that several commands share. */
#include "base/glob.h"
#include "control/control_int.h"

#include <dirent.h>
#include <string.h>

uint32_t control_find_row(const struct engine_view *view, uint32_t service, uint32_t group)
{
	const struct alloc_fleet *f = view->fleet;
	uint32_t lo = 0, hi = f->n_rows;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const struct alloc_row *r = &f->row[mid];

		if (r->service == service && r->group == group)
			return mid;
		if (r->service < service || (r->service == service && r->group < group))
			lo = mid + 1;
		else
			hi = mid;
	}
	return BLOB_NONE;
}

bool control_names_vendor(const struct engine_view *view, const char *pattern, uint32_t vendor)
{
	return !pattern || glob_match(str_from(pattern), control_vendor_name(view, vendor), false);
}

void control_tallies_open(const struct control *c, struct control_tallies *ret)
{
	char path[SL_MAX_PATH + 280];
	struct dirent *e;
	size_t n;
	DIR *d;

	ret->n = 0;
	(void)snprintf(path, sizeof(path), "%s/tally", c->state_dir);
	d = opendir(path);
	while (d && ret->n < SL_MAX_WORKERS && (e = readdir(d))) {
		n = strlen(e->d_name);
		if (n < 7 || strcmp(e->d_name + n - 6, ".tally") != 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/tally/%s", c->state_dir, e->d_name);
		if (tally_map(path, &ret->tally[ret->n], NULL) == 0)
			(void)snprintf(ret->name[ret->n++], sizeof(ret->name[0]), "%.*s",
				(int)SL_MIN(n - 6, sizeof(ret->name[0]) - 1), e->d_name);
	}
	if (d)
		(void)closedir(d);
}

void control_tallies_close(struct control_tallies *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		tally_close(t->tally[i]);
	t->n = 0;
}

bool control_mean_shares(
	const struct engine_view *view, uint32_t service, double ret_ppm[static SCORE_ROW])
{
	const struct alloc_fleet *f = view->fleet;
	double plain[SCORE_ROW] = {0}, weighed[SCORE_ROW] = {0}, demand = 0;
	uint32_t n = 0;

	for (uint32_t r = 0; r < f->n_rows; r++) {
		if (f->row[r].service != service)
			continue;
		for (uint32_t i = 0; i < SCORE_ROW; i++) {
			plain[i] += view->rows[r].share_ppm[i];
			weighed[i] += f->row[r].demand_mbps * view->rows[r].share_ppm[i];
		}
		demand += f->row[r].demand_mbps;
		n++;
	}
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		ret_ppm[i] = demand > 0 ? weighed[i] / demand : n ? plain[i] / n : 0;
	return n > 0;
}

static double quality_in_row(const struct engine_view *view, uint32_t v, uint32_t g)
{
	for (uint32_t s = 0; s < view->world->cat.n_services; s++) {
		const struct cat_service *svc = &view->world->cat.services[s];

		for (uint32_t i = 0; view->first_row[s] != BLOB_NONE && i < svc->slots.count; i++)
			if (view->world->cat.slots[svc->slots.first + i].vendor == v)
				return view->fleet->row[view->first_row[s] + g].quality[i];
	}
	return 0;
}

/* Adds what a group's players say of a vendor; whether that is bad or good. */
static void add_opinion(const struct control *c, const struct engine_view *view, uint32_t v,
	uint32_t g, struct control_opinion *o, bool *bad, bool *good)
{
	const struct breaker_params bounds = BREAKER_PARAMS_DEFAULT;
	const struct quality_estimate *e = engine_quality(c->engine, v, g);
	double w = e->samples[QUALITY_SUCCESS] + e->samples[QUALITY_ZERO_STALL];

	if (w < 0.5) /* faded away */
		return;
	o->weight += w;
	o->quality += w * quality_in_row(view, v, g);
	o->success += w * e->value[QUALITY_SUCCESS];
	o->first_frame_s += w * e->value[QUALITY_FIRST_FRAME] / 1e3;
	o->zero_stall += w * e->value[QUALITY_ZERO_STALL];
	if (e->value[QUALITY_SUCCESS] < bounds.success ||
		1 - e->value[QUALITY_ZERO_STALL] > bounds.stall_rate)
		*bad = true;
	else
		*good = true;
}

void control_opinions(const struct control *c, const struct engine_view *view,
	struct control_opinion ret[static SL_MAX_VENDORS], uint32_t *ret_all_bad)
{
	memset(ret, 0, SL_MAX_VENDORS * sizeof(*ret));
	*ret_all_bad = 0;
	for (uint32_t g = 0; g < view->fleet->n_groups; g++) {
		bool bad = false, good = false;

		for (uint32_t v = 0; v < view->fleet->n_vendors; v++)
			add_opinion(c, view, v, g, &ret[v], &bad, &good);
		*ret_all_bad += bad && !good;
	}
	for (uint32_t v = 0; v < view->fleet->n_vendors; v++) {
		struct control_opinion *o = &ret[v];

		if (o->weight > 0)
			*o = (struct control_opinion){o->weight, o->quality / o->weight,
				o->success / o->weight, o->first_frame_s / o->weight,
				o->zero_stall / o->weight};
	}
}
