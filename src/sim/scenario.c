/* SPDX-License-Identifier: Apache-2.0 */
/* What a scenario says of a time. */
#include "sim/scenario.h"

#include <math.h>

bool scenario_event_holds(const struct scenario_event *e, double t_s)
{
	if (t_s < e->at_s || t_s >= e->until_s)
		return false;
	return !(e->period_s > 0) || fmod(t_s - e->at_s, 2 * e->period_s) < e->period_s;
}

double scenario_arrivals(const struct scenario_audience *a, double t_s)
{
	const struct scenario_point *p = a->curve;
	uint32_t i = 0;

	while (i < a->curve_count && p[i].at_s <= t_s)
		i++;
	if (i == 0 || i == a->curve_count)
		return i == 0 ? 0 : p[i - 1].per_s;
	return p[i - 1].per_s +
	       (p[i].per_s - p[i - 1].per_s) * (t_s - p[i - 1].at_s) / (p[i].at_s - p[i - 1].at_s);
}

double scenario_mean_kbps(const struct scenario_audience *a)
{
	double sum = 0, part = 0;

	for (uint32_t i = 0; i < a->ladder_count; i++) {
		sum += a->ladder[i].part * a->ladder[i].kbps;
		part += a->ladder[i].part;
	}
	return sum / part;
}

double scenario_seated_at(const struct scenario *s, uint32_t vendor, double kbps)
{
	double all = s->f.audience.seated * kbps / 1000;
	double guaranteed = 0, above = 0, under, over;

	for (uint32_t v = 0; v < s->f.vendors_count; v++) {
		guaranteed += s->f.vendors[v].guaranteed_mbps;
		above += s->f.vendors[v].max_mbps - s->f.vendors[v].guaranteed_mbps;
	}
	if (!(all > 0))
		return 0;
	under = all < guaranteed ? all : guaranteed;
	over = above > 0 ? all - under : 0;
	if (guaranteed > 0)
		under *= s->f.vendors[vendor].guaranteed_mbps / guaranteed;
	if (above > 0)
		over *= (s->f.vendors[vendor].max_mbps - s->f.vendors[vendor].guaranteed_mbps) /
			above;
	return (under + over) / all;
}
