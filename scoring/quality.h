/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quality of a vendor in a group, from three indicators of what players report: pull success s,
 * first-frame time f, users without a stall z (a stall is a buffer empty for 2 s; a user who stalls
 * once within a minute is a stalled user of that minute).
 *
 *   q = max(0.01, s^4 * z^2 * min(1, f0/f)^0.5)    f0: the group's best vendor, at least 200 ms
 *
 * Few samples shrink towards the coarser level: group, province or ISP, vendor, prior. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "scoring/score.h"

enum quality_indicator {
	QUALITY_SUCCESS,
	QUALITY_FIRST_FRAME,
	QUALITY_ZERO_STALL,
	QUALITY_INDICATORS
};

struct quality_params {
	double exponent[QUALITY_INDICATORS]; /* of s, f0/f, z: 4, 0.5, 2 */
	double weight[QUALITY_INDICATORS];   /* of the coarser level, in samples: 50, 30, 50 */
	double prior[QUALITY_INDICATORS];    /* s 0.98, f 500 ms, z 0.97 */
	double floor_ms;                     /* of f0: 200 */
	double half_life_s;                  /* of what steering is told: 60 */
};
#define QUALITY_PARAMS_DEFAULT                                                                     \
	{                                                                                          \
		.exponent = {4, 0.5, 2}, .weight = {50, 30, 50}, .prior = {0.98, 500, 0.97},       \
		.floor_ms = 200, .half_life_s = 60                                                 \
	}

/* What one window saw; finite, not negative, ok <= pulls, stalled <= users. */
struct quality_facts {
	double pulls, ok;        /* reports that end a pull attempt */
	double frames, frame_ms; /* pulls with a first frame, and their trimmed mean */
	double users, stalled;   /* of a sliding minute */
};

/* What was seen of a vendor at one level: windows added up, frames_ms the sum of their times. */
struct quality_counts {
	double pulls, ok, frames, frames_ms, users, stalled;
};

/* Shrunk indicators of a level, with what stands behind them. */
struct quality_estimate {
	double value[QUALITY_INDICATORS];   /* s, f in ms, z */
	double samples[QUALITY_INDICATORS]; /* of its own */
	double own[QUALITY_INDICATORS];     /* weight of its own samples, 0..1 */
};

/* parent: the coarser level's estimate, another than *ret; NULL: the prior. */
void quality_shrink(const struct quality_params *p, const struct quality_counts *c,
	const struct quality_estimate *parent, struct quality_estimate *ret) SL_NONNULL(1, 2, 4);

/* q of each of the n vendors of a group (n <= SL_MAX_SLOTS), SCORE_QUALITY_MIN..1. */
void quality_of_group(const struct quality_params *p, const struct quality_estimate *const *vendor,
	uint32_t n, double *ret_q) SL_NONNULL(1, 4);

/*
 * What players tell the steering door of a vendor in a group: the throughput they had from it, and
 * that they left it by themselves. Fading; all zero is a fresh one. Anybody may say such things,
 * and a throughput is the player's line as much as the vendor: it only tells vendors of a group
 * apart, by a factor of q between QUALITY_STEER_MIN and 1.
 */
struct quality_steer {
	double told, log2_kbps, left; /* log2_kbps: the sum over those told */
};
#define QUALITY_STEER_MIN 0.95

/* kbps: 1..1e6, else it is left out. left: the player left; kbps does not count then. */
void quality_steer_add(struct quality_steer *s, double kbps, bool left) SL_NONNULL_ALL;
void quality_steer_fade(
	struct quality_steer *s, const struct quality_params *p, double dt_s) SL_NONNULL_ALL;

/* The factors of the n vendors of a group: max(QUALITY_STEER_MIN, (t * (1 - l))^0.1), t being the
 * geometric mean of its throughputs over the best one's, both with 50 samples of the group's mean,
 * l the part that left, with 50 who did not. */
void quality_steer_of_group(
	const struct quality_steer *const *vendor, uint32_t n, double *ret_factor) SL_NONNULL(1, 3);
