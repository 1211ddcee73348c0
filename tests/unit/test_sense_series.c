/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "conf/conf.h"
#include "sense/request.h"
#include "sense/series.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

static struct sense_points points;

static int read_text(const struct sense_form *f, const char *text, struct errbuf *err)
{
	cJSON *reply = cJSON_Parse(text);
	int rc = sense_series_read(f, reply, &points, err);

	cJSON_Delete(reply);
	return rc;
}

static void replies_are_read_or_refused(void **state)
{
	static const struct {
		const char *what, *series, *value, *time, *text;
		int rc;
		uint32_t n;
		uint64_t t_ms;
		double v;
	} rows[] = {
		{"number alone", "", "/v", "", "{\"v\":5}", 0, 1, 0, 5},
		{"number as text", "", "/v", "", "{\"v\":\"5.5\"}", 0, 1, 0, 5.5},
		{"list of points", "/a/b", "/v", "/t",
			"{\"a\":{\"b\":[{\"t\":1700000000,\"v\":3}]}}", 0, 1, 1700000000000, 3},
		{"milliseconds, places in lists", "/a", "/1", "/0", "{\"a\":[[1700000000123,3]]}",
			0, 1, 1700000000123, 3},
		{"equal times are added up", "/a", "/1", "/0",
			"{\"a\":[[1700000000,3],[1700000000,4]]}", 0, 1, 1700000000000, 7},
		{"out of order", "/a", "/1", "/0", "{\"a\":[[1700000060,3],[1700000000,4]]}", 0, 2,
			1700000000000, 4},
		{"lists in a list", "/a/*/b", "/1", "/0",
			"{\"a\":[{\"b\":[[1700000000,1]]},{\"b\":[[1700000000,2]]}]}", 0, 1,
			1700000000000, 3},
		{"escaped names", "", "/a~1b/m~0n", "", "{\"a/b\":{\"m~n\":2}}", 0, 1, 0, 2},
		{"empty list", "/a", "/v", "/t", "{\"a\":[]}", 0, 0, 0, 0},
		{"sum over a list without times", "/a", "/v", "", "{\"a\":[{\"v\":1},{\"v\":2}]}",
			0, 1, 0, 3},
		{"nothing there", "/a", "/v", "/t", "{\"b\":[]}", SL_EFORMAT, 0, 0, 0},
		{"no list under a star", "/a/*/b", "/v", "/t", "{\"a\":5}", SL_EFORMAT, 0, 0, 0},
		{"no number", "/a", "/v", "/t", "{\"a\":[{\"t\":1700000000,\"v\":null}]}",
			SL_EFORMAT, 0, 0, 0},
		{"text behind a number", "", "/v", "", "{\"v\":\"5x\"}", SL_EFORMAT, 0, 0, 0},
		{"infinite", "", "/v", "", "{\"v\":1e999}", SL_EFORMAT, 0, 0, 0},
		{"no time", "/a", "/v", "/t", "{\"a\":[{\"v\":1}]}", SL_EFORMAT, 0, 0, 0},
		{"time out of reach", "/a", "/v", "/t", "{\"a\":[{\"t\":5,\"v\":1}]}", SL_EFORMAT,
			0, 0, 0},
		{"no JSON", "/a", "/v", "/t", "{", SL_EFORMAT, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct sense_form f = {.series = rows[i].series,
			.value = rows[i].value,
			.time = rows[i].time,
			.unit = CONF_UNIT_MBPS,
			.step_s = 60};
		struct errbuf err = {""};
		int rc;

		points.n = 0;
		rc = read_text(&f, rows[i].text, &err);
		if (rc != rows[i].rc || points.n != rows[i].n)
			fail_msg("%s: %d, %u points (%s)", rows[i].what, rc, points.n, err.s);
		if (points.n && (points.at[0].t_ms != rows[i].t_ms || points.at[0].v != rows[i].v))
			fail_msg("%s: %llu %g", rows[i].what, (unsigned long long)points.at[0].t_ms,
				points.at[0].v);
	}
}

static void units_become_mbps(void **state)
{
	static const struct {
		uint32_t unit;
		double mbps;
	} rows[] = {{CONF_UNIT_BPS, 1.5}, {CONF_UNIT_KBPS, 1500}, {CONF_UNIT_MBPS, 1500000},
		{CONF_UNIT_OCTETS, 0.2}, {CONF_UNIT_OCTETS_TOTAL, 1500000}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct sense_form f = {"", "/v", "", rows[i].unit, 60, 0};

		points.n = 0;
		assert_int_equal(read_text(&f, "{\"v\":1500000}", NULL), 0);
		assert_float_equal(points.at[0].v, rows[i].mbps, 1e-9);
	}
}

static void times_are_read_in_their_zone(void **state)
{
	static const struct {
		const char *text;
		int32_t offset_min;
		uint64_t ms;
	} rows[] = {
		{"\"2023-11-14T22:13:20Z\"", 480, 1700000000000},
		{"\"2023-11-14T22:13:20.500Z\"", 0, 1700000000000},
		{"\"2023-11-15 06:13:20\"", 480, 1700000000000},
		{"\"2023-11-15T06:13:20+08:00\"", 0, 1700000000000},
		{"\"2023-11-14T17:13:20-0500\"", 0, 1700000000000},
		{"\"2023-11-14 22:13\"", 0, 1699999980000},
		{"\"1700000000\"", 480, 1700000000000},
		{"\"2023-13-14T22:13:20Z\"", 0, 0},
		{"\"2023-11-14\"", 0, 0},
		{"\"2023-11-14T22:13:20X\"", 0, 0},
		{"\"0000-00-00 00:00:00\"", 0, 0},
		{"true", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		cJSON *v = cJSON_Parse(rows[i].text);
		uint64_t ms = 0;
		bool good = sense_series_time(v, rows[i].offset_min, &ms);

		cJSON_Delete(v);
		if (good != (rows[i].ms != 0) || ms != rows[i].ms)
			fail_msg("%s: %d %llu", rows[i].text, good, (unsigned long long)ms);
	}
}

static void windows_want_half_and_an_end(void **state)
{
	double mbps;

	(void)state;
	points.n = 0;
	for (uint32_t i = 0; i < 10; i++)
		points.at[points.n++] = (struct sense_point){60000 + i * 1000, 10 + i};
	assert_true(sense_series_window(&points, 60000, 10, 1, &mbps));
	assert_float_equal(mbps, 14.5, 1e-9);
	points.n = 9; /* the last second is still to come */
	assert_false(sense_series_window(&points, 60000, 10, 1, &mbps));
	points.at[5] = (struct sense_point){71000, 1};
	points.n = 6; /* five of ten, and one later */
	assert_true(sense_series_window(&points, 60000, 10, 1, &mbps));
	points.at[4] = (struct sense_point){71000, 1};
	points.n = 5;
	assert_false(sense_series_window(&points, 60000, 10, 1, &mbps));
}

static void limits_hold(void **state)
{
	struct sense_form f = {"", "/1", "/0", CONF_UNIT_MBPS, 1, 0};
	cJSON *list = cJSON_CreateArray();
	struct errbuf err = {""};

	(void)state;
	for (int i = 0; i < SENSE_MAX_POINTS + 1; i++) {
		double pair[2] = {1700000000.0 + i, 1};

		cJSON_AddItemToArray(list, cJSON_CreateDoubleArray(pair, 2));
		if (i != SENSE_MAX_POINTS - 1)
			continue;
		points.n = 0;
		assert_int_equal(sense_series_read(&f, list, &points, &err), 0);
	}
	points.n = 0;
	assert_int_equal(sense_series_read(&f, list, &points, &err), SL_ELIMIT);
	assert_int_equal(points.n, SENSE_MAX_POINTS);
	cJSON_Delete(list);
}

/* The example of Aliyun's documentation of RPC signatures (access key testid, secret testsecret),
 * as many clients' tests give it; python3's hmac makes the same of its string to sign. */
static void signatures_are_the_published_ones(void **state)
{
	static const char *const params[] = {"a=AccessKeyId"};
	const struct sense_api api = {
		.url = "http://ecs.aliyuncs.com/"
		       "?AccessKeyId={user}&Action=DescribeRegions&Format=XML"
		       "&SignatureMethod=HMAC-SHA1&SignatureNonce={nonce_text}&SignatureVersion=1.0"
		       "&Timestamp={stamp}&Version=2014-05-26&Signature={signature}",
		.body = "",
		.headers = "",
		.params = "nonce_text=3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf\n"
			  "stamp=2016-02-23T12:46:24Z",
		.more_params = params,
		.n_more_params = 1,
		.user = "testid",
		.auth = CONF_AUTH_HMAC_SHA1_BASE64,
		.sign_key = "{secret}&",
		.sign_canonical = "",
		.sign_input = "{method}&%2F&{query_pct}"};
	const struct sense_ask ask = {.secret = STR_LIT("testsecret")};
	static struct sense_request rq;
	struct errbuf err = {""};

	(void)state;
	assert_int_equal(sense_request_build(&api, &ask, &rq, &err), 0);
	assert_non_null(strstr(rq.url, "&Signature=OLeaidS1JvxuMvnyHOwuJ%2BuX5qY%3D"));
	assert_string_equal(rq.host, "ecs.aliyuncs.com");
}

static void ready_made_apis_are_whole(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= CONF_API_FASTLY; i++) {
		static const char *const params[] = {"domain=d", "service=s"};
		struct conf_meter m = {.api = i,
			.name = "m",
			.params = params,
			.params_count = 2,
			.key = "k",
			.user = "u"};
		struct sense_api api = sense_api_of(&m);
		struct errbuf err = {""};

		if (sense_request_check(&api, &err))
			fail_msg("%u: %s", i, err.s);
		assert_true(api.window_s && api.step_s && api.rate_per_s > 0);
		assert_true(api.unit != CONF_UNIT_API && api.auth != CONF_AUTH_API);
	}
}

static void bad_templates_are_refused(void **state)
{
	static const struct {
		const char *url, *header, *want;
	} rows[] = {
		{"http://h/{nothing}", "", "{nothing}"},
		{"ftp://h/", "", "http"},
		{"http://", "", "host"},
		{"", "", "no url"},
		{"http://h/", "X: {nothing}", "{nothing}"},
		{"http://h/?{\"a\":{}}", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct conf_meter m = {.url = rows[i].url, .value = "/v"};
		struct sense_api api = sense_api_of(&m);
		struct errbuf err = {""};
		int rc;

		api.headers = rows[i].header;
		rc = sense_request_check(&api, &err);
		if (!rc != !rows[i].want || (rows[i].want && !strstr(err.s, rows[i].want)))
			fail_msg("%s: %d %s", rows[i].url, rc, err.s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read_or_refused),
		cmocka_unit_test(units_become_mbps),
		cmocka_unit_test(times_are_read_in_their_zone),
		cmocka_unit_test(windows_want_half_and_an_end),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(signatures_are_the_published_ones),
		cmocka_unit_test(ready_made_apis_are_whole),
		cmocka_unit_test(bad_templates_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
