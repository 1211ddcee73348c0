/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upward: what a worker has done, in a file that it maps shared and that control maps read-only.
 * Monotonic numbers, one writer each, relaxed: a reader sees every number whole, if not all of the
 * same instant. The file outlives both sides, so nothing is counted twice or lost over a restart.
 * Dimensions are those of limits.h whatever the catalogue; the file is sparse and only rows in use
 * take pages.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/limits.h"

enum tally_id {
#define COUNTER(id, name, labels, help) TALLY_##id,
#include "tally/counters.def"
#undef COUNTER
	TALLY_COUNTERS
};

enum {
	TALLY_LAYOUT = 2,
	TALLY_REASONS = 16, /* room for enum answer_reason */
	TALLY_MAX_COUNTERS = 128,
	TALLY_CELLS = SL_MAX_VENDORS + SL_MAX_REGIONS,
	TALLY_LATENCY_BUCKETS = 24, /* 2^i microseconds */
};

/* Doors whose sessions the forecast learns about apart: what one answer of them brings differs. */
enum tally_door { TALLY_DOOR_DNS, TALLY_DOOR_HTTP, TALLY_DOORS };

typedef _Atomic uint64_t tally_number;

/* One slot of a row: answers by kind, and what new and moved sessions are expected to pull. */
struct tally_slot {
	tally_number fresh, refresh, moved, kbps;
	tally_number sticky_kbps; /* the part of kbps that came through sticky doors */
};

/* One (service, group). */
struct tally_row {
	struct tally_slot slot[SL_MAX_SLOTS];
	tally_number none;    /* refused */
	tally_number lowered; /* new sessions on a lower rung */
	tally_number unused[2];
};

struct tally {
	char magic[8];
	uint32_t layout, size_check; /* sizeof(struct tally), low 32 bits */
	uint64_t pid;                /* of the writer, for messages */
	uint64_t unused[5];
	tally_number counters[TALLY_MAX_COUNTERS];
	tally_number reasons[TALLY_REASONS];
	tally_number latency[TALLY_LATENCY_BUCKETS]; /* of HTTP handlers */
	tally_number spent_kbps[TALLY_CELLS];        /* vendors, then SL_MAX_VENDORS + region */
	tally_number door_kbps[TALLY_DOORS][TALLY_CELLS]; /* the same by door */
	struct tally_row row[SL_MAX_SERVICES][SL_MAX_GROUPS];
};

/* Opens DIR/NAME.tally for its one writer, made anew if absent or of another layout. The file lock
 * that it holds keeps a second writer out (SL_EBUSY). Caller closes. */
int tally_open(const char *dir, const char *name, struct tally **ret_tally, struct errbuf *err)
	SL_NONNULL(1, 2, 3) SL_WUNUSED;

/* Maps a tally read-only; SL_EFORMAT when it is none. Caller closes with tally_close. */
int tally_map(const char *path, const struct tally **ret_tally, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;

void tally_close(const struct tally *t);

/* Writer only: one thread per tally. */
static inline void tally_add(tally_number *n, uint64_t by)
{
	atomic_store_explicit(
		n, atomic_load_explicit(n, memory_order_relaxed) + by, memory_order_relaxed);
}

static inline void tally_count(struct tally *t, enum tally_id id)
{
	tally_add(&t->counters[id], 1);
}

static inline uint64_t tally_get(const tally_number *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

/* Sums spent_kbps over the tallies of all workers of this process, its own included. Once a batch.
 */
void tally_sum_spent(struct tally *const *tallies, uint32_t n, uint32_t n_vendors,
	uint32_t n_regions, uint64_t ret_kbps[static TALLY_CELLS]) SL_NONNULL_ALL;
