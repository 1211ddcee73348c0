/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "geo/province.h"

static int km(const char *a, const char *b)
{
	return geo_province_distance_km(str_from(a), str_from(b));
}

static void distances_are_about_right(void **state)
{
	static const struct {
		const char *a, *b;
		int min, max;
	} rows[] = {
		{"BJ", "TJ", 90, 140},
		{"BJ", "SH", 1020, 1120},
		{"GD", "HK", 110, 150},
		{"HL", "XJ", 2900, 3200},
		{"GD", "GD", 0, 0},
		{"XZ", "HL", 3300, 3700},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_in_range(km(rows[i].a, rows[i].b), rows[i].min, rows[i].max);
	assert_int_equal(km("BJ", "XX"), -1);
	assert_int_equal(km("", "BJ"), -1);
}

static void all_are_a_metric(void **state)
{
	struct geo_province p[26 * 26];
	size_t n = 0;

	(void)state;
	for (char a = 'A'; a <= 'Z'; a++)
		for (char b = 'A'; b <= 'Z'; b++) {
			const char code[] = {a, b};
			const struct geo_province *found =
				geo_province_find((struct str){code, sizeof(code)});

			if (found)
				p[n++] = *found;
		}
	assert_int_equal(n, 34);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			int d = km(p[i].code, p[j].code);

			assert_int_equal(d, km(p[j].code, p[i].code));
			assert_true(i == j ? d == 0 : d > 40 && d < 5000);
			for (size_t k = 0; k < n; k++)
				assert_true(d <= km(p[i].code, p[k].code) +
							 km(p[k].code, p[j].code) + 2);
		}
	}
}

static void found_by_code_and_number(void **state)
{
	(void)state;
	assert_string_equal(geo_province_find(STR_LIT("gd"))->name, "Guangdong");
	assert_string_equal(geo_province_find(STR_LIT("44"))->name, "Guangdong");
	assert_null(geo_province_find(STR_LIT("GDX")));
	assert_null(geo_province_find((struct str){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances_are_about_right),
		cmocka_unit_test(all_are_a_metric),
		cmocka_unit_test(found_by_code_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
