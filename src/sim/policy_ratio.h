/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asked against given shares, dispatch by dispatch: of each sequence (a worker's row of a group),
 * and of a group over all workers. One thread; all zero is a fresh one.
 */
#pragma once

#include "scoring/score.h"
#include "sim/scenario.h"

enum { POLICY_WORKERS = 4, POLICY_RATIO_LEVELS = 2 };

struct policy_ratio {
	double asked[POLICY_WORKERS][SIM_MAX_GROUPS][SCORE_ROW];
	double given[POLICY_WORKERS][SIM_MAX_GROUPS][SCORE_ROW];
	double n[SIM_MAX_GROUPS];
	double sequence_off; /* largest difference of a sequence at any time, dispatches */
	/* largest part by which a group was off, from 10^4 and from 10^6 dispatches on */
	double group_off[POLICY_RATIO_LEVELS];
	bool reached[POLICY_RATIO_LEVELS]; /* by some group */
};

/* What a dispatch among the slots that could be given then is to bring each. */
struct policy_ratio_row {
	double part[SCORE_ROW]; /* sum 1 */
	uint32_t slots;         /* with a part; none: a refusal that no sequence makes */
};

/* share: the row's, ppm; usable: bit per slot. */
void policy_ratio_row(const uint32_t share[static SCORE_ROW], uint32_t usable,
	struct policy_ratio_row *ret_row) SL_NONNULL_ALL;

/* A dispatch that went to a slot, SCORE_NONE for a refused one. */
void policy_ratio_add(struct policy_ratio *r, uint32_t worker, uint32_t group,
	const struct policy_ratio_row *row, uint32_t slot) SL_NONNULL_ALL;

/* After a second: looks at the groups. */
void policy_ratio_look(struct policy_ratio *r, uint32_t n_groups) SL_NONNULL_ALL;
