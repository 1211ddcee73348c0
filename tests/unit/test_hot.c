/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/hot.h"

static struct hot h;

static int reset(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	return 0;
}

/* 100 000 streams by Zipf's law: the first twenty are found, in order, near to their counts. */
static void finds_the_leaders(void **state)
{
	struct hot_entry top[20];

	(void)state;
	for (uint64_t round = 0; round < 3; round++)
		for (uint64_t k = 100000; k > 0; k--)
			hot_add(&h, k, 1e6 / (double)k);
	assert_int_equal(hot_top(&h, top, 20), 20);
	for (uint64_t i = 0; i < 20; i++) {
		double truth = 3e6 / (double)(i + 1);

		assert_int_equal(top[i].key, i + 1);
		assert_true(top[i].weight >= truth * (1 - 1e-9) && top[i].weight < truth * 1.1);
	}
}

static void never_below_the_truth(void **state)
{
	static double truth[5000];
	uint64_t x = 1;

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		uint64_t key;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		key = 1 + (x >> 33) % 4999;
		hot_add(&h, key, 1);
		truth[key]++;
	}
	for (uint64_t key = 1; key < 5000; key++)
		assert_true(hot_weight(&h, key) >= truth[key]);
}

static void fades(void **state)
{
	struct hot_entry top[4];

	(void)state;
	hot_add(&h, 1, 1000);
	for (uint32_t t = 0; t < 60; t++) {
		hot_fade(&h, 0.9);
		hot_add(&h, 2, 100);
	}
	assert_int_equal(hot_top(&h, top, 4), 2);
	assert_int_equal(top[0].key, 2);
	assert_true(fabs(top[0].weight - 1000) < 5);
	for (uint32_t t = 0; t < 200; t++) {
		hot_fade(&h, 0.9);
		hot_add(&h, 2, 100);
	}
	assert_int_equal(hot_top(&h, top, 4), 1); /* what is gone is dropped */
	hot_fade(&h, (double)NAN);
	assert_int_equal(hot_top(&h, top, 4), 0);
}

static void bounds(void **state)
{
	struct hot_entry top[1];

	(void)state;
	hot_add(&h, 0, 5);
	hot_add(&h, 1, -5);
	hot_add(&h, 1, (double)NAN);
	hot_add(&h, 1, HUGE_VAL);
	assert_int_equal(h.n, 0);
	hot_add(&h, 7, 1);
	hot_add(&h, 6, 1);
	assert_int_equal(hot_top(&h, top, 1), 1);
	assert_int_equal(top[0].key, 6); /* ties by key */
	assert_int_equal(hot_top(&h, top, 0), 0);
	for (uint64_t k = 1; k <= HOT_KEYS + 10; k++)
		hot_add(&h, k, (double)k);
	assert_int_equal(h.n, HOT_KEYS);
}

static void spreads(void **state)
{
	static const struct {
		double mbps, node;
		uint32_t most, nodes;
	} rows[] = {{0, 100, 8, 1}, {99, 100, 8, 1}, {101, 100, 8, 2}, {450, 100, 8, 5},
		{1e9, 100, 8, 8}, {100, 0, 8, 1}, {(double)NAN, 100, 8, 1}, {HUGE_VAL, 100, 8, 8}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_int_equal(
			hot_spread(rows[i].mbps, rows[i].node, rows[i].most), rows[i].nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_the_leaders, reset),
		cmocka_unit_test_setup(never_below_the_truth, reset),
		cmocka_unit_test_setup(fades, reset),
		cmocka_unit_test_setup(bounds, reset),
		cmocka_unit_test(spreads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
