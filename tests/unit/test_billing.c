/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "control/billing.h"

static void months_begin_where_the_calendar_says(void **state)
{
	static const struct {
		const char *about;
		uint64_t now_s;
		int32_t offset_min;
		uint64_t start_s, end_s;
	} rows[] = {
		{"1970", 0, 0, 0, 2678400},
		{"a leap year's February", 1709164800, 0, 1706745600, 1709251200},
		{"2100 has none", 4107542400, 0, 4105123200, 4107542400},
		{"the last second of a month", 1764547199, 0, 1761955200, 1764547200},
		{"December ends the year", 1764547200, 0, 1764547200, 1767225600},
		{"in China December began eight hours before", 1764518400, 480, 1764518400,
			1767196800},
		{"and a second before it had not", 1764518399, 480, 1761926400, 1764518400},
		{"west of Greenwich it begins later", 1764547200, -300, 1761973200, 1764565200},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint64_t start, end;

		billing_month(rows[i].now_s * 1000, rows[i].offset_min, &start, &end);
		if (i == 2) { /* 2100-03-01 is in March */
			assert_true(start == rows[i].end_s * 1000);
			billing_month(rows[i].now_s * 1000 - 1, 0, &start, &end);
		}
		if (start != rows[i].start_s * 1000 || end != rows[i].end_s * 1000)
			fail_msg("%s: got %llu to %llu", rows[i].about,
				(unsigned long long)start / 1000, (unsigned long long)end / 1000);
	}
}

static void a_twentieth_of_the_slots_is_free(void **state)
{
	static uint64_t s[BILLING_MAX_SLOTS];
	struct billing_position p;

	(void)state;
	billing_position(s, 0, 8640, 100, &p);
	assert_true(p.samples == 0 && p.free == 432 && p.free_left == 432 && p.p95_kbps == 0);
	for (uint32_t i = 0; i < 1000; i++)
		s[i] = (i * 7919) % 1000;         /* each of 0..999 once */
	billing_position(s, 1000, 8640, 899, &p); /* 900..999 are over */
	assert_int_equal(p.used, 100);
	assert_int_equal(p.free_left, 332);
	assert_int_equal(p.p95_kbps, 999 - 432); /* the 432 highest are struck out */
	for (uint32_t i = 0; i < 1000; i++)
		s[i] = i;
	billing_position(s, 1000, 8640, 499, &p);
	assert_int_equal(p.used, 500);
	assert_int_equal(p.free_left, 0);
	for (uint32_t i = 0; i < 432; i++)
		s[i] = 5;
	billing_position(s, 432, 8640, 4, &p); /* all that is free, and no more */
	assert_true(p.used == 432 && p.free_left == 0 && p.p95_kbps == 0);
	s[432] = 3;
	billing_position(s, 433, 8640, 4, &p);
	assert_int_equal(p.p95_kbps, 3);
}

static void means_are_of_five_minutes(void **state)
{
	struct billing_slot s = {0};
	uint64_t start = 0, kbps = 0, t0 = 1764547200000;

	(void)state;
	for (uint64_t t = t0; t < t0 + BILLING_SLOT_MS; t += 1000)
		assert_false(billing_add(&s, t < t0 + 150000 ? 10 : 30, t, &start, &kbps));
	assert_true(billing_add(&s, 30, t0 + BILLING_SLOT_MS, &start, &kbps));
	assert_true(start == t0);
	assert_in_range(kbps, 19900, 20200);
	/* a daemon that was down for most of a slot knows nothing of it */
	assert_false(billing_add(&s, 30, t0 + BILLING_SLOT_MS + 100000, &start, &kbps));
	assert_false(billing_add(&s, 30, t0 + 9 * (uint64_t)BILLING_SLOT_MS, &start, &kbps));
	/* time that goes back does no harm */
	assert_false(billing_add(&s, 30, t0, &start, &kbps));
	assert_false(billing_add(&s, 1e30, t0 + 1000, &start, &kbps));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(months_begin_where_the_calendar_says),
		cmocka_unit_test(a_twentieth_of_the_slots_is_free),
		cmocka_unit_test(means_are_of_five_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
