/* SPDX-License-Identifier: Apache-2.0 */
/* The tick blob: shares, sticky tables, budgets, breakers, node load. Pure; any thread. */
#pragma once

#include "base/limits.h"
#include "scoring/score.h"
#include "world/blob.h"
#include "world/tick.def"

enum tick_breaker_state { TICK_CLOSED, TICK_OPEN, TICK_HALF_OPEN, TICK_MANUAL };

enum { TICK_NODE_DOWN = 65535, TICK_HOLD_BASE = 17 };

#define TICK_ENUM(R, array, FIELDS, min, max) TICK_##array,
enum tick_array { TICK(TICK_ENUM) TICK_N_ARRAYS };
TICK(BLOB_STRUCT)

/* Starts and lengths of the arrays of a checked tick. Points into the blob. */
struct tick_view {
	const struct blob_head *head;
	TICK(BLOB_VIEW_FIELD)
};

extern const struct blob_def tick_def;

/* blob must have passed blob_check. */
void tick_view_init(struct tick_view *view, const void *blob) SL_NONNULL_ALL;
