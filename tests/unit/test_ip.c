/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/ip.h"

#include <arpa/inet.h>

static struct ip ip(const char *text)
{
	struct ip a;

	assert_true(ip_parse(str_from(text), &a));
	return a;
}

static void parses_and_prints(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"0.0.0.0", "0.0.0.0"},
		{"255.255.255.255", "255.255.255.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
		{"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"240e:3b7::1", "240e:3b7::1"},
		{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char text[IP_TEXT_MAX];
		ip_format(ip(rows[i].in), text);
		assert_string_equal(text, rows[i].out);
	}
}

static void refuses_what_is_no_address(void **state)
{
	static const char *const rows[] = {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ",
		"::g", "1:2", "fe80::1%lo", "01.2.3.4x", "01.2.3.4", "1.2.3.00", "1..2.3", ".1.2.3",
		"1.2.3.", "1.2.3.4.", "1.2.3.1000", "4294967297.2.3.4", "1.2.3.-4", "1.2.3.+4",
		"1.2.3.4/", "1.2:3.4", "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111"};
	struct ip a;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_false(ip_parse(str_from(rows[i]), &a));
	assert_false(ip_parse((struct str){"1.2.3.4\0", 8}, &a));
}

/* Of short strings of digits and dots, as inet_pton says. */
static void parses_v4_as_the_library_does(void **state)
{
	static const char octets[] = "0125.....9";
	uint32_t x = 1, good = 0;

	(void)state;
	for (uint32_t round = 0; round < 1000000; round++) {
		char text[17] = "";
		uint8_t want[4];
		struct ip a;
		bool is;

		for (uint32_t i = 0, n = 7 + round % 9; i < n; i++) {
			x = x * 1664525 + 1013904223;
			text[i] = octets[(x >> 16) % (sizeof(octets) - 1)];
		}
		is = inet_pton(AF_INET, text, want) == 1;
		good += is;
		if (ip_parse(str_from(text), &a) != is ||
			(is && (a.family != IP_V4 || memcmp(a.b, want, 4) != 0)))
			fail_msg("%s", text);
	}
	assert_true(good > 1000);
}

static void parses_prefixes(void **state)
{
	struct ip a;
	uint8_t len;

	(void)state;
	assert_true(ip_parse_prefix(STR_LIT("10.0.0.0/8"), &a, &len));
	assert_int_equal(len, 8);
	assert_true(ip_parse_prefix(STR_LIT("10.0.0.1"), &a, &len));
	assert_int_equal(len, 32);
	assert_true(ip_parse_prefix(STR_LIT("2001:db8::/32"), &a, &len));
	assert_int_equal(len, 32);
	assert_false(ip_parse_prefix(STR_LIT("10.0.0.1/8"), &a, &len));
	assert_false(ip_parse_prefix(STR_LIT("10.0.0.0/33"), &a, &len));
	assert_false(ip_parse_prefix(STR_LIT("10.0.0.0/"), &a, &len));
	assert_false(ip_parse_prefix(STR_LIT("10.0.0.0/-1"), &a, &len));
	assert_false(ip_parse_prefix(STR_LIT("2001:db8::/129"), &a, &len));
}

static void finds_the_v4_inside(void **state)
{
	(void)state;
	assert_true(ip_eq(ip_embedded_v4(ip("::ffff:192.0.2.1")), ip("192.0.2.1")));
	assert_true(ip_eq(ip_embedded_v4(ip("2002:c000:201::5")), ip("192.0.2.1")));
	/* RFC 4380 section 4: the last 32 bits are the client's address, inverted */
	assert_true(ip_eq(
		ip_embedded_v4(ip("2001:0:4136:e378:8000:63bf:3fff:fdd2")), ip("192.0.2.45")));
	assert_true(ip_eq(ip_embedded_v4(ip("2001:db8::1")), ip("2001:db8::1")));
}

static void masks(void **state)
{
	(void)state;
	assert_true(ip_eq(ip_mask(ip("192.0.2.255"), 24), ip("192.0.2.0")));
	assert_true(ip_eq(ip_mask(ip("192.0.2.255"), 0), ip("0.0.0.0")));
	assert_true(ip_eq(ip_mask(ip("192.0.2.255"), 32), ip("192.0.2.255")));
	assert_true(ip_eq(ip_mask(ip("2001:db8:ffff::"), 33), ip("2001:db8:8000::")));
	assert_true(ip_is_loopback(ip("127.1.2.3")));
	assert_true(ip_is_loopback(ip("::ffff:127.0.0.1")));
	assert_true(ip_is_loopback(ip("::1")));
	assert_false(ip_is_loopback(ip("::2")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_and_prints),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(parses_v4_as_the_library_does),
		cmocka_unit_test(parses_prefixes),
		cmocka_unit_test(finds_the_v4_inside),
		cmocka_unit_test(masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
