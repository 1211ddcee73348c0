/* SPDX-License-Identifier: Apache-2.0 */
/* The sums of books over windows: pull attempts, first frames, users, sessions. */
#include "collect/books_int.h"

#include <string.h>

/* Pull attempts that no window can show any more. */
static void forget_pulls(struct collect_books *b, uint64_t now_ms)
{
	while (b->k->pull_first < b->k->pull_end &&
		b->pull[b->k->pull_first % b->limits.pulls].came_ms + COLLECT_MINUTE_MS <= now_ms)
		b->k->pull_first++;
}

/* The short window that holds this time, 0 for none. Newest first: 1 is the one that ends now. */
static uint32_t step_of(uint64_t t_ms, uint64_t now_ms)
{
	uint64_t step = t_ms > now_ms ? 1 : 1 + (now_ms - t_ms) / COLLECT_STEP_MS;

	return step <= COLLECT_STEPS ? (uint32_t)step : 0;
}

static size_t index_of(uint32_t span, uint32_t cell)
{
	return (size_t)span * COLLECT_MAX_CELLS + cell;
}

static void count_pull(struct collect_books *b, const struct collect_pull *p, size_t at)
{
	struct facts_cell *f = &b->fact[at];

	f->pulls++;
	f->pulls_ok += p->ok != 0;
	f->first_frames += p->first_frame_us != UINT32_MAX;
}

/* Every pull attempt of the minute, in each of its spans. */
static void each_pull(struct collect_books *b, uint64_t now_ms,
	void (*fn)(struct collect_books *, const struct collect_pull *, size_t at))
{
	uint64_t start_ms = collect_window_start(0, now_ms);

	for (uint64_t i = b->k->pull_first; i < b->k->pull_end; i++) {
		const struct collect_pull *p = &b->pull[i % b->limits.pulls];
		uint32_t step = step_of(p->t_ms, now_ms);
		uint32_t vendor = b->cell[p->cell].vendor * (uint32_t)COLLECT_WORDS;

		if (p->t_ms < start_ms)
			continue;
		fn(b, p, index_of(0, p->cell));
		if (step)
			fn(b, p, index_of(step, p->cell));
		if (p->definition)
			fn(b, p, index_of(COLLECT_SPAN_DEFINITION, vendor + p->definition));
		if (p->client)
			fn(b, p, index_of(COLLECT_SPAN_CLIENT, vendor + p->client));
	}
}

static void put_sample(struct collect_books *b, const struct collect_pull *p, size_t at)
{
	if (p->first_frame_us != UINT32_MAX)
		b->sample[b->sample_at[at]++] = p->first_frame_us;
}

enum { DIGIT_BITS = 9, DIGITS = 3, SMALL = 64 }; /* first frames are below 2^27 us */

static void sort_small(uint32_t *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		uint32_t x = v[i], k = i;

		for (; k > 0 && v[k - 1] > x; k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
}

/* Sorts by digits, lowest first; a concert's start brings millions of first frames to a tick.
 * The result is in v. */
void collect_sort(uint32_t *v, uint32_t *spare, uint32_t n)
{
	uint32_t *from = v, *to = spare;

	if (n <= SMALL) {
		sort_small(v, n);
		return;
	}
	for (uint32_t shift = 0; shift < DIGIT_BITS * DIGITS; shift += DIGIT_BITS) {
		uint32_t at[1 << DIGIT_BITS] = {0}, sum = 0, *swap = from;

		for (uint32_t i = 0; i < n; i++)
			at[from[i] >> shift & ((1 << DIGIT_BITS) - 1)]++;
		for (uint32_t d = 0; d < SL_COUNT(at); d++) {
			uint32_t count = at[d];

			at[d] = sum;
			sum += count;
		}
		for (uint32_t i = 0; i < n; i++)
			to[at[from[i] >> shift & ((1 << DIGIT_BITS) - 1)]++] = from[i];
		from = to;
		to = swap;
	}
	memcpy(v, from, n * sizeof(*v)); /* an odd number of passes ends in spare */
}

/* Nearest rank: the smallest sample that `cent` of a hundred do not pass. */
static uint32_t percentile(const uint32_t *sorted, uint32_t n, uint32_t cent)
{
	return sorted[((uint64_t)n * cent + 99) / 100 - 1];
}

/* Mean of what is left when a tenth is cut from either end, rounded down. */
static uint32_t trimmed_mean(const uint32_t *sorted, uint32_t n)
{
	uint32_t cut = n / 10;
	uint64_t sum = 0;

	for (uint32_t i = cut; i < n - cut; i++)
		sum += sorted[i];
	return (uint32_t)(sum / (n - 2 * cut));
}

static void fill_first_frame(struct collect_books *b, size_t at)
{
	struct facts_cell *f = &b->fact[at];
	uint32_t n = f->first_frames, *run = b->sample + b->sample_at[at] - n;

	if (n == 0)
		return;
	collect_sort(run, b->spare, n);
	f->first_frame_us = trimmed_mean(run, n);
	f->first_frame_p50_us = percentile(run, n, 50);
	f->first_frame_p95_us = percentile(run, n, 95);
}

/* Lays the first frames of each span and cell side by side, then looks at each run. A pull is in
 * the minute, in one short window, one definition and one client kind at most: four times the pulls
 * is room enough. */
static void fill_first_frames(struct collect_books *b, uint64_t now_ms)
{
	uint32_t at = 0;

	for (uint32_t s = 0; s < COLLECT_SPANS; s++)
		for (uint32_t c = 0; c < collect_span_cells(b, s); c++) {
			b->sample_at[index_of(s, c)] = at;
			at += b->fact[index_of(s, c)].first_frames;
		}
	each_pull(b, now_ms, put_sample);
	for (uint32_t s = 0; s < COLLECT_SPANS; s++)
		for (uint32_t c = 0; c < collect_span_cells(b, s); c++)
			fill_first_frame(b, index_of(s, c));
}

static void count_user(struct facts_cell *f, bool stalled)
{
	f->users++;
	f->stalled_users += stalled;
}

static void fill_users(struct collect_books *b, uint64_t now_ms)
{
	uint64_t start_ms = collect_window_start(0, now_ms);

	for (struct collect_user *u = NULL; (u = collect_table_next(&b->users, u));) {
		uint32_t vendor = b->cell[u->cell].vendor * (uint32_t)COLLECT_WORDS;
		bool stalled = u->stalled_ms >= start_ms;

		if (u->e.seen_ms < start_ms) {
			collect_table_remove(&b->users, u);
			continue;
		}
		count_user(&b->fact[u->cell], stalled);
		if (u->definition)
			count_user(
				&b->fact[index_of(COLLECT_SPAN_DEFINITION, vendor + u->definition)],
				stalled);
		if (u->client)
			count_user(&b->fact[index_of(COLLECT_SPAN_CLIENT, vendor + u->client)],
				stalled);
	}
}

void collect_window_fill(struct collect_books *b, uint64_t now_ms)
{
	for (uint32_t s = 0; s < COLLECT_SPANS; s++) {
		struct facts_cell *f = &b->fact[index_of(s, 0)];

		memset(f, 0, collect_span_cells(b, s) * sizeof(*f));
		for (uint32_t c = 0; s < COLLECT_WINDOWS && c < b->k->n_cells; c++) {
			f[c].window = s;
			f[c].vendor = b->cell[c].vendor;
			f[c].group = b->cell[c].group;
		}
	}
	forget_pulls(b, now_ms);
	each_pull(b, now_ms, count_pull);
	fill_first_frames(b, now_ms);
	fill_users(b, now_ms);
}
