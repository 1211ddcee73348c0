/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the engine share. One thread. */
#pragma once

#include "engine/engine.h"
#include "scoring/sticky.h"
#include "tally/tally.h"
#include "world/dict.h"

/* Cells of meters, ledger and forecasts do not move when vendors are added: vendor id, then
 * SL_MAX_VENDORS + region id. */
enum { ENGINE_CELLS = SL_MAX_VENDORS + SL_MAX_REGIONS };

/* The ledger has the cells of each door, one door after the other. */
enum { ENGINE_LEDGER_CELLS = TALLY_DOORS * ENGINE_CELLS };

/* What must survive kill -9, in a file mapped shared. A torn write of one number is bounded by the
 * checks on reading; everything else is made anew each tick. */
struct engine_kept {
	char magic[8];
	uint64_t size;
	uint64_t epoch, generation, ticks;
	struct meter meter[ENGINE_CELLS];
	struct learn_doors doors;
	struct learn_cell learn[ENGINE_CELLS];
	struct alloc_state alloc;
	struct {
		char name[32];
		uint64_t kbps[TALLY_DOORS][TALLY_CELLS];
	} tally[SL_MAX_WORKERS]; /* as last read, by file name */
};

/* Demand and stickiness of one (service, group), smoothed over ticks. */
struct engine_row {
	uint64_t seq_kbps, sticky_kbps, fresh, refresh; /* sums over the tallies, as last read */
	double seq_mbps, sticky_mbps;                   /* expected to be dispatched in one tick */
	double fresh_rate, refresh_rate;                /* answers by sticky doors, per tick */
	struct sticky_row sticky;
};

struct engine_tally {
	char name[32];
	const struct tally *map;
	uint64_t inode;
};

struct engine {
	char dir[SL_MAX_PATH], world_dir[SL_MAX_PATH], tally_dir[SL_MAX_PATH];
	struct conf *conf;
	struct dict *dict;

	struct engine_kept *kept; /* mapped shared */
	struct ledger *ledger;    /* mapped shared */
	size_t ledger_octets;

	void *catalogue, *geo, *tick; /* blobs; what the next tick is made for, and the last tick */
	size_t catalogue_size, geo_size, tick_size;
	struct cat_view cat;
	struct world_file *world;          /* of the last tick */
	void *world_catalogue, *world_geo; /* where it lies, when not the above */

	struct engine_tally tally[SL_MAX_WORKERS];
	uint32_t n_tallies;

	struct engine_row *row; /* by service * SL_MAX_GROUPS + group; sparse */
	uint32_t first_row[SL_MAX_SERVICES];
	/* vendor + 1 that each slot of the rows' sticky tables means; 0: none */
	uint8_t slot_vendor[SL_MAX_SERVICES][SL_MAX_SLOTS];

	/* fleet of the last tick, and what came of it */
	struct alloc_vendor vendor[SL_MAX_VENDORS];
	struct alloc_region region[SL_MAX_REGIONS];
	struct alloc_service service[SL_MAX_SERVICES];
	struct alloc_row *alloc_row;
	struct alloc_row_out *row_out;
	struct alloc_vendor_out vendor_out[SL_MAX_VENDORS];
	struct alloc_fleet fleet;
	struct alloc_stats stats;
	struct learn_forecast forecast[ENGINE_CELLS]; /* by cell of the kept numbering */
	struct learn_forecast view_forecast[ENGINE_CELLS];
	struct meter view_meter[ENGINE_CELLS];
	void *work;
	uint32_t room_rows; /* rows that the arrays above are sized for */

	struct engine_facts *facts; /* engine_facts.h */

	struct engine_rule rules[ENGINE_MAX_RULES];
	uint32_t n_rules;
	struct engine_view view;
};

/* engine_state.c: files that survive. */
int engine_state_open(struct engine *e, uint64_t now_ms, struct errbuf *err);
void engine_state_close(struct engine *e);

/* engine_seats.c: who sits where, over restarts and changes of the services' vendors. */
void engine_seats_resume(struct engine *e, const struct world *w);
void engine_seats_remap(struct engine *e);

/* engine_geo.c: *ret_blob is e->geo when nothing has changed. */
int engine_geo_build(struct engine *e, const struct conf *conf, uint64_t now_ms, void **ret_blob,
	size_t *ret_size, struct errbuf *err);
uint64_t engine_geo_source(const struct conf *conf);

/* engine_tally.c: dispatches since the last tick into the ledger and the rows. */
void engine_tally_read(struct engine *e);
void engine_tally_close(struct engine *e);

/* engine_fleet.c: fleet of this tick. */
int engine_fleet_build(struct engine *e, uint64_t now_ms, struct errbuf *err);

/* What the forecast of a cell of the kept numbering looks at. */
struct learn_view engine_learn_view(const struct engine *e, uint32_t cell, double max_mbps);

/* engine_blob.c: the tick blob of the allocated fleet. */
int engine_blob_build(struct engine *e, uint64_t now_ms, void **ret_blob, size_t *ret_size,
	uint32_t *ret_alarms, struct errbuf *err);

/* engine_facts.c, engine_breaker.c: reports of players into the rows of this tick, behind the
 * rules. */
int engine_facts_open(struct engine *e, uint64_t now_ms, struct errbuf *err);
void engine_facts_close(struct engine *e);
void engine_facts_read(struct engine *e, uint64_t now_ms); /* before the forecast */
void engine_facts_apply(struct engine *e, uint64_t now_ms);
const struct ledger *engine_facts_live(const struct engine *e);
void engine_breaker_put(const struct engine *e, struct tick_breaker *to);
