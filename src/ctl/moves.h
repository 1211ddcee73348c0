/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who would move if a kept world took the place of the one in use, from their shares alone: as a
 * dry run of the daemon tells it, but groups and services count alike, since no demand is kept.
 * Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"

struct cJSON;
struct world;

/* Adds `impact` and the counts beside it to out. Whether that is grave: over a third of a region
 * moves, or groups are left with one vendor or with none. */
bool ctl_moves(const struct world *now, const struct world *then, struct cJSON *out) SL_NONNULL_ALL;
