/* SPDX-License-Identifier: Apache-2.0 */
/* world diff: what two worlds on disk have different, by names, because ids may differ. */
#include "ctl/diff.h"

#include "ctl/view.h"
#include "world/world.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>

enum { LEAST_PPM = 1000 }; /* smaller differences of a share are not told */

static cJSON *row_of(cJSON *list, const char *what, struct str name)
{
	cJSON *row = cJSON_CreateObject();
	char text[512];

	(void)snprintf(text, sizeof(text), STR_FMT, STR_ARG(name));
	cJSON_AddItemToArray(list, row);
	cJSON_AddStringToObject(row, "what", what);
	cJSON_AddStringToObject(row, "name", text);
	return row;
}

static void put_change(cJSON *list, const char *what, struct str name, double from, double to)
{
	cJSON *row;

	if (from == to)
		return;
	row = row_of(list, what, name);
	cJSON_AddNumberToObject(row, "from", from);
	cJSON_AddNumberToObject(row, "to", to);
}

static void put_stamp(cJSON *out, const char *name, const struct world *w)
{
	char text[48];

	(void)snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64, w->tick.head->epoch,
		w->tick.head->generation);
	cJSON_AddStringToObject(out, name, text);
}

static void diff_vendors(cJSON *list, const struct cat_view *a, const struct cat_view *b)
{
	for (uint32_t i = 0; i < b->n_vendors; i++) {
		struct str name = cat_text(b, b->vendors[i].name);
		uint32_t k = cat_find_vendor(a, name);
		struct cat_vendor none = {.max_mbps = 0};
		const struct cat_vendor *was = k == BLOB_NONE ? &none : &a->vendors[k];

		put_change(list, "vendor in use", name, was->active, b->vendors[i].active);
		put_change(list, "max_mbps", name, was->max_mbps, b->vendors[i].max_mbps);
		put_change(list, "guaranteed_mbps", name, was->guaranteed_mbps,
			b->vendors[i].guaranteed_mbps);
		put_change(list, "weight", name, was->weight, b->vendors[i].weight);
	}
}

static uint64_t vendors_by_name(
	const struct cat_view *from, const struct cat_view *to, uint64_t vendors)
{
	uint64_t mask = 0;

	for (uint32_t v = 0; v < from->n_vendors; v++) {
		uint32_t k = vendors >> v & 1
				     ? cat_find_vendor(to, cat_text(from, from->vendors[v].name))
				     : BLOB_NONE;

		if (k != BLOB_NONE)
			mask |= UINT64_C(1) << k;
	}
	return mask;
}

/* Streams that one world has and the other has not, or otherwise. */
static void diff_streams(cJSON *list, const struct cat_view *a, const struct cat_view *b)
{
	for (int pass = 0; pass < 2; pass++) {
		const struct cat_view *x = pass ? a : b, *y = pass ? b : a;

		for (uint32_t i = 0; i < x->n_streams; i++) {
			const struct cat_stream *s = &x->streams[i], *o = NULL;
			struct str name = cat_text(x, s->name);
			uint32_t service =
				cat_find_service(y, cat_text(x, x->services[s->service].name));

			if (service != BLOB_NONE)
				o = cat_find_stream(y, service, name);
			if (!o)
				(void)row_of(list, pass ? "stream gone" : "stream new", name);
			else if (!pass &&
				 (vendors_by_name(x, y, s->vendors) != o->vendors ||
					 s->encrypted != o->encrypted || s->ingest != o->ingest))
				(void)row_of(list, "stream changed", name);
		}
	}
}

uint32_t ctl_share_of(const struct world *w, uint32_t service, uint32_t group, struct str vendor)
{
	const struct cat_service *s = &w->cat.services[service];
	const struct tick_row *row = world_row(w, service, group);

	for (uint32_t i = 0; row->shares != BLOB_NONE && i < s->slots.count; i++) {
		uint32_t v = w->cat.slots[s->slots.first + i].vendor;

		if (str_eq(cat_text(&w->cat, w->cat.vendors[v].name), vendor))
			return w->tick.shares[row->shares].ppm.v[i];
	}
	return 0;
}

static void diff_row(cJSON *list, const struct world *a, const struct world *b, uint32_t s,
	uint32_t was_s, uint32_t g, uint32_t was_g)
{
	const struct cat_view *c = &b->cat;

	for (uint32_t i = 0; i < c->services[s].slots.count; i++) {
		struct str vendor = cat_text(
			c, c->vendors[c->slots[c->services[s].slots.first + i].vendor].name);
		uint32_t to = ctl_share_of(b, s, g, vendor),
			 from = ctl_share_of(a, was_s, was_g, vendor);
		char name[3 * SL_MAX_NAME + 8];

		if (fabs((double)to - from) < LEAST_PPM)
			continue;
		(void)snprintf(name, sizeof(name), STR_FMT " " STR_FMT " " STR_FMT,
			STR_ARG(cat_text(c, c->services[s].name)),
			STR_ARG(cat_text(c, c->groups[g].name)), STR_ARG(vendor));
		put_change(list, "share_percent", str_from(name), from / 1e4, to / 1e4);
	}
}

static void diff_shares(cJSON *list, const struct world *a, const struct world *b)
{
	const struct cat_view *c = &b->cat;

	for (uint32_t s = 0; s < c->n_services; s++) {
		uint32_t was_s = cat_find_service(&a->cat, cat_text(c, c->services[s].name));

		for (uint32_t g = 0; was_s != BLOB_NONE && g < c->n_groups; g++) {
			uint32_t was_g = cat_find_group(&a->cat, cat_text(c, c->groups[g].name));

			if (was_g != BLOB_NONE)
				diff_row(list, a, b, s, was_s, g, was_g);
		}
	}
}

int ctl_world_diff(const struct ctl_request *r, struct errbuf *err)
{
	struct world_file *f = NULL, *t = NULL;
	int rc = world_open(ctl_value(r, "from"), NULL, &f, err);

	if (!rc)
		rc = world_open(ctl_value(r, "to"), NULL, &t, err);
	if (!rc) {
		cJSON *out = cJSON_CreateObject();
		cJSON *list;

		put_stamp(out, "from", world_of(f));
		put_stamp(out, "to", world_of(t));
		list = cJSON_AddArrayToObject(out, "differences");
		diff_vendors(list, &world_of(f)->cat, &world_of(t)->cat);
		diff_streams(list, &world_of(f)->cat, &world_of(t)->cat);
		diff_shares(list, world_of(f), world_of(t));
		if (r->json) {
			char *text = cJSON_PrintUnformatted(out);

			(void)puts(text ? text : "{}");
			cJSON_free(text);
		} else {
			ctl_view(out, 0, stdout);
		}
		cJSON_Delete(out);
	}
	world_close(f);
	world_close(t);
	return rc;
}
