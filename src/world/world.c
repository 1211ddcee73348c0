/* SPDX-License-Identifier: Apache-2.0 */
#include "scoring/ingest.h"
#include "world/world_int.h"

#include <stdlib.h>

/* Slots that the service does not have must not be picked. */
static bool rows_fit(const struct world *w)
{
	for (uint32_t s = 0; s < w->tick.meta->n_services; s++) {
		uint32_t n = w->cat.services[s].slots.count, mask = (1u << n) - 1;

		for (uint32_t g = 0; g < w->tick.meta->n_groups; g++) {
			const struct tick_row *r = world_row(w, s, g);

			if ((r->usable | r->seated) & ~mask)
				return false;
			for (uint32_t i = 0; i < r->n_order; i++)
				if ((r->order >> (4 * i) & 15) >= n)
					return false;
			for (uint32_t i = n; r->shares != BLOB_NONE && i < SCORE_NONE; i++)
				if (w->tick.shares[r->shares].ppm.v[i] ||
					w->tick.shares[r->fallback].ppm.v[i])
					return false;
			for (uint32_t i = 0; i < r->sticky.count; i++) {
				uint32_t slot = w->tick.sticky[r->sticky.first + i].v & 0xff;

				if (slot >= n && slot != SCORE_NONE)
					return false;
			}
		}
	}
	return true;
}

static int check_fit(const struct world *w, const struct blob_head *geo, struct errbuf *err)
{
	const struct tick_meta *m = w->tick.meta;

	if (m->catalogue != w->cat.head->checksum)
		return err_set(err, SL_ETORN, "tick was made for catalogue %016llx, not %016llx",
			(unsigned long long)m->catalogue,
			(unsigned long long)w->cat.head->checksum);
	if (m->geo != geo->checksum)
		return err_set(err, SL_ETORN, "tick was made for geo %016llx, not %016llx",
			(unsigned long long)m->geo, (unsigned long long)geo->checksum);
	if (m->n_services != w->cat.n_services || m->n_groups != w->cat.n_groups ||
		m->n_vendors != w->cat.n_vendors || m->n_regions != w->cat.n_regions ||
		w->tick.n_node_loads != w->cat.n_nodes)
		return err_set(err, SL_ETORN, "tick and catalogue differ in their numbers of ids");
	if (w->geo->n_groups > w->cat.n_groups)
		return err_set(err, SL_ETORN, "geo has %u groups, the catalogue %u",
			w->geo->n_groups, w->cat.n_groups);
	if (!rows_fit(w))
		return err_set(err, SL_ETORN, "tick names slots that a service does not have");
	return 0;
}

static void fill_nodes(const struct world *w, struct nodes_node *nodes)
{
	for (uint32_t i = 0; i < w->cat.n_nodes; i++) {
		uint16_t permille = w->tick.node_loads[i].v;
		uint32_t cap = (uint32_t)SL_MIN(w->cat.nodes[i].capacity_mbps, 4e9);

		nodes[i] = (struct nodes_node){.id = i,
			.cap_mbps = cap,
			.load_mbps = (uint32_t)((uint64_t)cap * permille / 1000),
			.up = permille != TICK_NODE_DOWN};
	}
}

int world_rejoin(const void *catalogue, const void *geo, const void *tick,
	struct world_file **world, struct errbuf *err)
{
	struct world_file *f = *world;
	struct world w;
	int rc;

	cat_view_init(&w.cat, catalogue);
	tick_view_init(&w.tick, tick);
	w.geo = geoblob_table(geo);
	rc = check_fit(&w, geo, err);
	if (rc)
		return rc;
	if (!f || f->room < w.cat.n_nodes) {
		f = calloc(1, sizeof(*f) + w.cat.n_nodes * sizeof(f->nodes[0]));
		if (!f)
			return err_set(err, SL_ENOMEM, "world: out of memory");
		f->room = w.cat.n_nodes;
		world_close(*world);
		*world = f;
	}
	fill_nodes(&w, f->nodes);
	w.nodes = f->nodes;
	f->world = w;
	f->geo_blob = geo;
	return 0;
}

int world_join(const void *catalogue, const void *geo, const void *tick,
	struct world_file **ret_world, struct errbuf *err)
{
	struct world_file *f = NULL;
	int rc = world_rejoin(catalogue, geo, tick, &f, err);

	if (!rc)
		*ret_world = f;
	return rc;
}

/* The first entry of the tick that is not before this one. */
static uint32_t ingest_at(const struct tick_view *t, uint32_t group, uint32_t ingest)
{
	uint32_t from = 0, to = t->n_ingests;

	while (from < to) {
		uint32_t at = from + (to - from) / 2;
		const struct tick_ingest *in = &t->ingests[at];

		if (in->group < group || (in->group == group && in->ingest < ingest))
			from = at + 1;
		else
			to = at;
	}
	return from;
}

void world_ingest_weights(
	const struct world *w, uint32_t service, uint32_t group, uint32_t *ret_weight_ppm)
{
	struct blob_span span = w->cat.service_plays[service].ingests;
	const struct tick_view *t = &w->tick;

	for (uint32_t i = 0; i < span.count; i++)
		ret_weight_ppm[i] = INGEST_WHOLE_PPM;
	for (uint32_t i = ingest_at(t, group, span.first);
		i < t->n_ingests && t->ingests[i].group == group &&
		t->ingests[i].ingest < span.first + span.count;
		i++)
		ret_weight_ppm[t->ingests[i].ingest - span.first] = t->ingests[i].weight_ppm;
}

const struct world *world_of(const struct world_file *f)
{
	return &f->world;
}

const void *world_geo_blob(const struct world_file *f)
{
	return f->geo_blob;
}
