/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Up or down from looks in a row. The first good look brings a target up; from then on `fall` bad
 * ones in a row take it down and `rise` good ones bring it up again. Pure.
 *
 *   state      good look                          bad look
 *   unknown    up                                 streak 1 .. fall: down
 *   up         streak 0                           streak 1 .. fall: down
 *   down       streak 1 .. rise: up               streak 0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum sense_state { SENSE_UNKNOWN, SENSE_UP, SENSE_DOWN, SENSE_STATES };

struct sense_flow {
	uint8_t state;  /* enum sense_state */
	uint8_t streak; /* looks in a row that say otherwise */
};

/* true when the state has changed. rise and fall 1..100. */
static inline bool sense_flow_step(struct sense_flow *f, bool good, uint32_t rise, uint32_t fall)
{
	bool agrees = good == (f->state != SENSE_DOWN), first = f->state == SENSE_UNKNOWN && good;

	if (agrees && !first) {
		f->streak = 0;
		return false;
	}
	if (!first && ++f->streak < (good ? rise : fall))
		return false;
	f->state = good ? SENSE_UP : SENSE_DOWN;
	f->streak = 0;
	return true;
}
