/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON cursor: what is good, what is not, and where texts come from. */
#include "test.h"

#include "http/json.h"

static uint8_t scratch[64];

static bool good(struct str text)
{
	struct http_json j = http_json_over(text, buf_over(scratch, sizeof(scratch)));

	http_json_skip(&j);
	return http_json_done(&j);
}

static void test_good(void **state)
{
	static const char *const rows[] = {"{}", "[]", " { } ", "1", "-0", "0.5e+3", "true", "null",
		"\"\"", "\"\\u00e9\\n\"", "[1,2,[3,{\"a\":[]}]]", "{\"a\":1,\"b\":{\"c\":null}}",
		"\t[\r\n1 , 2 ]\n", "\"\\ud83d\\ude00\"", "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		if (!good(str_from(rows[i])))
			fail_msg("%s", rows[i]);
}

static void test_bad(void **state)
{
	static const char *const rows[] = {"", " ", "{", "[", "]", "{]", "[1,]", "[,1]", "{,}",
		"{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}", "01", "1.", ".5", "1e", "-",
		"+1", "tru", "True", "nul", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u0000\"",
		"\"\\ud83d\"", "\"\\ude00\"", "\"a\nb\"", "[1 2]", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
		"{}{}", "1 2", "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		if (good(str_from(rows[i])))
			fail_msg("%s", rows[i]);
	assert_false(good((struct str){"{}\0", 3}));
	assert_false(good((struct str){"[1\0]", 4}));
}

static void test_texts(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{"\"plain\"", "plain"},
		{"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\b\f\n\r\t"},
		{"\"\\u0041\\u00E9\\u4e2d\\ud83d\\ude00\"",
			"A\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80"},
		{"12", "12"},
		{"true", "true"},
		{"null", ""},
		{"[\"a\",\"b\",3]", "a,b,3"},
		{"[\"a\\u0062\",\"c\\n\"]", "ab,c\n"},
		{"[]", ""},
		{"[ \"x\" ]", "x"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_json j =
			http_json_over(str_from(rows[i].json), buf_over(scratch, sizeof(scratch)));
		struct str text = http_json_text(&j);

		if (!str_eq_z(text, rows[i].text))
			fail_msg("%s: %.*s", rows[i].json, STR_ARG(text));
		assert_true(http_json_done(&j));
	}
}

static void test_scratch_is_bounded(void **state)
{
	char text[256] = "\"";

	(void)state;
	for (size_t n = 60; n <= 70; n++) {
		struct http_json j;

		for (size_t i = 0; i < n; i++)
			memcpy(text + 1 + 2 * i, "\\n", 2);
		text[1 + 2 * n] = '"';
		j = http_json_over(
			(struct str){text, 2 * n + 2}, buf_over(scratch, sizeof(scratch)));
		(void)http_json_text(&j);
		assert_int_equal(http_json_done(&j), n <= sizeof(scratch));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_scratch_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
