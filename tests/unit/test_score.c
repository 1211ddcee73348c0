/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/score.h"

static const struct score_params params = SCORE_PARAMS_DEFAULT;

static void rooms(void **state)
{
	static const struct {
		const char *what;
		struct score_figures f;
		double g, t;
	} rows[] = {
		{"idle", {100, 200, 0, 0.02}, 100, 196},
		{"between guarantee and maximum", {100, 200, 150, 0.02}, 0, 46},
		{"at the maximum", {100, 200, 196, 0.02}, 0, 0},
		{"above the maximum", {100, 200, 400, 0.02}, 0, 0},
		{"guarantee cut by the head-room", {200, 200, 190, 0.02}, 6, 6},
		{"no guarantee", {0, 200, 0, 0}, 0, 200},
		{"no limit", {HUGE_VAL, HUGE_VAL, 5, 0.02}, HUGE_VAL, HUGE_VAL},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct score_room r = score_room(&rows[i].f);

		print_message("%s\n", rows[i].what);
		assert_true(r.guaranteed_mbps == rows[i].g ||
			    fabs(r.guaranteed_mbps - rows[i].g) < 1e-9);
		assert_true(r.total_mbps == rows[i].t || fabs(r.total_mbps - rows[i].t) < 1e-9);
	}
}

static void formula(void **state)
{
	static const struct {
		const char *what;
		struct score_sums sums;
		struct score_room room;
		double w, q, score;
	} rows[] = {
		{"under: 1 + 1000 (0.5 * 0.5 + 0.5 * 0.25)", {100, 200}, {50, 50}, 1, 1, 376},
		{"quality does not count under the guarantee", {100, 200}, {50, 50}, 1, 0.01, 376},
		{"weight does", {100, 200}, {50, 50}, 2, 1, 752},
		{"over: 0.25", {100, 200}, {0, 50}, 1, 1, 0.25},
		{"over: 0.25 * 0.5^8", {100, 200}, {0, 50}, 1, 0.5, 0.25 / 256},
		{"no room", {100, 200}, {0, 0}, 1, 1, 0},
		{"no guarantee anywhere", {0, 200}, {0, 100}, 1, 1, 0.5},
		{"no sums", {0, 0}, {0, 0}, 1, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		double s = score_of(&params, rows[i].sums, rows[i].room, rows[i].w, rows[i].q);

		print_message("%s\n", rows[i].what);
		assert_true(fabs(s - rows[i].score) < 1e-12);
	}
}

static void powers(void **state)
{
	(void)state;
	assert_true(score_pow(0.5, 0) == 1);
	assert_true(score_pow(0.5, 8) == 1.0 / 256);
	assert_true(score_pow(1, 63) == 1);
	assert_true(fabs(score_pow(0.9, 2.5) - pow(0.9, 2.5)) < 1e-15);
	assert_true(fabs(score_pow(0.9, 7) - pow(0.9, 7)) < 1e-15);
}

static void rounding_is_exact(void **state)
{
	static const struct {
		double w[4];
		uint32_t ppm[4];
	} rows[] = {
		{{1, 1, 1, 0}, {333334, 333333, 333333, 0}},
		{{0, 0, 0, 0}, {0, 0, 0, 1000000}},
		{{1, 0, 0, 0}, {1000000, 0, 0, 0}},
		{{1, 1e-9, 0, 0}, {1000000, 0, 0, 0}},
		{{2, 1, 1, 0}, {500000, 250000, 250000, 0}},
		{{1e300, 1e300, 0, 0}, {500000, 500000, 0, 0}},
		{{1, 2, 0, 4}, {142857, 285714, 0, 571429}},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint32_t ppm[4];

		score_to_ppm(rows[i].w, 4, 3, SCORE_PPM, ppm);
		for (uint32_t k = 0; k < 4; k++)
			assert_int_equal(ppm[k], rows[i].ppm[k]);
	}
}

static void rounding_is_close(void **state)
{
	uint64_t x = 1;

	(void)state;
	for (uint32_t round = 0; round < 20000; round++) {
		double w[SCORE_ROW], sum = 0;
		uint32_t ppm[SCORE_ROW], n = 1 + round % SCORE_ROW, total = 0;

		for (uint32_t i = 0; i < n; i++) {
			x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			w[i] = ldexp((double)(x >> 40), -(int)(x >> 33 & 31));
			sum += w[i];
		}
		score_to_ppm(w, n, n - 1, SCORE_PPM, ppm);
		for (uint32_t i = 0; i < n; i++) {
			total += ppm[i];
			assert_true(fabs((double)ppm[i] - w[i] / sum * SCORE_PPM) < 1.0 + 1e-6);
		}
		assert_int_equal(total, SCORE_PPM);
	}
}

static void reasons_have_text(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < SCORE_REASONS; i++)
		assert_true(strlen(score_reason_text(i)) > 3);
	assert_string_equal(score_reason_text(SCORE_REASONS), "?");
	assert_true(score_reason_usable(SCORE_UNDER));
	assert_false(score_reason_usable(SCORE_AT_MAX));
	assert_false(score_reason_usable(255));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rooms),
		cmocka_unit_test(formula),
		cmocka_unit_test(powers),
		cmocka_unit_test(rounding_is_exact),
		cmocka_unit_test(rounding_is_close),
		cmocka_unit_test(reasons_have_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
