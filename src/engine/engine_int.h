/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the engine share. One thread. (long because each file has a paragraph) */
#pragma once

#include "engine/engine.h"
#include "scoring/hold.h"
#include "scoring/loop.h"
#include "tally/tally.h"
#include "world/deny.h"
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

_Static_assert((int)DENY_MAX == (int)ENGINE_MAX_RULES, "every rule may be about a prefix");

enum { ENGINE_MAX_NOTES = 4096 }; /* of the steering doors that a tick looks at */

/* Sums over the tallies of one (service, group) with all its slots, as last read. */
struct engine_row {
	uint64_t sequence_kbps, sticky_kbps, fresh, refresh, none;
	bool read; /* it ever was */
};

/* What caches hold of one (service, group), and for how much of the net they were told to. */
struct engine_hold {
	struct hold_trail trail;
	uint8_t length;
};

struct engine_tally {
	char name[32];
	const struct tally *map;
	uint64_t inode;
	uint64_t notes; /* records of its ring that have been read */
};

/* A tick in memory that is used again for the next but one. */
struct engine_made {
	void *blob; /* malloc'd, of so many octets */
	size_t room, size;
	struct world_file *world;
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

	void *catalogue, *geo; /* blobs that the next tick is made for */
	size_t catalogue_size, geo_size;
	struct cat_view cat;
	struct blob_writer *writer;        /* of ticks; NULL before the first */
	struct engine_made made[2];        /* the last tick and the one to come, by turns */
	uint32_t turn;                     /* of the last one */
	struct world_file *world;          /* of the last tick, or NULL; made[turn]'s */
	void *world_catalogue, *world_geo; /* where it lies, when not the above */

	struct engine_tally tally[SL_MAX_WORKERS];
	uint32_t n_tallies;
	void *tally_folder; /* DIR of tally_dir, kept open; NULL: not there yet */

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

	struct engine_hold *hold; /* by service * SL_MAX_GROUPS + group; sparse */

	struct engine_record *record; /* engine_record.c; NULL: nothing is recorded */
	struct engine_facts *facts;   /* engine_facts.h */

	struct engine_ingests *ingests; /* engine_ingest.c */
	struct engine_ingest *ingest_down;
	uint32_t n_ingests_down;
	struct hot *hot; /* streams by vendor with own nodes; engine_hot.c */
	struct engine_edges *edges;
	uint32_t n_edges;
	struct engine_edges_seen *edges_seen; /* engine_edges.c; NULL before the first */
	struct engine_node *node;             /* by name; what is known from outside */
	uint32_t n_nodes;
	struct engine_rule rules[ENGINE_MAX_RULES];
	uint32_t n_rules;
	uint32_t rule_kinds; /* bit per kind that is among them */
	/* those about addresses, in order of deny.h, with their rules; then what a tick makes of
	 * them */
	struct deny_prefix prefix[DENY_MAX], held[DENY_MAX];
	uint32_t prefix_rule[DENY_MAX], n_prefixes;
	struct tick_denied denied[2 * DENY_MAX + 1];
	uint32_t off; /* ENGINE_NO_* */
	struct engine_view view;
};

/* engine_state.c: files that survive. */
int engine_state_open(struct engine *e, uint64_t now_ms, struct errbuf *err);
void engine_state_close(struct engine *e);

/* A file of this size that begins with `magic` mapped shared, NULL with text; zeroed after it where
 * it was not there, of another size, or held another. */
void *engine_state_begin(const char *dir, const char *name, size_t size, const char magic[static 8],
	struct errbuf *err);

/* engine_breaker.c: the breakers' file; what it holds, taken up or written after a tick. */
int engine_breaker_open(struct engine *e, struct errbuf *err);
size_t engine_breaker_octets(void);
void engine_breaker_resume(struct engine *e, uint64_t now_ms);
void engine_breaker_keep(struct engine *e);

/* engine_seats.c: who sits where, over restarts and changes of the services' vendors. */
void engine_seats_resume(struct engine *e, const struct world *w);
void engine_seats_remap(struct engine *e);

/* engine_geo.c: *ret_blob is e->geo when nothing has changed, and at the start where nothing better
 * can be made; err says why then, with 0 returned. */
int engine_geo_build(struct engine *e, const struct conf *conf, uint64_t now_ms, void **ret_blob,
	size_t *ret_size, struct errbuf *err);

/* engine_tally.c: dispatches since the last tick, after the rows of the input are there. */
void engine_tally_read(struct engine *e);
void engine_tally_close(struct engine *e);

/* engine_fleet.c: the input of this tick, and room for its rows. */
int engine_fleet_build(struct engine *e, uint64_t now_ms, struct errbuf *err);
void engine_fleet_free(struct engine *e);

/* engine_rules.c: what a tick carries of the operators' rules. */
void engine_rules_sort(struct engine *e); /* those about addresses, when they have changed */
bool engine_rule_holds(const struct engine_rule *r, uint64_t now_ms);
bool engine_rule_names(const char *pattern, struct str name);
bool engine_rules_static(const struct engine *e, uint32_t service, uint64_t now_ms);
uint32_t engine_rules_lower_ppm(
	const struct engine *e, uint32_t service, uint32_t group, uint64_t now_ms);
void engine_edges_put(struct engine *e, struct blob_writer *w, uint64_t now_ms);
void engine_edges_free(struct engine *e);
struct tick_node_load;
struct tick_row;
void engine_nodes_put(const struct engine *e, struct tick_node_load *load);
/* A vendor whose own nodes for a group are all down, and that has nothing else there. */
void engine_nodes_block(struct engine *e);
void engine_rules_nodes(const struct engine *e, struct tick_node_load *load, uint64_t now_ms);
void engine_rules_denied(struct engine *e, struct blob_writer *w, uint64_t now_ms);

/* engine_hold.c: what caches may hold of a row's answers. */
void engine_hold_put(struct engine *e, uint32_t row, struct tick_row *to);

/* engine_blob.c: the tick blob of the allocated fleet. Takes memory only where there is more of
 * something than in any tick before. */
int engine_blob_build(struct engine *e, uint64_t now_ms, struct engine_made *to,
	uint32_t *ret_alarms, struct errbuf *err);

/* engine_facts.c: reports of players into the input of this tick. */
int engine_facts_open(struct engine *e, struct errbuf *err);
void engine_facts_close(struct engine *e);
void engine_facts_read(struct engine *e, uint64_t now_ms);
/* The facts of the last tick once more, with the newest window as if it were news. */
void engine_facts_again(struct engine *e);
void engine_facts_show(struct engine *e);                           /* what the view says of them */
const struct facts_view *engine_facts_view(const struct engine *e); /* NULL: none that is fresh */
uint16_t engine_facts_carrier(
	const struct engine *e, uint32_t group); /* a group that stands for it */

/* engine_hot.c: which streams a vendor's own nodes should share, in the tick. */
int engine_hot_open(struct engine *e, struct errbuf *err);
void engine_hot_put(struct engine *e, struct blob_writer *w);

/* engine_ingest.c: what pushers report, remembered, and what is down, put into the tick; resume
 * takes up what an earlier process remembered. SL_ENOMEM. */
int engine_ingest_open(struct engine *e, struct errbuf *err);
int engine_ingest_resume(struct engine *e, uint64_t now_ms);
void engine_ingest_clock_ahead(struct engine *e, uint64_t by_ms);
void engine_ingest_close(struct engine *e);
int engine_ingest_put(struct engine *e, struct blob_writer *w, uint64_t now_ms);

/* engine_record.c: the input of a tick before the loop, what came of it after; err is told when
 * recording ends because it cannot go on. */
struct record_meter;
void engine_record_before(struct engine *e, struct errbuf *err);
void engine_record_after(struct engine *e, struct errbuf *err);
void engine_record_meter(struct engine *e, const struct record_meter *m);
void engine_record_anew(struct engine *e); /* the state has changed between two ticks */
void engine_record_close(struct engine *e);
