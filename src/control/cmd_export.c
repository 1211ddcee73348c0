/* SPDX-License-Identifier: Apache-2.0 */
/* export: a report of an event; and the samples it is made from. */
#include "control/control_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLE_MS = 60000 };

/* Mean share of a vendor over the services that are no test, percent. */
static double share_of(const struct engine_view *view, uint32_t vendor)
{
	const struct cat_view *cat = &view->world->cat;
	double share = 0, ppm[SCORE_ROW];
	uint32_t n = 0;

	for (uint32_t s = 0; s < cat->n_services; s++) {
		const struct cat_service *svc = &cat->services[s];

		for (uint32_t i = 0; !svc->test && i < svc->slots.count; i++)
			if (cat->slots[svc->slots.first + i].vendor == vendor &&
				control_mean_shares(view, s, ppm)) {
				share += ppm[i] / 1e4;
				n++;
			}
	}
	return n ? share / n : 0;
}

/* Load, forecast, mean share and quality of each vendor, as one line of JSON. */
static char *sample_text(const struct control *c, const struct engine_view *view)
{
	cJSON *o = cJSON_CreateObject(), *vendors = cJSON_AddArrayToObject(o, "vendors");
	struct control_opinion opinion[SL_MAX_VENDORS];
	uint32_t all_bad;
	char *text;

	control_opinions(c, view, opinion, &all_bad);
	for (uint32_t v = 0; v < view->fleet->n_vendors; v++) {
		const struct alloc_vendor *a = &view->fleet->vendor[v];
		const struct control_opinion *q = &opinion[v];
		cJSON *row;

		if (!view->world->cat.vendors[v].active)
			continue;
		row = control_add_row(vendors);
		control_put_str(row, "vendor", control_vendor_name(view, v));
		control_put(row, "current_mbps", a->current_mbps);
		control_put(row, "forecast_mbps", a->forecast_mbps);
		control_put(row, "share_percent", share_of(view, v));
		if (q->weight <= 0)
			continue;
		control_put(row, "success_percent", 100 * q->success);
		control_put(row, "first_frame_ms", 1e3 * q->first_frame_s);
		control_put(row, "stalled_percent", 100 * (1 - q->zero_stall));
	}
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}

void control_sample_round(struct control *c, uint64_t now_ms)
{
	const struct engine_view *view = engine_view(c->engine);
	char *text;

	if (!c->store || !view->world || !control_due(&c->sample_due_ms, SAMPLE_MS))
		return;
	text = sample_text(c, view);
	if (text && store_begin(c->store, NULL) == 0) {
		if (store_sample(c->store, now_ms, CONTROL_KEEP_MS, text, NULL))
			store_undo(c->store);
		(void)store_commit(c->store, NULL);
	}
	cJSON_free(text);
}

/* Figures of a vendor over the event: the sum of what samples say, and its extremes. */
struct figure {
	double sum, least, most;
	uint32_t n;
};

struct traffic {
	char vendor[SL_MAX_NAME + 1];
	struct figure mbps, share, success, first_frame, stalled;
};

struct report {
	struct traffic traffic[SL_MAX_VENDORS];
	uint32_t n_vendors, n_samples;
	uint64_t from_ms, to_ms;
	FILE *md;
	const char *kind; /* of the events that are being written; NULL: all but alerts */
	const char *head; /* of the table that is being written */
	uint32_t n_rows;
	cJSON *list;
};

/* --- Markdown ----------------------------------------------------------------------------------
 */

static const char *utc(uint64_t ms, char *buf, size_t size)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	(void)gmtime_r(&s, &tm);
	(void)strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

/* Text of a cell: what would end it is escaped. */
static void put_cell(FILE *out, const char *text)
{
	(void)fputs(" ", out);
	for (; *text; text++) {
		if (*text == '|' || *text == '\\')
			(void)fputc('\\', out);
		(void)fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
	}
	(void)fputs(" |", out);
}

static void put_row(FILE *out, uint64_t time_ms, const char *const *cell, uint32_t n)
{
	char when[32];

	(void)fputs("|", out);
	put_cell(out, utc(time_ms, when, sizeof(when)));
	for (uint32_t i = 0; i < n; i++)
		put_cell(out, cell[i]);
	(void)fputs("\n", out);
}

static void put_heading(struct report *r, const char *title, const char *head)
{
	(void)fprintf(r->md, "\n## %s\n\n", title);
	r->head = head;
	r->n_rows = 0;
}

/* Before each row; the first one brings the head of the table. */
static void begin_row(struct report *r)
{
	if (r->n_rows++)
		return;
	(void)fprintf(r->md, "%s\n|", r->head);
	for (const char *p = r->head + 1; *p; p++)
		if (*p == '|')
			(void)fputs("---|", r->md);
	(void)fputs("\n", r->md);
}

static void put_nothing(struct report *r)
{
	if (r->n_rows == 0)
		(void)fputs("Nothing.\n", r->md);
}

/* --- what happened, alarms, actions ------------------------------------------------------------
 */

static void take_event(void *ctx, const struct store_event_row *row)
{
	struct report *r = ctx;
	const char *const cell[] = {row->kind, row->text};
	bool is_alert = strcmp(row->kind, "alert") == 0;
	cJSON *o;

	if (is_alert != (r->kind != NULL))
		return;
	o = control_add_row(r->list);
	control_put(o, "time", (double)row->time_ms / 1e3);
	if (!is_alert)
		cJSON_AddStringToObject(o, "kind", row->kind);
	cJSON_AddStringToObject(o, "text", row->text);
	begin_row(r);
	put_row(r->md, row->time_ms, is_alert ? cell + 1 : cell, is_alert ? 1 : 2);
}

static void take_change(void *ctx, const struct store_change_row *row)
{
	struct report *r = ctx;
	const char *const cell[] = {row->who, row->command, row->why};
	cJSON *o;

	if (row->time_ms < r->from_ms || row->time_ms > r->to_ms)
		return;
	o = control_add_row(r->list);
	control_put(o, "time", (double)row->time_ms / 1e3);
	cJSON_AddStringToObject(o, "who", row->who);
	cJSON_AddStringToObject(o, "command", row->command);
	cJSON_AddStringToObject(o, "why", row->why);
	control_put(o, "change", (double)row->number);
	begin_row(r);
	put_row(r->md, row->time_ms, cell, 3);
}

/* --- traffic and quality -----------------------------------------------------------------------
 */

static void take_figure(struct figure *f, const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (!cJSON_IsNumber(v))
		return;
	f->least = f->n ? SL_MIN(f->least, v->valuedouble) : v->valuedouble;
	f->most = f->n ? SL_MAX(f->most, v->valuedouble) : v->valuedouble;
	f->sum += v->valuedouble;
	f->n++;
}

static struct traffic *traffic_of(struct report *r, const char *vendor)
{
	for (uint32_t i = 0; i < r->n_vendors; i++)
		if (strcmp(r->traffic[i].vendor, vendor) == 0)
			return &r->traffic[i];
	if (r->n_vendors == SL_MAX_VENDORS)
		return NULL;
	(void)snprintf(r->traffic[r->n_vendors].vendor, sizeof(r->traffic[0].vendor), "%s", vendor);
	return &r->traffic[r->n_vendors++];
}

static void take_sample(void *ctx, uint64_t time_ms, const char *text)
{
	struct report *r = ctx;
	cJSON *o = cJSON_Parse(text);
	const cJSON *v = NULL;

	(void)time_ms;
	r->n_samples++;
	cJSON_ArrayForEach (v, cJSON_GetObjectItemCaseSensitive(o, "vendors")) {
		const cJSON *name = cJSON_GetObjectItemCaseSensitive(v, "vendor");
		const cJSON *forecast = cJSON_GetObjectItemCaseSensitive(v, "forecast_mbps");
		const cJSON *now = cJSON_GetObjectItemCaseSensitive(v, "current_mbps");
		struct traffic *t = cJSON_IsString(name) ? traffic_of(r, name->valuestring) : NULL;
		bool more = cJSON_IsNumber(forecast) && cJSON_IsNumber(now) &&
			    forecast->valuedouble > now->valuedouble;

		if (!t)
			continue;
		take_figure(&t->mbps, v, more ? "forecast_mbps" : "current_mbps");
		take_figure(&t->share, v, "share_percent");
		take_figure(&t->success, v, "success_percent");
		take_figure(&t->first_frame, v, "first_frame_ms");
		take_figure(&t->stalled, v, "stalled_percent");
	}
	cJSON_Delete(o);
}

static double mean(const struct figure *f)
{
	return f->n ? f->sum / f->n : (double)NAN;
}

static void put_traffic(struct report *r, cJSON *list)
{
	char title[64];

	(void)snprintf(title, sizeof(title), "Traffic (%u samples, one a minute)", r->n_samples);
	put_heading(r, title, "| vendor | mean Mbps | peak Mbps | share, least to most |");
	for (uint32_t i = 0; i < r->n_vendors; i++) {
		const struct traffic *t = &r->traffic[i];
		cJSON *o = control_add_row(list);

		cJSON_AddStringToObject(o, "vendor", t->vendor);
		control_put(o, "mean_mbps", mean(&t->mbps));
		control_put(o, "peak_mbps", t->mbps.most);
		control_put(o, "least_share_percent", t->share.least);
		control_put(o, "most_share_percent", t->share.most);
		begin_row(r);
		(void)fprintf(r->md, "| %s | %.0f | %.0f | %.1f %% to %.1f %% |\n", t->vendor,
			mean(&t->mbps), t->mbps.most, t->share.least, t->share.most);
	}
	put_nothing(r);
}

static void put_quality(struct report *r, cJSON *list)
{
	put_heading(r, "Quality, as players reported it",
		"| vendor | pulls that succeed, mean and least | first frame, mean and most | "
		"stalled users, mean and most |");
	for (uint32_t i = 0; i < r->n_vendors; i++) {
		const struct traffic *t = &r->traffic[i];
		cJSON *o;

		if (!t->success.n)
			continue;
		o = control_add_row(list);
		cJSON_AddStringToObject(o, "vendor", t->vendor);
		control_put(o, "mean_success_percent", mean(&t->success));
		control_put(o, "least_success_percent", t->success.least);
		control_put(o, "mean_first_frame_ms", mean(&t->first_frame));
		control_put(o, "most_first_frame_ms", t->first_frame.most);
		control_put(o, "mean_stalled_percent", mean(&t->stalled));
		control_put(o, "most_stalled_percent", t->stalled.most);
		begin_row(r);
		(void)fprintf(r->md,
			"| %s | %.2f %%, %.2f %% | %.0f ms, %.0f ms | %.2f %%, %.2f %% |\n",
			t->vendor, mean(&t->success), t->success.least, mean(&t->first_frame),
			t->first_frame.most, mean(&t->stalled), t->stalled.most);
	}
	put_nothing(r);
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static int put_story(struct control_call *call, struct report *r)
{
	struct store *s = call->c->store;
	int rc;

	put_heading(r, "Alarms", "| time, UTC | alert |");
	r->list = cJSON_AddArrayToObject(call->out, "alarms");
	r->kind = "alert";
	rc = store_events(s, r->from_ms, r->to_ms, take_event, r);
	put_nothing(r);
	put_heading(r, "What happened", "| time, UTC | kind | what |");
	r->list = cJSON_AddArrayToObject(call->out, "events");
	r->kind = NULL;
	if (!rc)
		rc = store_events(s, r->from_ms, r->to_ms, take_event, r);
	put_nothing(r);
	put_heading(r, "What was done, newest first", "| time, UTC | who | what | why |");
	r->list = cJSON_AddArrayToObject(call->out, "actions");
	if (!rc)
		rc = store_history(s, 0, UINT32_MAX, take_change, r);
	put_nothing(r);
	return rc;
}

static int write_report(struct control_call *call, struct report *r)
{
	char from[32], to[32];
	int rc;

	(void)fprintf(r->md, "# Event from %s to %s UTC\n", utc(r->from_ms, from, sizeof(from)),
		utc(r->to_ms, to, sizeof(to)));
	control_put(call->out, "from", (double)r->from_ms / 1e3);
	control_put(call->out, "to", (double)r->to_ms / 1e3);
	rc = put_story(call, r);
	if (!rc)
		rc = store_samples(call->c->store, r->from_ms, r->to_ms, take_sample, r);
	if (rc)
		return rc;
	put_traffic(r, cJSON_AddArrayToObject(call->out, "traffic"));
	put_quality(r, cJSON_AddArrayToObject(call->out, "quality"));
	return 0;
}

int control_do_EXPORT(struct control_call *call)
{
	double to = control_number(call, "to", (double)call->now_ms / 1e3);
	double from = control_number(call, "from", SL_MAX(0, to - 86400));
	struct report *r = calloc(1, sizeof(*r));
	char *text = NULL;
	size_t n = 0;
	int rc = control_need_store(call);

	if (!rc && !(from >= 0 && from <= to && to < 1e11))
		rc = err_set(&call->err, SL_EINVAL,
			"--from and --to are unix seconds, the first not after the second");
	if (!rc && r)
		r->md = open_memstream(&text, &n);
	if (!rc && (!r || !r->md))
		rc = err_set(&call->err, SL_ENOMEM, "out of memory");
	if (!rc) {
		r->to_ms = (uint64_t)(to * 1e3);
		r->from_ms = (uint64_t)(from * 1e3);
		rc = write_report(call, r);
		(void)fclose(r->md);
		if (!rc)
			cJSON_AddStringToObject(call->out, "markdown", text);
	}
	free(text);
	free(r);
	return rc;
}
