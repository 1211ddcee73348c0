/* SPDX-License-Identifier: Apache-2.0 */
/* Rendezvous hash of a stream over own nodes, with a bound on the load of each. */
#include "scoring/nodes.h"

#include "base/hash.h"

#include <stdint.h>

struct best {
	uint64_t key;
	uint16_t node;
};

/* Which nodes a pass may give. */
enum pass { WITHIN_BOUND, ANY_UP };

struct span_load {
	uint64_t cap, load; /* of the nodes that are up */
};

static struct span_load load_of(const struct nodes_span *s, const struct nodes_node *node)
{
	struct span_load l = {0, 0};

	for (uint32_t i = 0; i < s->n; i++) {
		const struct nodes_node *n = &node[s->node[i]];

		if (n->up) {
			l.cap += n->cap_mbps;
			l.load += n->load_mbps;
		}
	}
	return l;
}

/* Up, with room, and its utilisation within the bound of the span's mean. An idle span bounds
 * nobody: half of a node's capacity is always allowed. */
static bool allowed(const struct nodes_node *n, struct span_load span, enum pass pass)
{
	if (!n->up)
		return false;
	if (pass == ANY_UP)
		return true;
	if (n->load_mbps >= n->cap_mbps)
		return false;
	if (2 * (uint64_t)n->load_mbps <= n->cap_mbps)
		return true;
	/* load / cap <= 1.25 * span load / span cap; 32-bit factors, 1.25 on the double side */
	return (double)n->load_mbps * (double)span.cap * 100 <=
	       (double)n->cap_mbps * (double)span.load * NODES_BOUND_PERCENT;
}

/* Keeps the most highest keys, falling. */
static uint32_t keep(struct best *b, uint32_t n, uint32_t most, uint64_t key, uint16_t node)
{
	uint32_t at = n;

	if (n == most && key <= b[n - 1].key)
		return n;
	if (n == most)
		at--;
	for (; at > 0 && b[at - 1].key < key; at--)
		b[at] = b[at - 1];
	b[at] = (struct best){key, node};
	return n < most ? n + 1 : n;
}

static bool given(const uint16_t *ret, uint32_t n, uint16_t node)
{
	for (uint32_t i = 0; i < n; i++)
		if (ret[i] == node)
			return true;
	return false;
}

/* Adds the nodes of one span to ret[n..want). */
static uint32_t pick_span(const struct nodes_span *s, const struct nodes_node *node, enum pass pass,
	uint64_t stream, uint64_t client, uint32_t spread, uint32_t want, uint16_t *ret, uint32_t n)
{
	struct best best[NODES_MAX_SPREAD + NODES_MAX_PICK];
	struct span_load load = load_of(s, node);
	uint32_t found = 0, turn, wide;

	for (uint32_t i = 0; i < s->n; i++) {
		uint16_t at = s->node[i];

		if (allowed(&node[at], load, pass) && !given(ret, n, at))
			found = keep(best, found, spread + want, hash_mix(stream, node[at].id), at);
	}
	wide = found < spread ? found : spread;
	turn = wide ? (uint32_t)(hash_mix(client, stream) % wide) : 0;
	for (uint32_t i = 0; i < found && n < want; i++)
		ret[n++] = best[i < wide ? (i + turn) % wide : i].node;
	return n;
}

uint32_t nodes_pick(const struct nodes_span *span, uint32_t n_spans, const struct nodes_node *node,
	uint64_t stream, uint64_t client, uint32_t spread, uint32_t want, uint16_t *ret_node)
{
	uint32_t n = 0;

	want = want < NODES_MAX_PICK ? want : NODES_MAX_PICK;
	spread = spread < 1 ? 1 : spread < NODES_MAX_SPREAD ? spread : NODES_MAX_SPREAD;
	for (enum pass pass = WITHIN_BOUND; pass <= ANY_UP && n == 0; pass++)
		for (uint32_t i = 0; i < n_spans && n < want; i++)
			n = pick_span(
				&span[i], node, pass, stream, client, spread, want, ret_node, n);
	return n;
}
