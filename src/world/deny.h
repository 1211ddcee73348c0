/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that vendors may not serve by operators' rules: prefixes, of which the longest that
 * holds an address decides, flattened to ranges for one search per question. Pure; any thread.
 */
#pragma once

#include "base/ip.h"
#include "world/tick.h"

enum { DENY_MAX = 4096 }; /* prefixes */

struct deny_prefix {
	struct ip ip;
	uint8_t len;
	bool allow;       /* lifts what a shorter prefix denies; of two alike the denial counts */
	uint64_t vendors; /* bit per vendor id */
};

/* Brings prefixes into the order that deny_ranges wants; what vendors they are of does not matter.
 * n <= DENY_MAX. */
void deny_sort(struct deny_prefix *prefix, uint32_t n);

/* Writes ranges of sorted prefixes in order of their first address; each holds up to the next.
 * Returns how many: 0 without prefixes, else at most 2 * n + 1. */
uint32_t deny_ranges(const struct deny_prefix *prefix, uint32_t n, struct tick_denied *ret_range)
	SL_NONNULL(3);

/* Both, one after the other. */
uint32_t deny_build(struct deny_prefix *prefix, uint32_t n, struct tick_denied *ret_range)
	SL_NONNULL(3);

/*
 * Vendors that may not serve an address (bit per id), by n ranges in order. *ret_len is the length
 * of the largest block around the address, in its own family, over which that holds. Addresses
 * that embed a v4 address are looked up as that one, as in geo_lookup.
 */
uint64_t deny_find(const struct tick_denied *range, uint32_t n, struct ip ip, uint8_t *ret_len)
	SL_NONNULL(1, 4);
