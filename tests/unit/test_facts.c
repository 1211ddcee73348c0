/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "control/facts.h"

static const char text[] = "# HELP m what\n# TYPE m gauge\nm{vendor=\"a\"} 5\nm{vendor=\"b\"} 8\n"
			   "max{vendor=\"a\"} 10\nmax{vendor=\"b\"} 0\nalone 3.5\n"
			   "odd{vendor=\"c\",say=\"} 1\"} 2\nbroken{vendor=\"x\" 3\nbroken\n";

static void conditions(void **state)
{
	static const struct {
		struct condition c;
		bool holds;
		double value;
	} rows[] = {
		{{.metric = "m", .value = 7}, true, 8},
		{{.metric = "m", .value = 8}, false, 0},
		{{.metric = "m", .op = FACT_BELOW, .value = 6}, true, 5},
		{{.metric = "m", .labels = "vendor=\"a\"", .value = 4}, true, 5},
		{{.metric = "m", .labels = "vendor=\"a\"", .value = 6}, false, 0},
		{{.metric = "m", .labels = "vendor=\"c\"", .value = 0}, false, 0},
		{{.metric = "m", .over = "max", .value = 0.4}, true, 0.5}, /* b has nothing below */
		{{.metric = "m", .over = "nothing", .value = 0}, false, 0},
		{{.metric = "alone", .value = 3}, true, 3.5},
		{{.metric = "odd", .labels = "vendor=\"c\",say=\"} 1\"", .value = 1}, true, 2},
		{{.metric = "broken", .value = 0}, false, 0},
		{{.metric = "missing", .op = FACT_BELOW, .value = 1e9}, false, 0},
	};
	struct control_facts f;

	(void)state;
	assert_int_equal(control_facts_init(&f, strdup(text)), 0);
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		const struct fact *fact = NULL;
		double value = -1;
		bool holds = control_condition_holds(&rows[i].c, &f, &value, &fact);

		if (holds != rows[i].holds || (holds && value != rows[i].value))
			fail_msg("row %zu: %d %g", i, holds, value);
		assert_true(!holds || fact);
	}
	control_facts_done(&f);
}

static void nothing_is_no_facts(void **state)
{
	struct control_facts f;

	(void)state;
	assert_int_equal(control_facts_init(&f, strdup("")), 0);
	assert_int_equal(f.n, 0);
	control_facts_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions),
		cmocka_unit_test(nothing_is_no_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
