/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interval tables: carried, cut from losers only, moved towards the shares by boundary shifts where
 * a gainer stands beside a loser, by a cut of the loser's largest interval where none does.
 *
 * An update inserts at most one entry per loser or gainer that it settles, so fewer than SCORE_ROW;
 * a table that begins below STICKY_DEFRAG therefore ends within STICKY_MAX.
 */
#include "scoring/sticky.h"

#include <string.h>

_Static_assert(STICKY_DEFRAG + SCORE_ROW <= STICKY_MAX + 1, "an update may overflow the table");

/* Work form of a row: widths instead of bounds. */
struct pieces {
	uint32_t n;
	uint32_t width[STICKY_MAX];
	uint8_t slot[STICKY_MAX];
};

static void unpack(const struct sticky_row *row, struct pieces *p)
{
	uint32_t from = 0;

	p->n = row->n;
	for (uint32_t i = 0; i < row->n; i++) {
		uint32_t end = (row->entry[i] >> 8) + 1;

		p->width[i] = end - from;
		p->slot[i] = row->entry[i] & 0xff;
		from = end;
	}
}

/* Drops what is empty, joins neighbours of one slot. */
static void tidy(struct pieces *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n; i++) {
		if (p->width[i] == 0)
			continue;
		if (n && p->slot[n - 1] == p->slot[i]) {
			p->width[n - 1] += p->width[i];
			continue;
		}
		p->width[n] = p->width[i];
		p->slot[n++] = p->slot[i];
	}
	p->n = n;
}

static void pack(const struct pieces *p, struct sticky_row *row)
{
	uint32_t end = 0;

	memset(row, 0, sizeof(*row));
	row->n = p->n;
	for (uint32_t i = 0; i < p->n; i++) {
		end += p->width[i];
		row->entry[i] = (end - 1) << 8 | p->slot[i];
	}
}

static void widths(const struct pieces *p, uint32_t width[static SCORE_ROW])
{
	memset(width, 0, SCORE_ROW * sizeof(*width));
	for (uint32_t i = 0; i < p->n; i++)
		width[p->slot[i]] += p->width[i];
}

/* Gives the smallest piece to the wider of its neighbours. */
static uint32_t drop_smallest(struct pieces *p)
{
	uint32_t at = 0, left, right, width;

	for (uint32_t i = 1; i < p->n; i++)
		if (p->width[i] < p->width[at])
			at = i;
	left = at > 0 ? p->width[at - 1] : 0;
	right = at + 1 < p->n ? p->width[at + 1] : 0;
	width = p->width[at];
	p->slot[at] = left >= right ? p->slot[at - 1] : p->slot[at + 1];
	tidy(p);
	return width;
}

/* What each slot is to lose and to gain now; both sum to the same. */
struct moves {
	uint32_t loss[SCORE_ROW], gain[SCORE_ROW];
};

static uint64_t plan_losses(const uint32_t *width, const uint32_t *target, uint32_t cut,
	uint64_t soft_max, uint32_t *loss)
{
	uint64_t soft = 0, total = 0;

	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		loss[i] = width[i] > target[i] ? width[i] - target[i] : 0;
		soft += cut >> i & 1 ? 0 : loss[i];
	}
	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		if (soft > soft_max && !(cut >> i & 1))
			loss[i] = (uint32_t)(loss[i] * soft_max / soft);
		total += loss[i];
	}
	return total;
}

static uint64_t plan(const struct pieces *p, const uint32_t *share, uint32_t cut, uint64_t soft_max,
	struct moves *m)
{
	uint32_t width[SCORE_ROW], target[SCORE_ROW];
	double part[SCORE_ROW];
	uint64_t total, need = 0, given = 0;

	for (uint32_t i = 0; i < SCORE_ROW; i++)
		part[i] = share[i];
	score_to_ppm(part, SCORE_ROW, SCORE_NONE, STICKY_SPACE, target);
	widths(p, width);
	total = plan_losses(width, target, cut, soft_max, m->loss);
	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		m->gain[i] = target[i] > width[i] ? target[i] - width[i] : 0;
		need += m->gain[i];
	}
	for (uint32_t i = 0; i < SCORE_ROW && need; i++) {
		uint32_t whole = m->gain[i];

		m->gain[i] = (uint32_t)(whole * total / need);
		given += m->gain[i];
	}
	for (uint32_t i = 0; given < total; i = (i + 1) % SCORE_ROW) {
		if (target[i] > width[i] && m->gain[i] < target[i] - width[i]) {
			m->gain[i]++;
			given++;
		}
	}
	return total;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Moves the boundary between two pieces where one loses and the other gains. */
static void shift(struct pieces *p, uint32_t from, uint32_t to, struct moves *m)
{
	uint32_t *loss = &m->loss[p->slot[from]], *gain = &m->gain[p->slot[to]];
	uint32_t by = least(least(*loss, *gain), p->width[from]);

	p->width[from] -= by;
	p->width[to] += by;
	*loss -= by;
	*gain -= by;
}

static void shift_all(struct pieces *p, struct moves *m)
{
	for (uint32_t i = 0; i + 1 < p->n; i++) {
		shift(p, i, i + 1, m);
		shift(p, i + 1, i, m);
	}
	tidy(p);
}

/* The widest piece of any slot that is still to lose; n where there is none. */
static uint32_t widest_loser(const struct pieces *p, const struct moves *m)
{
	uint32_t at = p->n;

	for (uint32_t i = 0; i < p->n; i++)
		if (m->loss[p->slot[i]] && (at == p->n || p->width[i] > p->width[at]))
			at = i;
	return at;
}

static uint32_t most_gaining(const struct moves *m)
{
	uint32_t at = 0;

	for (uint32_t i = 1; i < SCORE_ROW; i++)
		if (m->gain[i] > m->gain[at])
			at = i;
	return at;
}

/* Takes from the upper end of a piece: a new piece behind it, or all of it. */
static void carve(struct pieces *p, uint32_t at, uint32_t gainer, struct moves *m)
{
	uint32_t *loss = &m->loss[p->slot[at]], *gain = &m->gain[gainer];
	uint32_t by = least(least(*loss, *gain), p->width[at]);

	*loss -= by;
	*gain -= by;
	if (by == p->width[at]) {
		p->slot[at] = (uint8_t)gainer;
		return;
	}
	memmove(&p->width[at + 1], &p->width[at], (p->n - at) * sizeof(p->width[0]));
	memmove(&p->slot[at + 1], &p->slot[at], (p->n - at) * sizeof(p->slot[0]));
	p->n++;
	p->width[at] -= by;
	p->width[at + 1] = by;
	p->slot[at + 1] = (uint8_t)gainer;
}

static void lay_out(struct sticky_row *row, const uint32_t *share)
{
	struct pieces p = {.n = SCORE_ROW};
	double part[SCORE_ROW];

	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		part[i] = share[i];
		p.slot[i] = (uint8_t)i;
	}
	score_to_ppm(part, SCORE_ROW, SCORE_NONE, STICKY_SPACE, p.width);
	tidy(&p);
	pack(&p, row);
}

void sticky_update(struct sticky_row *row, const uint32_t share[static SCORE_ROW], uint32_t cut,
	uint32_t max_move_ppm, uint32_t *ret_moved_ppm)
{
	struct pieces p;
	struct moves m;
	uint64_t moved = 0, soft_max = (uint64_t)max_move_ppm * STICKY_SPACE / SCORE_PPM;
	uint32_t at;

	if (row->n == 0 || !sticky_check(row->entry, row->n)) {
		lay_out(row, share);
		if (ret_moved_ppm)
			*ret_moved_ppm = SCORE_PPM;
		return;
	}
	unpack(row, &p);
	while (p.n >= STICKY_DEFRAG)
		moved += drop_smallest(&p);
	moved += plan(&p, share, cut, soft_max, &m);
	shift_all(&p, &m);
	while ((at = widest_loser(&p, &m)) < p.n)
		carve(&p, at, most_gaining(&m), &m);
	tidy(&p);
	pack(&p, row);
	if (ret_moved_ppm)
		*ret_moved_ppm = (uint32_t)(moved * SCORE_PPM / STICKY_SPACE);
}

/* By largest remainder, as score_to_ppm; in whole numbers, over the slots that there are. */
void sticky_shares(const struct sticky_row *row, uint32_t ret_ppm[static SCORE_ROW])
{
	uint64_t rest[SCORE_ROW] = {0};
	uint32_t left = SCORE_PPM, from = 0;

	memset(ret_ppm, 0, SCORE_ROW * sizeof(*ret_ppm));
	for (uint32_t i = 0; i < row->n; i++) {
		uint32_t end = (row->entry[i] >> 8) + 1;

		ret_ppm[SL_MIN(row->entry[i] & 0xff, (uint32_t)SCORE_NONE)] += end - from;
		from = end;
	}
	if (from == 0)
		ret_ppm[SCORE_NONE] = STICKY_SPACE;
	for (uint32_t i = 0; i < SCORE_ROW; i++) {
		uint64_t exact = (uint64_t)ret_ppm[i] * SCORE_PPM;

		ret_ppm[i] = (uint32_t)(exact / STICKY_SPACE);
		rest[i] = exact % STICKY_SPACE;
		left -= ret_ppm[i];
	}
	for (; left; left--) {
		uint32_t best = 0;

		for (uint32_t i = 1; i < SCORE_ROW; i++)
			if (rest[i] > rest[best])
				best = i;
		ret_ppm[best]++;
		rest[best] = 0;
	}
}

bool sticky_check(const uint32_t *entry, uint32_t n)
{
	if (n < 1 || n > STICKY_MAX || entry[n - 1] >> 8 != STICKY_SPACE - 1)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if ((entry[i] & 0xff) > SCORE_NONE)
			return false;
		if (i && (entry[i] >> 8 <= entry[i - 1] >> 8 ||
				 (entry[i] & 0xff) == (entry[i - 1] & 0xff)))
			return false;
	}
	return true;
}
