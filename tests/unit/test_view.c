/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <cjson/cJSON.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/view.h"

static void check_on(int width, const char *json, const char *want)
{
	char *got = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&got, &n);
	cJSON *o = cJSON_Parse(json);

	assert_non_null(o);
	ctl_view(o, width, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(got, want);
	free(got);
	cJSON_Delete(o);
}

static void check(const char *json, const char *want)
{
	check_on(0, json, want);
}

static void shapes(void **state)
{
	(void)state;
	check("{\"a\":1,\"long\":\"x\"}", "a     1\nlong  x\n");
	check("{\"t\":true,\"n\":null,\"f\":1.25,\"e\":\"\"}", "t  yes\nn  -\nf  1.250\ne  -\n");
	check("{\"names\":[\"a\",\"b\"]}", "a\nb\n");
	check("{\"x\":1,\"l\":[\"a\",2]}", "x  1\nl  a 2\n");
	check("{\"rows\":[{\"v\":\"al\",\"n\":5},{\"v\":\"b\",\"n\":10,\"m\":\"q\"}]}",
		"v    n  m\nal   5  -\nb   10  q\n");
	check("{\"x\":1,\"o\":{\"k\":2}}", "x  1\n\no\nk  2\n");
	check("{\"yaml\":\"a: 1\\nb: 2\\n\"}", "a: 1\nb: 2\n");
	check("{\"r\":[{\"o\":{\"k\":1,\"l\":[1,2]}}]}", "o\nk=1 l=1 2\n");
	check("{\"a\":[{\"k\":1}],\"markdown\":\"# x\\n\"}", "# x\n");
	check("{}", "");
	check("{\"r\":[{\"time\":1795287328.199,\"left_s\":1795287328.5},{\"time\":0,\"left_s\":1}]"
	      "}",
		"                    time          left_s\n2026-11-21T18:55:28.199Z  "
		"1795287328.500\n"
		"                       0               1\n");
}

/* Of a dry run over the whole world most regions fare alike: people see each fate once. */
static void regions_that_fare_alike(void **state)
{
	(void)state;
	check("{\"i\":[{\"region\":\"all\",\"moves_percent\":5},{\"region\":\"A\",\"moves_"
	      "percent\":5},"
	      "{\"region\":\"B\",\"moves_percent\":7},{\"region\":\"C\",\"moves_percent\":5},"
	      "{\"region\":\"D\",\"moves_percent\":5},{\"region\":\"E\",\"moves_percent\":5,\"n\":"
	      "1}]}",
		"region  moves_percent  n\nall                 5  -\nA +2                5  -\n"
		"B                   7  -\nE                   5  1\n");
	check("{\"i\":[{\"region\":\"A\",\"mbps\":5},{\"region\":\"B\",\"mbps\":5},"
	      "{\"region\":\"C\",\"mbps\":5}]}",
		"region  mbps\nA          5\nB          5\nC          5\n");
}

/* What a plan would do is a list of dry runs: each with its regions, whole. */
static void tables_in_a_table(void **state)
{
	(void)state;
	check("{\"n\":1,\"actions\":[{\"command\":\"vendor\",\"impact\":[{\"region\":\"all\","
	      "\"moves_"
	      "percent\":5},{\"region\":\"A\",\"moves_percent\":5}]},{\"command\":\"node\"}]}",
		"n  1\n\nactions\ncommand  vendor\n\nimpact\nregion  moves_percent\nall            "
		"     "
		"5\nA                   5\n\ncommand  node\n");
}

static void headings_of_what_is_too_wide(void **state)
{
	static const char rows[] = "{\"r\":[{\"v\":\"al\",\"load_of_all\":5,\"load\":7}]}";

	(void)state;
	check_on(21, rows,
		"\033[1mv \033[0m  \033[1mload_of_all\033[0m  \033[1mload\033[0m\n"
		"al            5     7\n");
	check_on(20, rows,
		"\033[1mv \033[0m  \033[1mload\033[0m  \033[1mload\033[0m\n"
		"\033[1m  \033[0m  \033[1m  of\033[0m  \033[1m    \033[0m\n"
		"\033[1m  \033[0m  \033[1m all\033[0m  \033[1m    \033[0m\n"
		"al     5     7\n");
}

static void single_values_side_by_side(void **state)
{
	char *got = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&got, &n);
	cJSON *o = cJSON_Parse("{\"a\":1,\"bb\":22,\"c\":3,\"t\":[{\"v\":1}]}");

	(void)state;
	ctl_view_dense(o, 16, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(
		got, "a  1    bb  22  \nc  3    \n\n\033[1mt\033[0m\n\033[1mv\033[0m\n1\n");
	free(got);
	cJSON_Delete(o);
}

/* A terminal of 10 columns and 3 rows: the last is left for what is typed. */
static void a_screen_is_not_passed(void **state)
{
	struct winsize size = {.ws_row = 3, .ws_col = 10};
	char *got = NULL;
	int ours, theirs;
	size_t n = 0;
	FILE *out = open_memstream(&got, &n);

	(void)state;
	assert_int_equal(openpty(&ours, &theirs, NULL, NULL, &size), 0);
	assert_int_equal(ctl_width(theirs), 10);
	ctl_view_screen("a\033[1mbcdefghijkl\033[0m\n\303\251456789012\nthird\n", theirs, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(
		got, "\033[Ha\033[1mbcdefghij\033[0m\033[K\n\303\251456789012\033[K\n\033[J");
	free(got);
	(void)close(ours);
	(void)close(theirs);
	assert_int_equal(ctl_width(-1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(shapes),
		cmocka_unit_test(regions_that_fare_alike), cmocka_unit_test(tables_in_a_table),
		cmocka_unit_test(headings_of_what_is_too_wide),
		cmocka_unit_test(single_values_side_by_side),
		cmocka_unit_test(a_screen_is_not_passed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
