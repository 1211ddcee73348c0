/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "httpd/httpd_query.h"

#include "httpd/httpd.h"

static void unescapes(void **state)
{
	static const struct {
		const char *what, *raw, *want; /* NULL: refused */
	} cases[] = {
		{"nothing", "", ""},
		{"plain", "live.sluice.example", "live.sluice.example"},
		{"upper and lower hex", "%2F%2f%41", "//A"},
		{"at both ends", "%61b%63", "abc"},
		{"a percent sign", "100%25", "100%"},
		{"highest octet", "%ff", "\xff"},
		{"cut after one digit", "a%2", NULL},
		{"cut after none", "a%", NULL},
		{"first digit is none", "%g1", NULL},
		{"second digit is none", "%1g", NULL},
		{"a sign is no digit", "%+1", NULL},
		{"a blank is no digit", "% 1", NULL},
		{"a NUL", "a%00b", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(cases); i++) {
		char room[64];
		struct buf out = buf_over(room, sizeof(room));
		struct str got;
		bool ok = httpd_unescape(str_from(cases[i].raw), &out, &got);

		if (ok != (cases[i].want != NULL) || (ok && !str_eq_z(got, cases[i].want)))
			fail_msg("%s: \"%s\"", cases[i].what, cases[i].raw);
	}
}

static void unescapes_within_its_room(void **state)
{
	char room[3];
	struct buf out = buf_over(room, sizeof(room));
	struct str got;

	(void)state;
	assert_true(httpd_unescape(STR_LIT("%61%62%63"), &out, &got));
	assert_true(str_eq_z(got, "abc"));
	out = buf_over(room, sizeof(room));
	assert_false(httpd_unescape(STR_LIT("%61%62%63d"), &out, &got));
	/* Without an escape nothing is copied. */
	out = buf_over(room, 0);
	assert_true(httpd_unescape(STR_LIT("plain"), &out, &got));
}

static void trims(void **state)
{
	(void)state;
	assert_true(str_eq_z(httpd_trim(STR_LIT(" \t a b\t ")), "a b"));
	assert_int_equal(httpd_trim(STR_LIT(" \t ")).n, 0);
	assert_int_equal(httpd_trim(STR_LIT("")).n, 0);
}

/* Every octet, alone and at every place of two vectors, against the plain definition. */
static void knows_octets(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		char one = (char)c, line[37];
		bool token = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
			     (c && strchr("!#$%&'*+-.^_`|~", (int)c));
		bool value = (c >= 0x20 || c == '\t') && c != 0x7f;
		bool target = c > 0x20 && c < 0x7f && c != '#';

		if (httpd_is_token((struct str){&one, 1}) != token)
			fail_msg("token %02x", c);
		for (size_t at = 0; at < sizeof(line); at++) {
			memset(line, 'a', sizeof(line));
			line[at] = one;
			if (httpd_is_field_value((struct str){line, sizeof(line)}) != value)
				fail_msg("value %02x at %zu", c, at);
			if (httpd_is_target((struct str){line, sizeof(line)}) != target)
				fail_msg("target %02x at %zu", c, at);
		}
	}
	assert_false(httpd_is_token(STR_LIT("")));
	assert_true(httpd_is_field_value(STR_LIT("")));
	assert_false(httpd_is_target(STR_LIT("")));
}

static struct ip ip_of(const char *text)
{
	struct ip a;

	assert_true(ip_parse(str_from(text), &a));
	return a;
}

static void finds_the_client(void **state)
{
	static const struct {
		const char *what, *peer, *first, *second, *want;
	} cases[] = {
		{"no proxy", "198.51.100.1", "203.0.113.9", NULL, "198.51.100.1"},
		{"one proxy", "127.0.0.1", "203.0.113.9", NULL, "203.0.113.9"},
		{"rightmost that is not ours", "127.0.0.1", "1.1.1.1, 203.0.113.9 ,10.0.0.5", NULL,
			"203.0.113.9"},
		{"headers in a row", "127.0.0.1", "1.1.1.1", "203.0.113.9", "203.0.113.9"},
		{"through both headers", "127.0.0.1", "203.0.113.9", "10.0.0.5, 10.0.0.6",
			"203.0.113.9"},
		{"all ours", "127.0.0.1", "10.0.0.7, 10.0.0.5", NULL, "10.0.0.7"},
		{"unreadable hop", "127.0.0.1", "203.0.113.9, unknown, 10.0.0.5", NULL, "10.0.0.5"},
		{"unreadable at once", "127.0.0.1", "unknown", NULL, "127.0.0.1"},
		{"empty", "127.0.0.1", "", NULL, "127.0.0.1"},
		{"with a port", "127.0.0.1", "203.0.113.9:4711", NULL, "203.0.113.9"},
		{"v6", "127.0.0.1", "2001:db8::1", NULL, "2001:db8::1"},
		{"v6 in brackets", "127.0.0.1", "[2001:db8::1]:443", NULL, "2001:db8::1"},
	};
	struct httpd_prefix trusted[2] = {
		{.ip = ip_of("127.0.0.0"), .len = 8}, {.ip = ip_of("10.0.0.0"), .len = 8}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(cases); i++) {
		struct str values[2] = {
			str_from(cases[i].first), str_from(cases[i].second ? cases[i].second : "")};
		struct ip got = httpd_forwarded_client(
			ip_of(cases[i].peer), values, cases[i].second ? 2 : 1, trusted, 2);

		if (!ip_eq(got, ip_of(cases[i].want)))
			fail_msg("%s", cases[i].what);
	}
}

static void trusts_loopback_by_default(void **state)
{
	struct str value = STR_LIT("203.0.113.9");

	(void)state;
	assert_true(httpd_is_trusted(ip_of("::1"), NULL, 0));
	assert_true(httpd_is_trusted((struct ip){.family = IP_NONE}, NULL, 0));
	assert_false(httpd_is_trusted(ip_of("10.0.0.1"), NULL, 0));
	assert_true(ip_eq(httpd_forwarded_client(ip_of("127.0.0.1"), &value, 1, NULL, 0),
		ip_of("203.0.113.9")));
	assert_true(ip_eq(
		httpd_forwarded_client(ip_of("10.0.0.1"), &value, 1, NULL, 0), ip_of("10.0.0.1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unescapes),
		cmocka_unit_test(unescapes_within_its_room),
		cmocka_unit_test(trims),
		cmocka_unit_test(knows_octets),
		cmocka_unit_test(finds_the_client),
		cmocka_unit_test(trusts_loopback_by_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
