/* SPDX-License-Identifier: Apache-2.0 */
#include "scoring/hold.h"

#include <math.h>

uint8_t hold_length(double answer_mbps, double may_mbps)
{
	uint8_t length = HOLD_BLOCK;

	if (!(answer_mbps > 0))
		return 0;
	for (; may_mbps < answer_mbps && length < HOLD_LONGEST; length++)
		answer_mbps /= 2;
	for (; may_mbps >= 2 * answer_mbps && length > 0; length--)
		answer_mbps *= 2;
	return length;
}

uint8_t hold_steady(uint8_t before, uint8_t now)
{
	return now + 1 < before ? (uint8_t)(now + 1) : SL_MAX(before, now);
}

double hold_follow(
	struct hold_trail *t, const uint32_t share[static SCORE_ROW], double dt_s, double ttl_s)
{
	double keep = exp(-dt_s / ttl_s), known = 0, off = 0;

	for (uint32_t i = 0; i < SCORE_ROW; i++)
		known += t->ppm[i];
	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		if (!(known > 0))
			t->ppm[i] = share[i];
		t->ppm[i] = share[i] + (t->ppm[i] - share[i]) * keep;
		off += fabs(t->ppm[i] - share[i]);
	}
	return off / 2;
}
