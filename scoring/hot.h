/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hottest streams, by a sketch of fixed size: a count-min sketch estimates how often each key
 * was seen, a small table keeps the keys that lead (Cormode and Muthukrishnan, An improved data
 * stream summary, Journal of Algorithms 55, 2005). Used to spread a hot stream over more nodes.
 * Counts never fall below the truth and fade with time. Plain struct; all zero is empty. One
 * thread.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"

enum { HOT_ROWS = 4, HOT_COLUMNS = 2048, HOT_KEYS = 128 };

struct hot_entry {
	uint64_t key; /* hash of the stream's name, never 0 */
	double weight;
};

struct hot {
	double cell[HOT_ROWS][HOT_COLUMNS];
	struct hot_entry top[HOT_KEYS];
	uint32_t n;
	uint32_t unused;
	double total;
};

/* Counts weight (sessions, Mbps: one unit per sketch) for a key. Key 0, and weights that are not
 * positive and finite, do not count. */
void hot_add(struct hot *h, uint64_t key, double weight) SL_NONNULL(1);

/* Multiplies all counts by keep in [0, 1]; once per tick. Keys that have faded away are dropped. */
void hot_fade(struct hot *h, double keep) SL_NONNULL(1);

/* Estimate for a key, at least the truth. */
double hot_weight(const struct hot *h, uint64_t key) SL_NONNULL(1) SL_PURE;

/* The hottest keys, falling, ties by key; returns how many (at most max and HOT_KEYS). */
uint32_t hot_top(const struct hot *h, struct hot_entry *ret, uint32_t max) SL_NONNULL(1, 2);

/* Over how many nodes a stream of so many Mbps goes, where one node should not carry more of it
 * than node_mbps: 1..most. */
uint32_t hot_spread(double mbps, double node_mbps, uint32_t most);
