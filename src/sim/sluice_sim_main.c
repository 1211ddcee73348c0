/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-sim: policies on a simulated audience, in virtual time. */
#include "base/os.h"
#include "sim/replay.h"
#include "sim/report.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: sluice-sim [OPTION]... SCENARIO.yaml...\n"
	"       sluice-sim --replay [--whatif KEY=VALUE]... [--json] RECORD...\n"
	"  --seeds N       seeds to run (the scenario's)\n"
	"  --seed S        the first seed (1)\n"
	"  --policy NAME   only this policy; may be repeated\n"
	"  --sessions      every viewer asks by itself and is answered as by the daemon's doors\n"
	"  --json          one line of JSON per scenario instead of a table\n"
	"  --plot FILE     a picture of the first policy over the first seed (PNG, by gnuplot)\n"
	"  --trace FILE    the same run as a table of columns, a row per second\n"
	"  --replay        a daemon's record (docs/record.md): the same code must give the same\n"
	"  --whatif K=V    the record with this changed, beside it; may be repeated\n"
	"  --timing        what each run took, in the table\n"
	"  --quiet         no progress bar\n"
	"  --keys          the keys of a scenario file, then exit\n"
	"  --help, --version\n";

enum {
	OPT_SEEDS = 256,
	OPT_SEED,
	OPT_POLICY,
	OPT_SESSIONS,
	OPT_JSON,
	OPT_PLOT,
	OPT_TRACE,
	OPT_REPLAY,
	OPT_WHATIF,
	OPT_TIMING,
	OPT_QUIET,
	OPT_KEYS,
	OPT_HELP,
	OPT_VERSION
};

static const struct option options[] = {{"seeds", required_argument, NULL, OPT_SEEDS},
	{"seed", required_argument, NULL, OPT_SEED},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"sessions", no_argument, NULL, OPT_SESSIONS}, {"json", no_argument, NULL, OPT_JSON},
	{"plot", required_argument, NULL, OPT_PLOT}, {"trace", required_argument, NULL, OPT_TRACE},
	{"replay", no_argument, NULL, OPT_REPLAY}, {"whatif", required_argument, NULL, OPT_WHATIF},
	{"timing", no_argument, NULL, OPT_TIMING}, {"quiet", no_argument, NULL, OPT_QUIET},
	{"keys", no_argument, NULL, OPT_KEYS}, {"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION}, {NULL, 0, NULL, 0}};

#define POLICIES "sluice, optimum, fixed, current, least"

enum { MAX_SEEDS = 1000, MAX_SEED = 1000000000 };

struct asked {
	uint32_t seeds, seed, n_policies;
	char *policies[POLICY_KINDS];
	const char *plot, *trace;
	struct replay_changes changes;
	bool sessions, json, timing, quiet, replay;
};

static bool number(const char *text, unsigned long max, uint32_t *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < 1 || n > max)
		return false;
	*ret = (uint32_t)n;
	return true;
}

static bool add_policy(struct asked *a, char *name)
{
	if (policy_find(name) == POLICY_KINDS)
		return false;
	for (uint32_t i = 0; i < a->n_policies; i++)
		if (strcmp(a->policies[i], name) == 0)
			return true;
	a->policies[a->n_policies++] = name;
	return true;
}

/* Says what is wrong with an option's value; returns 3. */
static int wrong(const char *option, const char *text, const char *want)
{
	(void)fprintf(stderr, "sluice-sim: --%s: got \"%s\", want %s\n", option, text, want);
	return 3;
}

/* 0 go on, 1 done, 2 wrong usage, 3 the same and said. */
static int take(struct asked *a, int option, char *text)
{
	switch (option) {
	case OPT_SEEDS:
		return number(text, MAX_SEEDS, &a->seeds)
			       ? 0
			       : wrong("seeds", text, "a whole number from 1 to 1000");
	case OPT_SEED:
		return number(text, MAX_SEED, &a->seed)
			       ? 0
			       : wrong("seed", text, "a whole number from 1 to 1000000000");
	case OPT_POLICY:
		return add_policy(a, text) ? 0 : wrong("policy", text, "one of " POLICIES);
	case OPT_SESSIONS:
		a->sessions = true;
		return 0;
	case OPT_JSON:
		a->json = true;
		return 0;
	case OPT_PLOT:
		a->plot = text;
		return 0;
	case OPT_TRACE:
		a->trace = text;
		return 0;
	case OPT_REPLAY:
		a->replay = true;
		return 0;
	case OPT_WHATIF:
		if (a->changes.n == REPLAY_MAX_CHANGES)
			return wrong("whatif", text, "no more than 32 of them");
		a->changes.text[a->changes.n++] = text;
		a->replay = true;
		return 0;
	case OPT_TIMING:
		a->timing = true;
		return 0;
	case OPT_QUIET:
		a->quiet = true;
		return 0;
	case OPT_KEYS:
		scenario_print_keys();
		return 1;
	case OPT_HELP:
		(void)fputs(usage, stdout);
		return 1;
	case OPT_VERSION:
		puts("sluice-sim " PACKAGE_VERSION);
		return 1;
	default:
		return 2;
	}
}

static int write_trace(
	const struct asked *a, const struct scenario *s, enum policy_kind kind, struct errbuf *err)
{
	FILE *to = fopen(a->trace, "we");
	struct report_run run;
	int rc;

	if (!to)
		return err_set_errno(err, "%s", a->trace);
	rc = report_run(s, kind, a->seed, to, &run);
	if (fclose(to) != 0 && rc == 0)
		rc = err_set_errno(err, "%s", a->trace);
	return rc;
}

static int check_policies(const struct scenario *s, struct errbuf *err)
{
	for (uint32_t i = 0; i < s->f.policies_count; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "policies[%u]", i);
		if (policy_find(s->f.policies[i]) == POLICY_KINDS)
			return scenario_refuse(s, err, path,
				"unknown, got \"%s\", want one of " POLICIES, s->f.policies[i]);
	}
	return 0;
}

static int one(struct asked *a, const char *path, struct errbuf *err)
{
	struct scenario *s;
	struct report r;
	int rc = scenario_load(path, &s, err);
	enum policy_kind first;

	if (rc)
		return rc;
	s->sessions = a->sessions;
	if (a->n_policies) {
		s->f.policies = a->policies;
		s->f.policies_count = a->n_policies;
	}
	rc = check_policies(s, err);
	first = rc == 0 && s->f.policies_count ? policy_find(s->f.policies[0]) : POLICY_SLUICE;
	if (rc == 0 && a->plot)
		rc = report_plot(s, first, a->seed, a->plot, err);
	if (rc == 0 && a->trace)
		rc = write_trace(a, s, first, err);
	if (rc == 0 && !a->plot && !a->trace) {
		rc = report_make(s, a->seed, a->seeds ? a->seeds : s->f.seeds,
			!a->quiet && isatty(STDERR_FILENO), &r);
		if (rc)
			(void)err_set(err, rc, "%s: %s", path, sl_strerror(rc));
		else if (a->json)
			report_json(&r, stdout);
		else
			report_table(&r, stdout, a->timing);
		if (rc == 0)
			report_done(&r);
	}
	scenario_free(s);
	return rc;
}

int main(int argc, char **argv)
{
	struct asked a = {.seed = 1};
	struct errbuf err = {""};
	int option, rc = 0;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		rc = take(&a, option, optarg);
		if (rc == 2)
			(void)fputs(usage, stderr);
		if (rc)
			return rc == 1 ? 0 : 2;
	}
	if (optind == argc) {
		(void)fputs(usage, stderr);
		return 2;
	}
	for (int i = optind; i < argc; i++) {
		if (a.replay ? replay_run(argv[i], &a.changes, a.json, stdout, &err)
			     : one(&a, argv[i], &err)) {
			fprintf(stderr, "sluice-sim: %s\n", err.s);
			return 1;
		}
	}
	return 0;
}
