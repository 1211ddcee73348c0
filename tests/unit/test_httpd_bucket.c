/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "httpd/httpd_bucket.h"

static struct ip v4(uint32_t n)
{
	return (struct ip){
		.b = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}, .family = IP_V4};
}

static unsigned takes(struct httpd_buckets *t, struct ip a, uint64_t now_ms, unsigned tries)
{
	unsigned got = 0;

	while (tries--)
		got += httpd_buckets_take(t, a, now_ms);
	return got;
}

static void gives_the_burst_then_the_rate(void **state)
{
	struct httpd_buckets t;

	(void)state;
	assert_int_equal(httpd_buckets_init(&t, 16, 10, 20, 1), 0);
	assert_int_equal(takes(&t, v4(1), 1000, 100), 20);
	assert_int_equal(takes(&t, v4(1), 1099, 100), 0);
	assert_int_equal(takes(&t, v4(1), 1100, 100), 1);
	assert_int_equal(takes(&t, v4(1), 2100, 100), 10);
	assert_int_equal(takes(&t, v4(1), 1000000, 100), 20);
	assert_int_equal(takes(&t, v4(1), UINT64_MAX, 100), 20);
	assert_int_equal(takes(&t, v4(2), UINT64_MAX, 100), 20);
	httpd_buckets_done(&t);
}

static void stays_within_its_table(void **state)
{
	struct httpd_buckets t;

	(void)state;
	assert_int_equal(httpd_buckets_init(&t, 64, 1, 1, 7), 0);
	for (uint32_t i = 0; i < 10000; i++)
		assert_true(httpd_buckets_take(&t, v4(i), 1000 + i));
	/* The newest is still known. */
	assert_false(httpd_buckets_take(&t, v4(9999), 1000 + 9999));
	httpd_buckets_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_burst_then_the_rate),
		cmocka_unit_test(stays_within_its_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
