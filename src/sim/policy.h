/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: what is tried on the simulated world. `sluice` drives scoring/ as the daemon's engine
 * does; the others are what it is compared with. A policy sees meters, tallies and reports, never
 * what is hidden. One service; a slot is a vendor.
 */
#pragma once

#include "scoring/loop.h"
#include "sim/plant.h"
#include "sim/policy_ratio.h"

/* What a tick hands to the doors. */
struct policy_row {
	uint32_t share[SCORE_ROW]; /* ppm */
	struct sticky_row sticky;
	uint16_t usable, seated;     /* bit per vendor */
	uint8_t order[SL_MAX_SLOTS]; /* usable vendors, best first */
	uint32_t n_order;
	uint32_t rung_ppm[ALLOC_RUNGS]; /* new sessions held to each rung */
	double lowered;                 /* bitrate of new sessions over what they want */
};

struct policy_decision {
	struct policy_row row[SIM_MAX_GROUPS];
	double ceiling[LOOP_CELLS]; /* on the tally below, kbps; INFINITY: none */
};

/* What the doors have counted, cumulative. */
struct policy_tally {
	double spent_kbps[LOOP_CELLS]; /* at the bitrate that was asked for */
	double door_kbps[LOOP_DOORS][LOOP_CELLS];
	struct {
		double sequence_kbps, sticky_kbps; /* at the full one; refused ones count */
		double fresh, refresh;
	} group[SIM_MAX_GROUPS];
};

/* What became of the sessions of one second; for the figures only. */
struct policy_trace {
	double dispatched[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	double moved, moved_with_cause, refused, asked;
};

struct policy;

#define POLICY_MAP(X)                                                                              \
	X(POLICY_SLUICE, "sluice", "the scheduler itself")                                         \
	X(POLICY_OPTIMUM, "optimum", "knows everything, re-seats anybody, every 10 s")             \
	X(POLICY_FIXED, "fixed", "weights by guarantee (maximum without any), never changed")      \
	X(POLICY_CURRENT, "current", "the same scores on the last meter: no forecast, no budget")  \
	X(POLICY_LEAST, "least", "everybody to the vendor with the least metered load over M")

enum policy_kind {
#define X(id, name, doc) id,
	POLICY_MAP(X)
#undef X
		POLICY_KINDS
};

/* POLICY_KINDS for a name that is none. */
enum policy_kind policy_find(const char *name);
const char *policy_name(enum policy_kind kind);

/* NULL when out of memory. The plant is borrowed. Caller frees. */
struct policy *policy_new(enum policy_kind kind, const struct plant *p) SL_NONNULL_ALL SL_WUNUSED;
void policy_free(struct policy *p);

/* One tick, before the second's sessions are seated. */
void policy_tick(struct policy *p) SL_NONNULL_ALL;

/* The scheduler died and came back with what it keeps. */
void policy_restart(struct policy *p) SL_NONNULL_ALL;

/* The doors of one second: seats who asks, by the decision of the last tick; as a fluid, or where
 * the audience is single sessions each by answer/. */
void policy_doors(
	struct policy *p, struct plant *world, struct policy_trace *ret_trace) SL_NONNULL_ALL;

const struct policy_decision *policy_decision(const struct policy *p) SL_NONNULL_ALL;

/* How the sessions were given the shares; NULL where the audience is a fluid. */
const struct policy_ratio *policy_ratio(const struct policy *p) SL_NONNULL_ALL;

/* Terms of the forecast of a vendor, for --trace; false where the policy has none. */
bool policy_forecast(const struct policy *p, uint32_t vendor, double *ret_mbps) SL_NONNULL_ALL;
