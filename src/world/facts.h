/* SPDX-License-Identifier: Apache-2.0 */
/* The facts blob: windows per (vendor, group) and stream, from collect to control. Pure. */
#pragma once

#include "base/limits.h"
#include "world/blob.h"
#include "world/facts.def"

#define FACTS_ENUM(R, array, FIELDS, min, max) FACTS_##array,
enum facts_array { FACTS(FACTS_ENUM) FACTS_N_ARRAYS };
FACTS(BLOB_STRUCT)

struct facts_view {
	const struct blob_head *head;
	FACTS(BLOB_VIEW_FIELD)
};

extern const struct blob_def facts_def;

/* blob must have passed blob_check. */
void facts_view_init(struct facts_view *view, const void *blob) SL_NONNULL_ALL;
