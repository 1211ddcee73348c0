/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replays a record of a daemon's control loop: by the same code it must give the same octets; with
 * something changed, it says what would have come of it. Who came is as recorded; what vendors
 * carry, meters and reports follow the changed shares.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum { REPLAY_MAX_CHANGES = 32 };

/* KEY=VALUE, in the order given. Keys: guarantee_gain guarantee_blend quality_exponent slices
 * trickle_ppm headroom, and weight.VENDOR guaranteed.VENDOR max.VENDOR drain.VENDOR (1 or 0). */
struct replay_changes {
	const char *text[REPLAY_MAX_CHANGES];
	uint32_t n;
};

/*
 * Replays a file and tells what came of it: ticks, rows that differ from the record (none of them
 * may, without changes), and per vendor its mean share, most load over maximum, and the like. 0, or
 * an error with text: SL_EFORMAT for what is no record of this build, SL_ECHANGED for one that gave
 * other octets.
 */
int replay_run(const char *path, const struct replay_changes *changes, bool json, FILE *to,
	struct errbuf *err) SL_NONNULL_ALL;
