/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /v1/cmcd: GET with CMCD= or the four headers; POST with one set of keys or one JSON object per
 * line, or a JSON array. The parameter `vendor` names the vendor where the keys do not.
 */
#include "collect/cmcd.h"
#include "collect/collect_int.h"
#include "collect/json.h"

struct items {
	struct collect_outcome o;
	struct collect_cmcd_context c;
	uint32_t n;
};

/* Players tell of every request and state of theirs: of playlists on other servers, of none, with
 * the time of an earlier request. That is no fault that they could mend, and what is answered with
 * 4xx they send again at once (dash.js 5: 25 times a second). It is counted and not told. */
static bool is_of_no_use(enum collect_refusal why)
{
	return why == COLLECT_MISSING || why == COLLECT_VENDOR || why == COLLECT_OLD ||
	       why == COLLECT_FUTURE;
}

static void take_item(struct items *it, struct str text, bool json)
{
	struct collect_report r;
	struct collect_verdict v =
		json ? collect_cmcd_json(text, &it->c, &r) : collect_cmcd_keys(text, &it->c, &r);

	if (!v.refusal)
		v = collect_intake_report(&it->o.w->intake, &r);
	if (is_of_no_use(v.refusal))
		collect_intake_refused(&it->o.w->intake, v.refusal);
	else if (v.refusal)
		collect_outcome_refused(&it->o, it->n, v);
	it->n++;
}

static bool full(struct items *it)
{
	if (it->n < COLLECT_MAX_ITEMS)
		return false;
	collect_outcome_refused(
		&it->o, it->n++, (struct collect_verdict){COLLECT_COUNT, COLLECT_FIELDS});
	return true;
}

static struct str trim(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static void take_lines(struct items *it, struct str body)
{
	while (body.n) {
		struct str line = trim(str_cut(&body, '\n'));

		if (line.n == 0)
			continue;
		if (full(it))
			return;
		take_item(it, line, line.p[0] == '{');
	}
}

static void take_array(struct items *it, struct str body)
{
	struct collect_json j = collect_json_over(body);
	bool first = true;

	while (collect_json_next(&j, '[', ']', &first)) {
		const char *start;

		(void)collect_json_peek(&j);
		start = j.p;
		if (full(it))
			return;
		if (!collect_json_skip(&j))
			break;
		take_item(it, (struct str){start, (size_t)(j.p - start)}, true);
	}
	if (!collect_json_end(&j))
		collect_outcome_refused(
			&it->o, it->n++, (struct collect_verdict){COLLECT_SYNTAX, COLLECT_FIELDS});
}

/* The four headers as one set of keys. */
static void take_headers(struct items *it, const struct httpd_request *rq)
{
	static const char *const names[] = {
		"CMCD-Object", "CMCD-Request", "CMCD-Session", "CMCD-Status"};
	char text[COLLECT_CMCD_MAX];
	struct buf b = buf_over(text, sizeof(text));

	for (size_t i = 0; i < SL_COUNT(names); i++) {
		struct str v = httpd_header(rq, names[i]);

		if (v.n && buf_len(&b))
			buf_put_u8(&b, ',');
		buf_put_str(&b, v);
	}
	if (b.overflow)
		collect_outcome_refused(
			&it->o, it->n++, (struct collect_verdict){COLLECT_LENGTH, COLLECT_FIELDS});
	else
		take_item(it, (struct str){text, buf_len(&b)}, false);
}

void collect_cmcd(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct collect_worker *w = ctx;
	struct items it = {.n = 0};
	struct str keys, body = rq->body;

	if (!collect_begin(w, COLLECT_CMCD, rq, rp))
		return;
	(void)httpd_param(rq, "vendor", &it.c.vendor);
	collect_outcome_init(&it.o, w, rp);
	if (rq->method == HTTPD_POST) {
		while (body.n && (body.p[0] == ' ' || (body.p[0] >= '\t' && body.p[0] <= '\r'))) {
			body.p++;
			body.n--;
		}
		if (body.n && body.p[0] == '[')
			take_array(&it, body);
		else
			take_lines(&it, body);
	} else if (httpd_param(rq, "CMCD", &keys) == 0) {
		take_item(&it, trim(keys), false);
	} else {
		take_headers(&it, rq);
	}
	if (it.o.refused) {
		collect_outcome_reply(&it.o, it.n);
	} else { /* players want nothing of it */
		rp->status = 204;
		rp->type = NULL;
	}
}
