/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "ctl/commands.h"

static void every_row_is_sound(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands_table[i];

		assert_int_equal(c->id, i);
		assert_true(c->group[0] && c->help[0]);
		assert_int_equal(c->path[0] == '\0', c->method == METHOD_LOCAL);
		assert_true(c->help[strlen(c->help) - 1] != '.');
		for (uint32_t k = 0; k < i; k++) {
			const struct command *o = &commands_table[k];

			assert_false(!strcmp(o->group, c->group) && !strcmp(o->name, c->name));
			if (c->method != METHOD_LOCAL)
				assert_false(o->method == c->method && !strcmp(o->path, c->path));
		}
	}
}

static void only_the_last_argument_may_repeat(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < COMMANDS; i++) {
		const struct command_param *p;
		bool many = false;

		for (uint32_t k = 0; (p = commands_param(&commands_table[i], k)); k++) {
			assert_false(many && p->positional);
			many |= p->need >= NEED_MANY;
			assert_ptr_equal(commands_find_param(&commands_table[i], p->name), p);
		}
	}
}

static void commands_are_found_by_their_words(void **state)
{
	char meter[] = "meter", push[] = "push", status[] = "status", extra[] = "extra";
	char *two[] = {meter, push}, *one[] = {status, extra}, *none[] = {extra, extra};
	uint32_t n = 0;

	(void)state;
	assert_int_equal(commands_find(two, 2, &n)->id, COMMAND_METER_PUSH);
	assert_int_equal(n, 2);
	assert_int_equal(commands_find(one, 2, &n)->id, COMMAND_STATUS);
	assert_int_equal(n, 1);
	assert_null(commands_find(none, 2, &n));
	assert_null(commands_find(two, 1, &n));
	assert_null(commands_find(none, 0, &n));
}

static void api_rows_are_found_by_method_and_path(void **state)
{
	(void)state;
	assert_int_equal(commands_at(METHOD_POST, "/v1/meter")->id, COMMAND_METER_PUSH);
	assert_int_equal(commands_at(METHOD_GET, "/v1/meter")->id, COMMAND_METER_SHOW);
	assert_null(commands_at(METHOD_GET, "/v1/nothing"));
	assert_null(commands_at(METHOD_GET, ""));
}

static void values_are_held_to_their_types(void **state)
{
	static const struct {
		enum param_type type;
		const char *value;
		bool good;
	} rows[] = {
		{PARAM_NUMBER, "1.5", true},
		{PARAM_NUMBER, "-3", true},
		{PARAM_NUMBER, "1e6", true},
		{PARAM_NUMBER, "", false},
		{PARAM_NUMBER, "1x", false},
		{PARAM_NUMBER, "nan", false},
		{PARAM_NUMBER, "inf", false},
		{PARAM_NUMBER, "0x10", false},
		{PARAM_TIME, "1700000000.5", true},
		{PARAM_TIME, "-1", false},
		{PARAM_IP, "192.0.2.1", true},
		{PARAM_IP, "2001:db8::1", true},
		{PARAM_IP, "192.0.2", false},
		{PARAM_HOST, "live.example.net", true},
		{PARAM_HOST, "a b", false},
		{PARAM_DURATION, "30m", true},
		{PARAM_DURATION, "-1s", false},
		{PARAM_DURATION, "1y", false},
		{PARAM_FLAG, "true", true},
		{PARAM_FLAG, "maybe", false},
		{PARAM_TEXT, "x", true},
		{PARAM_TEXT, "", false},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct command_param p = {.name = "it", .type = rows[i].type};
		struct errbuf err = {""};
		int rc = commands_check(&p, rows[i].value, &err);

		if ((rc == 0) != rows[i].good)
			fail_msg("%s: %d", rows[i].value, rc);
		assert_int_equal(err.s[0] == '\0', rows[i].good);
	}
}

static void spans_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} rows[] = {{"90", 90000}, {"90s", 90000}, {"1.5m", 90000}, {"2h", 7200000},
		{"1d", 86400000}, {"250ms", 250}, {"0", 0}};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		assert_true(commands_parse_span(rows[i].text, &ms));
		assert_int_equal(ms, rows[i].ms);
	}
	assert_true(commands_parse_span("366d", &ms));
	assert_false(commands_parse_span("367d", &ms));
	assert_false(commands_parse_span("m", &ms));
	assert_false(commands_parse_span("1 m", &ms));
}

static void roles_have_names(void **state)
{
	(void)state;
	for (uint32_t r = 0; r < ROLES; r++)
		assert_int_equal(commands_role(commands_role_name(r)), r);
	assert_int_equal(commands_role("root"), ROLES);
	assert_string_equal(commands_role_name(ROLES), "none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_sound),
		cmocka_unit_test(only_the_last_argument_may_repeat),
		cmocka_unit_test(commands_are_found_by_their_words),
		cmocka_unit_test(api_rows_are_found_by_method_and_path),
		cmocka_unit_test(values_are_held_to_their_types),
		cmocka_unit_test(spans_have_units),
		cmocka_unit_test(roles_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
