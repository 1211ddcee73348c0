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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_sticks_on_overflow),
		cmocka_unit_test(writes_numbers_and_json),
		cmocka_unit_test(cuts_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
