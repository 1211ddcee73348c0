/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs policies over seeds and measures them: the figures of docs/scoring.md section 8, as a table,
 * as JSON, as a picture.
 */
#pragma once

#include <stdio.h>

#include "sim/policy.h"

/* Figures of one run: key, text of the column, and whether a larger one is better. NAN: the
 * scenario says nothing of it. */
#define REPORT_FIGURE_MAP(X)                                                                       \
	X(overshoot, "overshoot", false)          /* largest load over M */                        \
	X(over_mbps_s, "over Mbps s", false)      /* integral of the load above M */               \
	X(commit_use, "commit use", true)         /* against the optimum */                        \
	X(avoidable_burst, "avoid. burst", false) /* per SumG and duration */                      \
	X(quality_gap, "quality gap", false)      /* to the optimum */                             \
	X(churn, "churn", false)                  /* per 1000 sessions and minute */               \
	X(flips, "flips", false)                  /* per tick in the steady span */                \
	X(shift_time_s, "shift s", false)         /* from the first fault */                       \
	X(ratio_error, "ratio error", false)      /* asked against given share */                  \
	X(ratio_error_1e6, "after 10^6", false)   /* the same of groups with a million */          \
	X(sequence_off, "sequence off", false)    /* dispatches, of one worker and group */        \
	X(refused, "refused", false)              /* of what was asked */                          \
	X(false_trips, "false trips", false)      /* seconds x cells out without a fault */        \
	X(share_shift, "forged shift", false)     /* of a vendor's share, by forged reports */     \
	X(forecast_error, "forecast err", false)  /* root mean square of P/b - 1 */

enum report_figure {
#define X(key, text, more) REPORT_##key,
	REPORT_FIGURE_MAP(X)
#undef X
		REPORT_FIGURES
};

struct report_run {
	double figure[REPORT_FIGURES];
	double commit_mbps_s, quality; /* what commit use and quality gap come from */
	double wall_ms;
};

struct report_policy {
	enum policy_kind kind;
	struct report_run *run; /* by seed */
	struct report_run worst, median;
};

struct report {
	const struct scenario *s;
	uint32_t first_seed, n_seeds, n_policies;
	struct report_policy policy[POLICY_KINDS];
};

/* One policy over one seed. trace (may be NULL) gets a row of text per second. */
int report_run(const struct scenario *s, enum policy_kind kind, uint64_t seed, FILE *trace,
	struct report_run *ret_run) SL_NONNULL(1, 5) SL_WUNUSED;

/* All policies over all seeds; progress: how much is done, to the terminal. Caller ends it with
 * report_done. */
int report_make(const struct scenario *s, uint32_t first_seed, uint32_t n_seeds, bool progress,
	struct report *ret_report) SL_NONNULL_ALL SL_WUNUSED;
void report_done(struct report *r);

void report_table(const struct report *r, FILE *to, bool timing) SL_NONNULL_ALL;
void report_json(const struct report *r, FILE *to) SL_NONNULL_ALL;

/* Bandwidth against guarantee and maximum per vendor, shares, stall rate; by gnuplot. */
int report_plot(const struct scenario *s, enum policy_kind kind, uint64_t seed, const char *file,
	struct errbuf *err) SL_NONNULL(1, 4);

/* True quality of the vendors of a group, by the formula of docs/scoring.md section 4. */
void report_quality(
	const struct plant *p, uint32_t group, double ret_q[static SIM_MAX_VENDORS]) SL_NONNULL_ALL;

/* report_optimum.c: what a fleet could carry at best of the demand of now, by GLPK: commitments
 * first, then quality, under the same head-room. most: what a vendor may have, INFINITY: no such
 * bound. ret_load by vendor; ret_commit: of it, what fills commitments,
 * in total and by region; ret_quality: mean. */
int report_optimum(const struct plant *p, const double most[static SIM_MAX_VENDORS],
	double ret_load[static SIM_MAX_VENDORS], double ret_commit[static SIM_MAX_VENDORS],
	double *ret_quality) SL_NONNULL_ALL;

/* As report_run, of the optimum. */
int report_run_optimum(
	const struct scenario *s, uint64_t seed, struct report_run *ret_run) SL_NONNULL_ALL;
