/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies share. */
#pragma once

#include "sim/policy.h"

enum { POLICY_MINUTE_S = 60, POLICY_WINDOW_S = 5 };

/* Counts of reports that slide: what collect makes of them. */
struct policy_counts {
	double pulls, ok, frames, frames_ms;
};

struct policy_sense {
	struct policy_counts ring[POLICY_MINUTE_S][SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	struct policy_counts minute[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	struct policy_counts window[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	uint32_t at;
	uint16_t level[LOOP_LEVELS][SIM_MAX_GROUPS];
	struct loop_fact fact[SIM_MAX_GROUPS * SIM_MAX_VENDORS];
};

/* What a group's doors had counted at the last tick. */
struct policy_last {
	double sequence, sticky, fresh, refresh;
};

/* The scheduler as the daemon drives it: the loop, its memory, and what a tick is made from. */
struct policy_loop {
	struct loop loop;
	struct loop_kept kept;
	struct loop_in in;
	struct loop_vendor vendor[SIM_MAX_VENDORS];
	struct loop_region region[SIM_MAX_REGIONS];
	struct loop_service service;
	struct loop_row row[SIM_MAX_GROUPS];
	uint16_t region_of[SIM_MAX_GROUPS * SIM_MAX_VENDORS];
	double door_kbps[LOOP_DOORS][LOOP_CELLS], last_kbps[LOOP_DOORS][LOOP_CELLS];
	struct policy_last last[SIM_MAX_GROUPS];
	struct policy_sense sense;
	struct loop_seat seat[SL_MAX_GROUPS];
	struct loop_cell cell[SIM_MAX_GROUPS][SL_MAX_VENDORS];
	struct loop_coarse coarse[LOOP_LEVELS][SIM_MAX_GROUPS][SL_MAX_VENDORS];
	struct alloc_row alloc_row[SIM_MAX_GROUPS];
	struct alloc_row_out row_out[SIM_MAX_GROUPS];
	/* of `current` */
	struct alloc_state state;
	struct alloc_vendor_out vendor_out[SIM_MAX_VENDORS];
	struct sticky_row table[SIM_MAX_GROUPS];
};

struct policy_answer;

struct policy {
	enum policy_kind kind;
	const struct plant *world;
	double kbps; /* expected of a session */
	uint64_t now_ms;
	struct policy_decision out;
	struct policy_tally tally;
	struct meter meter[SIM_MAX_VENDORS]; /* least */
	struct policy_loop *l;               /* sluice and current */
	struct policy_answer *answer;        /* NULL: the audience is a fluid */
};

/* policy_sense.c: reports into facts. */
void policy_sense_init(struct policy *p);
void policy_sense_tick(struct policy *p);

/* policy_sluice.c: also what `current` stands on. 0 or SL_ENOMEM. */
int policy_sluice_init(struct policy *p);
void policy_sluice_done(struct policy *p);
void policy_sluice_tick(struct policy *p);
void policy_sluice_restart(struct policy *p);
void policy_put_row(struct policy *p, uint32_t group, const struct alloc_row_out *from,
	const struct sticky_row *s);

/* policy_answer.c: the doors for single sessions. take: after each tick. */
int policy_answer_init(struct policy *p);
void policy_answer_done(struct policy_answer *a);
void policy_answer_take(struct policy *p);
void policy_answer_doors(struct policy *p, struct plant *world, struct policy_trace *ret_trace);

/* policy_simple.c. fixed_shares: by guarantee, and by maximum where there is none. */
void policy_fixed_shares(const struct policy *p, uint32_t ret_ppm[static SCORE_ROW]);
void policy_current_tick(struct policy *p);
void policy_fixed_tick(struct policy *p);
void policy_least_tick(struct policy *p);

/* A door of the world as the daemon's tally counts it: dialects come by HTTP. */
static inline enum loop_door policy_door(enum plant_door door)
{
	return door == PLANT_DNS ? LOOP_DNS : LOOP_HTTP;
}

/* Cell of the vendor's region that a group lies in, or SIM_NONE. */
static inline uint32_t policy_region_cell(const struct policy *p, uint32_t group, uint32_t vendor)
{
	uint16_t r = p->world->region_of[group][vendor];

	return r == SIM_NONE ? SIM_NONE : SL_MAX_VENDORS + r;
}
