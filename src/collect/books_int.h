/* SPDX-License-Identifier: Apache-2.0 */
/* What books.c, kept.c, window.c, push.c and facts.c share; long because each row that is kept is
 * told here once. */
#pragma once

#include "collect/books.h"

struct collect_session {
	struct collect_entry e;
	uint64_t pulls_ms; /* when this minute of pull attempts began */
	uint64_t stream;
	uint64_t stalled_ms; /* last report with a stall; 0: none */
	uint64_t starved_ms; /* its player has stood still since, by its own word; 0: it plays */
	uint32_t kbps, keep;
	uint32_t cell;
	uint32_t stall_total_ms; /* all its stalls, as it last told */
	uint16_t pulls;          /* in it */
	uint8_t alive;           /* the last report was no failed pull */
	uint8_t definition, client;
};

struct collect_user {
	struct collect_entry e; /* key: user and cell */
	uint64_t stalled_ms;    /* last report with a stall; 0: none */
	uint64_t counted_ms;    /* minute of arrival that the caps know of */
	uint32_t cell;
	uint8_t definition, client;
};

/* What one place has said of one cell. */
struct collect_cap {
	struct collect_entry e;
	uint32_t bucket;
	uint32_t used;
	uint16_t bad, bad_before; /* in this bucket, in the one before; no more than fits */
	uint32_t used_before : 31;
	uint32_t over : 1; /* would have said more than it may */
};

struct collect_stream_name {
	struct collect_entry e;
	uint32_t text; /* offset in names, plus 1; 0: no room was left */
	uint16_t n;
};

/* Live sessions of a stream on a vendor, and what it saw of the minute, as of one tick. */
struct collect_use {
	struct collect_entry e;
	uint64_t stream, number; /* tick that the sums are of */
	uint64_t kbps;
	uint32_t sessions, stalled;
	uint32_t pulls, pulls_ok;
	uint8_t vendor;
};

/* A pull attempt; they lie in order of arrival. */
struct collect_pull {
	uint64_t t_ms, came_ms;
	uint64_t stream;
	uint32_t cell;
	uint32_t first_frame_us; /* UINT32_MAX: none */
	uint8_t ok;
	uint8_t definition, client;
};

/* One session that pushes to an ingest, as it last reported. */
struct collect_pusher {
	struct collect_entry e; /* key: session and ingest */
	uint64_t ingest, address, net;
	uint32_t kbps, frame_rate_mfps, rtt_us;
	uint16_t group, service;
	uint16_t has; /* of enum collect_flag: which of the three count */
	uint8_t ok;   /* its last attempt did not fail */
};

/* CDN logs of one cell in one minute of event time; seen_ms is when they last grew. */
struct collect_log {
	struct collect_entry e;
	uint64_t minute, octets;
	uint32_t cell;
	uint32_t requests, errors, slow;
};

/* What nets say of a cell in this minute of arrival, and in the one before. */
struct collect_voice {
	uint64_t minute;
	uint32_t nets[2], said[2], bad[2], over[2];
};

struct collect_cell {
	uint16_t group;
	uint8_t vendor;
	/* arrivals, for the caps */
	uint64_t step, minute;
	uint32_t step_pulls, minute_users;
	struct collect_voice pulls, users;
};

/* The head of what outlives the process; the arrays follow, in the order of kept.c. Only the tick
 * thread writes it, each thing in an order in which the process may end at any point. */
struct collect_kept {
	char magic[8];
	uint64_t size; /* of the whole */
	struct collect_limits limits;
	uint64_t seed; /* of all hashes */
	uint64_t started_ms, number;
	uint64_t pull_first, pull_end;
	uint32_t n_cells, names_used;
	uint8_t compacting; /* names are on the move */
	uint64_t catalogue;
	struct collect_counts counts[COLLECT_SOURCES];
	uint64_t capped, lost_pulls, lost_cells, evicted;
	struct {
		uint64_t from_ms;
		uint32_t ppm;
	} kept[64]; /* ring of what was kept of the reports, one per second */
};

/* Facts are counted in spans: the windows, then the minute by definition and by client kind, whose
 * cells are vendor * COLLECT_WORDS + word. */
enum {
	COLLECT_SPAN_DEFINITION = COLLECT_WINDOWS,
	COLLECT_SPAN_CLIENT,
	COLLECT_SPANS,
};

enum { COLLECT_MAX_PUSHES = 1 << 17 }; /* rows of the facts, as their table has it */
enum { COLLECT_NAMES = 15 << 20 };     /* octets of names of streams; facts have room for 16 */

struct collect_books {
	struct collect_kept *k;    /* these six lie in what is kept */
	struct collect_pull *pull; /* ring */
	struct collect_cell *cell;
	char *names;
	struct collect_table sessions, users, caps, streams, logs, pushers;
	void *mem;
	size_t mem_size;
	bool adopted;
	uint64_t evicted_before;
	uint64_t last_ms; /* the latest time that was given */

	struct collect_limits limits;
	struct collect_table uses;
	const struct collect_pusher **push_row; /* those of the minute, sorted */
	uint32_t *push_sample;                  /* what their voices say */
	uint32_t *cell_of;       /* by vendor * SL_MAX_GROUPS + group: cell, plus 1 */
	struct facts_cell *fact; /* by span * COLLECT_MAX_CELLS + cell */
	uint32_t *spare;         /* for sorting them */
	uint32_t *sample;        /* first frames, sorted into spans and cells */
	uint32_t *sample_at;     /* by span * COLLECT_MAX_CELLS + cell: where they begin */
};

/* kept.c: the memory that outlives the process, checked and gone on with, or begun anew. fd -1:
 * memory of this process alone. */
int collect_kept_open(struct collect_books *b, int fd, uint64_t now_ms, struct errbuf *err)
	SL_NONNULL(1);
void collect_kept_close(struct collect_books *b) SL_NONNULL_ALL;

/* The clock was set back: forgets what was seen by the wrong time. */
void collect_kept_back(struct collect_books *b, uint64_t now_ms) SL_NONNULL_ALL;

/* Moves the names of streams that are still heard of together, when their room runs out. */
void collect_kept_compact(struct collect_books *b, uint64_t now_ms) SL_NONNULL_ALL;

/* Cells of a span. */
static inline uint32_t collect_span_cells(const struct collect_books *b, uint32_t span)
{
	return span < COLLECT_WINDOWS ? b->k->n_cells : SL_MAX_VENDORS * COLLECT_WORDS;
}

/* Between two writes of what is kept that must happen in this order. */
static inline void collect_settle(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* window.c: fills b->fact of all spans; the windows end with now_ms, 0 is the minute. */
void collect_window_fill(struct collect_books *b, uint64_t now_ms) SL_NONNULL_ALL;

/* Pushers that the table can hold at most. */
static inline size_t collect_pusher_rows(const struct collect_books *b)
{
	return 2 * (size_t)b->limits.pushers + COLLECT_WAYS;
}

/* window.c: sorts what is below 2^27; spare has room for n. */
void collect_sort(uint32_t *v, uint32_t *spare, uint32_t n) SL_NONNULL_ALL;

/* push.c: a report of a pusher; and what they say of each ingest, into the facts. SL_ENOMEM. */
void collect_push_take(
	struct collect_books *b, const struct collect_record *r, uint64_t now_ms) SL_NONNULL_ALL;
int collect_push_put(
	struct collect_books *b, struct blob_writer *w, uint64_t now_ms) SL_NONNULL_ALL;

/* books.c: what time it is now; steps back are noticed. */
void collect_books_clock(struct collect_books *b, uint64_t now_ms) SL_NONNULL_ALL;

/* books.c: one more from a place in this bucket of arrival time; false when it has had its part. */
bool collect_spend(struct collect_books *b, uint64_t key, uint64_t bucket, uint32_t allowed,
	uint64_t now_ms) SL_NONNULL_ALL;

/* First and last-but-one millisecond of a window. */
static inline uint64_t collect_window_start(uint32_t window, uint64_t now_ms)
{
	return now_ms + 1 - (window ? (uint64_t)window * COLLECT_STEP_MS : COLLECT_MINUTE_MS);
}
