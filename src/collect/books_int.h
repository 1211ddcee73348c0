/* SPDX-License-Identifier: Apache-2.0 */
/* What books.c, window.c and facts.c share. */
#pragma once

#include "collect/books.h"

struct collect_session {
	struct collect_entry e;
	uint64_t pulls_ms; /* when this minute of pull attempts began */
	uint64_t stream;
	uint32_t kbps, keep;
	uint32_t cell;
	uint16_t pulls; /* in it */
	bool alive;     /* the last report was no failed pull */
};

struct collect_user {
	struct collect_entry e; /* key: user and cell */
	uint64_t stalled_ms;    /* last report with a stall; 0: none */
	uint64_t counted_ms;    /* minute of arrival that the caps know of */
	uint32_t cell;
};

/* What one place has said of one cell. */
struct collect_cap {
	struct collect_entry e;
	uint64_t bucket;
	uint32_t used;
};

struct collect_stream_name {
	struct collect_entry e;
	uint32_t text; /* offset in names, plus 1; 0: no room was left */
	uint16_t n;
};

/* Live sessions of a stream on a vendor, as of one tick. */
struct collect_use {
	struct collect_entry e;
	uint64_t stream, number; /* tick that the sums are of */
	uint64_t kbps;
	uint32_t sessions;
	uint8_t vendor;
};

/* A pull attempt; they lie in order of arrival. */
struct collect_pull {
	uint64_t t_ms, came_ms;
	uint32_t cell;
	uint32_t first_frame_us; /* UINT32_MAX: none */
	bool ok;
};

/* Minutes of event time of CDN logs. */
struct collect_log {
	uint64_t octets;
	uint32_t requests, errors, slow;
};

struct collect_cell {
	uint16_t group;
	uint8_t vendor;
	/* arrivals, for the caps */
	uint64_t step, minute;
	uint32_t step_pulls, minute_users;
};

struct collect_books {
	struct collect_limits limits;
	uint64_t started_ms, number;
	struct collect_table sessions, users, caps, streams, uses;
	struct collect_pull *pull; /* ring */
	uint64_t pull_first, pull_end;
	uint32_t *cell_of; /* by vendor * SL_MAX_GROUPS + group: cell, plus 1 */
	struct collect_cell *cell;
	uint32_t n_cells;
	struct collect_log *log; /* by span * COLLECT_MAX_CELLS + cell */
	uint64_t log_minute[COLLECT_MAX_SPANS];
	char *names;
	uint32_t names_used, names_size;
	uint64_t catalogue;
	struct collect_counts counts[COLLECT_SOURCES];
	uint64_t capped, lost_pulls, lost_cells;
	struct {
		uint64_t from_ms;
		uint32_t ppm;
	} kept[64];              /* ring of what was kept, one per second */
	struct facts_cell *fact; /* by window * COLLECT_MAX_CELLS + cell */
	uint32_t *spare;         /* for sorting them */
	uint32_t *sample;        /* first frames, sorted into windows and cells */
	uint32_t *sample_at;     /* by window * COLLECT_MAX_CELLS + cell: where they begin */
};

/* window.c: fills b->fact of COLLECT_WINDOWS windows that end with now_ms; 0 is the minute. */
void collect_window_fill(struct collect_books *b, uint64_t now_ms) SL_NONNULL_ALL;

/* First and last-but-one millisecond of a window. */
static inline uint64_t collect_window_start(uint32_t window, uint64_t now_ms)
{
	return now_ms + 1 - (window ? (uint64_t)window * COLLECT_STEP_MS : COLLECT_MINUTE_MS);
}
