/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/hash.h"
#include "base/limits.h"
#include "geo/build.h"
#include "geo/file.h"

static struct geo_file *sample(void)
{
	struct geo_names names = {0};
	struct geo_input in = {.overrides = STR_LIT("10.0.0.0/8,CN,GD,telecom\n20.0.0.0/8,US\n"),
		.intern = geo_names_intern,
		.ctx = &names};
	struct geo_table *t;
	struct geo_file *f;
	size_t size;

	in.isps = geo_isp_default(&in.n_isps);
	assert_int_equal(geo_build(&in, &t, &size, NULL), 0);
	assert_int_equal(geo_file_build(&names, t, &f, NULL), 0);
	geo_names_done(&names);
	free(t);
	return f;
}

static void seal(struct geo_file *f, size_t size)
{
	f->checksum = hash64(f + 1, size - sizeof(*f), 0);
}

static void names_and_table_come_back(void **state)
{
	struct geo_file *f = sample();
	struct str names[8];
	struct geo_hit hit;
	struct ip a;

	(void)state;
	assert_int_equal(geo_file_check(f, (size_t)f->size, NULL), 0);
	assert_int_equal(f->n_names, 3);
	geo_file_names(f, names);
	assert_true(str_eq_z(names[0], "default"));
	assert_true(str_eq_z(names[1], "CN/GD/telecom"));
	assert_true(str_eq_z(names[2], "US"));
	assert_true(ip_parse(STR_LIT("10.2.3.4"), &a));
	geo_lookup(geo_file_table(f), a, &hit);
	assert_int_equal(hit.group, 1);
	free(f);
}

static void damage_is_seen(void **state)
{
	struct geo_file *f = sample();
	uint8_t *p = (uint8_t *)f;
	size_t size = (size_t)f->size;

	(void)state;
	for (size_t i = 0; i < size; i += i < 300 ? 1 : 997) {
		p[i] ^= 0x10;
		assert_int_not_equal(geo_file_check(f, size, NULL), 0);
		p[i] ^= 0x10;
	}
	for (size_t n = 0; n < size; n += n < 300 ? 1 : 4099)
		assert_int_not_equal(geo_file_check(f, n, NULL), 0);
	assert_int_equal(geo_file_check(f, size, NULL), 0);
	free(f);
}

/* With the checksum made right: every word of the header and of the names. */
static void structural_damage_is_seen(void **state)
{
	static const uint32_t values[] = {0, 1, 7, 8, 1000, 0x7fffffff, UINT32_MAX};
	struct geo_file *f = sample(), good = *f;
	size_t size = (size_t)f->size, words = (size_t)f->table / 4;
	uint32_t *w = (uint32_t *)f;

	(void)state;
	for (size_t i = 0; i < words; i++) {
		for (size_t v = 0; v < SL_COUNT(values); v++) {
			uint32_t old = w[i];
			struct str names[SL_MAX_GROUPS];

			w[i] = values[v];
			seal(f, size);
			if (geo_file_check(f, size, NULL) == 0)
				geo_file_names(f, names);
			w[i] = old;
			f->checksum = good.checksum;
		}
	}
	assert_int_equal(geo_file_check(f, size, NULL), 0);
	free(f);
}

static void names_have_a_limit(void **state)
{
	struct geo_names names = {0};

	(void)state;
	for (int i = 0; i < SL_MAX_GROUPS; i++)
		assert_int_equal(geo_names_intern(&names, STR_LIT("x"), NULL), i);
	assert_int_equal(geo_names_intern(&names, STR_LIT("x"), NULL), GEO_REFUSED);
	geo_names_done(&names);
	geo_names_done(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_table_come_back),
		cmocka_unit_test(damage_is_seen),
		cmocka_unit_test(structural_damage_is_seen),
		cmocka_unit_test(names_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
