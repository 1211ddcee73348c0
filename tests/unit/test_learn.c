/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "scoring/learn.h"
#include "scoring/score.h"

enum { DOORS = 2, STRIDE = 2, START = 1000000000, MINUTE = 60000 };

/* A plant of one vendor: sessions of lengths and bitrates of its own, others' load, a meter of
 * one-minute means that comes a minute late. */
struct plant {
	double live[DOORS]; /* Mbps on the vendor now, by door */
	double others, gain[DOORS], length_s;
	double sum, window_sum;
	uint64_t now_ms, window_ms;
	double due_mbps; /* the meter on its way */
	uint64_t due_start, due_end, due_at;
	bool meter_off;
};

struct scheduler {
	struct ledger *ledger, *fast;
	struct learn_doors doors;
	struct learn_cell cell;
	struct meter meter;
	struct learn_view view;
};

static struct plant p;
static struct scheduler s;
static const struct meter_limits lim = METER_LIMITS_DEFAULT;

static int reset(void **state)
{
	static _Alignas(16) unsigned char a[1 << 18], b[1 << 18];

	(void)state;
	p = (struct plant){.gain = {1, 1}, .length_s = 600, .now_ms = START, .window_ms = START};
	memset(&s, 0, sizeof(s));
	s.ledger = ledger_init(a, sizeof(a), DOORS * STRIDE, START);
	s.fast = ledger_init(b, sizeof(b), STRIDE, START);
	s.view = (struct learn_view){s.ledger, NULL, 0, STRIDE, DOORS, 100000};
	return 0;
}

static double on_vendor(void)
{
	return p.live[0] + p.live[1] + p.others;
}

static void deliver(void)
{
	if (p.due_at && p.now_ms >= p.due_at && !p.meter_off) {
		if (meter_verdict_taken(meter_push(&s.meter, &lim, p.due_mbps, p.due_start,
			    p.due_end, p.now_ms, s.view.max_mbps)))
			learn_meter(&s.doors, &s.cell, &s.view, &s.meter);
		p.due_at = 0;
	}
	if (p.now_ms >= p.window_ms + MINUTE) {
		p.due_mbps = p.window_sum / 60;
		p.due_start = p.window_ms;
		p.due_end = p.window_ms + MINUTE;
		p.due_at = p.due_end + MINUTE - 1000;
		p.window_ms += MINUTE;
		p.window_sum = 0;
	}
}

/* One second: arrivals (sessions of 4 Mbps expected) by door. */
static struct learn_forecast second(double a, double b)
{
	const double arrive[DOORS] = {a, b};

	p.now_ms += 1000;
	ledger_advance(s.ledger, p.now_ms, 600);
	for (uint32_t d = 0; d < DOORS; d++) {
		p.live[d] *= exp(-1 / p.length_s);
		p.live[d] += arrive[d] * 4 * p.gain[d];
		ledger_add(s.ledger, d * STRIDE, arrive[d], 4000);
	}
	p.window_sum += on_vendor();
	if (s.view.fast) {
		ledger_advance(s.fast, p.now_ms, LEDGER_MAX_LENGTH_S);
		ledger_set(s.fast, 0, on_vendor() / 5); /* a fifth of the players report */
	}
	deliver();
	meter_tick(&s.meter, &lim, p.now_ms);
	return learn_forecast_at(
		&s.doors, &s.cell, &s.view, &s.meter, p.now_ms, 600, SCORE_HEADROOM_DEFAULT);
}

static double run(uint32_t seconds, double a, double b, double *worst)
{
	struct learn_forecast f = {0};

	for (uint32_t t = 0; t < seconds; t++) {
		f = second(a, b);
		if (worst)
			*worst = fmax(*worst, fabs(f.mbps - on_vendor()) / s.view.max_mbps);
	}
	return f.mbps;
}

static void learns_a_factor_per_door(void **state)
{
	(void)state;
	p.gain[0] = 1.3;
	p.gain[1] = 0.8;
	for (uint32_t wave = 0; wave < 60; wave++) {
		(void)run(120, 30 + 10 * (wave % 3), 10, NULL);
		(void)run(120, 10, 10 + 20 * (wave % 2), NULL);
	}
	print_message("factors %.3f (1.3) and %.3f (0.8), of %llu windows\n",
		learn_factor(&s.doors, 0), learn_factor(&s.doors, 1),
		(unsigned long long)s.doors.windows);
	assert_true(fabs(learn_factor(&s.doors, 0) - 1.3) < 0.15);
	assert_true(fabs(learn_factor(&s.doors, 1) - 0.8) < 0.15);
}

static void factors_are_bounded(void **state)
{
	(void)state;
	p.gain[0] = 10;
	for (uint32_t wave = 0; wave < 20; wave++)
		(void)run(120, wave % 2 ? 10 : 40, 0, NULL);
	assert_true(learn_factor(&s.doors, 0) == LEARN_FACTOR_MAX);
	assert_true(learn_factor(&s.doors, LEARN_DOORS) == 1);
}

static void learns_what_others_put_on(void **state)
{
	double worst = 0;

	(void)state;
	p.others = 20000;
	(void)run(3600, 20, 0, NULL);
	print_message("unexplained %.0f of 20000\n", s.cell.unexplained);
	assert_true(fabs(s.cell.unexplained - 20000) < 4000);
	(void)run(1200, 20, 0, &worst);
	assert_true(worst < 0.05);
	p.meter_off = true; /* silence: from the ledger and U */
	worst = 0;
	(void)run(1200, 20, 0, &worst);
	print_message("20 min of silence: off by %.3f of M\n", worst);
	assert_true(worst < 0.06);
	assert_false(s.meter.present);
}

/* A concert fills in 30 s; the meter sees it minutes later. */
static void sees_a_ramp_before_the_meter(void **state)
{
	double worst = 0, naive = 0;

	(void)state;
	(void)run(1200, 5, 0, NULL);
	for (uint32_t t = 0; t < 240; t++) {
		struct learn_forecast f = second(t < 30 ? 500 : 5, 0);

		worst = fmax(worst, fabs(f.mbps - on_vendor()) / on_vendor());
		naive = fmax(naive, fabs(s.meter.mbps - on_vendor()) / on_vendor());
	}
	print_message("ramp: off by %.3f of the load; the meter alone %.3f\n", worst, naive);
	assert_true(worst < 0.1);
	assert_true(naive > 0.5);
}

static void reports_are_a_fast_meter(void **state)
{
	double without = 0, with = 0;

	(void)state;
	p.length_s = 300; /* people leave sooner than thought, and weigh more */
	p.gain[0] = 1.4;
	(void)run(1800, 5, 0, NULL);
	(void)run(30, 400, 0, NULL);
	(void)run(60, 5, 0, &without);
	(void)reset(NULL);
	s.view.fast = s.fast;
	p.length_s = 300;
	p.gain[0] = 1.4;
	(void)run(1800, 5, 0, NULL);
	(void)run(30, 400, 0, NULL);
	(void)run(60, 5, 0, &with);
	print_message("off by %.3f of M without reports, %.3f with\n", without, with);
	assert_true(with < without / 2);
}

/* People stay for longer than thought: the ledger lets them go too early, all the time. What
 * reports still see is there. */
static void reports_hold_what_the_ledger_lets_go(void **state)
{
	double off = 0;

	(void)state;
	s.view.fast = s.fast;
	p.length_s = 1200;
	(void)run(1800, 5, 0, NULL);
	(void)run(900, 15, 0, NULL);
	for (uint32_t t = 0; t < 600; t++) {
		struct learn_forecast f = second(15, 0);

		off = fmax(off, fabs(f.mbps / on_vendor() - 1));
		if (t == 599)
			print_message("ledger at %.2f of the load\n", f.ledger / on_vendor());
	}
	print_message("off by %.4f of the load\n", off);
	assert_true(off < 0.0055);
}

static void unmetered_load_widens_the_head_room(void **state)
{
	struct learn_forecast f;

	(void)state;
	(void)run(1200, 5, 0, NULL);
	f = second(5, 0);
	assert_true(f.headroom < 0.1);
	for (uint32_t t = 0; t < 30; t++)
		f = second(500, 0);
	print_message("unmetered %.2f, head-room %.3f\n", f.unmetered, f.headroom);
	assert_true(f.unmetered > 0.7 && f.headroom > 0.2);
}

static void survives_a_restart(void **state)
{
	struct learn_cell cell;
	struct learn_doors doors;
	struct learn_forecast a, b;

	(void)state;
	p.gain[0] = 1.2;
	p.others = 5000;
	(void)run(1200, 20, 3, NULL);
	cell = s.cell;
	doors = s.doors;
	a = learn_forecast_at(&s.doors, &s.cell, &s.view, &s.meter, p.now_ms, 600, 0.02);
	b = learn_forecast_at(&doors, &cell, &s.view, &s.meter, p.now_ms, 600, 0.02);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void a_meter_far_below_its_peers_is_not_believed(void **state)
{
	struct learn_cell cells[5] = {{0}};
	const double log_ratio[] = {0.28, 0.26, 0.25, -0.1, 0.6};
	struct learn_forecast f, g;

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		cells[i].ratio_log = log_ratio[i];
		cells[i].ratio_weight = 5;
		cells[i].windows = i == 4 ? 2 : 10; /* the last has seen too little */
	}
	assert_true(learn_peer_ratio(cells, 2) == 0);
	assert_true(fabs(learn_peer_ratio(cells, 5) - exp(0.25)) < 1e-9);
	(void)run(1200, 20, 0, NULL);
	s.meter.mbps *= 0.7; /* from now on it lies */
	f = learn_forecast_at(&s.doors, &s.cell, &s.view, &s.meter, p.now_ms, 600, 0.02);
	s.view.peer_ratio = exp(s.cell.ratio_log); /* the others see what it saw */
	g = learn_forecast_at(&s.doors, &s.cell, &s.view, &s.meter, p.now_ms, 600, 0.02);
	assert_true(!f.suspect && g.suspect);
	print_message("believed %.3f, raised %.3f\n", f.mbps / on_vendor(), g.mbps / on_vendor());
	assert_true(f.mbps < 0.8 * on_vendor() && fabs(g.mbps / on_vendor() - 1) < 0.05);
	s.meter.mbps *= 2; /* above is what others put on it */
	g = learn_forecast_at(&s.doors, &s.cell, &s.view, &s.meter, p.now_ms, 600, 0.02);
	assert_false(g.suspect);
}

static void session_length(void **state)
{
	struct learn_length l = {0};

	(void)state;
	assert_true(learn_length_s(&l, 600) == 600);
	learn_length_observe(&l, (double)NAN, 1, 1);
	learn_length_observe(&l, 1, (double)NAN, 1);
	learn_length_observe(&l, 1, 1, 0);
	assert_true(learn_length_s(&l, 600) == 600);
	for (uint32_t t = 0; t < 3600; t++) /* 400 s, some of them found out later */
		learn_length_observe(&l, 40000, t % 2 ? 250 : -50, 1);
	assert_true(fabs(learn_length_s(&l, 600) - 400) < 1);
	for (uint32_t t = 0; t < 3600; t++)
		learn_length_observe(&l, 1e9, 0, 1);
	assert_true(learn_length_s(&l, 600) == 600 * LEARN_LENGTH_MAX);
	assert_true(learn_length_s(&l, 86400) == LEDGER_MAX_LENGTH_S);
}

static void session_bitrate(void **state)
{
	struct learn_rate r = {0};

	(void)state;
	assert_true(learn_rate_ratio(&r) == 1);
	learn_rate_report(&r, 1e9, 1000, 1); /* nothing was dispatched: nothing to compare with */
	assert_true(learn_rate_ratio(&r) == 1);
	for (uint32_t t = 0; t < 600; t++) {
		learn_rate_observe(&r, 400 * 3000.0, 400, 300, 1);
		learn_rate_report(&r, 100000 * 3900.0, 100000, 1);
	}
	assert_true(fabs(learn_rate_ratio(&r) - 1.3) < 0.01);
	for (uint32_t t = 0; t < 3000; t++) { /* half the rungs, and half is what players say */
		learn_rate_observe(&r, 400 * 1500.0, 400, 300, 1);
		learn_rate_report(&r, 100000 * 1950.0, 100000, 1);
	}
	assert_true(fabs(learn_rate_ratio(&r) - 1.3) < 0.1);
	for (uint32_t t = 0; t < 600; t++) { /* ten players move little */
		learn_rate_observe(&r, 400 * 1500.0, 400, 300, 1);
		learn_rate_report(&r, 10 * 15000.0, 10, 1);
	}
	assert_true(learn_rate_ratio(&r) < 1.1);
	for (uint32_t t = 0; t < 600; t++)
		learn_rate_report(&r, 1e6 * 1e9, 1e6, 1);
	assert_true(learn_rate_ratio(&r) <= LEARN_RATE_MAX);
}

static void loads_that_arrive_later(void **state)
{
	(void)state;
	ledger_add_later(s.ledger, 0, 1000, 4000, 20);
	assert_true(ledger_load(s.ledger, 0) == 0 && ledger_pending(s.ledger, 0) == 4000);
	ledger_advance(s.ledger, START + 20000, 86400);
	assert_true(fabs(ledger_load(s.ledger, 0) - 4000 * (1 - exp(-1))) < 30);
	ledger_advance(s.ledger, START + 400000, 86400);
	assert_true(ledger_pending(s.ledger, 0) < 1e-3);
	ledger_add_later(s.ledger, 1, 1, 1000, 0); /* at once, with the next tick */
	ledger_advance(s.ledger, START + 401000, 86400);
	assert_true(ledger_load(s.ledger, 1) > 0.99);
	ledger_add_later(s.ledger, 1, 1, 1000, (double)NAN);
	ledger_add_later(s.ledger, 99, 1, 1000, 1);
	assert_true(ledger_pending(s.ledger, 99) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(learns_a_factor_per_door, reset),
		cmocka_unit_test_setup(factors_are_bounded, reset),
		cmocka_unit_test_setup(learns_what_others_put_on, reset),
		cmocka_unit_test_setup(sees_a_ramp_before_the_meter, reset),
		cmocka_unit_test_setup(reports_are_a_fast_meter, reset),
		cmocka_unit_test_setup(reports_hold_what_the_ledger_lets_go, reset),
		cmocka_unit_test_setup(unmetered_load_widens_the_head_room, reset),
		cmocka_unit_test_setup(survives_a_restart, reset),
		cmocka_unit_test_setup(a_meter_far_below_its_peers_is_not_believed, reset),
		cmocka_unit_test_setup(session_bitrate, reset),
		cmocka_unit_test_setup(session_length, reset),
		cmocka_unit_test_setup(loads_that_arrive_later, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
