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
	e->view.nodes = copy;
	e->view.n_nodes = n;
	return 0;
}

static const struct engine_node *find_in(
	const struct engine_node *nodes, uint32_t n, struct str name)
{
	struct engine_node key = {.mbps = 0};

	(void)snprintf(key.name, sizeof(key.name), STR_FMT, STR_ARG(name));
	return n ? bsearch(&key, nodes, n, sizeof(key), by_name) : NULL;
}

bool engine_node_down(const struct engine_node *nodes, uint32_t n, struct str name)
{
	const struct engine_node *found = find_in(nodes, n, name);

	return found && found->down;
}

static const struct engine_node *find(const struct engine *e, uint32_t node)
{
	return find_in(e->node, e->n_nodes, cat_text(&e->cat, e->cat.nodes[node].name));
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
static bool all_down(const struct cat_view *c, const bool *down, uint32_t group, uint32_t vendor)
{
	uint32_t list = c->vendor_nodes[group * c->n_vendors + vendor].v;
	const struct cat_node_list *l;

	if (list == BLOB_NONE)
		return false;
	l = &c->node_lists[list];
	for (uint32_t t = 0; t < l->tiers.count; t++) {
		struct blob_span refs = c->node_tiers[l->tiers.first + t].nodes;

		for (uint32_t i = 0; i < refs.count; i++)
			if (!down[c->node_refs[refs.first + i].v])
				return false;
	}
	return true;
}

bool engine_nodes_out(const struct cat_view *c, const bool *down, uint32_t slot, uint32_t group)
{
	const struct cat_slot *s = &c->slots[slot];

	return !s->cname.count &&
	       c->vendor_addrs[group * c->n_vendors + s->vendor].v == BLOB_NONE &&
	       all_down(c, down, group, s->vendor);
}

void engine_nodes_block(struct engine *e)
{
	bool down[SL_MAX_NODES] = {0}, any = false;

	for (uint32_t k = 0; e->n_nodes && k < e->cat.n_nodes; k++) {
		const struct engine_node *n = find(e, k);

		down[k] = n && n->down;
		any |= down[k];
	}
	for (uint32_t r = 0; any && r < e->in.n_rows; r++) {
		struct loop_row *row = &e->loop_row[r];
		const struct cat_service *s = &e->cat.services[row->service];

		for (uint32_t i = 0; i < s->slots.count; i++)
			if (!row->block[i] &&
				engine_nodes_out(&e->cat, down, s->slots.first + i, row->group))
				row->block[i] = SCORE_DOWN;
	}
}
