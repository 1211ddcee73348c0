/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/sticky.h"

static uint64_t next(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *x >> 33;
}

static void random_shares(uint64_t *x, uint32_t n, uint32_t *share)
{
	double w[SCORE_ROW] = {0};

	for (uint32_t i = 0; i < n; i++)
		w[i] = (double)(next(x) % 1000);
	if (next(x) % 8 == 0)
		w[SCORE_NONE] = (double)(next(x) % 200);
	score_to_ppm(w, SCORE_ROW, SCORE_NONE, SCORE_PPM, share);
}

/* Part of the hash space, ppm, that two rows give to different slots; by a sweep over 2^16 keys. */
static uint32_t differing(const struct sticky_row *a, const struct sticky_row *b)
{
	uint64_t n = 0;

	for (uint64_t k = 0; k < 65536; k++) {
		uint32_t hash = (uint32_t)(k << 16 | 0x7fff);

		n += sticky_lookup(a->entry, a->n, hash) != sticky_lookup(b->entry, b->n, hash);
	}
	return (uint32_t)(n * SCORE_PPM / 65536);
}

static void looks_up(void **state)
{
	static const struct {
		uint32_t hash, slot;
	} rows[] = {
		{0, 3},
		{0x000000ff, 3},
		{0x0fffffff, 3},
		{0x10000000, 1},
		{0x7fffffff, 1},
		{0x80000000, SCORE_NONE},
		{0xffffffff, SCORE_NONE},
	};
	const uint32_t entry[] = {0x0fffff00 | 3, 0x7fffff00 | 1, 0xffffff00 | SCORE_NONE};

	(void)state;
	assert_true(sticky_check(entry, 3));
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_int_equal(sticky_lookup(entry, 3, rows[i].hash), rows[i].slot);
	assert_int_equal(sticky_lookup(entry, 0, 1), SCORE_NONE);
	assert_int_equal(sticky_lookup(entry + 2, 1, 1), SCORE_NONE);
}

static void lookup_agrees_with_a_scan(void **state)
{
	uint64_t x = 11;

	(void)state;
	for (uint32_t n = 1; n <= STICKY_MAX; n++) {
		uint32_t entry[STICKY_MAX];

		for (uint32_t i = 0; i < n; i++)
			entry[i] = (STICKY_SPACE / n * (i + 1) - 1) << 8 | i % SCORE_ROW;
		entry[n - 1] |= 0xffffff00;
		for (uint32_t k = 0; k < 2000; k++) {
			uint32_t hash = (uint32_t)(next(&x) << 1), want = 0;

			if (k < n) /* at and beside the bounds */
				hash = entry[k] + (k % 2) * 256;
			while ((entry[want] >> 8) < (hash >> 8))
				want++;
			assert_int_equal(sticky_lookup(entry, n, hash), entry[want] & 0xff);
		}
	}
}

static void refuses_bad_tables(void **state)
{
	static const struct {
		uint32_t n, entry[3];
	} rows[] = {
		{0, {0}}, {1, {0xfffffe00}}, {2, {0xffffff00, 0xffffff01}},
		{2, {0x80000000, 0xffffff00}},             /* neighbours of one slot */
		{2, {0x80000000, 0xffffff00 | 17}},        /* no such slot */
		{3, {0x80000000, 0x70000001, 0xffffff02}}, /* falling */
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_false(sticky_check(rows[i].entry, rows[i].n));
}

static void moves_no_more_than_it_must(void **state)
{
	struct sticky_row row = {0}, was;
	uint32_t share[SCORE_ROW] = {400000, 300000, 200000, 100000}, now[SCORE_ROW], moved;

	(void)state;
	sticky_update(&row, share, 0, 0, NULL);
	sticky_shares(&row, now);
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		assert_true(labs((long)now[i] - (long)share[i]) <= 1);
	was = row;
	sticky_update(&row, share, 0, SCORE_PPM, &moved);
	assert_memory_equal(&row, &was, sizeof(row));
	assert_int_equal(moved, 0);
	share[0] = 300000; /* 10 % from 0 to 2, at most 1 % at once */
	share[2] = 300000;
	sticky_update(&row, share, 0, 10000, &moved);
	assert_true(moved <= 10000 && moved >= 9999);
	assert_true(labs((long)differing(&row, &was) - 10000) <= 40);
	sticky_update(&row, share, 1, 10000, &moved); /* 0 is cut: at once */
	assert_true(labs((long)moved - 90000) <= 2);
	sticky_shares(&row, now);
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		assert_true(labs((long)now[i] - (long)share[i]) <= 1);
	assert_true(labs((long)differing(&row, &was) - 100000) <= 40);
}

static void drains_at_once(void **state)
{
	struct sticky_row row = {0};
	const uint32_t before[SCORE_ROW] = {500000, 500000}, after[SCORE_ROW] = {0, 1000000};

	(void)state;
	sticky_update(&row, before, 0, 0, NULL);
	sticky_update(&row, after, 1, 0, NULL);
	for (uint64_t k = 0; k < 65536; k++)
		assert_int_equal(sticky_lookup(row.entry, row.n, (uint32_t)(k << 16)), 1);
	assert_int_equal(row.n, 1);
}

static void stays_sound_and_reaches_the_shares(void **state)
{
	uint64_t x = 3;
	uint32_t most = 0;

	(void)state;
	for (uint32_t round = 0; round < 40; round++) {
		struct sticky_row row = {0};
		uint32_t n = 1 + round % SL_MAX_SLOTS, share[SCORE_ROW], now[SCORE_ROW];

		for (uint32_t tick = 0; tick < 400; tick++) {
			struct sticky_row was = row;
			uint32_t moved, limit = (uint32_t)(next(&x) % 200000);

			random_shares(&x, n, share);
			sticky_update(
				&row, share, tick % 5 ? 0 : (uint32_t)next(&x), limit, &moved);
			assert_true(sticky_check(row.entry, row.n));
			most = row.n > most ? row.n : most;
			if (tick && tick % 5 && was.n < STICKY_DEFRAG)
				assert_true(
					moved <= limit && differing(&row, &was) <= limit + 1200);
		}
		for (uint32_t tick = 0; tick < 100; tick++)
			sticky_update(&row, share, 0, 50000, NULL);
		sticky_shares(&row, now);
		for (uint32_t i = 0; i < SCORE_ROW; i++)
			assert_true(labs((long)now[i] - (long)share[i]) <= 1);
	}
	print_message("at most %u entries\n", most);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_up),
		cmocka_unit_test(lookup_agrees_with_a_scan),
		cmocka_unit_test(refuses_bad_tables),
		cmocka_unit_test(moves_no_more_than_it_must),
		cmocka_unit_test(drains_at_once),
		cmocka_unit_test(stays_sound_and_reaches_the_shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
