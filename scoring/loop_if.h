/* SPDX-License-Identifier: Apache-2.0 */
/* What a tick takes all the while but does not use while a feature is off, for dry runs. Pure. */
#pragma once

#include "scoring/loop.h"

/* Qualities of the vendors of a row of the last tick, by slot, whether they count or not. */
void loop_qualities(const struct loop *l, const struct alloc_row *row,
	double ret_quality[static SL_MAX_SLOTS]) SL_NONNULL_ALL;

/* The load that a vendor is expected to have, Mbps; as_metered: without what has come since its
 * meter. */
double loop_to_come(const struct learn_forecast *f, bool as_metered) SL_NONNULL_ALL SL_PURE;

/* A meter, as it is offered. */
struct loop_push {
	double mbps;
	uint64_t start_ms, end_ms;
};

/* The forecast that a cell would have in a tick like the last, whose input is given, had it this
 * meter besides; push NULL: had it none at all. */
struct learn_forecast loop_forecast_if(const struct loop *l, const struct loop_in *in,
	uint32_t cell, const struct loop_push *push) SL_NONNULL(1, 2);

/* While breakers are switched off: whom they would bar, began they now and were the window before
 * as bad as that of the facts. A bit per vendor, by group. Of the loop only windows are touched,
 * which the next tick makes anew. */
void loop_would_bar(struct loop *l, const struct loop_in *in, uint64_t *ret_barred) SL_NONNULL_ALL;
