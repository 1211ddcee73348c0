/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which streams are so hot on a vendor's own nodes that more than one of them should have it, by
 * what players report: a sketch of Mbps that follows the reports within some seconds.
 */
#include "base/hash.h"
#include "engine/engine_int.h"
#include "scoring/hot.h"
#include "world/facts.h"

#include <stdlib.h>

#define FOLLOW 0.2  /* of what is new, per tick */
#define PART   0.25 /* of a node's capacity that one stream may take of it */

/* The own nodes of a vendor. */
struct own {
	uint32_t n;
	double mbps;
};

int engine_hot_open(struct engine *e, struct errbuf *err)
{
	e->hot = calloc(1, sizeof(*e->hot));
	return e->hot ? 0 : err_set(err, SL_ENOMEM, "engine: no memory for hot streams");
}

static void count_nodes(const struct cat_view *c, struct own own[static SL_MAX_VENDORS])
{
	for (uint32_t k = 0; k < c->n_nodes; k++) {
		own[c->nodes[k].vendor].n++;
		own[c->nodes[k].vendor].mbps += c->nodes[k].capacity_mbps;
	}
}

static double part_of(const struct own *o, double mbps)
{
	double part = o->mbps > 0 ? mbps / (o->mbps * PART) : 0;

	return part * o->n > 1 ? part : 0;
}

double engine_hot_part(const struct cat_view *c, uint32_t vendor, double mbps)
{
	struct own own[SL_MAX_VENDORS] = {{0}};

	count_nodes(c, own);
	return part_of(&own[vendor], mbps);
}

/* A stream weighs the part of the vendor's nodes that it wants. One that a single node bears is not
 * looked at: that is so for most, and their order does not matter. */
static void follow(struct engine *e, const struct own *own)
{
	const struct facts_view *v = e->off & ENGINE_NO_HOT ? NULL : engine_facts_view(e);

	hot_fade(e->hot, 1 - FOLLOW);
	for (uint32_t i = 0; v && i < v->n_streams; i++) {
		const struct facts_stream *s = &v->streams[i];
		double part = s->vendor < e->cat.n_vendors
				      ? part_of(&own[s->vendor], (double)s->kbps / 1000)
				      : 0;

		if (part > 0)
			hot_add(e->hot,
				hash_mix(hash64(&v->text[s->name.first].v, s->name.count, 0),
					s->vendor),
				FOLLOW * part);
	}
}

void engine_hot_put(struct engine *e, struct blob_writer *w)
{
	struct own own[SL_MAX_VENDORS] = {{0}};
	struct hot_entry top[HOT_KEYS];
	struct tick_hot *row;
	uint32_t n;

	count_nodes(&e->cat, own);
	follow(e, own);
	n = hot_top(e->hot, top, HOT_KEYS);
	row = blob_add(w, TICK_hot, n, NULL);
	for (uint32_t i = 0; row && i < n; i++) { /* by key */
		uint32_t at = i;

		for (; at > 0 && row[at - 1].key > top[i].key; at--)
			row[at] = row[at - 1];
		row[at] = (struct tick_hot){.key = top[i].key,
			.part_ppm = (uint32_t)(SL_MIN(top[i].weight, 1.0) * SCORE_PPM)};
	}
}
