/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flat prefix table: address -> group id, and the block of addresses over which that holds.
 * This is the query-path half of geo: no allocation, no system call, no library. It knows ids only;
 * names live in the catalogue's dictionary (or in a geo file, file.h).
 *
 * Layout, host octet order (little endian, asserted), offsets from the start of the table:
 *
 *   struct geo_table                         the header below
 *   uint32_t root4[65536], root6[65536]      one slot per leading 16 bits
 *   struct geo_node nodes[n_nodes]           one per further 8 bits where a slot is not constant
 *   uint32_t leaves[n_leaves]                the runs of all nodes, each node's side by side
 *
 * A slot or leaf is GEO_CHILD | node index, or a group id; a root slot's group carries the length
 * of its block above it (GEO_LEN_SHIFT). A node's leaf holds for a run of slots, its block follows
 * from the ends of the run.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"

#define GEO_TABLE_MAGIC UINT32_C(0x4f454753) /* "SGEO" */
#define GEO_CHILD       UINT32_C(0x80000000)

enum {
	GEO_TABLE_VERSION = 1,
	GEO_ROOT_BITS = 16,
	GEO_ROOT_SLOTS = 1 << GEO_ROOT_BITS,
	GEO_LEN_SHIFT = 16,
	GEO_MAX_NODES = 1 << 22,
	GEO_MAX_LEAVES = 1 << 26,
	GEO_FLOOR_V4 = 24,
	GEO_FLOOR_V6 = 56,
};

/* What a table covers. Addresses of v6 are counted in /64 blocks. */
struct geo_stats {
	uint64_t v4_country, v4_isp;
	uint64_t v6_country, v6_isp;
	uint64_t prefixes; /* blocks that differ from a sibling, both families */
	uint32_t groups;   /* groups that own a block, the default one included */
	uint32_t zero;
};

/* 256 slots of 8 address bits. bits marks the slots that begin a run (slot 0 always does),
 * rank[w] = runs that begin before slot 64 * w, base = the first run's place in leaves. */
struct geo_node {
	uint64_t bits[4];
	uint32_t base;
	uint8_t rank[4];
};

struct geo_table {
	uint32_t magic, version;
	uint64_t size;     /* octets of the whole table */
	uint32_t n_groups; /* every group id in the table is below this */
	uint32_t default_group;
	uint32_t root4, root6, nodes, leaves; /* octet offsets */
	uint32_t n_nodes, n_leaves;
	struct geo_stats stats;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blobs are little endian");
_Static_assert(sizeof(struct geo_stats) == 48, "layout");
_Static_assert(sizeof(struct geo_node) == 40, "layout");
_Static_assert(sizeof(struct geo_table) == 96, "layout");

struct geo_hit {
	uint16_t group;
	uint8_t len; /* of the block around the address, in bits of the family asked for */
};

/*
 * Whether the n octets at p are a table that may be looked up in, n being exactly its size. p must
 * be aligned to 8. After 0 no lookup reads outside of it, returns a group id >= n_groups, or gives
 * blocks that overlap. What the octets mean is not judged: the caller's checksum does that.
 * SL_EFORMAT or SL_EVERSION with text. O(size).
 */
int geo_table_check(const void *p, size_t n, struct errbuf *err) SL_NONNULL(1) SL_WUNUSED;

/*
 * Group of an address in a checked table. v4-mapped, 6to4 and Teredo addresses are looked up as
 * the v4 address within (RFC 4291, 3056, 4380), and hit.len is still that of the v6 block: 96 or
 * 16 more, or 128 for Teredo, whose client address is inverted at the end. IP_NONE gives the
 * default group over everything. Pure; any thread.
 */
void geo_lookup(const struct geo_table *t, struct ip a, struct geo_hit *ret_hit) SL_NONNULL(1, 3);

/* Brings near what geo_lookup will read: steps 0, 1 and 2, each a little after the one before,
 * because it reads what that one brought. For who looks up many addresses together. */
void geo_prefetch(const struct geo_table *t, struct ip a, unsigned step) SL_NONNULL(1);

/*
 * Scope prefix length for an answer that was made for hit, asked with source_len bits (RFC 7871
 * section 7.2.1): never wider than the block, than what the client told, or than the floor (24 or
 * 56) at which DNS answers are sticky.
 *
 * Equal source lengths never give overlapping scopes of different length: let scope 1 contain
 * scope 2 and be shorter. Scope 2 is then longer than the source and the floor, so it is its
 * block; scope 1 is no wider than block 1, so block 1 contains block 2. But blocks partition the
 * space, so they are the same block, and so are the scopes.
 */
uint8_t geo_scope(struct geo_hit hit, enum ip_family family, uint8_t source_len) SL_PURE;
