/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table that never grows: 64-bit keys to entries of one size, in buckets of 16 as a processor's
 * cache has them. A full bucket gives up its oldest entry, so memory is bounded whatever arrives.
 * Up to a quarter full, fewer than one entry in a million is given up before its time (Poisson,
 * mean 4 of 16). Keys must be well-mixed hashes with a secret seed. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum { COLLECT_WAYS = 16 };

/* What every entry begins with. */
struct collect_entry {
	uint64_t key;
	uint64_t seen_ms; /* the oldest goes first */
};

struct collect_table {
	uint8_t (*tags)[COLLECT_WAYS]; /* 0: free */
	uint8_t *entries;
	uint32_t entry_size;
	uint32_t n_buckets; /* power of two */
	uint64_t evicted;   /* entries given up since the start */
	void *own;          /* memory of its own; NULL: the caller's */
};

/* Octets of a table with room for so many entries. */
size_t collect_table_octets(uint32_t room, uint32_t entry_size);

/* A table over the caller's memory, which is zeroed or has been such a table; it must outlive it.
 */
void collect_table_over(
	struct collect_table *t, uint32_t room, uint32_t entry_size, void *mem) SL_NONNULL_ALL;

/* Takes out whatever is in no place where it could be found, and what `sound` says no to: of memory
 * that another process left at any moment. */
void collect_table_check(struct collect_table *t, bool (*sound)(void *ctx, void *entry), void *ctx)
	SL_NONNULL(1, 2);

/* At least `room` entries of entry_size octets, which begin with a struct collect_entry. Memory is
 * touched as it is used. SL_ENOMEM. */
int collect_table_init(struct collect_table *t, uint32_t room, uint32_t entry_size) SL_NONNULL_ALL;
void collect_table_done(struct collect_table *t);

/* The entry of a key, or NULL. */
void *collect_table_find(const struct collect_table *t, uint64_t key) SL_NONNULL_ALL;

/* The entry of a key, made (zeroed but for the key) if there was none. Holds until the next call.
 * What was last seen before stale_ms gives way uncounted. */
void *collect_table_get(struct collect_table *t, uint64_t key, uint64_t stale_ms) SL_NONNULL_ALL;

/* The entry after `at` (NULL: the first) in no order, or NULL. Removing the current one is fine. */
void *collect_table_next(const struct collect_table *t, const void *at) SL_NONNULL(1);
void collect_table_remove(struct collect_table *t, const void *at) SL_NONNULL_ALL;
