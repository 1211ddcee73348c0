/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The score of a vendor in a group, and the words that explain it. The formula holds the three
 * rules of the brief for equal weights:
 *   1. a vendor under its guarantee outscores every vendor over its own;
 *   2. under the guarantee, more room to it, or more room in total, scores higher;
 *   3. over the guarantee, more room in total, or better quality, scores higher.
 * Pure: no clock, no I/O, no state. Bandwidth is in Mbps, as double.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/limits.h"

enum {
	SCORE_PPM = 1000000,       /* shares of a row, `none` included, sum to this */
	SCORE_NONE = SL_MAX_SLOTS, /* index of the pseudo-vendor `none` in a row of shares */
	SCORE_ROW = SL_MAX_SLOTS + 1,
	SCORE_MAX_SLICES = 256,
};

/* Why a vendor (or `none`) stands where it stands in a row: name, may serve new sessions, text.
 * Closed list; the value is what blobs and counters carry, so rows are only ever added at the end.
 */
#define SCORE_REASON_MAP(X)                                                                        \
	X(SCORE_UNDER, true, "under guarantee")                                                    \
	X(SCORE_OVER, true, "over guarantee")                                                      \
	X(SCORE_UNKNOWN, true, "load unknown")                                                     \
	X(SCORE_AT_MAX, false, "at maximum")                                                       \
	X(SCORE_AT_REGION_MAX, false, "at regional maximum")                                       \
	X(SCORE_NO_CAPACITY, false, "no capacity")                                                 \
	X(SCORE_NO_WEIGHT, false, "no weight")                                                     \
	X(SCORE_DRAINED, false, "drained")                                                         \
	X(SCORE_EVACUATED, false, "evacuated")                                                     \
	X(SCORE_BLACKLISTED, false, "blacklisted")                                                 \
	X(SCORE_RESTRICTED, false, "restricted")                                                   \
	X(SCORE_TIER_CLOSED, false, "tier closed")                                                 \
	X(SCORE_DOWN, false, "down")                                                               \
	X(SCORE_NOBODY, false, "nobody may serve")                                                 \
	X(SCORE_NO_ROOM, false, "nobody has room")

enum score_reason {
#define X(name, usable, text) name,
	SCORE_REASON_MAP(X)
#undef X
		SCORE_REASONS
};

/* Static text; "?" for a value outside the list. Any thread. */
const char *score_reason_text(uint8_t reason);

/* true where the reason leaves the vendor usable for new sessions. */
bool score_reason_usable(uint8_t reason) SL_PURE;

/* true where sessions that are seated may stay: no new ones are sent for want of room or by a
 * drain. */
bool score_reason_keeps_seated(uint8_t reason) SL_PURE;

/* Parameters of a service. */
struct score_params {
	double guarantee_gain;   /* K >= 0 */
	double guarantee_blend;  /* a in [0, 1] */
	double quality_exponent; /* d >= 0 */
	uint32_t slices;         /* N, 1..SCORE_MAX_SLICES */
	uint32_t trickle_ppm;    /* floor of a usable vendor's share, 0..SL_MAX_TRICKLE_PPM */
};

/* What ships: K 1000, a 0.5, d 8, N 32, trickle 5000 ppm; head-room stands with the vendor. */
#define SCORE_PARAMS_DEFAULT                                                                       \
	{                                                                                          \
		.guarantee_gain = 1000, .guarantee_blend = 0.5, .quality_exponent = 8,             \
		.slices = 32, .trickle_ppm = 5000                                                  \
	}
#define SCORE_HEADROOM_DEFAULT 0.02
#define SCORE_QUALITY_MIN      0.01

/* Capacity and load of a vendor, in total or in one of its regions. INFINITY as guaranteed or
 * maximum means that there is no such limit (regions only). */
struct score_figures {
	double guaranteed_mbps, max_mbps; /* G <= M */
	double load_mbps;                 /* b = max(current, forecast) */
	double headroom;                  /* h in [0, 1) */
};

/* Rooms of one vendor in one group: the smaller of the total's and the region's. */
struct score_room {
	double guaranteed_mbps; /* room_g = max(0, min(G, (1-h)M) - b) */
	double total_mbps;      /* room_t = max(0, (1-h)M - b) */
};

/* Rooms of one set of figures; never negative, never NaN for finite load. */
struct score_room score_room(const struct score_figures *f) SL_NONNULL(1) SL_PURE;

/* The smaller of the two in each part. */
struct score_room score_room_min(struct score_room a, struct score_room b) SL_PURE;

/* Sums over the vendors of a service, in order of id. */
struct score_sums {
	double guaranteed_mbps, max_mbps;
};

/*
 * The score. quality in [SCORE_QUALITY_MIN, 1], weight >= 0; a vendor that is not usable is the
 * caller's business (score 0). Returns 0 where room in total is 0.
 */
double score_of(const struct score_params *p, struct score_sums sums, struct score_room room,
	double weight, double quality) SL_NONNULL(1) SL_PURE;

/* x^d for x in [0, 1]: by squaring where d is a small integer, so that it is the same on every
 * libm; pow() otherwise. */
double score_pow(double x, double d);

/*
 * Turns n non-negative weights (NaN counts as 0) into integers that sum to total exactly, each
 * within 1 of its exact part, by largest remainder; ties go to the lower index. A zero weight gets
 * zero. All zero: everything goes to index `rest`. n <= SCORE_ROW.
 */
void score_to_ppm(const double *weight, uint32_t n, uint32_t rest, uint32_t total,
	uint32_t *ret_ppm) SL_NONNULL(1, 5);
