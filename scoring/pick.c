/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence mode by Tijdeman's rule, and the ranked list behind a picked slot. */
#include "scoring/pick.h"

#include <stdint.h>

/* What each slot in `of` gains with one dispatch, of shares that sum up to less than a whole: its
 * part of what is usable. Returns the sum. */
static int32_t usable_gains(const uint32_t *share, uint32_t of, uint32_t sum, uint32_t *gain)
{
	int32_t given = 0;

	for (; of; of &= of - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(of);

		gain[i] = (uint32_t)(share[i] * UINT64_C(1000000) / sum);
		given += (int32_t)gain[i];
	}
	return given;
}

_Static_assert(SCORE_PPM == 1000000, "the factor above");

/*
 * Tijdeman, among the slots in `of`: of those whose lag, this dispatch counted, is at least
 * 1/(2k-2), take the one that would first pass the bound 1 - 1/(2k-2): least (bound - lag) / share.
 * Fractions are compared by cross multiplication. Where rounding or a change of shares leaves no
 * candidate, or one past the bound already, the one that lags most.
 */
static uint32_t choose(struct pick_seq *seq, const uint32_t *gain, uint32_t of, uint32_t k)
{
	int32_t edge = k > 1 ? SCORE_PPM / (int32_t)(2 * k - 2) : 0, most_lag = INT32_MIN;
	uint32_t best = SCORE_ROW, most = SCORE_NONE;
	int64_t best_left = INT32_MAX, best_gain = 1; /* less urgent than any */

	for (; of; of &= of - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(of);
		int32_t lag = seq->lag[i] + (int32_t)gain[i];
		int64_t left = SCORE_PPM - edge - lag;
		bool more = lag > most_lag;
		bool sooner = (lag >= edge) & (left * best_gain < best_left * gain[i]);

		seq->lag[i] = lag;
		most_lag = more ? lag : most_lag;
		most = more ? i : most;
		best = sooner ? i : best;
		best_left = sooner ? left : best_left;
		best_gain = sooner ? gain[i] : best_gain;
	}
	return best == SCORE_ROW || most_lag > SCORE_PPM - edge ? most : best;
}

uint32_t pick_next(struct pick_seq *seq, const uint32_t share[static SCORE_ROW], uint32_t usable)
{
	const uint32_t *gain = share;
	uint32_t part[SCORE_ROW], of = 0, k = 0, whole = 0, at;
	int32_t given = SCORE_PPM;

	usable |= UINT32_C(1) << SCORE_NONE;
	usable &= (UINT32_C(1) << SCORE_ROW) - 1;
	for (; usable; usable &= usable - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(usable), has_share = share[i] != 0;

		of |= has_share << i;
		k += has_share;
		whole += share[i];
	}
	if (k == 0)
		return SCORE_NONE;
	if (whole != SCORE_PPM) {
		given = usable_gains(share, of, whole, part);
		gain = part;
	}
	at = choose(seq, gain, of, k);
	seq->lag[at] -= given;
	return at;
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

uint32_t pick_rung(const uint32_t *rung_ppm, uint32_t n, uint32_t hash)
{
	uint64_t at = ((uint64_t)hash * SCORE_PPM) >> 32, end = 0;

	for (uint32_t k = 0; k + 1 < n; k++) {
		end += rung_ppm[k];
		if (at < end)
			return k;
	}
	return n ? n - 1 : 0;
}
