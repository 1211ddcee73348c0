/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "geo/cover.h"

static void says_nothing_at_first(void **state)
{
	struct geo_cover c;

	(void)state;
	assert_int_equal(geo_cover_init(&c, 32), 0);
	assert_int_equal(c.n, 1);
	assert_int_equal(geo_cover_at(&c, 0), 0);
	assert_int_equal(geo_cover_at(&c, UINT32_MAX), 0);
	geo_cover_done(&c);
	geo_cover_done(&c);
}

static void puts_in_order(void **state)
{
	static const struct {
		uint32_t first, last;
		uint64_t val;
	} rows[] = {{0, 9, 1}, {10, 19, 1}, {20, 29, 2}, {40, 49, 2}, {50, UINT32_MAX, 3}};
	static const struct {
		uint32_t at;
		uint64_t want;
	} wants[] = {{0, 1}, {19, 1}, {20, 2}, {29, 2}, {30, 0}, {39, 0}, {40, 2}, {50, 3},
		{UINT32_MAX, 3}};
	struct geo_cover c;

	(void)state;
	assert_int_equal(geo_cover_init(&c, 32), 0);
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_int_equal(geo_cover_put(&c, rows[i].first, rows[i].last, rows[i].val), 0);
	assert_int_equal(c.n, 5); /* equal neighbours are one range */
	for (size_t i = 0; i < SL_COUNT(wants); i++)
		assert_int_equal(geo_cover_at(&c, wants[i].at), wants[i].want);
	geo_cover_done(&c);
}

static void reaches_the_end_of_v6(void **state)
{
	geo_addr last = ~(geo_addr)0;
	struct geo_cover c;

	(void)state;
	assert_int_equal(geo_cover_init(&c, 128), 0);
	assert_int_equal(geo_cover_put(&c, last, last, 7), 0);
	assert_int_equal(geo_cover_at(&c, last), 7);
	assert_int_equal(geo_cover_at(&c, last - 1), 0);
	assert_true(geo_cover_last(&c, 1) == last);
	geo_cover_done(&c);
}

static uint64_t sum(void *ctx, const uint64_t *vals, size_t n)
{
	uint64_t s = 0;

	(*(int *)ctx)++;
	for (size_t i = 0; i < n; i++)
		s += vals[i];
	return s;
}

static void fuses_at_every_change(void **state)
{
	struct geo_cover a, b, out;
	const struct geo_cover *in[] = {&a, &b};
	int calls = 0;

	(void)state;
	assert_int_equal(geo_cover_init(&a, 32), 0);
	assert_int_equal(geo_cover_init(&b, 32), 0);
	assert_int_equal(geo_cover_init(&out, 32), 0);
	assert_int_equal(geo_cover_put(&a, 10, 29, 1), 0);
	assert_int_equal(geo_cover_put(&b, 20, 39, 10), 0);
	assert_int_equal(geo_cover_fuse(in, 2, sum, &calls, &out), 0);
	assert_int_equal(calls, 5);
	assert_int_equal(geo_cover_at(&out, 9), 0);
	assert_int_equal(geo_cover_at(&out, 10), 1);
	assert_int_equal(geo_cover_at(&out, 20), 11);
	assert_int_equal(geo_cover_at(&out, 30), 10);
	assert_int_equal(geo_cover_at(&out, 40), 0);
	geo_cover_done(&a);
	geo_cover_done(&b);
	geo_cover_done(&out);
}

static void stops_at_its_limit(void **state)
{
	struct geo_cover c;
	geo_addr a = 1;
	int rc;

	(void)state;
	assert_int_equal(geo_cover_init(&c, 128), 0);
	while ((rc = geo_cover_put(&c, a, a, 1)) == 0)
		a += 2;
	assert_int_equal(rc, SL_ELIMIT);
	assert_int_equal(c.n, GEO_MAX_RANGES);
	geo_cover_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_nothing_at_first),
		cmocka_unit_test(puts_in_order),
		cmocka_unit_test(reaches_the_end_of_v6),
		cmocka_unit_test(fuses_at_every_change),
		cmocka_unit_test(stops_at_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
