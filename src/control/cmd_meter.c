/* SPDX-License-Identifier: Apache-2.0 */
/* meter push, meter show, meter sources. */
#include "base/glob.h"
#include "base/os.h"
#include "control/control_int.h"
#include "sense/sense.h"

#include <stdlib.h>
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

/* A drill pretends that a vendor's meters stay away. */
static bool silenced(const struct control *c, const char *vendor, uint64_t now_ms)
{
	return now_ms < c->silenced_ms && strcmp(vendor, c->silenced) == 0;
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
	else if (silenced(call->c, vendor, call->now_ms))
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

void control_take_meters(struct control *c)
{
	struct sense_meter m[64];
	uint64_t now_ms = os_now_ms();
	uint32_t n = SL_COUNT(m);

	while (c->opt.sense && n == SL_COUNT(m)) {
		n = sense_take_meters(c->opt.sense, m, SL_COUNT(m));
		for (uint32_t i = 0; i < n; i++) {
			enum meter_verdict verdict = METER_WINDOW;
			struct errbuf why = {""};
			int rc = SL_EREFUSED;

			if (c->switched_off >> SWITCH_METERS & 1)
				continue; /* nobody's fault, so nothing to wait longer for */
			if (!silenced(c, m[i].vendor, now_ms))
				rc = engine_push_meter(c->engine, m[i].vendor,
					m[i].region[0] ? m[i].region : NULL, m[i].mbps,
					m[i].start_ms, m[i].end_ms, now_ms, &verdict, &why);
			sense_tell(c->opt.sense, &m[i], !rc && meter_verdict_taken(verdict),
				rc ? sl_strerror(rc) : meter_verdict_text(verdict));
		}
	}
}

/* Seconds since, null where it never was. */
static void put_age(cJSON *row, const char *name, uint64_t since_ms, uint64_t now_ms)
{
	if (since_ms)
		control_put(row, name, now_ms > since_ms ? (double)(now_ms - since_ms) / 1e3 : 0);
	else
		(void)cJSON_AddNullToObject(row, name);
}

static void put_source(cJSON *row, const struct sense_source *s, uint64_t now_ms)
{
	cJSON *refused;

	cJSON_AddStringToObject(row, "vendor", s->vendor);
	cJSON_AddStringToObject(row, "meter", s->name);
	cJSON_AddStringToObject(row, "of",
		s->node[0]     ? s->node
		: s->region[0] ? s->region
			       : "total");
	cJSON_AddStringToObject(row, "state",
		!s->asked_ms ? "waiting"
		: s->fails   ? "failing"
			     : "ok");
	if (s->end_ms)
		control_put(row, "mbps", s->mbps);
	put_age(row, "window_age_s", s->end_ms, now_ms);
	put_age(row, "good_age_s", s->good_ms, now_ms);
	control_put(row, "next_s", s->next_ms > now_ms ? (double)(s->next_ms - now_ms) / 1e3 : 0);
	control_put(row, "requests", (double)s->requests);
	control_put(row, "taken", (double)s->taken);
	control_put(row, "fails", s->fails);
	refused = cJSON_AddObjectToObject(row, "refused");
	for (uint32_t i = 0; i < SENSE_REFUSALS; i++)
		if (s->refused[i])
			control_put(refused, sense_refusal_word(i), (double)s->refused[i]);
	cJSON_AddStringToObject(row, "note", s->note);
}

int control_do_METER_SOURCES(struct control_call *call)
{
	const char *pattern = control_arg(call, "vendor");
	cJSON *list = cJSON_AddArrayToObject(call->out, "sources");
	struct sense_source *s = NULL;
	uint32_t n = 0;

	if (call->c->opt.sense)
		s = sense_sources(call->c->opt.sense, &n);
	for (uint32_t i = 0; i < n; i++)
		if (!pattern || glob_match(str_from(pattern), str_from(s[i].vendor), false))
			put_source(control_add_row(list), &s[i], call->now_ms);
	free(s);
	return 0;
}
