/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From ranges to nodes of 8 bits. A slot that one range fills is a leaf, any other a child; equal
 * neighbours share a run, so a block found in the table is the largest over which a group holds.
 */
#include "geo/emit.h"

#include "geo/key.h"

#include <stdlib.h>

struct emitter {
	const struct geo_cover *c;
	uint16_t default_group;
	struct geo_node *nodes;
	uint32_t *leaves;
	size_t n_nodes, cap_nodes, n_leaves, cap_leaves;
};

/* A slot before it is written: its value, or the range where its child begins. */
struct slot {
	uint64_t val;
	size_t at;
	bool child;
};

static int grow(void **p, size_t need, size_t *cap, size_t size, size_t max)
{
	size_t want = *cap ? *cap : 1024;
	void *q;

	if (need > max)
		return SL_ELIMIT;
	while (want < need)
		want *= 2;
	if (want == *cap)
		return 0;
	q = realloc(*p, want * size);
	if (!q)
		return SL_ENOMEM;
	*p = q;
	*cap = want;
	return 0;
}

/* What fills the slot of width bits at first. *at moves to the range that holds its beginning. */
static struct slot classify(const struct geo_cover *c, geo_addr first, unsigned width, size_t *at)
{
	geo_addr last = first | (((geo_addr)1 << width) - 1);

	while (geo_cover_last(c, *at) < first)
		(*at)++;
	return (struct slot){c->r[*at].val, *at, geo_cover_last(c, *at) < last};
}

static uint32_t leaf_of(const struct emitter *e, uint64_t val)
{
	return val == GEO_KEY_EMBEDDED ? e->default_group : (uint32_t)val;
}

/* Takes room for a node with these slots and marks its runs. */
static int take_node(struct emitter *e, const struct slot *s, uint32_t *ret_index)
{
	struct geo_node n = {.base = (uint32_t)e->n_leaves};
	unsigned runs = 0;
	int rc;

	for (unsigned i = 0; i < 256; i++) {
		if (i % 64 == 0)
			n.rank[i / 64] = (uint8_t)runs;
		if (i && !s[i].child && !s[i - 1].child && s[i].val == s[i - 1].val)
			continue;
		n.bits[i / 64] |= UINT64_C(1) << (i % 64);
		runs++;
	}
	rc = grow((void **)&e->nodes, e->n_nodes + 1, &e->cap_nodes, sizeof(n), GEO_MAX_NODES);
	if (rc == 0)
		rc = grow((void **)&e->leaves, e->n_leaves + runs, &e->cap_leaves, sizeof(uint32_t),
			GEO_MAX_LEAVES);
	if (rc)
		return rc;
	e->nodes[e->n_nodes] = n;
	*ret_index = (uint32_t)e->n_nodes++;
	e->n_leaves += runs;
	return 0;
}

/* The node for the block at first with depth bits fixed; at = the range that holds its beginning.
 */
static int put_node(
	struct emitter *e, geo_addr first, unsigned depth, size_t at, uint32_t *ret_index)
{
	unsigned width = e->c->bits - depth - 8;
	struct slot s[256];
	size_t leaf;
	int rc;

	for (unsigned i = 0; i < 256; i++)
		s[i] = classify(e->c, first | (geo_addr)i << width, width, &at);
	leaf = e->n_leaves;
	if ((rc = take_node(e, s, ret_index)) != 0)
		return rc;
	for (unsigned i = 0; i < 256; i++) {
		uint32_t v = leaf_of(e, s[i].val);

		if (!(e->nodes[*ret_index].bits[i / 64] >> (i % 64) & 1))
			continue;
		if (s[i].child) {
			rc = put_node(e, first | (geo_addr)i << width, depth + 8, s[i].at, &v);
			if (rc)
				return rc;
			v |= GEO_CHILD;
		}
		e->leaves[leaf++] = v;
	}
	return 0;
}

/* Gives the slots of every largest equal block their block's length. */
static void put_lengths(const struct emitter *e, const struct slot *s, uint32_t *root)
{
	for (uint32_t i = 0, span; i < GEO_ROOT_SLOTS; i += span) {
		unsigned k = 0;

		span = 1;
		if (s[i].child)
			continue;
		for (; k < GEO_ROOT_BITS && !(i & span); k++, span *= 2) {
			uint32_t same = span;

			while (same < 2 * span && !s[i + same].child && s[i + same].val == s[i].val)
				same++;
			if (same < 2 * span)
				break;
		}
		for (uint32_t j = 0; j < span; j++)
			root[i + j] = leaf_of(e, s[i].val) | (GEO_ROOT_BITS - k) << GEO_LEN_SHIFT;
	}
}

static int put_root(struct emitter *e, const struct geo_cover *c, uint32_t *root)
{
	struct slot *s = calloc(GEO_ROOT_SLOTS, sizeof(*s));
	unsigned width = c->bits - GEO_ROOT_BITS;
	size_t at = 0;
	int rc = s ? 0 : SL_ENOMEM;

	e->c = c;
	for (uint32_t i = 0; rc == 0 && i < GEO_ROOT_SLOTS; i++) {
		geo_addr first = (geo_addr)i << width;

		s[i] = classify(c, first, width, &at);
		if (s[i].child && (rc = put_node(e, first, GEO_ROOT_BITS, at, &root[i])) == 0)
			root[i] |= GEO_CHILD;
	}
	if (rc == 0)
		put_lengths(e, s, root);
	free(s);
	return rc;
}

/* Blocks of equal group: each range is cut into the aligned blocks that fill it. */
static uint64_t count_blocks(const struct geo_cover *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		geo_addr at = c->r[i].start, last = geo_cover_last(c, i), end;

		for (;; at = end + 1) {
			unsigned k = 0;

			while (k < c->bits && !(at >> k & 1) &&
				(at | (((geo_addr)2 << k) - 1)) <= last)
				k++;
			n++;
			end = k == 128 ? last : at | (((geo_addr)1 << k) - 1);
			if (end >= last)
				break;
		}
	}
	return n;
}

static struct geo_table *assemble(const struct emitter *e, const uint32_t *roots, uint32_t n_groups,
	const struct geo_stats *stats)
{
	size_t root_size = GEO_ROOT_SLOTS * sizeof(uint32_t);
	struct geo_table t = {.magic = GEO_TABLE_MAGIC, .version = GEO_TABLE_VERSION};
	struct geo_table *p;

	t.n_groups = n_groups;
	t.default_group = e->default_group;
	t.n_nodes = (uint32_t)e->n_nodes;
	t.n_leaves = (uint32_t)e->n_leaves;
	t.root4 = sizeof(t);
	t.root6 = t.root4 + (uint32_t)root_size;
	t.nodes = t.root6 + (uint32_t)root_size;
	t.leaves = t.nodes + t.n_nodes * (uint32_t)sizeof(struct geo_node);
	t.size = (t.leaves + t.n_leaves * sizeof(uint32_t) + 7) & ~(uint64_t)7;
	t.stats = *stats;
	p = calloc(1, t.size);
	if (!p)
		return NULL;
	*p = t;
	memcpy((char *)p + t.root4, roots, 2 * root_size);
	if (t.n_nodes)
		memcpy((char *)p + t.nodes, e->nodes, t.n_nodes * sizeof(struct geo_node));
	if (t.n_leaves)
		memcpy((char *)p + t.leaves, e->leaves, t.n_leaves * sizeof(uint32_t));
	return p;
}

int geo_emit(const struct geo_cover *v4, const struct geo_cover *v6, uint32_t n_groups,
	uint32_t default_group, const struct geo_stats *stats, struct geo_table **ret_table,
	size_t *ret_size)
{
	struct emitter e = {.default_group = (uint16_t)default_group};
	struct geo_stats s = *stats;
	uint32_t *roots = calloc(2 * (size_t)GEO_ROOT_SLOTS, sizeof(*roots));
	struct geo_table *t;
	int rc = roots ? 0 : SL_ENOMEM;

	if (rc == 0 && (rc = put_root(&e, v4, roots)) == 0)
		rc = put_root(&e, v6, roots + GEO_ROOT_SLOTS);
	if (rc == 0) {
		s.prefixes = count_blocks(v4) + count_blocks(v6);
		t = assemble(&e, roots, n_groups, &s);
		rc = t ? 0 : SL_ENOMEM;
	}
	free(roots);
	free(e.nodes);
	free(e.leaves);
	if (rc == 0) {
		*ret_table = t;
		*ret_size = (size_t)t->size;
	}
	return rc;
}
