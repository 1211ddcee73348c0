/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "base/hash.h"
#include "scoring/ingest.h"

#define MINUTES(n) ((n)*UINT64_C(60000))

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-6;
}

static void quality(void **state)
{
	static const struct {
		const char *what;
		struct ingest_facts f;
		double q;
	} rows[] = {
		{"nobody speaks", {.voices = 0}, 1},
		{"all is well", {4, 1, 4, 30, 4, 4000, 4, 40}, 1},
		{"half cannot connect", {4, 0.5, 0, 0, 0, 0, 0, 0}, 0.0625},
		{"half of the frames", {4, 1, 4, 12, 0, 0, 0, 0}, 0.25},
		{"half of the frames, told by one voice of four", {4, 1, 1, 12, 0, 0, 0, 0},
			0.875 * 0.875},
		{"a quarter of the other's bitrate", {4, 1, 0, 0, 4, 1000, 0, 0}, 0.5},
		{"four times the full round trip", {4, 1, 0, 0, 0, 0, 4, 200}, 0.5},
		{"nothing gets through", {4, 0, 4, 0, 0, 0, 4, 60000}, 0.01},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct ingest_facts f[2] = {rows[i].f, {4, 1, 4, 24, 4, 4000, 4, 50}};
		double q[2];

		print_message("%s\n", rows[i].what);
		ingest_quality(f, 2, q);
		assert_true(near(q[0], rows[i].q));
		assert_true(q[1] == 1);
		ingest_quality(f, 1, q); /* alone, its bitrate is nobody's fault */
		assert_true(near(q[0], f[0].kbps == 1000 ? 1 : rows[i].q));
	}
}

/* Who leaves is remembered, and forgotten by halves; who comes makes up for it at once. */
static void evidence_fades(void **state)
{
	struct ingest_evidence e = {0, 0};

	(void)state;
	ingest_remember(&e, 8, 0.1, 1000);
	assert_true(near(e.voices, 8) && near(e.quality, 0.1));
	assert_true(near(ingest_estimate(&e, 1), (4 + 0.8) / 12));
	ingest_remember(&e, 0, 1, MINUTES(2));
	assert_true(near(e.voices, 4) && near(e.quality, 0.1));
	ingest_remember(&e, 1, 1, 0); /* one that is well, beside the three that are remembered */
	assert_true(near(e.voices, 4) && near(e.quality, (1 + 0.3) / 4));
	ingest_remember(&e, 8, 1, 0);
	assert_true(near(e.voices, 8) && near(e.quality, 1));
	ingest_remember(&e, 0, 1, MINUTES(60));
	assert_true(e.voices < 1e-6);
	assert_true(near(ingest_estimate(&e, 0.5), 0.5));
}

/* One bad group says nothing of its carrier, however many voices it has; many say it. */
static void carriers_lean_on_many_groups(void **state)
{
	struct ingest_carrier c = {0, 0};
	const struct ingest_evidence bad = {1000000, 0.01};
	double estimate[2];
	uint32_t ppm[2];

	(void)state;
	assert_true(ingest_carrier_quality(&c) == 1);
	for (int groups = 1; groups <= 8; groups++) {
		ingest_carrier_add(&c, &bad);
		estimate[0] = ingest_estimate(
			&(struct ingest_evidence){0, 0}, ingest_carrier_quality(&c));
		estimate[1] = 1;
		ingest_weigh(estimate, 2, ppm);
		if (groups == 1)
			assert_int_equal(ppm[0], INGEST_WHOLE_PPM);
		else
			assert_true(ppm[0] < INGEST_WHOLE_PPM);
	}
	assert_true(ppm[0] < INGEST_POOR_PPM);
}

static void weights(void **state)
{
	const double estimate[4] = {1, 0.91, 0.45, 0.01};
	const double alike[2] = {0.2, 0.2};
	uint32_t ppm[4];

	(void)state;
	ingest_weigh(estimate, 4, ppm);
	assert_int_equal(ppm[0], INGEST_WHOLE_PPM);
	assert_int_equal(ppm[1], INGEST_WHOLE_PPM);
	assert_int_equal(ppm[2], 3906); /* 0.5^8 */
	assert_int_equal(ppm[3], 1);
	ingest_weigh(alike, 2, ppm); /* what is bad for all is nobody's fault */
	assert_int_equal(ppm[0], INGEST_WHOLE_PPM);
	assert_int_equal(ppm[1], INGEST_WHOLE_PPM);
}

/* Each point gets its weight's part, and only streams of the one that lost weight move. */
static void rendezvous_by_weight(void **state)
{
	static const uint32_t ppm[][3] = {
		{1000000, 1000000, 1000000}, {1000000, 250000, 1000000}, {1000000, 1, 500000}};
	enum { STREAMS = 60000 };
	uint8_t first[SL_COUNT(ppm)][STREAMS];

	(void)state;
	for (size_t k = 0; k < SL_COUNT(ppm); k++) {
		uint32_t got[3] = {0}, sum = ppm[k][0] + ppm[k][1] + ppm[k][2];

		for (uint32_t s = 0; s < STREAMS; s++) {
			uint8_t best = 0;

			for (uint8_t i = 1; i < 3; i++)
				if (ingest_before(hash_mix(s + 1, i + 1), ppm[k][i],
					    hash_mix(s + 1, best + 1), ppm[k][best]))
					best = i;
			first[k][s] = best;
			got[best]++;
			if (k == 1 && first[0][s] != 1)
				assert_int_equal(first[0][s], best);
		}
		for (int i = 0; i < 3; i++) {
			double want = (double)ppm[k][i] / sum * STREAMS;

			assert_true(fabs(got[i] - want) < 4 * sqrt(want) + 1);
		}
	}
	assert_false(ingest_before(7, 5, 7, 5));
	assert_true(ingest_before(UINT64_MAX, 1, 0, 1) && ingest_before(0, 2, 0, 1));
	/* what is down goes behind all others, and those among themselves by hash */
	assert_true(ingest_before(0, 1, UINT64_MAX, 0) && !ingest_before(UINT64_MAX, 0, 0, 1));
	assert_true(ingest_before(2, 0, 1, 0) && !ingest_before(1, 0, 2, 0));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(quality),
		cmocka_unit_test(evidence_fades),
		cmocka_unit_test(carriers_lean_on_many_groups),
		cmocka_unit_test(weights),
		cmocka_unit_test(rendezvous_by_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
