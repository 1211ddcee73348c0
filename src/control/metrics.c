/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics: the last tick and the sums of all tallies in Prometheus' text format. */
#include "control/metrics.h"

#include "base/os.h"
#include "control/bills.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct {
	const char *name, *type, *help;
} metrics[] = {
#define METRIC(id, name, type, help) {name, type, help},
#include "control/metrics.def"
#undef METRIC
};

const char *control_metric_name(enum control_metric id)
{
	return metrics[id].name;
}

void control_metric_head(FILE *out, enum control_metric id)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[id].name, metrics[id].help,
		metrics[id].name, metrics[id].type);
}

static void number(FILE *out, double v)
{
	if (v == floor(v) && fabs(v) < 1e15)
		(void)fprintf(out, " %.0f\n", v);
	else
		(void)fprintf(out, " %.9g\n", v);
}

void control_metric(FILE *out, enum control_metric id, double v, ...)
{
	const char *name, *value;
	bool first = true;
	va_list ap;

	(void)fputs(metrics[id].name, out);
	va_start(ap, v);
	while ((name = va_arg(ap, const char *))) {
		(void)fprintf(out, "%s%s=\"", first ? "{" : ",", name);
		for (value = va_arg(ap, const char *); *value; value++) {
			if (*value == '"' || *value == '\\')
				(void)fputc('\\', out);
			(void)fputc(*value == '\n' ? ' ' : *value, out);
		}
		(void)fputc('"', out);
		first = false;
	}
	va_end(ap);
	(void)fputs(first ? "" : "}", out);
	number(out, v);
}

const char *control_text_of(struct str s, char *buf, size_t size)
{
	(void)snprintf(buf, size, STR_FMT, STR_ARG(s));
	return buf;
}

static void single(FILE *out, enum control_metric id, double v)
{
	control_metric_head(out, id);
	control_metric(out, id, v, NO_LABELS);
}

static void put_world(FILE *out, const struct control *c, const struct engine_view *view)
{
	uint64_t now = os_now_ms();

	control_metric_head(out, METRIC_BUILD);
	control_metric(out, METRIC_BUILD, 1, "version", PACKAGE_VERSION, NO_LABELS);
	single(out, METRIC_READY, view->world != NULL);
	single(out, METRIC_TICKS, (double)view->ticks);
	single(out, METRIC_TICKS_REFUSED, (double)view->refused_ticks);
	single(out, METRIC_TICK_SECONDS, view->tick_us / 1e6);
	single(out, METRIC_KEPT_ROWS, view->alarms);
	single(out, METRIC_RULES, view->n_rules);
	single(out, METRIC_API_CALLS, (double)c->calls);
	single(out, METRIC_API_REFUSED, (double)c->refused);
	single(out, METRIC_API_LIMITED,
		(double)atomic_load_explicit(
			&httpd_stats(c->httpd)->refused[HTTPD_REFUSED_RATE], memory_order_relaxed));
	if (!view->world)
		return;
	single(out, METRIC_EPOCH, (double)view->world->tick.head->epoch);
	single(out, METRIC_GENERATION, (double)view->world->tick.head->generation);
	single(out, METRIC_AGE, now > view->tick_ms ? (double)(now - view->tick_ms) / 1e3 : 0);
	single(out, METRIC_STALE, world_stale(view->world, now));
}

static double vendor_figure(const struct engine_view *view, enum control_metric id, uint32_t v)
{
	const struct alloc_vendor *a = &view->fleet->vendor[v];
	const struct meter *m = &view->meters[v];
	uint64_t now = os_now_ms();

	switch (id) {
	case METRIC_CURRENT:
		return a->current_mbps;
	case METRIC_FORECAST:
		return a->forecast_mbps;
	case METRIC_EXPECTED:
		return view->vendors[v].expected_mbps;
	case METRIC_GUARANTEED:
		return a->guaranteed_mbps;
	case METRIC_MAXIMUM:
		return a->max_mbps;
	case METRIC_CAPPED:
		return view->vendors[v].capped;
	case METRIC_METER_SILENT:
		return m->silent;
	case METRIC_METER_AGE:
		if (!m->present)
			return HUGE_VAL; /* no such sample */
		return now > m->end_ms ? (double)(now - m->end_ms) / 1e3 : 0;
	default:
		return HUGE_VAL;
	}
}

static void put_vendors(FILE *out, const struct engine_view *view)
{
	static const enum control_metric ids[] = {METRIC_CURRENT, METRIC_FORECAST, METRIC_EXPECTED,
		METRIC_GUARANTEED, METRIC_MAXIMUM, METRIC_CAPPED, METRIC_METER_AGE,
		METRIC_METER_SILENT};
	char name[SL_MAX_NAME + 1];

	for (size_t i = 0; i < SL_COUNT(ids); i++) {
		control_metric_head(out, ids[i]);
		for (uint32_t v = 0; v < view->fleet->n_vendors; v++) {
			double value = vendor_figure(view, ids[i], v);

			if (view->world->cat.vendors[v].active && isfinite(value))
				control_metric(out, ids[i], value, "vendor",
					control_text_of(
						control_vendor_name(view, v), name, sizeof(name)),
					NO_LABELS);
		}
	}
	control_metric_head(out, METRIC_METERS);
	for (uint32_t v = 0; v < view->fleet->n_vendors; v++)
		for (uint32_t i = 0; i < METER_VERDICTS; i++)
			if (view->meters[v].count[i])
				control_metric(out, METRIC_METERS, (double)view->meters[v].count[i],
					"vendor",
					control_text_of(
						control_vendor_name(view, v), name, sizeof(name)),
					"result", meter_verdict_text(i), NO_LABELS);
}

static void put_regions(FILE *out, const struct engine_view *view)
{
	char vendor[SL_MAX_NAME + 1], name[SL_MAX_NAME + 1];

	for (int k = 0; k < 2; k++) {
		enum control_metric id = k ? METRIC_REGION_MAXIMUM : METRIC_REGION_FORECAST;

		control_metric_head(out, id);
		for (uint32_t r = 0; r < view->fleet->n_regions; r++) {
			const struct alloc_region *a = &view->fleet->region[r];
			double v = k ? a->max_mbps : a->forecast_mbps;
			struct str region =
				cat_text(&view->world->cat, view->world->cat.regions[r].name);

			if (isfinite(v))
				control_metric(out, id, v, "vendor",
					control_text_of(control_vendor_name(view, a->vendor),
						vendor, sizeof(vendor)),
					"region", control_text_of(region, name, sizeof(name)),
					NO_LABELS);
		}
	}
}

static uint32_t blocked_groups(const struct engine_view *view, uint32_t s, uint32_t slot)
{
	uint32_t n = 0;

	for (uint32_t r = 0; r < view->fleet->n_rows; r++) {
		uint8_t reason = view->rows[r].reason[slot];

		n += view->fleet->row[r].service == s &&
		     (reason == SCORE_DRAINED || reason == SCORE_EVACUATED ||
			     reason == SCORE_BLACKLISTED || reason == SCORE_RESTRICTED);
	}
	return n;
}

static void put_shares(FILE *out, const struct engine_view *view)
{
	const struct cat_view *cat = &view->world->cat;
	char service[SL_MAX_NAME + 1], vendor[SL_MAX_NAME + 1];

	for (int k = 0; k < 2; k++) {
		enum control_metric id = k ? METRIC_BLACKLISTED : METRIC_SHARE;

		control_metric_head(out, id);
		for (uint32_t s = 0; s < cat->n_services; s++) {
			const struct cat_service *svc = &cat->services[s];
			double ppm[SCORE_ROW];

			if (!control_mean_shares(view, s, ppm))
				continue;
			(void)control_text_of(cat_text(cat, svc->name), service, sizeof(service));
			for (uint32_t i = 0; i < svc->slots.count; i++)
				control_metric(out, id,
					k ? blocked_groups(view, s, i) : ppm[i] / 1e6, "service",
					service, "vendor",
					control_text_of(
						control_vendor_name(view,
							cat->slots[svc->slots.first + i].vendor),
						vendor, sizeof(vendor)),
					NO_LABELS);
			if (!k)
				control_metric(out, id, ppm[SCORE_NONE] / 1e6, "service", service,
					"vendor", "none", NO_LABELS);
		}
	}
}

static void put_opinions(FILE *out, const struct engine_view *view, const struct control_opinion *o)
{
	static const struct {
		enum control_metric id;
		size_t at;
	} rows[] = {{METRIC_QUALITY, offsetof(struct control_opinion, quality)},
		{METRIC_SUCCESS, offsetof(struct control_opinion, success)},
		{METRIC_FIRST_FRAME, offsetof(struct control_opinion, first_frame_s)},
		{METRIC_ZERO_STALL, offsetof(struct control_opinion, zero_stall)}};
	char name[SL_MAX_NAME + 1];

	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		control_metric_head(out, rows[i].id);
		for (uint32_t v = 0; v < view->fleet->n_vendors; v++)
			if (o[v].weight > 0)
				control_metric(out, rows[i].id,
					*(const double *)(const void *)((const char *)&o[v] +
									rows[i].at),
					"vendor",
					control_text_of(
						control_vendor_name(view, v), name, sizeof(name)),
					NO_LABELS);
	}
}

static void put_quality(FILE *out, const struct control *c, const struct engine_view *view)
{
	struct control_opinion o[SL_MAX_VENDORS];
	uint32_t states[SL_MAX_VENDORS][BREAKER_STATES] = {{0}}, all_bad;
	char name[SL_MAX_NAME + 1];

	control_opinions(c, view, o, &all_bad);
	for (uint32_t g = 0; g < view->fleet->n_groups; g++)
		for (uint32_t v = 0; v < view->fleet->n_vendors; v++)
			states[v][engine_breaker(c->engine, v, g)->state % BREAKER_STATES]++;
	put_opinions(out, view, o);
	single(out, METRIC_ALL_BAD, all_bad);
	control_metric_head(out, METRIC_BREAKERS);
	for (uint32_t v = 0; v < view->fleet->n_vendors; v++)
		for (uint32_t s = BREAKER_CLOSED + 1; s < BREAKER_STATES; s++)
			if (view->world->cat.vendors[v].active)
				control_metric(out, METRIC_BREAKERS, states[v][s], "vendor",
					control_text_of(
						control_vendor_name(view, v), name, sizeof(name)),
					"state", breaker_state_text(s), NO_LABELS);
}

static double bill_figure(const struct billing_position *p, enum control_metric id)
{
	switch (id) {
	case METRIC_BILL_SAMPLES:
		return p->samples;
	case METRIC_BILL_SLOTS:
		return p->free;
	case METRIC_BILL_USED:
		return p->used;
	case METRIC_BILL_LEFT:
		return p->free_left;
	default:
		return (double)p->p95_kbps / 1e3;
	}
}

static void put_bills(FILE *out, const struct control *c, const struct engine_view *view)
{
	char name[SL_MAX_NAME + 1];

	for (enum control_metric id = METRIC_BILL_SAMPLES; id <= METRIC_BILL_P95; id++) {
		control_metric_head(out, id);
		for (uint32_t v = 0; v < view->fleet->n_vendors; v++) {
			const struct billing_position *p = control_bill(c, v);

			if (p && view->world->cat.vendors[v].active)
				control_metric(out, id, bill_figure(p, id), "vendor",
					control_text_of(
						control_vendor_name(view, v), name, sizeof(name)),
					NO_LABELS);
		}
	}
}

static void put_process(FILE *out, const struct control *c)
{
	char *text = NULL;
	struct rusage u;
	size_t n;

	single(out, METRIC_STARTED, (double)c->started_ms / 1e3);
	if (getrusage(RUSAGE_SELF, &u) == 0)
		single(out, METRIC_CPU,
			(double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
				(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
	if (os_read_file("/proc/self/statm", 4096, &text, &n, NULL) == 0) {
		char *second = strchr(text, ' ');

		if (second)
			single(out, METRIC_MEMORY,
				strtod(second, NULL) * (double)sysconf(_SC_PAGESIZE));
		free(text);
	}
	n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	single(out, METRIC_FDS, n > 3 ? (double)n - 3 : 0); /* without . .. and d itself */
}

void control_metrics(struct control *c, FILE *out)
{
	const struct engine_view *view = engine_view(c->engine);
	struct control_tallies t;

	control_tallies_open(c, &t);
	put_world(out, c, view);
	if (view->world && view->fleet) {
		put_vendors(out, view);
		put_regions(out, view);
		put_shares(out, view);
		put_quality(out, c, view);
		put_bills(out, c, view);
	}
	control_metrics_health(out, c, view, os_now_ms());
	control_metrics_answers(out, view, &t, os_now_ms());
	if (c->opt.sense)
		control_metrics_sense(out, c->opt.sense, os_now_ms());
	put_process(out, c);
	control_tallies_close(&t);
}
