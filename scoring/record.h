/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of the control loop: its state at a start, then the input of every tick and what came of
 * it, so that an incident can be replayed by the same code, octet for octet, or with something
 * changed. The engine writes it, sluice-sim --replay reads it; docs/record.md has the format.
 *
 * A record is frames, each a head and its payload. Structures go as they lie in memory, so a record
 * is read by a build whose structures have the same sizes, and refused by any other.
 */
#pragma once

#include "scoring/loop.h"

enum {
	RECORD_MAGIC = 0x43524c53, /* SLRC */
	RECORD_STATE = 1,          /* record_state, then what it counts */
	RECORD_PLACES,             /* record_places: where groups lie, and names */
	RECORD_TICK,               /* record_tick: input */
	RECORD_OUTCOME,            /* a hash per row */
	RECORD_MAX_FRAME = 256 << 20,
	RECORD_MAX_METERS = 4096, /* pushed between two ticks; more are not recorded */
	RECORD_MAX_NOTES = 65536,
};

struct record_frame {
	uint32_t magic, kind;
	uint64_t size, sum; /* of the payload: octets, and their hash64 with seed kind */
};

/* Then: kept, ledger, live (octets as counted), loop_seat[n_services][n_groups],
 * loop_cell[n_groups][n_vendors]. */
struct record_state {
	uint64_t layout; /* record_layout() */
	uint64_t kept, ledger, live;
	uint32_t n_services, n_groups, n_vendors, unused;
	double alive, heard_s;
	uint64_t heard_ms;
};

/* Then: level[LOOP_LEVELS][n_groups], region_of[n_groups * n_vendors] where n_regions is not 0, and
 * the names of vendors, groups and services, each an octet of length and its text. */
struct record_places {
	uint32_t n_vendors, n_regions, n_groups, n_services;
};

enum { RECORD_NEWS = 1, RECORD_NO_QUALITY = 2, RECORD_NO_BREAKERS = 4, RECORD_NO_FORECAST = 8 };

/* Then: loop_vendor, loop_region, loop_service, record_row, record_door, loop_fact, record_meter,
 * loop_note; arrays of as many. */
struct record_tick {
	uint64_t now_ms;
	uint32_t tick_ms, n_vendors, n_regions, n_services, n_groups, n_rows;
	uint32_t n_changed, n_doors, n_facts, n_meters;
	double sampled;
	uint32_t flags, n_notes; /* RECORD_NEWS and the like */
};

/* A row that counted something, or is barred to others than in the tick before. The others have
 * counted nothing; rows are all groups of each active service. */
struct record_row {
	uint32_t index, unused;
	struct loop_row row;
};

struct record_door {
	uint32_t door, cell;
	double kbps;
};

/* A meter that was pushed since the tick before. */
struct record_meter {
	uint32_t cell, n_vendors;
	double mbps, max_mbps;
	uint64_t start_ms, end_ms, now_ms;
};

/* The sizes of all structures of a record, as one number. */
uint64_t record_layout(void);

/* What a row of the last tick gave: shares, rungs, order, reasons and sticky table. */
uint64_t record_row_hash(const struct loop *l, uint32_t row) SL_NONNULL_ALL;
