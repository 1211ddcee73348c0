/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/pick.h"

static uint64_t next(uint64_t *x)
{
	*x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *x >> 33;
}

static void random_shares(uint64_t *x, uint32_t *share)
{
	double w[SCORE_ROW] = {0};
	uint32_t n = 1 + (uint32_t)(next(x) % SL_MAX_SLOTS);

	for (uint32_t i = 0; i < n; i++)
		w[next(x) % SL_MAX_SLOTS] = ldexp((double)next(x), -(int)(next(x) % 14));
	if (next(x) % 4 == 0)
		w[SCORE_NONE] = (double)next(x) / 4;
	score_to_ppm(w, SCORE_ROW, SCORE_NONE, SCORE_PPM, share);
}

/* Asked against given, in dispatches, over a sequence; returns the largest difference. */
static double run(
	struct pick_seq *seq, const uint32_t *share, uint32_t n, double *asked, double *given)
{
	double worst = 0;

	for (uint32_t t = 0; t < n; t++) {
		given[pick_next(seq, share, UINT32_MAX)]++;
		for (uint32_t i = 0; i < SCORE_ROW; i++) {
			asked[i] += share[i] / 1e6;
			worst = fmax(worst, fabs(asked[i] - given[i]));
		}
	}
	return worst;
}

static void within_one_dispatch(void **state)
{
	uint64_t x = 1;

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		struct pick_seq seq = {{0}};
		double asked[SCORE_ROW] = {0}, given[SCORE_ROW] = {0};
		uint32_t share[SCORE_ROW];

		random_shares(&x, share);
		assert_true(run(&seq, share, 3000, asked, given) < 1);
		for (uint32_t i = 0; i < SCORE_ROW; i++)
			assert_true(share[i] || !given[i]);
	}
}

static void lags_carry_over_a_change(void **state)
{
	uint64_t x = 7;
	double worst = 0;

	(void)state;
	for (uint32_t round = 0; round < 100; round++) {
		struct pick_seq seq = {{0}};
		double asked[SCORE_ROW] = {0}, given[SCORE_ROW] = {0};
		uint32_t share[SCORE_ROW];

		for (uint32_t change = 0; change < 300; change++) {
			random_shares(&x, share);
			worst = fmax(worst,
				run(&seq, share, 1 + (uint32_t)(next(&x) % 20), asked, given));
		}
	}
	print_message("wholly new shares every 10 dispatches: at most %.3f off\n", worst);
	assert_true(worst < 2);
}

/* Of six equal slots three have had nothing after three dispatches. If the row turns to these,
 * every rule leaves one of them 7/6 behind; ours no more. */
static void one_change_costs_no_more_than_it_must(void **state)
{
	uint32_t share[SCORE_ROW] = {166667, 166667, 166667, 166667, 166666, 166666};
	struct pick_seq seq = {{0}};
	double asked[SCORE_ROW] = {0}, given[SCORE_ROW] = {0}, worst;
	uint32_t left = 3;

	(void)state;
	assert_true(run(&seq, share, 3, asked, given) < 1);
	for (uint32_t i = 0; i < 6; i++) {
		share[i] = given[i] > 0 ? 0 : left == 3 ? 333334 : 333333;
		left -= share[i] != 0;
	}
	assert_int_equal(left, 0);
	worst = run(&seq, share, 3000, asked, given);
	print_message("a row that turns to those who had nothing: %.4f off\n", worst);
	assert_true(worst < 7.0 / 6 + 1e-5);
}

static void drifting_shares_stay_within_one(void **state)
{
	uint64_t x = 3;
	double worst = 0;

	(void)state;
	for (uint32_t round = 0; round < 50; round++) {
		struct pick_seq seq = {{0}};
		double asked[SCORE_ROW] = {0}, given[SCORE_ROW] = {0}, w[SCORE_ROW] = {0};
		uint32_t share[SCORE_ROW];

		for (uint32_t i = 0; i < 8; i++)
			w[i] = (double)(1 + next(&x) % 1000);
		for (uint32_t change = 0; change < 300; change++) {
			for (uint32_t i = 0; i < 8; i++)
				w[i] *= 0.98 + (double)(next(&x) % 1000) * 4e-5;
			score_to_ppm(w, SCORE_ROW, SCORE_NONE, SCORE_PPM, share);
			worst = fmax(worst, run(&seq, share, 20, asked, given));
		}
	}
	print_message("shares that drift by 2%% every 20 dispatches: at most %.3f off\n", worst);
	assert_true(worst < 1);
}

static void honours_the_mask(void **state)
{
	const uint32_t share[SCORE_ROW] = {500000, 300000, 200000};
	struct pick_seq seq = {{0}};
	double given[SCORE_ROW] = {0};
	int64_t sum = 0;

	(void)state;
	for (uint32_t t = 0; t < 5000; t++)
		given[pick_next(&seq, share, 6)]++;
	assert_true(given[0] == 0);
	assert_true(fabs(given[1] - 3000) <= 1 && fabs(given[2] - 2000) <= 1);
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		sum += seq.lag[i];
	assert_int_equal(sum, 0);
	assert_int_equal(pick_next(&seq, share, 0), SCORE_NONE);
	assert_int_equal(pick_next(&seq, share, 8), SCORE_NONE);
	/* masked ones pile up no claim: back in, slot 0 gets its part and no burst */
	given[0] = 0;
	for (uint32_t t = 0; t < 10; t++)
		given[0] += pick_next(&seq, share, 7) == 0;
	assert_true(given[0] >= 4 && given[0] <= 6);
}

static void ranks(void **state)
{
	static const struct {
		const char *what;
		uint32_t usable, avoid, cur, first;
		const char *out;
	} rows[] = {
		{"the picked one, then by score", 0xf, 0, SCORE_NONE, 2, "2130"},
		{"none picked", 0xf, 0, SCORE_NONE, SCORE_NONE, "1320"},
		{"cur keeps its vendor", 0xf, 0, 0, 2, "0213"},
		{"cur is the picked one", 0xf, 0, 2, 2, "2130"},
		{"cur not usable", 0xe, 0, 0, 2, "213"},
		{"avoid goes last", 0xf, 1 << 1, SCORE_NONE, 2, "2301"},
		{"avoid beats the pick", 0xf, 1 << 2, SCORE_NONE, 2, "1302"},
		{"avoid beats cur", 0xf, 1 << 0, 0, 2, "2130"},
		{"only the avoided is left", 1 << 1, 1 << 1, 1, 1, "1"},
		{"nothing usable", 0, 0, 0, 1, ""},
	};
	static const uint8_t order[] = {1, 3, 2, 0};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint8_t slot[SL_MAX_SLOTS];
		uint32_t n = pick_rank(
			order, 4, rows[i].usable, rows[i].avoid, rows[i].cur, rows[i].first, slot);

		print_message("%s\n", rows[i].what);
		assert_int_equal(n, strlen(rows[i].out));
		for (uint32_t k = 0; k < n; k++)
			assert_int_equal(slot[k], rows[i].out[k] - '0');
	}
}

static void rungs_by_hash(void **state)
{
	static const struct {
		uint32_t ppm[3], hash, rung;
	} rows[] = {
		{{1000000, 0, 0}, UINT32_MAX, 0},
		{{800000, 200000, 0}, 0, 0},
		{{800000, 200000, 0}, 3435973836U, 0}, /* 0.8 of the space, less one */
		{{800000, 200000, 0}, 3435973840U, 1},
		{{0, 0, 1000000}, 0, 2},
		{{0, 600000, 400000}, 2576980377U, 1},
		{{0, 600000, 400000}, 2576980400U, 2},
	};
	uint32_t hits[3] = {0};
	uint64_t x = 1;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_int_equal(pick_rung(rows[i].ppm, 3, rows[i].hash), rows[i].rung);
	for (uint32_t i = 0; i < 100000; i++)
		hits[pick_rung((const uint32_t[]){500000, 300000, 200000}, 3,
			(uint32_t)(next(&x) << 1))]++;
	assert_true(abs((int)hits[0] - 50000) < 600 && abs((int)hits[1] - 30000) < 600);
	assert_int_equal(pick_rung(rows[0].ppm, 0, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(within_one_dispatch),
		cmocka_unit_test(lags_carry_over_a_change),
		cmocka_unit_test(one_change_costs_no_more_than_it_must),
		cmocka_unit_test(drifting_shares_stay_within_one),
		cmocka_unit_test(honours_the_mask),
		cmocka_unit_test(ranks),
		cmocka_unit_test(rungs_by_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
