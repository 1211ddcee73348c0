/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares of a whole fleet for one tick: scores, poured over the tick's expected demand, then held
 * under the maximum of every vendor and vendor region over all services and groups at once. Pure;
 * memory comes from the caller; the only state between ticks is struct alloc_state.
 *
 * Ids are indexes: vendor, region, service and group ids are the positions in the arrays below, and
 * sums run in order of id, so the order of the slots of a service does not matter to the result.
 */
#pragma once

#include <stddef.h>

#include "scoring/score.h"

enum {
	ALLOC_NO_REGION = 0xffff,
	ALLOC_CELLS = SL_MAX_VENDORS + SL_MAX_REGIONS,
	ALLOC_TIERS = SL_MAX_TIERS, /* priority tiers of a service */
	ALLOC_RUNGS = SL_MAX_RUNGS, /* rungs of a ladder */
};

/* What a service does with demand that nobody has room for. A service without a ladder refuses. */
enum alloc_overload {
	ALLOC_LOWER, /* part of the new sessions gets a lower rung, what still does not fit is
			refused */
	ALLOC_REFUSE,
	ALLOC_SPREAD, /* over the maxima in proportion to them, with an alarm */
};

struct alloc_vendor {
	double guaranteed_mbps, max_mbps; /* 0 <= G <= M, finite */
	double current_mbps;              /* metered, or what the ledger says; >= 0 */
	double forecast_mbps;             /* P; below 0: none, current counts */
	double headroom;                  /* [0, 0.9] */
	bool known;                       /* has a meter or a ledger: load 0 means idle */
};

/* Capacity of a vendor in one of its regions; INFINITY where it has no such figure. */
struct alloc_region {
	uint16_t vendor;
	double guaranteed_mbps, max_mbps, current_mbps, forecast_mbps;
};

struct alloc_slot {
	uint16_t vendor;
	double weight; /* >= 0, 1 neutral */
	uint32_t tier; /* 0..ALLOC_TIERS-1; the next opens as the room of those before runs out */
};

struct alloc_service {
	struct alloc_slot slot[SL_MAX_SLOTS];
	uint32_t n_slots;
	struct score_params params;
	bool by_guarantee; /* shares by guarantee and weight, as with unknown load; caps hold */
	enum alloc_overload overload;
	double ladder_kbps[ALLOC_RUNGS]; /* falling; sessions expect the first */
	uint32_t n_ladder;
};

/* One (service, group). Arrays by slot of the service. */
struct alloc_row {
	uint16_t service, group;
	double demand_mbps; /* new and moved sessions expected until the next tick, by shares */
	double sticky_mbps; /* the same behind sticky doors; charged by sticky_ppm, not by shares */
	uint32_t sticky_ppm[SCORE_ROW];
	uint32_t
		trickle_ppm; /* what gives the wanted samples a minute; UINT32_MAX: no such bound */
	double quality[SL_MAX_SLOTS];        /* [0.01, 1] */
	uint8_t block[SL_MAX_SLOTS];         /* enum score_reason that forbids, or 0 (usable) */
	uint32_t withheld_ppm[SL_MAX_SLOTS]; /* part of its share that a breaker withholds */
};

struct alloc_fleet {
	const struct alloc_vendor *vendor;
	const struct alloc_region *region;
	const struct alloc_service *service;
	const struct alloc_row *row; /* ascending by (service, group), no pair twice */
	/* region of (group, vendor): region_of[group * n_vendors + vendor]; ALLOC_NO_REGION: none.
	 * NULL where n_regions is 0. */
	const uint16_t *region_of;
	uint32_t n_vendors, n_regions, n_services, n_groups, n_rows;
};

/* Answer for one row; share[SCORE_NONE] is `none`. */
struct alloc_row_out {
	double score[SL_MAX_SLOTS];     /* the formula's value before pour and caps */
	uint32_t poured_ppm[SCORE_ROW]; /* mean score ratio over the slices */
	uint32_t share_ppm[SCORE_ROW];  /* after trickle and caps; sums to SCORE_PPM */
	uint8_t reason[SL_MAX_SLOTS];   /* enum score_reason */
	uint8_t order[SL_MAX_SLOTS];    /* usable slots by falling score, ties by vendor id */
	uint8_t n_order;
	uint16_t capped;  /* bit per slot: a cap made the share smaller than poured */
	uint8_t overload; /* what was done (enum alloc_overload) if the demand did not fit, else
			     0xff */
	uint32_t rung_ppm[ALLOC_RUNGS]; /* part of the new sessions held to each rung; sums to
					   SCORE_PPM */
	double lowered; /* load of a session by these rungs, relative to the first: 1 is not lowered
			 */
};

enum { ALLOC_FITS = 0xff };

struct alloc_vendor_out {
	double room_guaranteed_mbps, room_total_mbps; /* before this tick's demand */
	double expected_mbps; /* load + sum of share * demand * lowered + sticky demand */
	bool capped;          /* the total or a region of it binds */
};

/* What is carried from tick to tick: one factor per constraint (vendors, then regions), for the
 * warm start. Plain octets: copy it, store it, map it back. All zero is a cold start. */
struct alloc_state {
	double factor[ALLOC_CELLS];
};

struct alloc_stats {
	uint32_t rounds;    /* of the solver */
	double worst;       /* largest excess over a cap before the clip, relative to the cap */
	double none_mbps;   /* demand that nobody had room for, before the overload policy */
	double spread_mbps; /* put above the maxima by ALLOC_SPREAD: an alarm */
};

/* Octets of work memory for fleets of up to n_rows rows; it needs no initialisation and is not
 * read from one call to the next. Aligned as malloc's. */
size_t alloc_work_size(uint32_t n_rows) SL_PURE;

/*
 * Allocates. 0, or SL_EINVAL (ids out of range, rows out of order, a figure that is NaN, negative
 * or infinite where it may not be) or SL_ELIMIT (work too small); outputs are written only on
 * success, except that state is kept. Equal input (state included) gives equal octets.
 */
int alloc_run(const struct alloc_fleet *fleet, struct alloc_state *state, void *work,
	size_t work_size, struct alloc_row_out *ret_row, struct alloc_vendor_out *ret_vendor,
	struct alloc_stats *ret_stats) SL_NONNULL(1, 2, 3, 5, 6, 7);

/*
 * Fallback shares of a row: in the ratio of weight * guarantee (weight * maximum where no usable
 * vendor has a guarantee), usable slots only. For cold starts and for ticks that grew too old.
 */
void alloc_fallback(const struct alloc_fleet *fleet, const struct alloc_row *row,
	uint32_t ret_ppm[static SCORE_ROW]) SL_NONNULL_ALL;
