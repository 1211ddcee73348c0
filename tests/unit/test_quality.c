/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/quality.h"

static const struct quality_params p = QUALITY_PARAMS_DEFAULT;

static void formula(void **state)
{
	static const struct {
		const char *what;
		double s, f, z, q;
	} rows[] = {
		{"the best", 1, 100, 1, 1},
		{"half the pulls fail", 0.5, 100, 1, 0.0625},
		{"a tenth of the users stall", 1, 100, 0.9, 0.81},
		{"four times the floor", 1, 800, 1, 0.5},
		{"under the floor does not count", 1, 199, 1, 1},
		{"all bad", 0.1, 5000, 0.1, 0.01},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct quality_estimate e[2] = {
			{.value = {rows[i].s, rows[i].f, rows[i].z}}, {.value = {1, 150, 1}}};
		double q[2];

		print_message("%s\n", rows[i].what);
		quality_of_group(&p, (const struct quality_estimate *const[]){&e[0], &e[1]}, 2, q);
		assert_true(fabs(q[0] - rows[i].q) < 1e-12);
		assert_true(q[1] == 1);
	}
}

static void few_samples_shrink(void **state)
{
	struct quality_counts vendor = {.pulls = 100000, .ok = 99000}, group = {0};
	struct quality_counts isp = {.pulls = 10000, .ok = 9500};
	struct quality_estimate v, i, g;

	(void)state;
	/* one unlucky viewer does not move a city */
	group = (struct quality_counts){.pulls = 1, .users = 1, .stalled = 1};
	quality_shrink(&p, &vendor, NULL, &v);
	quality_shrink(&p, &isp, &v, &i);
	quality_shrink(&p, &group, &i, &g);
	assert_true(fabs(v.value[QUALITY_SUCCESS] - 0.99) < 1e-4);
	assert_true(fabs(i.value[QUALITY_SUCCESS] - 0.95) < 1e-3);
	assert_true(fabs(g.value[QUALITY_SUCCESS] - i.value[QUALITY_SUCCESS] * 50 / 51) < 1e-12);
	assert_true(fabs(g.own[QUALITY_SUCCESS] - 1 / 51.0) < 1e-12);
	assert_true(fabs(g.value[QUALITY_FIRST_FRAME] - i.value[QUALITY_FIRST_FRAME]) < 1e-9);
	assert_true(g.samples[QUALITY_ZERO_STALL] == 1);
	/* a thousand do */
	group = (struct quality_counts){.pulls = 1001, .ok = 500};
	quality_shrink(&p, &group, &i, &g);
	assert_true(g.value[QUALITY_SUCCESS] < 0.55);
	quality_shrink(&p, &(struct quality_counts){0}, NULL, &g);
	assert_true(g.value[QUALITY_SUCCESS] == 0.98);
}

/* More of anything good never lowers q. */
static void monotonic(void **state)
{
	uint64_t x = 1;

	(void)state;
	for (uint32_t round = 0; round < 20000; round++) {
		double r[3], q[2];
		struct quality_estimate e[2];

		for (uint32_t i = 0; i < 3; i++) {
			x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			r[i] = (double)(x >> 11) * 0x1p-53;
		}
		e[0] = (struct quality_estimate){.value = {r[0], 100 + 3000 * r[1], r[2]}};
		e[1] = e[0];
		e[1].value[round % 3] *= round % 3 == QUALITY_FIRST_FRAME ? 1.1 : 0.9;
		quality_of_group(&p, (const struct quality_estimate *const[]){&e[0], &e[1]}, 2, q);
		assert_true(q[0] >= q[1] && q[0] <= 1 && q[1] >= 0.01);
	}
}

static void told(struct quality_steer *s, double kbps, int n)
{
	while (n--)
		quality_steer_add(s, kbps, false);
}

static void steering_tells_vendors_apart_a_little(void **state)
{
	struct quality_steer v[3] = {0};
	const struct quality_steer *const of[3] = {&v[0], &v[1], &v[2]};
	double f[3];

	(void)state;
	quality_steer_of_group(of, 3, f);
	assert_true(f[0] == 1 && f[1] == 1 && f[2] == 1); /* nothing said, nothing changed */
	told(&v[0], 1000, 3);
	told(&v[1], 9000, 3);
	quality_steer_of_group(of, 3, f);
	assert_true(f[0] < 1 && f[0] > 0.98); /* three say little */
	told(&v[0], 1000, 10000);
	told(&v[1], 9000, 10000);
	quality_steer_of_group(of, 3, f);
	assert_true(f[0] == QUALITY_STEER_MIN && f[1] == 1);
	assert_true(f[2] >= QUALITY_STEER_MIN && f[2] < 1); /* unknown: as the group's mean */
	for (int i = 0; i < 30; i++)
		quality_steer_fade(&v[0], &p, 60);
	assert_true(v[0].told == 0 && v[0].log2_kbps == 0);
	quality_steer_of_group(of, 1, f);
	assert_true(f[0] == 1);
}

static void who_leaves_says_something_too(void **state)
{
	struct quality_steer v[2] = {0};
	const struct quality_steer *const of[2] = {&v[0], &v[1]};
	double f[2];

	(void)state;
	told(&v[0], 5000, 1000);
	told(&v[1], 5000, 1000);
	for (int i = 0; i < 100; i++)
		quality_steer_add(&v[1], 0, true);
	quality_steer_of_group(of, 2, f);
	assert_true(f[0] == 1);
	assert_true(fabs(f[1] - pow(1050.0 / 1150, 0.1)) < 1e-9);
	for (int i = 0; i < 100000; i++)
		quality_steer_add(&v[1], 0, true);
	quality_steer_of_group(of, 2, f);
	assert_true(f[1] == QUALITY_STEER_MIN); /* bounded, whoever says it */
}

static void throughputs_that_cannot_be_count_nothing(void **state)
{
	static const double bad[] = {0, -1, 0.5, 1e6 + 1, NAN, INFINITY};
	struct quality_steer s = {0};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(bad); i++)
		quality_steer_add(&s, bad[i], false);
	assert_true(s.told == 0 && s.log2_kbps == 0 && s.left == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(formula),
		cmocka_unit_test(few_samples_shrink),

		cmocka_unit_test(monotonic),
		cmocka_unit_test(steering_tells_vendors_apart_a_little),
		cmocka_unit_test(who_leaves_says_something_too),
		cmocka_unit_test(throughputs_that_cannot_be_count_nothing)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
