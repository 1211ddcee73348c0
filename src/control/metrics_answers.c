/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics of the answer process: the sums of its workers' tallies. */
#include "answer/decide.h"
#include "base/os.h"
#include "control/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums of one slot of a service over groups and workers, by region of the vendor; the last is
 * everywhere else. */
struct sums {
	uint64_t kind[SL_MAX_REGIONS + 1][3];
	bool used[SL_MAX_REGIONS + 1];
};

static void sum_slot(const struct control_tallies *t, const struct cat_view *cat, uint32_t s,
	uint32_t slot, struct sums *ret)
{
	uint32_t vendor = cat->slots[cat->services[s].slots.first + slot].vendor;

	memset(ret, 0, sizeof(*ret));
	for (uint32_t g = 0; g < cat->n_groups; g++) {
		uint32_t r = cat->region_of[g * cat->n_vendors + vendor].v;

		r = SL_MIN(r, (uint32_t)SL_MAX_REGIONS);
		ret->used[r] = true;
		for (uint32_t k = 0; k < t->n; k++) {
			const struct tally_slot *n = &t->tally[k]->row[s][g].slot[slot];

			ret->kind[r][0] += tally_get(&n->fresh);
			ret->kind[r][1] += tally_get(&n->refresh);
			ret->kind[r][2] += tally_get(&n->moved);
		}
	}
}

static void put_slot(FILE *out, const struct engine_view *view, const struct sums *sums,
	const char *service, uint32_t vendor)
{
	static const char *const kinds[] = {"new", "refresh", "move"};
	const struct cat_view *cat = &view->world->cat;
	char name[SL_MAX_NAME + 1], region[SL_MAX_NAME + 1];

	(void)control_text_of(control_vendor_name(view, vendor), name, sizeof(name));
	for (uint32_t r = 0; r <= SL_MAX_REGIONS; r++) {
		if (!sums->used[r])
			continue;
		(void)control_text_of(r < cat->n_regions ? cat_text(cat, cat->regions[r].name)
							 : (struct str){"", 0},
			region, sizeof(region));
		for (uint32_t k = 0; k < 3; k++)
			control_metric(out, METRIC_DECISIONS, (double)sums->kind[r][k], "service",
				service, "vendor", name, "region", region, "kind", kinds[k],
				NO_LABELS);
	}
}

static void put_decisions(
	FILE *out, const struct engine_view *view, const struct control_tallies *t)
{
	const struct cat_view *cat = &view->world->cat;
	char service[SL_MAX_NAME + 1];
	struct sums sums;

	control_metric_head(out, METRIC_DECISIONS);
	for (uint32_t s = 0; s < cat->n_services; s++) {
		(void)control_text_of(
			cat_text(cat, cat->services[s].name), service, sizeof(service));
		for (uint32_t i = 0; i < cat->services[s].slots.count; i++) {
			sum_slot(t, cat, s, i, &sums);
			put_slot(out, view, &sums, service,
				cat->slots[cat->services[s].slots.first + i].vendor);
		}
	}
	control_metric_head(out, METRIC_REFUSED);
	for (uint32_t s = 0; s < cat->n_services; s++) {
		uint64_t none = 0;

		for (uint32_t k = 0; k < t->n; k++)
			for (uint32_t g = 0; g < cat->n_groups; g++)
				none += tally_get(&t->tally[k]->row[s][g].none);
		control_metric(out, METRIC_REFUSED, (double)none, "service",
			control_text_of(
				cat_text(cat, cat->services[s].name), service, sizeof(service)),
			NO_LABELS);
	}
}

static uint64_t sum_of(const struct control_tallies *t, size_t offset)
{
	uint64_t sum = 0;

	for (uint32_t k = 0; k < t->n; k++)
		sum += tally_get(
			(const tally_number *)(const void *)((const char *)t->tally[k] + offset));
	return sum;
}

/* Counters of the workers: rows of one metric follow each other in the table. */
static void put_counters(FILE *out, const struct control_tallies *t)
{
	static const struct {
		const char *name, *labels, *help;
	} rows[] = {
#define COUNTER(id, name, labels, help) {name, labels, help},
#include "tally/counters.def"
#undef COUNTER
	};

	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		bool labels = rows[i].labels[0] != '\0';
		size_t first = 0;

		while (strcmp(rows[first].name, rows[i].name))
			first++;
		if (first == i)
			(void)fprintf(out, "# HELP %s %s\n# TYPE %s counter\n", rows[i].name,
				rows[i].help, rows[i].name);
		(void)fprintf(out, "%s%s%s%s %" PRIu64 "\n", rows[i].name, labels ? "{" : "",
			rows[i].labels, labels ? "}" : "",
			sum_of(t, offsetof(struct tally, counters) + i * sizeof(tally_number)));
	}
}

static uint64_t sum_answers(
	const struct control_tallies *t, uint32_t service, uint32_t door, uint32_t reason)
{
	return sum_of(t, offsetof(struct tally, answers) +
				 ((service * TALLY_DOORS + door) * TALLY_REASONS + reason) *
					 sizeof(tally_number));
}

/* Only what there is: most reasons never happen to most services. */
static void put_answers(FILE *out, const struct engine_view *view, const struct control_tallies *t)
{
	static const char *const doors[TALLY_DOORS] = {"dns", "http"};
	const struct cat_view *cat = &view->world->cat;
	char service[SL_MAX_NAME + 1];

	control_metric_head(out, METRIC_ANSWERS);
	for (uint32_t s = 0; s < cat->n_services; s++)
		for (uint32_t d = 0; d < TALLY_DOORS; d++)
			for (uint32_t i = 0; i < ANSWER_REASONS; i++) {
				uint64_t n = sum_answers(t, s, d, (uint8_t)i);

				if (n || i == ANSWER_SEQUENCE || i == ANSWER_STICKY)
					control_metric(out, METRIC_ANSWERS, (double)n, "service",
						control_text_of(
							cat_text(cat, cat->services[s].name),
							service, sizeof(service)),
						"door", doors[d], "reason",
						answer_reason_text((uint8_t)i), NO_LABELS);
			}
}

static void put_histogram(
	FILE *out, enum control_metric id, const struct control_tallies *t, size_t offset)
{
	const char *name = control_metric_name(id);
	uint64_t sum = 0;

	control_metric_head(out, id);
	for (uint32_t i = 0; i < TALLY_LATENCY_BUCKETS; i++) {
		sum += sum_of(t, offset + i * sizeof(tally_number));
		if (i + 1 < TALLY_LATENCY_BUCKETS) /* the last holds all that took longer */
			(void)fprintf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
				ldexp(1e-6, (int)i), sum);
	}
	(void)fprintf(out,
		"%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.9g\n%s_count %" PRIu64 "\n", name,
		sum, name,
		(double)sum_of(t, offset + offsetof(struct tally_histogram, sum_ns)) / 1e9, name,
		sum);
}

static void put_doors(FILE *out, const struct control_tallies *t)
{
	static const char *const doors[] = {
#define DOOR(name, path, prefix, methods, max_body, flags, checks) #name,
#include "http/doors.def"
#undef DOOR
	};

	control_metric_head(out, METRIC_HTTP_DOORS);
	for (size_t i = 0; i < SL_COUNT(doors); i++)
		control_metric(out, METRIC_HTTP_DOORS,
			(double)sum_of(
				t, offsetof(struct tally, http_door) + i * sizeof(tally_number)),
			"door", doors[i], NO_LABELS);
	control_metric_head(out, METRIC_HTTP_REFUSED);
	for (unsigned i = 0; i < HTTPD_N_REFUSALS; i++)
		control_metric(out, METRIC_HTTP_REFUSED,
			(double)sum_of(
				t, offsetof(struct tally, http_refused) + i * sizeof(tally_number)),
			"reason", httpd_refusal_name((enum httpd_refusal)i), NO_LABELS);
	control_metric_head(out, METRIC_HTTP_OPEN);
	control_metric(out, METRIC_HTTP_OPEN, (double)sum_of(t, offsetof(struct tally, http_open)),
		NO_LABELS);
	put_histogram(out, METRIC_HTTP_TIME, t, offsetof(struct tally, http_time));
	put_histogram(out, METRIC_DNS_TIME, t, offsetof(struct tally, dns_time));
}

/* A process that has ended and was not waited for yet counts as gone. */
static bool is_alive(uint64_t pid)
{
	char path[64], *text = NULL, *end;
	bool alive = false;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
	if (os_read_file(path, 4096, &text, &n, NULL))
		return false;
	end = strrchr(text, ')'); /* "pid (name) state ..." (proc(5)) */
	alive = end && end[1] && end[2] != 'Z' && end[2] != 'X';
	free(text);
	return alive;
}

/* Tallies outlive their process. */
static uint32_t live(const struct control_tallies *t)
{
	uint64_t pid = 0;
	bool alive = false;
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		if (t->tally[i]->pid != pid) {
			pid = t->tally[i]->pid;
			alive = is_alive(pid);
		}
		n += alive;
	}
	return n;
}

static void put_link(FILE *out, const struct control_tallies *t, uint64_t now_ms)
{
	uint64_t looked = 0, world = 0;

	for (uint32_t i = 0; i < t->n; i++)
		if (tally_get(&t->tally[i]->looked_ms) > looked) {
			looked = tally_get(&t->tally[i]->looked_ms);
			world = tally_get(&t->tally[i]->world_ms);
		}
	if (!looked)
		return;
	control_metric_head(out, METRIC_ANSWER_LOOK);
	control_metric(out, METRIC_ANSWER_LOOK,
		now_ms > looked ? (double)(now_ms - looked) / 1e3 : 0, NO_LABELS);
	if (!world)
		return;
	control_metric_head(out, METRIC_ANSWER_AGE);
	control_metric(out, METRIC_ANSWER_AGE, now_ms > world ? (double)(now_ms - world) / 1e3 : 0,
		NO_LABELS);
}

void control_metrics_answers(
	FILE *out, const struct engine_view *view, const struct control_tallies *t, uint64_t now_ms)
{
	if (view->world && view->fleet) {
		put_decisions(out, view, t);
		put_answers(out, view, t);
	}
	control_metric_head(out, METRIC_WORKERS);
	control_metric(out, METRIC_WORKERS, live(t), NO_LABELS);
	put_link(out, t, now_ms);
	put_counters(out, t);
	put_doors(out, t);
}
