/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <cjson/cJSON.h>

#include "control/plan.h"

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
		{"", "not a JSON object"},
		{"[]", "not a JSON object"},
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
	static const char *const shipped[] = {
#define PLAN(name, json) json,
#include "control/plans.def"
#undef PLAN
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(shipped); i++) {
		struct errbuf err = {""};
		struct plan_def d;

		if (control_plan_parse("p", shipped[i], &d, &err))
			fail_msg("plan %zu: %s", i, err.s);
		assert_true(d.mode != PLAN_AUTOMATIC); /* nothing goes off unasked */
		control_plan_done(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(definitions),
		cmocka_unit_test(what_ships_is_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
