/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the forecast learns, each bounded and able to say why it has its value: one factor per door
 * (true load over expected), the session length, the part of the load that player reports cover,
 * the load that others put on a vendor, and a damped trend. Plain structs: copy them to keep them;
 * all zero is "nothing learned yet". Pure; Mbps, seconds.
 */
#pragma once

#include "scoring/ledger.h"
#include "scoring/meter.h"

enum { LEARN_DOORS = 4 };

#define LEARN_FACTOR_MIN 0.75
#define LEARN_FACTOR_MAX 1.35
#define LEARN_LENGTH_MIN 0.5 /* of what is configured */
#define LEARN_LENGTH_MAX 2.0
#define LEARN_RATE_MIN   0.5 /* of the expected bitrate */
#define LEARN_RATE_MAX   2.0
#define LEARN_GAIN_DOUBT 0.3 /* how wrong the load of unmetered sessions may be */

/*
 * One factor per door, by least squares over changes from one meter window to the next (what others
 * put on the vendor drops out), with a prior at 1. The sums are relative to the vendors' maxima.
 */
struct learn_doors {
	double a[LEARN_DOORS][LEARN_DOORS], b[LEARN_DOORS]; /* sums, fading */
	double factor_less_one[LEARN_DOORS];
	uint64_t windows; /* how many went in */
};

/* The factor of a door, LEARN_FACTOR_MIN..MAX. */
double learn_factor(const struct learn_doors *d, uint32_t door) SL_NONNULL(1) SL_PURE;

/* Session length: seconds that sessions lived per session that ended, over a fading hour, with 50
 * sessions of the configured length before them. */
struct learn_length {
	double lived_s, ended;
};

/* live: sessions alive over dt_s seconds (mean); ended: how many ended in them, below 0 where more
 * came to light than began. */
void learn_length_observe(struct learn_length *l, double live, double ended, double dt_s)
	SL_NONNULL(1);
/* LEARN_LENGTH_MIN..MAX times the configured length, within the bounds of the ledger. */
double learn_length_s(const struct learn_length *l, double configured_s) SL_NONNULL(1) SL_PURE;

/*
 * Bitrate of a session: what players report of those alive, over what the same mix of services and
 * rungs was dispatched at. Few reports leave it near 1.
 */
struct learn_rate {
	double kbps, sessions;           /* dispatched, fading as sessions end */
	double less_one;                 /* what was learned */
	double reported_kbps, reporting; /* of the last look: mean, and of how many */
};

/* kbps: what sessions were dispatched at in dt_s seconds, in sum. reported_kbps: of the sessions
 * alive that report, in sum. */
void learn_rate_observe(struct learn_rate *r, double kbps, double sessions, double length_s,
	double dt_s) SL_NONNULL(1);
void learn_rate_report(struct learn_rate *r, double reported_kbps, double reporting, double dt_s)
	SL_NONNULL(1);
double learn_rate_ratio(const struct learn_rate *r) SL_NONNULL(1) SL_PURE;

/* Of one cell (vendor or vendor region). */
struct learn_cell {
	double unexplained, unexplained_weight; /* U */
	double slope;                           /* of what is unexplained, Mbps per s */
	double cover_log, cover_weight;         /* log of metered over reported load */
	double ratio_log, ratio_weight;         /* log of metered over expected load */
	double last_mean[LEARN_DOORS], last_mbps, last_residual;
	uint64_t last_start_ms, last_end_ms;
	uint64_t windows;
};

/* Where a cell's figures stand: ledger cells of door d at d * stride + cell; fast (may be NULL) has
 * the reported live load at cell. */
struct learn_view {
	const struct ledger *ledger, *fast;
	uint32_t cell, stride, doors;
	double max_mbps;   /* M; INFINITY where there is none */
	double peer_ratio; /* of learn_peer_ratio; 0: unknown */
};

/* Once per meter that was taken, after meter_push. */
void learn_meter(struct learn_doors *d, struct learn_cell *c, const struct learn_view *v,
	const struct meter *m) SL_NONNULL_ALL;

/*
 * What vendors carry, metered over expected, by the median of n cells; 0 where fewer than three can
 * say. A vendor whose meter is far below this lies, or loses sessions: its meter then counts as at
 * least LEARN_PEER_PART of it, so that a lying meter does not fill it beyond its maximum. (Above is
 * load that others put on it.)
 */
#define LEARN_PEER_PART 0.98
double learn_peer_ratio(const struct learn_cell *c, uint32_t n) SL_NONNULL(1) SL_PURE;

/* All terms of a forecast, for explain. */
struct learn_forecast {
	double mbps;                        /* P */
	double door[LEARN_DOORS];           /* ledger of the door times its factor */
	double ledger, pending;             /* L, and what will arrive of earlier answers */
	double unexplained, trend;          /* U, and the trend's part */
	double meter, ledger_mean, survive; /* B, the mean of L over its window, its weight */
	double fast, fast_trust;            /* P by player reports, and its weight in P */
	double unmetered;                   /* part of P that came on top since the meter, 0..1 */
	double headroom;                    /* h that this asks for, given the configured one */
	bool known, metered, silent;
	bool suspect; /* the meter was below what its peers say, and was raised */
};

/*
 * P(t) = L + U + survive * (B - mean of L - U) + trend; with enough reports drawn towards the same
 * formula over the reported load. headroom: the configured one. Never negative, never NaN.
 */
struct learn_forecast learn_forecast_at(const struct learn_doors *d, const struct learn_cell *c,
	const struct learn_view *v, const struct meter *m, uint64_t now_ms, double length_s,
	double headroom) SL_NONNULL(1, 2, 3, 4);
