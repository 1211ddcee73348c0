/* SPDX-License-Identifier: Apache-2.0 */
/* export: a report of an event; and the samples it is made from. */
#include "control/control_int.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_MS = 60000 };

/* Load, forecast and mean share of each vendor, as one line of JSON. */
static char *sample_text(const struct engine_view *view)
{
	const struct cat_view *cat = &view->world->cat;
	cJSON *o = cJSON_CreateObject(), *vendors = cJSON_AddArrayToObject(o, "vendors");
	char *text;

	for (uint32_t v = 0; v < view->fleet->n_vendors; v++) {
		const struct alloc_vendor *a = &view->fleet->vendor[v];
		double share = 0, ppm[SCORE_ROW];
		uint32_t n = 0;
		cJSON *row;

		if (!cat->vendors[v].active)
			continue;
		for (uint32_t s = 0; s < cat->n_services; s++) {
			const struct cat_service *svc = &cat->services[s];

			for (uint32_t i = 0; !svc->test && i < svc->slots.count; i++)
				if (cat->slots[svc->slots.first + i].vendor == v &&
					control_mean_shares(view, s, ppm)) {
					share += ppm[i] / 1e4;
					n++;
				}
		}
		row = control_add_row(vendors);
		control_put_str(row, "vendor", control_vendor_name(view, v));
		control_put(row, "current_mbps", a->current_mbps);
		control_put(row, "forecast_mbps", a->forecast_mbps);
		control_put(row, "share_percent", n ? share / n : 0);
	}
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}

void control_sample_round(struct control *c, uint64_t now_ms)
{
	const struct engine_view *view = engine_view(c->engine);
	char *text;

	if (!c->store || !view->world || now_ms < c->sampled_ms + SAMPLE_MS)
		return;
	c->sampled_ms = now_ms;
	text = sample_text(view);
	if (text && store_begin(c->store, NULL) == 0) {
		if (store_sample(c->store, now_ms, CONTROL_KEEP_MS, text, NULL))
			store_undo(c->store);
		(void)store_commit(c->store, NULL);
	}
	cJSON_free(text);
}

/* Extremes and mean of a vendor over the event. */
struct traffic {
	char vendor[SL_MAX_NAME + 1];
	double peak_mbps, sum_mbps, least_share, most_share;
	uint32_t n;
};

struct report {
	struct traffic traffic[SL_MAX_VENDORS];
	uint32_t n_vendors, n_samples;
	uint64_t from_ms, to_ms;
	FILE *md;
	cJSON *actions;
};

static double number_of(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static struct traffic *traffic_of(struct report *r, const char *vendor)
{
	for (uint32_t i = 0; i < r->n_vendors; i++)
		if (strcmp(r->traffic[i].vendor, vendor) == 0)
			return &r->traffic[i];
	if (r->n_vendors == SL_MAX_VENDORS)
		return NULL;
	(void)snprintf(r->traffic[r->n_vendors].vendor, sizeof(r->traffic[0].vendor), "%s", vendor);
	r->traffic[r->n_vendors].least_share = 100;
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
		struct traffic *t = cJSON_IsString(name) ? traffic_of(r, name->valuestring) : NULL;
		double mbps = SL_MAX(number_of(v, "current_mbps"), number_of(v, "forecast_mbps"));
		double share = number_of(v, "share_percent");

		if (!t)
			continue;
		t->n++;
		t->sum_mbps += mbps;
		t->peak_mbps = SL_MAX(t->peak_mbps, mbps);
		t->least_share = SL_MIN(t->least_share, share);
		t->most_share = SL_MAX(t->most_share, share);
	}
	cJSON_Delete(o);
}

static void take_change(void *ctx, const struct store_change_row *row)
{
	struct report *r = ctx;
	cJSON *o;

	if (row->time_ms < r->from_ms || row->time_ms > r->to_ms)
		return;
	o = control_add_row(r->actions);
	control_put(o, "time", (double)row->time_ms / 1e3);
	cJSON_AddStringToObject(o, "who", row->who);
	cJSON_AddStringToObject(o, "command", row->command);
	cJSON_AddStringToObject(o, "why", row->why);
	control_put(o, "change", (double)row->number);
	(void)fprintf(r->md, "| %.0f | %s | %s | %s |\n", (double)row->time_ms / 1e3, row->who,
		row->command, row->why);
}

static void put_traffic(struct report *r, cJSON *list)
{
	(void)fprintf(r->md,
		"\n## Traffic\n\n%u samples, one a minute.\n\n"
		"| vendor | mean Mbps | peak Mbps | share, least to most |\n|---|---|---|---|\n",
		r->n_samples);
	for (uint32_t i = 0; i < r->n_vendors; i++) {
		const struct traffic *t = &r->traffic[i];
		double mean = t->n ? t->sum_mbps / t->n : 0;
		cJSON *o = control_add_row(list);

		cJSON_AddStringToObject(o, "vendor", t->vendor);
		control_put(o, "mean_mbps", mean);
		control_put(o, "peak_mbps", t->peak_mbps);
		control_put(o, "least_share_percent", t->least_share);
		control_put(o, "most_share_percent", t->most_share);
		(void)fprintf(r->md, "| %s | %.0f | %.0f | %.1f %% to %.1f %% |\n", t->vendor, mean,
			t->peak_mbps, t->least_share, t->most_share);
	}
}

static int write_report(struct control_call *call, struct report *r)
{
	struct store *s = call->c->store;
	int rc;

	(void)fprintf(r->md,
		"# Event from %.0f to %.0f\n\n## What was done\n\n"
		"| unix time | who | what | why |\n|---|---|---|---|\n",
		(double)r->from_ms / 1e3, (double)r->to_ms / 1e3);
	r->actions = cJSON_AddArrayToObject(call->out, "actions");
	rc = store_history(s, 0, UINT32_MAX, take_change, r);
	if (!rc)
		rc = store_samples(s, r->from_ms, r->to_ms, take_sample, r);
	if (!rc)
		put_traffic(r, cJSON_AddArrayToObject(call->out, "traffic"));
	return rc;
}

int control_do_EXPORT(struct control_call *call)
{
	double now = (double)call->now_ms / 1e3;
	struct report *r = calloc(1, sizeof(*r));
	char *text = NULL;
	size_t n = 0;
	int rc = control_need_store(call);

	if (!rc && r)
		r->md = open_memstream(&text, &n);
	if (!rc && (!r || !r->md))
		rc = err_set(&call->err, SL_ENOMEM, "out of memory");
	if (!rc) {
		r->to_ms = (uint64_t)(control_number(call, "to", now) * 1e3);
		r->from_ms = (uint64_t)(control_number(call, "from", now - 86400) * 1e3);
		rc = write_report(call, r);
		(void)fclose(r->md);
		if (!rc)
			cJSON_AddStringToObject(call->out, "markdown", text);
	}
	free(text);
	free(r);
	return rc;
}
