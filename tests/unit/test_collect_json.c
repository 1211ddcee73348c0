/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "collect/json.h"

#include <math.h>

static void values_are_skipped_or_refused(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{"1", true},
		{"-0.5e+3", true},
		{"{}", true},
		{" [ ] ", true},
		{"{\"a\":[1,{\"b\":null}],\"c\":\"\\u00e9\\\\\"}", true},
		{"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", true},
		{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", false},
		{"\"\xc3\xa9\"", true},
		{"\"\xc3\"", false},
		{"\"\xed\xa0\x80\"", false},
		{"\"\xf4\x90\x80\x80\"", false},
		{"\"\x1f\"", false},
		{"\"\\x\"", false},
		{"\"\\u12g4\"", false},
		{"\"open", false},
		{"", false},
		{"01", false},
		{"1.", false},
		{".5", false},
		{"+1", false},
		{"1e", false},
		{"nul", false},
		{"True", false},
		{"[1,]", false},
		{"[,1]", false},
		{"[1 2]", false},
		{"{\"a\"}", false},
		{"{a:1}", false},
		{"{\"a\":1,}", false},
		{"[1]x", false},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct collect_json j = collect_json_over(str_from(rows[i].text));

		(void)collect_json_skip(&j);
		if (collect_json_end(&j) != rows[i].good)
			fail_msg("%s: want %d", rows[i].text, rows[i].good);
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		double v;
	} rows[] = {
		{"0", 0},
		{"-0", 0},
		{"1795232063059", 1795232063059.0},
		{"812.5", 812.5},
		{"1e3", 1000},
		{"25e-1", 2.5},
		{"1e999999999999", HUGE_VAL},
		{"-1e400", -HUGE_VAL},
		{"1e-400", 0},
		{"0e99", 0},
		{"123456789012345678901234567890", 123456789012345678e12},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct collect_json j = collect_json_over(str_from(rows[i].text));
		double v = -1;

		assert_true(collect_json_number(&j, &v));
		if (!(v == rows[i].v || fabs(v / rows[i].v - 1) < 1e-12))
			fail_msg("%s: got %g", rows[i].text, v);
	}
}

static void escapes(void **state)
{
	static const struct {
		const char *raw, *want; /* NULL: refused */
	} rows[] = {
		{"plain", "plain"},
		{"a\\nb\\\"\\/\\\\", "a\nb\"/\\"},
		{"\\u0041\\u00e9\\u4e2d", "A\xc3\xa9\xe4\xb8\xad"},
		{"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
		{"\\ud83d", NULL},
		{"\\ud83d\\u0041", NULL},
		{"\\ude00", NULL},
		{"\\u0000", NULL},
		{"longer than sixteen", NULL},
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		int n = collect_json_unescape(str_from(rows[i].raw), text, sizeof(text));

		if (!rows[i].want)
			assert_int_equal(n, -1);
		else
			assert_true(str_eq_z((struct str){text, (size_t)n}, rows[i].want));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_skipped_or_refused),
		cmocka_unit_test(numbers),
		cmocka_unit_test(escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
