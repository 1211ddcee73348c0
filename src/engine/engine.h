/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tick: configuration, operator rules, meters and tallies in; catalogue, geo and tick blobs
 * out. Runs in the control process, one thread owns it. Knows nothing of HTTP, commands or SQLite.
 *
 * The old world stays until the new one has passed every check: a configuration, a geo database or
 * a tick that is refused changes nothing.
 */
#pragma once

#include "conf/conf.h"
#include "scoring/loop.h"
#include "world/world.h"

struct engine;

/* What operators ask for, on top of the configuration. Names, because ids come and go. */
enum engine_rule_kind {
	RULE_WEIGHT,    /* value: the vendor's weight instead of the configured one */
	RULE_DRAIN,     /* no new sessions; seated ones stay */
	RULE_EVACUATE,  /* seated ones move too */
	RULE_BLACKLIST, /* as evacuate, said of a fault */
	RULE_RESTRICT,  /* the vendor may not serve these groups */
	RULE_CAP,       /* value: Mbps, a lower maximum */
	RULE_NODE,      /* vendor: an own node instead, which is out of service */
	RULE_DENY,      /* groups: a prefix instead, whose addresses the vendor may not serve */
	RULE_ALLOW,     /* groups: a prefix instead, lifted out of what a shorter one denies */
	RULE_STATIC,    /* shares of the service by guarantee and weight, whatever the load */
	RULE_LOWER,     /* value: percent of new sessions that take a lower definition */
	RULE_KINDS
};

enum {
	ENGINE_MAX_RULES = 4096,
	ENGINE_FACTS_OLD_MS = 30000, /* facts that are older say nothing of quality */
};

struct engine_rule {
	enum engine_rule_kind kind;
	char vendor[SL_MAX_NAME + 1];  /* glob */
	char service[SL_MAX_NAME + 1]; /* glob; empty: all */
	char groups[SL_MAX_NAME + 1];  /* group pattern of base/glob.h; empty: all */
	double value;
	uint64_t until_ms; /* unix; 0: until it is taken away */
};

struct facts_view;
struct conf_catalog;
struct engine_node;

/* What operators changed of the catalogue itself: may point members of the copy elsewhere, to what
 * stays until it is called again. Both lie within the limits of a checked configuration. */
typedef void engine_overlay_fn(void *ctx, const struct conf *conf, struct conf_catalog *copy);

/* What the last tick was made from and gave; for status and explain. Borrowed, until the next call
 * of engine_load or engine_tick. Cells are vendors, then n_vendors + region. */
struct engine_view {
	const struct conf *conf;
	uint64_t conf_loads; /* how many there were with this one: an address may come again */
	const struct world *world; /* NULL before the first tick */
	const struct alloc_fleet *fleet;
	const struct alloc_row_out *rows; /* one per fleet->row */
	const uint32_t *first_row; /* by service: its rows, one per group; BLOB_NONE: not active */
	const struct alloc_vendor_out *vendors;
	const struct learn_forecast *forecasts; /* by cell */
	const struct loop *loop;                /* all of it, for explain */
	const struct meter *meters;             /* by cell */
	const struct engine_rule *rules;
	uint32_t n_rules;
	const struct engine_node *nodes; /* as last set, by name */
	uint32_t n_nodes;
	uint64_t tick_ms; /* unix time of the last tick; 0: none yet */
	uint32_t tick_us; /* what it took */
	uint64_t ticks, refused_ticks;
	uint32_t alarms;                /* services that kept their previous rows */
	char error[SL_ERRBUF_SIZE];     /* of the last refused tick; empty when it passed */
	const struct facts_view *facts; /* NULL: none yet, or older than ENGINE_FACTS_OLD_MS */
	uint64_t facts_ms;              /* unix time of the last facts that were good; 0: none */
	uint64_t facts_refused;         /* ticks that found facts which were not */
	const char *facts_error;        /* why the last one was not; empty when it was good */
	const struct loop_event *breaker_events; /* of this tick; breaker_event_text says them */
	uint32_t n_breaker_events;
};

/* Opens the state in dir (made if absent): dictionary from the last catalogue, ledger, meters.
 * Damaged state is set aside and said in err with 0 returned. Caller frees. */
int engine_new(const char *dir, uint64_t now_ms, struct engine **ret_engine, struct errbuf *err)
	SL_NONNULL(1, 3) SL_WUNUSED;
void engine_free(struct engine *e);

/* Takes a checked configuration (owned by the engine on success only): compiles geo where its files
 * changed, builds the catalogue. The next tick publishes it. The first one goes on with the geo
 * table of the world on disk where its files cannot be compiled: said in err with 0 returned. */
int engine_load(struct engine *e, struct conf *conf, uint64_t now_ms, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;

/* From now on every catalogue is built with this laid over the configuration. */
void engine_set_overlay(struct engine *e, engine_overlay_fn *fn, void *ctx) SL_NONNULL(1);

/* Builds the catalogue anew from the same configuration, because the overlay gives something else.
 * 0 also before the first engine_load. */
int engine_rebuild(struct engine *e, uint64_t now_ms, struct errbuf *err) SL_NONNULL(1);

/* Whether a geo file has changed on disk since it was compiled. */
bool engine_geo_changed(const struct engine *e) SL_NONNULL_ALL;

/* The operator's rules from the next tick on; copied. SL_ELIMIT past ENGINE_MAX_RULES. */
int engine_set_rules(struct engine *e, const struct engine_rule *rules, uint32_t n) SL_NONNULL(1);

/* The clock was set ahead, which is no time gone by; steps back need no telling. Between ticks. */
void engine_clock_ahead(struct engine *e, uint64_t by_ms) SL_NONNULL(1);

/* What the next ticks go without, by an operator's switch or a drill's fault. */
enum {
	ENGINE_NO_BLACKLIST = 1, /* no breaker bars a vendor; those that did begin anew */
	ENGINE_NO_QUALITY = 2,   /* what players say does not count in scores */
	ENGINE_NO_FACTS = 4,     /* as if collect had stopped: no newer facts are taken */
	ENGINE_NO_HOT = 16,      /* no stream is spread over more nodes than any other */
	ENGINE_NO_FORECAST = 8,  /* meters count as they are, without what has come since */
};
void engine_set_off(struct engine *e, uint32_t off) SL_NONNULL_ALL;

/* Offers a meter of a vendor (region NULL: its total). SL_ENOENT with text for unknown names; else
 * 0 and what became of it. */
int engine_push_meter(struct engine *e, const char *vendor, const char *region, double mbps,
	uint64_t start_ms, uint64_t end_ms, uint64_t now_ms, enum meter_verdict *ret_verdict,
	struct errbuf *err) SL_NONNULL(1, 2, 8);

/* What is known of an own node from outside. */
struct engine_node {
	char name[SL_MAX_NAME + 1];
	bool down;   /* it is not answered */
	double mbps; /* what it carries; negative: not known */
};

/* The nodes that something is known of, from the next tick on; copied. SL_ELIMIT past
 * SL_MAX_NODES, SL_ENOMEM. */
int engine_set_nodes(struct engine *e, const struct engine_node *nodes, uint32_t n) SL_NONNULL(1);

/* Whether a node of this name is down by a list in order of names. */
bool engine_node_down(const struct engine_node *nodes, uint32_t n, struct str name) SL_PURE;

/* Whether a slot of a service has nothing for a group but own nodes, all of which are down (by
 * id). */
bool engine_nodes_out(const struct cat_view *c, const bool *down, uint32_t slot,
	uint32_t group) SL_NONNULL_ALL SL_PURE;

/* Parts of a vendor's own nodes that a stream of so many Mbps wants, of what it may have of one; 0
 * where a single node bears it. */
double engine_hot_part(
	const struct cat_view *c, uint32_t vendor, double mbps) SL_NONNULL_ALL SL_PURE;

/* An ingest of a service that is not there. */
struct engine_ingest {
	char service[SL_MAX_NAME + 1], name[SL_MAX_NAME + 1];
};

/* Those of all ingests that are not there, from the next tick on; takes the memory (malloc'd, NULL:
 * none). */
void engine_set_ingests_down(struct engine *e, struct engine_ingest *down, uint32_t n)
	SL_NONNULL(1);

/* What a vendor's DNS gave for a group; in its order. */
enum { ENGINE_MAX_EDGES = 8 };
struct engine_edges {
	char vendor[SL_MAX_NAME + 1], group[SL_MAX_NAME + 1];
	uint32_t n_a, n_aaaa;
	struct ip a[ENGINE_MAX_EDGES], aaaa[ENGINE_MAX_EDGES];
	uint64_t until_ms; /* unix: not answered from then on */
};

/* All that was harvested, from the next tick on; takes the memory (malloc'd, NULL with 0). */
void engine_set_edges(struct engine *e, struct engine_edges *edges, uint32_t n) SL_NONNULL(1);

/* One tick: reads the tallies, allocates, writes the blobs. On an error nothing was published; text
 * in err with 0 returned is of a record that could not be written. */
int engine_tick(struct engine *e, uint64_t now_ms, struct errbuf *err) SL_NONNULL(1);

const struct engine_view *engine_view(const struct engine *e) SL_NONNULL_ALL SL_PURE;

/* What a catalogue says at a time (unix ms), before any rule of operators: capacity of a vendor by
 * its contract windows, its head-room, capacity of a region (HUGE_VAL: no such figure), a service
 * as the allocator takes it. For dry runs of a catalogue that is not in use. */
void engine_capacity(const struct cat_view *c, uint32_t vendor, uint64_t now_ms,
	double *ret_guaranteed_mbps, double *ret_max_mbps) SL_NONNULL_ALL;
double engine_headroom(const struct cat_view *c, uint32_t vendor) SL_NONNULL_ALL SL_PURE;
void engine_region_capacity(const struct cat_view *c, uint32_t region, double *ret_guaranteed_mbps,
	double *ret_max_mbps) SL_NONNULL_ALL;
void engine_service(
	const struct cat_view *c, uint32_t service, struct alloc_service *ret) SL_NONNULL_ALL;

/* What players say of a vendor in a group, shrunk; and its breaker. Ids of the last tick's
 * catalogue; borrowed, until the next tick. */
const struct quality_estimate *engine_quality(
	const struct engine *e, uint32_t vendor, uint32_t group) SL_NONNULL(1) SL_PURE;
/* The coarser level that few samples lean on. */
const char *engine_quality_level(const struct engine *e, uint32_t vendor, uint32_t group)
	SL_NONNULL(1) SL_PURE;
const struct breaker *engine_breaker(const struct engine *e, uint32_t vendor, uint32_t group)
	SL_NONNULL(1) SL_PURE;
