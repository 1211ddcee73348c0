/* SPDX-License-Identifier: Apache-2.0 */
/* quality --history: the rollups of a time up to now. */
#include "base/glob.h"
#include "control/quality.h"

#include <string.h>

enum { DAY_MS = 86400000, MAX_ROWS = 100000 };

struct history {
	struct control_call *call;
	const char *vendor, *groups;
	enum quality_by by;
	cJSON *list;
	double seconds; /* of a row */
	/* what is being summed: rows come by time, then vendor */
	uint64_t time_ms;
	struct {
		char vendor[SL_MAX_NAME + 1], key[SL_MAX_NAME + 1];
		struct rollup_counts c;
	} sum[ROLLUP_MAX];
	uint64_t minutes; /* the most that a row of this time is of */
	uint32_t n, rows;
};

static void tell(struct history *h)
{
	static const char *const names[BYS] = {
		"group", "country", "province", "isp", NULL, "definition", "client"};

	for (uint32_t i = 0; i < h->n && h->rows < MAX_ROWS; i++, h->rows++) {
		cJSON *row = control_add_row(h->list);

		/* a sum over groups is of one span, however many rows it is made of */
		h->sum[i].c.minutes = h->minutes;
		control_put(row, "time", (double)h->time_ms / 1e3);
		cJSON_AddStringToObject(row, "vendor", h->sum[i].vendor);
		if (names[h->by])
			cJSON_AddStringToObject(row, names[h->by], h->sum[i].key);
		control_quality_put(row, &h->sum[i].c, h->seconds);
	}
	h->n = 0;
	h->minutes = 0;
}

static void take(void *ctx, uint64_t time_ms, const char *vendor, const char *name,
	const struct rollup_counts *c)
{
	struct history *h = ctx;
	char text[SL_MAX_NAME + 1];
	struct str key = control_quality_key(h->by, str_from(name), text, sizeof(text));
	uint32_t i = 0;

	if ((h->vendor && !glob_match(str_from(h->vendor), str_from(vendor), false)) ||
		(h->groups && h->by < BY_DEFINITION &&
			!glob_group_match(str_from(h->groups), str_from(name))))
		return;
	if (time_ms != h->time_ms)
		tell(h);
	h->time_ms = time_ms;
	while (i < h->n && (strcmp(h->sum[i].vendor, vendor) != 0 || !str_eq_z(key, h->sum[i].key)))
		i++;
	if (i == ROLLUP_MAX)
		return;
	if (i == h->n) {
		memset(&h->sum[h->n++], 0, sizeof(h->sum[0]));
		(void)snprintf(h->sum[i].vendor, sizeof(h->sum[i].vendor), "%s", vendor);
		(void)snprintf(h->sum[i].key, sizeof(h->sum[i].key), STR_FMT, STR_ARG(key));
	}
	rollup_add(&h->sum[i].c, c);
	h->minutes = SL_MAX(h->minutes, c->minutes);
}

int control_quality_history(struct control_call *call)
{
	static struct history h; /* one thread; larger than a stack likes */
	struct rollup *r = control_rollup(call->c);
	enum rollup_span span;
	uint64_t span_ms = 0;
	int rc;

	memset(&h, 0, sizeof(h));
	h.call = call;
	h.vendor = control_arg(call, "vendor");
	h.groups = control_arg(call, "groups");
	rc = control_quality_by(call, BY_VENDOR, &h.by);
	if (rc)
		return rc;
	if (!r)
		return err_set(&call->err, SL_EBUSY, "the rollups cannot be used now");
	if (!commands_parse_span(control_arg(call, "history"), &span_ms))
		return err_set(&call->err, SL_EINVAL, "history: want a time span");
	span = span_ms <= DAY_MS ? ROLLUP_MINUTE : ROLLUP_HOUR;
	h.seconds = span == ROLLUP_MINUTE ? 60 : 3600;
	h.list = cJSON_AddArrayToObject(call->out, "history");
	rc = rollup_each(r, span,
		h.by == BY_CLIENT       ? ROLLUP_CLIENT
		: h.by == BY_DEFINITION ? ROLLUP_DEFINITION
					: ROLLUP_GROUP,
		call->now_ms > span_ms ? call->now_ms - span_ms : 0, call->now_ms, take, &h);
	tell(&h);
	return rc ? err_set(&call->err, rc, "the rollups cannot be read") : 0;
}
