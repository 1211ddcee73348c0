/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario file: the world to simulate, what happens in it, and which policies are tried. The
 * structures are expanded from scenario.def. Knows no policy and no scoring.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"

enum {
	SIM_MAX_VENDORS = SL_MAX_SLOTS,
	SIM_MAX_GROUPS = 256,
	SIM_MAX_REGIONS = 16 * SIM_MAX_VENDORS,
	SIM_NONE = 0xffff
};

/* id, word, the largest value, what value means. */
#define SCENARIO_KIND_MAP(X)                                                                       \
	X(DOWN, "down", 1, "pulls fail at the vendor in the groups; value: part that still works") \
	X(STALL, "stall", 1, "value: part of the users that stall in a minute")                    \
	X(QUALITY, "quality", 1, "value: part of the pulls that succeed")                          \
	X(SLOW, "slow", 60000, "value: first frame, ms")                                           \
	X(METER_SILENT, "meter_silent", 0, "no figures are told")                                  \
	X(METER_FACTOR, "meter_factor", 10, "value: told over true load")                          \
	X(DRAIN, "drain", 0, "the operator sends no new sessions there")                           \
	X(WEIGHT, "weight", 1000, "value: the operator's weight")                                  \
	X(GUARANTEED, "guaranteed", 1e9,                                                           \
		"value: guaranteed bandwidth, Mbps, in total or of a region")                      \
	X(MAXIMUM, "maximum", 1e9, "value: maximum, Mbps, in total or of a region")                \
	X(EXTERNAL, "external", 1e9, "value: load that others put on the vendor, Mbps")            \
	X(DEMAND, "demand", 1000, "value: factor of the arrivals in the groups")                   \
	X(FORGED, "forged", 1, "value: part of the reports that say the vendor fails")             \
	X(FORGED_PLAUSIBLE, "forged_plausible", 1, "the same, told in plausible values")           \
	X(RESTART, "restart", 0, "no scheduler until the end; then one that has its kept state")

enum scenario_kind {
#define X(id, word, max, doc) SCENARIO_##id,
	SCENARIO_KIND_MAP(X)
#undef X
		SCENARIO_KINDS
};

#define SCENARIO_OVERLOAD_MAP(X)                                                                   \
	X(OVERLOAD_NONE, "none")                                                                   \
	X(OVERLOAD_LOWER, "lower")                                                                 \
	X(OVERLOAD_SPREAD, "spread")

enum scenario_overload {
#define X(id, word) SCENARIO_##id,
	SCENARIO_OVERLOAD_MAP(X)
#undef X
};

#define SCENARIO_TEXT(f, of) const char *f;
#define SCENARIO_TEXTS(f, of)                                                                      \
	char **f;                                                                                  \
	uint32_t f##_count;
#define SCENARIO_U32(f, of)  uint32_t f;
#define SCENARIO_NUM(f, of)  double f;
#define SCENARIO_MBPS(f, of) double f;
#define SCENARIO_ENUM(f, of) uint32_t f;
#define SCENARIO_MAP(f, of)  struct of f;
#define SCENARIO_MAPS(f, of)                                                                       \
	struct of *f;                                                                              \
	uint32_t f##_count;

#define BEGIN(s, doc)                                  struct s {
#define ROW(s, f, kind, of, min, max, dflt, unit, doc) SCENARIO_##kind(f, of)
#define END(s)                                                                                     \
	}                                                                                          \
	;
#include "sim/scenario.def"
#undef BEGIN
#undef ROW
#undef END

struct scenario {
	struct arena *arena;
	struct scenario_file f;
	const struct conf_lines *lines;
	bool sessions; /* the audience is single sessions, each of which asks; else a fluid */
};

/* Reads and checks a file. Errors say file:line: path: what, got, want. Caller frees. */
int scenario_load(const char *path, struct scenario **ret_scenario, struct errbuf *err)
	SL_NONNULL(1, 2) SL_WUNUSED;
void scenario_free(struct scenario *s);

/* What the rows of a key cannot say alone. Before anything is shifted. */
int scenario_check(const struct scenario *s, struct errbuf *err) SL_NONNULL_ALL SL_WUNUSED;

/* Fills err with file:line: path: and this; SL_EFORMAT. */
int scenario_refuse(const struct scenario *s, struct errbuf *err, const char *path, const char *fmt,
	...) SL_PRINTF(4, 5);

/* Whether an event holds at this time, s. */
bool scenario_event_holds(const struct scenario_event *e, double t_s) SL_NONNULL(1);

/* Arrivals per second at a time. */
double scenario_arrivals(const struct scenario_audience *a, double t_s) SL_NONNULL(1);

/* Mean of the ladder, kbps. */
double scenario_mean_kbps(const struct scenario_audience *a) SL_NONNULL(1);

/* Part of those who are there at the start, at so many kbps each, that sits on a vendor: by
 * guarantees, and what the guarantees do not hold by the room above them. */
double scenario_seated_at(const struct scenario *s, uint32_t vendor, double kbps) SL_NONNULL(1);

/* Markdown tables of keys and events, for docs/simulation.md. */
void scenario_print_keys(void);
