/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judged meters: the last good one of a cell (vendor or vendor region), and what was wrong with the
 * others. Faults of meters are bounded here, and counted. Plain structs: copy them to keep them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* What became of a pushed meter: name, taken, text. */
#define METER_VERDICT_MAP(X)                                                                       \
	X(METER_OK, true, "ok")                                                                    \
	X(METER_LATE, true, "late")                                                                \
	X(METER_STALE, false, "too old")                                                           \
	X(METER_REPEATED, false, "repeated")                                                       \
	X(METER_NEGATIVE, false, "negative")                                                       \
	X(METER_ABSURD, false, "absurd")                                                           \
	X(METER_ORDER, false, "out of order")                                                      \
	X(METER_FUTURE, false, "in the future")                                                    \
	X(METER_WINDOW, false, "bad window")

enum meter_verdict {
#define X(name, taken, text) name,
	METER_VERDICT_MAP(X)
#undef X
		METER_VERDICTS
};

const char *meter_verdict_text(uint32_t verdict);
bool meter_verdict_taken(uint32_t verdict) SL_PURE;

struct meter_limits {
	uint64_t late_ms;       /* behind its window's end by more: counted as late. 5 min */
	uint64_t keep_ms;       /* a meter counts until a newer one or this long. 15 min */
	uint64_t silent_ms;     /* no meter for longer: silent. 6 min */
	uint64_t max_window_ms; /* 1 h */
	uint64_t future_ms;     /* how far ahead a vendor's clock may be. 5 s */
	double absurd_factor;   /* above this many times the maximum: absurd. 4 */
};
#define METER_LIMITS_DEFAULT                                                                       \
	{                                                                                          \
		.late_ms = 300000, .keep_ms = 900000, .silent_ms = 360000,                         \
		.max_window_ms = 3600000, .future_ms = 5000, .absurd_factor = 4                    \
	}

/* Last good meter of a cell and what was wrong with the others. All zero: none yet. */
struct meter {
	double mbps;
	uint64_t start_ms, end_ms, received_ms;
	uint64_t count[METER_VERDICTS];
	uint64_t silences; /* times it fell silent */
	uint8_t present, silent;
};

/* Offers a meter. max_mbps: the vendor's maximum there (INFINITY: no bound but finiteness). */
enum meter_verdict meter_push(struct meter *m, const struct meter_limits *lim, double mbps,
	uint64_t start_ms, uint64_t end_ms, uint64_t now_ms, double max_mbps) SL_NONNULL(1, 2);

/* The clock was set ahead, which is no time gone by: the meter keeps its age. */
void meter_clock_ahead(struct meter *m, uint64_t by_ms) SL_NONNULL(1);

/* Once a tick: forgets a meter past keep_ms, flags and counts silence. */
void meter_tick(struct meter *m, const struct meter_limits *lim, uint64_t now_ms) SL_NONNULL(1, 2);
