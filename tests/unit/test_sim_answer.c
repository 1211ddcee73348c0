/* SPDX-License-Identifier: Apache-2.0 */
/* Single sessions through answer/: budgets hold to a batch, shares are followed, doors count. */
#include "test.h"

#include "plantworld.h"
#include "sim/plant_viewers.h"
#include "sim/policy_int.h"

#include <math.h>
#include <string.h>

enum { ROUND = 256 }; /* dispatches between two looks at the budgets, by all workers */

static struct scenario_point level[] = {{0, 2000}}, burst[] = {{0, 20}, {30, 20}, {30, 20000}};
static struct scenario_rung ladder[] = {{2000, 1}};
static struct scenario_vendor vendors[] = {
	{.name = "a",
		.max_mbps = 2000,
		.guaranteed_mbps = 1000,
		.weight = 1,
		.quality = {1, 400, 1},
		.meter = {60, 0, 1, 0}},
	{.name = "b",
		.max_mbps = 8000,
		.guaranteed_mbps = 3000,
		.weight = 1,
		.quality = {1, 400, 1},
		.meter = {60, 0, 1, 0}},
};

static struct scenario scenario(struct scenario_doors doors)
{
	struct scenario s = plantworld(vendors, 120);

	s.sessions = true;
	s.f.audience.curve = level;
	s.f.audience.curve_count = SL_COUNT(level);
	s.f.audience.ladder = ladder;
	s.f.audience.doors = doors;
	s.f.audience.refresh_s = 15;
	s.f.scheduler = (struct scenario_scheduler){.session_s = 100,
		.history_s = 60,
		.dns_viewers = 30,
		.headroom = 0.02,
		.guarantee_gain = 1000,
		.guarantee_blend = 0.5,
		.quality_exponent = 8,
		.slices = 32,
		.trickle_ppm = 5000};
	return s;
}

struct run {
	struct scenario s;
	struct plant *plant;
	struct policy *policy;
	struct policy_trace trace;
};

/* The scenario is r->s. */
static void start(struct run *r, enum policy_kind kind)
{
	r->plant = plant_new(&r->s, 1);
	assert_non_null(r->plant);
	r->policy = policy_new(kind, r->plant);
	assert_non_null(r->policy);
}

static void second(struct run *r)
{
	plant_begin(r->plant);
	policy_tick(r->policy);
	policy_doors(r->policy, r->plant, &r->trace);
	plant_end(r->plant);
}

static void stop(struct run *r)
{
	policy_free(r->policy);
	plant_free(r->plant);
}

/* A burst that nobody expected asks for four times the fleet in a second: the shares of the tick
 * before refuse nobody, so what holds are the budgets. */
static void budgets(void **state)
{
	static struct run r;
	const struct policy *p;

	(void)state;
	r.s = scenario((struct scenario_doors){.http = 1});
	r.s.f.audience.curve = burst;
	r.s.f.audience.curve_count = SL_COUNT(burst);
	start(&r, POLICY_SLUICE);
	p = r.policy;
	for (int t = 0; t < 30; t++)
		second(&r);
	assert_true(r.trace.refused == 0);
	second(&r);
	assert_true(p->out.row[0].share[SCORE_NONE] == 0);
	assert_true(r.trace.refused > 20000 * 0.5);
	for (uint32_t v = 0; v < 2; v++) {
		assert_true(p->tally.spent_kbps[v] >= p->out.ceiling[v]);
		assert_true(p->tally.spent_kbps[v] < p->out.ceiling[v] + ROUND * p->kbps);
		assert_true(r.plant->load[v] < vendors[v].max_mbps * 1.05);
	}
	stop(&r);
}

static void ratio(void **state)
{
	static struct run r;
	const struct policy_ratio *ratio;
	double given[2] = {0};

	(void)state;
	r.s = scenario((struct scenario_doors){.http = 1});
	start(&r, POLICY_FIXED);
	for (int t = 0; t < 20; t++) {
		second(&r);
		for (uint32_t v = 0; v < 2; v++)
			given[v] += r.trace.dispatched[0][v];
	}
	assert_true(given[0] + given[1] > 29000);
	assert_true(fabs(given[0] / (given[0] + given[1]) - 0.25) < 1e-4); /* 1000 to 3000 */
	ratio = policy_ratio(r.policy);
	assert_true(ratio->reached[0] && !ratio->reached[1]);
	assert_true(ratio->group_off[0] < 1e-3);
	assert_true(ratio->sequence_off > 0 && ratio->sequence_off <= 1);
	stop(&r);
}

/* A vendor that is drained takes nobody new; who sits there stays, at a door that names cur. */
static void drained(void **state)
{
	static struct run r;
	struct scenario_event drain = {
		.at_s = 10, .until_s = 60, .kind = SCENARIO_DRAIN, .vendor = "b", .groups = "*"};
	double before;

	(void)state;
	r.s = scenario((struct scenario_doors){.http = 1});
	r.s.f.events = &drain;
	r.s.f.events_count = 1;
	start(&r, POLICY_FIXED);
	for (int t = 0; t < 10; t++)
		second(&r);
	before = plant_live(r.plant, 0, 1);
	assert_true(before > 1000);
	for (int t = 0; t < 5; t++) {
		second(&r);
		assert_true(r.trace.dispatched[0][1] == 0 && r.trace.dispatched[0][0] > 0);
		assert_true(r.trace.moved == 0);
	}
	assert_true(plant_live(r.plant, 0, 1) > before * 0.7);
	stop(&r);
}

/* A vendor that has nothing in a region for a while takes nobody new there, and elsewhere goes on.
 */
static void region_without_capacity(void **state)
{
	static struct run r;
	static struct scenario_region south[] = {{"south", "CN/GD", 700, 1500}};
	struct scenario_vendor two[] = {vendors[0], vendors[1]};
	struct scenario_event none = {.at_s = 10,
		.until_s = 20,
		.kind = SCENARIO_MAXIMUM,
		.vendor = "a",
		.region = "south",
		.groups = "*",
		.value = 0};

	(void)state;
	two[0].regions = south;
	two[0].regions_count = 1;
	r.s = scenario((struct scenario_doors){.http = 1});
	r.s.f.vendors = two;
	r.s.f.audience.curve = burst; /* 20 a second */
	r.s.f.audience.curve_count = 1;
	r.s.f.events = &none;
	r.s.f.events_count = 1;
	start(&r, POLICY_SLUICE);
	for (int t = 0; t < 30; t++) {
		double max = t >= 10 && t < 20 ? 0 : 1500;

		second(&r);
		assert_true(r.plant->region_maximum[0] == max);
		assert_true(r.policy->l->region[0].max_mbps == max);
		assert_true((r.policy->out.row[0].share[0] > 0) == (max > 0));
		assert_true(r.policy->out.row[1].share[0] > 0);
		assert_true(r.trace.dispatched[0][0] == 0 || max > 0);
	}
	stop(&r);
}

/* Doors that cannot say new from refresh: the filter does, and a resolver's cache spares asking. */
static void seen(void **state)
{
	static struct run r;
	double fresh, refresh;

	(void)state;
	r.s = scenario((struct scenario_doors){.dialect = 1});
	start(&r, POLICY_FIXED);
	for (int t = 0; t < 60; t++)
		second(&r);
	fresh = r.policy->tally.group[0].fresh + r.policy->tally.group[1].fresh;
	refresh = r.policy->tally.group[0].refresh + r.policy->tally.group[1].refresh;
	assert_true(fabs(fresh / (60 * 2000) - 1) < 0.05); /* each session once */
	assert_true(refresh > 60 * 2000);
	assert_true(r.policy->tally.group[0].sequence_kbps == 0);
	stop(&r);

	r.s = scenario((struct scenario_doors){.dns = 1});
	start(&r, POLICY_FIXED);
	for (int t = 0; t < 60; t++)
		second(&r);
	fresh = r.policy->tally.group[0].fresh + r.policy->tally.group[1].fresh;
	refresh = r.policy->tally.group[0].refresh + r.policy->tally.group[1].refresh;
	/* 8 resolvers, which ask once a TTL of 20 s: the first answer to each is for new sessions,
	 * and so is one to a resolver that was away for long */
	assert_true(fresh >= 8 * 30 && fresh <= 12 * 30);
	assert_true(refresh >= 8 && refresh <= 2 * 8);
	assert_true(plant_live(r.plant, 0, 0) + plant_live(r.plant, 0, 1) > 10000);
	stop(&r);
}

/* The place of a client comes from its address, as at a door. */
static void places(void **state)
{
	static struct run r;

	(void)state;
	r.s = scenario((struct scenario_doors){.http = 1});
	start(&r, POLICY_FIXED);
	second(&r);
	assert_true(r.trace.dispatched[0][1] > r.trace.dispatched[1][1] * 2.5);
	assert_true(r.trace.dispatched[0][1] < r.trace.dispatched[1][1] * 3.5);
	stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(budgets), cmocka_unit_test(ratio),
		cmocka_unit_test(drained), cmocka_unit_test(region_without_capacity),
		cmocka_unit_test(seen), cmocka_unit_test(places)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
