/* SPDX-License-Identifier: Apache-2.0 */
/* What probes and counters say of own nodes, in the tick: who is down is not answered, and who is
 * loaded is passed over. */
#include "engine/engine_int.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct engine_node *)a)->name, ((const struct engine_node *)b)->name);
}

int engine_set_nodes(struct engine *e, const struct engine_node *nodes, uint32_t n)
{
	struct engine_node *copy;

	if (n > SL_MAX_NODES)
		return SL_ELIMIT;
	copy = malloc((n + 1) * sizeof(*copy));
	if (!copy)
		return SL_ENOMEM;
	if (n) {
		memcpy(copy, nodes, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), by_name);
	}
	free(e->node);
	e->node = copy;
	e->n_nodes = n;
	return 0;
}

static const struct engine_node *find(const struct engine *e, uint32_t node)
{
	struct engine_node key = {.mbps = 0};

	(void)snprintf(key.name, sizeof(key.name), STR_FMT,
		STR_ARG(cat_text(&e->cat, e->cat.nodes[node].name)));
	return e->n_nodes ? bsearch(&key, e->node, e->n_nodes, sizeof(key), by_name) : NULL;
}

void engine_nodes_put(const struct engine *e, struct tick_node_load *load)
{
	for (uint32_t k = 0; load && k < e->cat.n_nodes; k++) {
		const struct engine_node *n = find(e, k);
		double cap = e->cat.nodes[k].capacity_mbps;

		if (!n)
			continue;
		if (n->down)
			load[k].v = TICK_NODE_DOWN;
		else if (n->mbps > 0 && cap > 0)
			load[k].v = (uint16_t)SL_MIN(n->mbps * 1000 / cap, TICK_NODE_DOWN - 1.0);
	}
}

/* Whether the vendor has own nodes for the group, and all of them are down. */
static bool all_down(const struct engine *e, const uint8_t *down, uint32_t cell)
{
	uint32_t list = e->cat.vendor_nodes[cell].v;
	const struct cat_node_list *l;

	if (list == BLOB_NONE)
		return false;
	l = &e->cat.node_lists[list];
	for (uint32_t t = 0; t < l->tiers.count; t++) {
		struct blob_span refs = e->cat.node_tiers[l->tiers.first + t].nodes;

		for (uint32_t i = 0; i < refs.count; i++)
			if (!down[e->cat.node_refs[refs.first + i].v])
				return false;
	}
	return true;
}

void engine_nodes_block(struct engine *e)
{
	uint8_t down[SL_MAX_NODES] = {0};
	bool any = false;

	for (uint32_t k = 0; e->n_nodes && k < e->cat.n_nodes; k++) {
		const struct engine_node *n = find(e, k);

		down[k] = n && n->down;
		any |= down[k];
	}
	for (uint32_t r = 0; any && r < e->in.n_rows; r++) {
		struct loop_row *row = &e->loop_row[r];
		const struct cat_service *s = &e->cat.services[row->service];

		for (uint32_t i = 0; i < s->slots.count; i++) {
			const struct cat_slot *slot = &e->cat.slots[s->slots.first + i];
			uint32_t cell = row->group * e->cat.n_vendors + slot->vendor;

			if (!row->block[i] && !slot->cname.count &&
				e->cat.vendor_addrs[cell].v == BLOB_NONE && all_down(e, down, cell))
				row->block[i] = SCORE_DOWN;
		}
	}
}
