/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "conf/text.h"

static const struct {
	enum conf_text kind;
	const char *text;
	bool ok;
} text_rows[] = {
	{CONF_TEXT_NAME, "a.B-c_9", true},
	{CONF_TEXT_NAME, "", false},
	{CONF_TEXT_NAME, "a/b", false},
	{CONF_TEXT_NAME, "a b", false},
	{CONF_TEXT_NAME, "\xc3\xa9", false},
	{CONF_TEXT_COMPONENT, "telecom-2", true},
	{CONF_TEXT_COMPONENT, "Telecom", false},
	{CONF_TEXT_GROUP, "CN", true},
	{CONF_TEXT_GROUP, "CN/GD/telecom", true},
	{CONF_TEXT_GROUP, "CN/GD/telecom/x", false},
	{CONF_TEXT_GROUP, "CN/", false},
	{CONF_TEXT_GROUP, "/CN", false},
	{CONF_TEXT_GROUP, "CN//x", false},
	{CONF_TEXT_GROUP, "CN/*", false},
	{CONF_TEXT_GROUP, "CN/-/telecom", true},
	{CONF_TEXT_GROUP, "JP/13", true},
	{CONF_TEXT_GROUP, "default", true},
	{CONF_TEXT_GROUP, "cn", false},
	{CONF_TEXT_GROUP, "CHN", false},
	{CONF_TEXT_GROUP, "CN/gd", false},
	{CONF_TEXT_GROUP, "CN/GD/Telecom", false},
	{CONF_TEXT_GROUPS, "CN/*", true},
	{CONF_TEXT_GROUPS, "*", true},
	{CONF_TEXT_GROUPS, "CN/G*/tele*", true},
	{CONF_TEXT_GROUPS, "a/b/c/d", false},
	{CONF_TEXT_GROUPS, "CN/?", false},
	{CONF_TEXT_GROUPS, "C*", true},
	{CONF_TEXT_GROUPS, "*/*/telecom", true},
	{CONF_TEXT_GROUPS, "default", true},
	{CONF_TEXT_GROUPS, "cn/*", false},
	{CONF_TEXT_GROUPS, "China", false},
	{CONF_TEXT_GROUPS, "CN/gd/*", false},
	{CONF_TEXT_GROUPS, "CN/*/Tele*", false},
	{CONF_TEXT_PATTERN, "*China Telecom*", true},
	{CONF_TEXT_PATTERN, "\xe4\xb8\xad*", true},
	{CONF_TEXT_PATTERN, "a\x01", false},
	{CONF_TEXT_PATTERN, "", false},
	{CONF_TEXT_STREAM, "live/room-1_2.flv", true},
	{CONF_TEXT_STREAM, "a b", false},
	{CONF_TEXT_STREAM, "a\"b", false},
	{CONF_TEXT_STREAM, "a\\b", false},
	{CONF_TEXT_STREAM, "", false},
	{CONF_TEXT_HOST, "a.example", true},
	{CONF_TEXT_HOST, "A_b-1.example.", true},
	{CONF_TEXT_HOST, ".", false},
	{CONF_TEXT_HOST, "", false},
	{CONF_TEXT_HOST, ".a", false},
	{CONF_TEXT_HOST, "a..b", false},
	{CONF_TEXT_HOST, "a..", false},
	{CONF_TEXT_HOST, "*.a", false},
	{CONF_TEXT_HOST, "a23456789012345678901234567890123456789012345678901234567890123.b", true},
	{CONF_TEXT_HOST, "a234567890123456789012345678901234567890123456789012345678901234.b",
		false},
	{CONF_TEXT_PATH, "/etc/x y", true},
	{CONF_TEXT_PATH, "a\nb", false},
	{CONF_TEXT_COUNTRY, "CN", true},
	{CONF_TEXT_COUNTRY, "cn", false},
	{CONF_TEXT_COUNTRY, "C", false},
	{CONF_TEXT_COUNTRY, "CHN", false},
	{CONF_TEXT_ADDRPORT, "53", true},
	{CONF_TEXT_ADDRPORT, "65535", true},
	{CONF_TEXT_ADDRPORT, "65536", false},
	{CONF_TEXT_ADDRPORT, "0", false},
	{CONF_TEXT_ADDRPORT, "127.0.0.1:53", true},
	{CONF_TEXT_ADDRPORT, "[::1]:53", true},
	{CONF_TEXT_ADDRPORT, "::1:53", false},
	{CONF_TEXT_ADDRPORT, "[127.0.0.1]:53", false},
	{CONF_TEXT_ADDRPORT, "localhost:53", false},
	{CONF_TEXT_ADDRPORT, "127.0.0.1:", false},
	{CONF_TEXT_ADDRPORT, "127.0.0.1", false},
	{CONF_TEXT_ADDRPORT, "-1", false},
	{CONF_TEXT_ADDRPORT, "", false},
	{CONF_TEXT_IPV4, "192.0.2.1", true},
	{CONF_TEXT_IPV4, "::1", false},
	{CONF_TEXT_IPV6, "::1", true},
	{CONF_TEXT_IPV6, "192.0.2.1", false},
	{CONF_TEXT_PREFIX, "10.0.0.0/8", true},
	{CONF_TEXT_PREFIX, "10.0.0.0/33", false},
	{CONF_TEXT_PREFIX, "10.0.0.1/8", false},
	{CONF_TEXT_CLOCK, "00:00", true},
	{CONF_TEXT_CLOCK, "24:00", true},
	{CONF_TEXT_CLOCK, "24:01", false},
	{CONF_TEXT_CLOCK, "23:60", false},
	{CONF_TEXT_CLOCK, "9:00", false},
	{CONF_TEXT_CLOCK, "09-00", false},
};

static void knows_each_kind_of_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < SL_COUNT(text_rows); i++)
		if (conf_text_ok(text_rows[i].kind, str_from(text_rows[i].text)) != text_rows[i].ok)
			fail_msg("\"%s\" as kind %d", text_rows[i].text, (int)text_rows[i].kind);
	assert_false(conf_text_ok(CONF_TEXT_NAME, (struct str){"a\0b", 3}));
	assert_false(conf_text_ok(CONF_TEXT_HOST, (struct str){"a\0b", 3}));
	assert_false(conf_text_ok(CONF_TEXT_PATH, (struct str){"a\0b", 3}));
	assert_int_equal(conf_clock_parse("09:41"), 581);
}

static void host_names_end_at_255_octets_of_wire(void **state)
{
	char host[300];
	size_t n = 0;

	(void)state;
	while (n < 250)
		n += (size_t)snprintf(host + n, sizeof(host) - n, "abcdefghi.");
	(void)snprintf(host + 250, sizeof(host) - 250, "abc");
	assert_true(conf_text_ok(CONF_TEXT_HOST, str_from(host)));
	(void)snprintf(host + 250, sizeof(host) - 250, "abc.");
	assert_true(conf_text_ok(CONF_TEXT_HOST, str_from(host)));
	(void)snprintf(host + 250, sizeof(host) - 250, "abcd");
	assert_false(conf_text_ok(CONF_TEXT_HOST, str_from(host)));
}

static void reads_numbers(void **state)
{
	static const struct {
		const char *text;
		bool whole, ok;
		double want;
	} rows[] = {
		{"0", true, true, 0},
		{"-0", true, false, 0},
		{"120", true, true, 120},
		{"-5", true, true, -5},
		{"+5", true, false, 0},
		{"1.5", true, false, 0},
		{"1e3", true, false, 0},
		{"010", true, false, 0},
		{"-010", true, false, 0},
		{"", true, false, 0},
		{"-", true, false, 0},
		{"1_000", true, false, 0},
		{" 1", true, false, 0},
		{"1.5", false, true, 1.5},
		{"0.02", false, true, 0.02},
		{"1e3", false, true, 1000},
		{"1E+3", false, true, 1000},
		{"1e-3", false, true, 0.001},
		{"1e999", false, false, 0},
		{".5", false, false, 0},
		{"5.", false, false, 0},
		{"1e", false, false, 0},
		{"nan", false, false, 0},
		{"inf", false, false, 0},
		{"0x10", false, false, 0},
		{"1.5x", false, false, 0},
	};
	double v;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		v = -1;
		if (conf_number_parse(str_from(rows[i].text), rows[i].whole, &v) != rows[i].ok)
			fail_msg("\"%s\"", rows[i].text);
		if (rows[i].ok)
			assert_float_equal(v, rows[i].want, 1e-12);
	}
	assert_false(conf_number_parse(
		str_from("1111111111111111111111111111111111111111111111111111111111111111"), true,
		&v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_each_kind_of_text),
		cmocka_unit_test(host_names_end_at_255_octets_of_wire),
		cmocka_unit_test(reads_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
