/* SPDX-License-Identifier: Apache-2.0 */
/* Time of a tick's allocation, and of a pick: user time of the thread, so that what else the
 * machine does matters little. Prints; judges nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "scoring/allocate.h"
#include "scoring/pick.h"
#include "scoring/sticky.h"

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
	time_picks();
	return 0;
}
