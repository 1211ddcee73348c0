/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world: one catalogue, one tick and one geo table that belong together. It is what answers are
 * made from, and nothing else. Immutable after publish; a reader gets it as const and keeps no
 * pointer into it across a round.
 */
#pragma once

#include "geo/table.h"
#include "scoring/nodes.h"
#include "world/catalogue.h"
#include "world/geoblob.h"
#include "world/tick.h"

struct world {
	struct cat_view cat;
	struct tick_view tick;
	const struct geo_table *geo;
	const struct nodes_node *nodes; /* own nodes with their load, by index */
};

/* The row of a service in a group. */
static inline const struct tick_row *world_row(
	const struct world *w, uint32_t service, uint32_t group)
{
	return &w->tick.rows[service * w->tick.meta->n_groups + group];
}

/* Index into the catalogue's tables by group and vendor. */
static inline uint32_t world_cell(const struct world *w, uint32_t group, uint32_t vendor)
{
	return group * w->cat.n_vendors + vendor;
}

/* Whether the tick is too old for its shares and budgets at this time (unix ms). */
static inline bool world_stale(const struct world *w, uint64_t now_ms)
{
	return now_ms > w->tick.head->time_ms + w->tick.meta->stale_after_ms;
}

/* Weights of the ingest points of a service for a group (scoring/ingest.h), by position there; at
 * most 16. */
void world_ingest_weights(const struct world *w, uint32_t service, uint32_t group,
	uint32_t *ret_weight_ppm) SL_NONNULL_ALL;

/* --- on disk (file.c) ------------------------------------------------------------------------
 * DIR/catalogue-SUM.blob, DIR/geo-SUM.blob, and DIR/tick.blob that names both: renaming the tick
 * into place is the one step that changes the world. */

struct world_file; /* a world and the memory it lies in */

const struct world *world_of(const struct world_file *f) SL_NONNULL_ALL SL_PURE;

/* Maps, checks and joins what DIR/tick.blob names. What is the same as in before (NULL: none) is
 * not mapped and checked again but shared with it; both are then for one thread to open and close.
 * SL_ETORN when the tick was made for another catalogue or geo table, or an id of one does not
 * exist in the other. Caller frees with world_close. */
int world_open(const char *dir, const struct world_file *before, struct world_file **ret_world,
	struct errbuf *err) SL_NONNULL(1, 3) SL_WUNUSED;

/* The same from three blobs in memory that have passed blob_check; they are borrowed. */
int world_join(const void *catalogue, const void *geo, const void *tick,
	struct world_file **ret_world, struct errbuf *err) SL_NONNULL(1, 2, 3, 4) SL_WUNUSED;

/* As world_join, in the memory of *world, a world of world_join that nobody reads any more (NULL:
 * none): it is taken anew where there are more nodes now. On an error it is as it was. */
int world_rejoin(const void *catalogue, const void *geo, const void *tick,
	struct world_file **world, struct errbuf *err) SL_NONNULL(1, 2, 3, 4) SL_WUNUSED;

void world_close(struct world_file *f);

/* The geo blob that the world lies on. */
const void *world_geo_blob(const struct world_file *f) SL_NONNULL_ALL SL_PURE;

/* Writes a blob under the name its kind and checksum give; the tick last. */
int world_write(const char *dir, const void *blob, size_t size, struct errbuf *err)
	SL_NONNULL(1, 2);

/* Removes catalogues and geo tables in DIR that are not among the kept checksums. */
void world_sweep(const char *dir, const uint64_t *keep, size_t n_keep) SL_NONNULL_ALL;
