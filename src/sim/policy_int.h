/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies share. */
#pragma once

#include "sim/policy.h"

#include "scoring/allocate.h"
#include "scoring/breaker.h"
#include "scoring/learn.h"
#include "scoring/quality.h"

enum { POLICY_WINDOW_S = 5, POLICY_LEVELS = 64 };

/* Reports turned into qualities and breakers, as the daemon's sensing does. */
struct policy_sense {
	struct quality_params params;
	struct plant_facts ring[POLICY_WINDOW_S][SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	uint32_t at;
	uint16_t isp[SIM_MAX_GROUPS]; /* groups of one ISP have one number */
	struct quality_counts vendor[SIM_MAX_VENDORS];
	struct quality_counts carrier[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	struct quality_counts group[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	struct breaker breaker[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	double quality[SIM_MAX_GROUPS][SIM_MAX_VENDORS];
	uint32_t withheld[SIM_MAX_GROUPS][SIM_MAX_VENDORS]; /* ppm */
	uint64_t trips;
};

/* Demand of a group as the engine smooths it. */
struct policy_demand {
	double last_sequence, last_sticky, last_fresh, last_refresh;
	double sequence_mbps, sticky_mbps, fresh_rate, refresh_rate;
};

struct policy {
	enum policy_kind kind;
	const struct plant *world;
	double kbps;    /* expected of a session */
	double bitrate; /* kbps of a session as reported; 0: nobody reports */
	uint64_t now_ms;
	struct policy_decision out;
	struct policy_tally tally;

	/* sluice and current */
	uint32_t cells; /* vendors, then regions */
	struct ledger *ledger, *fast;
	double last_door_kbps[PLANT_DOORS][SIM_MAX_VENDORS + SIM_MAX_REGIONS];
	struct meter meter[SIM_MAX_VENDORS + SIM_MAX_REGIONS];
	struct learn_doors doors;
	struct learn_cell cell[SIM_MAX_VENDORS + SIM_MAX_REGIONS];
	struct learn_length length;
	struct learn_forecast forecast[SIM_MAX_VENDORS + SIM_MAX_REGIONS];
	struct policy_demand demand[SIM_MAX_GROUPS];
	struct policy_sense sense;
	struct alloc_state state;
	struct alloc_vendor vendor[SIM_MAX_VENDORS];
	struct alloc_region region[SIM_MAX_REGIONS];
	uint16_t region_of[SIM_MAX_GROUPS * SIM_MAX_VENDORS];
	struct alloc_service service;
	struct alloc_row row[SIM_MAX_GROUPS];
	struct alloc_row_out row_out[SIM_MAX_GROUPS];
	struct alloc_vendor_out vendor_out[SIM_MAX_VENDORS];
	void *work;
};

/* policy_sense.c */
void policy_sense_init(struct policy *p);
void policy_sense_tick(struct policy *p);

/* policy_sluice.c: sluice and current. 0 or SL_ENOMEM. */
int policy_sluice_init(struct policy *p);
void policy_sluice_tick(struct policy *p);
void policy_sluice_restart(struct policy *p);

/* policy_simple.c */
void policy_fixed_tick(struct policy *p);
void policy_least_tick(struct policy *p);

/* Takes meters of this second without any forecast. */
void policy_take_meters(struct policy *p);

/* Region's number in the cells of this scenario, or SIM_NONE. */
static inline uint32_t policy_region_cell(const struct policy *p, uint32_t group, uint32_t vendor)
{
	uint16_t r = p->world->region_of[group][vendor];

	return r == SIM_NONE ? SIM_NONE : p->world->n_vendors + r;
}
