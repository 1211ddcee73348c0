/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a tick share. */
#pragma once

#include "scoring/loop.h"

/* loop_sense.c: facts into estimates, the live ledger, bitrate and session length. */
void loop_sense(struct loop *l, const struct loop_in *in);

/* loop_sense.c: qualities and breakers into the rows of this tick. */
void loop_judge(struct loop *l, const struct loop_in *in);

/* loop_out.c: what a tick hands to the doors. */
void loop_seats(struct loop *l, const struct loop_in *in);
void loop_budgets(struct loop *l, const struct loop_in *in);

static inline double loop_dt_s(const struct loop_in *in)
{
	return in->tick_ms / 1000.0;
}
