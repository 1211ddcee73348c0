/* SPDX-License-Identifier: Apache-2.0 */
/* Two groups and two vendors for the simulated world: what a test says of it is what it is about.
 */
#pragma once

#include "sim/plant.h"

/* 100 sessions a second at 1 Mbit/s, of 100 s each, three of four in the first group, by HTTP.
 * vendors: two, the caller's, as long as the scenario lives. */
static inline struct scenario plantworld(struct scenario_vendor *vendors, uint32_t duration_s)
{
	static struct scenario_group groups[] = {{"CN/GD/telecom", 3}, {"CN/BJ/unicom", 1}};
	static struct scenario_point curve[] = {{0, 100}};
	static struct scenario_rung ladder[] = {{1000, 1}};
	struct scenario s = {.f = {.name = "x",
				     .duration_s = duration_s,
				     .vendors = vendors,
				     .vendors_count = 2}};

	s.f.audience = (struct scenario_audience){.groups = groups,
		.groups_count = SL_COUNT(groups),
		.curve = curve,
		.curve_count = SL_COUNT(curve),
		.ladder = ladder,
		.ladder_count = SL_COUNT(ladder),
		.session_s = 100,
		.tail = 3,
		.gain_low = 1,
		.gain_high = 1,
		.doors = {.http = 1},
		.refresh_s = 30,
		.ttl_s = 20,
		.resolvers = 4,
		.reports = 0.5};
	return s;
}

static inline double plantworld_live(const struct plant *p)
{
	double n = 0;

	for (uint32_t g = 0; g < p->n_groups; g++)
		for (uint32_t v = 0; v < p->n_vendors; v++)
			n += plant_live(p, g, v);
	return n;
}
