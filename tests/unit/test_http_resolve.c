/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/resolve over the test world: the contract of the answer, refusals, counting. */
#include "test.h"

#include "http/decision.h"
#include "httpworld.h"

#include <cjson/cJSON.h>

static struct httpworld h;

static void begin(const struct testworld_spec *spec)
{
	if (httpworld_init(&h, spec))
		fail_msg("%s", h.tw.err.s);
}

static int setup(void **state)
{
	(void)state;
	begin(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	httpworld_done(&h);
	return 0;
}

static unsigned get(const char *query)
{
	return httpworld_get(&h, "/v1/resolve", query);
}

static cJSON *parsed(void)
{
	cJSON *json = cJSON_Parse((const char *)h.body);

	if (!json)
		fail_msg("no JSON: %s", (const char *)h.body);
	return json;
}

static const char *text_at(const cJSON *json, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
}

static const char *first_vendor(const cJSON *json)
{
	return text_at(cJSON_GetArrayItem(cJSON_GetObjectItem(json, "answers"), 0), "vendor");
}

static void test_contract(void **state)
{
	cJSON *json, *answers, *first;

	(void)state;
	assert_int_equal(get("host=Live.Sluice.Example.&ip=10.1.2.3"), 200);
	json = parsed();
	assert_string_equal(text_at(json, "host"), "live.sluice.example");
	assert_string_equal(text_at(json, "group"), "CN/GD/telecom");
	assert_string_equal(text_at(json, "view"), "1.17");
	assert_int_equal(cJSON_GetObjectItem(json, "ttl")->valueint, 20);
	assert_in_range(cJSON_GetObjectItem(json, "refresh_s")->valueint, 48, 72);
	assert_null(cJSON_GetObjectItem(json, "degrade"));
	assert_null(cJSON_GetObjectItem(json, "explain"));
	answers = cJSON_GetObjectItem(json, "answers");
	assert_int_equal(cJSON_GetArraySize(answers), 3);
	first = cJSON_GetArrayItem(answers, 0);
	assert_non_null(strstr(text_at(first, "cname"), text_at(first, "vendor")));
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(first, "ips")),
		strcmp(text_at(first, "vendor"), "gamma") ? 4 : 2);
	cJSON_Delete(json);
	assert_string_equal(h.rp.cache_control, "no-store");
}

static void test_exact_octets(void **state)
{
	static const char want[] =
		"{\"host\":\"drill.sluice.example\",\"group\":\"CN/GD/telecom\",\"ttl\":20,"
		"\"answers\":[{\"vendor\":\"beta\",\"ips\":[\"198.51.100.1\",\"198.51.100.2\"]}]}";

	(void)state;
	assert_int_equal(get("host=drill.sluice.example&cur=beta&type=A&ranked=1"
			     "&fields=host,group,ttl,answers"),
		200);
	assert_string_equal((const char *)h.body, want);
}

/* As at the other doors: who holds an answer while a vendor drains asks again soon. */
static void test_ttl_while_something_moves(void **state)
{
	(void)state;
	httpworld_done(&h);
	begin(&(struct testworld_spec){.drains = true});
	for (const char *who = "&client=a"; who; who = *who ? "" : NULL) {
		char query[96];
		cJSON *json;

		(void)snprintf(query, sizeof(query), "host=live.sluice.example&ip=10.1.2.3%s", who);
		assert_int_equal(get(query), 200);
		json = parsed();
		assert_int_equal(cJSON_GetObjectItem(json, "ttl")->valueint, 5);
		assert_in_range(cJSON_GetObjectItem(json, "refresh_s")->valueint, 48, 72);
		cJSON_Delete(json);
	}
}

static void expect_start(const char *query, const char *start)
{
	assert_int_equal(get(query), 200);
	if (memcmp(h.body, start, strlen(start)) != 0)
		fail_msg("%s: %s", query, (const char *)h.body);
}

/* What answers begin with is remembered, for a host, a group and the fields, until the next tick.
 */
static void test_starts(void **state)
{
	static const struct {
		const char *query, *start;
	} rows[] = {
		{"host=live.sluice.example&ip=10.1.2.3",
			"{\"host\":\"live.sluice.example\",\"group\":\"CN/GD/telecom\",\"ttl\":20,"
			"\"view\":\"1.17\",\"answers\":[{"},
		{"host=live.sluice.example&ip=10.2.2.3",
			"{\"host\":\"live.sluice.example\",\"group\":\"CN/GD/unicom\",\"ttl\":20,"
			"\"view\":\"1.17\",\"answers\":[{"},
		{"host=drill.sluice.example&ip=10.1.2.3",
			"{\"host\":\"drill.sluice.example\",\"group\":\"CN/GD/telecom\",\"ttl\":20,"
			"\"view\":\"1.17\",\"answers\":[{"},
		{"host=live.sluice.example&ip=10.1.2.3&fields=group,view",
			"{\"group\":\"CN/GD/telecom\",\"view\":\"1.17\"}"},
		{"host=live.sluice.example&ip=10.1.2.3&fields=answers", "{\"answers\":[{"},
		{"host=live.sluice.example&ip=10.1.2.3&fields=ttl", "{\"ttl\":20}"},
	};
	const struct tick_view *t = &h.w.worker.world->tick;
	struct blob_head *head = (struct blob_head *)(uintptr_t)t->head;

	(void)state;
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < SL_COUNT(rows); i++)
			expect_start(rows[i].query, rows[i].start);
	head->generation++;
	head->checksum++;
	expect_start("host=live.sluice.example&ip=10.1.2.3&fields=group,view",
		"{\"group\":\"CN/GD/telecom\",\"view\":\"1.18\"}");
}

static void test_refusals(void **state)
{
	static const struct {
		const char *query;
		unsigned status;
		const char *code;
	} rows[] = {
		{"", 400, "bad_request"},
		{"host=", 400, "bad_request"},
		{"ip=10.1.2.3", 400, "bad_request"},
		{"host=live.sluice.example&ip=x", 400, "bad_request"},
		{"host=live.sluice.example&n=17", 400, "bad_request"},
		{"host=live.sluice.example&host=live.sluice.example", 400, "bad_request"},
		{"host=none.sluice.example", 404, "unknown_host"},
		{"host=mail.sluice.example", 404, "unknown_host"},
		{"host=..", 404, "unknown_host"},
		{"host=%01%22", 404, "unknown_host"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		cJSON *json;

		assert_int_equal(get(rows[i].query), rows[i].status);
		json = parsed();
		assert_string_equal(
			text_at(cJSON_GetObjectItem(json, "error"), "code"), rows[i].code);
		cJSON_Delete(json);
	}
}

static void test_sequence_is_exact(void **state)
{
	static const char *const names[] = {"alpha", "beta", "gamma"};
	static const unsigned want[] = {5000, 3000, 2000};
	unsigned got[3] = {0};
	char query[128];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		cJSON *json;

		(void)snprintf(
			query, sizeof(query), "host=live.sluice.example&ip=10.2.0.1&client=c%d", i);
		assert_int_equal(get(query), 200);
		json = parsed();
		for (size_t v = 0; v < 3; v++)
			got[v] += strcmp(first_vendor(json), names[v]) == 0;
		cJSON_Delete(json);
	}
	for (size_t v = 0; v < 3; v++)
		assert_in_range(got[v], want[v] - 1, want[v] + 1);
}

static void test_cur_and_avoid(void **state)
{
	static const struct {
		const char *query, *first;
	} rows[] = {
		{"cur=gamma", "gamma"},
		{"cur=gamma&client=x", "gamma"},
		{"cur=gamma&avoid=gamma,alpha", "beta"},
		{"avoid=gamma,beta&client=x", "alpha"},
		{"avoid=gamma,beta", "alpha"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char query[160];
		cJSON *json;

		(void)snprintf(query, sizeof(query), "host=live.sluice.example&%s", rows[i].query);
		assert_int_equal(get(query), 200);
		json = parsed();
		assert_string_equal(first_vendor(json), rows[i].first);
		assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "answers")), 3);
		cJSON_Delete(json);
	}
	/* a vendor that is gone, or all to be avoided, is no error */
	assert_int_equal(get("host=live.sluice.example&cur=gone&avoid=old"), 200);
	assert_int_equal(get("host=live.sluice.example&avoid=alpha,beta,gamma"), 200);
}

static void test_sticky_is_by_block(void **state)
{
	char first[16] = "";

	(void)state;
	for (int i = 0; i < 32; i++) {
		char query[96];
		cJSON *json;

		(void)snprintf(
			query, sizeof(query), "host=live.sluice.example&ip=10.1.7.%d", i * 8);
		assert_int_equal(get(query), 200);
		json = parsed();
		if (i == 0)
			(void)snprintf(first, sizeof(first), "%s", first_vendor(json));
		assert_string_equal(first_vendor(json), first);
		cJSON_Delete(json);
	}
}

static void test_types_and_n(void **state)
{
	static const struct {
		const char *query;
		int ips;
	} rows[] = {{"type=A", 2}, {"type=AAAA", 2}, {"type=A,AAAA", 4}, {"type=A&n=1", 1},
		{"type=A&n=3", 3}, {"type=A&n=16", 3}, {"n=1", 2}};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char query[96];
		cJSON *json, *first;

		(void)snprintf(query, sizeof(query), "host=drill.sluice.example&cur=alpha&%s",
			rows[i].query);
		assert_int_equal(get(query), 200);
		json = parsed();
		first = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "answers"), 0);
		assert_int_equal(
			cJSON_GetArraySize(cJSON_GetObjectItem(first, "ips")), rows[i].ips);
		assert_null(cJSON_GetObjectItem(first, "cname"));
		cJSON_Delete(json);
	}
}

/* The same octets of a blob of the test world, to be changed under the reader. */
static void *writable(void *blob, const struct blob_head *head, const void *p)
{
	return (char *)blob + ((const char *)p - (const char *)head);
}

static void test_explain(void **state)
{
	const struct cat_view *c = &h.w.worker.world->cat;
	struct cat_meta *meta = writable(h.tw.catalogue, c->head, c->meta);
	cJSON *json, *explain, *vendors;
	double sum = 0;

	(void)state;
	assert_int_equal(get("host=live.sluice.example&explain=1&client=x"), 200);
	json = parsed();
	explain = cJSON_GetObjectItem(json, "explain");
	assert_string_equal(text_at(explain, "group"), "CN/GD/telecom");
	assert_string_equal(text_at(explain, "by"), "sequence");
	assert_string_equal(text_at(explain, "kind"), "new");
	assert_string_equal(text_at(explain, "reason"), "by sequence");
	vendors = cJSON_GetObjectItem(explain, "vendors");
	assert_int_equal(cJSON_GetArraySize(vendors), 3);
	for (int i = 0; i < 3; i++)
		sum += cJSON_GetObjectItem(cJSON_GetArrayItem(vendors, i), "share_ppm")
			       ->valuedouble;
	assert_true(sum + cJSON_GetObjectItem(explain, "none_ppm")->valuedouble == 1000000);
	cJSON_Delete(json);

	meta->explain = 0;
	assert_int_equal(get("host=live.sluice.example&explain=1"), 403);
	assert_int_equal(get("host=live.sluice.example&explain=0"), 200);
	meta->explain = 1;
}

static uint64_t counted(uint32_t vendor, tally_number *(*which)(struct tally_slot *))
{
	uint64_t sum = 0;

	for (uint32_t g = 0; g < h.w.worker.world->cat.n_groups; g++)
		sum += tally_get(which(&h.w.worker.tally->row[TW_LIVE][g].slot[vendor]));
	return sum;
}

static tally_number *fresh(struct tally_slot *s)
{
	return &s->fresh;
}

static tally_number *refreshed(struct tally_slot *s)
{
	return &s->refresh;
}

static tally_number *moved(struct tally_slot *s)
{
	return &s->moved;
}

static uint64_t all_counted(tally_number *(*which)(struct tally_slot *))
{
	return counted(0, which) + counted(1, which) + counted(2, which);
}

static void test_counting(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		(void)get("host=live.sluice.example"); /* once new, then seen */
	assert_int_equal(all_counted(fresh), 1);
	assert_int_equal(all_counted(refreshed), 2);
	for (int i = 0; i < 3; i++)
		(void)get("host=live.sluice.example&client=x"); /* says nothing of a session */
	assert_int_equal(all_counted(fresh), 4);
	(void)get("host=live.sluice.example&cur=beta");
	assert_int_equal(all_counted(refreshed), 3);
	(void)get("host=live.sluice.example&cur=beta&avoid=beta");
	assert_int_equal(all_counted(moved), 1);
	assert_int_equal(tally_get(&h.w.worker.tally->counters[TALLY_HTTP_REQUESTS]), 8);
	(void)get("host=x");
	assert_int_equal(tally_get(&h.w.worker.tally->counters[TALLY_HTTP_4XX]), 1);
	assert_int_equal(tally_get(&h.w.worker.tally->counters[TALLY_HTTP_2XX]), 8);
	assert_int_equal(all_counted(fresh), 4);
}

/* Part of the new sessions is asked to take a lower rung, the same client always the same; what is
 * charged is what it will pull, what is counted as demand is what it wanted. */
/* One request in eight is timed, the first among them. */
static void test_timing(void **state)
{
	const struct tally_histogram *t = &h.w.worker.tally->http_time;
	uint64_t timed = 0;

	(void)state;
	for (int i = 0; i < 17; i++)
		assert_int_equal(get("host=live.sluice.example&ip=10.1.2.3"), 200);
	for (int i = 0; i < TALLY_LATENCY_BUCKETS; i++)
		timed += tally_get(&t->bucket[i]);
	assert_int_equal(timed, 3);
	assert_true(tally_get(&t->sum_ns) > 0);
}

static void test_degrade(void **state)
{
	static const struct testworld_spec spec = {.lower_ppm = 300000};
	const struct tally *t;
	int hints = 0, lowest = 0;
	uint64_t spent = 0, wanted = 0;

	(void)state;
	httpworld_done(&h);
	begin(&spec);
	t = h.w.worker.tally;
	for (int i = 0; i < 4000; i++) {
		char query[96];
		bool low, lower;

		(void)snprintf(query, sizeof(query), "host=live.sluice.example&client=d%d", i / 2);
		assert_int_equal(get(query), 200);
		low = strstr((const char *)h.body, "\"degrade\":{\"rung\":1,\"kbps\":1500}");
		lower = strstr((const char *)h.body, "\"degrade\":{\"rung\":2,\"kbps\":600}");
		assert_true(i % 2 == 0 || hints % 2 == (low || lower)); /* twice the same */
		hints += low || lower;
		lowest += lower;
	}
	assert_in_range(hints, 1000, 1400);
	assert_in_range(lowest, hints / 4, hints / 2);
	for (uint32_t v = 0; v < TW_VENDORS; v++)
		spent += tally_get(&t->spent_kbps[v]);
	for (uint32_t g = 0; g < h.w.worker.world->cat.n_groups; g++)
		for (uint32_t v = 0; v < TW_VENDORS; v++)
			wanted += tally_get(&t->row[TW_LIVE][g].slot[v].kbps);
	assert_int_equal(wanted, 4000 * 3000);
	assert_int_equal(
		spent, wanted - (uint64_t)(hints - lowest) * 1500 - (uint64_t)lowest * 2400);
	assert_int_equal(get("host=live.sluice.example&client=d&cur=alpha"), 200);
	assert_null(strstr((const char *)h.body, "degrade"));
}

static void test_none(void **state)
{
	static const struct testworld_spec spec = {.none = {[TW_LIVE] = true}};
	cJSON *json;

	(void)state;
	httpworld_done(&h);
	begin(&spec);
	assert_int_equal(get("host=live.sluice.example"), 503);
	assert_int_equal(h.rp.retry_after_s, 5);
	json = parsed();
	assert_string_equal(text_at(cJSON_GetObjectItem(json, "error"), "code"), "no_vendor");
	assert_string_equal(text_at(cJSON_GetObjectItem(json, "error"), "message"),
		"no vendor may take this group");
	cJSON_Delete(json);
	assert_int_equal(get("host=live.sluice.example&explain=1"), 503);
	json = parsed();
	assert_non_null(cJSON_GetObjectItem(json, "explain"));
	cJSON_Delete(json);
	assert_int_equal(get("host=drill.sluice.example"), 200);
}

static void test_no_world(void **state)
{
	const struct world *world = h.w.worker.world;

	(void)state;
	h.w.worker.world = NULL;
	assert_int_equal(get("host=live.sluice.example"), 503);
	assert_non_null(strstr((const char *)h.body, "\"not_ready\""));
	assert_int_equal(h.rp.retry_after_s, 1);
	assert_int_equal(tally_get(&h.w.worker.tally->counters[TALLY_WORLD_MISSING]), 1);
	h.w.worker.world = world;
}

static void test_refresh_jitter(void **state)
{
	uint32_t lo = UINT32_MAX, hi = 0;

	(void)state;
	for (uint64_t key = 0; key < 10000; key++) {
		uint32_t s = http_refresh_s(100, key, 5);

		lo = SL_MIN(lo, s);
		hi = SL_MAX(hi, s);
	}
	assert_int_equal(lo, 80);
	assert_int_equal(hi, 120);
	assert_int_equal(http_refresh_s(1, 9, 9), 1);
	assert_int_equal(http_refresh_s(100, 9, 9), http_refresh_s(100, 9, 9));
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_contract),
		CASE(test_exact_octets),
		CASE(test_ttl_while_something_moves),
		CASE(test_starts),
		CASE(test_refusals),
		CASE(test_sequence_is_exact),
		CASE(test_cur_and_avoid),
		CASE(test_sticky_is_by_block),
		CASE(test_types_and_n),
		CASE(test_explain),
		CASE(test_counting),
		CASE(test_timing),
		CASE(test_degrade),
		CASE(test_none),
		CASE(test_no_world),
		CASE(test_refresh_jitter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
