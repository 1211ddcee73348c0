/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/moves.h"

#include "ctl/diff.h"
#include "world/world.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { ALL, MAX_REGIONS = 512, GRAVE_PERCENT = 33 };

struct region {
	char name[SL_MAX_NAME + 1];
	double rows, stay; /* stay: of the rows, the parts that keep their vendor */
	double before[SL_MAX_VENDORS + 1], after[SL_MAX_VENDORS + 1]; /* the last is none */
};

/* A row as shares by vendor of `then`, the last for none; all of it none where it is not there. */
static void shares(const struct world *w, uint32_t s, uint32_t g, const struct cat_view *then,
	double *ret_part)
{
	const struct tick_row *row = s == BLOB_NONE || g == BLOB_NONE ? NULL : world_row(w, s, g);
	bool there = row && row->shares != BLOB_NONE;

	for (uint32_t v = 0; v < then->n_vendors; v++)
		ret_part[v] =
			there ? ctl_share_of(w, s, g, cat_text(then, then->vendors[v].name)) / 1e6
			      : 0;
	ret_part[SL_MAX_VENDORS] =
		there ? w->tick.shares[row->shares].ppm.v[SL_MAX_SLOTS] / 1e6 : 1;
}

/* The region of a group, by the first two parts of its name; new ones are added. */
static struct region *region_of(struct region *list, uint32_t *n, struct str name)
{
	struct str rest = name, country = str_cut(&rest, '/'), province = str_cut(&rest, '/');

	name.n = province.n ? (size_t)(province.p - name.p) + province.n : country.n;
	for (uint32_t i = ALL + 1; i < *n; i++)
		if (str_eq_z(name, list[i].name))
			return &list[i];
	if (*n == MAX_REGIONS)
		return &list[MAX_REGIONS - 1];
	(void)snprintf(list[*n].name, sizeof(list[*n].name), STR_FMT, STR_ARG(name));
	return &list[(*n)++];
}

static void add(struct region *r, uint32_t n_vendors, const double *before, const double *after)
{
	r->rows++;
	for (uint32_t v = 0; v <= SL_MAX_VENDORS; v++) {
		if (v >= n_vendors && v < SL_MAX_VENDORS)
			continue;
		r->stay += SL_MIN(before[v], after[v]);
		r->before[v] += before[v];
		r->after[v] += after[v];
	}
}

static void put_vendor(cJSON *row, const struct region *r, const char *name, uint32_t v)
{
	char text[48], key[SL_MAX_NAME + 16];

	if (r->before[v] == 0 && r->after[v] == 0)
		return;
	(void)snprintf(key, sizeof(key), "%s_percent", name);
	(void)snprintf(text, sizeof(text), "%.1f -> %.1f", 100 * r->before[v] / r->rows,
		100 * r->after[v] / r->rows);
	cJSON_AddStringToObject(row, key, text);
}

/* Returns the part that moves, in percent. */
static double put_region(cJSON *list, const struct region *r, const struct cat_view *c)
{
	double moves = r->rows > 0 ? 100 * (1 - r->stay / r->rows) : 0;
	cJSON *row = cJSON_CreateObject();
	char name[SL_MAX_NAME + 1];

	cJSON_AddItemToArray(list, row);
	cJSON_AddStringToObject(row, "region", r->name);
	cJSON_AddNumberToObject(row, "moves_percent", (double)(int)(moves * 10 + 0.5) / 10);
	for (uint32_t v = 0; v < c->n_vendors; v++) {
		(void)snprintf(
			name, sizeof(name), STR_FMT, STR_ARG(cat_text(c, c->vendors[v].name)));
		put_vendor(row, r, name, v);
	}
	put_vendor(row, r, "none", SL_MAX_VENDORS);
	return moves;
}

/* Vendors that a row may be given; what is not there has none. */
static uint32_t choice(const struct world *w, uint32_t s, uint32_t g)
{
	return s == BLOB_NONE || g == BLOB_NONE ? 0 : world_row(w, s, g)->n_order;
}

bool ctl_moves(const struct world *now, const struct world *then, cJSON *out)
{
	const struct cat_view *c = &then->cat;
	struct region *list = calloc(MAX_REGIONS, sizeof(*list));
	double before[SL_MAX_VENDORS + 1], after[SL_MAX_VENDORS + 1], worst = 0;
	uint32_t n = ALL + 1, narrowed = 0, emptied = 0;
	cJSON *rows;

	if (!list)
		return false;
	(void)snprintf(list[ALL].name, sizeof(list[ALL].name), "all");
	for (uint32_t s = 0; s < c->n_services; s++)
		for (uint32_t g = 0;
			c->services[s].active && !c->services[s].test && g < c->n_groups; g++) {
			struct str group = cat_text(c, c->groups[g].name);
			uint32_t was_s =
				cat_find_service(&now->cat, cat_text(c, c->services[s].name));
			uint32_t was_g = cat_find_group(&now->cat, group);
			uint32_t had = choice(now, was_s, was_g), has = choice(then, s, g);

			shares(now, was_s, was_g, c, before);
			shares(then, s, g, c, after);
			add(&list[ALL], c->n_vendors, before, after);
			add(region_of(list, &n, group), c->n_vendors, before, after);
			narrowed += has == 1 && had > 1;
			emptied += has == 0 && had > 0;
		}
	cJSON_AddNumberToObject(out, "groups_left_with_one_vendor", narrowed);
	cJSON_AddNumberToObject(out, "groups_left_with_none", emptied);
	rows = cJSON_AddArrayToObject(out, "impact");
	for (uint32_t i = 0; i < n; i++) {
		double moves = put_region(rows, &list[i], c);

		worst = SL_MAX(worst, moves);
	}
	free(list);
	return worst > GRAVE_PERCENT + 1.0 / 3 || narrowed || emptied;
}
