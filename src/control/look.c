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
			ret->n++;
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
