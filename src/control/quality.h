/* SPDX-License-Identifier: Apache-2.0 */
/* What quality, its history and hot share: sums of indicators under a key, and how they are told.
 */
#pragma once

#include "control/control_int.h"
#include "store/rollup.h"
#include "world/facts.h"

/* What indicators are summed by. */
#define QUALITY_BY_MAP(X)                                                                          \
	X(GROUP, "group")                                                                          \
	X(COUNTRY, "country")                                                                      \
	X(PROVINCE, "province")                                                                    \
	X(ISP, "isp")                                                                              \
	X(VENDOR, "vendor")                                                                        \
	X(DEFINITION, "definition")                                                                \
	X(CLIENT, "client")

enum quality_by {
#define X(id, word) BY_##id,
	QUALITY_BY_MAP(X)
#undef X
		BYS
};

/* The word of --by, or `otherwise` where none is given; SL_EINVAL with text. */
int control_quality_by(
	struct control_call *call, enum quality_by otherwise, enum quality_by *ret) SL_NONNULL_ALL;

/* The part of a group's name that counts are summed under: CN/GD/telecom is CN, CN/GD, or
 * CN/telecom by isp, and nothing by vendor. Returns ret. */
struct str control_quality_key(enum quality_by by, struct str group, char *ret, size_t size)
	SL_NONNULL(3);

/* What a cell, or a row of definition or client, says of its window, without its logs. minutes is
 * 0: what is summed over cells of one minute is of that minute. */
struct rollup_counts control_counts_of(const struct facts_cell *c) SL_NONNULL_ALL;
struct rollup_counts control_counts_of_kind(const struct facts_kind *k) SL_NONNULL_ALL;

/* Members of a row: success, first frame, stalls, sessions, bandwidth, logs; those that nobody
 * reported are left out. seconds: that the log counts are of. */
void control_quality_put(cJSON *row, const struct rollup_counts *c, double seconds) SL_NONNULL_ALL;

/* quality --history. */
int control_quality_history(struct control_call *call) SL_NONNULL_ALL;
