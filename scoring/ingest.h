/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ingest points by what pushers report: the quality of each in a group, what is remembered of it
 * once nobody pushes there any more, and the weight by which /v1/publish ranks it. A point that is
 * as good as the group's best, or of which nothing is known, has the whole weight.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	INGEST_WHOLE_PPM = 1000000,
	INGEST_POOR_PPM = 100000, /* of less weight: passed over even where it is named */
	INGEST_MAX = 16,          /* points of one service */
};

/* What pushers say of one point in one group in a minute. Figures are means over voices
 * (addresses); voices that do not tell one are taken to be content with it. */
struct ingest_facts {
	double voices, ok; /* ok: part of them that is not refused, 0 to 1 */
	double frame_rates, fps;
	double bitrates, kbps;
	double rtts, rtt_ms;
};

/* Evidence: of so many voices, this quality. Zeroed is none. */
struct ingest_evidence {
	double voices, quality;
};

/* Quality in [0.01, 1] of each of n points (at most INGEST_MAX) in one group: success^4 x
 * frames^2 x bitrate^0.5 x rtt^0.5. Full are 24 frames a second, the bitrate of the group's best
 * point, and 50 ms. 1 where there are no voices. */
void ingest_quality(
	const struct ingest_facts *facts, uint32_t n, double *ret_quality) SL_NONNULL_ALL;

/* Takes the minute's voices into what is known; what those do not make up for is remembered, and
 * halves every two minutes, so a point that was left comes back by steps. */
void ingest_remember(struct ingest_evidence *e, double voices, double quality,
	uint64_t elapsed_ms) SL_NONNULL_ALL;

/* What to think of a point in a group of a carrier without voices of its own: the carrier's groups
 * weigh up to 1 each, against 9 that are content. One bad group moves no other. */
struct ingest_carrier {
	double weight, sum;
};
void ingest_carrier_add(struct ingest_carrier *c, const struct ingest_evidence *e) SL_NONNULL_ALL;
double ingest_carrier_quality(const struct ingest_carrier *c) SL_NONNULL_ALL SL_PURE;

/* The estimate of a group: its own voices against four that think as the carrier does. */
double ingest_estimate(const struct ingest_evidence *e, double carrier) SL_NONNULL_ALL SL_PURE;

/* Weights in ppm, 1 to INGEST_WHOLE_PPM, of the n points of a group: the eighth power of the
 * estimate over 0.9 of the best one. */
void ingest_weigh(const double *estimate, uint32_t n, uint32_t *ret_weight_ppm) SL_NONNULL_ALL;

/* Whether a point of this hash and weight goes before another: weighted rendezvous, so that each
 * gets its weight's part of the streams, and a change of weights moves no stream that it need not.
 * Integers only. What has no weight goes behind all that has. */
bool ingest_before(
	uint64_t hash, uint32_t weight_ppm, uint64_t other_hash, uint32_t other_weight_ppm) SL_PURE;
