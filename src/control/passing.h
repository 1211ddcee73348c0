/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the state that do not hold at once and for good: one that takes effect little by
 * little (--ramp), and one that ends by itself (--for), whatever keys it is of. Rules and streams
 * have a ramp and an end of their own in their values; here is what rollbacks, reverts, catalogues
 * and switches need.
 */
#pragma once

#include "control/control_int.h"

/*
 * As control_change, with the call's --ramp and --for: rules and streams come and go along the
 * ramp, and a catalogue with them; when the time is over, every key that is still as this change
 * left it is what it was before. Values must stay until this returns. SL_EREFUSED when the
 * catalogue is still on its way from an earlier change and this is another one in part.
 */
int control_change_passing(struct control_call *call, const struct store_item *items, uint32_t n)
	SL_NONNULL(1);

/* Ends changes whose time is over, steps the catalogue. */
void control_passing_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* The catalogue that holds now: *to, a copy of conf's, is replaced where a ramp is under way. What
 * it points to stays until the next call. */
void control_passing_blend(
	struct control *c, const struct conf *conf, struct conf_catalog *to) SL_NONNULL_ALL;
void control_passing_close(struct control *c) SL_NONNULL_ALL;

/* The catalogue's ramp and changes that end by themselves, as rows beside the rules. */
void control_passing_list(struct control_call *call, cJSON *list) SL_NONNULL_ALL;
