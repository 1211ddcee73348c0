/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One tick of the control loop: what was counted, metered and reported since the last one goes in;
 * forecasts, breakers, shares, sticky tables and budgets come out. The daemon's engine, the
 * simulator and the replay of a record all drive this and nothing else, so they run one policy.
 *
 * Pure: time and every figure are arguments, memory is the caller's, nothing is allocated. One
 * thread. A cell is a vendor's id, or SL_MAX_VENDORS + a region's id: cells do not move when
 * vendors are added.
 */
#pragma once

#include "scoring/allocate.h"
#include "scoring/breaker.h"
#include "scoring/learn.h"
#include "scoring/sticky.h"

enum loop_door { LOOP_DNS, LOOP_HTTP, LOOP_DOORS };

enum {
	LOOP_CELLS = SL_MAX_VENDORS + SL_MAX_REGIONS,
	LOOP_LEDGER_CELLS = LOOP_DOORS * LOOP_CELLS, /* one door after the other */
	LOOP_LEVELS = 2,
	LOOP_MAX_EVENTS = 256, /* of breakers, told of one tick */
};

/* --- what a tick is made from ---------------------------------------------------------------- */

struct loop_vendor {
	double guaranteed_mbps, max_mbps; /* of now */
	double headroom, session_s;       /* as configured */
};

struct loop_region {
	uint16_t vendor;
	double guaranteed_mbps, max_mbps; /* INFINITY: no such figure */
};

struct loop_service {
	struct alloc_service alloc;
	double bitrate_kbps, session_s; /* expected of a session */
	double ttl_s;
	bool active; /* false: has no rows */
};

/* One (service, group): what its doors counted since the last tick. */
struct loop_row {
	uint16_t service, group;
	uint8_t block[SL_MAX_SLOTS]; /* enum score_reason that forbids, or 0 */
	/* demand, at the full bitrate; what was refused is demand too */
	double sequence_kbps, sticky_kbps;
	double fresh, refresh; /* answers of sticky doors: to new clients, to those who ask again */
};

/* What players report of a vendor in a group. */
struct loop_fact {
	uint16_t group, vendor;
	struct quality_facts minute; /* the sliding one */
	struct quality_facts window; /* the 5 s that end now; zero where they are no news */
	double sessions, mbps;       /* alive, and the sum of their bitrates */
};

/* What a player told the steering door of a vendor in a group. */
struct loop_note {
	uint16_t group, vendor;
	bool left;   /* it left the vendor by itself */
	double kbps; /* else: what it had from it */
};

struct loop_in {
	uint64_t now_ms;
	uint32_t tick_ms;
	uint32_t n_vendors, n_regions, n_services, n_groups, n_rows, n_facts;
	const struct loop_vendor *vendor;
	const struct loop_region *region;
	const struct loop_service *service;
	const struct loop_row
		*row; /* ascending by (service, group); all groups of active services */
	/* region of [group * n_vendors + vendor] or ALLOC_NO_REGION; NULL where n_regions is 0 */
	const uint16_t *region_of;
	/* by level, of a group: the first group that lies in its province, with its carrier; of a
	 * first group it is that group itself */
	const uint16_t *level[LOOP_LEVELS];
	/* dispatched since the last tick, by door and cell, at the bitrate that was asked for */
	double (*door_kbps)[LOOP_CELLS];
	const struct loop_fact *fact; /* no pair twice */
	double sampled;               /* part of the reports that were kept, (0, 1] */
	bool news;                    /* the facts are newer than those of the last tick */
	bool no_quality, no_breakers; /* switched off: every vendor is as good, none is barred */
	bool no_forecast;             /* switched off: what is metered counts as it was metered */
	const struct loop_note *note; /* since the last tick */
	uint32_t n_notes;
};

/* --- state ----------------------------------------------------------------------------------- */

/* What must survive a restart. Plain octets; all zero is a fresh one. */
struct loop_kept {
	struct meter meter[LOOP_CELLS];
	struct learn_doors doors;
	struct learn_cell learn[LOOP_CELLS];
	struct learn_length length;
	struct learn_rate rate;
	struct alloc_state alloc;
};

/* Demand and stickiness of one (service, group), smoothed over ticks. */
struct loop_seat {
	double sequence_mbps, sticky_mbps; /* at the full expected bitrate, to come in one tick */
	double fresh_rate, refresh_rate;   /* answers of sticky doors, per tick */
	double lowered;         /* mean bitrate of new sessions over the full one; 0: 1 */
	double mean[SCORE_ROW]; /* of the shares, which the table follows */
	struct sticky_row sticky;
};

/* What players say of a vendor in a group. */
struct loop_cell {
	struct quality_counts counts; /* of the minute */
	struct quality_estimate estimate;
	struct quality_facts window;
	struct quality_steer steer;
	double audience_mbps;
	struct breaker breaker;
};

/* What they say of it in all groups of a province, or of a carrier. */
struct loop_coarse {
	struct quality_counts counts;
	struct quality_estimate estimate;
};

struct loop_event {
	struct breaker_event event;
	uint16_t vendor, group;
};

/*
 * Zeroed by the caller, who sets the first block before the first tick. Large arrays are sparse:
 * only groups, services and vendors that there are are touched.
 */
struct loop {
	struct loop_kept *kept;
	struct ledger *ledger, *live; /* of LOOP_LEDGER_CELLS; of LOOP_CELLS: reported bitrates */
	struct loop_seat *seat;       /* by service * SL_MAX_GROUPS + group */
	struct loop_cell (*cell)[SL_MAX_VENDORS];                  /* by group */
	struct loop_coarse (*coarse[LOOP_LEVELS])[SL_MAX_VENDORS]; /* by first group of a level */
	struct alloc_row *row;
	struct alloc_row_out *row_out;
	void *work; /* of alloc_work_size(max_rows) */
	uint32_t max_rows;

	/* of the last tick */
	struct alloc_vendor vendor[SL_MAX_VENDORS];
	struct alloc_region region[SL_MAX_REGIONS];
	struct alloc_service service[SL_MAX_SERVICES];
	struct alloc_vendor_out vendor_out[SL_MAX_VENDORS];
	struct alloc_fleet fleet;
	struct alloc_stats stats;
	struct learn_forecast forecast[LOOP_CELLS];
	struct quality_counts vendor_counts[SL_MAX_VENDORS];
	uint32_t first_row[SL_MAX_SERVICES]; /* UINT32_MAX: not active */
	double budget_kbps[LOOP_CELLS]; /* what may be dispatched until the next tick; INFINITY */
	struct loop_event event[LOOP_MAX_EVENTS];
	uint32_t n_events;
	uint64_t told[SL_MAX_GROUPS]; /* by group, bit per vendor: a fact of the tick is of it */
	double pulls[SL_MAX_GROUPS];  /* reported of the last minute, of all vendors */
	double room_mbps[SL_MAX_VENDORS]; /* as far as reports cover the load: for guards */
	bool suspect[SL_MAX_GROUPS]; /* a window of the tick is bad, or a breaker is not at rest */
	double alive, heard_s;       /* sessions, as last reported; for how long there were any */
	uint64_t heard_ms;           /* when that was */
	double configured_s, length_s; /* mean over the services, and what was learned of it */
};

/* Offers a meter of a cell between two ticks. max_mbps: INFINITY where there is none. */
enum meter_verdict loop_push_meter(struct loop *l, uint32_t cell, uint32_t n_vendors, double mbps,
	uint64_t start_ms, uint64_t end_ms, uint64_t now_ms, double max_mbps) SL_NONNULL(1);

/*
 * One tick. 0, or what alloc_run refused its input with (SL_EINVAL), or SL_ELIMIT for more rows
 * than max_rows. Equal state and input give equal octets.
 */
int loop_tick(struct loop *l, const struct loop_in *in) SL_NONNULL_ALL;

/* The clock was set ahead between two ticks, which is no time gone by: what is known of vendors
 * keeps its age. (Steps back are noticed by the parts themselves.) */
void loop_clock_ahead(struct loop *l, uint64_t by_ms) SL_NONNULL(1);

/* Whether every vendor of a row of the last tick is barred: its table was left alone. */
bool loop_row_barred(const struct loop *l, uint32_t row) SL_NONNULL(1) SL_PURE;

/* True over counted load of what a door dispatches: its factor, and what reports say of bitrates.
 */
double loop_factor(const struct loop *l, enum loop_door door) SL_NONNULL(1) SL_PURE;

/* Load that a vendor has by its last meter: the part of it that has not left since. A figure of
 * two minutes ago as it stands would keep a vendor shut while it empties, and then flood it. */
double loop_current(const struct learn_forecast *f) SL_NONNULL(1) SL_PURE;
