/* SPDX-License-Identifier: Apache-2.0 */
/* Harvested addresses in the tick: as long as they hold, stored once per content. */
#include "base/hash.h"
#include "engine/engine_int.h"
#include "world/cat_build.h"

#include <stdlib.h>

/* Spans of records that are there already, by content. */
struct engine_edges_seen {
	struct slot {
		uint64_t hash; /* 0: free */
		struct blob_span span;
	} slot[1 << 13];
};

void engine_set_edges(struct engine *e, struct engine_edges *edges, uint32_t n)
{
	free(e->edges);
	e->edges = edges;
	e->n_edges = edges ? n : 0;
	if (e->n_edges && !e->edges_seen)
		e->edges_seen = malloc(sizeof(*e->edges_seen));
}

void engine_edges_free(struct engine *e)
{
	free(e->edges);
	free(e->edges_seen);
}

static struct blob_span put_records(struct blob_writer *w, struct engine_edges_seen *seen,
	const struct ip *ip, uint32_t n, uint32_t octets)
{
	uint8_t rr[ENGINE_MAX_EDGES * CAT_AAAA_RR_SIZE];
	struct buf to = buf_over(rr, sizeof(rr));
	struct slot *s;
	uint64_t hash;

	cat_put_records(&to, ip, SL_MIN(n, (uint32_t)ENGINE_MAX_EDGES), octets);
	if (!buf_len(&to))
		return (struct blob_span){0, 0};
	hash = hash64(rr, buf_len(&to), octets) | 1;
	s = &seen->slot[hash >> 8 & (SL_COUNT(seen->slot) - 1)];
	if (s->hash != hash) {
		s->hash = hash;
		s->span = blob_add_octets(w, TICK_wire, rr, (uint32_t)buf_len(&to));
	}
	return s->span;
}

static void put_cell(const struct engine *e, struct blob_writer *w, struct engine_edges_seen *seen,
	const struct engine_edges *from)
{
	uint32_t v = dict_find(e->dict, DICT_VENDOR, str_from(from->vendor));
	uint32_t g = dict_find(e->dict, DICT_GROUP, str_from(from->group)), index;
	struct blob_span a, aaaa;
	struct tick_edges *to;

	if (v >= e->cat.n_vendors || g >= e->cat.n_groups)
		return;
	a = put_records(w, seen, from->a, from->n_a, 4);
	aaaa = put_records(w, seen, from->aaaa, from->n_aaaa, 16);
	to = blob_add(w, TICK_edges, 1, &index);
	if (!to)
		return;
	*to = (struct tick_edges){from->until_ms, a, aaaa};
	((struct tick_edge_of *)blob_at(w, TICK_edge_of, g * e->cat.n_vendors + v))->v = index;
}

void engine_edges_put(struct engine *e, struct blob_writer *w, uint64_t now_ms)
{
	uint32_t n = e->cat.n_groups * e->cat.n_vendors;
	struct engine_edges_seen *seen = e->edges_seen;
	struct tick_edge_of *of;

	if (!e->n_edges || !seen)
		return;
	memset(seen, 0, sizeof(*seen));
	of = blob_add(w, TICK_edge_of, n, NULL);
	if (of)
		memset(of, 0xff, n * sizeof(*of));
	for (uint32_t i = 0; of && i < e->n_edges; i++)
		if (e->edges[i].until_ms > now_ms)
			put_cell(e, w, seen, &e->edges[i]);
}
