/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/ledger.h"

enum { CELLS = 3, START = 1000000000 };

static struct ledger *fresh(void)
{
	static _Alignas(16) unsigned char mem[1 << 18];

	assert_true(ledger_size(CELLS) <= sizeof(mem));
	return ledger_init(mem, sizeof(mem), CELLS, START);
}

static void near(double a, double b, double relative)
{
	if (!(fabs(a - b) <= relative * fmax(fabs(a), fabs(b)) + 1e-9))
		fail_msg("%g is not near %g", a, b);
}

static void sessions_age(void **state)
{
	struct ledger *l = fresh();

	(void)state;
	assert_false(ledger_known(l, 0));
	ledger_advance(l, START, 600);
	ledger_add(l, 0, 1000, 4000); /* 4 Gbps */
	assert_true(ledger_known(l, 0));
	assert_false(ledger_known(l, 1));
	near(ledger_load(l, 0), 4000, 1e-12);
	near(ledger_departing(l, 0, 60000) + (4000 - ledger_departing(l, 0, 60000)), 4000, 1e-12);
	for (uint64_t t = 1; t <= 60; t++)
		ledger_advance(l, START + t * 1000, 600);
	near(ledger_load(l, 0),
		4000 * (0.15 * exp(-0.5) + 0.7 * exp(-0.4 / 3) + 0.15 * exp(-3.0 / 89)), 1e-9);
}

static void steady_flow_holds_length_times_rate(void **state)
{
	struct ledger *l = fresh();
	double covered;

	(void)state;
	for (uint64_t t = 1; t <= 7200; t++) {
		ledger_advance(l, START + t * 1000, 300);
		ledger_add(l, 1, 10, 3000);
	}
	near(ledger_load(l, 1), 10 * 3 * 300, 0.01); /* Little's law */
	near(ledger_mean(l, 1, START + 7000000, START + 7060000, &covered), 9000, 0.01);
	near(covered, 1, 0);
	/* what stands survives by the weight of its phases */
	near(1 - ledger_departing(l, 1, 100000) / ledger_load(l, 1), ledger_survive(100000, 300),
		0.01);
	near(ledger_survive(0, 300), 1, 1e-12);
}

static void mean_over_windows(void **state)
{
	struct ledger *l = fresh();
	double covered, whole = 0;

	(void)state;
	/* a step: nothing for 100 s, then 1000 Mbps of nearly immortal sessions */
	for (uint64_t t = 1; t <= 200; t++) {
		ledger_advance(l, START + t * 1000, 86400);
		if (t == 100)
			ledger_add(l, 0, 1, 1e6);
	}
	near(ledger_mean(l, 0, START, START + 100000, &covered), 0, 0);
	near(ledger_mean(l, 0, START + 50000, START + 150000, NULL), 500, 0.01);
	near(ledger_mean(l, 0, START + 150000, START + 150001, NULL), 1000, 0.01);
	near(ledger_mean(l, 0, START + 150000, START + 150000, NULL), ledger_load(l, 0), 1e-12);
	/* half of the window lies before the ledger began, or in the future */
	near(ledger_mean(l, 0, START - 50000, START + 50000, &covered), 0, 0);
	near(covered, 0.5, 1e-12);
	near(ledger_mean(l, 0, START + 150000, START + 250000, &covered), 1000, 0.01);
	near(covered, 0.5, 1e-12);
	near(ledger_mean(l, 0, 0, 10, &covered), 0, 0);
	near(covered, 0, 0);
	/* parts sum to the whole */
	for (uint64_t t = 0; t < 200; t += 5)
		whole += ledger_mean(l, 0, START + t * 1000 + 300, START + t * 1000 + 5300, NULL) /
			 40;
	near(whole, ledger_mean(l, 0, START + 300, START + 200300, NULL), 1e-9);
}

static void ring_covers_twenty_minutes(void **state)
{
	struct ledger *l = fresh();
	double covered;

	(void)state;
	for (uint64_t t = 0; t <= 4000 * 5; t++) /* ticks of 200 ms */
		ledger_advance(l, START + t * 200, 600);
	(void)ledger_mean(l, 0, START + 4000000 - 1200000, START + 4000000, &covered);
	near(covered, 1, 0);
	(void)ledger_mean(l, 0, START, START + 1000, &covered);
	near(covered, 0, 0);
}

static void clock_may_be_set_back(void **state)
{
	struct ledger *l = fresh();

	(void)state;
	for (uint64_t t = 1; t <= 100; t++) {
		ledger_advance(l, START + t * 1000, 86400);
		if (t == 50)
			ledger_add(l, 0, 1, 1e6);
	}
	ledger_advance(l, START - 3600000, 86400);
	near(ledger_mean(l, 0, START - 3600000 - 100000, START - 3600000, NULL), 500, 0.01);
	assert_non_null(ledger_check(l, ledger_size(CELLS)));
}

static void bounds(void **state)
{
	struct ledger *l = fresh();

	(void)state;
	ledger_add(l, 0, nan(""), 1000);
	ledger_add(l, 0, 1, -1000);
	ledger_add(l, 0, HUGE_VAL, 1);
	ledger_add(l, CELLS, 1, 1000);
	near(ledger_load(l, 0), 0, 0);
	near(ledger_load(l, CELLS), 0, 0);
	assert_null(ledger_init(l, 10, CELLS, 0));
	assert_null(ledger_init(l, SIZE_MAX, LEDGER_MAX_CELLS + 1, 0));
	assert_true(ledger_survive(1000, nan("")) > 0);
}

/* The octets are the ledger: a copy goes on just the same; a damaged one is refused or harmless. */
static void survives_a_restart(void **state)
{
	static _Alignas(16) unsigned char copy[1 << 18];
	struct ledger *l = fresh(), *back;
	size_t size = ledger_size(CELLS);
	uint64_t x = 5;

	(void)state;
	for (uint64_t t = 1; t <= 2000; t++) {
		ledger_advance(l, START + t * 1000, 600);
		ledger_add(l, t % CELLS, 5, 3000);
	}
	memcpy(copy, l, size);
	back = ledger_check(copy, size);
	assert_non_null(back);
	ledger_advance(l, START + 2100000, 600);
	ledger_advance(back, START + 2100000, 600);
	assert_memory_equal(copy, l, size);
	assert_null(ledger_check(copy, size - 1));
	for (uint32_t round = 0; round < 3000; round++) {
		memcpy(copy, l, size);
		x = x * UINT64_C(6364136223846793005) + 1;
		copy[(x >> 33) % (round % 2 ? 256 : size)] ^= (unsigned char)(1U << (round % 8));
		back = ledger_check(copy, size);
		if (!back)
			continue;
		ledger_advance(back, START + 2200000, 600);
		assert_true(ledger_mean(back, 0, START, START + 2200000, NULL) >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_age),
		cmocka_unit_test(steady_flow_holds_length_times_rate),
		cmocka_unit_test(mean_over_windows),
		cmocka_unit_test(ring_covers_twenty_minutes),
		cmocka_unit_test(clock_may_be_set_back),
		cmocka_unit_test(bounds),
		cmocka_unit_test(survives_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
