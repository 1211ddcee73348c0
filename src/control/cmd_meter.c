/* SPDX-License-Identifier: Apache-2.0 */
/* meter push, meter show. */
#include "control/control_int.h"

#include <string.h>

enum { DEFAULT_WINDOW_MS = 60000 };

static const char *member_text(const cJSON *m, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(m, name);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

/* A number of a meter, given as number or as text (the command line's). */
static bool member_number(const cJSON *m, const char *name, double *ret)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(m, name);

	if (cJSON_IsNumber(v)) {
		*ret = v->valuedouble;
		return true;
	}
	return cJSON_IsString(v) && commands_parse_number(v->valuestring, ret);
}

static uint64_t to_ms(double seconds)
{
	return seconds > 0 && seconds < 1e11 ? (uint64_t)(seconds * 1e3 + 0.5) : 0;
}

/* Offers one meter and says what became of it; true when it was taken. */
static bool offer(struct control_call *call, const cJSON *m, cJSON *row)
{
	double end = (double)call->now_ms / 1e3, start, mbps = 0;
	const char *vendor = member_text(m, "vendor"), *region = member_text(m, "region");
	enum meter_verdict verdict = METER_WINDOW;
	struct errbuf why = {""};
	int rc = SL_EINVAL;
	bool taken;

	if (!member_number(m, "window_end", &end))
		(void)member_number(m, "end", &end);
	start = end - DEFAULT_WINDOW_MS / 1e3;
	if (!member_number(m, "window_start", &start))
		(void)member_number(m, "start", &start);
	cJSON_AddStringToObject(row, "vendor", vendor ? vendor : "");
	if (region)
		cJSON_AddStringToObject(row, "region", region);
	if (!vendor || !member_number(m, "mbps", &mbps))
		(void)err_set(&why, rc, "want vendor and mbps");
	else if (call->now_ms < call->c->silenced_ms && strcmp(vendor, call->c->silenced) == 0)
		(void)err_set(&why, rc = SL_EREFUSED, "silenced by a drill");
	else
		rc = engine_push_meter(call->c->engine, vendor, region, mbps, to_ms(start),
			to_ms(end), call->now_ms, &verdict, &why);
	taken = rc == 0 && meter_verdict_taken(verdict);
	control_put_bool(row, "taken", taken);
	cJSON_AddStringToObject(row, "result",
		rc == 0 ? meter_verdict_text(verdict) : (why.s[0] ? why.s : sl_strerror(rc)));
	return taken;
}

int control_do_METER_PUSH(struct control_call *call)
{
	const cJSON *meters = cJSON_GetObjectItemCaseSensitive(call->args, "meters");
	cJSON *list = cJSON_AddArrayToObject(call->out, "meters");
	const cJSON *m = NULL;
	uint32_t n = 0, taken = 0;

	if (!meters) {
		n = 1;
		taken = offer(call, call->args, control_add_row(list));
	} else if (!cJSON_IsArray(meters)) {
		return err_set(&call->err, SL_EINVAL, "meters: want a list");
	}
	cJSON_ArrayForEach (m, meters) {
		n++;
		taken += offer(call, m, control_add_row(list));
	}
	if (taken == n)
		return 0;
	m = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(list, 0), "result");
	if (n == 1)
		return err_set(&call->err, SL_EREFUSED, "meter refused: %s", m->valuestring);
	return err_set(&call->err, SL_EREFUSED, "%u of %u meters refused", n - taken, n);
}

static void put_meter(cJSON *row, const struct control_call *call, const struct meter *m)
{
	uint64_t age = call->now_ms > m->end_ms ? call->now_ms - m->end_ms : 0;

	cJSON_AddStringToObject(row, "state", !m->present ? "none" : m->silent ? "silent" : "ok");
	if (m->present) {
		control_put(row, "mbps", m->mbps);
		control_put(row, "window_start", (double)m->start_ms / 1e3);
		control_put(row, "window_end", (double)m->end_ms / 1e3);
		control_put(row, "age_s", (double)age / 1e3);
	}
	control_put(row, "silences", (double)m->silences);
	for (uint32_t i = 0; i < METER_VERDICTS; i++)
		if (m->count[i])
			control_put(row, meter_verdict_text(i), (double)m->count[i]);
}

int control_do_METER_SHOW(struct control_call *call)
{
	const char *pattern = control_arg(call, "vendor");
	const struct engine_view *view = call->view;
	int rc = control_need_world(call);
	uint32_t n_vendors;
	cJSON *list, *row;

	if (rc)
		return rc;
	n_vendors = view->fleet->n_vendors;
	list = cJSON_AddArrayToObject(call->out, "meters");
	for (uint32_t i = 0; i < n_vendors + view->fleet->n_regions; i++) {
		uint32_t v = i < n_vendors ? i : view->fleet->region[i - n_vendors].vendor;
		struct str region = STR_LIT("total");

		if (!view->world->cat.vendors[v].active || !control_names_vendor(view, pattern, v))
			continue;
		if (i >= n_vendors)
			region = cat_text(
				&view->world->cat, view->world->cat.regions[i - n_vendors].name);
		row = control_add_row(list);
		control_put_str(row, "vendor", control_vendor_name(view, v));
		control_put_str(row, "region", region);
		put_meter(row, call, &view->meters[i]);
	}
	if (!list->child)
		return err_set(&call->err, SL_ENOENT, "no vendor is called %.64s", pattern);
	return 0;
}
