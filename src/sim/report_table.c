/* SPDX-License-Identifier: Apache-2.0 */
/* The report as a table for people and as JSON for programs. */
#include "sim/report.h"

#include <math.h>
#include <stdlib.h>

static const char *const keys[REPORT_FIGURES] = {
#define X(key, text, more) #key,
	REPORT_FIGURE_MAP(X)
#undef X
};

static const char *const texts[REPORT_FIGURES] = {
#define X(key, text, more) text,
	REPORT_FIGURE_MAP(X)
#undef X
};

static const char *short_number(char *to, size_t size, double x)
{
	if (isnan(x))
		(void)snprintf(to, size, "-");
	else if (isinf(x))
		(void)snprintf(to, size, "never");
	else if (fabs(x) >= 100)
		(void)snprintf(to, size, "%.0f", x);
	else
		(void)snprintf(to, size, "%.4f", x);
	return to;
}

/* Whether any policy has the figure. */
static bool shown(const struct report *r, uint32_t f)
{
	for (uint32_t i = 0; i < r->n_policies; i++)
		if (!isnan(r->policy[i].worst.figure[f]))
			return true;
	return false;
}

static void table_row(const struct report *r, FILE *to, const char *name, const char *which,
	const struct report_run *run, bool timing)
{
	char number[32];

	fprintf(to, "| %s | %s |", name, which);
	for (uint32_t f = 0; f < REPORT_FIGURES; f++)
		if (shown(r, f))
			fprintf(to, " %s |", short_number(number, sizeof(number), run->figure[f]));
	if (timing)
		fprintf(to, " %.0f |", run->wall_ms);
	(void)fputc('\n', to);
}

void report_table(const struct report *r, FILE *to, bool timing)
{
	fprintf(to, "### %s%s\n\n%s\n\nSeeds %u to %u.\n\n| policy | |", r->s->f.name,
		r->s->sessions ? ", single sessions" : "", r->s->f.about ? r->s->f.about : "",
		r->first_seed, r->first_seed + r->n_seeds - 1);
	for (uint32_t f = 0; f < REPORT_FIGURES; f++)
		if (shown(r, f))
			fprintf(to, " %s |", texts[f]);
	fprintf(to, "%s\n|---|---|", timing ? " ms |" : "");
	for (uint32_t f = 0; f < REPORT_FIGURES; f++)
		if (shown(r, f))
			(void)fputs("---|", to);
	fprintf(to, "%s\n", timing ? "---|" : "");
	for (uint32_t i = 0; i < r->n_policies; i++) {
		const struct report_policy *p = &r->policy[i];

		table_row(r, to, policy_name(p->kind), "worst", &p->worst, timing);
		table_row(r, to, policy_name(p->kind), "median", &p->median, timing);
	}
	(void)fputc('\n', to);
}

static void json_number(FILE *to, const char *key, double x, const char *before)
{
	if (isnan(x) || isinf(x))
		fprintf(to, "%s\"%s\":null", before, key);
	else
		fprintf(to, "%s\"%s\":%.9g", before, key, x);
}

static void json_run(FILE *to, const struct report_run *run, const char *before)
{
	for (uint32_t f = 0; f < REPORT_FIGURES; f++)
		json_number(to, keys[f], run->figure[f], f ? "," : before);
}

/* The figures beside the name are the worst over the seeds. */
void report_json(const struct report *r, FILE *to)
{
	fprintf(to,
		"{\"scenario\":\"%s\",\"audience\":\"%s\",\"first_seed\":%u,\"seeds\":%u,"
		"\"policies\":[",
		r->s->f.name, r->s->sessions ? "sessions" : "fluid", r->first_seed, r->n_seeds);
	for (uint32_t i = 0; i < r->n_policies; i++) {
		const struct report_policy *p = &r->policy[i];

		fprintf(to, "%s{\"name\":\"%s\"", i ? "," : "", policy_name(p->kind));
		json_run(to, &p->worst, ",");
		fprintf(to, ",\"median\":{");
		json_run(to, &p->median, "");
		fprintf(to, "},\"by_seed\":[");
		for (uint32_t k = 0; k < r->n_seeds; k++) {
			fprintf(to, "%s{\"seed\":%u", k ? "," : "", r->first_seed + k);
			json_run(to, &p->run[k], ",");
			(void)fputc('}', to);
		}
		fprintf(to, "]}");
	}
	fprintf(to, "]}\n");
}
