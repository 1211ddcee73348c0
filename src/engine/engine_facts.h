/* SPDX-License-Identifier: Apache-2.0 */
/* What engine_facts.c and engine_breaker.c share. One thread. */
#pragma once

#include "engine/engine_int.h"
#include "world/facts.h"

struct engine_facts_cell {
	struct quality_counts counts;     /* of the minute */
	struct quality_estimate estimate; /* shrunk */
	struct quality_facts window;      /* what is new since the last tick; zero: nothing */
	double audience_mbps;
};

/* Sparse: pages of groups and vendors that there are none of are never touched. */
struct engine_facts {
	const void *blob; /* mapped; NULL before the first */
	size_t size;
	struct facts_view view;
	bool fresh;          /* young enough to say something */
	struct ledger *live; /* bitrates of live sessions, by cell of ENGINE_CELLS */
	uint64_t checksum, time_ms, refused;
	char error[SL_ERRBUF_SIZE];
	uint64_t catalogue; /* that the levels are of */
	uint64_t level_hash[2][SL_MAX_GROUPS];
	uint16_t level[2][SL_MAX_GROUPS];
	struct engine_breaker_event event[ENGINE_MAX_BREAKER_EVENTS];
	uint32_t n_events;
	struct quality_counts vendor[SL_MAX_VENDORS];
	struct quality_counts coarse[2][SL_MAX_GROUPS][SL_MAX_VENDORS];
	struct engine_facts_cell cell[SL_MAX_GROUPS][SL_MAX_VENDORS];
	struct breaker breaker[SL_MAX_GROUPS][SL_MAX_VENDORS];
};

/* engine_breaker.c: judges what is new and bars or holds back vendors in the rows of this tick. */
void engine_breaker_tick(struct engine *e, uint64_t now_ms) SL_NONNULL_ALL;
