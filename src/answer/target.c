/* SPDX-License-Identifier: Apache-2.0 */
#include "answer/decide.h"
#include "base/hash.h"
#include "scoring/hot.h"
#include "scoring/nodes.h"

enum { MAX_TIERS = 8 };

/* Over how many of the n nearest nodes the stream goes: one, unless it is hot there. Where no
 * stream is known any node may have it. */
static uint32_t spread_of(const struct tick_view *t, uint64_t stream, uint32_t vendor, uint32_t n)
{
	uint64_t key = hash_mix(stream, vendor);
	uint32_t lo = 0, hi = t->n_hot;

	if (stream == 0)
		return NODES_MAX_SPREAD;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (t->hot[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == t->n_hot || t->hot[lo].key != key)
		return 1;
	return hot_spread((double)n * t->hot[lo].part_ppm, SCORE_PPM, NODES_MAX_SPREAD);
}

/* Own nodes for the stream, nearest tier first. */
static uint32_t pick_nodes(const struct world *w, const struct cat_node_list *list, uint32_t vendor,
	uint64_t stream, uint64_t client, uint32_t want, uint16_t *ret_node)
{
	struct nodes_span span[MAX_TIERS];
	uint32_t n = SL_MIN(list->tiers.count, (uint32_t)MAX_TIERS);

	for (uint32_t i = 0; i < n; i++) {
		struct blob_span refs = w->cat.node_tiers[list->tiers.first + i].nodes;

		span[i] = (struct nodes_span){&w->cat.node_refs[refs.first].v, refs.count};
	}
	return nodes_pick(span, n, w->nodes, stream, client,
		spread_of(&w->tick, stream, vendor, n ? span[0].n : 0),
		SL_MIN(want, (uint32_t)NODES_MAX_PICK), ret_node);
}

void answer_target(const struct world *w, const struct question *q, uint8_t slot, uint64_t stream,
	uint32_t want_nodes, struct target *ret_target)
{
	const struct cat_service *s = &w->cat.services[q->service];
	struct target t = {
		.slot = &w->cat.slots[s->slots.first + slot], .turn = answer_turn(s, q->key)};
	uint32_t cell, list, addrs, edges;

	t.vendor = t.slot->vendor;
	cell = world_cell(w, q->group, t.vendor);
	list = w->cat.vendor_nodes[cell].v;
	addrs = w->cat.vendor_addrs[cell].v;
	if (list != BLOB_NONE)
		t.n_nodes = pick_nodes(
			w, &w->cat.node_lists[list], t.vendor, stream, q->key, want_nodes, t.node);
	edges = w->tick.n_edge_of ? w->tick.edge_of[cell].v : BLOB_NONE;
	if (t.n_nodes) {
		t.kind = TARGET_NODES;
	} else if (edges != BLOB_NONE && q->now_ms < w->tick.edges[edges].until_ms) {
		t.kind = TARGET_EDGES;
		t.edges = &w->tick.edges[edges];
	} else if (addrs != BLOB_NONE) {
		t.kind = TARGET_ADDRESSES;
		t.addrs = &w->cat.addrsets[addrs];
	} else if (t.slot->cname.count) {
		t.kind = TARGET_CNAME;
	}
	*ret_target = t;
}

static uint32_t copy_records(
	const uint8_t *from, uint32_t octets, size_t size, uint32_t turn, uint32_t max, uint8_t *to)
{
	uint32_t all = octets / (uint32_t)size, n = SL_MIN(all, max);
	uint32_t first = turn && all ? turn % all : 0, to_end = SL_MIN(n, all - first);

	memcpy(to, from + first * size, to_end * size);
	if (n > to_end)
		memcpy(to + to_end * size, from, (n - to_end) * size);
	return n;
}

static uint32_t copy_set(const struct world *w, struct blob_span from, size_t size, uint32_t turn,
	uint32_t max, uint8_t *to)
{
	return copy_records(cat_wire(&w->cat, from), from.count, size, turn, max, to);
}

uint32_t answer_records(
	const struct world *w, const struct target *t, bool v6, uint32_t max, uint8_t *ret_records)
{
	size_t size = v6 ? CAT_AAAA_RR_SIZE : CAT_A_RR_SIZE;
	uint32_t n = 0;

	if (t->kind == TARGET_ADDRESSES)
		return copy_set(
			w, v6 ? t->addrs->aaaa : t->addrs->a, size, t->turn, max, ret_records);
	if (t->kind == TARGET_EDGES) {
		struct blob_span s = v6 ? t->edges->aaaa : t->edges->a;

		return s.count ? copy_records(&w->tick.wire[s.first].v, s.count, size, t->turn, max,
					 ret_records)
			       : 0;
	}
	if (t->kind != TARGET_NODES)
		return 0;
	for (uint32_t i = 0; i < t->n_nodes && n < max; i++) {
		const struct cat_addrset *s = &w->cat.addrsets[w->cat.nodes[t->node[i]].addrs];

		n += copy_set(w, v6 ? s->aaaa : s->a, size, 0, max - n, ret_records + n * size);
	}
	return n;
}
