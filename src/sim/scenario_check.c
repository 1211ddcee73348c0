/* SPDX-License-Identifier: Apache-2.0 */
/* What of a scenario no row says alone: figures that contradict each other, names given twice,
 * patterns that mean nobody. What would be without any effect is a mistake. */
#include "base/glob.h"
#include "conf/lines.h"
#include "sim/scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int scenario_refuse(
	const struct scenario *s, struct errbuf *err, const char *path, const char *fmt, ...)
{
	char text[SL_ERRBUF_SIZE];
	unsigned depth;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, SL_EFORMAT, "%s:%u: %s: %s", s->lines->file,
		conf_lines_find_path(s->lines, path, &depth), path, text);
}

static bool means_a_group(const struct scenario *s, const char *pattern)
{
	const struct scenario_audience *a = &s->f.audience;

	for (uint32_t g = 0; g < a->groups_count; g++)
		if (glob_group_match(str_from(pattern), str_from(a->groups[g].name)))
			return true;
	return false;
}

static bool means_a_vendor(const struct scenario *s, const char *pattern)
{
	for (uint32_t v = 0; v < s->f.vendors_count; v++)
		if (glob_match(str_from(pattern), str_from(s->f.vendors[v].name), false))
			return true;
	return false;
}

static int check_regions(const struct scenario *s, uint32_t vendor, struct errbuf *err)
{
	const struct scenario_vendor *v = &s->f.vendors[vendor];
	char path[64];

	for (uint32_t i = 0; i < v->regions_count; i++) {
		const struct scenario_region *r = &v->regions[i];

		(void)snprintf(
			path, sizeof(path), "vendors[%u].regions[%u].guaranteed_mbps", vendor, i);
		if (r->guaranteed_mbps > r->max_mbps)
			return scenario_refuse(s, err, path, "above the maximum of the region");
		(void)snprintf(path, sizeof(path), "vendors[%u].regions[%u].groups", vendor, i);
		if (!means_a_group(s, r->groups))
			return scenario_refuse(
				s, err, path, "no group of the audience, got \"%s\"", r->groups);
		(void)snprintf(path, sizeof(path), "vendors[%u].regions[%u].name", vendor, i);
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(v->regions[k].name, r->name) == 0)
				return scenario_refuse(
					s, err, path, "given twice, got \"%s\"", r->name);
	}
	return 0;
}

static int check_vendors(const struct scenario *s, struct errbuf *err)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < s->f.vendors_count; i++) {
		const struct scenario_vendor *v = &s->f.vendors[i];
		char path[64];

		(void)snprintf(path, sizeof(path), "vendors[%u].guaranteed_mbps", i);
		if (v->guaranteed_mbps > v->max_mbps)
			return scenario_refuse(s, err, path,
				"above the maximum, got %g, want at most %g", v->guaranteed_mbps,
				v->max_mbps);
		(void)snprintf(path, sizeof(path), "vendors[%u].name", i);
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(s->f.vendors[k].name, v->name) == 0)
				return scenario_refuse(
					s, err, path, "given twice, got \"%s\"", v->name);
		rc = check_regions(s, i, err);
	}
	return rc;
}

static int check_groups(const struct scenario *s, struct errbuf *err)
{
	const struct scenario_audience *a = &s->f.audience;
	double size = 0;

	for (uint32_t i = 0; i < a->groups_count; i++) {
		char path[64];

		size += a->groups[i].size;
		(void)snprintf(path, sizeof(path), "audience.groups[%u].name", i);
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(a->groups[k].name, a->groups[i].name) == 0)
				return scenario_refuse(
					s, err, path, "given twice, got \"%s\"", a->groups[i].name);
	}
	return size > 0 ? 0 : scenario_refuse(s, err, "audience.groups", "all sizes are 0");
}

static int check_audience(const struct scenario *s, struct errbuf *err)
{
	const struct scenario_audience *a = &s->f.audience;
	double part = 0;
	int rc = check_groups(s, err);

	if (rc)
		return rc;
	for (uint32_t i = 0; i < a->ladder_count; i++)
		part += a->ladder[i].part;
	for (uint32_t i = 1; i < a->curve_count; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "audience.curve[%u].at_s", i);
		if (a->curve[i].at_s < a->curve[i - 1].at_s)
			return scenario_refuse(s, err, path,
				"before the point above it, got %g, want %g or more",
				a->curve[i].at_s, a->curve[i - 1].at_s);
	}
	if (!(part > 0))
		return scenario_refuse(s, err, "audience.ladder", "all parts are 0");
	if (a->gain_low > a->gain_high)
		return scenario_refuse(s, err, "audience.gain_low", "above gain_high");
	if (!(a->doors.http + a->doors.dialect + a->doors.dns > 0))
		return scenario_refuse(s, err, "audience.doors", "all parts are 0");
	return 0;
}

/* Whether a vendor that the event is of has such a region. */
static bool means_a_region(const struct scenario *s, const struct scenario_event *e)
{
	for (uint32_t v = 0; v < s->f.vendors_count; v++) {
		const struct scenario_vendor *of = &s->f.vendors[v];

		if (!glob_match(str_from(e->vendor), str_from(of->name), false))
			continue;
		for (uint32_t i = 0; i < of->regions_count; i++)
			if (glob_match(str_from(e->region), str_from(of->regions[i].name), false))
				return true;
	}
	return false;
}

static int check_region(
	const struct scenario *s, const struct scenario_event *e, uint32_t i, struct errbuf *err)
{
	static const uint32_t of_regions = 1u << SCENARIO_GUARANTEED | 1u << SCENARIO_MAXIMUM;
	char path[64];

	if (!e->region) /* the total */
		return 0;
	(void)snprintf(path, sizeof(path), "events[%u].region", i);
	if (!(of_regions >> e->kind & 1))
		return scenario_refuse(s, err, path,
			"this kind is of no region, got \"%s\", want none", e->region);
	if (!means_a_region(s, e))
		return scenario_refuse(
			s, err, path, "no region of such a vendor, got \"%s\"", e->region);
	return 0;
}

/* A pattern that its kind does not look at would mean more than it says. */
static int check_reach(
	const struct scenario *s, const struct scenario_event *e, uint32_t i, struct errbuf *err)
{
	static const uint32_t in_groups = 1u << SCENARIO_DOWN | 1u << SCENARIO_STALL |
					  1u << SCENARIO_QUALITY | 1u << SCENARIO_SLOW |
					  1u << SCENARIO_DEMAND | 1u << SCENARIO_FORGED |
					  1u << SCENARIO_FORGED_PLAUSIBLE;
	static const uint32_t of_nobody = 1u << SCENARIO_DEMAND | 1u << SCENARIO_RESTART;
	char path[64];

	(void)snprintf(path, sizeof(path), "events[%u].vendor", i);
	if (of_nobody >> e->kind & 1 && strcmp(e->vendor, "*") != 0)
		return scenario_refuse(
			s, err, path, "this kind is of no vendor, got \"%s\", want *", e->vendor);
	if (!means_a_vendor(s, e->vendor))
		return scenario_refuse(s, err, path, "no vendor, got \"%s\"", e->vendor);
	(void)snprintf(path, sizeof(path), "events[%u].groups", i);
	if (!(in_groups >> e->kind & 1) && strcmp(e->groups, "*") != 0)
		return scenario_refuse(
			s, err, path, "this kind is of all groups, got \"%s\", want *", e->groups);
	if (!means_a_group(s, e->groups))
		return scenario_refuse(
			s, err, path, "no group of the audience, got \"%s\"", e->groups);
	return 0;
}

static int check_event(
	const struct scenario *s, const struct scenario_event *e, uint32_t i, struct errbuf *err)
{
#define X(id, word, max, doc) max,
	static const double most[] = {SCENARIO_KIND_MAP(X)};
#undef X
	char path[64];

	(void)snprintf(path, sizeof(path), "events[%u].until_s", i);
	if (e->until_s <= e->at_s)
		return scenario_refuse(s, err, path, "ends before it begins, got %g, want over %g",
			e->until_s, e->at_s);
	(void)snprintf(path, sizeof(path), "events[%u].at_s", i);
	if (e->at_s >= s->f.duration_s)
		return scenario_refuse(s, err, path,
			"begins after the scenario's end, got %g, want under %u", e->at_s,
			s->f.duration_s);
	(void)snprintf(path, sizeof(path), "events[%u].value", i);
	if (e->value > most[e->kind])
		return scenario_refuse(s, err, path,
			"out of range for its kind, got %g, want at "
			"most %g",
			e->value, most[e->kind]);
	if (check_region(s, e, i, err))
		return SL_EFORMAT;
	return check_reach(s, e, i, err);
}

static int check_times(const struct scenario *s, struct errbuf *err)
{
	const struct scenario_span *steady = &s->f.steady;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < s->f.events_count; i++)
		rc = check_event(s, &s->f.events[i], i, err);
	if (rc)
		return rc;
	if (steady->to_s < steady->from_s)
		return scenario_refuse(s, err, "steady.to_s", "before from_s");
	if (steady->to_s > s->f.duration_s)
		return scenario_refuse(s, err, "steady.to_s",
			"after the scenario's end, got %g, want at most %u", steady->to_s,
			s->f.duration_s);
	return 0;
}

int scenario_check(const struct scenario *s, struct errbuf *err)
{
	int rc = check_vendors(s, err);

	if (rc == 0)
		rc = check_audience(s, err);
	return rc ? rc : check_times(s, err);
}
