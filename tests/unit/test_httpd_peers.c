/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "httpd/httpd_peers.h"

static struct ip ip_of(const char *text)
{
	struct ip a;

	assert_true(ip_parse(str_from(text), &a));
	return a;
}

static void keys_are_clients(void **state)
{
	(void)state;
	assert_true(ip_eq(httpd_peer_key(ip_of("192.0.2.1")), ip_of("192.0.2.1")));
	assert_true(ip_eq(httpd_peer_key(ip_of("::ffff:192.0.2.1")), ip_of("192.0.2.1")));
	assert_true(ip_eq(httpd_peer_key(ip_of("2001:db8:0:1:2:3:4:5")), ip_of("2001:db8:0:1::")));
}

static void counts_up_and_down(void **state)
{
	enum { MAX = 100 };
	struct httpd_peers t;
	uint32_t at[MAX];

	(void)state;
	assert_int_equal(httpd_peers_init(&t, MAX, 3), 0);
	for (int pass = 0; pass < 3; pass++) {
		for (uint8_t i = 0; i < MAX; i++) {
			struct ip a = {.b = {10, 0, 0, i}, .family = IP_V4};

			at[i] = httpd_peers_add(&t, a);
			assert_int_not_equal(at[i], HTTPD_PEERS_NONE);
			assert_int_equal(httpd_peers_add(&t, a), at[i]);
			assert_int_equal(t.entries[at[i]].count, 2);
		}
		assert_int_equal(httpd_peers_add(&t, ip_of("10.1.0.0")), HTTPD_PEERS_NONE);
		assert_int_equal(httpd_peers_add(&t, ip_of("10.0.0.7")), at[7]);
		httpd_peers_drop(&t, at[7]);
		for (int i = MAX; i-- > 0;) {
			httpd_peers_drop(&t, at[i]);
			httpd_peers_drop(&t, at[i]);
		}
	}
	httpd_peers_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_clients),
		cmocka_unit_test(counts_up_and_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
