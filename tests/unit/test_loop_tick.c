/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One tick of the control loop after the other: what is counted, metered and reported must show in
 * shares, tables and budgets, and equal input must give equal octets.
 */
#include "test.h"

#include <math.h>

#include "base/err.h"
#include "looprig.h"

static void equal_input_gives_equal_octets(void **state)
{
	struct rig *a = rig_new(), *b = rig_new();

	(void)state;
	for (uint32_t t = 0; t < 200; t++) {
		if (t % 60 == 59) {
			meter_all(a, 4000 + t, 3000, 1000);
			meter_all(b, 4000 + t, 3000, 1000);
		}
		second(a, 20 + t % 7, 3);
		second(b, 20 + t % 7, 3);
		assert_memory_equal(a->row_out, b->row_out, sizeof(a->row_out));
	}
	assert_memory_equal(&a->kept, &b->kept, sizeof(a->kept));
	assert_memory_equal(a->l.seat, b->l.seat, G * sizeof(*a->l.seat));
	assert_memory_equal(a->l.budget_kbps, b->l.budget_kbps, sizeof(a->l.budget_kbps));
	rig_free(a);
	rig_free(b);
}

/* A budget is in kbps as doors count: where a session weighs more than it is counted at, fewer. */
/* Until a meter or a session tells of a load, as much may come as is paid for. */
static void nobody_knows_the_load(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	r->vendor[2].guaranteed_mbps = 0;
	second(r, 0, 0);
	assert_true(fabs(r->l.budget_kbps[0] - 8000e3) < 1);
	assert_true(fabs(r->l.budget_kbps[2] - 9000e3 * 0.98) < 1);
	meter_all(r, 4000, 3000, 1500);
	second(r, 0, 0);
	assert_true(fabs(r->l.budget_kbps[0] - (14000e3 * 0.98 - 4000e3)) < 1e4);
	rig_free(r);
}

static void reported_bitrates_shrink_budgets(void **state)
{
	struct rig *r = rig_new();
	double before;

	(void)state;
	meter_all(r, 4000, 3000, 1500);
	for (uint32_t t = 0; t < 300; t++)
		second(r, 30, 0);
	before = r->l.budget_kbps[0];
	assert_true(before > 0 && before < 14000e3);
	assert_true(loop_factor(&r->l, LOOP_HTTP) == 1);
	r->in.news = true;
	r->in.n_facts = 1;
	r->fact[0] = (struct loop_fact){.sessions = 5000, .mbps = 5000 * 5.2};
	for (uint32_t t = 0; t < 120; t++)
		second(r, 30, 0);
	assert_true(fabs(loop_factor(&r->l, LOOP_HTTP) - 1.3) < 0.03);
	assert_true(r->l.budget_kbps[0] < before * 0.85);
	assert_true(fabs(r->alloc_row[0].demand_mbps - 30 * 4 * loop_factor(&r->l, LOOP_HTTP) / G) <
		    0.5);
	rig_free(r);
}

/* The least that a table is off a share, half the sum. */
static double off(const struct rig *r, uint32_t g)
{
	uint32_t table[SCORE_ROW];
	double sum = 0;

	sticky_shares(&r->l.seat[g].sticky, table);
	for (uint32_t i = 0; i < SCORE_ROW; i++)
		sum += fabs((double)table[i] - r->row_out[g].share_ppm[i]) / 2;
	return sum / SCORE_PPM;
}

static void tables_follow_slowly_but_drains_at_once(void **state)
{
	struct rig *r = rig_new();
	uint32_t table[SCORE_ROW];

	(void)state;
	meter_all(r, 6000, 3000, 1500);
	for (uint32_t t = 0; t < 60; t++)
		second(r, 10, 10);
	assert_true(off(r, 0) < 0.03);
	meter_all(r, 7900, 1000, 1500); /* the shares jump */
	second(r, 10, 10);
	second(r, 10, 10);
	assert_true(off(r, 0) > 0.05);
	for (uint32_t g = 0; g < G; g++)
		r->row[g].block[1] = SCORE_DRAINED;
	second(r, 10, 10);
	sticky_shares(&r->l.seat[0].sticky, table);
	assert_int_equal(table[1], 0);
	for (uint32_t g = 0; g < G; g++)
		for (uint32_t v = 0; v < V; v++)
			r->row[g].block[v] = SCORE_EVACUATED;
	second(r, 10, 10); /* nobody may serve: the table waits for who comes back */
	assert_true(loop_row_barred(&r->l, 0));
	sticky_shares(&r->l.seat[0].sticky, table);
	assert_true(table[0] > 0 && table[SCORE_NONE] == 0);
	rig_free(r);
}

/* A refused load, and rows without room for them. */
static void refuses(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	r->in.n_rows = G + 1;
	assert_int_equal(loop_tick(&r->l, &r->in), SL_ELIMIT);
	r->in.n_rows = G;
	r->vendor[0].max_mbps = -1;
	assert_int_equal(loop_tick(&r->l, &r->in), SL_EINVAL);
	rig_free(r);
}

/* Who began and is not there any more has ended: Little's law. */
static void lengths_are_learned(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	r->in.news = true;
	r->in.n_facts = 1;
	r->fact[0] = (struct loop_fact){
		.minute = {.pulls = 1500, .ok = 1500}, .sessions = 10000, .mbps = 40000};
	for (uint32_t t = 0; t < 1800; t++)
		second(r, 25, 0);
	assert_true(fabs(r->l.length_s - 400) < 5); /* 25 a second, 10000 alive */
	assert_true(r->l.configured_s == 600);
	rig_free(r);
}

/* Ten thousand sessions a second in each group, and vendors that have room for them; the third has
 * its guarantee and would get 0.07 % by its score. */
static struct rig *crowd(void)
{
	struct rig *r = rig_new();

	for (uint32_t v = 0; v < V; v++) {
		r->vendor[v].guaranteed_mbps *= 1e4;
		r->vendor[v].max_mbps *= 1e4;
	}
	meter_all(r, 4e7, 3e7, 3.1e7);
	r->in.news = true;
	for (uint16_t i = 0; i < G * V; i++)
		r->fact[i] = (struct loop_fact){.group = i / V, .vendor = i % V};
	r->in.n_facts = G * V;
	return r;
}

/* So many pulls of a group were reported in the last minute, of two vendors and all good. */
static void reported(struct rig *r, uint32_t g, double pulls)
{
	r->fact[g * V].minute = (struct quality_facts){.pulls = pulls * 0.75, .ok = pulls * 0.75};
	r->fact[g * V + 1].minute =
		(struct quality_facts){.pulls = pulls * 0.25, .ok = pulls * 0.25};
}

/* The smaller of 0.5 % and what gives the wanted samples, 240 reports a minute. */
static void trickle_gives_the_wanted_samples(void **state)
{
	struct rig *r = crowd();

	(void)state;
	reported(r, 0, 180000); /* three in ten report */
	reported(r, 1, 5e6);    /* more than there are sessions: forged */
	reported(r, 2, 9000);   /* too few: the configured share is the smaller one */
	for (uint32_t t = 0; t < 20; t++)
		second(r, 40000, 0);
	assert_int_equal(r->alloc_row[0].trickle_ppm, 1334);
	assert_int_equal(r->alloc_row[1].trickle_ppm, 400);
	assert_int_equal(r->alloc_row[2].trickle_ppm, 26667);
	assert_int_equal(r->alloc_row[3].trickle_ppm, UINT32_MAX); /* nobody reports */
	assert_int_equal(r->row_out[0].share_ppm[2], 1334);
	assert_int_equal(r->row_out[2].share_ppm[2], 5000);
	assert_int_equal(r->row_out[3].share_ppm[2], 5000);
	second(r, 100, 0); /* what ends is given up by and by, and the wanted samples want more */
	assert_int_equal(r->row_out[0].share_ppm[2], 1334);
	for (uint32_t t = 0; t < 60; t++)
		second(r, 0, 0);
	assert_true(r->row_out[1].share_ppm[2] >= 5000); /* none is expected any more */
	rig_free(r);
}

/* Of demand behind tables whole resolvers come or none: it gives no samples to count on. */
static void tables_give_no_samples(void **state)
{
	struct rig *r = crowd();

	(void)state;
	for (uint32_t g = 0; g < G; g++)
		reported(r, g, 180000);
	for (uint32_t t = 0; t < 20; t++)
		second(r, 20000, 20000);
	assert_int_equal(r->alloc_row[0].trickle_ppm, 2667);
	for (uint32_t t = 0; t < 60; t++)
		second(r, 0, 40000);
	assert_true(r->alloc_row[0].trickle_ppm >= 5000);
	rig_free(r);
}

/* A vendor on its way back shows what it can on its whole trickle. */
static void trials_keep_the_whole_trickle(void **state)
{
	struct rig *r = crowd();

	(void)state;
	for (uint32_t g = 0; g < G; g++)
		reported(r, g, 180000);
	second(r, 40000, 0);
	r->cell[0][2].breaker =
		(struct breaker){.state = BREAKER_10, .relapses = 1, .since_ms = r->in.now_ms};
	second(r, 40000, 0);
	assert_true(r->alloc_row[0].withheld_ppm[2] > 0);
	assert_int_equal(r->alloc_row[0].trickle_ppm, UINT32_MAX);
	assert_int_equal(r->row_out[0].share_ppm[2], 5000);
	assert_int_equal(r->alloc_row[1].trickle_ppm, 1334);
	rig_free(r);
}

/* Samples are of a vendor in a group: two services that share a group share its reports. */
static void services_share_the_reports_of_a_group(void **state)
{
	struct rig *r = crowd();
	struct loop_service service[2] = {r->service, r->service};

	(void)state;
	r->in.service = service;
	r->in.n_services = 2;
	r->in.n_groups = 2;
	r->in.n_facts = 2 * V;
	for (uint32_t i = 0; i < G; i++) {
		r->row[i].service = (uint16_t)(i / 2);
		r->row[i].group = (uint16_t)(i % 2);
	}
	reported(r, 0, 180000);
	for (uint32_t t = 0; t < 20; t++)
		second(r, 40000, 0);
	assert_int_equal(r->alloc_row[0].trickle_ppm, 2667);
	assert_int_equal(r->alloc_row[2].trickle_ppm, 2667);
	assert_int_equal(r->alloc_row[1].trickle_ppm, UINT32_MAX);
	rig_free(r);
}

/* What a forecast would be is what it becomes: with a meter that is taken, and when the last one is
 * forgotten after its quarter of an hour. Asking changes nothing. */
static void a_forecast_if_is_the_forecast_then(void **state)
{
	struct rig *r = rig_new();
	struct learn_forecast f, g;
	struct loop_push push;

	(void)state;
	for (uint32_t t = 0; t < 200; t++) {
		if (t % 60 == 0)
			meter_all(r, 4000 + 10 * t, 3000, 1000);
		second(r, 20, 3);
	}
	push = (struct loop_push){9000, r->in.now_ms - 15000, r->in.now_ms};
	f = loop_forecast_if(&r->l, &r->in, 0, &push);
	assert_true(f.meter == 9000 && fabs(f.mbps - r->l.forecast[0].mbps) > 100);
	g = loop_forecast_if(&r->l, &r->in, 0, &push);
	assert_memory_equal(&f, &g, sizeof(f));
	assert_int_equal(loop_push_meter(&r->l, 0, V, push.mbps, push.start_ms, push.end_ms,
				 r->in.now_ms, r->vendor[0].max_mbps),
		METER_OK);
	r->in.now_ms -= 1000; /* the same second again, with nobody in it */
	second(r, 0, 0);
	assert_true(fabs(f.mbps - r->l.forecast[0].mbps) < 1e-6);
	for (uint32_t t = 0; t < 899; t++) /* the last meter is as old as it may get */
		second(r, 20, 3);
	assert_true(r->l.forecast[0].metered);
	f = loop_forecast_if(&r->l, &r->in, 0, NULL);
	assert_false(f.metered);
	second(r, 20, 3);
	second(r, 20, 3);
	assert_false(r->l.forecast[0].metered);
	assert_true(fabs(f.mbps - r->l.forecast[0].mbps) < 30); /* two seconds of sessions */
	assert_true(loop_to_come(&f, true) == loop_to_come(&f, false)); /* nothing is metered */
	rig_free(r);
}

/* Facts of a minute with a window, of two vendors in the first n groups. */
static void tell(struct rig *r, uint16_t n, double ok_of_100)
{
	r->in.news = true;
	r->in.n_facts = 2U * n;
	for (uint16_t i = 0; i < 2 * n; i++) {
		double ok = i % 2 ? 100 : ok_of_100;

		r->fact[i] = (struct loop_fact){.group = i / 2,
			.vendor = i % 2,
			.minute = {.pulls = 1200, .ok = 12 * ok},
			.window = {.pulls = 100, .ok = ok},
			.sessions = 1000,
			.mbps = 4000};
	}
}

/* While breakers are off it is known whom they would bar; once on, after two windows, they do. */
static void whom_breakers_would_bar_they_bar(void **state)
{
	struct rig *r = rig_new();
	uint64_t barred[G];

	(void)state;
	r->in.no_breakers = true;
	tell(r, 1, 97);
	second(r, 10, 0);
	loop_would_bar(&r->l, &r->in, barred);
	assert_int_equal(barred[0], 0);
	tell(r, 1, 60);
	second(r, 10, 0);
	loop_would_bar(&r->l, &r->in, barred);
	assert_int_equal(barred[0], 1);
	assert_int_equal(barred[1], 0);
	second(r, 10, 0);
	assert_int_equal(r->alloc_row[0].block[0], 0);
	assert_int_equal(r->cell[0][0].breaker.n_bad, 0);
	r->in.no_breakers = false;
	for (uint32_t t = 0; t < 7; t++)
		second(r, 10, 0);
	assert_int_equal(r->alloc_row[0].block[0], SCORE_BLACKLISTED);
	assert_int_equal(r->alloc_row[1].block[0], 0);
	rig_free(r);
}

/* A vendor with room for all fails everywhere and the others are full: as much goes as is a third
 * of the audience, and what it has itself is no room for the rest. */
static void room_is_that_of_the_others(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	r->vendor[0].max_mbps = 1e6;
	tell(r, G, 40);
	meter_all(r, 16000, 16000, 9000);
	for (uint32_t t = 0; t < 10; t++)
		second(r, 0, 0);
	for (uint32_t g = 0; g < G; g++) /* with a third group 12000 of 32000 Mbps */
		assert_int_equal(r->cell[g][0].breaker.cause,
			g < 2 ? BREAKER_BY_SUCCESS : BREAKER_HELD_AUDIENCE);
	r->vendor[1].max_mbps = 1e5; /* now another has it */
	second(r, 0, 0);
	assert_int_equal(r->cell[2][0].breaker.state, BREAKER_OPEN);
	rig_free(r);
}

/* What players say is rated while it does not count. */
static void qualities_are_known_while_they_do_not_count(void **state)
{
	struct rig *r = rig_new();
	double q[SL_MAX_SLOTS];

	(void)state;
	r->in.no_quality = true;
	tell(r, 1, 92);
	second(r, 10, 0);
	assert_true(r->alloc_row[0].quality[0] == 1);
	loop_qualities(&r->l, &r->alloc_row[0], q);
	assert_true(q[0] < 0.9 * q[1] && q[1] < 1);
	r->in.no_quality = false;
	second(r, 10, 0);
	assert_true(fabs(r->alloc_row[0].quality[0] - q[0]) < 1e-9);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forecast_if_is_the_forecast_then),
		cmocka_unit_test(whom_breakers_would_bar_they_bar),
		cmocka_unit_test(qualities_are_known_while_they_do_not_count),
		cmocka_unit_test(equal_input_gives_equal_octets),
		cmocka_unit_test(lengths_are_learned),
		cmocka_unit_test(nobody_knows_the_load),
		cmocka_unit_test(refuses),
		cmocka_unit_test(reported_bitrates_shrink_budgets),
		cmocka_unit_test(room_is_that_of_the_others),
		cmocka_unit_test(services_share_the_reports_of_a_group),
		cmocka_unit_test(tables_follow_slowly_but_drains_at_once),
		cmocka_unit_test(tables_give_no_samples),
		cmocka_unit_test(trials_keep_the_whole_trickle),
		cmocka_unit_test(trickle_gives_the_wanted_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
