/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Upward: what a worker has done, in a file that it maps shared and that control maps read-only.
 * Monotonic numbers, one writer each, relaxed: a reader sees every number whole, if not all of the
 * same instant. The file outlives both sides, so nothing is counted twice or lost over a restart.
 * Dimensions are those of limits.h whatever the catalogue; the file is sparse and only rows in use
 * take pages.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/limits.h"

enum tally_id {
#define COUNTER(id, name, labels, help) TALLY_##id,
#include "tally/counters.def"
#undef COUNTER
	TALLY_COUNTERS
};

enum {
	TALLY_LAYOUT = 4,
	TALLY_REASONS = 16,       /* room for enum answer_reason */
	TALLY_HTTP_REFUSALS = 32, /* room for HTTPD_REFUSALS */
	TALLY_HTTP_DOORS = 64,    /* room for the rows of http/doors.def */
	TALLY_MAX_COUNTERS = 128,
	TALLY_CELLS = SL_MAX_VENDORS + SL_MAX_REGIONS,
	TALLY_LATENCY_BUCKETS = 24, /* 2^i microseconds */
	TALLY_RECORDS = 1024,       /* in the ring */
	TALLY_RECORD_WORDS = 7,
};

/* What a record of the ring is of: the low octet of its first word. The rest is the kind's own. */
enum tally_kind {
	TALLY_DECISION = 1, /* one answer in so many: tally_decision */
	TALLY_THROUGHPUT,   /* that a player had from a vendor: tally_note */
	TALLY_LEFT,         /* a player left the vendor it was told of by itself: tally_note */
};

/* Doors whose sessions the forecast learns about apart: what one answer of them brings differs. */
enum tally_door { TALLY_DOOR_DNS, TALLY_DOOR_HTTP, TALLY_DOORS };

typedef _Atomic uint64_t tally_number;

/* One slot of a row: answers by kind, and what new and moved sessions are expected to pull. */
struct tally_slot {
	tally_number fresh, refresh, moved, kbps;
	tally_number sticky_kbps; /* the part of kbps that came through sticky doors */
};

/* One (service, group). */
struct tally_row {
	struct tally_slot slot[SL_MAX_SLOTS];
	tally_number none;    /* refused */
	tally_number lowered; /* new sessions on a lower rung */
	tally_number unused[2];
};

/* How long something took: how often up to 2^i microseconds, and nanoseconds in all. */
struct tally_histogram {
	tally_number bucket[TALLY_LATENCY_BUCKETS], sum_ns;
};

/* A record of the ring (tally_put). stamp: its number from 1 on; 0 while it is written. */
struct tally_record {
	tally_number stamp, word[TALLY_RECORD_WORDS];
};

struct tally {
	char magic[8];
	uint32_t layout, size_check; /* sizeof(struct tally), low 32 bits */
	uint64_t pid;                /* of the writer */
	/* of the first worker's tally, written by the link thread: when it last looked for a world
	 * and the tick that is answered from, unix time */
	tally_number looked_ms, world_ms;
	/* of an HTTP worker: connections; what its fence refused since it started; once a second */
	tally_number http_open;
	uint64_t unused[2];
	tally_number http_refused[TALLY_HTTP_REFUSALS];
	tally_number counters[TALLY_MAX_COUNTERS];
	struct tally_histogram http_time, dns_time; /* HTTP handlers; DNS queries of a batch */
	tally_number http_door[TALLY_HTTP_DOORS];   /* requests by row of http/doors.def */
	/* answers by what was found, enum answer_reason */
	tally_number answers[SL_MAX_SERVICES][TALLY_DOORS][TALLY_REASONS];
	tally_number spent_kbps[TALLY_CELLS]; /* vendors, then SL_MAX_VENDORS + region */
	tally_number door_kbps[TALLY_DOORS][TALLY_CELLS]; /* the same by door */
	struct tally_row row[SL_MAX_SERVICES][SL_MAX_GROUPS];
	tally_number n_records; /* ever put */
	struct tally_record record[TALLY_RECORDS];
};

/* Opens DIR/NAME.tally for its one writer, made anew if absent or of another layout. The file lock
 * that it holds keeps a second writer out (SL_EBUSY). Caller closes. */
int tally_open(const char *dir, const char *name, struct tally **ret_tally, struct errbuf *err)
	SL_NONNULL(1, 2, 3) SL_WUNUSED;

/* Makes the rows of services and groups below these numbers, so that none is written that the disk
 * has no room for: SL_ENOSPC. Writer only, beside its thread; not on the query path. */
int tally_reserve(struct tally *t, uint32_t n_services, uint32_t n_groups, struct errbuf *err)
	SL_NONNULL(1) SL_WUNUSED;

/* Maps a tally read-only; SL_EFORMAT when it is none. Caller closes with tally_close. */
int tally_map(const char *path, const struct tally **ret_tally, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;

void tally_close(const struct tally *t);

/* Writer only: one thread per tally. */
static inline void tally_add(tally_number *n, uint64_t by)
{
	atomic_store_explicit(
		n, atomic_load_explicit(n, memory_order_relaxed) + by, memory_order_relaxed);
}

/* Counts something that took so long, n times. */
static inline void tally_time(struct tally_histogram *h, uint64_t ns, uint64_t n)
{
	uint64_t us = ns / 1000;
	unsigned bits = us ? 64u - (unsigned)__builtin_clzll(us) : 0;

	tally_add(&h->bucket[SL_MIN(bits, (unsigned)TALLY_LATENCY_BUCKETS - 1)], n);
	tally_add(&h->sum_ns, ns * n);
}

static inline void tally_count(struct tally *t, enum tally_id id)
{
	tally_add(&t->counters[id], 1);
}

static inline uint64_t tally_get(const tally_number *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

/* Sums spent_kbps over the tallies of all workers of this process, its own included. Once a batch.
 */
void tally_sum_spent(struct tally *const *tallies, uint32_t n, uint32_t n_vendors,
	uint32_t n_regions, uint64_t ret_kbps[static TALLY_CELLS]) SL_NONNULL_ALL;

/* --- the ring: small records that may be lost ------------------------------------------------ */

/* Writes a record over the oldest one. Writer only; never waits for a reader. */
void tally_put(struct tally *t, const uint64_t word[static TALLY_RECORD_WORDS]) SL_NONNULL_ALL;

/* Copies the records from number *cursor on (0: the oldest there is), at most max, and moves the
 * cursor. Returns how many; *ret_lost is increased by those that were overwritten before. Any
 * process; docs/concurrency.md says why a record is never torn. */
uint32_t tally_take(const struct tally *t, uint64_t *cursor, uint32_t max,
	uint64_t (*ret_word)[TALLY_RECORD_WORDS], uint64_t *ret_lost) SL_NONNULL_ALL;

/* A sampled answer. slot: of the service, 255 where nobody was found. */
struct tally_decision {
	uint64_t time_ms; /* unix */
	uint32_t service, group;
	uint8_t door, reason, kind, slot;
	uint64_t epoch, generation; /* of the tick it was made by */
};
void tally_put_decision(struct tally *t, const struct tally_decision *d) SL_NONNULL_ALL;
void tally_read_decision(
	const uint64_t word[static TALLY_RECORD_WORDS], struct tally_decision *ret) SL_NONNULL_ALL;

/* What a player at the steering door says of a vendor, in what its kind says. */
struct tally_note {
	enum tally_kind kind;
	uint32_t vendor, group; /* ids */
	uint32_t kbps;          /* of a throughput */
};
void tally_put_note(struct tally *t, const struct tally_note *n) SL_NONNULL_ALL;

/* false: the record is no note. */
bool tally_read_note(
	const uint64_t word[static TALLY_RECORD_WORDS], struct tally_note *ret) SL_NONNULL_ALL;
