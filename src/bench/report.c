/* SPDX-License-Identifier: Apache-2.0 */
/* What a run found, as a table or as one JSON object. */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>

static const struct {
	const char *name;
	double part;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

static uint64_t share_total(const struct bench_result *r)
{
	uint64_t sum = r->other;

	for (uint32_t i = 0; i < r->n_shares; i++)
		sum += r->shares[i].n;
	return sum;
}

static double share_of(const struct bench_result *r, const char *name)
{
	uint64_t total = share_total(r);

	for (uint32_t i = 0; i < r->n_shares; i++)
		if (strcmp(r->shares[i].name, name) == 0)
			return (double)r->shares[i].n / (double)total;
	return 0;
}

/* Largest difference between a share that was expected and the one that was seen; below 0 when none
 * was expected. */
static double share_error(const struct bench_options *o, const struct bench_result *r)
{
	double worst = -1;

	for (uint32_t i = 0; i < o->n_names; i++)
		if (o->names[i].expect >= 0)
			worst = fmax(
				worst, fabs(share_of(r, o->names[i].name) - o->names[i].expect));
	return worst;
}

static void print_json(const struct bench_options *o, const struct bench_result *r, double seconds)
{
	double error = share_error(o, r);

	(void)printf("{\"seconds\":%.3f,\"sent\":%llu,\"answered\":%llu,\"lost\":%llu,"
		     "\"errors\":%llu,\"octets\":%llu,\"rate\":%.0f,\"latency_us\":{",
		seconds, (unsigned long long)r->sent, (unsigned long long)r->answered,
		(unsigned long long)r->lost, (unsigned long long)r->errors,
		(unsigned long long)r->octets, (double)r->answered / seconds);
	for (size_t i = 0; i < SL_COUNT(percentiles); i++)
		(void)printf("\"%s\":%.1f,", percentiles[i].name,
			(double)bench_hist_at(r, percentiles[i].part) / 1e3);
	(void)printf("\"max\":%.1f},\"status\":{", (double)r->max_ns / 1e3);
	for (size_t i = 0, n = 0; i < SL_COUNT(r->status); i++)
		if (r->status[i])
			(void)printf("%s\"%zu%s\":%llu", n++ ? "," : "", i, o->http ? "xx" : "",
				(unsigned long long)r->status[i]);
	(void)printf("},\"shares\":{");
	for (uint32_t i = 0; i < r->n_shares; i++)
		(void)printf("%s\"%s\":%.6f", i ? "," : "", r->shares[i].name,
			share_of(r, r->shares[i].name));
	(void)printf("}");
	if (error >= 0)
		(void)printf(",\"share_error\":%.6f", error);
	(void)printf("}\n");
}

static void print_shares(const struct bench_options *o, const struct bench_result *r)
{
	double error = share_error(o, r);

	for (uint32_t i = 0; i < r->n_shares; i++)
		(void)printf("share      %-32s %.4f\n", r->shares[i].name,
			share_of(r, r->shares[i].name));
	if (r->other)
		(void)printf("share      others %llu answers\n", (unsigned long long)r->other);
	if (error >= 0)
		(void)printf("share error %.4f (largest, absolute)\n", error);
}

void bench_report(const struct bench_options *o, const struct bench_result *r, double seconds)
{
	if (o->json) {
		print_json(o, r, seconds);
		return;
	}
	(void)printf("answered   %llu in %.2f s: %.0f/s\n", (unsigned long long)r->answered,
		seconds, (double)r->answered / seconds);
	(void)printf("lost       %llu of %llu\n", (unsigned long long)r->lost,
		(unsigned long long)r->sent);
	(void)printf("errors     %llu\n", (unsigned long long)r->errors);
	for (size_t i = 0; i < SL_COUNT(r->status); i++)
		if (r->status[i])
			(void)printf("%-10s %zu%s: %llu\n", o->http ? "status" : "rcode", i,
				o->http ? "xx" : "", (unsigned long long)r->status[i]);
	(void)printf("latency   ");
	for (size_t i = 0; i < SL_COUNT(percentiles); i++)
		(void)printf(" %s %.0f", percentiles[i].name,
			(double)bench_hist_at(r, percentiles[i].part) / 1e3);
	(void)printf(" max %.0f us\n", (double)r->max_ns / 1e3);
	print_shares(o, r);
}
