/* SPDX-License-Identifier: Apache-2.0 */
/* All policies over all seeds; worst and median. */
#include "sim/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const bool larger_is_better[REPORT_FIGURES] = {
#define X(key, text, more) more,
	REPORT_FIGURE_MAP(X)
#undef X
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The worst and the median of n figures; NAN where no run has one. */
static void summarise(double *v, uint32_t n, bool more, double *ret_worst, double *ret_median)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++)
		if (!isnan(v[i]))
			v[k++] = v[i];
	*ret_worst = *ret_median = (double)NAN;
	if (k == 0)
		return;
	qsort(v, k, sizeof(*v), by_value);
	*ret_worst = v[more ? 0 : k - 1];
	*ret_median = k % 2 ? v[k / 2] : (v[k / 2 - 1] + v[k / 2]) / 2;
}

static void summarise_policy(struct report_policy *p, uint32_t n, double *room)
{
	for (uint32_t f = 0; f < REPORT_FIGURES; f++) {
		for (uint32_t i = 0; i < n; i++)
			room[i] = p->run[i].figure[f];
		summarise(room, n, larger_is_better[f], &p->worst.figure[f], &p->median.figure[f]);
	}
	for (uint32_t i = 0; i < n; i++)
		room[i] = p->run[i].wall_ms;
	summarise(room, n, false, &p->worst.wall_ms, &p->median.wall_ms);
}

static void compare(struct report_run *run, const struct report_run *best)
{
	if (best->commit_mbps_s > 0)
		run->figure[REPORT_commit_use] = run->commit_mbps_s / best->commit_mbps_s;
	run->figure[REPORT_quality_gap] = best->quality - run->quality;
}

static void bar(const struct report *r, uint32_t done, uint32_t all)
{
	fprintf(stderr, "\r%-24s [%-30.*s] %u/%u", r->s->f.name, (int)(done * 30 / all),
		"##############################", done, all);
	if (done == all)
		fprintf(stderr, "\r%70s\r", "");
	(void)fflush(stderr);
}

static int run_seed(struct report *r, uint32_t i, bool progress)
{
	uint64_t seed = r->first_seed + i;
	struct report_run best;
	int rc = report_run_optimum(r->s, seed, &best);

	for (uint32_t k = 0; rc == 0 && k < r->n_policies; k++) {
		struct report_run *run = &r->policy[k].run[i];

		if (r->policy[k].kind == POLICY_OPTIMUM)
			*run = best;
		else
			rc = report_run(r->s, r->policy[k].kind, seed, NULL, run);
		compare(run, &best);
		if (progress)
			bar(r, i * r->n_policies + k + 1, r->n_seeds * r->n_policies);
	}
	return rc;
}

int report_make(const struct scenario *s, uint32_t first_seed, uint32_t n_seeds, bool progress,
	struct report *ret_report)
{
	struct report *r = ret_report;
	double *room = calloc(n_seeds, sizeof(*room));
	int rc = room ? 0 : SL_ENOMEM;

	*r = (struct report){.s = s, .first_seed = first_seed, .n_seeds = n_seeds};
	for (uint32_t i = 0; rc == 0 && i < s->f.policies_count && i < POLICY_KINDS; i++) {
		struct report_policy *p = &r->policy[r->n_policies++];

		p->kind = policy_find(s->f.policies[i]);
		p->run = calloc(n_seeds, sizeof(*p->run));
		rc = p->run ? 0 : SL_ENOMEM;
	}
	for (uint32_t i = 0; rc == 0 && i < n_seeds; i++)
		rc = run_seed(r, i, progress);
	for (uint32_t i = 0; rc == 0 && i < r->n_policies; i++)
		summarise_policy(&r->policy[i], n_seeds, room);
	free(room);
	if (rc)
		report_done(r);
	return rc;
}

void report_done(struct report *r)
{
	for (uint32_t i = 0; i < r->n_policies; i++)
		free(r->policy[i].run);
	r->n_policies = 0;
}
