/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "dns/cookie.h"

static struct dns_secrets secrets(const char *text)
{
	struct dns_secrets s;

	assert_int_equal(dns_secrets_parse(str_from(text), &s, NULL), 0);
	return s;
}

static struct ip ip(const char *text)
{
	struct ip a;

	assert_true(ip_parse(str_from(text), &a));
	return a;
}

static struct dns_opt cookie(const char *hex)
{
	struct dns_opt o = {.cookie_n = (uint8_t)(strlen(hex) / 2)};

	for (size_t i = 0; i < o.cookie_n; i++) {
		unsigned v;

		(void)sscanf(hex + 2 * i, "%2x", &v);
		o.cookie[i] = (uint8_t)v;
	}
	return o;
}

/* The reference vector of the algorithm's authors: key 00..0f, message 00..0e. */
static void hashes_as_published(void **state)
{
	uint8_t key[16], msg[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	memcpy(msg, key, sizeof(msg));
	assert_true(dns_siphash24(key, msg, 15) == UINT64_C(0xa129ca6149be45e5));
	assert_true(dns_siphash24(key, msg, 0) == UINT64_C(0x726fdb47dd0e0e31));
}

#define SECRET_A "e5e973e5a6b2a43f48e7dc849e37bfcf\n"
#define SECRET_B "dd3bdf9344b678b185a6f5cb60fca715\n"
#define SECRET_C "445536bcd2513298075a5d379663c962\n"

static void makes_the_cookies_of_the_rfc(void **state)
{
	static const struct {
		const char *why, *secret, *client, *ip, *want;
		uint32_t now_s;
	} rows[] = {
		{"RFC 9018 A.1", SECRET_A, "2464c4abcf10c957", "198.51.100.100",
			"2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985},
		{"RFC 9018 A.4", SECRET_C, "22681ab97d52c298", "2001:db8:220:1:59de:d0f4:8769:82b8",
			"22681ab97d52c298010000005cf7c609a6bb79d16625507a", 1559741961},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct dns_secrets s = secrets(rows[i].secret);
		struct dns_opt in = cookie(rows[i].client), want = cookie(rows[i].want);
		uint8_t got[DNS_COOKIE_OURS];

		dns_cookie_make(&s, &in, ip(rows[i].ip), rows[i].now_s, got);
		assert_memory_equal(got, want.cookie, sizeof(got));
	}
}

static void judges_cookies(void **state)
{
	static const char good[] = "22681ab97d52c298010000005cf7c57926556bd0934c72f8";
	static const uint32_t made = 0x5cf7c579;
	static const struct {
		const char *why, *secrets, *cookie, *ip;
		int32_t after_s;
		enum dns_cookie want;
	} rows[] = {
		{"none", SECRET_B, "", "2001:db8:220:1:59de:d0f4:8769:82b8", 0, DNS_COOKIE_NONE},
		{"no secret: cookies are off", "", good, "192.0.2.1", 0, DNS_COOKIE_NONE},
		{"client part", SECRET_B, "22681ab97d52c298", "192.0.2.1", 0, DNS_COOKIE_FRESH},
		{"good", SECRET_B, good, "2001:db8:220:1:59de:d0f4:8769:82b8", 0, DNS_COOKIE_GOOD},
		{"RFC 9018 A.4: by the secret before", SECRET_C SECRET_B, good,
			"2001:db8:220:1:59de:d0f4:8769:82b8", 144, DNS_COOKIE_GOOD},
		{"by a secret that is gone", SECRET_C, good, "2001:db8:220:1:59de:d0f4:8769:82b8",
			0, DNS_COOKIE_BAD},
		{"of another address", SECRET_B, good, "2001:db8:220:1:59de:d0f4:8769:82b9", 0,
			DNS_COOKIE_BAD},
		{"an hour old", SECRET_B, good, "2001:db8:220:1:59de:d0f4:8769:82b8", 3600,
			DNS_COOKIE_GOOD},
		{"older", SECRET_B, good, "2001:db8:220:1:59de:d0f4:8769:82b8", 3601,
			DNS_COOKIE_BAD},
		{"five minutes ahead", SECRET_B, good, "2001:db8:220:1:59de:d0f4:8769:82b8", -300,
			DNS_COOKIE_GOOD},
		{"further", SECRET_B, good, "2001:db8:220:1:59de:d0f4:8769:82b8", -301,
			DNS_COOKIE_BAD},
		{"version 2", SECRET_B, "22681ab97d52c298020000005cf7c57926556bd0934c72f8",
			"2001:db8:220:1:59de:d0f4:8769:82b8", 0, DNS_COOKIE_BAD},
		{"another length", SECRET_B, "22681ab97d52c298010000005cf7c57926556bd0934c72",
			"2001:db8:220:1:59de:d0f4:8769:82b8", 0, DNS_COOKIE_BAD},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct dns_secrets s = secrets(rows[i].secrets);
		struct dns_opt in = cookie(rows[i].cookie);
		enum dns_cookie got =
			dns_cookie_check(&s, &in, ip(rows[i].ip), made + (uint32_t)rows[i].after_s);

		if (got != rows[i].want)
			fail_msg("%s: %d, want %d", rows[i].why, got, rows[i].want);
	}
}

static void reads_secrets(void **state)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{"e5e973\n", "line 1: want 32"},
		{"\n# x\n" SECRET_A "e5e973e5a6b2a43f48e7dc849e37bfcg\n", "line 4: want 32"},
		{SECRET_A SECRET_A SECRET_A SECRET_A SECRET_A, "line 5: over 4 secrets"},
	};
	struct dns_secrets s =
		secrets("# made by hand\n\nE5E973E5A6B2A43F48E7DC849E37BFCF\n" SECRET_B SECRET_B
			"dd3bdf9344b678b185a6f5cb60fca715");
	struct errbuf err;

	(void)state;
	assert_int_equal(s.n, 4);
	assert_int_equal(s.key[0][0], 0xe5);
	assert_int_equal(s.key[3][15], 0x15);
	for (size_t i = 0; i < SL_COUNT(bad); i++) {
		assert_true(dns_secrets_parse(str_from(bad[i].text), &s, &err) < 0);
		assert_non_null(strstr(err.s, bad[i].want));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_as_published),
		cmocka_unit_test(makes_the_cookies_of_the_rfc),
		cmocka_unit_test(judges_cookies),
		cmocka_unit_test(reads_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
