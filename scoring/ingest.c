/* SPDX-License-Identifier: Apache-2.0 */
#include "scoring/ingest.h"

#include <math.h>

#define FULL_FPS    24.0
#define FULL_RTT_MS 50.0
#define WORST       0.01
#define HALF_MS     120000.0
#define PRIOR       4.0 /* voices */
#define OTHERS      9.0 /* groups of a carrier */
#define CALM        0.9 /* of the best: no reason to go elsewhere */
#define EXPONENT    8.0

/* The part of its full figure that a point gives, where only n of its voices tell of it. */
static double part(double n, double figure, double full, double voices)
{
	double told = figure >= full ? 1.0 : figure / full;

	return (n * told + (voices - n)) / voices;
}

static double quality_of(const struct ingest_facts *f, double best_kbps)
{
	double frames = part(f->frame_rates, f->fps, FULL_FPS, f->voices);
	double bitrate = best_kbps > 0 ? part(f->bitrates, f->kbps, best_kbps, f->voices) : 1.0;
	double rtt = part(
		f->rtts, f->rtt_ms > FULL_RTT_MS ? FULL_RTT_MS / f->rtt_ms : 1.0, 1.0, f->voices);
	double q = f->ok * f->ok * f->ok * f->ok * frames * frames * sqrt(bitrate) * sqrt(rtt);

	return q > WORST ? q : WORST;
}

void ingest_quality(const struct ingest_facts *facts, uint32_t n, double *ret_quality)
{
	double best_kbps = 0;

	for (uint32_t i = 0; i < n; i++)
		if (facts[i].bitrates > 0 && facts[i].kbps > best_kbps)
			best_kbps = facts[i].kbps;
	for (uint32_t i = 0; i < n; i++)
		ret_quality[i] = facts[i].voices > 0 ? quality_of(&facts[i], best_kbps) : 1.0;
}

void ingest_remember(struct ingest_evidence *e, double voices, double quality, uint64_t elapsed_ms)
{
	double kept = e->voices * exp2(-(double)elapsed_ms / HALF_MS) - voices;

	if (kept < 0)
		kept = 0;
	if (voices + kept > 0)
		e->quality = (voices * quality + kept * e->quality) / (voices + kept);
	e->voices = voices + kept;
}

void ingest_carrier_add(struct ingest_carrier *c, const struct ingest_evidence *e)
{
	double weight = e->voices / (e->voices + PRIOR);

	c->weight += weight;
	c->sum += weight * e->quality;
}

double ingest_carrier_quality(const struct ingest_carrier *c)
{
	return (OTHERS + c->sum) / (OTHERS + c->weight);
}

double ingest_estimate(const struct ingest_evidence *e, double carrier)
{
	return (PRIOR * carrier + e->voices * e->quality) / (PRIOR + e->voices);
}

void ingest_weigh(const double *estimate, uint32_t n, uint32_t *ret_weight_ppm)
{
	double best = WORST;

	for (uint32_t i = 0; i < n; i++)
		best = estimate[i] > best ? estimate[i] : best;
	for (uint32_t i = 0; i < n; i++) {
		double weight = pow(estimate[i] / (CALM * best), EXPONENT) * INGEST_WHOLE_PPM;

		ret_weight_ppm[i] = weight >= INGEST_WHOLE_PPM ? INGEST_WHOLE_PPM
				    : weight > 1               ? (uint32_t)weight
							       : 1;
	}
}

enum { FRACTION_BITS = 30 };

/* -log2(hash / 2^64), with FRACTION_BITS behind the point: what is squared doubles its logarithm.
 */
static uint64_t depth(uint64_t hash)
{
	uint32_t zeros = (uint32_t)__builtin_clzll(hash | 1);
	uint64_t m = (hash | 1) << zeros, log = 0; /* 1 <= m / 2^63 < 2 */

	for (int i = 0; i < FRACTION_BITS; i++) {
		unsigned __int128 square = (unsigned __int128)m * m;
		bool two = square >> 127;

		log = log << 1 | two;
		m = (uint64_t)(square >> (two ? 64 : 63));
	}
	return ((uint64_t)(zeros + 1) << FRACTION_BITS) - log;
}

bool ingest_before(
	uint64_t hash, uint32_t weight_ppm, uint64_t other_hash, uint32_t other_weight_ppm)
{
	if (weight_ppm == other_weight_ppm)
		return hash > other_hash;
	return depth(hash) * other_weight_ppm < depth(other_hash) * weight_ppm;
}
