/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "world/deny.h"

static struct ip ip_of(const char *text)
{
	struct ip ip;

	if (!ip_parse(str_from(text), &ip))
		fail_msg("no address: %s", text);
	return ip;
}

static struct deny_prefix prefix_of(const char *text, uint64_t vendors, bool allow)
{
	struct deny_prefix p = {.allow = allow, .vendors = vendors};

	if (!ip_parse_prefix(str_from(text), &p.ip, &p.len))
		fail_msg("no prefix: %s", text);
	return p;
}

static void the_longest_prefix_decides(void **state)
{
	static const struct {
		const char *ip;
		uint64_t vendors;
		uint8_t len;
	} rows[] = {
		{"9.255.255.255", 0, 7},
		{"10.0.0.0", 3, 16},
		{"10.1.0.9", 2, 24},
		{"10.1.1.1", 3, 24},
		{"10.2.0.1", 3, 15},
		{"10.255.1.1", 7, 16},
		{"11.0.0.0", 0, 8},
		{"::ffff:10.1.0.9", 2, 120},
		{"2002:a01:9::1", 2, 40},
		{"2001:db8::1", 3, 33},
		{"2001:db8:8000::1", 0, 33},
		{"2001:db9::", 0, 32},
		{"192.0.2.7", 3, 32},
		{"192.0.2.6", 0, 32},
	};
	struct deny_prefix p[] = {prefix_of("10.0.0.0/8", 3, false),
		prefix_of("10.1.0.0/24", 1, true), prefix_of("10.255.0.0/16", 4, false),
		prefix_of("2001:db8::/32", 3, false), prefix_of("2001:db8:8000::/33", 3, true),
		prefix_of("192.0.2.7/32", 3, false), prefix_of("192.0.2.7/32", 3, true)};
	struct tick_denied range[2 * SL_COUNT(p) + 1];
	uint32_t n = deny_build(p, SL_COUNT(p), range);

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		uint8_t len;
		uint64_t got = deny_find(range, n, ip_of(rows[i].ip), &len);

		if (got != rows[i].vendors || len != rows[i].len)
			fail_msg("%s: %llu/%u", rows[i].ip, (unsigned long long)got, len);
	}
}

static void everybody_may_be_denied(void **state)
{
	struct deny_prefix p[] = {prefix_of("0.0.0.0/0", UINT64_MAX, false),
		prefix_of("::/0", UINT64_MAX, false), prefix_of("10.0.0.0/8", UINT64_MAX, true)};
	struct tick_denied range[2 * SL_COUNT(p) + 1];
	uint32_t n = deny_build(p, SL_COUNT(p), range);
	uint8_t len;

	(void)state;
	assert_true(deny_find(range, n, ip_of("8.8.8.8"), &len) == UINT64_MAX);
	assert_true(deny_find(range, n, ip_of("2001:db8::"), &len) == UINT64_MAX);
	assert_true(deny_find(range, n, ip_of("10.9.9.9"), &len) == 0);
	assert_int_equal(len, 8);
	assert_int_equal(deny_build(p, 0, range), 0);
	assert_true(deny_find(range, 0, ip_of("8.8.8.8"), &len) == 0);
	assert_int_equal(len, 0);
}

static uint64_t by_hand(const struct deny_prefix *p, uint32_t n, struct ip ip)
{
	uint64_t mask = 0;

	for (uint32_t len = 0; len <= 32; len++)
		for (int deny = 0; deny < 2; deny++)
			for (uint32_t i = 0; i < n; i++)
				if (p[i].len == len && p[i].allow == !deny &&
					ip_eq(ip_mask(ip, p[i].len), p[i].ip))
					mask = deny ? mask | p[i].vendors : mask & ~p[i].vendors;
	return mask;
}

/* Random prefixes over few addresses, so that they nest and touch. */
static void it_is_what_a_plain_search_finds(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		struct deny_prefix p[24];
		struct tick_denied range[2 * SL_COUNT(p) + 1];
		uint32_t n;

		for (uint32_t i = 0; i < SL_COUNT(p); i++) {
			struct ip ip = {.family = IP_V4, .b = {10, 0, 0, 0}};

			seed = seed * 1664525 + 1013904223;
			ip.b[3] = (uint8_t)(seed >> 24);
			p[i] = (struct deny_prefix){.len = (uint8_t)(24 + (seed >> 16) % 9),
				.allow = seed >> 12 & 1,
				.vendors = seed >> 8 & 7};
			p[i].ip = ip_mask(ip, p[i].len);
		}
		n = deny_build(p, SL_COUNT(p), range);
		assert_true(n <= SL_COUNT(range));
		for (uint32_t a = 0; a < 256; a++) {
			struct ip ip = {.family = IP_V4, .b = {10, 0, 0, (uint8_t)a}}, other;
			uint8_t len, other_len;
			uint64_t got = deny_find(range, n, ip, &len);

			if (got != by_hand(p, SL_COUNT(p), ip))
				fail_msg("round %u, .%u: %llu", round, a, (unsigned long long)got);
			other = ip_mask(ip, len); /* the whole block is alike */
			for (uint32_t k = 0; k < 1u << (32 - SL_MAX(len, 24)); k++) {
				assert_true(deny_find(range, n, other, &other_len) == got);
				assert_int_equal(other_len, len);
				other.b[3]++;
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_decides),
		cmocka_unit_test(everybody_may_be_denied),
		cmocka_unit_test(it_is_what_a_plain_search_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
