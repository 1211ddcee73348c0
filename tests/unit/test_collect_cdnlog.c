/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "collect/cdnlog.h"

#include <stdio.h>

#define T 1795230600000.0 /* 2026-11-21T03:10:00Z */

static const char *told(enum collect_refusal r, const struct collect_line *l)
{
	static char text[256];

	if (r)
		return collect_refusal_word(r);
	(void)snprintf(text, sizeof(text), STR_FMT " %.0f %llu%s%s%s" STR_FMT, STR_ARG(l->client),
		l->t_ms - T, (unsigned long long)l->octets, l->error ? " error" : "",
		l->slow ? " slow" : "", l->vendor.n ? " of " : "", STR_ARG(l->vendor));
	return text;
}

static void lines_of_each_format(void **state)
{
	static const struct {
		const char *format, *line, *want;
	} rows[] = {
		{"huawei",
			"2026-11-21T03:10:00Z|play.x|10.1.2.3|192.0.2.1|http://play.x/"
			"a.flv|200|HIT|"
			"http|GET|123456|5000|ua|-|live|room-1",
			"10.1.2.3 0 123456"},
		{"huawei", "2026-11-21 03:10:01|p|10.1.2.3|c|u|502|MISS|http|GET|-|0|||live|r\r",
			"10.1.2.3 1000 0 error"},
		{"huawei", "2026-11-21 03:10:01|p|10.1.2.3|c|u|502|MISS", "line"},
		{"volcengine",
			"{\"request_time\":1795230600,\"account_id\":\"1\",\"is_source\":false,"
			"\"domain\":\"d\",\"total_out_byte\":77,\"client_ip\":\"10.1.2.3\"}",
			"10.1.2.3 0 77"},
		{"volcengine", "{\"request_time\":1795230600}", "line"},
		{"volcengine", "{\"request_time\":", "line"},
		{"aliyun",
			"[21/Nov/2026:11:10:00 +0800] 10.1.2.3 - 1542 \"-\" \"GET http://x/ a\" "
			"200 "
			"191 2830 MISS \"Mozilla/5.0 (a; b)\" \"text/html\"",
			"10.1.2.3 0 2830 slow"},
		{"nginx",
			"10.1.2.3 - - [21/Nov/2026:03:10:00 +0000] \"GET /a\\\"b HTTP/1.1\" 503 "
			"162 "
			"\"-\" \"curl/8\"",
			"10.1.2.3 0 162 error"},
		{"nginx",
			"10.1.2.3 - - [21/Nov/2026:03:10:00 +0000] \"GET / HTTP/1.1\" 200 162 "
			"\"-\" "
			"\"curl/8\" 2.350",
			"10.1.2.3 0 162 slow"},
		{"nginx", "10.1.2.3 - - [21/Nov/2026:03:10:00 +0000] \"GET / HTTP/1.1", "line"},
		{"nginx", "10.1.2.3 - - yesterday \"GET /\" 200 1 \"-\" \"-\"", "line"},
		{"ndjson",
			"{\"t_ms\":1795230600500,\"vendor\":\"alpha\",\"client\":\"::1\","
			"\"status\":200,\"octets\":1e6,\"ms\":1001}",
			"::1 500 1000000 slow of alpha"},
		{"ndjson", "{\"t_ms\":1795230600500,\"client\":\"::1\",\"octets\":-5}", "line"},
		{"ndjson", "\x01\x02", "line"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct collect_log_format f;
		struct collect_line l;
		enum collect_refusal r;

		assert_int_equal(collect_log_named(str_from(rows[i].format), &f), 0);
		r = collect_log_line(&f, str_from(rows[i].line), &l);
		if (strcmp(told(r, &l), rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].line, told(r, &l),
				rows[i].want);
	}
}

static void times(void **state)
{
	static const struct {
		const char *text;
		double ms; /* after T; -1: none */
	} rows[] = {
		{"2026-11-21T03:10:00Z", 0},
		{"2026-11-21 11:10:00", 0}, /* the format's zone, +8 */
		{"2026/11/21 11:10:00.25", 250},
		{"2026-11-20T22:10:00-05:00", 0},
		{"20/Nov/2026:22:10:00 -0500", 0},
		{"1795230600", 0},
		{"1795230600.5", 500},
		{"1795230600500", 500},
		{"1970-01-01T00:00:00Z", -T},
		{"2028-02-29T00:00:00Z", 1835395200000.0 - T},
		{"2026-13-01T00:00:00Z", -1},
		{"2026-11-21", -1},
		{"2026-11-21T25:00:00Z", -1},
		{"21/Nov/2026:03:10:00 +9900", -1},
		{"21/Nob/2026:03:10:00 +0000", -1},
		{"-5", -1},
		{"", -1},
	};
	struct collect_log_format f;

	(void)state;
	assert_int_equal(collect_log_declared('|', STR_LIT("client,time"), &f), 0);
	f.utc_offset_min = 480;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char line[128];
		struct collect_line l;
		enum collect_refusal r;

		(void)snprintf(line, sizeof(line), "1.2.3.4|%s", rows[i].text);
		r = collect_log_line(&f, str_from(line), &l);
		if (rows[i].ms == -1 ? !r : r || l.t_ms - T != rows[i].ms)
			fail_msg("%s: got %d, %.0f", rows[i].text, r, l.t_ms - T);
	}
}

static void declarations(void **state)
{
	static const struct {
		const char *columns;
		char separator;
		bool good;
	} rows[] = {
		{"time,client", '|', true},
		{"", '|', true},
		{"time,client,octets?", '\t', true},
		{"time,clients", '|', false},
		{"time,client", '{', false},
		{"a=time,b=client", '{', true},
		{"=time", '{', false},
	};
	struct collect_log_format f;
	char many[COLLECT_LOG_COLUMNS + 1];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		assert_int_equal(
			collect_log_declared(rows[i].separator, str_from(rows[i].columns), &f) == 0,
			rows[i].good);
	memset(many, ',', sizeof(many));
	assert_int_equal(
		collect_log_declared('|', (struct str){many, COLLECT_LOG_COLUMNS - 1}, &f), 0);
	assert_int_equal(
		collect_log_declared('|', (struct str){many, COLLECT_LOG_COLUMNS}, &f), SL_EFORMAT);
	assert_int_equal(collect_log_named(STR_LIT("akamai"), &f), SL_ENOENT);
}

static void as_long_as_may_be(void **state)
{
	static char line[COLLECT_LOG_LINE + 1];
	static const char start[] = "1.2.3.4|1795230600|";
	struct collect_log_format f;
	struct collect_line l;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, start, sizeof(start) - 1);
	assert_int_equal(collect_log_declared('|', STR_LIT("client,time"), &f), 0);
	assert_int_equal(collect_log_line(&f, (struct str){line, COLLECT_LOG_LINE}, &l), 0);
	assert_int_equal(
		collect_log_line(&f, (struct str){line, COLLECT_LOG_LINE + 1}, &l), COLLECT_LENGTH);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_each_format),
		cmocka_unit_test(times),
		cmocka_unit_test(declarations),
		cmocka_unit_test(as_long_as_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
