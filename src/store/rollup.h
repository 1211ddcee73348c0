/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollups of what players and CDN logs said: sums by minute for a day and by hour for a month, of
 * each vendor in each group, definition, client kind and hot stream. A SQLite file of its own: it
 * may be lost and begun anew without harm to operator state, so it is written without waiting for
 * the disk. At most ROLLUP_MAX rows per minute and kind. One thread.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum {
	ROLLUP_MAX = 4096,
	ROLLUP_MINUTE_MS = 60000,
	ROLLUP_HOUR_MS = 3600000,
	ROLLUP_MINUTES_KEPT_MS = 90000000 /* 25 h: the day, and the hour that is being summed */,
};
#define ROLLUP_HOURS_KEPT_MS (UINT64_C(31) * 86400000)

enum rollup_span { ROLLUP_MINUTE, ROLLUP_HOUR };

enum rollup_kind { ROLLUP_GROUP, ROLLUP_DEFINITION, ROLLUP_CLIENT, ROLLUP_STREAM };

/* Sums over the minutes of a row; p95_us is the largest of them. A mean of sessions or kbps is its
 * sum by minutes. */
#define ROLLUP_COUNTS_MAP(X)                                                                       \
	X(minutes)                                                                                 \
	X(pulls)                                                                                   \
	X(pulls_ok)                                                                                \
	X(frames)                                                                                  \
	X(frames_us)                                                                               \
	X(p95_us)                                                                                  \
	X(users)                                                                                   \
	X(stalled)                                                                                 \
	X(sessions)                                                                                \
	X(kbps)                                                                                    \
	X(log_octets)                                                                              \
	X(log_requests)                                                                            \
	X(log_errors)                                                                              \
	X(log_slow)

struct rollup_counts {
#define X(name) uint64_t name;
	ROLLUP_COUNTS_MAP(X)
#undef X
};

/* Adds counts to others; p95_us becomes the larger. */
void rollup_add(struct rollup_counts *to, const struct rollup_counts *c) SL_NONNULL_ALL;

struct rollup;

/* Opens the file, made if absent; one that is damaged or of another version is begun anew. By
 * any other fault it stays as it is: SL_EBUSY while another process has it to itself, SL_ENOSPC,
 * SL_EIO. Caller closes. */
int rollup_open(const char *path, struct rollup **ret_rollup, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;
void rollup_close(struct rollup *r);

/* The last minute that was put whole, unix ms; 0: none. */
uint64_t rollup_last(struct rollup *r) SL_NONNULL_ALL;

/* Everything between these two is kept or nothing. commit forgets what is too old. */
int rollup_begin(struct rollup *r, struct errbuf *err) SL_NONNULL(1);
int rollup_commit(struct rollup *r, uint64_t minute_ms, struct errbuf *err) SL_NONNULL(1);
void rollup_undo(struct rollup *r) SL_NONNULL_ALL;

/* Adds a minute's counts of one vendor, to the minute and to its hour. */
int rollup_put(struct rollup *r, uint64_t minute_ms, enum rollup_kind kind, const char *vendor,
	const char *name, const struct rollup_counts *c, struct errbuf *err) SL_NONNULL(1, 4, 5, 6);

/* What CDN logs say of a minute by now, which may be long gone: the log_ counts of c are what they
 * have come to, and are never made smaller. */
int rollup_put_log(struct rollup *r, uint64_t minute_ms, const char *vendor, const char *group,
	const struct rollup_counts *c, struct errbuf *err) SL_NONNULL(1, 3, 4, 5);

typedef void rollup_fn(void *ctx, uint64_t time_ms, const char *vendor, const char *name,
	const struct rollup_counts *c);

/* Rows that begin in from_ms..to_ms, by time, vendor and name. */
int rollup_each(struct rollup *r, enum rollup_span span, enum rollup_kind kind, uint64_t from_ms,
	uint64_t to_ms, rollup_fn *fn, void *ctx) SL_NONNULL(1, 6);
