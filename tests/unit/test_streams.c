/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "control/control_int.h"
#include "control/streams.h"

/* What the state has; in place of the store. */
static const char *rows[8][2];

int control_each(struct control *c, const char *prefix, store_each_fn *fn, void *ctx)
{
	(void)c;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		if (rows[i][0] && strncmp(rows[i][0], prefix, strlen(prefix)) == 0)
			fn(ctx, rows[i][0], rows[i][1]);
	return 0;
}

static void keys_have_a_service_and_a_name(void **state)
{
	static const struct {
		const char *key, *service, *name; /* NULL: none of a stream */
	} cases[] = {
		{"stream|live|a", "live", "a"},
		{"stream|live|a|b", "live", "a|b"},
		{"stream|live|", NULL, NULL},
		{"stream|live", NULL, NULL},
		{"rule|drain|a||", NULL, NULL},
	};
	char service[SL_MAX_NAME + 1], key[STREAM_KEY];
	const char *name;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(cases); i++) {
		bool is = control_stream_of_key(cases[i].key, service, &name);

		assert_int_equal(is, cases[i].service != NULL);
		if (!is)
			continue;
		assert_string_equal(service, cases[i].service);
		assert_string_equal(name, cases[i].name);
		control_stream_key(service, name, key);
		assert_string_equal(key, cases[i].key);
	}
}

static void an_entry_holds_in_its_time(void **state)
{
	static const char entry[] = "{\"vendors\":[\"a\"],\"start_ms\":1000,\"ramp_ms\":4000,"
				    "\"until_ms\":9000,\"was\":{\"vendors\":[\"b\"]}}";
	cJSON *e = cJSON_Parse(entry);
	const cJSON *was = cJSON_GetObjectItem(e, "was"), *over;
	uint64_t next = UINT64_MAX, turn;

	(void)state;
	assert_ptr_equal(control_stream_now(e, "x", 1000, &next), was);
	turn = next; /* when the ramp comes to this name */
	assert_true(turn >= 1000 && turn <= 5000);
	next = UINT64_MAX;
	assert_ptr_equal(control_stream_now(e, "x", turn, &next), e);
	assert_int_equal(next, 9000);
	assert_false(control_stream_over(e, 8999, &over));
	assert_true(control_stream_over(e, 9000, &over));
	assert_ptr_equal(over, was);
	assert_ptr_equal(control_stream_now(e, "x", 9000, &next), was);
	assert_null(control_stream_now(NULL, "x", 0, &next));
	cJSON_Delete(e);
}

static void operators_entries_lie_over_the_file_s(void **state)
{
	static const char *const both[] = {"a", "b"}, *const one[] = {"a"};
	static const struct conf_service_vendor vendors[] = {{.vendor = "a"}, {.vendor = "b"}};
	static const struct conf_ingest ingests[] = {{.name = "north"}};
	static const struct conf_service service = {.name = "live",
		.vendors = vendors,
		.vendors_count = 2,
		.ingest = ingests,
		.ingest_count = 1};
	static const struct conf_stream file[] = {
		{.name = "kept", .service = "live", .vendors = both, .vendors_count = 2},
		{.name = "gone", .service = "live", .vendors = both, .vendors_count = 2},
		{.name = "other", .service = "live", .vendors = one, .vendors_count = 1}};
	struct conf conf = {.catalog = {.services = &service,
				    .services_count = 1,
				    .streams = file,
				    .streams_count = 3}};
	struct control_streams got = {.next_ms = UINT64_MAX};
	struct control *nobody = NULL;

	(void)state;
	memcpy(rows,
		((const char *[8][2]){{"stream|live|gone", "{\"gone\":true}"},
			{"stream|live|new", "{\"vendors\":[\"b\",\"unknown\"],\"encrypted\":true,"
					    "\"ingest\":\"north\"}"},
			{"stream|live|other", "{\"vendors\":[\"b\"],\"ingest\":\"nowhere\"}"},
			{"stream|live|over", "{\"vendors\":[\"a\"],\"until_ms\":5}"},
			{"stream|dead|x", "{\"vendors\":[\"a\"]}"}, {"stream|live|broken", "{"}}),
		sizeof(rows));
	assert_int_equal(control_streams_read(nobody, &conf, 10, &got), 0);
	assert_int_equal(got.n, 3);
	assert_int_equal(got.left_out, 1); /* of the service that is no more */
	assert_string_equal(got.stream[0].name, "kept");
	assert_int_equal(got.stream[0].vendors_count, 2);
	assert_string_equal(got.stream[1].name, "new");
	assert_int_equal(got.stream[1].vendors_count, 1);
	assert_string_equal(got.stream[1].vendors[0], "b");
	assert_true(got.stream[1].encrypted);
	assert_string_equal(got.stream[1].ingest, "north");
	assert_string_equal(got.stream[2].name, "other");
	assert_string_equal(got.stream[2].vendors[0], "b");
	assert_null(got.stream[2].ingest);
	assert_ptr_equal(control_stream_in_file(&conf, "live", "other"), &file[2]);
	assert_null(control_stream_in_file(&conf, "live", "new"));
	control_streams_done(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_have_a_service_and_a_name),
		cmocka_unit_test(an_entry_holds_in_its_time),
		cmocka_unit_test(operators_entries_lie_over_the_file_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
