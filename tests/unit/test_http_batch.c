/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/resolve for several hosts and for batches: one result each, in order, whatever becomes of it.
 */
#include "test.h"

#include "httpworld.h"

#include <cjson/cJSON.h>

static struct httpworld h;
static char text[SL_HTTP_BATCH_OCTETS];

static int setup(void **state)
{
	(void)state;
	return httpworld_init(&h, NULL);
}

static int teardown(void **state)
{
	(void)state;
	httpworld_done(&h);
	return 0;
}

static unsigned post(const char *body)
{
	static const struct ip client = {{10, 1, 2, 3}, IP_V4};

	return httpworld_ask(
		&h, HTTPD_POST, "/v1/resolve", (struct str){NULL, 0}, str_from(body), client);
}

static cJSON *results(int want)
{
	cJSON *json = cJSON_Parse((const char *)h.body);
	cJSON *list = cJSON_DetachItemFromObject(json, "results");

	if (cJSON_GetArraySize(list) != want)
		fail_msg("%.2000s", (const char *)h.body);
	cJSON_Delete(json);
	return list;
}

static const char *code_of(const cJSON *list, int i)
{
	const char *code = cJSON_GetStringValue(cJSON_GetObjectItem(
		cJSON_GetObjectItem(cJSON_GetArrayItem(list, i), "error"), "code"));

	return code ? code : "";
}

static void test_hosts(void **state)
{
	cJSON *list;

	(void)state;
	assert_int_equal(
		httpworld_get(&h, "/v1/resolve",
			"host=live.sluice.example,nothing.example,,drill.sluice.example&n=1"),
		200);
	list = results(4);
	assert_string_equal(code_of(list, 0), "");
	assert_string_equal(code_of(list, 1), "unknown_host");
	assert_string_equal(code_of(list, 2), "bad_request");
	assert_string_equal(code_of(list, 3), "");
	cJSON_Delete(list);
	assert_int_equal(
		httpworld_get(&h, "/v1/resolve", "host=a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"), 200);
	assert_int_equal(
		httpworld_get(&h, "/v1/resolve", "host=a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"), 400);
}

static void test_batch(void **state)
{
	static const char body[] =
		"{\"host\":\"live.sluice.example\",\"type\":[\"A\"],\"trace\":{\"x\":[1]},"
		"\"requests\":[{\"ip\":\"10.2.0.1\",\"client\":\"a\\\"b\",\"n\":1},"
		"{\"host\":\"drill.sluice.example\",\"cur\":\"beta\",\"fields\":\"answers\","
		"\"ranked\":1},"
		"{\"host\":\"none.example\"},{\"ip\":\"x\"},{\"ip\":\"10.3.0.1\",\"avoid\":["
		"\"alpha\",\"beta\"]},"
		"{\"n\":1,\"n\":2},7,{},[{}],\"x\",{}]}";
	cJSON *list;
	char *one;

	(void)state;
	assert_int_equal(post(body), 200);
	list = results(11);
	assert_string_equal(
		cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(list, 0), "group")),
		"CN/GD/unicom");
	one = cJSON_PrintUnformatted(cJSON_GetArrayItem(list, 1));
	assert_string_equal(one, "{\"answers\":[{\"vendor\":\"beta\",\"ips\":[\"198.51.100.1\","
				 "\"198.51.100.2\"]}]}");
	free(one);
	assert_string_equal(code_of(list, 2), "unknown_host");
	assert_string_equal(code_of(list, 3), "bad_request");
	assert_string_equal(
		cJSON_GetStringValue(cJSON_GetObjectItem(
			cJSON_GetArrayItem(
				cJSON_GetObjectItem(cJSON_GetArrayItem(list, 4), "answers"), 0),
			"vendor")),
		"gamma");
	assert_string_equal(code_of(list, 5), "bad_request");
	for (int i = 6; i < 11; i++)
		assert_string_equal(code_of(list, i), i == 7 || i == 10 ? "" : "bad_request");
	cJSON_Delete(list);
}

static void test_single(void **state)
{
	(void)state;
	assert_int_equal(post("{\"host\":\"live.sluice.example\"}"), 200);
	assert_null(strstr((const char *)h.body, "results"));
	/* what is not known is passed over, whatever it is, and null is as if absent */
	assert_int_equal(
		post("{\"host\":\"live.sluice.example\",\"x\":[[1],{\"y\":[]}],\"ip\":null,"
		     "\"requests\":null}"),
		200);
	assert_null(strstr((const char *)h.body, "results"));
	assert_int_equal(post("{\"host\":\"x.example\"}"), 404);
	assert_int_equal(post("{}"), 400);
	assert_int_equal(post("{\"requests\":[]}"), 200);
	assert_string_equal((const char *)h.body, "{\"results\":[]}");
}

static void test_malformed(void **state)
{
	static const struct {
		const char *body, *message;
	} rows[] = {{"", "octet 1: an object is wanted"}, {"[]", "octet 1: an object is wanted"},
		{"{", "octet 2: a value is wanted"},
		{"{\"requests\":[{]}", "octet 15: a name is wanted"},
		{"{\"requests\":[{}]}x", "octet 18: something follows the end"},
		{"{\"host\":\"a\" \"n\":1}", "octet 13: a comma or the end is wanted"},
		{"{\"host\":\"a}", "octet 9: malformed string"},
		{"{\"requests\":{}}", "requests must be a list, given once"},
		{"{\"requests\":[],\"requests\":[]}", "requests must be a list, given once"},
		{"{\"host\":{}}", "host must be host names with commas between, given once"},
		{"{\"host\":\"a\",\"x\":nil}", "octet 17: a value is wanted"},
		{"{\"host\":1,\"host\":2}",
			"host must be host names with commas between, given once"},
		{"{\"requests\":[{}],\"n\":99}", "n must be 1 to 16, given once"},
		{"null", "octet 1: an object is wanted"}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		assert_int_equal(post(rows[i].body), 400);
		if (!strstr((const char *)h.body, rows[i].message))
			fail_msg("%s: %s", rows[i].body, (const char *)h.body);
	}
	/* nothing was counted for what could not be read whole */
	assert_int_equal(post("{\"requests\":[{\"host\":\"live.sluice.example\"},"), 400);
	for (uint32_t s = 0; s < SL_MAX_SERVICES; s++)
		for (uint32_t r = 0; r < TALLY_REASONS; r++)
			assert_int_equal(
				tally_get(&h.w.worker.tally->answers[s][TALLY_DOOR_DNS][r]), 0);
}

static void many(int n, const char *one)
{
	struct buf b = buf_over(text, sizeof(text) - 1);

	BUF_PUT_LIT(&b, "{\"host\":\"live.sluice.example\",\"requests\":[");
	for (int i = 0; i < n; i++) {
		if (i)
			buf_put_u8(&b, ',');
		buf_put_str(&b, str_from(one));
	}
	BUF_PUT_LIT(&b, "]}");
	*b.p = '\0';
	assert_false(b.overflow);
}

static void test_limit(void **state)
{
	(void)state;
	many(SL_HTTP_BATCH_MAX + 1, "{}");
	assert_int_equal(post(text), 400);
	many(SL_HTTP_BATCH_MAX, "{\"fields\":\"ttl\"}");
	assert_int_equal(post(text), 200);
	cJSON_Delete(results(SL_HTTP_BATCH_MAX));
}

/* More than the reply has room for: each still gets its object. */
static void test_reply_full(void **state)
{
	cJSON *list;

	(void)state;
	many(SL_HTTP_BATCH_MAX, "{\"explain\":1}");
	assert_int_equal(post(text), 200);
	list = results(SL_HTTP_BATCH_MAX);
	assert_string_equal(code_of(list, 0), "");
	assert_string_equal(code_of(list, SL_HTTP_BATCH_MAX - 1), "reply_full");
	cJSON_Delete(list);
}

/* Lists that outgrow the scratch buffer are found when their request is read. */
static void test_lists_too_long(void **state)
{
	struct buf b = buf_over(text, sizeof(text) - 1);

	(void)state;
	BUF_PUT_LIT(&b, "{\"host\":\"live.sluice.example\",\"requests\":[{},{\"x\":[");
	for (int i = 0; i < 10000; i++)
		BUF_PUT_LIT(&b, "10,");
	BUF_PUT_LIT(&b, "1]},{}]}");
	*b.p = '\0';
	assert_int_equal(post(text), 200);
	cJSON_Delete(results(3));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_hosts),
		CASE(test_batch),
		CASE(test_single),
		CASE(test_malformed),
		CASE(test_limit),
		CASE(test_reply_full),
		CASE(test_lists_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
