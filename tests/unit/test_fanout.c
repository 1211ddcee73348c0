/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/fanout.h"

static struct fanout f;

static void learns_by_block(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	assert_true(fanout_weight(&f, 1) == 1);
	for (uint64_t block = 0; block < 100; block++) {
		fanout_answers(&f, block, 1000);
		fanout_sessions(&f, block, block == 7 ? 500000 : 2000);
	}
	assert_true(fabs(fanout_weight(&f, 7) / 500 - 1) < 0.05);
	assert_true(fabs(fanout_weight(&f, 8) / 2 - 1) < 0.1);
	/* an unknown block: the mean of all; the carrier's one counts by its answers */
	assert_true(fabs(fanout_weight(&f, 100000) - 698000 / 100000.0) < 0.1);
}

static void is_bounded(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	fanout_sessions(&f, 1, 1e11);
	assert_true(fanout_weight(&f, 1) == FANOUT_MAX);
	fanout_answers(&f, 2, (double)NAN);
	fanout_answers(&f, 2, -1);
	fanout_sessions(&f, 2, HUGE_VAL);
	assert_true(f.all_answers == 0);
	memset(&f, 0, sizeof(f));
	fanout_answers(&f, 1, 1e11);
	assert_true(fanout_weight(&f, 1) == 1.0 / FANOUT_MAX);
}

static void fades(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	fanout_answers(&f, 1, 10000);
	fanout_sessions(&f, 1, 100000);
	for (uint32_t t = 0; t < 400; t++)
		fanout_fade(&f, 0.9);
	assert_true(fabs(fanout_weight(&f, 1) - 1) < 1e-6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learns_by_block),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(fades),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
