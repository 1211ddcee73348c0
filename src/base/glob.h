/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns with * over text, and over group names (CN/GD/telecom). Pure.
 *
 * A group pattern is compared component by component; * matches any run of characters within one
 * component. A pattern of fewer components matches everything below it: CN is CN, CN/GD and
 * CN/GD/telecom, * is every group. A final component * wants a component: CN followed by /, * is
 * all of CN but the group CN itself.
 */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

/* Whether the whole text matches; ASCII case does not count when fold is set. */
bool glob_match(struct str pattern, struct str text, bool fold) SL_PURE;

/* Whether the group name matches the pattern. Case counts. */
bool glob_group_match(struct str pattern, struct str name) SL_PURE;

/* Whether some group name could match both patterns. Exact. */
bool glob_group_overlap(struct str a, struct str b) SL_PURE;
