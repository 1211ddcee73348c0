/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of CDN logs in a declared format: columns by position with a separator (quotes and brackets
 * keep theirs), or keys of a JSON object per line. Pure.
 */
#pragma once

#include "base/err.h"
#include "collect/intake.h"

enum {
	COLLECT_LOG_COLUMNS = 64,
	COLLECT_LOG_LINE = 8192,     /* octets */
	COLLECT_LOG_LINES = 100000,  /* of one body */
	COLLECT_LOG_BODY = 16 << 20, /* octets */
	COLLECT_LOG_DELAY_MIN = 15,  /* a line may be so late, unless said otherwise */
	COLLECT_SLOW_MS = 1000, /* a response that took longer is slow, unless said otherwise */
};

enum collect_column {
	COLLECT_COL_NONE,
	COLLECT_COL_TIME,
	COLLECT_COL_CLIENT,
	COLLECT_COL_STATUS,
	COLLECT_COL_OCTETS,
	COLLECT_COL_MS,
	COLLECT_COL_S,
	COLLECT_COL_VENDOR,
	COLLECT_COLS
};

/* Points into the text it was made from. */
struct collect_log_format {
	char separator;     /* '{': JSON */
	uint32_t n, needed; /* columns; those that must be there */
	struct {
		struct str key; /* JSON */
		enum collect_column column;
	} col[COLLECT_LOG_COLUMNS];
	struct str vendor;      /* where no column says it */
	int32_t utc_offset_min; /* of times without one */
	uint32_t slow_ms;
	uint32_t delay_min; /* how late a line may be, at most COLLECT_LOG_MAX_MIN */
};

/* A ready-made format by its name; SL_ENOENT. */
int collect_log_named(struct str name, struct collect_log_format *ret) SL_NONNULL(2);

/* A format in the words of cdnlog.def; SL_EFORMAT when a word is unknown, a key is missing, or
 * there are too many. */
int collect_log_declared(char separator, struct str columns, struct collect_log_format *ret)
	SL_NONNULL(3);

/* One line without its end. LINE when it does not have the columns, LENGTH when it is too long. */
enum collect_refusal collect_log_line(const struct collect_log_format *f, struct str line,
	struct collect_line *ret) SL_NONNULL(1, 3);
