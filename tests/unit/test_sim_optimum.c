/* SPDX-License-Identifier: Apache-2.0 */
/* The optimum: commitments first, then quality, never past the maxima. */
#include "test.h"

#include "sim/report.h"

#include <math.h>

static struct scenario_group groups[] = {{"CN/GD/telecom", 1}, {"CN/BJ/unicom", 1}};
static struct scenario_point curve[] = {{0, 0}};
static struct scenario_rung ladder[] = {{1000, 1}};

static void cases(void **state)
{
	static const struct {
		const char *what;
		double seated, load_a, load_b;
	} rows[] = {
		{"below the commitments: filled in order of quality", 300e3, 200, 100},
		{"commitments first, the rest where it is better", 500e3, 400, 100},
		{"at the maximum of the better one", 1100e3, 784, 316},
	};
	struct scenario_vendor vendors[] = {
		{.name = "a", .max_mbps = 800, .guaranteed_mbps = 200, .quality = {1, 400, 1}},
		{.name = "b", .max_mbps = 800, .guaranteed_mbps = 100, .quality = {0.95, 400, 1}},
	};

	(void)state;
	for (uint32_t i = 0; i < SL_COUNT(rows); i++) {
		struct scenario s = {.f = {.name = "x", .duration_s = 10}};
		const double most[SIM_MAX_VENDORS] = {HUGE_VAL, HUGE_VAL, HUGE_VAL, HUGE_VAL};
		double load[SIM_MAX_VENDORS], commit[SIM_MAX_VENDORS], quality, seated = 0;
		struct plant *p;

		s.f.vendors = vendors;
		s.f.vendors_count = 2;
		s.f.scheduler.headroom = 0.02;
		s.f.audience = (struct scenario_audience){groups, 2, curve, 1,
			rows[i].seated / 1000, ladder, 1, 100, 3, 1, 1, {.http = 1}, 30, 20, 4, 0};
		p = plant_new(&s, 1);
		plant_begin(p);
		assert_int_equal(report_optimum(p, most, load, commit, &quality), 0);
		for (uint32_t g = 0; g < 2; g++)
			seated += plant_demand_mbps(p, g);
		/* groups differ in bitrate by seed, so the total is near what was asked */
		if (fabs(load[0] + load[1] - seated) > 1e-6 ||
			fabs(load[0] - rows[i].load_a) > rows[i].seated * 1e-4 ||
			fabs(load[1] - rows[i].load_b) > rows[i].seated * 1e-4)
			fail_msg("%s: got %g and %g", rows[i].what, load[0], load[1]);
		assert_true(quality <= 1 && quality > 0.8);
		plant_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
