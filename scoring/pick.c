/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence mode by Tijdeman's rule, and the ranked list behind a picked slot. */
#include "scoring/pick.h"

#include <string.h>

/* What each slot gains with one dispatch: its share, or its part of what is usable now. Returns the
 * sum, 0 where nobody may be given. k: how many gain. */
static int32_t gains(const uint32_t *share, uint32_t usable, int32_t *gain, uint32_t *ret_k)
{
	uint32_t sum = 0, k = 0;
	int32_t given = 0;

	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		uint32_t s = i == SCORE_NONE || (usable >> i & 1) ? share[i] : 0;

		gain[i] = (int32_t)s;
		sum += s;
		k += s != 0;
	}
	*ret_k = k;
	if (sum == SCORE_PPM || sum == 0)
		return (int32_t)sum;
	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		gain[i] = (int32_t)((uint64_t)(uint32_t)gain[i] * SCORE_PPM / sum);
		given += gain[i];
	}
	return given;
}

/*
 * Tijdeman: of those whose lag, this dispatch counted, is at least 1/(2k-2), take the one that
 * would first pass the bound 1 - 1/(2k-2): least (bound - lag) / share. Fractions are compared by
 * cross multiplication. Where rounding or a change of shares leaves no candidate, or one past the
 * bound already, the one that lags most.
 */
uint32_t pick_next(struct pick_seq *seq, const uint32_t share[static SCORE_ROW], uint32_t usable)
{
	int32_t gain[SCORE_ROW], sum, edge;
	uint32_t k, best = SCORE_ROW, most = SCORE_NONE;

	sum = gains(share, usable, gain, &k);
	if (sum == 0)
		return SCORE_NONE;
	edge = k > 1 ? SCORE_PPM / (int32_t)(2 * k - 2) : 0;
	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		if (gain[i] == 0)
			continue;
		seq->lag[i] += gain[i];
		if (gain[most] == 0 || seq->lag[i] > seq->lag[most])
			most = i;
		if (seq->lag[i] < edge)
			continue;
		if (best == SCORE_ROW ||
			(int64_t)(SCORE_PPM - edge - seq->lag[i]) * gain[best] <
				(int64_t)(SCORE_PPM - edge - seq->lag[best]) * gain[i])
			best = i;
	}
	if (best == SCORE_ROW || seq->lag[most] > SCORE_PPM - edge)
		best = most;
	seq->lag[best] -= sum;
	return best;
}

uint32_t pick_rank(const uint8_t *order, uint32_t n_order, uint32_t usable, uint32_t avoid,
	uint32_t cur, uint32_t first, uint8_t ret_slot[static SL_MAX_SLOTS])
{
	uint32_t left = usable & ((UINT32_C(1) << SL_MAX_SLOTS) - 1), n = 0;
	const uint32_t head[2] = {cur, first};

	for (uint32_t i = 0; i < 2; i++) {
		if (head[i] < SL_MAX_SLOTS && (left & ~avoid) >> head[i] & 1) {
			ret_slot[n++] = (uint8_t)head[i];
			left &= ~(UINT32_C(1) << head[i]);
		}
	}
	for (uint32_t pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < n_order; i++) {
			uint32_t bit = order[i] < SL_MAX_SLOTS ? UINT32_C(1) << order[i] : 0;

			if (left & bit && (pass || !(avoid & bit))) {
				ret_slot[n++] = order[i];
				left &= ~bit;
			}
		}
	}
	return n;
}
