/* SPDX-License-Identifier: Apache-2.0 */
/* What the last tick would have known with a feature in another state. */
#pragma once

#include "engine/engine.h"
#include "scoring/loop_if.h"

/* What the last tick would have known were a feature that is off on, or the other way. For dry
 * runs; cells are those of the view, which must have a world. Whom breakers would bar
 * (loop_would_bar), a bit per vendor by group; the forecast with a meter or without any. */
void engine_would_bar(struct engine *e, uint64_t ret_barred[static SL_MAX_GROUPS]) SL_NONNULL_ALL;
struct learn_forecast engine_forecast_if(
	const struct engine *e, uint32_t cell, const struct loop_push *push) SL_NONNULL(1);
