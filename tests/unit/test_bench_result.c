/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of sluice-bench: percentiles within 4 %, shares by name, what counts for whom. */
#include "test.h"

#include "bench/bench.h"

static void test_percentiles(void **state)
{
	static struct bench_result r;
	static const struct {
		double part;
		uint64_t want;
	} rows[] = {{0.5, 500000}, {0.9, 900000}, {0.99, 990000}, {1, 1000000}};

	(void)state;
	for (uint64_t us = 1; us <= 1000; us++)
		bench_hist_add(&r, us * 1000);
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint64_t got = bench_hist_at(&r, rows[i].part);

		assert_in_range(got, rows[i].want * 96 / 100, rows[i].want * 104 / 100);
	}
	assert_int_equal(r.max_ns, 1000000);
}

static void test_extremes(void **state)
{
	static const uint64_t values[] = {0, 1, 31, 32, 33, 63, 64, UINT64_MAX / 2, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(values); i++) {
		static struct bench_result r;
		uint64_t got;

		memset(&r, 0, sizeof(r));
		bench_hist_add(&r, values[i]);
		got = bench_hist_at(&r, 0.5);
		assert_true(got <= values[i] && values[i] - got <= values[i] / 16);
	}
}

static void test_shares(void **state)
{
	static struct bench_result a, b;
	char name[8];

	(void)state;
	bench_share_add(&a, STR_LIT("x"));
	bench_share_add(&a, STR_LIT("x"));
	bench_share_add(&b, STR_LIT("y"));
	bench_share_add(&b, STR_LIT(""));
	bench_merge(&a, &b);
	assert_int_equal(a.n_shares, 2);
	assert_int_equal(a.shares[0].n, 2);
	for (int i = 0; i < BENCH_MAX_NAMES + 3; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		bench_share_add(&b, str_from(name));
	}
	assert_int_equal(b.n_shares, BENCH_MAX_NAMES);
	assert_int_equal(b.other, 4);
}

static void test_names(void **state)
{
	static struct bench_options o = {.n_names = 2,
		.names = {{.name = "a", .addresses = {{{192, 0, 2}, IP_V4}, 24}},
			{.name = "b", .cname = "x.example."}}};
	struct ip in = {{192, 0, 2, 9}, IP_V4}, out = {{192, 0, 3, 9}, IP_V4};
	char text[IP_TEXT_MAX];

	(void)state;
	assert_true(str_eq_z(bench_name_of_ip(&o, in, text), "a"));
	assert_true(str_eq_z(bench_name_of_ip(&o, out, text), "192.0.3.9"));
	assert_true(str_eq_z(bench_name_of_cname(&o, STR_LIT("X.example.")), "b"));
	assert_true(str_eq_z(bench_name_of_cname(&o, STR_LIT("y.")), "y."));
}

static void test_clients_stay_within(void **state)
{
	static struct bench_prefix p[] = {
		{{{10, 1}, IP_V4}, 16}, {{{0x20, 1, 0xd, 0xb8}, IP_V6}, 32}};
	static struct bench_options o = {.ecs = p, .n_ecs = 2};

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		struct ip a = bench_client(&o, i);

		assert_true(ip_eq(ip_mask(a, p[i % 2].len), p[i % 2].ip));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_clients_stay_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
