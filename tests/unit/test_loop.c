/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ledger, forecast and allocation in a closed loop with a small fluid plant that shares no
 * parameter with them: other session lengths, other bitrates, windowed meters that come late or
 * lie.
 */
#include "test.h"

#include <math.h>

#include "scoring/allocate.h"
#include "scoring/learn.h"

enum { V = 6, G = 12, START = 1000000000, PHASES = 3, LATE_MAX = 16 };

static const double guaranteed[V] = {8000, 6000, 3000, 5000, 2000, 4000};
static const double maximum[V] = {14000, 16000, 9000, 9000, 6000, 7000};
static const double phase_part[PHASES] = {0.2, 0.5, 0.3}, phase_s[PHASES] = {180, 480, 1080};
static const double session_mbps = 4, session_s = 600;

struct scenario {
	const char *what;
	double demand; /* in steady state, relative to the sum of guarantees */
	double gain;   /* true over expected bitrate */
	uint32_t window_s, late_s;
	bool concert;                    /* fills in 30 s from a tenth, after 20 min */
	uint32_t liar;                   /* vendor whose meter says 0.7 from then on; V: none */
	double overshoot, commit, flips; /* at most, at least, at most */
};

struct late_meter {
	double mbps;
	uint64_t start_ms, end_ms;
};

static struct loop {
	double live[V][PHASES], load[V], sum[V];
	struct late_meter late[V][LATE_MAX];
	uint32_t put, taken;
	uint64_t now_ms, window_ms;
	struct ledger *ledger;
	struct learn_doors doors;
	struct learn_cell cell[V];
	struct meter meter[V];
	struct alloc_vendor vendor[V];
	struct alloc_service service;
	struct alloc_row row[G];
	struct alloc_row_out out[G];
	struct alloc_vendor_out vout[V];
	struct alloc_state state;
	double part[G]; /* of the audience */
	double before[G][V];
} w;

static double sum(const double *x)
{
	double s = 0;

	for (uint32_t v = 0; v < V; v++)
		s += x[v];
	return s;
}

static void begin(void)
{
	static _Alignas(16) unsigned char mem[1 << 17];

	memset(&w, 0, sizeof(w));
	w.now_ms = w.window_ms = START;
	w.ledger = ledger_init(mem, sizeof(mem), V, START);
	assert_non_null(w.ledger);
	w.service = (struct alloc_service){.n_slots = V, .params = SCORE_PARAMS_DEFAULT};
	for (uint32_t v = 0; v < V; v++)
		w.service.slot[v] = (struct alloc_slot){.vendor = (uint16_t)v, .weight = 1};
	for (uint32_t g = 0; g < G; g++)
		w.part[g] = (g + 1.0) / (G * (G + 1) / 2.0);
}

/* The plant: sessions leave; windows of the meters fill and are put on their way. */
static void pass_a_second(const struct scenario *s, uint32_t t)
{
	w.now_ms += 1000;
	for (uint32_t v = 0; v < V; v++) {
		w.load[v] = 0;
		for (uint32_t k = 0; k < PHASES; k++) {
			w.live[v][k] *= exp(-1 / phase_s[k]);
			w.load[v] += w.live[v][k];
		}
		w.sum[v] += w.load[v];
	}
	if (w.now_ms < w.window_ms + s->window_s * 1000ULL)
		return;
	for (uint32_t v = 0; v < V; v++) {
		double lie = v == s->liar && t > 1200 ? 0.7 : 1;

		w.late[v][w.put % LATE_MAX] =
			(struct late_meter){w.sum[v] / s->window_s * lie, w.window_ms, w.now_ms};
		w.sum[v] = 0;
	}
	w.put++;
	w.window_ms = w.now_ms;
}

static void read_meters(const struct scenario *s, uint32_t v, const struct learn_view *view)
{
	const struct meter_limits lim = METER_LIMITS_DEFAULT;
	const struct late_meter *m = &w.late[v][w.taken % LATE_MAX];

	if (w.taken < w.put && m->end_ms + s->late_s * 1000ULL <= w.now_ms &&
		meter_verdict_taken(meter_push(
			&w.meter[v], &lim, m->mbps, m->start_ms, m->end_ms, w.now_ms, maximum[v])))
		learn_meter(&w.doors, &w.cell[v], view, &w.meter[v]);
	meter_tick(&w.meter[v], &lim, w.now_ms);
}

static void forecast(const struct scenario *s)
{
	bool due = w.taken < w.put &&
		   w.late[0][w.taken % LATE_MAX].end_ms + s->late_s * 1000ULL <= w.now_ms;

	ledger_advance(w.ledger, w.now_ms, session_s);
	for (uint32_t v = 0; v < V; v++) {
		struct learn_view view = {
			w.ledger, NULL, v, V, 1, maximum[v], learn_peer_ratio(w.cell, V)};
		struct learn_forecast f;

		read_meters(s, v, &view);
		f = learn_forecast_at(&w.doors, &w.cell[v], &view, &w.meter[v], w.now_ms, session_s,
			SCORE_HEADROOM_DEFAULT);
		w.vendor[v] = (struct alloc_vendor){guaranteed[v], maximum[v],
			f.metered ? f.meter : f.mbps, f.mbps, f.headroom, true};
	}
	w.taken += due;
}

/* Shares for the second, and its sessions by them. Returns the flips. */
static double dispatch(const struct scenario *s, double sessions)
{
	static _Alignas(16) unsigned char work[1 << 20];
	struct alloc_fleet fleet = {.vendor = w.vendor,
		.service = &w.service,
		.row = w.row,
		.n_vendors = V,
		.n_services = 1,
		.n_groups = G,
		.n_rows = G};
	struct alloc_stats stats;
	double flips = 0;

	for (uint32_t g = 0; g < G; g++) {
		w.row[g] = (struct alloc_row){.group = (uint16_t)g,
			.demand_mbps = sessions * session_mbps * w.part[g],
			.trickle_ppm = UINT32_MAX};
		for (uint32_t v = 0; v < V; v++)
			w.row[g].quality[v] = 0.9 + (g * 7 + v * 3) % 10 * 0.01;
	}
	assert_int_equal(alloc_run(&fleet, &w.state, work, sizeof(work), w.out, w.vout, &stats), 0);
	for (uint32_t g = 0; g < G; g++) {
		for (uint32_t v = 0; v < V; v++) {
			double share = w.out[g].share_ppm[v] / 1e6,
			       n = share * sessions * w.part[g];

			flips += w.part[g] * fabs(share - w.before[g][v]) / 2;
			w.before[g][v] = share;
			ledger_add(w.ledger, v, n, session_mbps * 1000);
			for (uint32_t k = 0; k < PHASES; k++)
				w.live[v][k] += n * session_mbps * s->gain * phase_part[k];
		}
	}
	return flips;
}

static double sessions_at(const struct scenario *s, uint32_t t)
{
	double one = session_mbps * s->gain, all = s->demand * sum(guaranteed) / one;

	if (!s->concert)
		return all / session_s * fmin(1, t / 300.0);
	if (t >= 1200 && t < 1230)
		return all * 0.9 / 30;
	return all / session_s * (t < 1200 ? 0.1 : 1);
}

static void run(const struct scenario *s)
{
	double overshoot = 0, filled = 0, could = 0, flips = 0;
	uint32_t steady = 0;

	begin();
	for (uint32_t t = 0; t < 4800; t++) {
		double now;

		pass_a_second(s, t);
		forecast(s);
		now = dispatch(s, sessions_at(s, t));
		for (uint32_t v = 0; v < V; v++) {
			overshoot = fmax(overshoot, w.load[v] / maximum[v]);
			filled += t > 2400 ? fmin(w.load[v], guaranteed[v]) : 0;
		}
		could += t > 2400 ? fmin(sum(w.load), sum(guaranteed)) : 0;
		flips += t > 3600 ? now : 0;
		steady += t > 3600;
	}
	flips /= steady;
	print_message("%s: overshoot %.3f, commit use %.4f, flips %.4f\n", s->what, overshoot,
		filled / could, flips);
	assert_true(overshoot <= s->overshoot);
	assert_true(filled / could >= s->commit);
	assert_true(flips <= s->flips);
}

static void closed_loop(void **state)
{
	static const struct scenario rows[] = {
		{"steady at 0.95", 0.95, 1, 60, 60, false, V, 1, 0.99, 0.05},
		{"steady at 1.05", 1.05, 1, 60, 60, false, V, 1, 0.99, 0.05},
		{"steady at 1.05, bitrate 1.3", 1.05, 1.3, 60, 60, false, V, 1, 0.99, 0.05},
		{"steady at 1.05, meters 5 min", 1.05, 1, 300, 300, false, V, 1, 0.99, 0.05},
		{"concert to 1.5, meters 5 min, bitrate 1.3", 1.5, 1.3, 300, 300, true, V, 1, 0.99,
			0.05},
		{"concert to 0.96 of all maxima, bitrate 1.3", 2.1, 1.3, 300, 300, true, V, 1, 0.99,
			0.05},
		{"a meter that lies by 0.7", 1.9, 1, 60, 60, false, 2, 1, 0.99, 0.05},
		{"one that lies, bitrate 1.3", 1.9, 1.3, 60, 60, false, 4, 1, 0.99, 0.05},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		run(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(closed_loop)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
