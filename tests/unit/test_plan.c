/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <cjson/cJSON.h>

#include "control/plan.h"
#include "control/yaml.h"

#define DO  "\"do\":[{\"command\":\"vendor drain\",\"args\":{\"vendor\":\"a\"}}]"
#define DO_ "," DO

static void definitions(void **state)
{
	static const struct {
		const char *json, *error; /* NULL: good */
	} rows[] = {
		{"{\"mode\":\"manual\"" DO_ "}", NULL},
		{"{\"mode\":\"automatic\",\"when\":{\"metric\":\"m\",\"above\":1}" DO_ "}", NULL},
		{"{\"mode\":\"suggest\",\"when\":{\"metric\":\"m\",\"below\":1}" DO_ "}", NULL},
		{"{\"mode\":\"manual\",\"for\":\"30m\"" DO_ "}", NULL},
		{"", "nothing in it"},
		{"[]", "not a mapping"},
		{"mode: manual\ndo: [{command: vendor drain, args: {vendor: a}}]", NULL},
		{"mode: manual\ndo: [{command: vendor drain, args: {colour: a}}]", "no --colour"},
		{"mode: manual\ndo: [{command: vendor drain, args: {vendor: [a]}}]", "no --vendor"},
		{"{" DO "}", "mode: want"},
		{"{\"mode\":\"sometimes\"" DO_ "}", "mode: want"},
		{"{\"mode\":\"manual\"}", "do: want a list"},
		{"{\"mode\":\"manual\",\"do\":[]}", "do: want a list"},
		{"{\"mode\":\"manual\",\"do\":[{\"args\":{}}]}", "moves no viewers"},
		{"{\"mode\":\"manual\",\"do\":[{\"command\":\"status\",\"args\":{}}]}",
			"moves no viewers"},
		{"{\"mode\":\"manual\",\"do\":[{\"command\":\"rollback\",\"args\":{}}]}",
			"moves no viewers"},
		{"{\"mode\":\"manual\",\"do\":[{\"command\":\"vendor drain\"}]}", "want args"},
		{"{\"mode\":\"automatic\"" DO_ "}", "wants when"},
		{"{\"mode\":\"automatic\",\"when\":{\"above\":1}" DO_ "}", "a condition wants"},
		{"{\"mode\":\"automatic\",\"when\":{\"metric\":\"m\"}" DO_ "}",
			"a condition wants"},
		{"{\"mode\":\"manual\",\"for\":\"ever\"" DO_ "}", "for: want"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct errbuf err = {""};
		struct plan_def d;
		int rc = control_plan_parse("p", rows[i].json, &d, &err);

		if ((rc == 0) != (rows[i].error == NULL) || (rc && !strstr(err.s, rows[i].error)))
			fail_msg("row %zu: %d %s", i, rc, err.s);
		if (!rc)
			control_plan_done(&d);
	}
}

static void what_ships_is_sound(void **state)
{
	struct errbuf err = {""};
	cJSON *all = control_plans_shipped(&err);
	uint32_t n = 0;

	(void)state;
	if (!all)
		fail_msg("%s", err.s);
	for (const cJSON *v = all->child; v; v = v->next, n++) {
		char *text = cJSON_PrintUnformatted(v);
		struct plan_def d;

		if (control_plan_parse(v->string, text, &d, &err))
			fail_msg("plan %s: %s", v->string, err.s);
		assert_true(d.mode != PLAN_AUTOMATIC); /* nothing goes off unasked */
		control_plan_done(&d);
		cJSON_free(text);
	}
	assert_int_equal(n, 10);
	cJSON_Delete(all);
}

static void yaml_is_what_it_stands_for(void **state)
{
	static const struct {
		const char *yaml, *json; /* NULL: refused */
	} rows[] = {
		{"a: 1", "{\"a\":1}"},
		{"{\"a\": [1, \"2\", true, null]}", "{\"a\":[1,\"2\",true,null]}"},
		{"a: b c\nd:\n  - e\n  - {f: '1'}", "{\"a\":\"b c\",\"d\":[\"e\",{\"f\":\"1\"}]}"},
		{"a: off", "{\"a\":\"off\"}"},
		{"a: 1e400", "{\"a\":\"1e400\"}"},
		{"a: ~", "{\"a\":null}"},
		{"- x", "[\"x\"]"},
		{"", NULL},
		{"a: &x 1", NULL},
		{"a: *x", NULL},
		{"a: 1\na: 2", NULL},
		{"[a]: 1", NULL},
		{"a: 1\n---\nb: 2", NULL},
		{"a: {", NULL},
		{"\ta: 1", NULL},
		{"[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct errbuf err = {""};
		cJSON *got = control_yaml_parse(rows[i].yaml, strlen(rows[i].yaml), &err);
		char *text = got ? cJSON_PrintUnformatted(got) : NULL;

		if ((got == NULL) != (rows[i].json == NULL) ||
			(got && strcmp(text, rows[i].json) != 0))
			fail_msg("%s: %s %s", rows[i].yaml, text ? text : "-", err.s);
		assert_int_equal(got == NULL, err.s[0] != '\0');
		cJSON_free(text);
		cJSON_Delete(got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(definitions),
		cmocka_unit_test(what_ships_is_sound),
		cmocka_unit_test(yaml_is_what_it_stands_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
