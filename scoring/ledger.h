/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: the load that our own dispatches should have put on each vendor (or vendor region)
 * by now. Sessions are added at their expected bitrate and age by the session length, which is
 * taken as a mixture of three exponentials (live audiences are heavy-tailed). Past values are kept
 * in a ring, so that the mean over a meter's window can be compared with the meter.
 *
 * The whole ledger is one block of position-independent memory: write its octets to keep it, check
 * them with ledger_check after reading. One thread. Times are unix milliseconds given by the
 * caller.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	LEDGER_RING = 1536,    /* samples, one per second at most: over 25 minutes */
	LEDGER_STEP_MS = 1000, /* least time between two samples */
	LEDGER_PHASES = 3,
	LEDGER_MAX_CELLS = 1024,
	LEDGER_MIN_LENGTH_S = 10, /* bounds of a learned session length */
	LEDGER_MAX_LENGTH_S = 86400,
};

struct ledger;

/* Octets of a ledger of n cells (vendors, then vendor regions: the caller numbers them). */
size_t ledger_size(uint32_t n_cells) SL_PURE;

/* Makes an empty ledger in mem (aligned as malloc's, ledger_size octets). */
struct ledger *ledger_init(void *mem, size_t size, uint32_t n_cells, uint64_t now_ms) SL_NONNULL(1);

/* A ledger read back: NULL unless size, layout and every figure are sound. Borrowed from mem. */
struct ledger *ledger_check(void *mem, size_t size) SL_NONNULL(1);

/* false until the first session was added to the cell: its load is then unknown, not zero. */
bool ledger_known(const struct ledger *l, uint32_t cell) SL_NONNULL(1) SL_PURE;

/* Ages all cells to now (a jump backwards counts as no time) and samples them. length_s: mean
 * session length, bounded as above. Call once per tick, before adding. */
void ledger_advance(struct ledger *l, uint64_t now_ms, double length_s) SL_NONNULL(1);

/* The clock was set ahead, which is no time gone by: everything keeps its age. */
void ledger_clock_ahead(struct ledger *l, uint64_t by_ms) SL_NONNULL(1);

/* Adds sessions of kbps each that begin now. Not finite or negative: nothing. */
void ledger_add(struct ledger *l, uint32_t cell, double sessions, double kbps) SL_NONNULL(1);

/* As ledger_add, but the load arrives bit by bit over about over_s seconds: an answer that
 * resolvers or players keep for a TTL. What is still to come counts in ledger_pending. */
void ledger_add_later(struct ledger *l, uint32_t cell, double sessions, double kbps, double over_s)
	SL_NONNULL(1);
double ledger_pending(const struct ledger *l, uint32_t cell) SL_NONNULL(1) SL_PURE;

/* Sets a cell's load to what was measured: for a ledger that keeps a gauge and its past, such as
 * the live bitrates that players report. */
void ledger_set(struct ledger *l, uint32_t cell, double mbps) SL_NONNULL(1);

/* L now, Mbps. */
double ledger_load(const struct ledger *l, uint32_t cell) SL_NONNULL(1) SL_PURE;

/* L's mean over [start, end], Mbps; the part of the window that the ring does not cover counts at
 * the nearest known value. ret_covered (may be NULL): the part covered, 0..1. */
double ledger_mean(const struct ledger *l, uint32_t cell, uint64_t start_ms, uint64_t end_ms,
	double *ret_covered) SL_NONNULL(1);

/* Part of a standing load that is still there after ms, 0..1. */
double ledger_survive(uint64_t ms, double length_s);

/* Load that departs within ms if nothing is added, Mbps. */
double ledger_departing(const struct ledger *l, uint32_t cell, uint64_t ms) SL_NONNULL(1);
