/* SPDX-License-Identifier: Apache-2.0 */
/* Indicators, their shrinkage, and q. Knows no fleet and no breaker. */
#include "scoring/quality.h"

#include <math.h>

#define STEER_WEIGHT 50.0

static double cut(double x, double max)
{
	return x > 0 ? (x < max ? x : max) : 0; /* NaN: 0 */
}

void quality_shrink(const struct quality_params *p, const struct quality_counts *c,
	const struct quality_estimate *parent, struct quality_estimate *ret)
{
	const double samples[] = {c->pulls, c->frames, c->users};
	const double sum[] = {c->ok, c->frames_ms, c->users - c->stalled};

	for (uint32_t i = 0; i < QUALITY_INDICATORS; i++) {
		double base = parent ? parent->value[i] : p->prior[i];

		ret->samples[i] = samples[i];
		ret->own[i] = samples[i] / (samples[i] + p->weight[i]);
		ret->value[i] = (sum[i] + p->weight[i] * base) / (samples[i] + p->weight[i]);
	}
}

void quality_of_group(const struct quality_params *p, const struct quality_estimate *const *vendor,
	uint32_t n, double *ret_q)
{
	double best = HUGE_VAL;

	for (uint32_t i = 0; i < n; i++)
		best = fmin(best, vendor[i]->value[QUALITY_FIRST_FRAME]);
	best = fmax(best, p->floor_ms);
	for (uint32_t i = 0; i < n; i++) {
		const double *v = vendor[i]->value, *x = p->exponent;
		double f = v[QUALITY_FIRST_FRAME];
		double q = score_pow(cut(v[QUALITY_SUCCESS], 1), x[QUALITY_SUCCESS]) *
			   score_pow(cut(v[QUALITY_ZERO_STALL], 1), x[QUALITY_ZERO_STALL]) *
			   score_pow(f > best ? best / f : 1, x[QUALITY_FIRST_FRAME]);

		ret_q[i] = q > SCORE_QUALITY_MIN ? q : SCORE_QUALITY_MIN;
	}
}

void quality_steer_add(struct quality_steer *s, double kbps, bool left)
{
	if (left) {
		s->left++;
	} else if (kbps >= 1 && kbps <= 1e6) {
		s->told++;
		s->log2_kbps += log2(kbps);
	}
}

void quality_steer_fade(struct quality_steer *s, const struct quality_params *p, double dt_s)
{
	double keep;

	if (s->told + s->left < 1e-3) { /* forgotten, and cheap where nobody ever said anything */
		*s = (struct quality_steer){0};
		return;
	}
	keep = dt_s > 0 ? exp2(-dt_s / p->half_life_s) : 1;
	s->told *= keep;
	s->log2_kbps *= keep;
	s->left *= keep;
}

void quality_steer_of_group(
	const struct quality_steer *const *vendor, uint32_t n, double *ret_factor)
{
	double told = 0, left = 0, sum = 0, best = 0, mean[SL_MAX_SLOTS];

	for (uint32_t i = 0; i < n; i++) {
		told += vendor[i]->told;
		left += vendor[i]->left;
		sum += vendor[i]->log2_kbps;
		ret_factor[i] = 1;
	}
	if (!(told > 0) && !(left > 0)) /* nobody said anything: no power of one is worked out */
		return;
	for (uint32_t i = 0; i < n; i++) {
		double all = told > 0 ? sum / told : 0;

		mean[i] = (vendor[i]->log2_kbps + STEER_WEIGHT * all) /
			  (vendor[i]->told + STEER_WEIGHT);
		best = fmax(best, mean[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		double stay = (vendor[i]->told + STEER_WEIGHT) /
			      (vendor[i]->told + STEER_WEIGHT + vendor[i]->left);
		double f = pow(exp2(mean[i] - best) * stay, 0.1);

		ret_factor[i] = f > QUALITY_STEER_MIN ? f : QUALITY_STEER_MIN;
	}
}
