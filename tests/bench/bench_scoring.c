/* SPDX-License-Identifier: Apache-2.0 */
/* Time of a tick's allocation, and of a pick: user time of the thread, so that what else the
 * machine does matters little. Prints; judges nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "scoring/loop.h"
#include "scoring/pick.h"

enum { VENDORS = 16, GROUPS = 1000, MAX_SERVICES = 4, TICKS = 60 };

static uint64_t seed = 1;

static double unit(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(seed >> 11) * 0x1p-53;
}

static struct alloc_vendor vendor[VENDORS];
static struct alloc_region region[VENDORS * 4];
static struct alloc_service service[MAX_SERVICES];
static struct alloc_row row[GROUPS * MAX_SERVICES];
static uint16_t region_of[GROUPS * VENDORS];
static struct alloc_row_out row_out[GROUPS * MAX_SERVICES];
static struct alloc_vendor_out vendor_out[VENDORS];

/* demand: of the tick, as a part of all maxima; load: where the vendors stand before it. */
static struct alloc_fleet make(uint32_t services, double demand, double load, bool regions)
{
	struct alloc_fleet f = {vendor, region, service, row, region_of, VENDORS,
		regions ? VENDORS * 4 : 0, services, GROUPS, services * GROUPS};
	double sum = 0;

	for (uint32_t v = 0; v < VENDORS; v++) {
		double m = 1e6 * (1 + 9 * unit());

		vendor[v] = (struct alloc_vendor){
			m * 0.6, m, m * load * (0.9 + 0.2 * unit()), -1, 0.02, true};
		sum += m;
		for (uint32_t k = 0; k < 4; k++)
			region[v * 4 + k] = (struct alloc_region){
				(uint16_t)v, m * 0.2, m * 0.3, vendor[v].current_mbps * 0.25, -1};
	}
	for (uint32_t i = 0; i < GROUPS * VENDORS; i++)
		region_of[i] = (uint16_t)(i % VENDORS * 4 + (uint32_t)(unit() * 4));
	for (uint32_t s = 0; s < services; s++) {
		service[s] =
			(struct alloc_service){.n_slots = VENDORS, .params = SCORE_PARAMS_DEFAULT};
		for (uint32_t i = 0; i < VENDORS; i++)
			service[s].slot[i] = (struct alloc_slot){(uint16_t)i, 1};
	}
	for (uint32_t i = 0; i < f.n_rows; i++) {
		row[i] = (struct alloc_row){.service = (uint16_t)(i / GROUPS),
			.group = (uint16_t)(i % GROUPS),
			.demand_mbps = sum * demand / f.n_rows * 2 * unit(),
			.trickle_ppm = UINT32_MAX};
		for (uint32_t k = 0; k < VENDORS; k++)
			row[i].quality[k] = 0.9 + 0.1 * unit();
	}
	return f;
}

/* From tick to tick: loads move by half a per cent, demands by a tenth. */
static void jitter(const struct alloc_fleet *f)
{
	for (uint32_t v = 0; v < VENDORS; v++)
		vendor[v].current_mbps *= 0.995 + 0.01 * unit();
	for (uint32_t r = 0; r < f->n_regions; r++)
		region[r].current_mbps *= 0.995 + 0.01 * unit();
	for (uint32_t i = 0; i < f->n_rows; i++)
		row[i].demand_mbps *= 0.9 + 0.2 * unit();
}

static void time_ticks(const char *what, struct alloc_fleet f)
{
	size_t size = alloc_work_size(f.n_rows);
	void *work = malloc(size);
	struct alloc_state state = {{0}};
	struct alloc_stats stats = {0};
	uint64_t worst = 0, user = os_thread_user_ns();
	uint32_t rounds = 0;

	if (!work)
		exit(1);
	for (uint32_t t = 0; t < TICKS; t++) {
		uint64_t at;

		jitter(&f);
		at = os_mono_ns();
		if (alloc_run(&f, &state, work, size, row_out, vendor_out, &stats))
			exit(1);
		at = os_mono_ns() - at;
		worst = at > worst ? at : worst;
		rounds += stats.rounds;
	}
	printf("%-52s %6.2f ms of user time, %6.2f ms worst on the wall, %4.1f rounds\n", what,
		(double)(os_thread_user_ns() - user) / TICKS / 1e6, (double)worst / 1e6,
		(double)rounds / TICKS);
	free(work);
}

/* The whole loop of the same fleet: reports of every vendor in every group, demand by both kinds of
 * doors. Memory as the engine gives it. */
static struct {
	struct loop l;
	struct loop_kept kept;
	struct loop_vendor vendor[VENDORS];
	struct loop_region region[VENDORS * 4];
	struct loop_service service[MAX_SERVICES];
	struct loop_row row[GROUPS * MAX_SERVICES];
	struct loop_fact fact[GROUPS * VENDORS];
	uint16_t level[LOOP_LEVELS][GROUPS];
	double door_kbps[LOOP_DOORS][LOOP_CELLS];
	struct loop_seat seat[SL_MAX_GROUPS * MAX_SERVICES];
	struct loop_cell cell[GROUPS][SL_MAX_VENDORS];
	struct loop_coarse coarse[LOOP_LEVELS][GROUPS][SL_MAX_VENDORS];
} w;

static void *ledger(uint32_t cells)
{
	size_t size = ledger_size(cells);
	void *mem = malloc(size);

	return mem ? ledger_init(mem, size, cells, 1000) : NULL;
}

static struct loop_in loop_of(const struct alloc_fleet *f)
{
	w.l.kept = &w.kept;
	w.l.ledger = ledger(LOOP_LEDGER_CELLS);
	w.l.live = ledger(LOOP_CELLS);
	w.l.seat = w.seat;
	w.l.cell = w.cell;
	w.l.row = row;
	w.l.row_out = row_out;
	w.l.max_rows = f->n_rows;
	w.l.work = malloc(alloc_work_size(f->n_rows));
	if (!w.l.ledger || !w.l.live || !w.l.work)
		exit(1);
	for (uint32_t i = 0; i < LOOP_LEVELS; i++) {
		w.l.coarse[i] = w.coarse[i];
		for (uint32_t g = 0; g < GROUPS; g++)
			w.level[i][g] = (uint16_t)(i ? g % 10 : g / 10 * 10);
	}
	for (uint32_t s = 0; s < f->n_services; s++)
		w.service[s] = (struct loop_service){service[s], 4000, 600, 20, true};
	for (uint32_t v = 0; v < VENDORS; v++)
		w.vendor[v] = (struct loop_vendor){
			vendor[v].guaranteed_mbps, vendor[v].max_mbps, 0.02, 600};
	for (uint32_t r = 0; r < f->n_regions; r++)
		w.region[r] = (struct loop_region){
			region[r].vendor, region[r].guaranteed_mbps, region[r].max_mbps};
	return (struct loop_in){.now_ms = 1000,
		.tick_ms = 1000,
		.n_vendors = VENDORS,
		.n_regions = f->n_regions,
		.n_services = f->n_services,
		.n_groups = GROUPS,
		.n_rows = f->n_rows,
		.n_facts = GROUPS * VENDORS,
		.vendor = w.vendor,
		.region = w.region,
		.service = w.service,
		.row = w.row,
		.region_of = region_of,
		.level = {w.level[0], w.level[1]},
		.door_kbps = w.door_kbps,
		.fact = w.fact,
		.sampled = 1,
		.news = true};
}

static void next_second(struct loop_in *in, const double *demand_kbps)
{
	in->now_ms += 1000;
	for (uint32_t i = 0; i < in->n_rows; i++)
		w.row[i] = (struct loop_row){.service = (uint16_t)(i / GROUPS),
			.group = (uint16_t)(i % GROUPS),
			.sequence_kbps = demand_kbps[i] * unit(),
			.sticky_kbps = demand_kbps[i] * 0.2,
			.fresh = 5,
			.refresh = 50};
	for (uint32_t v = 0; v < VENDORS; v++)
		w.door_kbps[LOOP_HTTP][v] = vendor[v].max_mbps * 2;
	for (uint32_t i = 0; i < GROUPS * VENDORS; i++)
		w.fact[i] = (struct loop_fact){.group = (uint16_t)(i / VENDORS),
			.vendor = (uint16_t)(i % VENDORS),
			.minute = {60, 59, 59, 400, 100, 2},
			.window = {5, 5, 5, 400, 100, 2},
			.sessions = 100,
			.mbps = 400};
}

static void time_loop(const char *what, struct alloc_fleet f)
{
	static double demand_kbps[GROUPS * MAX_SERVICES];
	struct loop_in in;
	uint64_t worst = 0, sum = 0;

	for (uint32_t i = 0; i < f.n_rows; i++)
		demand_kbps[i] = row[i].demand_mbps * 1000;
	in = loop_of(&f);
	for (uint32_t t = 0; t < TICKS; t++) {
		uint64_t at, wall;

		next_second(&in, demand_kbps);
		at = os_thread_user_ns();
		wall = os_mono_ns();
		if (loop_tick(&w.l, &in))
			exit(1);
		sum += os_thread_user_ns() - at;
		wall = os_mono_ns() - wall;
		worst = wall > worst ? wall : worst;
	}
	printf("%-52s %6.2f ms of user time, %6.2f ms worst on the wall\n", what,
		(double)sum / TICKS / 1e6, (double)worst / 1e6);
	free(w.l.ledger);
	free(w.l.live);
	free(w.l.work);
}

static void time_picks(void)
{
	enum { N = 10000000 };
	static struct pick_seq seq[256];
	struct sticky_row table = {0};
	uint64_t from, sum = 0;

	sticky_update(&table, row_out[0].share_ppm, 0, 0, NULL);
	from = os_thread_user_ns();
	for (uint32_t i = 0; i < N; i++)
		sum += pick_next(&seq[i % 256], row_out[i % 256].share_ppm, UINT32_MAX);
	printf("%-52s %6.1f ns\n", "pick in sequence, 16 slots",
		(double)(os_thread_user_ns() - from) / N);
	from = os_thread_user_ns();
	for (uint32_t i = 0; i < N; i++)
		sum += sticky_lookup(table.entry, table.n, i * 2654435761U);
	printf("%-52s %6.1f ns%s\n", "sticky look-up", (double)(os_thread_user_ns() - from) / N,
		sum == 0 ? " " : "");
}

int main(void)
{
	time_ticks(
		"1000 groups x 16 vendors x 4 services, no cap binds", make(4, 0.01, 0.5, false));
	time_ticks("the same with 64 regions", make(4, 0.01, 0.5, true));
	time_ticks("the same, caps bind", make(4, 0.05, 0.93, true));
	time_ticks("the same, demand above all maxima", make(4, 0.2, 0.93, true));
	time_ticks("one service, caps bind", make(1, 0.05, 0.93, true));
	time_loop("the whole loop, 4 services with 64 regions", make(4, 0.01, 0.5, true));
	time_loop("the whole loop, one service", make(1, 0.01, 0.5, true));
	time_picks();
	return 0;
}
