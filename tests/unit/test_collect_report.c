/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "collect/report.h"

#include <stdio.h>

/* What a body came to, as text: "ok" or "code:field" per item. */
struct heard {
	char text[512];
	struct collect_report last;
};

static void say(struct heard *h, const char *a, const char *b)
{
	size_t n = strlen(h->text);

	(void)snprintf(h->text + n, sizeof(h->text) - n, "%s%s%s%s", n ? " " : "", a, b ? ":" : "",
		b ? b : "");
}

static struct collect_verdict take(void *ctx, const struct collect_report *r)
{
	struct heard *h = ctx;

	h->last = *r;
	say(h, "ok", NULL);
	return (struct collect_verdict){COLLECT_ACCEPTED, COLLECT_FIELDS};
}

static void refused(void *ctx, uint32_t index, struct collect_verdict v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%u%s", index, collect_refusal_word(v.refusal));
	say(ctx, text, collect_field_name(v.field));
}

#define R "\"session\":\"s\",\"stream\":\"t\",\"vendor\":\"v\""

static void bodies(void **state)
{
	static const struct {
		const char *body, *want;
	} rows[] = {
		{"{" R "}", "ok"},
		{"{\"reports\":[]}", ""},
		{"{\"reports\":[{" R "},{" R "}]}", "ok ok"},
		{" {\"x\":{},\"reports\" : [ {" R "} ] ,\"y\":[1]} ", "ok"},
		{"{\"reports\":{" R "}}", "0missing:session"},
		{"{\"reports\":[{" R "},7,{" R "}]}", "ok 1type ok"},
		{"{\"reports\":[{\"session\":\"s\",\"stream\":\"t\"}]}", "0missing:vendor"},
		{"{\"reports\":[{" R ",\"t_ms\":\"1\"},{" R "}]}", "0type:t_ms ok"},
		{"{\"reports\":[{" R ",\"t_ms\":-1},{" R "}]}", "0range:t_ms ok"},
		{"{\"reports\":[{" R ",\"t_ms\":1e300}]}", "0range:t_ms"},
		{"{\"reports\":[{" R ",\"first_frame_ms\":60000}]}", "ok"},
		{"{\"reports\":[{" R ",\"first_frame_ms\":60001}]}", "0range:first_frame_ms"},
		{"{\"reports\":[{" R ",\"ok\":1}]}", "0type:ok"},
		{"{\"reports\":[{" R ",\"ok\":null,\"new_field\":[{}]}]}", "ok"},
		{"{\"reports\":[{" R ",\"user\":\"\"}]}", "0length:user"},
		{"{\"reports\":[{" R ",\"user\":\"a\\u0007\"}]}", "0text:user"},
		{"{\"reports\":[{" R ",\"user\":\"\\u0000\"}]}", "0text:user"},
		{"{\"reports\":[{" R ",\"session\":\"z\"}]}", "0twice:session"},
		{"{\"reports\":[{" R ",\"stalls\":[{\"start_ms\":1,\"ms\":2}]}]}", "ok"},
		{"{\"reports\":[{" R ",\"stalls\":[{\"start_ms\":1}]}]}", "0missing:stalls"},
		{"{\"reports\":[{" R ",\"stalls\":[{\"ms\":3600001}]}]}", "0range:stalls"},
		{"{\"reports\":[{" R ",\"stalls\":[{\"ms\":\"1\"}]}]}", "0type:stalls"},
		{"{\"reports\":[{" R ",\"stalls\":[1]}]}", "0type:stalls"},
		{"{\"reports\":[{" R "},{" R ",]}", "ok 1syntax"},
		{"{\"reports\":[{" R "} {" R "}]}", "ok 1syntax"},
		{"{\"reports\":[{" R "}]", "ok 1syntax"},
		{"{\"reports\":[{" R "}]}}", "ok 1syntax"},
		{"{\"reports\":[{" R "},{\"sess", "ok 1syntax"},
		{"{" R "}x", "0syntax"},
		{"{\"kind\":\"push\",\"session\":\"s\",\"stream\":\"x\",\"node\":\"n\"}", "ok"},
		{"{\"kind\":\"push\",\"session\":\"s\",\"stream\":\"x\"}", "0missing:vendor"},
		{"{\"kind\":\"play\",\"session\":\"s\",\"stream\":\"x\",\"node\":\"n\"}",
			"0missing:vendor"},
		{"{\"reports\":[{" R ",\"frame_rate\":1001}]}", "0range:frame_rate"},
		{"{\"reports\":[{" R ",\"rtt_ms\":60001}]}", "0range:rtt_ms"},
		{"[]", "0syntax"},
		{"", "0syntax"},
		{"\x01\x02\xff", "0syntax"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct heard h = {""};

		(void)collect_report_parse(str_from(rows[i].body), take, refused, &h);
		if (strcmp(h.text, rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].body, h.text, rows[i].want);
	}
}

static void every_field_arrives(void **state)
{
	static const char body[] =
		"{\"t_ms\":5,\"kind\":\"play\",\"session\":\"a\\u0062\",\"user\":\"u\",\"stream\":"
		"\"s\","
		"\"vendor\":\"v\",\"node\":\"n\",\"definition\":\"hd\",\"client_kind\":\"web\","
		"\"ok\":true,\"first_frame_ms\":812.5,\"stalls\":[{\"start_ms\":0,\"ms\":1999},"
		"{\"start_ms\":9,\"ms\":2000}],\"bitrate_kbps\":3000,\"cache_hit\":false,"
		"\"ip\":\"::1\",\"host\":\"h\",\"frame_rate\":29.97,\"rtt_ms\":12.5}";
	struct heard h = {""};
	const struct collect_report *r = &h.last;

	(void)state;
	assert_int_equal(collect_report_parse(STR_LIT(body), take, refused, &h), 1);
	assert_string_equal(h.text, "ok");
	assert_int_equal(r->has, (1u << COLLECT_FIELDS) - 1);
	assert_int_equal(r->n_stalls, 1);
	assert_true(r->num.t_ms == 5 && r->num.first_frame_ms == 812.5);
	assert_true(r->num.bitrate_kbps == 3000 && r->flag.ok && !r->flag.cache_hit);
	assert_int_equal(r->text.session.n, 2);
	assert_true(str_eq(r->text.ip, STR_LIT("::1")) && str_eq(r->text.host, STR_LIT("h")));
	assert_true(r->num.frame_rate == 29.97 && r->num.rtt_ms == 12.5);
}

static void names_at_their_limits(void **state)
{
	char body[512], name[300];

	(void)state;
	memset(name, 'x', sizeof(name));
	for (int n = 255; n <= 256; n++) {
		struct heard h = {""};

		(void)snprintf(body, sizeof(body),
			"{\"session\":\"s\",\"vendor\":\"v\",\"stream\":\"%.*s\"}", n, name);
		(void)collect_report_parse(str_from(body), take, refused, &h);
		assert_string_equal(h.text, n == 255 ? "ok" : "0length:stream");
	}
}

static struct collect_verdict count(void *ctx, const struct collect_report *r)
{
	(void)r;
	++*(uint32_t *)ctx;
	return (struct collect_verdict){COLLECT_ACCEPTED, COLLECT_FIELDS};
}

static void count_refused(void *ctx, uint32_t index, struct collect_verdict v)
{
	assert_int_equal(index, COLLECT_MAX_ITEMS);
	assert_int_equal(v.refusal, COLLECT_COUNT);
	*(uint32_t *)ctx += 1000000;
}

static void as_many_as_may_come(void **state)
{
	static const char item[] = "{" R "},";
	size_t n = sizeof(item) - 1;
	char *body = malloc((COLLECT_MAX_ITEMS + 1) * n + 64);

	(void)state;
	for (uint32_t more = 0; more < 2; more++) {
		uint32_t seen = 0, want = COLLECT_MAX_ITEMS + more;
		size_t at = (size_t)snprintf(body, 64, "{\"reports\":[");

		for (uint32_t i = 0; i < want; i++, at += n)
			memcpy(body + at, item, n);
		memcpy(body + at - 1, "]}", 2);
		(void)collect_report_parse((struct str){body, at + 1}, count, count_refused, &seen);
		assert_int_equal(seen, COLLECT_MAX_ITEMS + more * 1000000);
	}
	free(body);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies),
		cmocka_unit_test(every_field_arrives),
		cmocka_unit_test(names_at_their_limits),
		cmocka_unit_test(as_many_as_may_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
