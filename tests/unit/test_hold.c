/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/hold.h"

static void halves_until_it_fits(void **state)
{
	static const struct {
		double answer, may;
		uint8_t want;
	} rows[] = {
		{100, 100, 24},
		{100, 199, 24},
		{100, 200, 23}, /* twice as much may come: so may twice the block */
		{100, 99, 25},
		{100, 50, 25},
		{100, 49, 26},
		{100, 1, 31},
		{100, 0, 32}, /* nothing may come: the smallest block there is */
		{100, 1e-9, 32},
		{1, 1e9, 0},
		{0, 0, 0}, /* brings nothing */
		{(double)NAN, 1, 0},
		{1, (double)NAN, 24},
		{HUGE_VAL, 1, 32},
		{1, HUGE_VAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		if (hold_length(rows[i].answer, rows[i].may) != rows[i].want)
			fail_msg("%g of %g: %u, want %u", rows[i].answer, rows[i].may,
				hold_length(rows[i].answer, rows[i].may), rows[i].want);
}

static void grows_at_once_and_shrinks_late(void **state)
{
	(void)state;
	assert_int_equal(hold_steady(0, 28), 28);
	assert_int_equal(hold_steady(28, 29), 29);
	assert_int_equal(hold_steady(28, 28), 28);
	assert_int_equal(hold_steady(28, 27), 28); /* one bit back and forth moves nobody */
	assert_int_equal(hold_steady(28, 26), 27);
	assert_int_equal(hold_steady(28, 0), 1);
}

static void follows_what_caches_have(void **state)
{
	uint32_t share[SCORE_ROW] = {600000, 400000};
	struct hold_trail t = {{0}};
	double off = 0;

	(void)state;
	assert_true(hold_follow(&t, share, 1, 20) == 0); /* the first shares are no move */
	assert_true(hold_follow(&t, share, 1, 20) == 0);
	share[0] = 200000;
	share[1] = 800000;
	off = hold_follow(&t, share, 1, 20);
	assert_true(fabs(off - 400000 * exp(-0.05)) < 1);
	for (int i = 0; i < 40; i++) /* what was cached before ends */
		off = hold_follow(&t, share, 1, 20);
	assert_true(off > 400000 * 0.1 && off < HOLD_MOVING_PPM + 4000);
	/* a ramp of the whole in 300 s is 20 / 300 behind; one of an hour hardly moves */
	for (int i = 0; i < 200; i++)
		off = hold_follow(&t, share, 1, 20);
	for (int i = 0; i < 200; i++) {
		share[0] += 3333;
		share[1] -= 3333;
		off = hold_follow(&t, share, 1, 20);
	}
	assert_true(off > HOLD_MOVING_PPM && off < 66667);
	for (int i = 0; i < 600; i++) {
		share[0] -= 278;
		share[1] += 278;
		off = hold_follow(&t, share, 1, 20);
	}
	assert_true(off < 6000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(halves_until_it_fits),
		cmocka_unit_test(grows_at_once_and_shrinks_late),
		cmocka_unit_test(follows_what_caches_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
