/* SPDX-License-Identifier: Apache-2.0 */
/* Writes covers of group ids as the flat prefix table. Internal to geo. */
#pragma once

#include "base/attr.h"
#include "base/err.h"
#include "geo/cover.h"
#include "geo/table.h"

/* v4 and v6 hold group ids below n_groups, or GEO_KEY_EMBEDDED (written as default_group, but never
 * in one block with its neighbours). stats is copied but for prefixes, which is counted. The caller
 * frees *ret_table. SL_ENOMEM, SL_ELIMIT. */
int geo_emit(const struct geo_cover *v4, const struct geo_cover *v6, uint32_t n_groups,
	uint32_t default_group, const struct geo_stats *stats, struct geo_table **ret_table,
	size_t *ret_size) SL_NONNULL(1, 2, 5, 6, 7) SL_WUNUSED;
