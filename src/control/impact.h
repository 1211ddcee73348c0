/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who would move: the shares of every group by the real allocator, over the fleet of the last tick,
 * once under the rules of now and once under those that are wanted. Audiences are weighed by their
 * demand; where nothing is known, all groups alike.
 */
#pragma once

#include "engine/engine.h"

enum { IMPACT_MAX_REGIONS = 512, IMPACT_LIMIT_PERCENT = 33 };

struct impact_region {
	char name[SL_MAX_NAME + 1]; /* country and province: CN/GD */
	double weight;
	double moves; /* part of its audience whose vendor changes, 0..1 */
	double before[SL_MAX_VENDORS + 1], after[SL_MAX_VENDORS + 1]; /* the last is none */
};

struct impact {
	struct impact_region region[IMPACT_MAX_REGIONS], all;
	uint32_t n_regions;
	uint32_t narrowed; /* groups that are left with one vendor and had more */
	uint32_t emptied;  /* groups that are left with none */
	double worst;      /* the largest `moves` of a region */
	char worst_region[SL_MAX_NAME + 1];
};

/* view must have a world. catalogue: what would take the place of the one in use; NULL: it stays.
 * The result is malloc'd; caller frees. */
int control_impact(const struct engine_view *view, const struct engine_rule *now, uint32_t n_now,
	const struct engine_rule *then, uint32_t n_then, const struct conf_catalog *catalogue,
	struct impact **ret_impact, struct errbuf *err) SL_NONNULL(1, 7);

/* Whether a change of this impact wants to be confirmed. */
bool control_impact_grave(const struct impact *i) SL_NONNULL_ALL SL_PURE;
