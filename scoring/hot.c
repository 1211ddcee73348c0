/* SPDX-License-Identifier: Apache-2.0 */
/* Count-min sketch with a table of leaders. */
#include "scoring/hot.h"

#include "base/hash.h"

#include <math.h>

#define FADED 1e-6 /* of the total: a leader below it is none */

static double *cell_of(const struct hot *h, uint32_t row, uint64_t key)
{
	return (double *)(uintptr_t)&h->cell[row][hash_mix(key, row + 1) % HOT_COLUMNS];
}

double hot_weight(const struct hot *h, uint64_t key)
{
	double least = HUGE_VAL;

	for (uint32_t r = 0; r < HOT_ROWS; r++)
		least = fmin(least, *cell_of(h, r, key));
	return least;
}

static uint32_t find(const struct hot *h, uint64_t key)
{
	uint32_t i = 0;

	while (i < h->n && h->top[i].key != key)
		i++;
	return i;
}

static uint32_t lightest(const struct hot *h)
{
	uint32_t at = 0;

	for (uint32_t i = 1; i < h->n; i++)
		if (h->top[i].weight < h->top[at].weight)
			at = i;
	return at;
}

void hot_add(struct hot *h, uint64_t key, double weight)
{
	double now;
	uint32_t at;

	if (key == 0 || !(weight > 0) || !isfinite(weight))
		return;
	now = hot_weight(h, key) + weight;
	for (uint32_t r = 0; r < HOT_ROWS; r++) { /* conservative: no cell above what it must be */
		double *cell = cell_of(h, r, key);

		*cell = fmax(*cell, now);
	}
	h->total += weight;
	at = find(h, key);
	if (at == h->n && h->n < HOT_KEYS)
		h->n++;
	else if (at == h->n) {
		at = lightest(h);
		if (h->top[at].weight >= now)
			return;
	}
	h->top[at] = (struct hot_entry){key, now};
}

void hot_fade(struct hot *h, double keep)
{
	uint32_t n = 0;

	keep = keep > 0 ? (keep < 1 ? keep : 1) : 0;
	for (uint32_t r = 0; r < HOT_ROWS; r++)
		for (uint32_t c = 0; c < HOT_COLUMNS; c++)
			h->cell[r][c] *= keep;
	h->total *= keep;
	for (uint32_t i = 0; i < h->n; i++) {
		h->top[i].weight *= keep;
		if (h->top[i].weight > h->total * FADED)
			h->top[n++] = h->top[i];
	}
	h->n = n;
}

static int hotter(const struct hot_entry *a, const struct hot_entry *b)
{
	return a->weight > b->weight || (a->weight == b->weight && a->key < b->key);
}

uint32_t hot_top(const struct hot *h, struct hot_entry *ret, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < h->n && max; i++) {
		uint32_t at = n;

		if (n == max && !hotter(&h->top[i], &ret[n - 1]))
			continue;
		if (n == max)
			at--;
		else
			n++;
		for (; at > 0 && hotter(&h->top[i], &ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = h->top[i];
	}
	return n;
}

uint32_t hot_spread(double mbps, double node_mbps, uint32_t most)
{
	double n = mbps > 0 && node_mbps > 0 ? ceil(mbps / node_mbps) : 1;

	if (!(n > 1))
		return 1;
	return n < most ? (uint32_t)n : most;
}
