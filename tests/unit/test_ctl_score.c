/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "ctl/score.h"

/* Result of a run, to be freed by run_done. */
struct run {
	char *out, *errs;
	int code;
};

static struct run run(const char *text, bool json)
{
	struct run r = {0};
	size_t n, m;
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	FILE *out = open_memstream(&r.out, &n), *errs = open_memstream(&r.errs, &m);

	assert_true(in && out && errs);
	r.code = ctl_score_file(in, out, errs, json);
	(void)fclose(in);
	(void)fclose(out);
	(void)fclose(errs);
	return r;
}

static void run_done(struct run *r)
{
	free(r->out);
	free(r->errs);
}

#define V(name, g, m, c)                                                                           \
	"{\"name\":\"" name "\",\"guaranteed_mbps\":" #g ",\"max_mbps\":" #m                       \
	",\"current_mbps\":" #c "}"

static void refuses_with_the_line_and_why(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"{", "line 1: no JSON"},
		{"[]", "line 1: fleet: got no object"},
		{"{} x", "line 1: more after the end"},
		{"{}", "line 1: vendors: want an array of 1 to 16"},
		{"{\"vendors\":[]}", "line 1: vendors: want an array"},
		{"\n \n{\"vendors\":[]}", "line 3: vendors"},
		{"{\"vendors\":[{}]}", "line 1: vendors: name is missing"},
		{"{\"vendor\":[]}", "line 1: fleet: unknown key \"vendor\""},
		{"{\"vendors\":[],\"vendors\":[]}", "line 1: fleet: key \"vendors\" stands twice"},
		{"{\"vendors\":[{\"name\":\"a\"}]}",
			"line 1: vendor a: guaranteed_mbps is missing"},
		{"{\"vendors\":[" V("a", 2, 1, 0) "]}",
			"line 1: vendor a: guaranteed_mbps 2 above"},
		{"{\"vendors\":[" V("a", -1, 1, 0) "]}", "line 1: vendor a: guaranteed_mbps is -1"},
		{"{\"vendors\":[" V("a", 0, 1e999, 0) "]}", "line 1: vendor a: max_mbps is inf"},
		{"{\"vendors\":[" V("a", 0, 1, "0") "]}",
			"line 1: vendor a: current_mbps is no number"},
		{"{\"vendors\":[" V("a", 0, 1, 0) "," V("a", 0, 1, 0) "]}",
			"line 1: vendors: \"a\" stands twice"},
		{"{\"vendors\":[" V("none", 0, 1, 0) "]}", "line 1: vendors: \"none\" is not free"},
		{"{\"params\":{\"gain\":1},\"vendors\":[" V("a", 0, 1, 0) "]}",
			"line 1: params: unknown key \"gain\""},
		{"{\"params\":{\"trickle_ppm\":0.5},\"vendors\":[" V("a", 0, 1, 0) "]}",
			"line 1: params: trickle_ppm is 0.5, want a whole number from 0 to 50000"},
		{"{\"params\":7,\"vendors\":[" V("a", 0, 1, 0) "]}",
			"line 1: params: got no object"},
		{"{\"groups\":[],\"vendors\":[" V("a", 0, 1, 0) "]}",
			"line 1: groups: want an array"},
		{"{\"groups\":[{\"name\":\"g\"},{\"name\":\"g\"}],\"vendors\":[" V(
			 "a", 0, 1, 0) "]}",
			"line 1: groups: \"g\" stands twice"},
		{"{\"groups\":[{\"name\":\"g\",\"demand_mbps\":-1}],\"vendors\":[" V(
			 "a", 0, 1, 0) "]}",
			"line 1: groups: demand_mbps is -1"},
		{"{\"groups\":[{\"name\":\"g\",\"region\":1}],\"vendors\":[" V("a", 0, 1, 0) "]}",
			"line 1: groups: region is no string"},
		{"{\"groups\":[{\"name\":\"g\",\"region\":{\"b\":\"x\"}}],\"vendors\":[" V(
			 "a", 0, 1, 0) "]}",
			"line 1: groups: region: no vendor \"b\""},
		{"{\"vendors\":[{\"name\":\"a\",\"guaranteed_mbps\":0,\"max_mbps\":1,"
		 "\"current_mbps\":0,\"quality\":1.5}]}",
			"line 1: vendor a: quality is 1.5"},
		{"{\"vendors\":[{\"name\":\"a\",\"guaranteed_mbps\":0,\"max_mbps\":1,"
		 "\"current_mbps\":0,\"quality_by_group\":{\"x\":1}}]}",
			"line 1: vendor a: quality_by_group: no group \"x\""},
		{"{\"vendors\":[{\"name\":\"a\",\"guaranteed_mbps\":0,\"max_mbps\":1,"
		 "\"current_mbps\":0,\"regions\":{\"x\":{\"max_mbps\":1,\"guaranteed_mbps\":2}}}]}",
			"line 1: vendor a: region x: guaranteed_mbps above max_mbps"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct run r = run(rows[i].text, true);

		assert_int_equal(r.code, 1);
		assert_string_equal(r.out, "");
		if (strncmp(r.errs, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("got \"%s\", want \"%s\"", r.errs, rows[i].why);
		run_done(&r);
	}
}

static void good_lines_are_answered_beside_bad_ones(void **state)
{
	struct run r =
		run("{\"vendors\":[" V("a", 1, 2, 0) "]}\nx\n{\"vendors\":[" V("b", 1, 2, 0) "]}",
			true);

	(void)state;
	assert_int_equal(r.code, 1);
	assert_true(strstr(r.out, "\"a\"") && strstr(r.out, "\"b\""));
	assert_true(!strncmp(r.errs, "line 2: ", 8) && !strchr(strchr(r.errs, '\n') + 1, '\n'));
	run_done(&r);
}

static const cJSON *get(const cJSON *o, const char *key)
{
	const cJSON *at = cJSON_GetObjectItemCaseSensitive(o, key);

	assert_non_null(at);
	return at;
}

static void answers_in_the_order_of_the_input(void **state)
{
	struct run r =
		run("{\"vendors\":[" V("b", 8000, 14000, 9000) "," V("a", 0, 100, 100) "]}", true);
	cJSON *o = cJSON_Parse(r.out);
	const cJSON *v = get(get(o, "groups")->child, "vendors")->child,
		    *w = get(o, "vendors")->child;

	(void)state;
	assert_int_equal(r.code, 0);
	assert_string_equal(get(v, "name")->valuestring, "b");
	assert_string_equal(get(v, "reason")->valuestring, "over guarantee");
	assert_int_equal(get(v, "share_ppm")->valueint, 1000000);
	assert_true(fabs(get(v, "score")->valuedouble - 4720.0 / 14100) < 1e-12);
	assert_true(cJSON_IsTrue(get(v, "usable")));
	assert_string_equal(get(v->next, "reason")->valuestring, "at maximum");
	assert_true(cJSON_IsFalse(get(v->next, "usable")));
	assert_null(v->next->next);
	assert_true(get(w, "room_total_mbps")->valuedouble == 4720);
	assert_true(get(w, "room_guaranteed_mbps")->valuedouble == 0);
	assert_true(get(w, "expected_mbps")->valuedouble == 9000);
	assert_true(cJSON_IsFalse(get(w, "capped")) && cJSON_IsTrue(get(w->next, "capped")));
	cJSON_Delete(o);
	run_done(&r);
}

static void none_stands_where_nobody_may_serve(void **state)
{
	struct run r = run("{\"vendors\":[" V("a", 0, 100, 100) "]}", true);
	cJSON *o = cJSON_Parse(r.out);
	const cJSON *v = get(get(o, "groups")->child, "vendors")->child->next;

	(void)state;
	assert_string_equal(get(v, "name")->valuestring, "none");
	assert_int_equal(get(v, "share_ppm")->valueint, 1000000);
	assert_string_equal(get(v, "reason")->valuestring, "nobody may serve");
	cJSON_Delete(o);
	run_done(&r);
}

static void limits(void **state)
{
	char text[16384];
	struct run r;

	(void)state;
	for (uint32_t n = 16; n <= 17; n++) {
		size_t at = (size_t)snprintf(text, sizeof(text), "{\"vendors\":[");

		for (uint32_t i = 0; i < n; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
				"%s{\"name\":\"v%u\",\"guaranteed_mbps\":1,\"max_mbps\":2,"
				"\"current_mbps\":0}",
				i ? "," : "", i);
		(void)snprintf(text + at, sizeof(text) - at, "]}");
		r = run(text, true);
		assert_int_equal(r.code, n > 16);
		run_done(&r);
	}
	for (uint32_t n = 64; n <= 65; n++) {
		(void)snprintf(text, sizeof(text),
			"{\"vendors\":[{\"name\":\"%0*d\",\"guaranteed_mbps\":1,\"max_mbps\":2,"
			"\"current_mbps\":0}]}",
			(int)n, 7);
		r = run(text, true);
		assert_int_equal(r.code, n > 64);
		run_done(&r);
	}
}

static void prints_a_table(void **state)
{
	struct run r = run("{\"vendors\":[" V("alpha", 8000, 14000, 9000) "]}", false);

	(void)state;
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out, "alpha"));
	assert_non_null(strstr(r.out, "over guarantee"));
	run_done(&r);
}

static char *slurp(const char *name)
{
	const char *top = getenv("top_srcdir");
	static char text[1 << 18];
	char path[1024];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/tests/unit/golden/%s", top ? top : ".", name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	text[n] = '\0';
	return strdup(text);
}

static void same_numbers(const cJSON *a, const cJSON *b, const char *key)
{
	double x = a->valuedouble, y = b->valuedouble;
	bool ppm = key && strstr(key, "_ppm");

	assert_int_equal(a->type, b->type);
	if (cJSON_IsString(a))
		assert_string_equal(a->valuestring, b->valuestring);
	if (cJSON_IsNumber(a) && !(fabs(x - y) <= (ppm ? 1 : 2e-6 * fmax(fabs(x), fabs(y)))))
		fail_msg("%s: got %.9g, want %.9g", key ? key : "", x, y);
	for (a = a->child, b = b->child; a && b; a = a->next, b = b->next)
		same_numbers(a, b, a->string);
	assert_true(!a && !b);
}

/* To change the golden file on purpose: sluicectl score --json --file score.in > score.out. */
static void golden(void **state)
{
	char *in = slurp("score.in"), *want = slurp("score.out");
	struct run r = run(in, true);
	const char *a = r.out, *b = want;

	(void)state;
	assert_int_equal(r.code, 0);
	while (*a && *b) {
		cJSON *x = cJSON_ParseWithOpts(a, &a, false),
		      *y = cJSON_ParseWithOpts(b, &b, false);

		assert_true(x && y);
		same_numbers(x, y, NULL);
		cJSON_Delete(x);
		cJSON_Delete(y);
		a += *a == '\n';
		b += *b == '\n';
	}
	assert_true(!*a && !*b);
	run_done(&r);
	free(in);
	free(want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_with_the_line_and_why),
		cmocka_unit_test(good_lines_are_answered_beside_bad_ones),
		cmocka_unit_test(answers_in_the_order_of_the_input),
		cmocka_unit_test(none_stands_where_nobody_may_serve),
		cmocka_unit_test(limits),
		cmocka_unit_test(prints_a_table),
		cmocka_unit_test(golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
