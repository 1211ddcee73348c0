/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many sessions stand behind one DNS answer to a resolver or ECS block: from 1 behind a home
 * router to 10^4 behind a carrier's resolver. Learned from sessions that players report per block
 * against answers given to it, in a table of fixed size by hash; blocks that share a place share a
 * weight. Few answers shrink to the mean of all. Plain struct; all zero is empty. One thread.
 */
#pragma once

#include <stdint.h>

#include "base/attr.h"

enum { FANOUT_PLACES = 4096, FANOUT_MAX = 10000 };

struct fanout {
	float answers[FANOUT_PLACES], sessions[FANOUT_PLACES];
	double all_answers, all_sessions;
};

/* Counts what is not negative and finite. block: hash of resolver or ECS block. */
void fanout_answers(struct fanout *f, uint64_t block, double n) SL_NONNULL(1);
void fanout_sessions(struct fanout *f, uint64_t block, double n) SL_NONNULL(1);

/* Multiplies all counts by keep in [0, 1]. */
void fanout_fade(struct fanout *f, double keep) SL_NONNULL(1);

/* New sessions per answer, 1/FANOUT_MAX..FANOUT_MAX; 1 while nothing is known. */
double fanout_weight(const struct fanout *f, uint64_t block) SL_NONNULL(1) SL_PURE;
