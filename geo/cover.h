/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one source says about a whole address space: ascending ranges without gaps or overlaps, each
 * with a 64-bit value, 0 where it says nothing. Sources are fused by one sweep over all of them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"

/* An address as a number; a v4 address is below 2^32. */
typedef unsigned __int128 geo_addr;

enum {
	GEO_MAX_RANGES = 8 << 20, /* of one source and family: 256 MB */
	GEO_MAX_SOURCES = 17,     /* databases and the overrides */
};

/* Holds from start up to the next range's start, or to the end of the space. */
struct geo_range {
	geo_addr start;
	uint64_t val;
};

struct geo_cover {
	struct geo_range *r; /* owned; r[0].start is 0 */
	size_t n, cap;
	uint8_t bits; /* 32 or 128 */
};

/* A cover that says 0 everywhere. SL_ENOMEM. geo_cover_done frees; fine on a zeroed struct. */
int geo_cover_init(struct geo_cover *c, uint8_t bits) SL_NONNULL(1) SL_WUNUSED;
void geo_cover_done(struct geo_cover *c) SL_NONNULL(1);

/* Says val from first to last (inclusive), which lies past all that was said before. SL_ENOMEM,
 * SL_ELIMIT. */
int geo_cover_put(struct geo_cover *c, geo_addr first, geo_addr last, uint64_t val)
	SL_NONNULL(1) SL_WUNUSED;

/* One value from those of all sources at some place. */
typedef uint64_t geo_combine_fn(void *ctx, const uint64_t *vals, size_t n);

/* Calls combine for every stretch over which no source changes and collects what it says in out,
 * an initialised cover of the same width. 1 to GEO_MAX_SOURCES sources. */
int geo_cover_fuse(const struct geo_cover *const *in, size_t n, geo_combine_fn *combine, void *ctx,
	struct geo_cover *out) SL_NONNULL(1, 3, 5) SL_WUNUSED;

/* The last address of range i. */
geo_addr geo_cover_last(const struct geo_cover *c, size_t i) SL_NONNULL(1);

/* The value at an address. For tests and statistics; O(log n). */
uint64_t geo_cover_at(const struct geo_cover *c, geo_addr a) SL_NONNULL(1);

geo_addr geo_addr_from(struct ip a);

/* The last address of the block of len leading bits that begins at a. */
geo_addr geo_addr_last(geo_addr a, uint8_t len, uint8_t bits);
