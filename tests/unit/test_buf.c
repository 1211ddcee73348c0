/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/buf.h"

static void writes_and_sticks_on_overflow(void **state)
{
	uint8_t o[8];
	struct buf b = buf_over(o, sizeof(o));

	(void)state;
	buf_put_be16(&b, 0x0102);
	buf_put_be32(&b, 0x03040506);
	assert_int_equal(buf_len(&b), 6);
	assert_memory_equal(o, "\1\2\3\4\5\6", 6);
	buf_put_be32(&b, 0);
	assert_true(b.overflow);
	assert_int_equal(buf_len(&b), 6);
}

static void writes_numbers_and_json(void **state)
{
	char o[128];
	struct buf b = buf_over(o, sizeof(o));

	(void)state;
	buf_put_u64_dec(&b, 0);
	buf_put_u64_dec(&b, UINT64_MAX);
	buf_put_json_str(&b, STR_LIT("a\"b\\c\n\x7f"));
	assert_memory_equal(o, "018446744073709551615\"a\\\"b\\\\c\\u000a\\u007f\"", buf_len(&b));
	/* what is no UTF-8 makes no JSON (RFC 8259 section 8.1): each such octet is replaced */
	b = buf_over(o, sizeof(o));
	buf_put_json_str(
		&b, STR_LIT("\xe4\xbd\xa0\xff\xc0\x80\xf0\x9f\x98\x80\xed\xa0\x80\xe4\xbd"));
	assert_int_equal(buf_len(&b), 2 + 3 + 3 * 6 + 4 + 5 * 6);
	assert_memory_equal(o,
		"\"\xe4\xbd\xa0\\ufffd\\ufffd\\ufffd\xf0\x9f\x98\x80"
		"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"",
		buf_len(&b));
}

static void cuts_strings(void **state)
{
	struct str rest = STR_LIT("a,,b");

	(void)state;
	assert_true(str_eq_z(str_cut(&rest, ','), "a"));
	assert_true(str_eq_z(str_cut(&rest, ','), ""));
	assert_true(str_eq_z(str_cut(&rest, ','), "b"));
	assert_int_equal(rest.n, 0);
	assert_true(str_eq_ci(STR_LIT("AbC"), STR_LIT("aBc")));
}

static void parses_decimals(void **state)
{
	static const char *const bad[] = {
		"", "+5", "-1", "5 ", " 5", "0x5", "5,5", "1000000000000000000"};
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(bad); i++)
		assert_false(str_parse_u64(str_from(bad[i]), 18, &v));
	assert_int_equal(v, 7);
	assert_true(str_parse_u64(STR_LIT("0"), 18, &v) && v == 0);
	assert_true(str_parse_u64(STR_LIT("65536"), 5, &v) && v == 65536);
	assert_false(str_parse_u64(STR_LIT("65536"), 4, &v));
	assert_true(str_parse_u64(STR_LIT("999999999999999999"), 18, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_sticks_on_overflow),
		cmocka_unit_test(writes_numbers_and_json),
		cmocka_unit_test(cuts_strings),
		cmocka_unit_test(parses_decimals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
