/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dispatch in, a slot out, on the query path: integers only, no state but the caller's.
 * Sequence mode keeps every prefix of a sequence of dispatches within one of the exact ratio
 * (R. Tijdeman, The chairman assignment problem, Discrete Mathematics 32, 1980).
 */
#pragma once

#include "scoring/score.h"

/* One worker's row: by how much each slot (and `none`) lags its share, in millionths of a dispatch;
 * sums to 0. All zero is a fresh row. Owned by one thread; survives any change of shares. */
struct pick_seq {
	int32_t lag[SCORE_ROW];
};

/*
 * The slot of the next dispatch, 0..SCORE_NONE. share: the row's shares, sum SCORE_PPM. usable:
 * bit per slot that may be given now (budget left, not to be avoided); SCORE_NONE needs no bit.
 * Where the shares name no usable slot the answer is SCORE_NONE and the row is left alone.
 */
uint32_t pick_next(struct pick_seq *seq, const uint32_t share[static SCORE_ROW],
	uint32_t usable) SL_NONNULL_ALL;

/*
 * The ranked list: `first` (a slot, or SCORE_NONE for none picked) at the head, then the rest of
 * order[] (usable slots by falling score) that `usable` allows, then those in `avoid`, which are
 * never first unless nothing else is usable. `cur` (a slot or SCORE_NONE) goes before `first` while
 * usable and not avoided. Returns how many were written to ret_slot, 0..SL_MAX_SLOTS.
 */
uint32_t pick_rank(const uint8_t *order, uint32_t n_order, uint32_t usable, uint32_t avoid,
	uint32_t cur, uint32_t first, uint8_t ret_slot[static SL_MAX_SLOTS]) SL_NONNULL(1, 7);

/*
 * The rung of the ladder that a new session is held to, by the row's rung_ppm (sum SCORE_PPM) and a
 * hash of the client: the same client keeps its rung while the parts stay, and no client is lowered
 * further while fewer are. Returns 0 (the first rung) to n - 1.
 */
uint32_t pick_rung(const uint32_t *rung_ppm, uint32_t n, uint32_t hash) SL_NONNULL(1) SL_PURE;
