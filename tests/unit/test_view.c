/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <cjson/cJSON.h>

#include "ctl/view.h"

static void check(const char *json, const char *want)
{
	char *got = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&got, &n);
	cJSON *o = cJSON_Parse(json);

	assert_non_null(o);
	ctl_view(o, false, out);
	assert_int_equal(fclose(out), 0);
	assert_string_equal(got, want);
	free(got);
	cJSON_Delete(o);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes), cmocka_unit_test(regions_that_fare_alike)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
