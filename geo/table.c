/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookup in the flat prefix table, and the check that makes an untrusted one safe to look up in.
 * The loop ends with the address's bits whatever the nodes say, so nodes need no order.
 */
#include "geo/table.h"

#include <string.h>

static const void *at(const struct geo_table *t, uint32_t offset)
{
	return (const char *)t + offset;
}

/* The slot after the last run start at or before i, and the first run start after it. */
static void run_around(const struct geo_node *n, unsigned i, unsigned *ret_start, unsigned *ret_end)
{
	unsigned w = i >> 6, b = i & 63;
	uint64_t low = n->bits[w] & (~UINT64_C(0) >> (63 - b));
	uint64_t high = b == 63 ? 0 : n->bits[w] & (~UINT64_C(0) << (b + 1));
	unsigned s = w, e = w;

	while (!low && s > 0)
		low = n->bits[--s];
	while (!high && e < 3)
		high = n->bits[++e];
	*ret_start = low ? s * 64 + 63 - (unsigned)__builtin_clzll(low) : 0;
	*ret_end = high ? e * 64 + (unsigned)__builtin_ctzll(high) : 256;
}

static unsigned top_bit(unsigned x)
{
	return 31 - (unsigned)__builtin_clz(x);
}

/*
 * Bits of the slot number that tell the largest aligned block around slot i inside its run from
 * the rest. A block of 2^k slots stays clear of slot x as long as i and x differ in bit k or above.
 * Example: run 4..11, i = 9: 9 ^ 3 = 10 (bit 3), 9 ^ 12 = 5 (bit 2), so 2^2 slots, 8..11.
 */
static unsigned block_bits(const struct geo_node *n, unsigned i)
{
	unsigned start, end, k = 8;

	run_around(n, i, &start, &end);
	if (start > 0)
		k = top_bit(i ^ (start - 1));
	if (end < 256)
		k = SL_MIN(k, top_bit(i ^ end));
	return 8 - k;
}

/* In line: without a flag for newer processors the compiler's own is a call with a table. */
static unsigned ones(uint64_t x)
{
	x -= x >> 1 & UINT64_C(0x5555555555555555);
	x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
	x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (unsigned)(x * UINT64_C(0x0101010101010101) >> 56);
}

static const uint32_t *node_leaf(const struct geo_table *t, const struct geo_node *n, unsigned i)
{
	const uint32_t *leaves = at(t, t->leaves);
	unsigned w = i >> 6;
	uint64_t upto = n->bits[w] & (~UINT64_C(0) >> (63 - (i & 63)));

	return &leaves[n->base + n->rank[w] + ones(upto) - 1];
}

static struct geo_hit find(const struct geo_table *t, uint32_t root, struct ip a)
{
	const struct geo_node *nodes = at(t, t->nodes), *n = NULL;
	const uint32_t *slots = at(t, root);
	uint32_t v = slots[(unsigned)a.b[0] << 8 | a.b[1]];
	unsigned depth = GEO_ROOT_BITS, bits = ip_bits(a);

	if (!(v & GEO_CHILD))
		return (struct geo_hit){(uint16_t)v, (uint8_t)(v >> GEO_LEN_SHIFT)};
	while (depth < bits) {
		unsigned i = a.b[depth / 8];

		n = &nodes[v & ~GEO_CHILD];
		v = *node_leaf(t, n, i);
		if (!(v & GEO_CHILD))
			return (struct geo_hit){(uint16_t)v, (uint8_t)(depth + block_bits(n, i))};
		depth += 8;
	}
	return (struct geo_hit){(uint16_t)t->default_group, (uint8_t)bits};
}

void geo_prefetch(const struct geo_table *t, struct ip a, unsigned step)
{
	const uint32_t *slots = at(t, a.family == IP_V4 ? t->root4 : t->root6);
	const uint32_t *slot = &slots[(unsigned)a.b[0] << 8 | a.b[1]];
	const struct geo_node *nodes = at(t, t->nodes), *n;

	__asm__ volatile(""); /* gcc leaves out calls of what only prefetches: it has no effect */
	if (step == 0) {
		__builtin_prefetch(slot);
		return;
	}
	if (!(*slot & GEO_CHILD))
		return;
	n = &nodes[*slot & ~GEO_CHILD];
	if (step == 1) {
		__builtin_prefetch(n);
		__builtin_prefetch(n->rank); /* half of the nodes lie over two lines */
	} else {
		__builtin_prefetch(node_leaf(t, n, a.b[2]));
	}
}

/* What the v4 block's length becomes in the v6 address that wraps it. */
static uint8_t wrapped_len(struct ip a, uint8_t len)
{
	if (a.b[0] == 0x20 && a.b[1] == 0x02)
		return (uint8_t)(16 + len);
	if (a.b[0] == 0x20 && a.b[1] == 0x01)
		return 128;
	return (uint8_t)(96 + len);
}

void geo_lookup(const struct geo_table *t, struct ip a, struct geo_hit *ret_hit)
{
	struct ip in;

	if (a.family == IP_V4) {
		*ret_hit = find(t, t->root4, a);
		return;
	}
	in = ip_embedded_v4(a);
	if (in.family == IP_V4)
		*ret_hit = find(t, t->root4, in);
	else if (in.family == IP_V6)
		*ret_hit = find(t, t->root6, in);
	else
		*ret_hit = (struct geo_hit){(uint16_t)t->default_group, 0};
	if (in.family != a.family)
		ret_hit->len = wrapped_len(a, ret_hit->len);
}

uint8_t geo_scope(struct geo_hit hit, enum ip_family family, uint8_t source_len)
{
	uint8_t floor = family == IP_V4 ? GEO_FLOOR_V4 : GEO_FLOOR_V6;

	return SL_MAX(SL_MAX(hit.len, source_len), floor);
}

static int check_header(const struct geo_table *t, size_t n, struct errbuf *err)
{
	uint64_t end = sizeof(*t);

	if (n < sizeof(*t) || t->magic != GEO_TABLE_MAGIC)
		return err_set(err, SL_EFORMAT, "geo table: no such table, %zu octets", n);
	if (t->version != GEO_TABLE_VERSION)
		return err_set(err, SL_EVERSION, "geo table: version %u, want %d", t->version,
			GEO_TABLE_VERSION);
	if (t->n_nodes > GEO_MAX_NODES || t->n_leaves > GEO_MAX_LEAVES)
		return err_set(
			err, SL_ELIMIT, "geo table: %u nodes, %u leaves", t->n_nodes, t->n_leaves);
	if (t->n_groups == 0 || t->n_groups > UINT16_MAX || t->default_group >= t->n_groups)
		return err_set(err, SL_EFORMAT, "geo table: default group %u of %u",
			t->default_group, t->n_groups);
	if (t->root4 != end || t->root6 != (end += GEO_ROOT_SLOTS * sizeof(uint32_t)) ||
		t->nodes != (end += GEO_ROOT_SLOTS * sizeof(uint32_t)) ||
		t->leaves != (end += (uint64_t)t->n_nodes * sizeof(struct geo_node)))
		return err_set(err, SL_EFORMAT, "geo table: parts are not where they belong");
	end += (uint64_t)t->n_leaves * sizeof(uint32_t);
	/* the size is rounded up so that whatever follows is aligned */
	if (t->size != ((end + 7) & ~UINT64_C(7)) || t->size != n)
		return err_set(err, SL_EFORMAT,
			"geo table: says %llu octets, parts take %llu, has %zu",
			(unsigned long long)t->size, (unsigned long long)end, n);
	return 0;
}

static int check_value(const struct geo_table *t, uint32_t v, const char *what, struct errbuf *err)
{
	if (v & GEO_CHILD) {
		if ((v & ~GEO_CHILD) >= t->n_nodes)
			return err_set(err, SL_EFORMAT, "geo table: %s names node %u of %u", what,
				v & ~GEO_CHILD, t->n_nodes);
	} else if ((v & UINT16_MAX) >= t->n_groups) {
		return err_set(err, SL_EFORMAT, "geo table: %s names group %u of %u", what,
			v & UINT16_MAX, t->n_groups);
	}
	return 0;
}

/* Every slot of a root block says the same, so blocks cannot overlap. */
static int check_root(const struct geo_table *t, uint32_t root, struct errbuf *err)
{
	const uint32_t *slots = at(t, root);
	uint32_t span;
	int rc;

	for (uint32_t i = 0; i < GEO_ROOT_SLOTS; i += span) {
		uint32_t len = slots[i] >> GEO_LEN_SHIFT;

		span = 1;
		if ((rc = check_value(t, slots[i], "a root slot", err)) != 0)
			return rc;
		if (slots[i] & GEO_CHILD)
			continue;
		if (len > GEO_ROOT_BITS)
			return err_set(
				err, SL_EFORMAT, "geo table: root slot %u: length %u", i, len);
		span = UINT32_C(1) << (GEO_ROOT_BITS - len);
		if (i & (span - 1))
			return err_set(
				err, SL_EFORMAT, "geo table: root slot %u starts a /%u", i, len);
		for (uint32_t k = 1; k < span; k++) {
			if (slots[i + k] != slots[i])
				return err_set(err, SL_EFORMAT,
					"geo table: root slot %u differs within a /%u", i + k, len);
		}
	}
	return 0;
}

static int check_node(
	const struct geo_table *t, const struct geo_node *n, uint32_t index, struct errbuf *err)
{
	unsigned runs = 0;

	if (!(n->bits[0] & 1))
		return err_set(err, SL_EFORMAT, "geo table: node %u: slot 0 begins no run", index);
	for (unsigned w = 0; w < 4; w++) {
		if (n->rank[w] != runs)
			return err_set(err, SL_EFORMAT,
				"geo table: node %u: rank %u is %u, want %u", index, w, n->rank[w],
				runs);
		runs += (unsigned)__builtin_popcountll(n->bits[w]);
	}
	if ((uint64_t)n->base + runs > t->n_leaves)
		return err_set(err, SL_EFORMAT, "geo table: node %u: leaves %u + %u of %u", index,
			n->base, runs, t->n_leaves);
	return 0;
}

int geo_table_check(const void *p, size_t n, struct errbuf *err)
{
	const struct geo_table *t = p;
	const struct geo_node *nodes;
	const uint32_t *leaves;
	int rc;

	sl_assert((uintptr_t)p % 8 == 0);
	if ((rc = check_header(t, n, err)) != 0 || (rc = check_root(t, t->root4, err)) != 0 ||
		(rc = check_root(t, t->root6, err)) != 0)
		return rc;
	nodes = at(t, t->nodes);
	leaves = at(t, t->leaves);
	for (uint32_t i = 0; i < t->n_nodes; i++) {
		if ((rc = check_node(t, &nodes[i], i, err)) != 0)
			return rc;
	}
	for (uint32_t i = 0; i < t->n_leaves; i++) {
		if (!(leaves[i] & GEO_CHILD) && leaves[i] > UINT16_MAX)
			return err_set(err, SL_EFORMAT, "geo table: leaf %u is 0x%x", i, leaves[i]);
		if ((rc = check_value(t, leaves[i], "a leaf", err)) != 0)
			return rc;
	}
	return 0;
}
