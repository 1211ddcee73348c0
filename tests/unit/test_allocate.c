/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <math.h>

#include "base/err.h"
#include "scoring/allocate.h"

enum { A, B, C, VENDORS };

/* Two services, two groups, three vendors: a small world that each test bends. */
struct world {
	struct alloc_fleet fleet;
	struct alloc_vendor vendor[VENDORS];
	struct alloc_region region[2];
	struct alloc_service service[2];
	struct alloc_row row[4];
	uint16_t region_of[2 * VENDORS];
	struct alloc_state state;
	struct alloc_row_out out[4];
	struct alloc_vendor_out vout[VENDORS];
	struct alloc_stats stats;
};

static struct world w;

static int reset(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.fleet = (struct alloc_fleet){
		w.vendor, w.region, w.service, w.row, w.region_of, VENDORS, 0, 1, 2, 2};
	w.vendor[A] = (struct alloc_vendor){600, 1000, 0, -1, 0, true};
	w.vendor[B] = (struct alloc_vendor){300, 1000, 0, -1, 0, true};
	w.vendor[C] = (struct alloc_vendor){0, 1000, 0, -1, 0, true};
	for (uint32_t s = 0; s < 2; s++) {
		w.service[s] = (struct alloc_service){.n_slots = 3, .params = SCORE_PARAMS_DEFAULT};
		w.service[s].params.trickle_ppm = 0;
		for (uint32_t i = 0; i < 3; i++)
			w.service[s].slot[i] = (struct alloc_slot){(uint16_t)i, 1};
	}
	for (uint32_t i = 0; i < 4; i++) {
		w.row[i] = (struct alloc_row){.service = (uint16_t)(i / 2),
			.group = (uint16_t)(i % 2),
			.trickle_ppm = UINT32_MAX};
		for (uint32_t k = 0; k < 3; k++)
			w.row[i].quality[k] = 1;
	}
	memset(w.region_of, 0xff, sizeof(w.region_of));
	return 0;
}

static int try_run(void)
{
	static _Alignas(16) unsigned char work[1 << 20];

	return alloc_run(&w.fleet, &w.state, work, sizeof(work), w.out, w.vout, &w.stats);
}

static void run(void)
{
	assert_int_equal(try_run(), 0);
	for (uint32_t r = 0; r < w.fleet.n_rows; r++) {
		uint32_t sum = 0;

		for (uint32_t i = 0; i < SCORE_ROW; i++)
			sum += w.out[r].share_ppm[i];
		assert_int_equal(sum, SCORE_PPM);
	}
}

static void near_ppm(uint32_t got, double want, double by)
{
	if (fabs(got - want) > by)
		fail_msg("got %u ppm, want %g", got, want);
}

static void unknown_load_follows_the_guarantees(void **state)
{
	(void)state;
	w.vendor[B].known = false;
	w.vendor[A].current_mbps = 590;
	run();
	near_ppm(w.out[0].share_ppm[A], 666667, 1);
	near_ppm(w.out[0].share_ppm[B], 333333, 1);
	assert_int_equal(w.out[0].reason[A], SCORE_UNKNOWN);
	w.row[0].block[A] = w.row[0].block[B] =
		SCORE_BLACKLISTED; /* maxima where none has a guarantee */
	run();
	assert_int_equal(w.out[0].share_ppm[C], SCORE_PPM);
	assert_int_equal(w.out[0].reason[A], SCORE_BLACKLISTED);
}

/* By guarantees such a vendor gets nobody, and its load would stay unknown for good. */
static void who_gets_nothing_by_guarantees_is_not_waited_for(void **state)
{
	static const struct {
		uint32_t slot, tier;
		double weight;
		uint8_t block;
		bool waited;
	} rows[] = {
		{B, 0, 1, 0, true},
		{C, 0, 1, 0, false}, /* no guarantee */
		{B, 1, 1, 0, false}, /* a later tier */
		{B, 0, 0, 0, false},
		{B, 0, 1, SCORE_DRAINED, false},
	};

	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		(void)reset(state);
		w.vendor[rows[i].slot].known = false;
		w.service[0].slot[rows[i].slot].tier = rows[i].tier;
		w.service[0].slot[rows[i].slot].weight = rows[i].weight;
		w.row[0].block[rows[i].slot] = w.row[1].block[rows[i].slot] = rows[i].block;
		run();
		assert_int_equal(w.out[0].reason[A], rows[i].waited ? SCORE_UNKNOWN : SCORE_UNDER);
	}
	w.row[1].block[B] = 0; /* in one group it gets some */
	run();
	assert_int_equal(w.out[0].reason[A], SCORE_UNKNOWN);
	w.vendor[B].known = true;
	w.vendor[C].known = false; /* its maximum counts where no other has a guarantee */
	w.row[1].block[A] = w.row[1].block[B] = SCORE_DRAINED;
	run();
	assert_int_equal(w.out[0].reason[A], SCORE_UNKNOWN);
}

static void fallback_shares(void **state)
{
	uint32_t ppm[SCORE_ROW];

	(void)state;
	alloc_fallback(&w.fleet, &w.row[0], ppm);
	near_ppm(ppm[A], 666667, 1);
	near_ppm(ppm[C], 0, 0);
	w.service[0].slot[1].weight = 2;
	alloc_fallback(&w.fleet, &w.row[0], ppm);
	near_ppm(ppm[A], 500000, 0);
	w.row[0].block[0] = SCORE_RESTRICTED;
	w.row[0].block[1] = SCORE_DRAINED;
	alloc_fallback(&w.fleet, &w.row[0], ppm);
	near_ppm(ppm[C], SCORE_PPM, 0);
	w.row[0].block[2] = SCORE_DRAINED;
	alloc_fallback(&w.fleet, &w.row[0], ppm);
	near_ppm(ppm[SCORE_NONE], SCORE_PPM, 0);
}

static void reasons(void **state)
{
	static const struct {
		const char *what;
		struct alloc_vendor v;
		double weight;
		uint8_t block, reason;
	} rows[] = {
		{"under", {600, 1000, 0, -1, 0, true}, 1, 0, SCORE_UNDER},
		{"over", {600, 1000, 700, -1, 0, true}, 1, 0, SCORE_OVER},
		{"at the guarantee", {600, 1000, 600, -1, 0, true}, 1, 0, SCORE_OVER},
		{"the forecast counts", {600, 1000, 0, 1000, 0, true}, 1, 0, SCORE_AT_MAX},
		{"a lower forecast does not", {600, 1000, 1000, 0, 0, true}, 1, 0, SCORE_AT_MAX},
		{"head-room", {600, 1000, 900, -1, 0.1, true}, 1, 0, SCORE_AT_MAX},
		{"nothing to give", {0, 0, 0, -1, 0, true}, 1, 0, SCORE_NO_CAPACITY},
		{"no weight", {600, 1000, 0, -1, 0, true}, 0, 0, SCORE_NO_WEIGHT},
		{"drained", {600, 1000, 0, -1, 0, true}, 1, SCORE_DRAINED, SCORE_DRAINED},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		print_message("%s\n", rows[i].what);
		w.vendor[A] = rows[i].v;
		w.service[0].slot[A].weight = rows[i].weight;
		w.row[0].block[A] = rows[i].block;
		run();
		assert_int_equal(w.out[0].reason[A], rows[i].reason);
		assert_int_equal(w.out[0].share_ppm[A] > 0, score_reason_usable(rows[i].reason));
	}
}

static void trickle(void **state)
{
	(void)state;
	w.service[0].params.trickle_ppm = 5000;
	w.vendor[C].current_mbps = 900; /* over, the others under: a score next to nothing */
	run();
	assert_int_equal(w.out[0].share_ppm[C], 5000);
	assert_true(fabs(w.out[0].share_ppm[A] / (double)w.out[0].share_ppm[B] -
			    w.out[0].score[A] / w.out[0].score[B]) < 1e-5);
	w.service[0].params.trickle_ppm = SL_MAX_TRICKLE_PPM;
	run();
	assert_int_equal(w.out[0].share_ppm[C], SL_MAX_TRICKLE_PPM);
	w.service[0].params.trickle_ppm = 5000;
	w.row[0].trickle_ppm = 100; /* enough samples already */
	run();
	assert_int_equal(w.out[0].share_ppm[C], 100);
	w.row[0].trickle_ppm = UINT32_MAX;
	w.row[0].demand_mbps = 1000; /* caps win: 1000 * 0.005 > 1 */
	w.vendor[C].current_mbps = 999;
	run();
	near_ppm(w.out[0].share_ppm[C], 1000, 1);
}

static void pour_spreads_the_jump(void **state)
{
	(void)state;
	w.row[0].demand_mbps = 300;
	w.vendor[A].current_mbps = 500; /* 100 to its guarantee */
	w.vendor[B].current_mbps = 300; /* at its own */
	w.vendor[C].current_mbps = 500;
	run();
	/* the first 100 of 300 go to A, the rest by room: more to B than to C than to A */
	assert_true(w.out[0].share_ppm[A] > 333333 && w.out[0].share_ppm[A] < 600000);
	assert_true(w.out[0].share_ppm[B] > w.out[0].share_ppm[C]);
}

static void one_vendor_two_services(void **state)
{
	(void)state;
	w.fleet.n_services = 2;
	w.fleet.n_rows = 4;
	for (uint32_t i = 0; i < 4; i++)
		w.row[i].demand_mbps = 400; /* 1600 of 3000 */
	w.vendor[A].current_mbps = 900;
	for (uint32_t r = 0; r < 2; r++)
		w.row[r].block[B] = SCORE_RESTRICTED;
	run();
	assert_true(w.vout[A].expected_mbps <= 1000 * (1 + 1e-6));
	assert_true(w.vout[B].expected_mbps <= 1000 * (1 + 1e-6));
	assert_true(w.vout[C].expected_mbps <= 1000 * (1 + 1e-6));
	for (uint32_t r = 0; r < 4; r++)
		assert_true(w.out[r].share_ppm[SCORE_NONE] <= 3);
}

/* A group that has one vendor only gets it; those with a choice go elsewhere. */
static void those_with_a_choice_give_way(void **state)
{
	(void)state;
	w.row[0].demand_mbps = 500;
	w.row[1].demand_mbps = 600;
	w.row[0].block[B] = w.row[0].block[C] = SCORE_RESTRICTED;
	w.vendor[A].current_mbps = 400; /* 600 left, of which 200 under the guarantee */
	w.vendor[B].current_mbps = 500;
	w.vendor[C].current_mbps = 500;
	for (uint32_t tick = 0; tick < 5; tick++)
		run();
	assert_true(w.out[0].share_ppm[A] >= SCORE_PPM - 3);
	assert_true(w.out[1].share_ppm[SCORE_NONE] <= 3);
	near_ppm(w.out[1].share_ppm[A], 1e6 / 6, 5e4);
}

static void regions_bind(void **state)
{
	(void)state;
	w.fleet.n_regions = 2;
	w.region[0] = (struct alloc_region){A, 100, 150, 50, -1};
	w.region[1] = (struct alloc_region){B, (double)INFINITY, (double)INFINITY, 0, -1};
	w.region[1] = (struct alloc_region){B, HUGE_VAL, HUGE_VAL, 0, -1};
	w.region_of[0 * VENDORS + A] = 0;
	w.region_of[1 * VENDORS + B] = 1;
	w.row[0].demand_mbps = 400;
	w.row[0].block[B] = w.row[0].block[C] = SCORE_RESTRICTED;
	run();
	near_ppm(w.out[0].share_ppm[A], 100 / 400.0 * 1e6, 1);
	assert_true(w.vout[A].capped && w.out[0].capped >> A & 1);
	assert_false(w.vout[B].capped);
	w.region[0].current_mbps = 150;
	run();
	assert_int_equal(w.out[0].reason[A], SCORE_AT_REGION_MAX);
	assert_int_equal(w.out[0].share_ppm[A], 0);
	assert_int_equal(w.out[1].reason[A], SCORE_UNDER);
}

/* The total counts what its regions carry: what it cannot take goes to the others in their ratio,
 * not to whoever comes first. */
static void regions_count_to_the_total(void **state)
{
	(void)state;
	w.fleet.n_regions = 2;
	for (uint16_t g = 0; g < 2; g++) {
		w.region[g] = (struct alloc_region){A, HUGE_VAL, HUGE_VAL, 0, -1};
		w.region_of[g * VENDORS + A] = g;
		w.row[g].demand_mbps = 400;
	}
	w.service[0].by_guarantee = true; /* 6 : 3 : 1 */
	w.vendor[A].current_mbps = 900;
	w.vendor[C].guaranteed_mbps = 100;
	run();
	for (uint32_t g = 0; g < 2; g++) {
		near_ppm(w.out[g].share_ppm[A], 125000, 100);
		near_ppm(w.out[g].share_ppm[B], 656250, 100);
		near_ppm(w.out[g].share_ppm[C], 218750, 100);
	}
}

static void sticky_demand_is_charged_by_its_table(void **state)
{
	(void)state;
	w.row[0].sticky_mbps = 500;
	w.row[0].sticky_ppm[A] = SCORE_PPM;
	w.vendor[A].current_mbps = 450;
	w.row[0].demand_mbps = 100;
	w.row[0].block[B] = w.row[0].block[C] = SCORE_RESTRICTED;
	run();
	near_ppm(w.out[0].share_ppm[A], 500000, 2); /* 1000 - 450 - 500 = 50 of 100 */
	assert_true(fabs(w.vout[A].expected_mbps - 1000) < 1e-3);
}

static void warm_start_is_state(void **state)
{
	struct alloc_row_out first;
	struct alloc_state kept;
	uint32_t cold;

	(void)state;
	w.row[0].demand_mbps = w.row[1].demand_mbps = 1200;
	w.vendor[A].current_mbps = w.vendor[B].current_mbps = 300;
	run();
	cold = w.stats.rounds;
	kept = w.state;
	run();
	first = w.out[0];
	assert_true(w.stats.rounds <= cold && w.stats.rounds <= 3);
	w.state = kept;
	run();
	assert_memory_equal(&first, &w.out[0], sizeof(first));
	memset(&w.state, 0xff, sizeof(w.state)); /* NaN: taken as cold */
	run();
	assert_int_equal(w.stats.rounds, cold);
}

static void breakers_withhold_a_part(void **state)
{
	uint32_t before[SCORE_ROW];

	(void)state;
	w.vendor[C].guaranteed_mbps = 400;
	run();
	memcpy(before, w.out[0].share_ppm, sizeof(before));
	w.row[0].withheld_ppm[A] = 900000; /* half-open: a tenth */
	run();
	near_ppm(w.out[0].share_ppm[A], before[A] * 0.1, 2);
	assert_true(fabs(w.out[0].share_ppm[B] / (double)w.out[0].share_ppm[C] -
			    before[B] / (double)before[C]) < 1e-3);
	w.row[0].withheld_ppm[B] = w.row[0].withheld_ppm[C] =
		500000; /* all of them: nothing to gain */
	run();
	near_ppm(w.out[0].share_ppm[A], before[A], 2);
}

static void tiers_open_gradually(void **state)
{
	double last = -1;

	(void)state;
	w.service[0].slot[B].tier = w.service[0].slot[C].tier = 1;
	w.row[0].demand_mbps = 10;
	run();
	assert_int_equal(w.out[0].share_ppm[A], SCORE_PPM);
	assert_int_equal(w.out[0].reason[B], SCORE_TIER_CLOSED);
	for (double load = 600; load <= 1000; load += 20) {
		double part;

		w.vendor[A].current_mbps = load;
		run();
		part = w.out[0].share_ppm[B] + w.out[0].share_ppm[C];
		assert_true(load <= 700 ? part == 0 : part > last);
		/* room of A in ticks of demand: 30 is shut, 0 is open */
		if (load > 700 && load < 980) {
			double open = 1 - (1000 - load) / 300;

			assert_true(part >= open * 0.8e6 && part <= open * 1.01e6);
		}
		last = part;
	}
	assert_int_equal(w.out[0].share_ppm[A], 0);
	w.vendor[A].current_mbps = 0; /* a burst of more than the tier has room for */
	w.row[0].demand_mbps = 2500;
	run();
	assert_int_equal(w.out[0].share_ppm[SCORE_NONE], 0);
	w.row[0].demand_mbps = 0; /* nobody in the first tier */
	w.row[0].block[A] = SCORE_DRAINED;
	run();
	near_ppm(w.out[0].share_ppm[B] + w.out[0].share_ppm[C], SCORE_PPM, 0);
}

static void overload_policies(void **state)
{
	static const struct {
		const char *what;
		enum alloc_overload policy;
		double demand;
		uint32_t none, rung[3];
		uint8_t done;
	} rows[] = {
		{"fits", ALLOC_LOWER, 2999, 0, {1000000, 0, 0}, ALLOC_FITS},
		{"a tenth too much: a fifth on half the rate", ALLOC_LOWER, 3000 / 0.9, 0,
			{800000, 200000, 0}, ALLOC_LOWER},
		{"two thirds fit: two thirds on half the rate", ALLOC_LOWER, 4500, 0,
			{333333, 666667, 0}, ALLOC_LOWER},
		{"double: all on half the rate", ALLOC_LOWER, 6000, 0, {0, 1000000, 0},
			ALLOC_LOWER},
		{"2.5 times: a part on a quarter", ALLOC_LOWER, 7500, 0, {0, 600000, 400000},
			ALLOC_LOWER},
		{"eight times: half are refused", ALLOC_LOWER, 24000, 500000, {0, 0, 1000000},
			ALLOC_LOWER},
		{"refuse", ALLOC_REFUSE, 6000, 500000, {1000000, 0, 0}, ALLOC_REFUSE},
		{"spread", ALLOC_SPREAD, 6000, 0, {1000000, 0, 0}, ALLOC_SPREAD},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		const double ladder[] = {4000, 2000, 1000};

		(void)reset(NULL);
		print_message("%s\n", rows[i].what);
		w.service[0].overload = rows[i].policy;
		memcpy(w.service[0].ladder_kbps, ladder, sizeof(ladder));
		w.service[0].n_ladder = 3;
		w.row[0].demand_mbps = rows[i].demand;
		run();
		assert_int_equal(w.out[0].overload, rows[i].done);
		near_ppm(w.out[0].share_ppm[SCORE_NONE], rows[i].none, 2);
		for (uint32_t k = 0; k < 3; k++)
			near_ppm(w.out[0].rung_ppm[k], rows[i].rung[k], 3);
		for (uint32_t v = 0; v < VENDORS; v++) {
			if (rows[i].policy != ALLOC_SPREAD)
				assert_true(w.vout[v].expected_mbps <= 1000.01);
			else
				assert_true(fabs(w.vout[v].expected_mbps - 2000) < 1);
		}
	}
	assert_true(fabs(w.stats.spread_mbps - 3000) < 1);
	w.service[0].n_ladder = 0; /* no ladder: refused */
	w.service[0].overload = ALLOC_LOWER;
	run();
	assert_int_equal(w.out[0].overload, ALLOC_REFUSE);
}

static void refuses_what_is_unsound(void **state)
{
	(void)state;
#define REFUSES(change)                                                                            \
	(void)reset(NULL);                                                                         \
	change;                                                                                    \
	assert_int_equal(try_run(), SL_EINVAL)
	REFUSES(w.vendor[A].max_mbps = (double)NAN);
	REFUSES(w.vendor[A].guaranteed_mbps = -1);
	REFUSES(w.vendor[A].current_mbps = (double)INFINITY);
	REFUSES(w.vendor[A].current_mbps = HUGE_VAL);
	REFUSES(w.vendor[A].forecast_mbps = (double)NAN);
	REFUSES(w.vendor[A].headroom = 1);
	REFUSES(w.row[0].demand_mbps = (double)NAN);
	REFUSES(w.row[0].quality[0] = 0);
	REFUSES(w.row[0].quality[0] = (double)NAN);
	REFUSES(w.row[0].block[0] = SCORE_REASONS);
	REFUSES(w.row[0].sticky_ppm[0] = SCORE_PPM + 1);
	REFUSES(w.row[1].group = 0);
	REFUSES(w.row[1].group = 2);
	REFUSES(w.row[1].service = 1);
	REFUSES(w.service[0].slot[0].vendor = B);
	REFUSES(w.service[0].slot[0].vendor = VENDORS);
	REFUSES(w.service[0].slot[0].weight = (double)NAN);
	REFUSES(w.service[0].params.slices = 0);
	REFUSES(w.service[0].params.trickle_ppm = SL_MAX_TRICKLE_PPM + 1);
	REFUSES(w.service[0].n_slots = SL_MAX_SLOTS + 1);
	REFUSES(w.service[0].slot[0].tier = ALLOC_TIERS);
	REFUSES(w.service[0].n_ladder = 2);
	REFUSES(w.service[0].n_ladder = ALLOC_RUNGS + 1);
	REFUSES(w.row[0].withheld_ppm[0] = SCORE_PPM + 1);
	REFUSES(w.fleet.n_regions = 1; w.region[0].vendor = VENDORS);
	REFUSES(w.fleet.n_regions = 1; w.region_of[A] = 1);
	REFUSES(w.fleet.n_regions = 1; w.region_of[B] = 0);
	(void)reset(NULL);
	assert_int_equal(alloc_run(&w.fleet, &w.state, &w, 8, w.out, w.vout, &w.stats), SL_ELIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(unknown_load_follows_the_guarantees, reset),
		cmocka_unit_test(who_gets_nothing_by_guarantees_is_not_waited_for),
		cmocka_unit_test_setup(fallback_shares, reset),
		cmocka_unit_test_setup(reasons, reset),
		cmocka_unit_test_setup(trickle, reset),
		cmocka_unit_test_setup(pour_spreads_the_jump, reset),
		cmocka_unit_test_setup(one_vendor_two_services, reset),
		cmocka_unit_test_setup(those_with_a_choice_give_way, reset),
		cmocka_unit_test_setup(regions_bind, reset),
		cmocka_unit_test_setup(regions_count_to_the_total, reset),
		cmocka_unit_test_setup(sticky_demand_is_charged_by_its_table, reset),
		cmocka_unit_test_setup(warm_start_is_state, reset),
		cmocka_unit_test_setup(breakers_withhold_a_part, reset),
		cmocka_unit_test_setup(tiers_open_gradually, reset),
		cmocka_unit_test_setup(overload_policies, reset),
		cmocka_unit_test_setup(refuses_what_is_unsound, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
