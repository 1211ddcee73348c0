/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of /v1/resolve: what is taken, what is refused, at each limit and past it. */
#include "test.h"

#include "http/query.h"

static const char *set(struct http_query *q, const char *name, const char *value)
{
	return http_query_set(q, str_from(name), str_from(value));
}

static void test_accepted(void **state)
{
	static const char *const rows[][2] = {
		{"host", "a.example"},
		{"host", "A.example."},
		{"host", "a.example,b.example"},
		{"ip", "192.0.2.1"},
		{"ip", "2001:db8::1"},
		{"stream", ""},
		{"client", ""},
		{"cur", ""},
		{"cur", "no-such-vendor"},
		{"avoid", ""},
		{"avoid", ",,"},
		{"type", "a"},
		{"type", "AAAA,A"},
		{"n", "1"},
		{"n", "16"},
		{"n", "02"},
		{"ranked", "16"},
		{"fields", "host"},
		{"fields", "answers,ttl,view,group,refresh_s,degrade,explain,host"},
		{"explain", "0"},
		{"explain", "1"},
		{"sdk_version", "anything \" at all"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_query q = http_query_of((struct ip){0});

		assert_null(set(&q, rows[i][0], rows[i][1]));
	}
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{"host", ""},
		{"ip", ""},
		{"ip", "192.0.2"},
		{"ip", "192.0.2.1/24"},
		{"ip", "::1%lo"},
		{"type", ""},
		{"type", "MX"},
		{"type", "A,MX"},
		{"n", "0"},
		{"n", "17"},
		{"n", "-1"},
		{"n", "1 "},
		{"n", "001"},
		{"n", ""},
		{"ranked", "17"},
		{"fields", ""},
		{"fields", "host,nothing"},
		{"explain", "yes"},
		{"explain", ""},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_query q = http_query_of((struct ip){0});

		assert_non_null(set(&q, rows[i][0], rows[i][1]));
	}
}

static void test_twice_is_refused(void **state)
{
	struct http_query q = http_query_of((struct ip){0});

	(void)state;
	assert_null(set(&q, "cur", "a"));
	assert_non_null(set(&q, "cur", "a"));
	assert_null(set(&q, "other", "a"));
	assert_null(set(&q, "other", "a"));
}

static void test_limits(void **state)
{
	static const struct {
		const char *name;
		size_t max;
	} rows[] = {{"host", SL_HTTP_HOSTS_MAX * (SL_DNS_NAME_MAX + 1)},
		{"client", SL_HTTP_CLIENT_MAX}, {"stream", SL_HTTP_STREAM_MAX},
		{"cur", SL_MAX_NAME}, {"avoid", SL_MAX_SLOTS * (SL_MAX_NAME + 1)}};
	char text[8192];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct http_query q = http_query_of((struct ip){0});

		assert_null(http_query_set(
			&q, str_from(rows[i].name), (struct str){text, rows[i].max}));
		q = http_query_of((struct ip){0});
		assert_non_null(http_query_set(
			&q, str_from(rows[i].name), (struct str){text, rows[i].max + 1}));
	}
}

static void test_values(void **state)
{
	struct http_query q = http_query_of((struct ip){{192, 0, 2, 1}, IP_V4});

	(void)state;
	assert_true(q.a && q.aaaa && !q.explain && q.n == 0 && q.ranked == SL_MAX_RANKED);
	assert_int_equal(q.ip.b[0], 192);
	assert_null(set(&q, "type", "aaaa"));
	assert_null(set(&q, "n", "5"));
	assert_null(set(&q, "fields", "ttl,host"));
#define X(id, name) assert_non_null(strstr(set(&q, "fields", "nothing"), name));
	HTTP_FIELD_MAP(X)
#undef X
	assert_null(set(&q, "ip", "10.0.0.1"));
	assert_true(!q.a && q.aaaa && q.n == 5 && q.ip.b[0] == 10);
	assert_int_equal(q.fields, 1u << HTTP_FIELD_TTL | 1u << HTTP_FIELD_HOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_twice_is_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
