/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "dns/rrl.h"

enum { RATE = 100, NOW_MS = 1000000000 };

static struct dns_rrl *made(uint32_t rate)
{
	struct dns_rrl *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	dns_rrl_init(r, rate, 7);
	return r;
}

static struct ip v4(uint8_t c, uint8_t d)
{
	return (struct ip){.family = IP_V4, .b = {192, 0, c, d}};
}

/* How many of n answers at one time go out. */
static unsigned ask(
	struct dns_rrl *r, struct ip client, uint64_t answer, uint64_t now_ms, unsigned n)
{
	unsigned out = 0;

	for (unsigned i = 0; i < n; i++)
		out += dns_rrl_count(r, client, answer, now_ms);
	return out;
}

static void holds_a_block_to_its_rate(void **state)
{
	struct dns_rrl *r = made(RATE);
	unsigned burst = RATE * DNS_RRL_BURST_S + 1;

	(void)state;
	assert_int_equal(ask(r, v4(2, 1), 1, NOW_MS, 1000), burst);
	assert_int_equal(ask(r, v4(2, 200), 1, NOW_MS, 1000), 0); /* the same /24 */
	assert_int_equal(ask(r, v4(3, 1), 1, NOW_MS, 1000), burst);
	assert_int_equal(ask(r, v4(2, 1), 2, NOW_MS, 1000), burst); /* another answer */
	assert_int_equal(ask(r, v4(2, 1), 1, NOW_MS + 1000, 1000), RATE);
	assert_int_equal(ask(r, v4(2, 1), 1, NOW_MS + 1000 * 3600, 1000), burst);
	assert_int_equal(ask(r, v4(2, 1), 1, NOW_MS, 1000), burst); /* a clock that went back */
	free(r);
}

static void bounds_the_rate(void **state)
{
	struct dns_rrl *least = made(0), *most = made(UINT32_MAX);

	(void)state;
	assert_int_equal(ask(least, v4(2, 1), 1, NOW_MS, 100), DNS_RRL_BURST_S + 1);
	assert_int_equal(ask(most, v4(2, 1), 1, NOW_MS, 100000), 100000);
	free(least);
	free(most);
}

static void knows_who_has_proved_himself(void **state)
{
	struct dns_rrl *r = made(RATE);

	(void)state;
	assert_false(dns_rrl_learned(r, v4(2, 1), NOW_MS));
	dns_rrl_learn(r, v4(2, 1), NOW_MS);
	assert_true(dns_rrl_learned(r, v4(2, 1), NOW_MS));
	assert_false(dns_rrl_learned(r, v4(2, 2), NOW_MS));
	assert_true(dns_rrl_learned(r, v4(2, 1), NOW_MS + 1000 * (DNS_RRL_LEARNED_S - 1)));
	assert_false(dns_rrl_learned(r, v4(2, 1), NOW_MS + 1000 * DNS_RRL_LEARNED_S));
	free(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_a_block_to_its_rate),
		cmocka_unit_test(bounds_the_rate),
		cmocka_unit_test(knows_who_has_proved_himself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
