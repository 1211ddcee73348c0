/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "geo/key.h"
#include "geo/overrides.h"

struct parsed {
	struct geo_cover v4, v6;
	struct errbuf err;
};

static int parse(struct parsed *p, struct str text)
{
	size_t n;
	const struct geo_isp *isps = geo_isp_default(&n);

	p->err.s[0] = '\0';
	assert_int_equal(geo_cover_init(&p->v4, 32), 0);
	assert_int_equal(geo_cover_init(&p->v6, 128), 0);
	return geo_overrides_parse("nets.csv", text, isps, n, &p->v4, &p->v6, &p->err);
}

static void done(struct parsed *p)
{
	geo_cover_done(&p->v4);
	geo_cover_done(&p->v6);
}

static struct geo_key at(const struct parsed *p, const char *text)
{
	struct ip a;

	assert_true(ip_parse(str_from(text), &a));
	return geo_key_unpack(geo_cover_at(a.family == IP_V4 ? &p->v4 : &p->v6, geo_addr_from(a)));
}

static void expect(const struct parsed *p, const char *addr, const char *country,
	const char *province, int isp)
{
	struct geo_key k = at(p, addr);
	char z[4];

	assert_string_equal(geo_code_text(k.country, z).p, country);
	assert_string_equal(geo_code_text(k.province, z).p, province);
	assert_int_equal(k.isp, isp);
}

static void longest_prefix_speaks(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, STR_LIT("# a comment, with commas\n"
					   "prefix,country,province,isp,source\n"
					   "\n"
					   " 10.0.0.0/8 , cn , CN-GD , China Telecom , x, y\r\n"
					   "10.255.255.0/24,CN,,unicom\n"
					   "10.0.0.0/16,CN,44\n"
					   "10.0.128.0/17,,,-,none\n"
					   "255.255.255.255,US\n"
					   "ffff::/16,US\n"
					   "ffff:ffff::/32,JP\n"
					   "0.0.0.0/0,FR")),
		0);
	expect(&p, "10.1.0.0", "CN", "GD", 1);
	expect(&p, "10.255.255.7", "CN", "", 2);
	expect(&p, "10.0.0.1", "CN", "GD", 0);
	expect(&p, "10.0.128.1", "", "", GEO_ISP_NONE);
	expect(&p, "9.255.255.255", "FR", "", 0);
	expect(&p, "11.0.0.0", "FR", "", 0);
	expect(&p, "255.255.255.255", "US", "", 0);
	expect(&p, "ffff::1", "US", "", 0);
	expect(&p, "ffff:ffff::1", "JP", "", 0);
	expect(&p, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "JP", "", 0);
	expect(&p, "fffe::1", "", "", 0);
	done(&p);
}

static void says_line_and_what(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"x", "nets.csv:1: want ADDR/LEN without host bits, got \"x\""},
		{"\n\n10.0.0.1/8,CN",
			"nets.csv:3: want ADDR/LEN without host bits, got \"10.0.0.1/8\""},
		{"10.0.0.0/33,CN",
			"nets.csv:1: want ADDR/LEN without host bits, got \"10.0.0.0/33\""},
		{"10.0.0.0/8,CHN", "nets.csv:1: want a country of two letters, got \"CHN\""},
		{"10.0.0.0/8,C1", "nets.csv:1: want a country of two letters, got \"C1\""},
		{"10.0.0.0/8,CN,QQ", "nets.csv:1: no such province of CN, got \"QQ\""},
		{"10.0.0.0/8,CN,US-GD",
			"nets.csv:1: want a province like GD or CN-GD, got \"US-GD\""},
		{"10.0.0.0/8,US,C/A", "nets.csv:1: want a province like GD or CN-GD, got \"C/A\""},
		{"10.0.0.0/8,CN,GD,acme", "nets.csv:1: no such carrier in the table, got \"acme\""},
		{"10.0.0.0/8,,,,why",
			"nets.csv:1: a line that says nothing, got \"10.0.0.0/8,,,,why\""},
		{"2002::/16,CN",
			"nets.csv:1: write the v4 prefix that this stands for, got \"2002::/16\""},
		{"10.0.0.0/8,CN\n10.0.0.0/9,CN\n10.0.0.0/8,US",
			"nets.csv:3: the prefix of line 1 again"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct parsed p;

		assert_true(parse(&p, str_from(rows[i].text)) < 0);
		assert_string_equal(p.err.s, rows[i].want);
		done(&p);
	}
}

/* Every length at both ends of the space: prefixes nest as deep as they can. */
static void nests_to_the_bottom(void **state)
{
	static char text[20000];
	size_t n = 0;
	struct parsed p;

	(void)state;
	for (int len = 0; len <= 128; len++) {
		struct ip a = {.family = IP_V6};
		char z[IP_TEXT_MAX];

		memset(a.b, 0xff, 16);
		ip_format(ip_mask(a, (uint8_t)len), z);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s/%d,%c%c\n", z, len,
			'A' + len / 26, 'A' + len % 26);
	}
	assert_int_equal(parse(&p, (struct str){text, n}), 0);
	expect(&p, "::1", "AA", "", 0);
	expect(&p, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "EY", "", 0);
	expect(&p, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "EX", "", 0);
	expect(&p, "8000::", "AB", "", 0);
	done(&p);
}

static void stops_at_its_limit(void **state)
{
	size_t max = (size_t)(GEO_MAX_OVERRIDES + 1) * 24, n = 0;
	char *text = malloc(max);
	struct parsed p;

	(void)state;
	for (unsigned i = 0; i < GEO_MAX_OVERRIDES; i++)
		n += (size_t)snprintf(text + n, max - n, "%u.%u.%u.%u,CN\n", i >> 24, i >> 16 & 255,
			i >> 8 & 255, i & 255);
	assert_int_equal(parse(&p, (struct str){text, n}), 0);
	done(&p);
	n += (size_t)snprintf(text + n, max - n, "200.0.0.0,CN\n");
	assert_int_equal(parse(&p, (struct str){text, n}), SL_ELIMIT);
	done(&p);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_speaks),
		cmocka_unit_test(says_line_and_what),
		cmocka_unit_test(nests_to_the_bottom),
		cmocka_unit_test(stops_at_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
