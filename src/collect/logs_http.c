/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /v1/logs?vendor=NAME&format=NAME, or with columns=...&separator=C for a declared format;
 * also utc_offset_min= for times without a zone, slow_ms= and delay_min=. From trusted senders
 * only: a line names whom it likes.
 */
#include "collect/cdnlog.h"
#include "collect/collect_int.h"
#include "collect/json.h"

/* A whole number in a parameter; false when it is there and is none. */
static bool whole(
	const struct httpd_request *rq, const char *name, double min, double max, double *v)
{
	struct collect_json j;
	struct str s;
	double n;

	if (httpd_param(rq, name, &s))
		return true;
	j = collect_json_over(s);
	if (!collect_json_number(&j, &n) || !collect_json_end(&j) || n < min || n > max)
		return false;
	*v = n;
	return true;
}

static bool read_format(const struct httpd_request *rq, struct collect_log_format *f)
{
	struct str name = STR_LIT("ndjson"), columns, separator = STR_LIT("|");
	double offset_min = 0, slow_ms = COLLECT_SLOW_MS, delay_min;
	int rc;

	(void)httpd_param(rq, "format", &name);
	if (httpd_param(rq, "columns", &columns) == 0) {
		(void)httpd_param(rq, "separator", &separator);
		if (separator.n != 1)
			return false;
		rc = collect_log_declared(separator.p[0], columns, f);
	} else {
		rc = collect_log_named(name, f);
	}
	delay_min = rc ? 0 : f->delay_min;
	if (rc || !whole(rq, "utc_offset_min", -840, 840, &offset_min) ||
		!whole(rq, "slow_ms", 1, 3600000, &slow_ms) ||
		!whole(rq, "delay_min", 1, COLLECT_LOG_MAX_MIN, &delay_min))
		return false;
	f->utc_offset_min = (int32_t)offset_min;
	f->slow_ms = (uint32_t)slow_ms;
	f->delay_min = (uint32_t)delay_min;
	(void)httpd_param(rq, "vendor", &f->vendor);
	return true;
}

static struct collect_verdict take_line(
	struct collect_intake *in, const struct collect_log_format *f, struct str text)
{
	struct collect_line line;
	struct collect_verdict v = {collect_log_line(f, text, &line), COLLECT_FIELDS};

	return v.refusal ? v : collect_intake_line(in, &line);
}

void collect_logs(void *ctx, const struct httpd_request *rq, struct httpd_reply *rp)
{
	struct collect_worker *w = ctx;
	struct collect_log_format f;
	struct collect_outcome o;
	struct str body = rq->body;
	uint32_t n = 0;

	if (!collect_begin(w, COLLECT_LOGS, rq, rp))
		return;
	if (!w->intake.sender.trusted) {
		httpd_reply_error(rp, 403, "not_trusted", "logs are taken from trusted senders");
		return;
	}
	if (!read_format(rq, &f)) {
		httpd_reply_error(rp, 400, "format", "no such format of lines");
		return;
	}
	collect_outcome_init(&o, w, rp);
	while (body.n) {
		struct str line = str_cut(&body, '\n');
		struct collect_verdict v = {COLLECT_COUNT, COLLECT_FIELDS};

		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (n < COLLECT_LOG_LINES)
			v = take_line(&w->intake, &f, line);
		if (v.refusal)
			collect_outcome_refused(&o, n, v);
		if (n++ == COLLECT_LOG_LINES)
			break;
	}
	collect_outcome_reply(&o, n);
}
