/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics of how the daemon itself does: its parts, its doors, what it could not take. */
#include "base/os.h"
#include "control/alerts.h"
#include "control/doors.h"
#include "control/metrics.h"
#include "control/plan_do.h"
#include "control/send.h"
#include "world/facts.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void single(FILE *out, enum control_metric id, double v)
{
	control_metric_head(out, id);
	control_metric(out, id, v, NO_LABELS);
}

static double age_s(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms > then_ms ? (double)(now_ms - then_ms) / 1e3 : 0;
}

static void put_falls(FILE *out, const struct control *c, uint64_t now_ms)
{
	struct control_fall f[CONTROL_ROLES];
	uint32_t n = control_falls(c, f);

	control_metric_head(out, METRIC_FALLS);
	for (uint32_t i = 0; i < n; i++)
		control_metric(out, METRIC_FALLS, (double)f[i].times, "role", f[i].role, NO_LABELS);
	control_metric_head(out, METRIC_LAST_FALL);
	for (uint32_t i = 0; i < n; i++)
		if (f[i].last_ms)
			control_metric(out, METRIC_LAST_FALL, age_s(f[i].last_ms, now_ms), "role",
				f[i].role, NO_LABELS);
}

/* Files that the supervisor has set aside, since they crashed who read them. */
static uint32_t set_aside(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	uint32_t n = 0;

	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name);

		n += len > 10 && strcmp(e->d_name + len - 10, ".set-aside") == 0;
	}
	if (d)
		(void)closedir(d);
	return n;
}

static void put_state(
	FILE *out, const struct control *c, const struct engine_view *view, uint64_t now_ms)
{
	char dir[SL_MAX_PATH + 8];

	single(out, METRIC_STORE, control_store_usable(c, now_ms));
	single(out, METRIC_AUDIT_WAITING, c->n_waiting);
	single(out, METRIC_CONFIG_REFUSED, c->config_refused);
	single(out, METRIC_KEYS_MISSING, c->keys_missing);
	(void)snprintf(dir, sizeof(dir), "%s/world", c->state_dir);
	single(out, METRIC_SET_ASIDE, set_aside(c->state_dir) + set_aside(dir));
	single(out, METRIC_FACTS_REFUSED, (double)view->facts_refused);
	if (view->conf && view->conf->sluice.listen.reports_count)
		single(out, METRIC_FACTS_AGE, age_s(SL_MAX(view->facts_ms, c->started_ms), now_ms));
	put_falls(out, c, now_ms);
}

static void put_reports(FILE *out, const struct facts_view *f)
{
	char name[64];

	single(out, METRIC_REPORTS_KEPT, f->meta->sampled_ppm / 1e6);
	for (int k = 0; k < 2; k++) {
		enum control_metric id = k ? METRIC_REPORTS_REFUSED : METRIC_REPORTS;

		control_metric_head(out, id);
		for (uint32_t i = 0; i < f->n_sources; i++) {
			const struct facts_source *s = &f->sources[i];
			char *slash;

			(void)snprintf(name, sizeof(name), "%.*s", (int)s->name.count,
				(const char *)&f->text[s->name.first]);
			slash = strchr(name, '/');
			if (slash)
				*slash = '\0';
			if (!slash && !k)
				control_metric(
					out, id, (double)s->accepted, "source", name, NO_LABELS);
			else if (slash && k)
				control_metric(out, id, (double)s->refused, "source", name,
					"reason", slash + 1, NO_LABELS);
		}
	}
}

enum { HOT = 10 };

/* The busiest of the pairs of stream and vendor, the first before the others. */
static void put_hot(FILE *out, const struct engine_view *view, const struct facts_view *f)
{
	const struct facts_stream *top[HOT + 1];
	uint32_t n = 0;
	char stream[256], vendor[SL_MAX_NAME + 1];

	for (uint32_t i = 0; i < f->n_streams; i++) {
		const struct facts_stream *s = &f->streams[i];
		uint32_t at = n;

		if (n == HOT && s->kbps <= top[n - 1]->kbps)
			continue;
		for (; at > 0 && top[at - 1]->kbps < s->kbps; at--)
			top[at] = top[at - 1];
		top[at] = s;
		n = SL_MIN(n + 1, (uint32_t)HOT);
	}
	control_metric_head(out, METRIC_HOT_STREAMS);
	for (uint32_t i = 0; i < n; i++) {
		if (top[i]->vendor >= view->fleet->n_vendors)
			continue; /* of another catalogue */
		(void)snprintf(stream, sizeof(stream), "%.*s", (int)top[i]->name.count,
			(const char *)&f->text[top[i]->name.first]);
		control_metric(out, METRIC_HOT_STREAMS, (double)top[i]->kbps / 1e3, "stream",
			stream, "vendor",
			control_text_of(
				control_vendor_name(view, top[i]->vendor), vendor, sizeof(vendor)),
			NO_LABELS);
	}
}

static void put_doors(FILE *out, struct control *c)
{
	static const enum control_metric ids[] = {
		METRIC_DOOR_UP, METRIC_DOOR_SECONDS, METRIC_DOOR_FAILURES};
	struct control_door door[DOORS_MAX];
	uint32_t n = control_doors_states(c->doors, door);

	for (size_t k = 0; k < SL_COUNT(ids); k++) {
		control_metric_head(out, ids[k]);
		for (uint32_t i = 0; i < n; i++)
			if (door[i].known)
				control_metric(out, ids[k],
					k == 0   ? door[i].up
					: k == 1 ? door[i].seconds
						 : (double)door[i].failures,
					"plane", door[i].plane, "door", door[i].door, "address",
					door[i].address, NO_LABELS);
	}
}

/* Of the kernel's table of UDP sockets: what waits at our ports, and what found no room there. */
static void put_queues(FILE *out, const struct engine_view *view)
{
	static const char *const files[] = {"/proc/net/udp", "/proc/net/udp6"};
	const struct conf_listen *l = view->conf ? &view->conf->sluice.listen : NULL;
	uint64_t waiting = 0, drops = 0;

	for (size_t k = 0; l && k < SL_COUNT(files); k++) {
		FILE *in = fopen(files[k], "re");
		char line[512];

		while (in && fgets(line, sizeof(line), in)) {
			unsigned port, queue;
			unsigned long long lost;

			if (sscanf(line,
				    " %*u: %*[0-9A-Fa-f]:%x %*s %*x %*x:%x %*s %*s %*s %*s %*s %*s "
				    "%*s %llu",
				    &port, &queue, &lost) != 3)
				continue;
			for (uint32_t i = 0; i < l->dns_count; i++) {
				struct os_addr a;

				if (os_addr_parse(l->dns[i], &a, NULL) ||
					os_addr_port((const struct sockaddr *)&a.ss) != port)
					continue;
				waiting += queue;
				drops += lost;
				break;
			}
		}
		if (in)
			(void)fclose(in);
	}
	single(out, METRIC_DNS_QUEUE, (double)waiting);
	single(out, METRIC_DNS_QUEUE_DROPS, (double)drops);
}

static void put_alerts(FILE *out, struct control *c)
{
	struct control_send_state state[NOTICE_TARGETS];
	uint32_t n, n_targets = control_alerts_sending(c, state);
	const struct alert *a = control_alerts_list(c, &n);

	control_metric_head(out, METRIC_ALERTS);
	for (uint32_t r = 0; r < control_n_alert_rules; r++) {
		uint32_t firing = 0;

		for (uint32_t i = 0; i < n; i++)
			firing += a[i].rule == r && a[i].firing;
		control_metric(out, METRIC_ALERTS, firing, "alert", control_alert_rules[r].name,
			"severity", notice_severity_text(control_alert_rules[r].severity),
			NO_LABELS);
	}
	control_metric_head(out, METRIC_NOTICES);
	for (uint32_t i = 0; i < n_targets; i++)
		for (int k = 0; k < 2; k++)
			control_metric(out, METRIC_NOTICES,
				(double)(k ? state[i].failed : state[i].sent), "target",
				state[i].target, "result", k ? "failed" : "sent", NO_LABELS);
	control_metric_head(out, METRIC_NOTICES_WAITING);
	for (uint32_t i = 0; i < n_targets; i++)
		control_metric(out, METRIC_NOTICES_WAITING, state[i].waiting, "target",
			state[i].target, NO_LABELS);
	control_metric_head(out, METRIC_NOTICES_FAILING);
	for (uint32_t i = 0; i < n_targets; i++)
		control_metric(out, METRIC_NOTICES_FAILING, state[i].failures, "target",
			state[i].target, NO_LABELS);
}

static void put_plan(void *ctx, const char *name, enum plan_state state)
{
	for (uint32_t s = 0; s < PLAN_STATES; s++)
		control_metric(ctx, METRIC_PLANS, s == state, "plan", name, "state",
			control_plan_state(s), NO_LABELS);
}

void control_metrics_health(
	FILE *out, struct control *c, const struct engine_view *view, uint64_t now_ms)
{
	put_state(out, c, view, now_ms);
	if (view->facts)
		put_reports(out, view->facts);
	if (view->facts && view->world && view->fleet)
		put_hot(out, view, view->facts);
	put_doors(out, c);
	put_queues(out, view);
	put_alerts(out, c);
	control_metric_head(out, METRIC_PLANS);
	control_plan_each_run(c, put_plan, out);
}
