/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the engine share. One thread. */
#pragma once

#include "engine/engine.h"
#include "scoring/loop.h"
#include "tally/tally.h"
#include "world/dict.h"

/* What must survive kill -9, in a file mapped shared. A torn write of one number is bounded by the
 * checks on reading; everything else is made anew each tick. */
struct engine_kept {
	char magic[8];
	uint64_t size;
	uint64_t epoch, generation, ticks;
	struct loop_kept loop;
	struct {
		char name[32];
		uint64_t kbps[TALLY_DOORS][TALLY_CELLS];
	} tally[SL_MAX_WORKERS]; /* as last read, by file name */
};

_Static_assert((int)LOOP_DNS == TALLY_DOOR_DNS && (int)LOOP_HTTP == TALLY_DOOR_HTTP &&
		       (int)LOOP_DOORS == TALLY_DOORS && (int)LOOP_CELLS == TALLY_CELLS,
	"doors and cells of the tally are those of the loop");

enum { ENGINE_MAX_NOTES = 4096 }; /* of the steering doors that a tick looks at */

/* Sums over the tallies of one (service, group), as last read. */
struct engine_row {
	uint64_t sequence_kbps, sticky_kbps, fresh, refresh;
};

struct engine_tally {
	char name[32];
	const struct tally *map;
	uint64_t inode;
	uint64_t notes; /* records of its ring that have been read */
};

struct engine {
	char dir[SL_MAX_PATH], world_dir[SL_MAX_PATH], tally_dir[SL_MAX_PATH];
	struct conf *conf;
	engine_overlay_fn *overlay;
	void *overlay_ctx;
	struct dict *dict;

	struct engine_kept *kept; /* mapped shared */
	void *ledger;             /* mapped shared */
	size_t ledger_octets;
	struct engine_breakers *breakers; /* mapped shared */

	void *catalogue, *geo, *tick; /* blobs; what the next tick is made for, and the last tick */
	size_t catalogue_size, geo_size, tick_size;
	struct cat_view cat;
	struct world_file *world;          /* of the last tick */
	void *world_catalogue, *world_geo; /* where it lies, when not the above */

	struct engine_tally tally[SL_MAX_WORKERS];
	uint32_t n_tallies;

	struct engine_row *row; /* by service * SL_MAX_GROUPS + group; sparse */
	/* vendor + 1 that each slot of the rows' sticky tables means; 0: none */
	uint8_t slot_vendor[SL_MAX_SERVICES][SL_MAX_SLOTS];

	/* the control loop, and what the tick to come is made from */
	struct loop loop;
	struct loop_in in;
	struct loop_note note[ENGINE_MAX_NOTES];
	struct loop_vendor vendor[SL_MAX_VENDORS];
	struct loop_region region[SL_MAX_REGIONS];
	struct loop_service service[SL_MAX_SERVICES];
	struct loop_row *loop_row; /* of loop.max_rows, as are the loop's own */
	double door_kbps[LOOP_DOORS][LOOP_CELLS];
	uint64_t spent_kbps[LOOP_CELLS]; /* cumulative, of the same reading */
	struct learn_forecast view_forecast[LOOP_CELLS];
	struct meter view_meter[LOOP_CELLS];

	struct engine_record *record; /* engine_record.c; NULL: nothing is recorded */
	struct engine_facts *facts;   /* engine_facts.h */

	struct engine_edges *edges;
	uint32_t n_edges;
	struct engine_node *node; /* by name; what is known from outside */
	uint32_t n_nodes;
	struct engine_rule rules[ENGINE_MAX_RULES];
	uint32_t n_rules;
	uint32_t rule_kinds; /* bit per kind that is among them */
	uint32_t off;        /* ENGINE_NO_* */
	struct engine_view view;
};

/* engine_state.c: files that survive. */
int engine_state_open(struct engine *e, uint64_t now_ms, struct errbuf *err);
void engine_state_close(struct engine *e);

/* A file of this size mapped shared, NULL with text; *ret_fresh says that it was not there (or of
 * another size), and is zeroed. */
void *engine_state_map(
	const char *dir, const char *name, size_t size, bool *ret_fresh, struct errbuf *err);

/* engine_breaker.c: the breakers' file; what it holds, taken up or written after a tick. */
int engine_breaker_open(struct engine *e, struct errbuf *err);
size_t engine_breaker_octets(void);
void engine_breaker_resume(struct engine *e, uint64_t now_ms);
void engine_breaker_keep(struct engine *e);

/* engine_seats.c: who sits where, over restarts and changes of the services' vendors. */
void engine_seats_resume(struct engine *e, const struct world *w);
void engine_seats_remap(struct engine *e);

/* engine_geo.c: *ret_blob is e->geo when nothing has changed. */
int engine_geo_build(struct engine *e, const struct conf *conf, uint64_t now_ms, void **ret_blob,
	size_t *ret_size, struct errbuf *err);
uint64_t engine_geo_source(const struct conf *conf);

/* engine_tally.c: dispatches since the last tick, after the rows of the input are there. */
void engine_tally_read(struct engine *e);
void engine_tally_close(struct engine *e);

/* engine_fleet.c: the input of this tick. */
int engine_fleet_build(struct engine *e, uint64_t now_ms, struct errbuf *err);

/* engine_rules.c: what a tick carries of the operators' rules. */
bool engine_rule_holds(const struct engine_rule *r, uint64_t now_ms);
bool engine_rule_names(const char *pattern, struct str name);
bool engine_rules_static(const struct engine *e, uint32_t service, uint64_t now_ms);
uint32_t engine_rules_lower_ppm(
	const struct engine *e, uint32_t service, uint32_t group, uint64_t now_ms);
void engine_edges_put(const struct engine *e, struct blob_writer *w, uint64_t now_ms);
struct tick_node_load;
void engine_nodes_put(const struct engine *e, struct tick_node_load *load);
/* A vendor whose own nodes for a group are all down, and that has nothing else there. */
void engine_nodes_block(struct engine *e);
void engine_rules_nodes(const struct engine *e, struct tick_node_load *load, uint64_t now_ms);
int engine_rules_denied(const struct engine *e, struct blob_writer *w, uint64_t now_ms);

/* engine_blob.c: the tick blob of the allocated fleet. */
int engine_blob_build(struct engine *e, uint64_t now_ms, void **ret_blob, size_t *ret_size,
	uint32_t *ret_alarms, struct errbuf *err);

/* engine_facts.c: reports of players into the input of this tick. */
int engine_facts_open(struct engine *e, struct errbuf *err);
void engine_facts_close(struct engine *e);
void engine_facts_read(struct engine *e, uint64_t now_ms);
void engine_facts_show(struct engine *e); /* what the view says of them */

/* engine_record.c: the input of a tick before the loop, what came of it after; err is told when
 * recording ends because it cannot go on. */
struct record_meter;
void engine_record_before(struct engine *e, struct errbuf *err);
void engine_record_after(struct engine *e, struct errbuf *err);
void engine_record_meter(struct engine *e, const struct record_meter *m);
void engine_record_close(struct engine *e);
