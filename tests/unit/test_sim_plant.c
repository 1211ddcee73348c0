/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated world: sessions are conserved, live as long as they should, meters are means. */
#include "test.h"

#include "plantworld.h"

#include <math.h>
#include <string.h>

static struct scenario_vendor vendors[] = {
	{.name = "a",
		.max_mbps = 1e6,
		.guaranteed_mbps = 100,
		.weight = 1,
		.quality = {1, 400, 1},
		.meter = {60, 30, 1, 0}},
	{.name = "b",
		.max_mbps = 1e6,
		.guaranteed_mbps = 300,
		.weight = 1,
		.quality = {1, 400, 1},
		.meter = {60, 30, 0.5, 0}},
};

static struct scenario scenario(uint32_t duration_s)
{
	return plantworld(vendors, duration_s);
}

static void second(struct plant *p)
{
	plant_begin(p);
	for (uint32_t g = 0; g < p->n_groups; g++)
		plant_seat(p, PLANT_HTTP, g, g, p->fresh[g][PLANT_HTTP], 1);
	plant_end(p);
}

static void little(void **state)
{
	struct scenario s = scenario(4000);
	struct plant *p = plant_new(&s, 1);

	(void)state;
	assert_non_null(p);
	while (p->now_s < 4000)
		second(p);
	/* Little's law: 100 a second for 100 s each; the tail has not come in whole */
	assert_true(fabs(plantworld_live(p) / 10000 - 1) < 0.05);
	plant_free(p);
}

static void meters(void **state)
{
	struct scenario s = scenario(400);
	struct plant *p = plant_new(&s, 1);
	uint32_t seen = 0;

	(void)state;
	while (p->now_s < 400) {
		second(p);
		for (uint32_t i = 0; p->now_s > 1 && i < p->n_meters; i++) {
			const struct plant_meter *m = &p->meter[i];
			uint32_t end = (uint32_t)((m->end_ms - PLANT_EPOCH_MS) / 1000);
			const double *at = p->sum + (size_t)end * 2 + m->vendor;
			double mean = (at[0] - at[-120]) / 60;

			assert_int_equal(m->end_ms - m->start_ms, 60000);
			assert_int_equal(end + 30, p->now_s);
			assert_true(fabs(m->mbps - mean * (m->vendor ? 0.5 : 1)) < 1e-6);
			seen++;
		}
	}
	assert_true(seen >= 8);
	plant_free(p);
}

static void fault(void **state)
{
	struct scenario_event down = {.at_s = 50,
		.until_s = 1e6,
		.kind = SCENARIO_DOWN,
		.vendor = "a",
		.groups = "CN/GD",
		.value = 0};
	struct scenario s = scenario(200);
	struct plant *p;

	(void)state;
	s.f.events = &down;
	s.f.events_count = 1;
	p = plant_new(&s, 1);
	while (p->now_s < 50)
		second(p);
	assert_true(p->retry[0][0] == 0);
	second(p);
	second(p);
	assert_true(p->retry[0][0] > 0);
	assert_true(plant_faulty(p, 0, 0));
	assert_false(plant_faulty(p, 1, 1));
	assert_true(p->facts[0][0].ok == 0 && p->facts[0][0].pulls > 0);
	plant_free(p);
}

/* Each figure for as long as its event, in the regions of that name, and the total as it is. */
static void capacity_by_region_and_time(void **state)
{
	static struct scenario_region regions[] = {
		{"south", "CN/GD", 50, 80}, {"north", "CN/BJ", 40, 90}};
	struct scenario_event events[] = {{.at_s = 10,
						  .until_s = 30,
						  .kind = SCENARIO_MAXIMUM,
						  .vendor = "*",
						  .region = "s*",
						  .groups = "*",
						  .value = 30},
		{.at_s = 20,
			.until_s = 30,
			.kind = SCENARIO_GUARANTEED,
			.vendor = "b",
			.region = "north",
			.groups = "*",
			.value = 60}};
	struct scenario_vendor two[] = {vendors[0], vendors[1]};
	struct scenario s = plantworld(two, 60);
	struct plant *p;

	(void)state;
	two[0].regions = two[1].regions = regions;
	two[0].regions_count = 1;
	two[1].regions_count = 2;
	s.f.events = events;
	s.f.events_count = SL_COUNT(events);
	p = plant_new(&s, 1);
	assert_non_null(p);
	while (p->now_s < 40) {
		static const double maximum[] = {80, 80, 90}, guaranteed[] = {50, 50, 40};
		bool less = p->now_s >= 10 && p->now_s < 30, more = p->now_s >= 20 && less;

		second(p);
		for (uint32_t r = 0; r < 3; r++) {
			bool south = r < 2;

			assert_true(p->region_maximum[r] == (less && south ? 30 : maximum[r]));
			assert_true(p->region_guaranteed[r] == (less && south ? 30
								       : more && r == 2
									       ? 60
									       : guaranteed[r]));
		}
		assert_true(p->maximum[0] == 1e6 && p->guaranteed[1] == 300);
	}
	plant_free(p);
}

static void same_seed(void **state)
{
	struct scenario s = scenario(100);
	struct plant *a = plant_new(&s, 7), *b = plant_new(&s, 7), *c = plant_new(&s, 8);

	(void)state;
	while (a->now_s < 100) {
		second(a);
		second(b);
		second(c);
	}
	assert_memory_equal(a->facts, b->facts, sizeof(a->facts));
	assert_memory_not_equal(a->facts, c->facts, sizeof(a->facts));
	plant_free(a);
	plant_free(b);
	plant_free(c);
}

/* Of so few pulls a second that most seconds have none that fails. */
static void few_fail_as_often_as_many(void **state)
{
	struct scenario_vendor two[] = {vendors[0], vendors[1]};
	struct scenario s = plantworld(two, 8000);
	double pulls = 0, failed = 0;
	struct plant *p;

	(void)state;
	two[0].quality.success = 0.99;
	s.f.audience.reports = 0.02;
	p = plant_new(&s, 1);
	while (p->now_s < 8000) {
		second(p);
		pulls += p->facts[0][0].pulls;
		failed += p->facts[0][0].pulls - p->facts[0][0].ok;
	}
	assert_true(fabs(pulls / (8000 * 75 * 0.02) - 1) < 0.05);
	assert_true(fabs(failed / pulls - 0.01) < 4 * sqrt(0.01 / pulls));
	plant_free(p);
}

/* A tenth of 3750 users, of whom a sixtieth comes and goes in a second; what breaks out takes its
 * minute to be all there. */
static void a_minute_of_stalls_slides(void **state)
{
	struct scenario_event stall = {.at_s = 3000,
		.until_s = 1e6,
		.kind = SCENARIO_STALL,
		.vendor = "a",
		.groups = "*",
		.value = 0.4};
	struct scenario_vendor two[] = {vendors[0], vendors[1]};
	struct scenario s = plantworld(two, 3070);
	double mean = 0, steps = 0, last = 0;
	struct plant *p;

	(void)state;
	two[0].quality.zero_stall = 0.9;
	s.f.events = &stall;
	s.f.events_count = 1;
	p = plant_new(&s, 1);
	while (p->now_s < 3000) {
		double part;

		second(p);
		part = p->facts[0][0].stalled / p->facts[0][0].users;
		if (p->now_s > 1000) {
			mean += part / 2000;
			steps += (part - last) * (part - last) / 2000;
		}
		last = part;
	}
	assert_true(fabs(mean - 0.1) < 0.002);
	/* its variance is 0.09 / 3750; of a minute drawn anew each second, a step has twice that */
	assert_true(steps > 0 && steps < 0.09 / 3750 / 10);
	for (uint32_t i = 0; i < 30; i++)
		second(p);
	assert_true(fabs(p->facts[0][0].stalled / p->facts[0][0].users - 0.25) < 0.03);
	for (uint32_t i = 0; i < 30; i++)
		second(p);
	assert_true(fabs(p->facts[0][0].stalled / p->facts[0][0].users - 0.4) < 0.03);
	plant_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(little),
		cmocka_unit_test(meters),
		cmocka_unit_test(fault),
		cmocka_unit_test(capacity_by_region_and_time),
		cmocka_unit_test(few_fail_as_often_as_many),
		cmocka_unit_test(a_minute_of_stalls_slides),
		cmocka_unit_test(same_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
