/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tick thread keeps of all reports: live sessions, users per (vendor, group), pull
 * attempts of the last minute, streams; and the facts they add up to. Time is an argument; one
 * thread owns it. Everything has a fixed size: what does not fit is given up oldest first, and
 * counted.
 *
 * Facts are counted anew from what is kept each time, so a report that comes late changes the
 * windows it belongs to for as long as they are shown.
 */
#pragma once

#include "collect/batch.h"
#include "collect/table.h"
#include "world/facts.h"

enum {
	COLLECT_STEP_MS = 5000, /* a short window; three of them are shown */
	COLLECT_STEPS = 3,
	COLLECT_MINUTE_MS = 60000, /* the long window, and how late a report may be */
	COLLECT_AHEAD_MS = 5000,   /* a clock may be ahead by so much; it then counts as now */
	COLLECT_LIVE_MS =
		45000, /* a session is alive so long after a report: a heartbeat and a half */
	COLLECT_WINDOWS = COLLECT_STEPS + 1,
	COLLECT_MAX_CELLS = 65536,    /* (vendor, group) pairs with reports */
	COLLECT_LOG_MINUTES = 16,     /* log windows that are always shown: minutes of event time */
	COLLECT_LOG_SHOWN_MS = 90000, /* an older one is shown so long after it grew */
	COLLECT_LOG_MAX_MIN = 1440,   /* how late a log line may be at most */

	/* What one place may say of one (vendor, group), so that it cannot speak for a province:
	 * pull attempts in 5 s, users in a minute; or two in a hundred of what all have said, if
	 * more. */
	COLLECT_PER_ADDRESS = 64,
	COLLECT_PER_NET = 256, /* a /24, of IPv6 a /48 */
	COLLECT_PER_CENT = 2,
	/* And where so many nets speak of a cell, a net's 256 is a twentieth of what all have said,
	 * if that is less (but 10): or a flood from one drowns a small cell. */
	COLLECT_CROWD = 32,
	COLLECT_CROWD_PER_CENT = 5,
	COLLECT_LEAST_PER_NET = 10,
	/* Where so many nets speak of a cell, and the others have said so much, one net may say in
	 * a minute three times the bad that the others' rate would give it, and so much more;
	 * unless so many nets would say more than that. */
	COLLECT_MANY_NETS = 4,
	COLLECT_MANY_SAID = 20,
	COLLECT_BAD_TIMES = 3,
	COLLECT_BAD_MORE = 6,
	COLLECT_OVER_NETS = 3,
	COLLECT_PER_SESSION = 12,         /* pull attempts of one session in a minute */
	COLLECT_SESSIONS_PER_NET = 65536, /* new sessions in a minute */
	COLLECT_PUSHERS_PER_NET = 1024,   /* new pushers in a minute */
	COLLECT_VOICES_PER_NET = 16,      /* addresses of a net that speak of an ingest */
};

struct collect_limits {
	uint32_t sessions, users, caps; /* entries of the tables, four times what is expected */
	uint32_t pulls;                 /* of the last minute */
	uint32_t streams;               /* and ingests: names that are known */
	uint32_t pushers;
	uint32_t logs; /* (vendor, group, minute) of CDN logs */
	uint32_t test; /* 1: of load tests; the windows of the facts say so */
};

/* A million sessions in under 1 GiB. */
#define COLLECT_LIMITS_DEFAULT                                                                     \
	{                                                                                          \
		.sessions = 4u << 20, .users = 4u << 20, .caps = 4u << 20, .pulls = 2u << 20,      \
		.streams = 1u << 18, .pushers = 1u << 17, .logs = 1u << 20                         \
	}

struct collect_books;

/* fd: memory that outlives the process (memfd_create), of which what is sound is gone on with; -1:
 * none. The descriptor stays the caller's. SL_ENOMEM. Caller frees. */
int collect_books_new(const struct collect_limits *limits, int fd, uint64_t now_ms,
	struct collect_books **ret_books, struct errbuf *err) SL_NONNULL(1, 4) SL_WUNUSED;
void collect_books_free(struct collect_books *b);

/* Seed of the hashes in records; it is kept with them. */
uint64_t collect_books_seed(const struct collect_books *b) SL_NONNULL_ALL SL_PURE;

/* Whether an earlier process's memory was gone on with. */
bool collect_books_adopted(const struct collect_books *b) SL_NONNULL_ALL SL_PURE;

/* Books the live part of a batch that came at now_ms (unix; steps back are fine), or that of load
 * tests. */
void collect_books_take(struct collect_books *b, const struct collect_batch *from, bool test,
	uint64_t now_ms) SL_NONNULL_ALL;

/* Writes the facts of now. keep_ppm is what is kept of the reports at present; the least of the
 * last COLLECT_LIVE_MS scales sessions and bitrates. *ret_blob is malloc'd; caller frees. */
int collect_books_facts(struct collect_books *b, uint64_t now_ms, uint32_t keep_ppm,
	void **ret_blob, size_t *ret_size, struct errbuf *err) SL_NONNULL(1, 4, 5);

/* Pull attempts that were booked so far, and how many more there is room for: what sampling reacts
 * to. */
uint64_t collect_books_pulls(const struct collect_books *b) SL_NONNULL_ALL SL_PURE;
uint64_t collect_books_room(const struct collect_books *b) SL_NONNULL_ALL SL_PURE;

/* Live entries that were given up, in all tables. */
uint64_t collect_books_evicted(const struct collect_books *b) SL_NONNULL_ALL SL_PURE;

/* Whether a record with this sampling key is kept. */
static inline bool collect_kept(uint32_t keep, uint32_t keep_ppm)
{
	return (uint64_t)keep * COLLECT_PPM >> 32 < keep_ppm;
}
