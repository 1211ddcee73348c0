/* SPDX-License-Identifier: Apache-2.0 */
/* A loop with its memory for tests that tick it. */
#pragma once

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "scoring/loop_if.h"

enum { V = 3, G = 4, START = 1000000000 };

/* A loop with its memory, and the input of its next tick: one service over three vendors. */
struct rig {
	struct loop l;
	struct loop_kept kept;
	struct loop_in in;
	struct loop_vendor vendor[V];
	struct loop_region region[1];
	struct loop_service service;
	struct loop_row row[G];
	struct loop_fact fact[G * V];
	uint16_t region_of[G * V], level[G];
	double door_kbps[LOOP_DOORS][LOOP_CELLS];
	struct loop_cell cell[G][SL_MAX_VENDORS];
	struct loop_coarse coarse[LOOP_LEVELS][G][SL_MAX_VENDORS];
	struct alloc_row alloc_row[G];
	struct alloc_row_out row_out[G];
};

static inline struct rig *rig_new(void)
{
	static const double guaranteed[V] = {8000, 6000, 3000}, maximum[V] = {14000, 16000, 9000};
	struct rig *r = calloc(1, sizeof(*r));
	size_t size = ledger_size(LOOP_LEDGER_CELLS), live = ledger_size(LOOP_CELLS);

	assert_non_null(r);
	r->l.kept = &r->kept;
	r->l.ledger = ledger_init(calloc(1, size), size, LOOP_LEDGER_CELLS, START);
	r->l.live = ledger_init(calloc(1, live), live, LOOP_CELLS, START);
	r->l.seat = calloc(2 * SL_MAX_GROUPS, sizeof(*r->l.seat));
	r->l.cell = r->cell;
	r->l.coarse[0] = r->coarse[0];
	r->l.coarse[1] = r->coarse[1];
	r->l.row = r->alloc_row;
	r->l.row_out = r->row_out;
	r->l.max_rows = G;
	r->l.work = malloc(alloc_work_size(G));
	r->service = (struct loop_service){.alloc = {.n_slots = V, .params = SCORE_PARAMS_DEFAULT},
		.bitrate_kbps = 4000,
		.session_s = 600,
		.ttl_s = 20,
		.active = true};
	r->service.alloc.overload = ALLOC_REFUSE;
	for (uint32_t v = 0; v < V; v++) {
		r->vendor[v] = (struct loop_vendor){guaranteed[v], maximum[v], 0.02, 600};
		r->service.alloc.slot[v].vendor = (uint16_t)v;
		r->service.alloc.slot[v].weight = 1;
	}
	r->in = (struct loop_in){.now_ms = START,
		.tick_ms = 1000,
		.n_vendors = V,
		.n_services = 1,
		.n_groups = G,
		.n_rows = G,
		.vendor = r->vendor,
		.region = r->region,
		.service = &r->service,
		.row = r->row,
		.level = {r->level, r->level},
		.door_kbps = r->door_kbps,
		.fact = r->fact,
		.sampled = 1};
	for (uint16_t g = 0; g < G; g++)
		r->row[g].group = r->level[g] = g;
	return r;
}

static inline void rig_free(struct rig *r)
{
	free(r->l.ledger);
	free(r->l.live);
	free(r->l.seat);
	free(r->l.work);
	free(r);
}

/* A second in which so many sessions came by each door; they go where the shares of the last tick
 * and the tables say. */
static inline void second(struct rig *r, double http, double dns)
{
	memset(r->door_kbps, 0, sizeof(r->door_kbps));
	for (uint32_t g = 0; g < G; g++) {
		uint32_t table[SCORE_ROW];

		sticky_shares(&r->l.seat[g].sticky, table);
		for (uint32_t v = 0; v < V; v++) {
			r->door_kbps[LOOP_HTTP][v] +=
				http / G * 4000 * r->row_out[g].share_ppm[v] / SCORE_PPM;
			r->door_kbps[LOOP_DNS][v] += dns / G * 4000 * table[v] / SCORE_PPM;
		}
		r->row[g].sequence_kbps = http / G * 4000;
		r->row[g].sticky_kbps = dns / G * 4000;
		r->row[g].fresh = dns / G;
		r->row[g].refresh = dns / G * 10;
	}
	r->in.now_ms += 1000;
	assert_int_equal(loop_tick(&r->l, &r->in), 0);
}

static inline void meter_all(struct rig *r, double a, double b, double c)
{
	const double mbps[V] = {a, b, c};

	for (uint32_t v = 0; v < V; v++)
		assert_int_equal(loop_push_meter(&r->l, v, V, mbps[v], r->in.now_ms - 60000,
					 r->in.now_ms, r->in.now_ms, r->vendor[v].max_mbps),
			METER_OK);
}
