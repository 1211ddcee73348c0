/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several names is most like one that was mistyped. Pure. */
#pragma once

#include "base/attr.h"
#include "base/limits.h"
#include "base/str.h"

struct near {
	struct str typed;
	uint32_t distance; /* of the best so far */
	char best[SL_MAX_NAME + 1];
	char text[SL_MAX_NAME + 24];
};

/* typed is borrowed as long as names are offered. */
void near_init(struct near *n, struct str typed) SL_NONNULL_ALL;

/* A letter more, less or another, and two that changed places, are one mistake each. */
void near_offer(struct near *n, struct str name) SL_NONNULL_ALL;

/* "; did you mean NAME?", or "" where nothing is near. */
const char *near_text(struct near *n) SL_NONNULL_ALL;
