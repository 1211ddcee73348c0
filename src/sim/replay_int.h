/* SPDX-License-Identifier: Apache-2.0 */
/* A record read back: a loop with its memory, and the input of one tick after the other. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "scoring/record.h"

struct replay_rig {
	const uint8_t *p, *end; /* of the file, borrowed */
	struct loop loop;
	struct loop_in in;
	struct loop_kept kept;
	struct loop_vendor vendor[SL_MAX_VENDORS];
	struct loop_region region[SL_MAX_REGIONS];
	struct loop_service service[SL_MAX_SERVICES];
	struct loop_row *row; /* of loop.max_rows */
	double door_kbps[LOOP_DOORS][LOOP_CELLS];
	uint16_t level[LOOP_LEVELS][SL_MAX_GROUPS];
	struct str name[SL_MAX_VENDORS];
	bool placed;
	struct record_places places;
	/* sparse: what is not there takes no memory */
	struct loop_seat seat[SL_MAX_SERVICES * SL_MAX_GROUPS];
	struct loop_cell cell[SL_MAX_GROUPS][SL_MAX_VENDORS];
	struct loop_coarse coarse[LOOP_LEVELS][SL_MAX_GROUPS][SL_MAX_VENDORS];
	uint16_t region_of[SL_MAX_GROUPS * SL_MAX_VENDORS];
	struct loop_fact fact[SL_MAX_GROUPS * SL_MAX_VENDORS];
	struct record_meter meter[RECORD_MAX_METERS];
	uint32_t n_meters;
	struct loop_note note[RECORD_MAX_NOTES];
};

/* A rig at the state that the record begins with. Caller frees. */
int replay_rig_new(const uint8_t *p, size_t n, struct replay_rig **ret_rig,
	struct errbuf *err) SL_NONNULL_ALL SL_WUNUSED;
void replay_rig_free(struct replay_rig *r);

/* Reads on to the next tick: 0, SL_ENOENT at the end, SL_EFORMAT. The caller may change the input,
 * pushes the meters and ticks. */
int replay_next(struct replay_rig *r, struct errbuf *err) SL_NONNULL_ALL;

/* replay_plant.c: the input that r has read becomes what it would have been with the shares of r
 * instead of those of was, a rig at the same tick without changes; neither has ticked yet. */
void replay_answer(struct replay_rig *r, const struct replay_rig *was) SL_NONNULL_ALL;

/* What came of the tick that was read last, a hash per row; NULL where the record does not say. */
const uint64_t *replay_outcome(struct replay_rig *r, uint32_t *ret_n) SL_NONNULL_ALL;
