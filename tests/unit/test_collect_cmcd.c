/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "collect/cmcd.h"

#include <stdio.h>

/* What a report came to: "session stream vendor" and what else it has. */
static const char *told(struct collect_verdict v, const struct collect_report *r)
{
	static char text[512];
	const char *field = collect_field_name(v.field);
	size_t n;

	if (v.refusal) {
		(void)snprintf(text, sizeof(text), "%s%s%s", collect_refusal_word(v.refusal),
			field ? ":" : "", field ? field : "");
		return text;
	}
	n = (size_t)snprintf(text, sizeof(text), STR_FMT " " STR_FMT " " STR_FMT,
		STR_ARG(r->text.session), STR_ARG(r->text.stream), STR_ARG(r->text.vendor));
	if (collect_has(r, COLLECT_F_t_ms))
		n += (size_t)snprintf(text + n, sizeof(text) - n, " t=%.0f", r->num.t_ms);
	if (collect_has(r, COLLECT_F_bitrate_kbps))
		n += (size_t)snprintf(text + n, sizeof(text) - n, " br=%.0f", r->num.bitrate_kbps);
	if (collect_has(r, COLLECT_F_first_frame_ms))
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, " ff=%.0f", r->num.first_frame_ms);
	if (collect_has(r, COLLECT_F_ok))
		n += (size_t)snprintf(text + n, sizeof(text) - n, " ok=%d", r->flag.ok);
	if (r->n_stalls)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " stalled");
	if (r->stall_total_ms != UINT32_MAX)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " bsda=%u", r->stall_total_ms);
	if (r->state)
		(void)snprintf(text + n, sizeof(text) - n, r->starved ? " stands" : " goes");
	return text;
}

static void sets_of_keys(void **state)
{
	static const struct {
		const char *text, *vendor, *want;
	} rows[] = {
		/* version 1 as players send it */
		{"bl=21300,br=3200,bs,cid=\"c1\",d=4004,mtp=25400,ot=v,sf=h,sid=\"s1\",st=l,tb="
		 "6000",
			"beta", "s1 c1 beta br=3200"},
		{"sid=\"s1\",cid=\"a\\\"b\\\\c\",su,pr=1.08,nor=\"..%2Fseg-2.m4s\"", "v",
			"s1 a\"b\\c v"},
		/* version 2 events */
		{"cdn=\"alpha\",cid=\"c\",e=ps,msd=812,sid=\"s\",sta=p,ts=1795232063059,v=2", "",
			"s c alpha t=1795232063059 ff=812 ok=1 goes"},
		{"cdn=\"a\",cid=\"c\",e=ps,sid=\"s\",sta=r,bsda=(4100;v 900;a)", "",
			"s c a bsda=4100 stands"},
		{"cdn=\"a\",cid=\"c\",sid=\"s\",bsda=-1", "", "range:stalls"},
		{"cdn=\"a\",cid=\"c\",sid=\"s\",bsda=x", "", "line"},
		{"br=(5000;v 128;a),cid=\"c\",cdn=\"a\",e=t,sid=\"s\",bsd=(2000;v)", "",
			"s c a br=5000 stalled"},
		{"cid=\"c\",cdn=\"a\",e=t,sid=\"s\",bsd=1999", "", "s c a"},
		{"cid=\"c\",e=rr,h=\"edge.alpha.example\",rc=503,sid=\"s\",url=\"https://x/\"", "",
			"s c edge.alpha.example ok=0"},
		{"cid=\"c\",e=rr,rc=200,sid=\"s\",url=\"https://live.beta.example:8443/a/b.ts\"",
			"", "s c live.beta.example"},
		{"cid=\"c\",cdn=\"a\",e=rr,rc=0,sid=\"s\"", "", "s c a ok=0"},
		{"cid=\"c\",cdn=\"a\",e=e,ec=\"4001\",sid=\"s\"", "", "s c a ok=0"},
		{"cid=\"c\",cdn=\"a\",sid=\"s\",com.example-x=\"1,2\",com.example-y=3", "",
			"s c a"},
		/* what is wrong */
		{"", "v", "missing:session"},
		{"sid=\"s\"", "v", "missing:stream"},
		{"sid=\"s\",cid=\"c\"", "", "missing:vendor"},
		{"sid=\"s\",cid=\"c\",br=x", "v", "line"},
		{"sid=\"s\",cid=\"c\",br=-1", "v", "range:bitrate_kbps"},
		{"sid=\"s\",cid=\"c\",msd=60001", "v", "range:first_frame_ms"},
		{"sid=\"s,cid=\"c\"", "v", "line"},
		{"sid=\"s\",,cid=\"c\"", "v", "line"},
		{"sid=\"s\",cid=\"c\",", "v", "line"},
		{"sid=,cid=\"c\"", "v", "line"},
		{"SID=\"s\"", "v", "line"},
		{"sid=\"s\xff\",cid=\"c\"", "v", "text:session"},
		{"sid=\"\\", "v", "line"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct collect_cmcd_context c = {str_from(rows[i].vendor)};
		struct collect_report r;
		struct collect_verdict v = collect_cmcd_keys(str_from(rows[i].text), &c, &r);

		if (strcmp(told(v, &r), rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].text, told(v, &r),
				rows[i].want);
	}
}

static void objects(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"{\"sid\":\"s\",\"cid\":\"\\u0063\",\"br\":3200,\"bs\":true,\"msd\":500}",
			"s c v br=3200 ff=500 ok=1"},
		{"{\"sid\":\"s\",\"cid\":\"c\",\"br\":[5000,128],\"x-y\":{\"a\":[1]},\"su\":false}",
			"s c v br=5000"},
		{"{\"sid\":\"s\",\"cid\":\"c\",\"br\": [ 5000 , 128 ]}", "s c v br=5000"},
		{"{\"sid\":\"s\",\"cid\":\"c\",\"br\":[ ]}", "s c v"},
		{"{\"sid\":\"s\",\"cid\":\"c\",\"rc\":404}", "s c v ok=0"},
		{"{\"sid\":\"s\",\"cid\":\"c\",\"br\":\"fast\"}", "line"},
		{"{\"sid\":7,\"cid\":\"c\"}", "7 c v"},
		{"{\"sid\":\"s\"", "line"},
		{"[]", "line"},
		{"{}", "missing:session"},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct collect_cmcd_context c = {STR_LIT("v")};
		struct collect_report r;
		struct collect_verdict v = collect_cmcd_json(str_from(rows[i].text), &c, &r);

		if (strcmp(told(v, &r), rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].text, told(v, &r),
				rows[i].want);
	}
}

static void as_long_as_may_be(void **state)
{
	static char text[COLLECT_CMCD_MAX + 2];
	struct collect_cmcd_context c = {STR_LIT("v")};
	struct collect_report r;
	int n = snprintf(text, sizeof(text), "sid=\"s\",cid=\"c\",x-y=\"");

	(void)state;
	memset(text + n, 'z', sizeof(text) - (size_t)n);
	text[COLLECT_CMCD_MAX - 1] = '"';
	assert_int_equal(collect_cmcd_keys((struct str){text, COLLECT_CMCD_MAX}, &c, &r).refusal,
		COLLECT_ACCEPTED);
	text[COLLECT_CMCD_MAX - 1] = 'z';
	text[COLLECT_CMCD_MAX] = '"';
	assert_int_equal(
		collect_cmcd_keys((struct str){text, COLLECT_CMCD_MAX + 1}, &c, &r).refusal,
		COLLECT_LENGTH);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_of_keys),
		cmocka_unit_test(objects),
		cmocka_unit_test(as_long_as_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
