/* SPDX-License-Identifier: Apache-2.0 */
/* A record with something changed: the vendors answer the changed shares. */
#include "test.h"

#include <math.h>
#include <stdlib.h>

#include "sim/replay_int.h"

enum { VENDORS = 3, GROUPS = 4, TICKS = 600, KBPS = 4000 };
#define LIVED_S 300.0 /* sessions of the record, on the mean */

static struct replay_rig *rig(void)
{
	struct replay_rig *r = calloc(1, sizeof(*r));
	size_t size = ledger_size(LOOP_LEDGER_CELLS), live = ledger_size(LOOP_CELLS);
	const uint64_t t0 = 1000000;

	assert_non_null(r);
	r->loop.kept = &r->kept;
	r->loop.seat = r->seat;
	r->loop.cell = r->cell;
	r->loop.coarse[0] = r->coarse[0];
	r->loop.coarse[1] = r->coarse[1];
	r->loop.ledger = ledger_init(malloc(size), size, LOOP_LEDGER_CELLS, t0);
	r->loop.live = ledger_init(malloc(live), live, LOOP_CELLS, t0);
	r->loop.row = calloc(GROUPS, sizeof(*r->loop.row));
	r->loop.row_out = calloc(GROUPS, sizeof(*r->loop.row_out));
	r->loop.work = malloc(alloc_work_size(GROUPS));
	r->loop.max_rows = GROUPS;
	r->row = calloc(GROUPS, sizeof(*r->row));
	r->service[0] =
		(struct loop_service){.alloc = {.n_slots = VENDORS, .params = SCORE_PARAMS_DEFAULT},
			.bitrate_kbps = KBPS,
			.session_s = LIVED_S,
			.ttl_s = 20,
			.active = true};
	for (uint16_t v = 0; v < VENDORS; v++) {
		r->service[0].alloc.slot[v] = (struct alloc_slot){v, 1, 0};
		r->vendor[v] = (struct loop_vendor){20000, 60000, 0.02, LIVED_S};
	}
	r->in = (struct loop_in){.now_ms = t0,
		.tick_ms = 1000,
		.n_vendors = VENDORS,
		.n_services = 1,
		.n_groups = GROUPS,
		.n_rows = GROUPS,
		.vendor = r->vendor,
		.service = r->service,
		.row = r->row,
		.level = {r->level[0], r->level[1]},
		.door_kbps = r->door_kbps,
		.fact = r->fact,
		.sampled = 1};
	return r;
}

static void drop(struct replay_rig *r)
{
	free(r->loop.ledger);
	free(r->loop.live);
	free(r->loop.row);
	free(r->loop.row_out);
	free(r->loop.work);
	free(r->row);
	free(r);
}

/* The recorded second: 100 sessions over the groups by the recorded shares, who stay for LIVED_S;
 * every ten seconds a meter of the load there is, and reports of half of it. */
static void read_tick(
	struct replay_rig *r, const struct loop *recorded, const double *load, uint32_t tick)
{
	r->in.now_ms += 1000;
	memset(r->door_kbps, 0, sizeof(r->door_kbps));
	r->n_meters = r->in.n_facts = 0;
	for (uint16_t g = 0; g < GROUPS; g++) {
		r->row[g] = (struct loop_row){.group = g, .sequence_kbps = 25 * KBPS};
		for (uint32_t v = 0; tick && v < VENDORS; v++)
			r->door_kbps[LOOP_HTTP][v] +=
				25.0 * KBPS * recorded->row_out[g].share_ppm[v] / SCORE_PPM;
	}
	r->in.news = tick % 10 == 0;
	for (uint16_t v = 0; v < VENDORS && r->in.news && tick; v++) {
		r->meter[r->n_meters++] = (struct record_meter){v, VENDORS, load[v], 60000,
			r->in.now_ms - 2000, r->in.now_ms - 1000, r->in.now_ms};
		r->fact[r->in.n_facts++] = (struct loop_fact){.vendor = v,
			.minute = {100, 99, 99, 400, 100, 1},
			.sessions = load[v] / KBPS * 500,
			.mbps = load[v] / 2};
	}
}

static void tick(struct replay_rig *r, bool drained)
{
	for (uint16_t g = 0; drained && g < GROUPS; g++)
		r->row[g].block[0] = SCORE_DRAINED;
	for (uint32_t i = 0; i < r->n_meters; i++)
		(void)loop_push_meter(&r->loop, r->meter[i].cell, VENDORS, r->meter[i].mbps,
			r->meter[i].start_ms, r->meter[i].end_ms, r->meter[i].now_ms, 60000);
	assert_int_equal(loop_tick(&r->loop, &r->in), 0);
}

static double all(const struct replay_rig *r)
{
	double sum = 0;

	for (uint32_t v = 0; v < VENDORS; v++)
		sum += r->loop.forecast[v].mbps;
	return sum;
}

/* Both over the same ticks; the first 300 without a change, so that there is somebody to leave. */
static void play(struct replay_rig *was, struct replay_rig *now, bool drained)
{
	double load[VENDORS] = {0};

	for (uint32_t t = 0; t < TICKS; t++) {
		read_tick(was, &was->loop, load, t);
		read_tick(now, &was->loop, load, t);
		replay_answer(now, was);
		if (drained && t > TICKS / 2 + 1)
			assert_true(now->door_kbps[LOOP_HTTP][0] < 1e-9);
		for (uint32_t v = 0; v < VENDORS; v++)
			load[v] = load[v] * exp(-1 / LIVED_S) + was->door_kbps[LOOP_HTTP][v] / 1000;
		tick(was, false);
		tick(now, drained && t >= TICKS / 2);
	}
}

static void without_a_change_nothing_differs(void **state)
{
	struct replay_rig *was = rig(), *now = rig();

	(void)state;
	play(was, now, false);
	for (uint32_t i = 0; i < GROUPS; i++)
		assert_memory_equal(
			&was->loop.row_out[i], &now->loop.row_out[i], sizeof(was->loop.row_out[i]));
	for (uint32_t v = 0; v < VENDORS; v++)
		assert_true(was->loop.forecast[v].mbps == now->loop.forecast[v].mbps);
	drop(was);
	drop(now);
}

/* Who does not come any more is missed where he would have been, and there where he went instead;
 * the vendor empties as sessions end, which is what its meters and reports then say. */
static void a_drained_vendor_empties_and_the_others_fill(void **state)
{
	struct replay_rig *was = rig(), *now = rig();
	const struct learn_forecast *f = now->loop.forecast;
	double before;

	(void)state;
	play(was, now, true);
	before = was->loop.forecast[0].mbps;
	print_message("as recorded %.0f of %.0f, what if %.0f of %.0f\n", before, all(was),
		f[0].mbps, all(now));
	assert_true(before > 5000);
	assert_true(f[0].mbps < 0.55 * before && f[0].mbps > 0.2 * before); /* e^-1 of it */
	assert_true(fabs(all(now) / all(was) - 1) < 0.05);
	assert_true(f[1].mbps + f[2].mbps >
		    was->loop.forecast[1].mbps + was->loop.forecast[2].mbps + 0.4 * before);
	assert_true(f[0].meter < was->loop.forecast[0].meter * 0.6);
	drop(was);
	drop(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_change_nothing_differs),
		cmocka_unit_test(a_drained_vendor_empties_and_the_others_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
