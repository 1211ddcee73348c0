/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sticky mode: a hash of the client's block looked up in a row's interval table. The table is
 * carried from tick to tick and moved towards the shares as little as may be, because every part
 * of the hash space that changes hands re-seats the people in it.
 *
 * An entry is a u32: inclusive upper bound in the high 24 bits, slot in the low 8 (SCORE_NONE is
 * `none`); ascending, the last bound is 0xffffff; neighbours differ in slot.
 */
#pragma once

#include "scoring/score.h"

enum { STICKY_MAX = 64, STICKY_DEFRAG = 48, STICKY_SPACE = 1 << 24 };

struct sticky_row {
	uint32_t n;
	uint32_t entry[STICKY_MAX];
};

/* The slot of a 32-bit hash, SCORE_NONE in an empty table. n entries, as in a row or in a blob.
 * Reads at most n entries; branch-light. */
static inline uint32_t sticky_lookup(const uint32_t *entry, uint32_t n, uint32_t hash)
{
	uint32_t key = hash & 0xffffff00U, at = 0;

	if (n == 0)
		return SCORE_NONE;
	for (uint32_t half = n; half > 1;) { /* first entry that is not below key */
		uint32_t step = half / 2;

		at += step & -(uint32_t)(entry[at + step - 1] < key); /* no branch to guess */
		half -= step;
	}
	return entry[at] & 0xff;
}

/* The row's shares as the table has them now, ppm; sums to SCORE_PPM (an empty table: `none`). */
void sticky_shares(const struct sticky_row *row, uint32_t ret_ppm[static SCORE_ROW]) SL_NONNULL_ALL;

/* true if the entries keep the layout above. For tables that come from a file. */
bool sticky_check(const uint32_t *entry, uint32_t n) SL_NONNULL(1) SL_PURE;

/*
 * Moves a row towards the shares. Losers in `cut` (bit per slot: caps, drains, breakers; bit
 * SCORE_NONE for `none`) go to their share at once; the others lose at most max_move_ppm of the
 * space together. An empty row is laid out anew. ret_moved_ppm (may be NULL): what changed hands.
 */
void sticky_update(struct sticky_row *row, const uint32_t share[static SCORE_ROW], uint32_t cut,
	uint32_t max_move_ppm, uint32_t *ret_moved_ppm) SL_NONNULL(1, 2);
