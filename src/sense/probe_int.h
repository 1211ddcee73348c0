/* SPDX-License-Identifier: Apache-2.0 */
/* What targets.c (which addresses there are to look at) and probe.c (looking at them) share. The
 * sense thread's own. */
#pragma once

#include "sense/flow.h"
#include "sense/sense_int.h"

struct sense_look; /* one that is under way */

struct sense_probe_target {
	struct sense_timer timer;
	struct sense_probes *owner;
	const struct conf_probe *probe;
	struct sense_look *look; /* NULL: none is under way */
	struct sense_flow flow;
	uint32_t index;
};

struct sense_probes {
	struct sense *s;
	struct sense_probe_target *target;
	uint32_t n, running;
	struct sense_look *spare;
};

/* probe.c: a target's time has come. */
void sense_look_begin(struct sense_timer *timer) SL_NONNULL_ALL;

/* Ends a look under way without a verdict. NULL is fine. */
void sense_look_stop(struct sense_look *l);

/* Frees the spare ones. */
void sense_look_done(struct sense_probes *p) SL_NONNULL_ALL;
