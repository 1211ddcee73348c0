/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/meter.h"

static const struct meter_limits lim = METER_LIMITS_DEFAULT;

enum { NOW = 100000000, MIN = 60000 };

static void faults_are_bounded_and_counted(void **state)
{
	static const struct {
		const char *what;
		double mbps;
		int64_t start, end, now; /* minutes from NOW */
		enum meter_verdict verdict;
		double kept;
	} rows[] = {
		{"the first", 100, -1, 0, 0, METER_OK, 100},
		{"the same again", 100, -1, 0, 1, METER_REPEATED, 100},
		{"the next", 110, 0, 1, 1, METER_OK, 110},
		{"an older one", 90, -2, -1, 1, METER_ORDER, 110},
		{"same end, other start", 90, -1, 1, 1, METER_ORDER, 110},
		{"below zero", -1, 1, 2, 2, METER_NEGATIVE, 110},
		{"not a number", (double)NAN, 1, 2, 2, METER_ABSURD, 110},
		{"no end", HUGE_VAL, 1, 2, 2, METER_ABSURD, 110},
		{"four times the maximum", 4000, 1, 2, 2, METER_OK, 4000},
		{"more than that", 4001, 2, 3, 3, METER_ABSURD, 4000},
		{"no window", 100, 3, 3, 3, METER_WINDOW, 4000},
		{"backward window", 100, 4, 3, 3, METER_WINDOW, 4000},
		{"a window of two hours", 100, -117, 3, 3, METER_WINDOW, 4000},
		{"of tomorrow", 100, 1440, 1441, 3, METER_FUTURE, 4000},
		{"four minutes behind", 120, 3, 4, 8, METER_OK, 120},
		{"ten minutes behind", 130, 4, 5, 15, METER_LATE, 130},
		{"an hour behind", 140, 6, 7, 67, METER_STALE, 130},
	};
	struct meter m = {0};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint64_t was = m.count[rows[i].verdict];

		print_message("%s\n", rows[i].what);
		assert_int_equal(
			meter_push(&m, &lim, rows[i].mbps, (uint64_t)(NOW + rows[i].start * MIN),
				(uint64_t)(NOW + rows[i].end * MIN),
				(uint64_t)(NOW + rows[i].now * MIN), 1000),
			rows[i].verdict);
		assert_int_equal(m.count[rows[i].verdict], was + 1);
		assert_true(m.mbps == rows[i].kept);
	}
	for (uint32_t v = 0; v < METER_VERDICTS; v++)
		assert_true(strlen(meter_verdict_text(v)) >= 2);
	assert_string_equal(meter_verdict_text(METER_VERDICTS), "?");
}

static void silence_is_flagged_and_forgets(void **state)
{
	struct meter m = {0};

	(void)state;
	meter_tick(&m, &lim, NOW);
	assert_false(m.present);
	(void)meter_push(&m, &lim, 100, NOW - MIN, NOW, NOW, 1000);
	for (uint64_t t = 0; t <= 6 * MIN; t += 1000)
		meter_tick(&m, &lim, NOW + t);
	assert_false(m.silent);
	for (uint64_t t = 6 * MIN + 1; t <= 15 * MIN; t += 1000)
		meter_tick(&m, &lim, NOW + t);
	assert_true(m.silent && m.present);
	assert_int_equal(m.silences, 1);
	meter_tick(&m, &lim, NOW + 15 * MIN);
	assert_true(m.present);
	meter_tick(&m, &lim, NOW + 15 * MIN + 1);
	assert_false(m.present);
	(void)meter_push(&m, &lim, 100, NOW + 15 * MIN, NOW + 16 * MIN, NOW + 16 * MIN, 1000);
	assert_true(m.present && !m.silent);
}

/* By eight hours: the figure is as old as it was, is silent when it should be, and the next is
 * taken. */
static void a_clock_set_back(void **state)
{
	enum { BACK = 480 * MIN };
	struct meter m = {0};

	(void)state;
	(void)meter_push(&m, &lim, 100, NOW - 2 * MIN, NOW - MIN, NOW, 1000);
	meter_tick(&m, &lim, NOW + MIN - BACK);
	assert_true(m.present && m.end_ms == NOW - BACK);
	assert_int_equal(
		meter_push(&m, &lim, 110, NOW - BACK, NOW + MIN - BACK, NOW + MIN - BACK, 1000),
		METER_OK);
	meter_tick(&m, &lim, NOW - 2 * BACK);
	meter_tick(&m, &lim, NOW - 2 * BACK + 6 * MIN);
	assert_true(m.present && !m.silent);
	meter_tick(&m, &lim, NOW - 2 * BACK + 7 * MIN);
	assert_true(m.present && m.silent);
	meter_tick(&m, &lim, NOW - 2 * BACK + 16 * MIN);
	assert_false(m.present);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_are_bounded_and_counted),
		cmocka_unit_test(silence_is_flagged_and_forgets),
		cmocka_unit_test(a_clock_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
