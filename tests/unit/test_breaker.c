/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/breaker.h"

enum { MAX = 6 };

static const struct breaker_params p = BREAKER_PARAMS_DEFAULT;
static struct breaker b[MAX];
static struct breaker_in in[MAX];
static struct breaker_region region;
static struct breaker_event last;
static uint64_t now;
static uint32_t n, events;

static void good(uint32_t i)
{
	in[i].window = (struct quality_facts){100, 99, 99, 400, 500, 5};
}

static int reset(void **state)
{
	(void)state;
	memset(b, 0, sizeof(b));
	memset(in, 0, sizeof(in));
	n = 3;
	now = 1000000;
	region = (struct breaker_region){1e6, 0, 0, 0};
	for (uint32_t i = 0; i < MAX; i++) {
		in[i].usable = true;
		in[i].estimate = (struct quality_estimate){.value = {0.99, 400, 0.99}};
		in[i].audience_mbps = 1000;
		in[i].room_mbps = 1e6;
		good(i);
	}
	return 0;
}

static void ticks(uint32_t count)
{
	while (count--) {
		struct breaker_event ret[SL_MAX_SLOTS];
		uint32_t got;

		now += 1000;
		got = breaker_tick(&p, b, in, n, &region, now, ret);
		assert_true(got <= n);
		if (got)
			last = ret[0];
		events += got;
	}
}

static uint32_t ticks_until_open(uint32_t i, uint32_t most)
{
	for (uint32_t t = 1; t <= most; t++) {
		ticks(1);
		if (b[i].state == BREAKER_OPEN)
			return t;
	}
	return 0;
}

static void trips_on_what_is_bad_and_worse(void **state)
{
	static const struct {
		const char *what;
		struct quality_facts f;
		uint32_t ticks; /* 0: never */
		uint8_t cause;
	} rows[] = {
		{"good", {100, 99, 99, 400, 500, 5}, 0, 0},
		{"half the pulls fail", {100, 50, 50, 400, 500, 5}, 6, BREAKER_BY_SUCCESS},
		{"all fail", {10, 0, 0, 0, 0, 0}, 6, BREAKER_BY_SUCCESS},
		{"too few to say", {9, 0, 0, 0, 0, 0}, 0, 0},
		{"two of ten, not significant", {10, 8, 8, 400, 0, 0}, 0, 0},
		{"first frame of 5 s", {100, 99, 99, 5000, 500, 5}, 6, BREAKER_BY_FIRST_FRAME},
		{"first frame of 1.9 s", {100, 99, 99, 1900, 500, 5}, 0, 0},
		{"a fifth of the users stall", {100, 99, 99, 400, 500, 100}, 1, BREAKER_BY_STALLS},
		{"a fifth, but of 20 users", {100, 99, 99, 400, 20, 4}, 0, 0},
		{"six in a hundred, not significant", {100, 99, 99, 400, 100, 6}, 0, 0},
	};

	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char text[160];

		(void)reset(state);
		ticks(20);
		in[1].window = rows[i].f;
		assert_int_equal(ticks_until_open(1, 60), rows[i].ticks);
		assert_int_equal(b[0].state, BREAKER_CLOSED);
		if (rows[i].ticks)
			assert_int_equal(b[1].cause, rows[i].cause);
		print_message("%s%s%s\n", rows[i].what, rows[i].ticks ? ": " : "",
			rows[i].ticks ? breaker_event_text(&last, text, sizeof(text)) : "");
	}
}

static void one_bad_window_is_not_two(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 5; round++) {
		in[1].window.ok = 20;
		ticks(5); /* all overlap */
		good(1);
		ticks(16);
	}
	assert_int_equal(b[1].state, BREAKER_CLOSED);
}

static void an_outage_for_all_is_nobodys_fault(void **state)
{
	(void)state;
	events = 0;
	for (uint32_t i = 0; i < n; i++)
		in[i].window = (struct quality_facts){100, 30, 30, 4000, 500, 200};
	ticks(120);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(b[i].state, BREAKER_CLOSED);
	assert_int_equal(events, 0);
}

static void comes_back_step_by_step(void **state)
{
	static const uint8_t way[] = {BREAKER_10, BREAKER_25, BREAKER_50, BREAKER_CLOSED};
	static const uint32_t ppm[] = {100000, 250000, 500000, 1000000};
	static const uint32_t after[] = {30, 20, 20, 20};

	(void)state;
	in[1].window.ok = 20;
	assert_int_equal(ticks_until_open(1, 60), 6);
	assert_int_equal(breaker_pass_ppm(b[1].state), 0);
	good(1);
	for (uint32_t k = 0; k < SL_COUNT(way); k++) {
		uint8_t was = b[1].state;

		ticks(after[k] - 1);
		assert_int_equal(b[1].state, was);
		ticks(1);
		assert_int_equal(b[1].state, way[k]);
		assert_int_equal(breaker_pass_ppm(b[1].state), ppm[k]);
	}
}

static void comes_back_though_the_clock_is_set_back(void **state)
{
	(void)state;
	now = 8 * 3600 * 1000;
	in[1].window.ok = 20;
	assert_int_equal(ticks_until_open(1, 60), 6);
	good(1);
	now = 1000000;
	ticks(1 + 30);
	assert_int_equal(b[1].state, BREAKER_10);
	ticks(60);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
}

static void relapses_double_the_hold(void **state)
{
	uint64_t want = 30000;

	(void)state;
	for (uint32_t round = 0; round < 8; round++) {
		in[1].window.ok = 20;
		assert_int_equal(ticks_until_open(1, 60), 6);
		assert_int_equal(b[1].hold_ms, want);
		good(1);
		ticks((uint32_t)(want / 1000) + 1);
		assert_int_equal(b[1].state, BREAKER_10);
		want = want * 2 < 900000 ? want * 2 : 900000;
	}
	good(1);
	ticks(60 + 600);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
	assert_int_equal(b[1].relapses, 0);
}

static void old_stalls_do_not_trip_it_again(void **state)
{
	(void)state;
	in[1].window.stalled = 200;
	assert_int_equal(ticks_until_open(1, 3), 1);
	ticks(31); /* the sliding minute still holds them */
	assert_int_equal(b[1].state, BREAKER_10);
	ticks(25);
	assert_int_equal(b[1].state, BREAKER_25);
	good(1);
	ticks(60);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
}

static void without_traffic_time_alone_brings_it_back(void **state)
{
	(void)state;
	in[1].window.ok = 20;
	(void)ticks_until_open(1, 60);
	in[1].window = (struct quality_facts){0};
	ticks(30 + 3 * 60);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
}

static void guards(void **state)
{
	(void)state;
	n = 1; /* nobody to compare with */
	in[0].window.ok = 0;
	ticks(60);
	assert_int_equal(b[0].state, BREAKER_CLOSED);
	(void)reset(state);
	n = 2; /* the other one is not usable */
	in[1].usable = false;
	in[0].window.ok = 0;
	ticks(60);
	assert_int_equal(b[0].state, BREAKER_CLOSED);
	(void)reset(state);
	n = 2; /* each is worse by another figure: the last usable stays */
	in[0].window.frame_ms = 5000;
	in[1].window.ok = 20;
	ticks(10);
	assert_int_equal(b[0].state, BREAKER_OPEN);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
	assert_int_equal(b[1].cause, BREAKER_HELD_LAST);
	(void)reset(state);
	n = 4; /* two of four may go, a third may not */
	in[0].window.ok = 10;
	in[1].window.ok = 20;
	ticks(10);
	assert_int_equal(b[0].state + b[1].state, 2 * BREAKER_OPEN);
	in[2].window.ok = 20;
	ticks(12);
	assert_int_equal(b[2].state, BREAKER_CLOSED);
	assert_int_equal(b[2].cause, BREAKER_HELD_PANIC);
}

static void rooms(double mine, double of_others)
{
	for (uint32_t i = 0; i < n; i++)
		in[i].room_mbps = i == 1 ? mine : of_others;
}

static void a_third_of_a_region_at_most(void **state)
{
	(void)state;
	region = (struct breaker_region){3000, 500, 1, 0}; /* one group is out already, no room */
	rooms(0, 0);
	in[1].window.ok = 20;
	ticks(30);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
	assert_int_equal(b[1].cause, BREAKER_HELD_AUDIENCE);
	rooms(1e6, 499); /* its own room is none for those who leave it */
	ticks(30);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
	rooms(0, 500);         /* the two others have room for it */
	region.moved_mbps = 1; /* had, before another group took some */
	ticks(1);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
	region.moved_mbps = 0;
	assert_true(ticks_until_open(1, 10) > 0);
	assert_true(region.moved_mbps == 1000 && region.out_mbps == 1500 && region.groups_out == 2);
	(void)reset(state);
	rooms(0, 1000);
	in[2].usable = false; /* a vendor that is drained has none */
	region = (struct breaker_region){3000, 500, 1, 1};
	in[1].window.ok = 20;
	ticks(30);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
	(void)reset(state);
	rooms(0, 0);
	region = (struct breaker_region){1000, 0, 0, 0}; /* one group is always allowed */
	in[1].window.ok = 20;
	assert_true(ticks_until_open(1, 10) > 0);
}

/* The guard is of the vendor's own region where it has one, whatever the rest does. */
static void of_its_own_region(void **state)
{
	struct breaker_region own = {3000, 500, 1, 0};

	(void)state;
	rooms(0, 0);
	in[1].region = &own;
	in[1].window.ok = 20;
	ticks(30);
	assert_int_equal(b[1].state, BREAKER_CLOSED);
	assert_int_equal(b[1].cause, BREAKER_HELD_AUDIENCE);
	own = (struct breaker_region){30000, 500, 1, 0};
	region = (struct breaker_region){3000, 500, 1, 0};
	assert_true(ticks_until_open(1, 10) > 0);
	assert_true(own.out_mbps == 1500 && own.groups_out == 2 && region.out_mbps == 500);
}

static void the_worst_goes_first(void **state)
{
	for (uint32_t worse = 0; worse < 2; worse++) {
		(void)reset(state);
		in[0].window.ok = worse ? 40 : 20;
		in[1].window.ok = worse ? 20 : 40;
		ticks(6);
		assert_int_equal(b[worse].state, BREAKER_OPEN);
		assert_int_equal(
			b[!worse].state, BREAKER_CLOSED); /* one of three would be healthy */
	}
}

static void ticks_of_100_ms(void **state)
{
	struct breaker_event ret[SL_MAX_SLOTS];
	uint32_t t = 0;

	(void)state;
	in[1].window.ok = 20;
	for (; b[1].state != BREAKER_OPEN && t < 200; t++) {
		now += 100;
		(void)breaker_tick(&p, b, in, n, &region, now, ret);
	}
	assert_true(t >= 50 && t <= 60);
}

static void texts(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < BREAKER_CAUSES; i++)
		assert_true(strlen(breaker_cause_text(i)) > 3);
	assert_string_equal(breaker_cause_text(BREAKER_CAUSES), "?");
	assert_string_equal(breaker_state_text(BREAKER_STATES), "?");
	assert_int_equal(breaker_pass_ppm(BREAKER_STATES), SCORE_PPM);
}

/* What is no suspect is not compared with the others: the bounds are those of the verdicts. */
static void suspects_are_those_who_could_be_guilty(void **state)
{
	static const struct {
		const char *what;
		struct quality_facts window;
		bool suspect;
	} rows[] = {
		{"nothing seen", {0}, false},
		{"too few pulls", {9, 0, 0, 0, 0, 0}, false},
		{"success at the bound", {10, 9, 0, 0, 0, 0}, false},
		{"success below", {100, 89, 0, 0, 0, 0}, true},
		{"no number", {100, (double)NAN, 0, 0, 0, 0}, true},
		{"first frame at the bound", {10, 10, 10, 2000, 0, 0}, false},
		{"first frame above", {10, 10, 10, 2001, 0, 0}, true},
		{"of too few", {9, 9, 9, 9000, 0, 0}, false},
		{"stalls at the bound", {0, 0, 0, 0, 100, 5}, false},
		{"stalls above", {0, 0, 0, 0, 100, 6}, true},
		{"of too few users", {0, 0, 0, 0, 29, 29}, false},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		print_message("%s\n", rows[i].what);
		assert_int_equal(breaker_suspects(&p, &rows[i].window), rows[i].suspect);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(trips_on_what_is_bad_and_worse, reset),
		cmocka_unit_test_setup(one_bad_window_is_not_two, reset),
		cmocka_unit_test_setup(an_outage_for_all_is_nobodys_fault, reset),
		cmocka_unit_test_setup(comes_back_step_by_step, reset),
		cmocka_unit_test_setup(comes_back_though_the_clock_is_set_back, reset),
		cmocka_unit_test_setup(relapses_double_the_hold, reset),
		cmocka_unit_test_setup(old_stalls_do_not_trip_it_again, reset),
		cmocka_unit_test_setup(without_traffic_time_alone_brings_it_back, reset),
		cmocka_unit_test_setup(guards, reset),
		cmocka_unit_test_setup(a_third_of_a_region_at_most, reset),
		cmocka_unit_test_setup(of_its_own_region, reset),
		cmocka_unit_test_setup(the_worst_goes_first, reset),
		cmocka_unit_test_setup(ticks_of_100_ms, reset),
		cmocka_unit_test_setup(texts, reset),
		cmocka_unit_test_setup(suspects_are_those_who_could_be_guilty, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
