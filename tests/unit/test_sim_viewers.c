/* SPDX-License-Identifier: Apache-2.0 */
/* Viewers one by one: as many as the fluid has, each accounted for, and how they ask. */
#include "test.h"

#include "plantworld.h"
#include "sim/plant_viewers.h"

#include <math.h>
#include <string.h>

static struct scenario_rung ladder[] = {{2000, 1}, {1000, 3}};
static struct scenario_vendor vendors[] = {
	{.name = "a",
		.max_mbps = 1e6,
		.guaranteed_mbps = 100,
		.quality = {1, 400, 1},
		.meter = {60}},
	{.name = "b",
		.max_mbps = 1e6,
		.guaranteed_mbps = 300,
		.quality = {1, 400, 1},
		.meter = {60}},
};

static struct scenario scenario(uint32_t duration_s)
{
	struct scenario s = plantworld(vendors, duration_s);

	s.sessions = true;
	s.f.audience.ladder = ladder;
	s.f.audience.ladder_count = SL_COUNT(ladder);
	return s;
}

/* What was asked in a second, by how it was asked. */
struct counts {
	uint32_t fresh, refresh, avoiding, all;
};

/* All are told the same. */
static struct counts second(struct plant *p, uint32_t vendor)
{
	struct counts n = {0};
	struct plant_ask ask;

	plant_begin(p);
	while (plant_next_ask(p, &ask)) {
		n.all++;
		n.fresh += ask.cur == SIM_NONE && ask.avoid == SIM_NONE;
		n.refresh += ask.cur != SIM_NONE && ask.avoid == SIM_NONE;
		n.avoiding += ask.avoid != SIM_NONE;
		plant_tell(p, &ask, vendor, 1);
	}
	plant_end(p);
	return n;
}

static void little(void **state)
{
	struct scenario s = scenario(4000);
	struct plant *p = plant_new(&s, 1);
	double mean_kbps, live, refreshes = 0, of_first = 0;

	(void)state;
	assert_non_null(p);
	while (p->now_s < 4000) {
		struct counts n = second(p, 1);

		refreshes += n.refresh;
		assert_in_range(n.fresh, 99, 101);
	}
	live = plantworld_live(p);
	assert_true(live > 9200 && live < 10500); /* 100 a second for 100 s each */
	for (uint32_t v = 0; v < 2; v++)
		of_first += plant_live(p, 0, v);
	assert_true(fabs(of_first / live - 0.75) < 0.03);
	/* each asks every 30 s; the last turn of a session does not come */
	assert_true(refreshes / 4000 < live / 30 && refreshes / 4000 > live / 30 - 100);
	mean_kbps = p->load[1] / live * 1000;
	assert_true(fabs(mean_kbps / scenario_mean_kbps(&s.f.audience) - 1) < 0.15);
	assert_true(p->load[0] == 0);
	plant_free(p);
}

static void first_audience(void **state)
{
	struct scenario s = scenario(100);
	struct plant *p;

	(void)state;
	s.f.audience.seated = 10000;
	p = plant_new(&s, 1);
	assert_non_null(p);
	assert_true(plantworld_live(p) == 10000);
	assert_true(fabs((plant_live(p, 0, 0) + plant_live(p, 1, 0)) / 10000 -
			    scenario_seated_at(&s, 0, p->mean_kbps)) < 0.03);
	(void)second(p, 1);
	assert_true(fabs(plantworld_live(p) - 10100) < 50); /* and a hundred came */
	plant_free(p);
}

static void refused(void **state)
{
	struct scenario s = scenario(60);
	struct plant *p = plant_new(&s, 1);
	uint32_t all = 0;

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < 30; i++)
		all = second(p, SIM_NONE).all;
	assert_true(plantworld_live(p) == 0);
	assert_in_range(all, 150, 250); /* half of them ask again each second: 100 + 50 + ... */
	plant_free(p);
}

/* Pulls that fail ask again at once, naming what failed; sessions of a dead vendor break. */
static void failing(void **state)
{
	struct scenario_event down = {
		.at_s = 20, .until_s = 60, .kind = SCENARIO_DOWN, .vendor = "b", .groups = "*"};
	struct scenario s = scenario(60);
	struct plant *p;
	struct counts n = {0};
	double before;

	(void)state;
	s.f.events = &down;
	s.f.events_count = 1;
	p = plant_new(&s, 1);
	assert_non_null(p);
	for (int i = 0; i < 20; i++)
		n = second(p, 1);
	assert_int_equal(n.avoiding, 0);
	before = plantworld_live(p);
	(void)second(p, 0);
	assert_true(p->pulls[0][1] == 0 && p->ok[0][0] == p->pulls[0][0]);
	n = second(p, 0); /* a fifth of the old ones broke in the second before */
	assert_true(n.avoiding > before * 0.15 && n.avoiding < before * 0.25);
	for (int i = 0; i < 30; i++)
		n = second(p, 0);
	assert_true(n.avoiding < before * 0.01 && plant_live(p, 0, 1) < before * 0.01);
	n = second(p, 1); /* all that come fail there */
	assert_true(p->ok[0][1] == 0 && p->pulls[0][1] > 0);
	plant_free(p);
}

/* Viewers behind resolvers ask once; those of dialects again and again, without saying so at a door
 * that does not ask. */
static void doors(void **state)
{
	static const struct {
		struct scenario_doors doors;
		bool again;
	} rows[] = {{{.http = 1}, true}, {{.dialect = 1}, true}, {{.dns = 1}, false}};

	(void)state;
	for (uint32_t i = 0; i < SL_COUNT(rows); i++) {
		struct scenario s = scenario(80);
		struct plant *p;
		uint32_t again = 0;

		s.f.audience.doors = rows[i].doors;
		p = plant_new(&s, 1);
		assert_non_null(p);
		for (int t = 0; t < 70; t++)
			again += second(p, 0).refresh;
		assert_int_equal(again > 0, rows[i].again);
		plant_free(p);
	}
}

static void addresses(void **state)
{
	struct plant_ask a = {.group = 1, .block = 300, .door = PLANT_DIALECT, .id = 7}, b = a;

	(void)state;
	assert_true(ip_eq(plant_client_ip(&a), plant_client_ip(&b)));
	b.id = 8;
	assert_false(ip_eq(plant_client_ip(&a), plant_client_ip(&b)));
	assert_true(ip_eq(ip_mask(plant_client_ip(&a), 56), ip_mask(plant_client_ip(&b), 56)));
	b.block = 44; /* of the same low octet */
	assert_false(ip_eq(ip_mask(plant_client_ip(&a), 56), ip_mask(plant_client_ip(&b), 56)));
	assert_true(ip_eq(ip_mask(plant_client_ip(&a), 16), plant_group_ip(1)));
	b.door = PLANT_DNS;
	assert_false(ip_eq(plant_resolver_ip(&a), plant_resolver_ip(&b)));
}

static void same_seed(void **state)
{
	struct scenario s = scenario(60);
	struct plant *p[3];

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		p[i] = plant_new(&s, i == 2 ? 2 : 1);
		assert_non_null(p[i]);
		for (int t = 0; t < 50; t++)
			(void)second(p[i], t % 2);
	}
	assert_memory_equal(p[0]->load, p[1]->load, sizeof(p[0]->load));
	assert_true(p[0]->load[0] != p[2]->load[0]);
	for (uint32_t i = 0; i < 3; i++)
		plant_free(p[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(little),
		cmocka_unit_test(first_audience), cmocka_unit_test(refused),
		cmocka_unit_test(failing), cmocka_unit_test(doors), cmocka_unit_test(addresses),
		cmocka_unit_test(same_seed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
